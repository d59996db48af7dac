/**
 * Kubernetes' discovery: `kubernetes/x.json` holds what a cluster lists (`lists`, by path), the configuration (`config`) and what was asked and
 * found. A case is a file. `UPDATE_GOLDEN=1` writes the last two.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { KubernetesDiscovery } from '../../src/config/model.ts';
import { kubernetes } from '../../src/discovery/kubernetes/kubernetes.ts';
import { type Answers, addresses, json, plain, world } from './doors.ts';

interface Case {
  readonly config: Partial<KubernetesDiscovery>;
  readonly lists: Readonly<Record<string, readonly object[]>>;
  asked?: unknown;
  groups?: unknown;
}

const NOTHING = { node: false, namespace: false, deployment: false, job: false, cronJob: false };
const config = (over: Partial<KubernetesDiscovery>): KubernetesDiscovery => ({
  kind: 'kubernetes',
  apiServer: 'https://k8s.test',
  role: 'pod',
  namespaces: [],
  selectors: [],
  followRedirects: true,
  refreshIntervalMs: 30_000,
  ...over,
  attach: { ...NOTHING, ...over.attach },
});

const folder = join(import.meta.dirname, 'kubernetes');

describe('the groups of a cluster', () => {
  test.each(readdirSync(folder).filter((file) => file.endsWith('.json')))('%s', async (file) => {
    const path = join(folder, file);
    const one = JSON.parse(readFileSync(path, 'utf8')) as Case;
    const { doors, asked } = world((request) => {
      const items = one.lists[new URL(request.url).pathname];
      return items === undefined ? new Response('not found', { status: 404 }) : json({ kind: 'List', items });
    });
    const { groups, error } = await kubernetes.refresh(config(one.config), doors, []);
    expect(error).toBeNull();
    const urls = asked.map(({ url }) => decodeURIComponent(url.replace('https://k8s.test', '')));
    const actual = { asked: urls, groups: plain(groups) };
    if (process.env['UPDATE_GOLDEN'] === '1')
      writeFileSync(path, `${JSON.stringify({ config: one.config, lists: one.lists, ...actual }, null, 2)}\n`);
    else expect(actual).toEqual({ asked: one.asked, groups: one.groups });
  });
});

const pod = (name: string): object => ({
  metadata: { name, namespace: 'd' },
  spec: { containers: [{ name: 'c' }] },
  status: { podIP: '10.0.0.1' },
});

test('long lists come in pages', async () => {
  const { doors, asked } = world((request) => {
    const next = new URL(request.url).searchParams.get('continue');
    return json({ metadata: next === null ? { continue: 'more' } : {}, items: [pod(next ?? 'first')] });
  });
  const { groups } = await kubernetes.refresh(config({}), doors, []);
  expect(groups.map(({ source }) => source)).toEqual(['pod/d/first', 'pod/d/more']);
  expect(asked.map(({ url }) => new URL(url).search)).toEqual(['?limit=500', '?limit=500&continue=more']);
});

test('the token goes with every question', async () => {
  const { doors, asked } = world(json({ items: [] }));
  const authorization = { type: 'Bearer', credentials: 'hunter2' };
  await kubernetes.refresh(
    config({ role: 'endpoints', authorization, apiServer: 'https://k8s.test/base/' }),
    doors,
    [],
  );
  expect(asked.map(({ url, headers }) => [new URL(url).pathname, headers['authorization']])).toEqual([
    ['/base/api/v1/pods', 'Bearer hunter2'],
    ['/base/api/v1/services', 'Bearer hunter2'],
    ['/base/api/v1/endpoints', 'Bearer hunter2'],
  ]);
});

test.each<[answer: Answers, error: string | RegExp]>([
  [
    new Response('{"kind":"Status","code":403}', { status: 403, statusText: 'Forbidden' }),
    /HTTP status 403 Forbidden$/,
  ],
  [json({ kind: 'Status' }), '/api/v1/pods: the answer is no list of Kubernetes'],
  [json(null), '/api/v1/pods: the answer is no list of Kubernetes'],
  [new Error('unknown authority'), 'cannot ask k8s.test: unknown authority'],
])('%# is refused as a whole', async (answer, error) => {
  await expect(kubernetes.refresh(config({}), world(answer).doors, [])).rejects.toThrow(error);
});

test('objects with nothing in them do no harm', async () => {
  for (const role of ['node', 'pod', 'service', 'endpoints', 'endpointslice', 'ingress'] as const) {
    const empty = json({ items: [{}, { metadata: {}, spec: {}, status: {} }, { metadata: null, spec: null }] });
    const { groups } = await kubernetes.refresh(config({ role }), world(empty).doors, []);
    expect(addresses(groups)).toEqual([]);
  }
});
