/**
 * Service discovery and relabelling next to a real Prometheus 3: the same configuration and the same sources, and every target with the labels that
 * it was discovered with and those that rules made of them. Nothing is scraped: the addresses are nobody's, and the intervals an hour.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { discoveriesOf, groupsByJob } from '../../src/discovery/discoveries.ts';
import type { DiscoveryDoors } from '../../src/discovery/kind.ts';
import { kindOf } from '../../src/discovery/kinds.ts';
import { resolveTargets } from '../../src/discovery/targets.ts';
import type { FilesDoor } from '../../src/model/doors.ts';
import type { Labels } from '../../src/model/labels.ts';
import { fromSeed, randomRules, yaml } from './random-rules.ts';
import { type Lab, freePort, get, peer, test, waitUntil } from './harness.ts';
import { startPrometheus } from './prometheus.ts';
import { difference } from './promtool.ts';
import { type Lists, serveSources, serveZone, type Tables, type Zone } from './sources.ts';

/** Each target as a line: its job, what it was discovered with, and what came of it; null for one that a rule dropped. */
type Seen = readonly [job: string, discovered: Record<string, string>, labels: Record<string, string> | null];

/** What a job says of histograms is no matter of discovery. */
const OF_HISTOGRAMS = /_(native|classic)_histograms_/;

const sorted = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .filter(([name]) => !OF_HISTOGRAMS.test(name))
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .sort()
    .join();
const linesOf = (seen: readonly Seen[]): string[] =>
  [
    ...new Set(seen.map(([job, from, to]) => `${job}: ${sorted(from)} → ${to === null ? 'dropped' : sorted(to)}`)),
  ].sort();

async function prometheusSees(url: string): Promise<Seen[]> {
  interface Target {
    scrapePool: string;
    discoveredLabels: Record<string, string>;
    labels: Record<string, string>;
  }
  const { data } = JSON.parse(await get(`${url}/api/v1/targets`)) as {
    data: { activeTargets: Target[]; droppedTargets: Target[] };
  };
  return [
    ...data.activeTargets.map(({ scrapePool, discoveredLabels, labels }): Seen => [
      scrapePool,
      discoveredLabels,
      labels,
    ]),
    ...data.droppedTargets.map(({ scrapePool, discoveredLabels }): Seen => [scrapePool, discoveredLabels, null]),
  ];
}

const record = (labels: Labels): Record<string, string> =>
  Object.fromEntries(labels.map(({ name, value }) => [name, value]));

/** The folder, as a bucket would hold it. */
function filesIn(folder: string): FilesDoor {
  return {
    list: async (prefix, max) => {
      const names = (await readdir(folder)).map((name) => join(folder, name).slice(1));
      return names
        .filter((name) => name.startsWith(prefix))
        .sort()
        .slice(0, max);
    },
    read: async (name) => {
      const bytes = await readFile(`/${name}`);
      return { size: bytes.byteLength, bytes: async () => new Uint8Array(bytes) };
    },
  };
}

async function narthexSees(text: string, lab: Lab, resolverUrl = ''): Promise<Seen[]> {
  const loaded = loadConfig(text);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems, null, 1));
  const { config } = loaded;
  const doors: DiscoveryDoors = {
    clock: { now: Date.now, sleepUntil: () => new Promise(() => undefined) },
    fetchFor: () => async (request) => await fetch(request),
    files: filesIn(lab.folder),
    tokens: new Map(),
    userAgent: 'Narthex',
    resolverUrl,
  };
  const discoveries = discoveriesOf(config);
  const known = new Map(
    await Promise.all(
      discoveries.map(async ({ key, config: asked }) => {
        const { groups, error } = await kindOf(asked).refresh(asked, doors, []);
        if (error !== null) throw new Error(error);
        return [key, { fingerprint: '', groups }] as const;
      }),
    ),
  );
  const { targets, dropped } = resolveTargets(config, groupsByJob(discoveries, known));
  // A file is named in the bucket as it is in a file system, but for the root.
  const discovered = (labels: Labels): Record<string, string> => {
    const { __meta_filepath: path, ...rest } = record(labels);
    return path === undefined ? rest : { ...rest, __meta_filepath: `/${path}` };
  };
  return [
    ...targets.map((target): Seen => [target.job, discovered(target.discovered), record(target.labels)]),
    ...dropped.map((target): Seen => [target.job, discovered(target.discovered), null]),
  ];
}

