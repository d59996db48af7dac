import { expect, it } from 'vitest';
import { renderPage, pageResponse } from '../../src/http/page/page.tsx';
import { SCRIPT } from '../../src/http/page/script.ts';
import { STYLE } from '../../src/http/page/style.ts';
import type { SystemStatus } from '../../src/http/status.ts';
import type { TenantSettings } from '../../src/receive/limits.ts';
import { attention } from '../../src/http/page/attention.ts';
import type { Told } from '../../src/receive/told.ts';
import { agent, block, consumer, ingester, log, NOW, SETTINGS, system, target } from './fake.ts';

const props = (status: SystemStatus, problems: string[] = []) => ({
  status,
  tenant: 'anonymous',
  version: '0.1.0',
  origin: 'http://localhost:8787',
  problems,
  told: new Map<string, Told>(),
  settings: () => SETTINGS,
});

/** What a reader sees: no tags, entities resolved, one space. */
function words(status: SystemStatus, problems: string[] = []): string {
  const body = renderPage(props(status, problems))
    .replace(/^.*<main/s, '<main')
    .replace(/<script.*$/s, '');
  return body
    .replace(/<title>.*?<\/title>/gs, '')
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
    .replace(/\s+/g, ' ');
}

it('tells the way of the samples in its order', () => {
  const page = words(system({ ingesters: [ingester()], blocks: [block()] }));
  const stations = ['Narthex', 'Targets up', 'Nothing needs a look', 'Log and remotes', 'Receiver', 'Blocks 1 block'];
  const places = stations.map((station) => page.indexOf(station));
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(places[0]).toBeGreaterThanOrEqual(0);
  for (const fact of [
    'Version 0.1.0',
    'version 3, from the bucket , 2 h ago',
    '2026-11-22 13:05:09 UTC',
    'Targets up 1 / 1 1,420 scrapes',
    'Samples logged 123 k 60 records in the log',
    'Forwarded 122 k 1,456 wait, 7.2 s behind',
    'Received 122 k 98.8 k in 1 open range',
    'In blocks 1.23 M 1 block',
    'up narthex self http://self/metrics 9 s ago every 15s 13 ms 87',
    '60 records, 1.23 MB of 8 GB',
    'sending own receiver http://self/api/v1/write',
    'To digest 1,000 for 21 s',
    'Cut up to 1 h 5 min ago',
    'filling 12:00–14:00 UTC 98.8 k samples · 346 kB in 4 segments',
    'first hourly cut after 14:30 UTC, in 1 h 24 min',
    '10:05–12:05 01KAN5Z1D0M4V7Q8X2C3B4N5P6 1.23 M 870 2.35 MB 25 min ago',
  ]) {
    expect(page).toContain(fact);
  }
});

it('has the exact number behind every humanised one', () => {
  const html = renderPage(props(system()));
  for (const title of [
    'title="123,456"',
    'title="1,234,567 bytes"',
    'title="7,200 ms"',
    'title="2026-11-22T13:05:00Z"',
  ]) {
    expect(html).toContain(title);
  }
});

it('says what will happen next where nothing is yet', () => {
  const none = words(system({ agents: [], ingesters: [], blocks: [] }));
  expect(none).toContain('npx narthex config push prometheus.yml');
  expect(none).toContain('the first one comes with the next cron trigger, within a minute');
  expect(none).toContain('remote_write: - url: http://localhost:8787/api/v1/write');
  expect(none).toContain('the first block is cut 30 minutes after its range has ended');
  const first = words(
    system({ agents: [agent({ remotes: [] })], ingesters: [ingester({ watermarkMs: 0 })], blocks: [] }),
  );
  expect(first).toContain('No block yet. The first is cut in the first hourly run after 14:30 UTC, in 1 h 24 min');
  expect(first).toContain('No remote: add remote_write');
  expect(first).toContain('Cut up to nothing yet');
});

