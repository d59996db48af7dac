/** From what zod reports to what a person can use: where it is, and for a key that is refused, what to do about it. */

import { knownKeys, KNOWN_KEYS, type KnownKey } from './known-keys.ts';
import { nearest } from './nearest.ts';
import type { Path } from './positions.ts';
import { describe, problem, quote, type Problem } from './problems.ts';
import { SUPPORTED_KEYS } from './schema.ts';
import type { Tree } from './tree.ts';
import { valueAt } from './values.ts';
import type * as z from './zod.ts';

/** Beyond this many, problems are not looked into: no one reads them. */
const ISSUES_MAX = 1000;

export function schemaProblems(error: z.core.$ZodError, tree: Tree): Problem[] {
  return error.issues.slice(0, ISSUES_MAX).flatMap((issue) => {
    const path = issue.path as Path;
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.slice(0, ISSUES_MAX).flatMap((key) => refusedKey(tree, path, key));
    }
    const params = issue.code === 'custom' ? issue.params : undefined;
    const part: 'key' | 'value' = params?.['part'] === 'key' ? 'key' : 'value';
    const got = part === 'key' ? quote(String(path.at(-1))) : describe(valueAt(tree.value, path), path);
    const hint: string | undefined = params?.['hint'];
    return [problem(path, tree.positions.of(tree.value, path, part), { expected: issue.message, got, hint })];
  });
}

function refusedKey(tree: Tree, path: Path, key: string): Problem[] {
  const section = path.findLast((segment) => typeof segment === 'string') ?? '';
  const known = knownKeys(section).get(key);
  if (known !== undefined) return unsupported(tree, [...path, key], known);
  const position = tree.positions.of(tree.value, [...path, key], 'key');
  const said = { expected: 'a known key', got: quote(key), hint: whatWasMeant(section, key) };
  return [problem([...path, key], position, said)];
}

/** A key that Prometheus knows; where its own keys differ in their reasons (`tls_config`), each of those. */
function unsupported(tree: Tree, path: Path, known: KnownKey): Problem[] {
  const works = SUPPORTED_KEYS[known.key] ?? [];
  const inner = works.length === 0 || known.key === 'tls_config' ? knownKeys(known.key) : new Map<string, KnownKey>();
  const value = valueAt(tree.value, path);
  if (inner.size > 0 && typeof value === 'object' && !Array.isArray(value)) {
    // Of those that work elsewhere there is nothing to say by themselves.
    const keys = Object.keys(value).filter((key) => !works.includes(key));
    if (keys.length > 0) return keys.flatMap((key) => refusedKey(tree, path, key));
  }
  const said = { expected: 'a key that Narthex supports', got: quote(known.key), hint: known.why };
  return [problem(path, tree.positions.of(tree.value, path, 'key'), said)];
}

function whatWasMeant(section: string, key: string): string | undefined {
  const elsewhere = Object.keys(SUPPORTED_KEYS).filter((name) => SUPPORTED_KEYS[name]?.includes(key));
  if (elsewhere.length > 0) return `it belongs ${elsewhere.map(sectionName).join(' or ')}`;
  const owner = KNOWN_KEYS.find((known) => known.key === key);
  if (owner !== undefined) return `Prometheus knows it ${sectionName(owner.section)}`;
  const meant = nearest(key, [...(SUPPORTED_KEYS[section] ?? []), ...knownKeys(section).keys()]);
  return meant === undefined ? undefined : `did you mean ${quote(meant)}?`;
}

const sectionName = (section: string): string => (section === '' ? 'at the top level' : `under ${quote(section)}`);
