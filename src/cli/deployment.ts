/**
 * What `wrangler.toml` says of the deployment, as far as running it here needs it: so nothing is written twice. A key that
 * means something but is not known here is an error; the worker would otherwise run without what it asked for.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { lanesOf, lanesProblem } from '../scrape/lanes.ts';
import { parseCron, type Cron } from './cron.ts';
import { Failure } from './failure.ts';
import { messageOf } from '../model/error.ts';

export interface Deployment {
  readonly name: string;
  /** The worker's entry, absolute. */
  readonly main: string;
  /** Whether every function and class is given its name anew when it is made; wrangler does so unless it is told not to. */
  readonly keepNames: boolean;
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  readonly crons: readonly Cron[];
  readonly buckets: readonly { readonly binding: string; readonly name: string }[];
  readonly objects: readonly { readonly binding: string; readonly className: string }[];
  readonly vars: Readonly<Record<string, string>>;
}

/** Keys that change nothing here: only how it is deployed. */
const IGNORED = [
  '$schema',
  'rules',
  'observability',
  'limits',
  'placement',
  'account_id',
  'workers_dev',
  'preview_urls',
];
/** Bindings into private networks, which exist in Cloudflare's network alone: a target behind one is down here, and says so. */
const ABSENT = ['vpc_networks', 'vpc_services'];
const IGNORED_TOO = ['routes', 'route', 'logpush', 'upload_source_maps', 'minify', 'keep_vars', 'migrations', 'dev'];
const READ = [
  'name',
  'main',
  'keep_names',
  'compatibility_date',
  'compatibility_flags',
  'triggers',
  'r2_buckets',
  'durable_objects',
  'vars',
];
const KNOWN = new Set([...IGNORED, ...IGNORED_TOO, ...ABSENT, ...READ]);

interface WranglerToml {
  name: string;
  main: string;
  keep_names?: boolean;
  compatibility_date: string | Date;
  compatibility_flags?: string[];
  triggers?: { crons?: string[] };
  r2_buckets?: { binding: string; bucket_name: string }[];
  durable_objects?: { bindings: { name: string; class_name: string; script_name?: string }[] };
  migrations?: { new_sqlite_classes?: string[]; renamed_classes?: unknown[]; transferred_classes?: unknown[] }[];
  vars?: Record<string, unknown>;
}

export function readDeployment(root: string): Deployment {
  const file = join(root, 'wrangler.toml');
  try {
    return deployment(root, parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw new Failure(`${file}: ${messageOf(error)}`);
  }
}

function deployment(root: string, parsed: Record<string, unknown>): Deployment {
  for (const key of Object.keys(parsed)) {
    if (!KNOWN.has(key)) throw new Failure(`\`${key}\` is not known to \`narthex start\``);
  }
  const toml = parsed as unknown as WranglerToml;
  for (const key of ['name', 'main', 'compatibility_date'] as const) {
    if (toml[key] === undefined) throw new Failure(`\`${key}\` is missing`);
  }
  const read = {
    name: toml.name,
    main: join(root, toml.main),
    keepNames: toml.keep_names ?? true,
    compatibilityDate: String(toml.compatibility_date),
    compatibilityFlags: toml.compatibility_flags ?? [],
    crons: (toml.triggers?.crons ?? []).map(parseCron),
    buckets: (toml.r2_buckets ?? []).map((bucket) => ({ binding: bucket.binding, name: bucket.bucket_name })),
    objects: objects(toml),
    vars: Object.fromEntries(Object.entries(toml.vars ?? {}).map(([name, value]) => [name, textVar(name, value)])),
  };
  const crons = read.crons.map(({ text }) => text);
  const problem = crons.length === 0 ? null : lanesProblem(crons, lanesOf(read.vars['NARTHEX_SCRAPE_LANES']));
  if (problem !== null) throw new Failure(problem);
  return read;
}

function objects(toml: WranglerToml): Deployment['objects'] {
  const migrations = toml.migrations ?? [];
  if (migrations.some((migration) => migration.renamed_classes ?? migration.transferred_classes)) {
    throw new Failure('migrations that rename or transfer classes are not known to `narthex start`');
  }
  const sqlite = new Set(migrations.flatMap((migration) => migration.new_sqlite_classes ?? []));
  return (toml.durable_objects?.bindings ?? []).map((binding) => {
    if (!sqlite.has(binding.class_name)) {
      throw new Failure(`the class ${binding.class_name} is in no migration's new_sqlite_classes`);
    }
    return { binding: binding.name, className: binding.class_name };
  });
}

function textVar(name: string, value: unknown): string {
  if (typeof value !== 'string') throw new Failure(`vars.${name}: only strings are known to \`narthex start\``);
  return value;
}
