/**
 * What each tenant may send, from the text of `NARTHEX_LIMITS`: YAML, or JSON, which is YAML too.
 *
 *     '*':                          # every tenant
 *       series_limit: 500000
 *     acme:                         # on top of that
 *       samples_per_second: 20000
 *
 * Pure and total. The one invariant: a section with a mistake counts for nothing, and every mistake is reported; a tenant is never held to half
 * of a section.
 */

import { describe, problem, quote, sortProblems, formatProblems, type Problem } from '../config/problems.ts';
import { duration, field, flag, positiveDuration } from '../config/fields.ts';
import { nearest } from '../config/nearest.ts';
import type { Path } from '../config/positions.ts';
import { valueAt } from '../config/values.ts';
import { parseSize } from '../config/sizes.ts';
import { readTree, type Mapping, type Tree } from '../config/tree.ts';
import * as z from '../config/zod.ts';
import { isTenant } from '../model/tenant.ts';
import { DEFAULT_RECEIVE_LIMITS, DEFAULT_SHARD_LIMITS, SERIES_LIMIT_MAX, type TenantSettings } from './limits.ts';
import { SHARDS_MAX } from './shards.ts';

/** The variable or secret. Named in every refusal that a limit causes. */
const VARIABLE = 'NARTHEX_LIMITS';
const EVERY_TENANT = '*';
const MB = 1024 * 1024;

const fail = (hint = ''): never => {
  throw new Error(hint);
};

function bounded(value: number, max: number, shown: string): number {
  if (value === 0) fail('it must be more than 0');
  return value <= max ? value : fail(`an isolate's memory allows ${shown} at most`);
}

const bytes = (max: number, shown: string) => field('a size like 10MB', (text) => bounded(parseSize(text), max, shown));

const count = (max: number) =>
  field('a whole number above 0', (text) =>
    /^[0-9]{1,15}$/.test(text) ? bounded(Number(text), max, String(max)) : fail(),
  );

/** `digest` is what the log's own consumer is called. */
const relayName = (name: string): string => (name === '' || name === 'digest' ? fail() : name);

const SECTION = {
  /** Of the body as it comes, and uncompressed. */
  body_size_limit: bytes(32 * MB, '32MB'),
  uncompressed_size_limit: bytes(64 * MB, '64MB'),
  /** Samples in a request. */
  sample_limit: count(1 << 20),
  label_limit: count(1 << 16),
  label_name_length_limit: count(1 << 20),
  label_value_length_limit: count(1 << 20),
  /** How far ahead of the receiver's clock, and how far behind it, a timestamp may be. */
  future_limit: duration,
  past_limit: positiveDuration,
  /** A shard's, on average, and how many may come at once. */
  samples_per_second: count(1e9),
  samples_burst: count(1e9),
  /** Active series of a shard. */
  series_limit: count(SERIES_LIMIT_MAX),
  /** How many objects the tenant's series are spread over. */
  shards: count(SHARDS_MAX),
  /** What may wait for the digest. */
  pending_size_limit: bytes(4096 * MB, '4GB'),
  /** Replicas of an HA pair are told apart by their labels, and one is taken. */
  ha: flag,
  /** Names of `remote_write` that what is received goes out to. */
  relay: z.array(field('the name of a remote_write', relayName), {
    error: 'a list of names of remote_write',
  }),
};

const optional = Object.fromEntries(
  Object.entries(SECTION).map(([key, value]) => [key, z.optional(value)]),
) as unknown as { [K in keyof typeof SECTION]: z.ZodMiniOptional<(typeof SECTION)[K]> };
const schema = z.strictObject(optional, { error: 'a mapping of limits' });
type Section = z.infer<typeof schema>;

export interface Limits {
  /** What holds for a tenant, whether it is named or not. */
  of(tenant: string): TenantSettings;
  /** Names of remotes that some tenant relays to; and the tenants that are named. */
  readonly relays: readonly string[];
  readonly tenants: readonly string[];
  /** A line each, with its place. */
  readonly problems: readonly string[];
}