it('shows what needs a look, and nothing that is over', () => {
  const status = system({
    agents: [
      agent({
        batonTakenAtMs: NOW - 600_000,
        targets: [target({ health: 'down', lastError: 'connection refused' }), target()],
        log: log({ bytes: 6.9e9, setAside: [{ seq: 8, reason: 'crc' }] }),
        remotes: [
          consumer({
            name: 'mimir',
            healthy: false,
            samplesDropped: { http_400: 120 },
            lastError: { atMs: NOW - 12_000, message: 'status 503: ring is empty' },
          }),
          consumer({ name: 'calm', lastError: { atMs: NOW - 3_600_000, message: 'status 429' } }),
        ],
      }),
    ],
    ingesters: [
      ingester({
        samplesConflicting: 2,
        conflictExample: '{__name__="up"} at 12:00:15: 1, then 0',
        ranges: [false, true].map((late) => ({
          startMs: NOW - 8 * 3_600_000,
          endMs: NOW - 6 * 3_600_000,
          late,
          segments: 1,
          samples: 1,
          bytes: 1,
        })),
      }),
    ],
  });
  const page = words(status, ['NARTHEX_TOKENS, line 3: expected 4 fields, got 3; the line is ignored']);
  for (const fact of [
    'trouble 1 of 2 targets down',
    'trouble no run has come to agent default for 10 min',
    'trouble remote mimir is failing, 1,456 samples wait',
    'warning the log of agent default is 86 % full',
    'warning the log of agent default: 1 record set aside',
    'record 8: crc',
    'warning receiver anonymous/0: 1 range should have been cut by now',
    'warning NARTHEX_TOKENS, line 3',
    'connection refused',
    'backing off mimir',
    '120 http_400',
    'Last error 12 s ago : status 503: ring is empty',
    'Last error 1 h ago , over since: status 429',
    '{__name__="up"} at 12:00:15: 1, then 0',
  ]) {
    expect(page).toContain(fact);
  }
  expect(page).not.toContain('remote calm is failing');
});

it('draws the last hour of a remote, and says what it costs more', () => {
  const minute = Math.floor(NOW / 60_000);
  const recent = [
    { minute: minute - 70, pending: 9, lagMs: 9 },
    { minute: minute - 59, pending: 100, lagMs: 1_000 },
    { minute, pending: 50, lagMs: 61_000 },
  ];
  const remotes = [consumer({ recent, schema1UntilMs: NOW + 3_600_000, samplesMax: 2_500 })];
  const html = renderPage(props(system({ agents: [agent({ remotes })] })));
  expect(html.match(/<rect class="fill" x="(0|59)" y="[\d.]+" width="0.8" height="[\d.]+"/g)).toEqual([
    '<rect class="fill" x="0" y="11.31" width="0.8" height="0.19"',
    '<rect class="fill" x="59" y="0.00" width="0.8" height="11.50"',
    '<rect class="fill" x="0" y="0.00" width="0.8" height="11.50"',
    '<rect class="fill" x="59" y="5.75" width="0.8" height="5.75"',
  ]);
  expect(html).toContain('Pending in the last hour: 100 samples at most');
  const text = words(system({ agents: [agent({ remotes })] }));
  expect(text).toContain('It did not understand Remote Write 2.0');
  expect(text).toContain('records of more than 2,500 samples are split');
  expect(text).not.toContain('max_samples_per_send');
  const smaller = words(system({ agents: [agent({ remotes: [consumer({ samplesPerSendMax: 2_000 })] })] }));
  expect(smaller).toContain('max_samples_per_send is 2,000: records of more samples are split');
});

it('says which targets are not scraped, and why', () => {
  const labels = (address: string) => [{ name: '__address__', value: address }];
  const droppedTargets = [
    { job: 'web', discovered: labels('c:1'), reason: 'no address' },
    { job: 'node', discovered: labels('a:1'), reason: null },
    { job: 'node', discovered: labels('b:1'), reason: null },
  ];
  for (const targets of [[target()], []]) {
    const page = words(system({ agents: [agent({ targets, droppedTargets })] }));
    expect(page).toContain('Not scraped: c:1 of web: no address');
    expect(page).toContain('2 targets dropped by relabel_configs');
  }
});

it('escapes every word from outside', () => {
  const evil = `"><script>alert('x')</script>`;
  const status = system({
    config: { source: 'bucket', version: 1, pushedAtMs: NOW },
    agents: [
      agent({
        name: evil,
        log: log({ setAside: [{ seq: 1, reason: evil }] }),
        scrapesRefused: { [evil]: 1 },
        targets: [
          target({
            job: evil,
            url: evil,
            lastError: evil,
            labels: [evil, 'instance'].map((name) => ({ name, value: evil })),
          }),
        ],
        remotes: [
          consumer({ name: evil, url: evil, samplesDropped: { [evil]: 1 }, lastError: { atMs: NOW, message: evil } }),
        ],
      }),
    ],
    ingesters: [ingester({ tenant: evil, conflictExample: evil }), ingester({ tenant: 'b' })],
    blocks: [block({ ulid: evil, tenant: evil }), block()],
  });
  const html = renderPage({ ...props(status, [evil]), origin: evil, version: evil });
  expect(html.match(/<script/g)).toHaveLength(1);
  expect(html).not.toContain("alert('x')");
});

