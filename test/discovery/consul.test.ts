/** Consul's discovery against a Consul that answers as the real one does: its shapes, parameters and filters by tag and node metadata. */

import { describe, expect, test } from 'vitest';
import type { ConsulDiscovery } from '../../src/config/model.ts';
import { consul } from '../../src/discovery/consul.ts';
import { addresses, json, plain, world } from './doors.ts';

const config = (over: Partial<ConsulDiscovery> = {}): ConsulDiscovery => ({
  kind: 'consul',
  server: 'consul.test:8500',
  scheme: 'http',
  pathPrefix: '',
  token: '',
  datacenter: '',
  namespace: '',
  partition: '',
  tagSeparator: ',',
  allowStale: true,
  services: [],
  tags: [],
  nodeMeta: [],
  filter: '',
  healthFilter: '',
  followRedirects: true,
  refreshIntervalMs: 30_000,
  ...over,
});

/** An instance as `/v1/health/service/:name` gives it (developer.hashicorp.com/consul/api-docs/health). */
const instance = (
  node: string,
  id: string,
  service: object,
  checks: { CheckID: string; Status: string }[] = [{ CheckID: 'serfHealth', Status: 'passing' }],
): object => ({
  Node: {
    ID: '40e4a748-2192-161a-0510-9bf59fe950b5',
    Node: node,
    Address: '10.0.0.1',
    Datacenter: 'dc1',
    TaggedAddresses: { lan: '10.0.0.1', 'wan-ipv4': '192.0.2.1' },
    Meta: { 'instance-type': 't2.medium' },
    CreateIndex: 14,
    ModifyIndex: 15,
  },
  Service: { ID: id, Tags: [], Address: '', Port: 9100, Meta: null, Namespace: 'default', ...service },
  Checks: checks,
});

const SERVICES: Record<string, { tags: string[]; instances: object[] }> = {
  consul: { tags: [], instances: [instance('n1', 'consul', { Port: 8300 })] },
  web: {
    tags: ['v1', 'blue'],
    instances: [
      instance('n2', 'web-2', { Tags: ['v1'], Address: '2001:db8::2', Port: 80 }, [
        { CheckID: 'a', Status: 'warning' },
        { CheckID: 'b', Status: 'critical' },
      ]),
      instance('n1', 'web-1', { Tags: ['v1', 'blue'], Address: 'web.test', Port: 80, Meta: { 'build.id': '7' } }),
    ],
  },
};

function real(request: Request): Response {
  const { pathname, searchParams } = new URL(request.url);
  if (request.headers.get('x-consul-token') === 'wrong') return new Response('ACL not found', { status: 403 });
  if (pathname === '/v1/agent/self') return json({ Config: { Datacenter: 'dc1', NodeName: 'n1' } });
  if (pathname === '/v1/catalog/services')
    return json(Object.fromEntries(Object.entries(SERVICES).map(([name, { tags }]) => [name, tags])));
  const name = decodeURIComponent(/^\/v1\/health\/service\/([^/]+)$/.exec(pathname)?.[1] ?? '');
  const wanted = searchParams.getAll('tag');
  const instances = SERVICES[name]?.instances ?? [];
  return json(
    instances.filter((one) =>
      wanted.every((tag) => (one as { Service: { Tags: string[] } }).Service.Tags.includes(tag)),
    ),
  );
}

const urls = (asked: readonly { url: string }[]): string[] =>
  asked.map(({ url }) => decodeURIComponent(url.replace('http://consul.test:8500', '')));

test('all services, with every label', async () => {
  const { doors, asked } = world(real);
  const { groups } = await consul.refresh(config(), doors, []);
  const node = {
    __meta_consul_address: '10.0.0.1',
    __meta_consul_metadata_instance_type: 't2.medium',
    __meta_consul_namespace: 'default',
    __meta_consul_tagged_address_lan: '10.0.0.1',
    __meta_consul_tagged_address_wan_ipv4: '192.0.2.1',
  };
  expect(plain(groups)).toEqual([
    {
      source: 'consul',
      labels: { __meta_consul_service: 'consul', __meta_consul_dc: 'dc1' },
      targets: [
        {
          ...node,
          __address__: '10.0.0.1:8300',
          __meta_consul_node: 'n1',
          __meta_consul_tags: ',,',
          __meta_consul_service_port: '8300',
          __meta_consul_service_id: 'consul',
          __meta_consul_health: 'passing',
        },
      ],
    },
    {
      source: 'web',
      labels: { __meta_consul_service: 'web', __meta_consul_dc: 'dc1' },
      targets: [
        {
          ...node,
          __address__: 'web.test:80',
          __meta_consul_node: 'n1',
          __meta_consul_tags: ',v1,blue,',
          __meta_consul_service_address: 'web.test',
          __meta_consul_service_port: '80',
          __meta_consul_service_id: 'web-1',
          __meta_consul_service_metadata_build_id: '7',
          __meta_consul_health: 'passing',
        },
        {
          ...node,
          __address__: '[2001:db8::2]:80',
          __meta_consul_node: 'n2',
          __meta_consul_tags: ',v1,',
          __meta_consul_service_address: '2001:db8::2',
          __meta_consul_service_port: '80',
          __meta_consul_service_id: 'web-2',
          __meta_consul_health: 'critical',
        },
      ],
    },
  ]);
  expect(urls(asked)).toEqual([
    '/v1/agent/self',
    '/v1/catalog/services?stale=',
    '/v1/health/service/consul?stale=',
    '/v1/health/service/web?stale=',
  ]);
});