export function parseLimits(text: string): Limits {
  const read = readTree(text);
  if (!read.ok) return limits(new Map(), read.problems);
  const { tree } = read;
  const root = tree.value ?? {};
  const problems: Problem[] = [...tree.problems];
  const sections = new Map<string, Section>();
  if (typeof root !== 'object' || Array.isArray(root)) {
    const position = tree.positions.of(root, [], 'value');
    problems.push(problem([], position, { expected: 'a mapping of tenants', got: describe(root, []) }));
    return limits(sections, problems);
  }
  for (const [tenant, value] of Object.entries(root)) {
    if (tenant !== EVERY_TENANT && !isTenant(tenant)) {
      const hint = "letters, digits and !._*'()-, 150 at most; '*' is every tenant";
      const position = tree.positions.of(root, [tenant], 'key');
      problems.push(problem([tenant], position, { expected: 'the name of a tenant', got: quote(tenant), hint }));
      continue;
    }
    const parsed = schema.safeParse(value ?? {});
    if (parsed.success) sections.set(tenant, parsed.data);
    else problems.push(...parsed.error.issues.flatMap((issue) => problemsOf(issue, tenant, tree)));
  }
  return limits(sections, problems);
}

function problemsOf(issue: z.core.$ZodIssue, tenant: string, tree: Tree): Problem[] {
  const path: Path = [tenant, ...(issue.path as Path)];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const meant = nearest(key, Object.keys(SECTION));
      const hint = meant === undefined ? undefined : `did you mean ${quote(meant)}?`;
      const position = tree.positions.of(tree.value, [...path, key], 'key');
      return problem([...path, key], position, { expected: 'a known limit', got: quote(key), hint });
    });
  }
  const hint = issue.code === 'custom' ? (issue.params?.['hint'] as string | undefined) : undefined;
  const got = describe(valueAt(tree.value as Mapping, path), path);
  return [problem(path, tree.positions.of(tree.value, path, 'value'), { expected: issue.message, got, hint })];
}

function limits(sections: ReadonlyMap<string, Section>, problems: readonly Problem[]): Limits {
  const every = sections.get(EVERY_TENANT) ?? {};
  const known = new Map<string, TenantSettings>();
  for (const [tenant, section] of sections) known.set(tenant, settings({ ...every, ...section }));
  const rest = settings(every);
  return {
    of: (tenant) => (tenant === EVERY_TENANT ? rest : (known.get(tenant) ?? rest)),
    relays: [...new Set([rest, ...known.values()].flatMap(({ relay }) => relay))],
    tenants: [...sections.keys()].filter((tenant) => tenant !== EVERY_TENANT),
    problems: problems.length === 0 ? [] : formatProblems(VARIABLE, sortProblems(problems)).split('\n'),
  };
}

function settings(section: Section): TenantSettings {
  const d = DEFAULT_RECEIVE_LIMITS;
  const perS = section.samples_per_second ?? null;
  return {
    receive: {
      bodyBytesMax: section.body_size_limit ?? d.bodyBytesMax,
      messageBytesMax: section.uncompressed_size_limit ?? d.messageBytesMax,
      samplesMax: section.sample_limit ?? d.samplesMax,
      labelsMax: section.label_limit ?? d.labelsMax,
      nameBytesMax: section.label_name_length_limit ?? d.nameBytesMax,
      valueBytesMax: section.label_value_length_limit ?? d.valueBytesMax,
      futureMs: section.future_limit ?? d.futureMs,
      pastMs: section.past_limit ?? d.pastMs,
      record: d.record,
    },
    shard: {
      samplesPerS: perS,
      samplesBurst: section.samples_burst ?? (perS ?? 0) * 10,
      seriesMax: section.series_limit ?? null,
      pendingBytesMax: section.pending_size_limit ?? DEFAULT_SHARD_LIMITS.pendingBytesMax,
    },
    shards: section.shards ?? 1,
    ha: section.ha ?? false,
    relay: section.relay ?? [],
  };
}
