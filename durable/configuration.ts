/**
 * The configuration in force: the one that was pushed last, else the one bundled at deploy. Parsed once an isolate and version; a run uses what it
 * got here until its end, so a round never mixes two versions. Secrets are put in here, into this isolate's memory only.
 */

import bundled from '../prometheus.yml';
import { loadConfig, formatProblems } from '../src/config/load.ts';
import type { Config, ConfigVersion, RemoteWriteConfig } from '../src/config/model.ts';
import { type Limits, parseLimits } from '../src/receive/settings.ts';
import { SELF } from '../src/config/addresses.ts';
import { director, type Env, secretsOf } from './env.ts';

export interface InForce {
  readonly version: ConfigVersion;
  readonly text: string;
  readonly config: Config;
}

let cached: InForce | null = null;

/** Throws when the configuration in force does not pass the checks of this version of Narthex: nothing runs on half of one. */
export async function inForce(env: Env): Promise<InForce> {
  const pushed = await director(env).config(cached?.version.version ?? -1);
  if (pushed === 'unchanged') return cached!;
  if (pushed === null && cached?.version.version === 0) return cached;
  const text = pushed?.text ?? bundled;
  const version: ConfigVersion =
    pushed === null
      ? { source: 'bundled', version: 0, pushedAtMs: null }
      : { source: pushed.source, version: pushed.version, pushedAtMs: pushed.pushedAtMs };
  const loaded = loadConfig(text, secretsOf(env));
  if (!loaded.ok)
    throw new Error(
      `the configuration in force is not valid any more:\n${formatProblems('prometheus.yml', loaded.problems)}`,
    );
  cached = { version, text, config: loaded.config };
  return cached;
}

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
