/**
 * The YAML of a configuration as plain values with positions. Not a check of what the keys mean: that is the schema's.
 *
 * Every scalar stays the text it was (`1.10` is not 1.1 and `no` is not false): the field it stands in decides what it means, as in
 * Prometheus, where a label `version: 1.10` is "1.10". An entry without a value is `undefined`. Aliases and `<<` are resolved, within
 * limits: reading takes time and memory in proportion to the text, whatever the text is.
 */

import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { Alias, Document, Node, Pair, YAMLMap } from 'yaml';
import { ALIASED_MAX, checkLimits, DEPTH_MAX, Refusal } from './limits.ts';
import { Positions, type Path } from './positions.ts';
import { describeKey, problem, type Problem } from './problems.ts';
import { yamlProblem } from './yaml-errors.ts';

export type Value = string | undefined | Value[] | Mapping;

/** Without a prototype, so that no key has a meaning of its own. */
export interface Mapping {
  [key: string]: Value;
}

export interface Tree {
  readonly value: Value;
  readonly positions: Positions;
  /** Duplicate keys and the like: errors that leave the rest readable. */
  readonly problems: readonly Problem[];
}

/** Reads a text, or says why it cannot be read at all. Never throws. */
export function readTree(text: string): { ok: true; tree: Tree } | { ok: false; problems: Problem[] } {
  const v8 = Error as unknown as { stackTraceLimit?: number };
  const limit = v8.stackTraceLimit ?? 10;
  try {
    // The parser makes an Error of each mistake; a stack in each would take most of the memory.
    v8.stackTraceLimit = 0;
    return parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    // Parser and reader recurse.
    const refusal = error instanceof RangeError ? new Refusal(`at most ${DEPTH_MAX} levels`, 'deeper nesting') : error;
    if (refusal instanceof Refusal) return { ok: false, problems: [refusal.problem] };
    throw error;
  } finally {
    v8.stackTraceLimit = limit;
  }
}

function parse(text: string): ReturnType<typeof readTree> {
  checkLimits(text);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    schema: 'failsafe',
    // Compares all keys of a mapping with each other, so takes hours for a long one; done below.
    uniqueKeys: false,
    resolveKnownTags: false,
    // Would put lines of the text, so secrets, into the messages.
    prettyErrors: false,
    // 'silent' would also hide that there is a second document.
    logLevel: 'error',
  });
  const positions = new Positions(lines);
  const errors = [...document.errors, ...document.warnings];
  if (errors.length > 0) {
    return { ok: false, problems: errors.map((error) => yamlProblem(error, positions.ofOffset(error.pos[0]))) };
  }
  return { ok: true, tree: new Reader(document, positions).read() };
}

class Reader {
  readonly #document: Document.Parsed;
  readonly #positions: Positions;
  readonly #problems: Problem[] = [];
  readonly #targets = new Map<Alias, Node>();
  /** Anchored nodes whose alias is being read: one inside itself would never end. */
  readonly #open = new Set<Node>();
  #aliased = 0;

  constructor(document: Document.Parsed, positions: Positions) {
    this.#document = document;
    this.#positions = positions;
  }

  read(): Tree {
    // All aliases in one pass: an alias means the last anchor of its name before it.
    const anchors = new Map<string, Node>();
    visit(this.#document, {
      Node: (_, node) => {
        if (isAlias(node)) {
          const target = anchors.get(node.source);
          if (target !== undefined) this.#targets.set(node, target);
        } else if (node.anchor !== undefined) {
          anchors.set(node.anchor, node);
        }
      },
    });
    const value = this.#value(this.#document.contents, [], 0);
    return { value, positions: this.#positions, problems: this.#problems };
  }