/** Both see the same, of every job. */
async function expectTheSame(
  lab: Lab,
  text: string,
  resolver: { dohUrl?: string; wrap?: readonly string[] } = {},
): Promise<void> {
  const ours = linesOf(await narthexSees(text, lab, resolver.dohUrl));
  const prometheus = await startPrometheus(lab, {
    name: 'prometheus',
    major: 3,
    config: text,
    ...(resolver.wrap === undefined ? {} : { wrap: resolver.wrap }),
  });
  let theirs: string[] = [];
  // It finds its targets one source after the other, five seconds apart.
  await waitUntil('Prometheus sees as many targets', 60_000, async () => {
    theirs = linesOf(await prometheusSees(prometheus.url));
    return theirs.length >= ours.length;
  }).catch((error: unknown) => console.error(String(error)));
  expect(difference(ours, theirs)).toEqual([]);
  const jobs = new Set(ours.map((line) => line.slice(0, line.indexOf(':'))));
  const named = [...text.matchAll(/job_name: (\S+)/g)].map(([, job]) => job!);
  expect(named.filter((job) => !jobs.has(job))).toEqual([]);
}

const HEAD = `
global: { scrape_interval: 1h }
scrape_configs:
`;

const GROUPS = [
  { targets: ['a.test:9100', '10.1.2.3:80', '[fd00::1]:9100'], labels: { zone: 'z1', __meta_own: 'x', empty: '' } },
  {
    targets: ['b.test'],
    labels: { 'dotted.name': 'ü', __scheme__: 'https', __metrics_path__: '/m', __param_module: 'p' },
  },
  {
    targets: ['c.test:1', 'c.test:1', 'd.test:65535'],
    labels: { instance: 'named', __scrape_interval__: '2h' },
  },
  { targets: [] },
];

function sourcesTables(): Tables {
  const folder = 'test/discovery/kubernetes';
  const cases = readdirSync(folder).filter((file) => file.endsWith('.json'));
  const clusters = cases.map((file) => {
    const { lists } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { lists: Lists };
    return [file.replace('.json', ''), lists] as const;
  });
  const node = (name: string, more: object = {}): object => ({
    Node: name,
    Address: '10.0.0.1',
    Datacenter: 'dc1',
    TaggedAddresses: { lan: '10.0.0.1', 'wan-v4': '192.0.2.1' },
    Meta: { 'consul-network-segment': '', 'rack.id': 'r1' },
    ...more,
  });
  const check = (CheckID: string, Status: string): object => ({ CheckID, Status, Node: 'n1' });
  return {
    http: { groups: GROUPS, none: [] },
    clusters: Object.fromEntries(clusters),
    consul: {
      web: {
        tags: ['v1', 'blue'],
        entries: [
          {
            Node: node('n1'),
            Service: {
              ID: 'web-1',
              Service: 'web',
              Tags: ['v1', 'blue'],
              Address: 'web.test',
              Port: 80,
              Meta: { 'a-b': 'c' },
            },
            Checks: [check('a', 'passing')],
          },
          {
            Node: node('n2', { Meta: null, TaggedAddresses: null }),
            Service: { ID: 'web-2', Service: 'web', Tags: [], Address: '', Port: 8080 },
            Checks: [check('a', 'warning'), check('b', 'critical')],
          },
          {
            Node: node('n3'),
            Service: {
              ID: 'web-3',
              Service: 'web',
              Tags: ['v1'],
              Address: 'fd00::7',
              Port: 0,
              Namespace: 'ns',
              Partition: 'p',
            },
            Checks: [check('_node_maintenance', 'critical')],
          },
        ],
      },
      'odd/name': { tags: [], entries: [] },
      db: {
        tags: ['v1'],
        entries: [
          {
            Node: node('n1'),
            Service: { ID: 'db', Service: 'db', Tags: ['v1'], Address: 'db.test', Port: 5432 },
            Checks: [],
          },
        ],
      },
    },
  };
}

const ATTACH: Readonly<Record<string, string>> = { cronJob: 'cronjob' };

