/** Discovery as a run and the page see it: what the Director has stored, read once an isolate and version. */

import type { Config } from '../src/config/model.ts';
import { type Discovered, discoveriesOf, type Discovery, groupsByJob } from '../src/discovery/discoveries.ts';
import { DEFAULT_RESOLVER_URL } from '../src/discovery/dns.ts';
import type { DiscoveredGroups, TargetGroup } from '../src/discovery/group.ts';
import type { DiscoveryDoors } from '../src/discovery/kind.ts';
import type { FilesDoor } from '../src/model/doors.ts';
import type { DiscoveryState } from '../src/discovery/stored.ts';
import { fileKey } from '../src/model/tenant.ts';
import { clock, tokens } from './doors.ts';
import { director, type Env } from './env.ts';
import { wayTo } from './routes.ts';

export interface Known {
  readonly discoveries: readonly Discovery[];
  /** Of those that something was found of. */
  readonly known: ReadonlyMap<string, Discovered>;
  readonly states: ReadonlyMap<string, DiscoveryState>;
  readonly groups: DiscoveredGroups;
}

const cached = new Map<string, Discovered>();

export async function knownDiscoveries(env: Env, config: Config): Promise<Known> {
  const discoveries = discoveriesOf(config);
  const known = new Map<string, Discovered>();
  const states = new Map<string, DiscoveryState>();
  if (discoveries.length > 0) {
    const keys = discoveries.map(({ key }) => key);
    const have = keys.flatMap((key) => (cached.has(key) ? [[key, cached.get(key)!.fingerprint] as const] : []));
    const stored = await director(env).discoveries(keys, Object.fromEntries(have));
    for (const [key, { groups, ...state }] of Object.entries(stored)) {
      states.set(key, state);
      if (state.fingerprint === '') continue;
      if (groups !== null)
        cached.set(key, { fingerprint: state.fingerprint, groups: JSON.parse(groups) as TargetGroup[] });
      const entry = cached.get(key);
      if (entry !== undefined) known.set(key, entry);
    }
  }
  for (const key of cached.keys()) if (!states.has(key)) cached.delete(key);
  return { discoveries, known, states, groups: groupsByJob(discoveries, known) };
}

export function discoveryDoors(env: Env, userAgent: string): DiscoveryDoors {
  return {
    clock,
    fetchFor: (url) => wayTo(env, url),
    files: filesOf(env.BUCKET),
    tokens,
    userAgent,
    resolverUrl: env.NARTHEX_DNS_URL ?? DEFAULT_RESOLVER_URL,
  };
}

export function filesOf(bucket: R2Bucket): FilesDoor {
  const folder = fileKey('');
  return {
    list: async (prefix, max) => {
      const { objects } = await bucket.list({ prefix: fileKey(prefix), limit: max });
      return objects.map(({ key }) => key.slice(folder.length));
    },
    read: async (name) => {
      const object = await bucket.get(fileKey(name));
      return object === null
        ? null
        : { size: object.size, bytes: async () => new Uint8Array(await object.arrayBuffer()) };
    },
  };
}
