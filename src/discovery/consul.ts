/**
 * `consul_sd_configs`: services and their instances from Consul's catalogue and health endpoints, polled; Prometheus holds blocking
 * queries. Source: Prometheus 3.14, discovery/consul/consul.go; github.com/hashicorp/consul/api for the parameters.
 */

import type { ConsulDiscovery } from '../config/model.ts';
import { hostPort, labelsOf, type TargetGroup } from './group.ts';
import { askJson } from './http-get.ts';
import { type DiscoveryDoors, DiscoveryError, found, type Kind } from './kind.ts';
import { sanitizeLabelName } from './sanitize.ts';

type Json = Readonly<Record<string, unknown>>;

/** Services asked for at a time. */
const CONCURRENT = 4;

export const consul: Kind<ConsulDiscovery> = {
  where: ({ server, scheme, pathPrefix }) => `${scheme}://${server}${pathPrefix}`,
  refresh: async (config, doors) => {
    const datacenter = config.datacenter || (await localDatacenter(config, doors));
    const names = await servicesOf(config, doors);
    const groups: TargetGroup[] = [];
    for (let i = 0; i < names.length; i += CONCURRENT) {
      const some = names.slice(i, i + CONCURRENT);
      groups.push(...(await Promise.all(some.map((name) => serviceGroup(name, config, datacenter, doors)))));
    }
    return found(groups);
  },
};

async function localDatacenter(config: ConsulDiscovery, doors: DiscoveryDoors): Promise<string> {
  const agent = (await get('agent/self', [], config, doors)) as { Config?: { Datacenter?: unknown } } | null;
  const datacenter = agent?.Config?.Datacenter;
  if (typeof datacenter !== 'string') throw new DiscoveryError('invalid value for Config.Datacenter of the agent');
  return datacenter;
}

/** Names of the services to look at, in order. The catalogue is asked unless the configuration names them all and needs no tags of them. */
async function servicesOf(config: ConsulDiscovery, doors: DiscoveryDoors): Promise<readonly string[]> {
  if (config.services.length > 0 && config.tags.length === 0 && config.filter === '') return config.services;
  const params: Param[] = [...scope(config), ['filter', config.filter]];
  const services = record(await get('catalog/services', params, config, doors), 'the list of services');
  return Object.entries(services)
    .filter(([name]) => config.services.length === 0 || config.services.includes(name))
    .filter(([, tags]) => config.tags.every((tag) => Array.isArray(tags) && tags.includes(tag)))
    .map(([name]) => name)
    .sort();
}

async function serviceGroup(
  name: string,
  config: ConsulDiscovery,
  datacenter: string,
  doors: DiscoveryDoors,
): Promise<TargetGroup> {
  const tags = config.tags.map((tag): Param => ['tag', tag]);
  const params: Param[] = [...scope(config), ['filter', config.healthFilter], ...tags];
  const path = `health/service/${encodeURIComponent(name)}`;
  const entries = await get(path, params, config, doors);
  if (!Array.isArray(entries)) throw new DiscoveryError(`the instances of ${JSON.stringify(name)} are not a list`);
  const targets = entries.map((entry) => targetOf(record(entry, 'an instance'), config));
  // Consul promises no order.
  targets.sort((a, b) => compare(a['__meta_consul_node']!, b['__meta_consul_node']!) || compare(idOf(a), idOf(b)));
  return {
    source: name,
    labels: labelsOf({ __meta_consul_service: name, __meta_consul_dc: datacenter }),
    targets: targets.map(labelsOf),
  };
}

function targetOf(entry: Json, { tagSeparator }: ConsulDiscovery): Record<string, string> {
  const node = record(entry['Node'], 'Node');
  const service = record(entry['Service'], 'Service');
  const port = String(typeof service['Port'] === 'number' ? service['Port'] : 0);
  const tags = Array.isArray(service['Tags']) ? service['Tags'].map(String) : [];
  const address = text(service['Address']) || text(node['Address']);
  return {
    __address__: hostPort(address, port),
    __meta_consul_address: text(node['Address']),
    __meta_consul_node: text(node['Node']),
    __meta_consul_namespace: text(service['Namespace']),
    __meta_consul_partition: text(service['Partition']),
    // The separator also stands around the list, so that a pattern need not care where in it a tag is.
    __meta_consul_tags: `${tagSeparator}${tags.join(tagSeparator)}${tagSeparator}`,
    __meta_consul_service_address: text(service['Address']),
    __meta_consul_service_port: port,
    __meta_consul_service_id: text(service['ID']),
    __meta_consul_health: health(entry['Checks']),
    ...prefixed('__meta_consul_metadata_', node['Meta']),
    ...prefixed('__meta_consul_service_metadata_', service['Meta']),
    ...prefixed('__meta_consul_tagged_address_', node['TaggedAddresses']),
  };
}

/** `AggregatedStatus` of Consul's API: the worst of all checks, and maintenance before all. */
function health(checks: unknown): string {
  let worst = 'passing';
  let maintenance = false;
  for (const check of Array.isArray(checks) ? checks : []) {
    const { CheckID: id, Status: status } = (check ?? {}) as { CheckID?: unknown; Status?: unknown };
    if (id === '_node_maintenance' || String(id).startsWith('_service_maintenance:')) maintenance = true;
    else if (status === 'critical') worst = 'critical';
    else if (status === 'warning') worst = worst === 'critical' ? worst : 'warning';
    // A status that is unknown here makes the whole unknown, as in Consul's client.
    else if (status !== 'passing') return '';
  }
  return maintenance ? 'maintenance' : worst;
}

type Param = readonly [name: string, value: string];

/** What every question about services is narrowed by. */
const scope = ({ datacenter, nodeMeta, allowStale }: ConsulDiscovery): Param[] => [
  ['dc', datacenter],
  ...nodeMeta.map(([name, value]): Param => ['node-meta', `${name}:${value}`]),
  ...(allowStale ? [['stale', ''] as const] : []),
];

async function get(
  path: string,
  params: readonly Param[],
  config: ConsulDiscovery,
  doors: DiscoveryDoors,
): Promise<unknown> {
  const url = new URL(`${config.scheme}://${config.server}${config.pathPrefix.replace(/\/+$/, '')}/v1/${path}`);
  for (const [name, value] of [
    ...params,
    ['ns', config.namespace] as const,
    ['partition', config.partition] as const,
  ]) {
    if (value !== '' || name === 'stale') url.searchParams.append(name, value);
  }
  return await askJson(
    {
      url: url.href,
      credentials: config,
      headers: { accept: 'application/json', ...(config.token === '' ? {} : { 'x-consul-token': config.token }) },
      followRedirects: config.followRedirects,
      timeoutMs: config.refreshIntervalMs,
    },
    doors,
  );
}

function record(value: unknown, what: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new DiscoveryError(`${what} is not an object in Consul’s answer`);
  return value as Json;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const idOf = (target: Record<string, string>): string => target['__meta_consul_service_id'] ?? '';
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const prefixed = (prefix: string, values: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries((values ?? {}) as Json).map(([name, value]) => [`${prefix}${sanitizeLabelName(name)}`, text(value)]),
  );