/** The section of a case of `test/discovery/kubernetes`. */
function kubernetesSection(file: string, address: string): string {
  const { config } = JSON.parse(readFileSync(join('test/discovery/kubernetes', file), 'utf8')) as {
    config: {
      role: string;
      attach?: Record<string, boolean>;
      selectors?: { role: string; label: string; field: string }[];
      namespaces?: string[];
    };
  };
  const section = {
    api_server: `http://${address}/k8s/${file.replace('.json', '')}`,
    role: config.role,
    attach_metadata: Object.fromEntries(
      Object.entries(config.attach ?? {}).map(([name, on]) => [ATTACH[name] ?? name, on]),
    ),
    selectors: config.selectors ?? [],
    ...(config.namespaces === undefined ? {} : { namespaces: { names: config.namespaces } }),
  };
  return JSON.stringify([section]);
}

test('HTTP, files, Consul and every role of Kubernetes give the targets that Prometheus finds', async ({ lab }) => {
  const address = await serveSources(lab, sourcesTables());
  await lab.write('targets.json', JSON.stringify(GROUPS));
  await lab.write(
    'more.yml',
    '- targets: [e.test:9100]\n  labels: { one: "1.10", yes: "yes", nothing: "null" }\n- targets: [f.test]\n',
  );
  await lab.write('ignored.txt', 'x');
  const consul = `server: '${address}', path_prefix: /consul`;
  const jobs: Record<string, string> = {
    static: `static_configs: [{ targets: ['s.test:1', '[::1]:9', 10.0.0.9], labels: { a: b, __region__: '' } }]`,
    http: `http_sd_configs: [{ url: 'http://${address}/http/groups' }, { url: 'http://${address}/http/none' }]\n    static_configs: [{ targets: [static.test] }]`,
    file: `file_sd_configs: [{ files: ['${lab.folder}/*.json', '${lab.folder}/more.yml'] }]`,
    consul: `consul_sd_configs: [{ ${consul} }]`,
    'consul-some': `consul_sd_configs: [{ ${consul}, services: [web, db], tag_separator: '|', datacenter: dc9 }]`,
    'consul-tagged': `consul_sd_configs: [{ ${consul}, tags: [blue] }]`,
  };
  for (const file of readdirSync('test/discovery/kubernetes'))
    jobs[`k8s-${file.replace('.json', '')}`] = `kubernetes_sd_configs: ${kubernetesSection(file, address)}`;
  const text = Object.entries(jobs).map(([job, section]) => `  - job_name: ${job}\n    ${section}\n`);
  await expectTheSame(lab, HEAD + text.join(''));
});

