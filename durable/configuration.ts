/**
 * The configuration in force: the one that was pushed last, else the one bundled at deploy. Parsed once an isolate and version; a run uses what it
 * got here until its end, so a round never mixes two versions. Secrets are put in here, into this isolate's memory only.
 */

import bundled from '../prometheus.yml';
import { type Features, parseFeatures } from '../src/config/features.ts';
import { CONFIG_BYTES_MAX, filePatterns, readConfigFiles } from '../src/config/files.ts';
import { loadConfig, formatProblems } from '../src/config/load.ts';
import type { Config, ConfigVersion, RemoteWriteConfig } from '../src/config/model.ts';
import { type Limits, parseLimits } from '../src/receive/settings.ts';
import { SELF } from '../src/config/addresses.ts';
import type { Pushed } from '../src/http/services.ts';
import { filesOf } from './discovery.ts';
import type { ConfigTexts } from './director.ts';
import { director, type Env, secretsOf } from './env.ts';
import { messageOf } from '../src/model/error.ts';

export interface InForce extends ConfigTexts {
  readonly version: ConfigVersion;
  readonly config: Config;
}

let cached: InForce | null = null;

/** Throws when the configuration in force does not pass the checks of this version of Narthex: nothing runs on half of one. */
export async function inForce(env: Env): Promise<InForce> {
  const pushed = await director(env).config(cached?.version.version ?? -1);
  if (pushed === 'unchanged') return cached!;
  if (pushed === null && cached?.version.version === 0) return cached;
  const texts: ConfigTexts = pushed ?? { text: bundled };
  const version: ConfigVersion =
    pushed === null
      ? { source: 'bundled', version: 0, pushedAtMs: null }
      : { source: pushed.source, version: pushed.version, pushedAtMs: pushed.pushedAtMs };
  const loaded = loadConfig(texts.text, secretsOf(env), texts.files, featuresOf(env));
  if (!loaded.ok)
    throw new Error(
      `the configuration in force is not valid any more:\n${formatProblems('prometheus.yml', loaded.problems)}`,
    );
  const { text, files = [], filesPushed = false } = texts;
  cached = { version, text, files, filesPushed, config: loaded.config };
  return cached;
}

/** Puts a configuration in force when it is right. `pushed` are the files that came with it; without any, those in the bucket are taken. */
export async function putInForce(
  env: Env,
  nowMs: number,
  { text, files: pushed = [] }: ConfigTexts,
  source: 'bucket' | 'start --config',
): Promise<Pushed> {
  const filesPushed = pushed.length > 0;
  let files = pushed;
  if (!filesPushed) {
    try {
      files = await readConfigFiles(filePatterns(text), filesOf(env.BUCKET), CONFIG_BYTES_MAX - text.length);
    } catch (error) {
      const got = messageOf(error);
      const said = { path: 'scrape_config_files', expected: 'files that can be read', got, level: 'error' } as const;
      return { ok: false, problems: [{ ...said, line: 1, column: 1 }] };
    }
  }
  const loaded = loadConfig(text, secretsOf(env), files, featuresOf(env));
  if (!loaded.ok) return loaded;
  const named = files.length > 0 ? { files, filesPushed } : {};
  return { ok: true, version: await director(env).push(nowMs, text, source, named), warnings: loaded.warnings };
}

/** What is in force, with the files that are in the bucket now: another version when they are others. */
export async function reloadFiles(env: Env, nowMs: number): Promise<Pushed> {
  const { version, text, files = [], filesPushed } = await inForce(env);
  const unchanged: Pushed = { ok: true, version, warnings: [] };
  if (filesPushed === true) return unchanged;
  const patterns = filePatterns(text);
  if (patterns.length === 0) return unchanged;
  const now = await readConfigFiles(patterns, filesOf(env.BUCKET), CONFIG_BYTES_MAX - text.length);
  const same =
    now.length === files.length && now.every((file, i) => file.name === files[i]!.name && file.text === files[i]!.text);
  return same
    ? unchanged
    : putInForce(env, nowMs, { text }, version.source === 'start --config' ? version.source : 'bucket');
}

/** What the deployment enables. */
export const featuresOf = ({ NARTHEX_ENABLE_FEATURE: text = '' }: Pick<Env, 'NARTHEX_ENABLE_FEATURE'>): Features =>
  parseFeatures(text);

let limits: { readonly text: string; readonly parsed: Limits } | null = null;

/** What tenants may send. It is a variable of the deployment, so a new text comes with a new isolate, and is parsed once. */
export function limitsInForce({ NARTHEX_LIMITS: text = '' }: Pick<Env, 'NARTHEX_LIMITS'>): Limits {
  if (limits?.text !== text) limits = { text, parsed: parseLimits(text) };
  return limits.parsed;
}

/** The remotes that a tenant relays to. What is received is never sent to the deployment itself: it would come back without end. */
export function relayRemotes(names: readonly string[], config: Config): RemoteWriteConfig[] {
  return config.remoteWrites.filter(({ name, url }) => names.includes(name) && !isSelf(url));
}

const isSelf = (url: string): boolean => new URL(url).hostname === SELF;

/** Names under `relay` that are none of a remote to relay to. */
export function relayProblems({ relays }: Limits, config: Config): string[] {
  return relays.flatMap((name) => {
    const remote = config.remoteWrites.find((remote) => remote.name === name);
    const says = (what: string): string => `NARTHEX_LIMITS: relay: ${JSON.stringify(name)} ${what}`;
    if (remote === undefined) return [says('is the name of no remote_write: nothing is kept for it')];
    return isSelf(remote.url) ? [says('is this deployment itself: what is received is not sent to it')] : [];
  });
}