it('stays short with thousands of targets, those in trouble in front', () => {
  const targets = Array.from({ length: 3000 }, (_, i) =>
    target({ key: String(i), labels: [{ name: 'instance', value: `i${i}` }], health: i === 2999 ? 'down' : 'up' }),
  );
  const status = system({ agents: [agent({ targets })] });
  const page = words(status);
  expect(page).toContain('2,999 of 3,000 up, by scrape pool State Job');
  expect(page).toMatch(/Samples down narthex i2999/);
  expect(page).toContain('2,800 more targets');
  expect(renderPage(props(status)).length).toBeLessThan(300_000);
});

it('allows nothing to run but its own script', async () => {
  const answer = await pageResponse(props(system()));
  const policy = answer.headers.get('content-security-policy')!;
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain('unsafe');
  const html = await answer.text();
  for (const [tag, source] of [
    ['style', STYLE],
    ['script type="module"', SCRIPT],
  ] as const) {
    const between = new RegExp(`<${tag}>(.*?)</${tag.split(' ')[0]}>`, 's').exec(html)![1]!;
    expect(between).toBe(source);
    const digest = Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(between)));
    expect(policy).toContain(`'sha256-${digest.toString('base64')}'`);
  }
  // No attribute that the policy would block.
  expect(html).not.toMatch(/ (style|on\w+)="/);
});

it('says what the senders of each tenant were told, and their limits; also of one of whom nothing was taken', () => {
  const message = 'more than 100 samples a second (samples_per_second in NARTHEX_LIMITS)';
  const told = new Map<string, Told>([
    [
      'wile',
      {
        counts: { 'requests:204': 3, 'requests:429': 2, 'otlp_requests:400': 1, 'refused_samples:too_old': 7 },
        refusal: { atMs: NOW - 60_000, status: 429, message },
      },
    ],
  ]);
  const settings: TenantSettings = {
    ...SETTINGS,
    receive: { ...SETTINGS.receive, pastMs: 86_400_000 },
    shard: { ...SETTINGS.shard, samplesPerS: 100, samplesBurst: 1000, seriesMax: 500_000 },
    shards: 3,
  };
  const ingesters = [ingester({ tenant: 'acme' })];
  const html = renderPage({
    ...props(system({ ingesters })),
    told,
    settings: (tenant) => (tenant === 'wile' ? settings : SETTINGS),
  });
  const text = html.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');
  expect(text).toMatch(/Tenant acme what its senders.* Limits: the defaults\. Tenant acme shard 0/);
  expect(text).toContain('Requests 204 3 Requests 429 2 OTLP requests 400 1 Refused samples 7 too_old');
  expect(text).toMatch(/not all well, 429, 1 min ago : more than 100 samples a second/);
  expect(text).toContain(
    'Limits: past_limit 1d, samples_per_second 100, samples_burst 1,000, series_limit 500,000, shards 3; else the defaults.',
  );
});

it('warns of tenants whose senders are refused, as long as they are', () => {
  const told = (all: readonly (readonly [tenant: string, status: number, message: string, agoMs: number])[]) =>
    new Map(
      all.map(([tenant, status, message, agoMs]): [string, Told] => [
        tenant,
        { counts: {}, refusal: { atMs: NOW - agoMs, status, message } },
      ]),
    );
  const notices = (...all: Parameters<typeof told>[0]) =>
    attention(system({ agents: [], ingesters: [] }), [], told(all)).map(({ level, text, section }) => [
      level,
      section,
      text,
    ]);
  expect(
    notices(
      ['acme', 400, 'series 3 is refused\nand more', 90_000],
      ['wile', 429, 'more than 100 samples a second (samples_per_second in NARTHEX_LIMITS)', 12_000],
      ['calm', 429, 'over', 300_000],
    ),
  ).toEqual([
    [
      'warn',
      'receiver',
      'senders of tenant wile are told to come again, 429, 12 s ago: more than 100 samples a second (samples_per_second in NARTHEX_LIMITS)',
    ],
    ['warn', 'receiver', 'senders of tenant acme send what is not taken, 400, 1 min 30 s ago: series 3 is refused'],
  ]);
  const many = notices(...Array.from({ length: 8 }, (_, i) => [`t${i}`, 503, 'x'.repeat(2000), i * 1000] as const));
  expect(many).toHaveLength(6);
  expect(many[0]![2]).toMatch(/^senders of tenant t0 are told to come again, 503, just now: x{240}…$/);
  expect(many[5]).toEqual(['warn', 'receiver', 'senders of 3 other tenants are refused']);
});
