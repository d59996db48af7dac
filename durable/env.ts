/** The bindings of the deployment (wrangler.toml) and its objects by name. */

import type { Secrets } from '../src/config/load.ts';
import type { ShardsRecord } from '../src/receive/shards.ts';
import type { Agent } from './agent.ts';
import type { Catalogue } from './catalogue.ts';
import type { Director } from './director.ts';
import type { Ingester } from './ingester.ts';
import type { LogEnv } from './limits.ts';
import type { Outpost } from './outpost.ts';

export interface Env extends LogEnv {
  readonly BUCKET: R2Bucket;
  readonly DIRECTOR: DurableObjectNamespace<Director>;
  readonly AGENT: DurableObjectNamespace<Agent>;
  readonly INGESTER: DurableObjectNamespace<Ingester>;
  readonly CATALOGUE: DurableObjectNamespace<Catalogue>;
  readonly OUTPOST: DurableObjectNamespace<Outpost>;
  /** `127.0.0.1` under `npm start`. */
  readonly NARTHEX_OPEN?: string;
  /** How many scraping lanes there are (src/scrape/lanes.ts), and how many agents, if not as many as are needed. */
  readonly NARTHEX_SCRAPE_LANES?: string;
  readonly NARTHEX_AGENTS?: string;
  /** What each tenant may send (src/receive/settings.ts). */
  readonly NARTHEX_LIMITS?: string;
  /** What is enabled, comma separated (src/config/features.ts). */
  readonly NARTHEX_ENABLE_FEATURE?: string;
  /** What may be reached through which binding into a private network (src/scrape/reach/networks.ts). */
  readonly NARTHEX_VPC?: string;
  /** Where `dns_sd_configs` are resolved: a URL that answers `application/dns-json`. */
  readonly NARTHEX_DNS_URL?: string;
  /** Secrets named NARTHEX_TOKENS… hold the tokens. */
  readonly [secret: `NARTHEX_TOKENS${string}`]: string | undefined;
}

export const director = (env: Env): DurableObjectStub<Director> => env.DIRECTOR.getByName('director');
export const catalogue = (env: Env, tenant: string): DurableObjectStub<Catalogue> => env.CATALOGUE.getByName(tenant);
export const ingester = (env: Env, tenant: string, shard: number): DurableObjectStub<Ingester> =>
  env.INGESTER.getByName(`${tenant}/${shard}`);

export const agentNumber = (env: Env, index: number): DurableObjectStub<Agent> => env.AGENT.getByName(`agent-${index}`);

/** All agents that have something. */
export const agents = async (env: Env): Promise<DurableObjectStub<Agent>[]> =>
  Array.from({ length: (await director(env).placement()).used }, (_, index) => agentNumber(env, index));

/** Every tenant that ever wrote, with all shards that may hold something of it. */
export async function tenants(env: Env): Promise<Map<string, TenantShards>> {
  const known = await director(env).shards();
  return new Map(Object.entries(known).map(([tenant, record]) => [tenant, tenantShards(env, tenant, record)]));
}

export interface TenantShards {
  readonly shards: readonly DurableObjectStub<Ingester>[];
  readonly record: ShardsRecord;
}

const tenantShards = (env: Env, tenant: string, record: ShardsRecord): TenantShards => ({
  record,
  shards: Array.from({ length: record.highest }, (_, shard) => ingester(env, tenant, shard)),
});

/** What a configuration may name: secrets and variables of the Worker. Which names it may not is settled in `src/config/references.ts`. */
export const secretsOf =
  (env: Env): Secrets =>
  (name) => {
    const bound: unknown = Object.hasOwn(env, name) ? (env as unknown as Record<string, unknown>)[name] : undefined;
    return typeof bound === 'string' ? bound : undefined;
  };