test('everything that narrows the question is asked', async () => {
  const { doors, asked } = world(real);
  const over: Partial<ConsulDiscovery> = {
    token: 'hunter2',
    datacenter: 'dc9',
    namespace: 'ns1',
    partition: 'p1',
    tagSeparator: '|',
    allowStale: false,
    services: ['web', 'none'],
    tags: ['blue', 'v1'],
    nodeMeta: [['rack', 'a']],
    filter: 'x in y',
    healthFilter: 'a == b',
  };
  const { groups } = await consul.refresh(config(over), doors, []);
  expect(addresses(groups)).toEqual(['web.test:80']);
  expect(JSON.stringify(groups)).toContain('|v1|blue|');
  expect(urls(asked)).toEqual([
    '/v1/catalog/services?dc=dc9&node-meta=rack:a&filter=x+in+y&ns=ns1&partition=p1',
    '/v1/health/service/web?dc=dc9&node-meta=rack:a&filter=a+==+b&tag=blue&tag=v1&ns=ns1&partition=p1',
  ]);
  expect(asked.map(({ headers }) => headers['x-consul-token'])).toEqual(['hunter2', 'hunter2']);
});

test('named services are asked without the catalogue', async () => {
  const { doors, asked } = world(real);
  await consul.refresh(config({ services: ['web'], datacenter: 'dc1', pathPrefix: '/consul' }), doors, []);
  expect(urls(asked)).toEqual(['/consul/v1/health/service/web?dc=dc1&stale=']);
});

describe('health is the worst of all checks', () => {
  const check = (CheckID: string, Status: string) => ({ CheckID, Status });
  test.each<[checks: { CheckID: string; Status: string }[], health: string | undefined]>([
    [[], 'passing'],
    [[check('a', 'warning'), check('b', 'passing')], 'warning'],
    [[check('a', 'critical'), check('b', 'warning')], 'critical'],
    [[check('_node_maintenance', 'critical')], 'maintenance'],
    [[check('_service_maintenance:web', 'critical'), check('b', 'critical')], 'maintenance'],
    [[check('_node_maintenance', 'critical'), check('b', 'odd')], undefined],
  ])('%j', async (checks, health) => {
    const { doors } = world(() => json([instance('n', 'i', {}, checks)]));
    const { groups } = await consul.refresh(config({ services: ['web'], datacenter: 'dc1' }), doors, []);
    expect(plain(groups)).toMatchObject([{ targets: [health === undefined ? {} : { __meta_consul_health: health }] }]);
    expect(JSON.stringify(groups).includes('__meta_consul_health')).toBe(health !== undefined);
  });
});

test.each<[over: Partial<ConsulDiscovery>, answer: (request: Request) => Response, error: string | RegExp]>([
  [{ token: 'wrong' }, real, /^server returned HTTP status 403/],
  [{}, () => json({}), 'invalid value for Config.Datacenter of the agent'],
  [{ datacenter: 'a' }, () => json([]), 'the list of services is not an object in Consul’s answer'],
  [{ datacenter: 'a', services: ['s'] }, () => json({}), 'the instances of "s" are not a list'],
  [{ datacenter: 'a', services: ['s'] }, () => json([1]), 'an instance is not an object in Consul’s answer'],
  [{ datacenter: 'a', services: ['s'] }, () => json([{}]), 'Node is not an object in Consul’s answer'],
])('%# is refused as a whole', async (over, answer, error) => {
  const asked = consul.refresh(config(over), world(answer).doors, []);
  await expect(asked).rejects.toThrow(error);
});