  #value(node: unknown, path: Path, depth: number): Value {
    if (this.#open.size > 0 && ++this.#aliased > ALIASED_MAX) {
      throw new Refusal(`at most ${ALIASED_MAX} values from YAML aliases`, 'more', path, this.#at(node));
    }
    if (depth > DEPTH_MAX) throw new Refusal(`at most ${DEPTH_MAX} levels`, 'deeper nesting', path, this.#at(node));
    if (isAlias(node)) return this.#alias(node, path, depth);
    if (isMap(node)) return this.#mapping(node, path, depth);
    if (isSeq(node)) {
      const list: Value[] = [];
      for (const [i, item] of node.items.entries()) {
        const valueAt = offsetOf(item);
        this.#positions.note(list, i, { keyAt: valueAt, valueAt });
        list.push(this.#value(item, [...path, i], depth + 1));
      }
      return list;
    }
    if (!isScalar(node)) return undefined;
    const text = String(node.value ?? '');
    const isNull = node.type === 'PLAIN' && node.tag === undefined && /^(~|null|Null|NULL|)$/.test(text);
    return isNull ? undefined : text;
  }

  #alias(node: Alias, path: Path, depth: number): Value {
    const target = this.#targets.get(node);
    if (target === undefined || this.#open.has(target)) {
      // The name is not repeated: it may be a password that begins with "*".
      const got = target === undefined ? 'an alias of an anchor that is not there' : 'an alias inside its own anchor';
      const hint = 'quote a value that begins with "*"';
      this.#problems.push(problem(path, this.#at(node), { expected: 'a value', got, hint }));
      return undefined;
    }
    this.#open.add(target);
    const value = this.#value(target, path, depth + 1);
    this.#open.delete(target);
    return value;
  }

  #mapping(node: YAMLMap, path: Path, depth: number): Mapping {
    const mapping: Mapping = Object.create(null);
    const merges: unknown[] = [];
    for (const pair of node.items as Pair[]) {
      if (!isScalar(pair.key)) {
        const said = {
          expected: 'a key',
          got: 'a list, a mapping or an alias',
          hint: 'quote a key that begins with "*"',
        };
        this.#problems.push(problem(path, this.#at(pair.key ?? node), said));
        continue;
      }
      if (pair.key.type === 'PLAIN' && pair.key.value === '<<') {
        merges.push(pair.value);
        continue;
      }
      const key = String(pair.key.value ?? '');
      const keyAt = offsetOf(pair.key);
      const earlier = this.#positions.place(mapping, key);
      if (earlier !== undefined) {
        const { line } = this.#positions.ofOffset(earlier.keyAt);
        const said = {
          expected: 'each key once',
          got: `${describeKey(key, path)} again`,
          hint: `first in line ${line}`,
        };
        this.#problems.push(problem([...path, key], this.#at(pair.key), said));
        continue;
      }
      this.#positions.note(mapping, key, { keyAt, valueAt: offsetOf(pair.value) || keyAt });
      mapping[key] = this.#value(pair.value, [...path, key], depth + 1);
    }
    for (const merge of merges) this.#merge(mapping, merge, path, depth);
    return mapping;
  }

  /** `<<: *a` and `<<: [*a, *b]`: keys that the mapping does not have itself; of several sources the first wins. */
  #merge(mapping: Mapping, node: unknown, path: Path, depth: number): void {
    const value = this.#value(node, path, depth + 1);
    for (const source of Array.isArray(value) ? value : [value]) {
      if (typeof source !== 'object' || Array.isArray(source)) {
        const said = { expected: 'a mapping, or a list of mappings, after "<<"', got: 'something else' };
        this.#problems.push(problem(path, this.#at(node), said));
        continue;
      }
      for (const key of Object.keys(source)) {
        if (key in mapping) continue;
        this.#positions.note(mapping, key, this.#positions.place(source, key)!);
        mapping[key] = source[key];
      }
    }
  }

  #at(node: unknown) {
    return this.#positions.ofOffset(offsetOf(node));
  }
}

function offsetOf(node: unknown): number {
  return isAlias(node) || isScalar(node) || isMap(node) || isSeq(node) ? (node.range?.[0] ?? 0) : 0;
}