test('a real Consul gives the targets that Prometheus finds', async ({ lab }) => {
  const [http, server, lan, wan] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const ports = [`-http-port=${http}`, `-server-port=${server}`, `-serf-lan-port=${lan}`, `-serf-wan-port=${wan}`];
  const off = ['-dns-port=-1', '-grpc-port=-1', '-grpc-tls-port=-1'];
  const node = ['-node=n1', '-node-meta=rack:r1', '-bind=127.0.0.1', '-client=127.0.0.1', '-log-level=warn'];
  lab.start('consul', peer('consul'), ['-dev', ...node, ...ports, ...off]);
  const url = `http://127.0.0.1:${http}/v1`;
  await waitUntil('Consul has a leader', 60_000, async () => (await get(`${url}/status/leader`)).length > 4);
  const put = async (path: string, body: unknown = ''): Promise<void> => {
    const answer = await fetch(`${url}${path}`, { method: 'PUT', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`Consul answered ${answer.status}: ${await answer.text()}`);
  };
  const check = (Status: string): object => ({ TTL: '1h', Status });
  const service = async (ID: string, more: object): Promise<void> =>
    await put('/agent/service/register', { ID, ...more });
  await service('web-1', {
    Name: 'web',
    Tags: ['v1', 'blue'],
    Address: 'web.test',
    Port: 80,
    Meta: { a_b: 'c-d' },
    Check: check('passing'),
  });
  await service('web-2', { Name: 'web', Tags: ['v1'], Port: 8080, Checks: [check('warning'), check('passing')] });
  await service('web-3', { Name: 'web', Address: 'fd00::7', Port: 9, Check: check('critical') });
  await service('ill', { Name: 'ill', Port: 1 });
  await put('/agent/service/maintenance/ill?enable=true&reason=test');
  await put('/catalog/register', {
    Node: 'elsewhere',
    Address: '192.0.2.4',
    TaggedAddresses: { lan: '192.0.2.4', wan: '198.51.100.4' },
    NodeMeta: { rack: 'r2' },
    Service: { ID: 'db', Service: 'db', Port: 5432, Tags: ['v1'] },
  });
  const jobs = [
    ['all', ''],
    ['some', `, services: [web, db, none], tag_separator: '|'`],
    ['tagged', ', tags: [v1, blue]'],
    ['racked', ', node_meta: { rack: r2 }'],
    ['healthy', `, services: [web], health_filter: 'Service.Port == 80'`],
    ['filtered', `, filter: 'ServiceName == "db"'`],
  ].map(([job, more]) => `  - job_name: ${job}\n    consul_sd_configs: [{ server: '127.0.0.1:${http}'${more} }]\n`);
  await expectTheSame(lab, HEAD + jobs.join(''));
});

test('any rules make of targets what they do in Prometheus', async ({ lab }) => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1e9);
  console.log(`SEED=${seed}`);
  const random = fromSeed(seed);
  const targets = Array.from({ length: 12 }, (_, i) => ({
    targets: [`t${i}.test:${9000 + i}`, `u${i}.test`],
    labels: {
      env: ['prod', 'dev', 'Test'][i % 3]!,
      team: `team-${i % 4}`,
      __meta_rack: `r${i}`,
      'utf.8': 'Größe',
      port: '9000',
    },
  }));
  // Not in a file, whose path rules might copy: it has no root here.
  const address = await serveSources(lab, { http: { targets }, clusters: {}, consul: {} });
  const jobs = Array.from(
    { length: 80 },
    (_, i) => `  - job_name: rules-${i}
    http_sd_configs: [{ url: 'http://${address}/http/targets' }]
    relabel_configs: ${yaml(randomRules(random, 'target'))}
`,
  );
  const text = HEAD + jobs.join('');
  const ours = linesOf(await narthexSees(text, lab));
  // Rules that leave some targets and change their labels, and not all nothing.
  expect(ours.filter((line) => !line.endsWith('dropped')).length).toBeGreaterThan(300);
  const prometheus = await startPrometheus(lab, { name: 'prometheus', major: 3, config: text });
  let theirs: string[] = [];
  await waitUntil('Prometheus has all targets', 60_000, async () => {
    theirs = linesOf(await prometheusSees(prometheus.url));
    return (
      new Set(theirs.map((line) => line.split(':')[0])).size >= new Set(ours.map((line) => line.split(':')[0])).size
    );
  }).catch((error: unknown) => console.error(String(error)));
  expect(difference(ours, theirs)).toEqual([]);
});

const ZONE: Zone = {
  'SRV _web._tcp.zone.test.': ['10 5 9100 a.zone.test.', '10 5 9101 b.zone.test.', '0 0 65535 a.zone.test.'],
  'A a.zone.test.': ['10.0.0.1', '10.0.0.2'],
  'AAAA a.zone.test.': ['fd00::1', '2001:db8:0:1::7'],
  'MX zone.test.': ['10 mail.zone.test.', '20 mail2.zone.test.'],
  'NS zone.test.': ['ns1.zone.test.', 'ns2.zone.test.'],
};

// Prometheus reads /etc/resolv.conf, and asks port 53: another file in a mount namespace of its own, and a port that only root may have.
test.skipIf(process.getuid?.() !== 0)('DNS gives the targets that Prometheus finds', async ({ lab }) => {
  const host = '127.0.0.153';
  const { dohUrl } = await serveZone(lab, ZONE, host);
  const resolv = await lab.write('resolv.conf', `nameserver ${host}\n`);
  const wrap = ['unshare', '-m', 'sh', '-c', `mount --bind ${resolv} /etc/resolv.conf && exec "$@"`, 'sh'];
  const jobs = [
    ['srv', `{ names: [_web._tcp.zone.test] }`],
    ['srv-rooted', `{ names: [_web._tcp.zone.test., nothing.zone.test] }`],
    ['a', `{ names: [a.zone.test], type: A, port: 9100 }`],
    ['aaaa', `{ names: [a.zone.test], type: AAAA, port: 9100 }`],
    ['mx', `{ names: [zone.test], type: MX, port: 25 }`],
    ['ns', `{ names: [zone.test], type: NS, port: 53 }`],
  ].map(([job, section]) => `  - job_name: ${job}\n    dns_sd_configs: [${section}]\n`);
  await expectTheSame(lab, HEAD + jobs.join(''), { dohUrl, wrap });
});
