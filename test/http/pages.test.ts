/** The pages of targets, of discovery and of relabelling, as a reader sees them. */

import { describe, expect, it } from 'vitest';
import type { RelabelConfig } from '../../src/config/model.ts';
import { labelsFrom } from '../../src/model/labels.ts';
import { linesOf } from '../../src/http/page/discovery-page.tsx';
import { typedLabels } from '../../src/http/page/relabel-page.tsx';
import type { Services } from '../../src/http/services.ts';
import { agent, client, discovery, fakeServices, NOW, pool, system, target } from './fake.ts';

const labels = (record: Record<string, string>) => labelsFrom(Object.entries(record));

const targets = [
  target({
    key: 'a',
    job: 'node',
    url: 'https://me:hunter2@a.example:9100/metrics',
    labels: labels({ instance: 'a', job: 'node' }),
  }),
  target({
    key: 'b',
    job: 'node',
    url: 'http://b.example:9100/metrics',
    labels: labels({ instance: 'b', job: 'node', env: 'Prod' }),
    discovered: labels({ __address__: 'b.example:9100', __meta_dc: 'dc1' }),
    health: 'down',
    lastError: 'server returned HTTP status 503',
  }),
  target({ key: 'c', job: 'self', health: 'unknown', lastScrapeMs: null, lastDurationMs: null, lastSamples: null }),
];
const droppedTargets = [
  { job: 'node', discovered: labels({ __address__: 'gone.example:1' }), reason: null },
  { job: 'node', discovered: labels({ __address__: 'x' }), reason: 'scrape interval cannot be 0' },
];
const status = system({
  agents: [agent({ targets, droppedTargets })],
  scrapePools: [pool({ job: 'self' }), pool({ job: 'node' }), pool({ job: 'empty' })],
  discoveries: [
    discovery({
      job: 'node',
      kind: 'http',
      where: 'https://sd.example/',
      intervalMs: 60_000,
      targets: 4,
      error: 'no answer',
    }),
  ],
});

const rule: RelabelConfig = {
  action: 'replace',
  sourceLabels: [],
  separator: ';',
  regex: '(.*)',
  modulus: 0,
  targetLabel: '',
  replacement: '$1',
  nameValidationScheme: 'utf8',
};
const rules: readonly RelabelConfig[] = [
  { ...rule, sourceLabels: ['__address__'], regex: '([^:]+):\\d+', targetLabel: 'instance' },
  { ...rule, action: 'drop', sourceLabels: ['instance'], regex: 'gone.*' },
  { ...rule, action: 'labeldrop', regex: 'env' },
];

const services: Partial<Services> = {
  relabelConfigs: (job) => Promise.resolve(job === 'node' ? rules : job === 'self' ? [] : null),
};
const get = async (path: string, over = status): Promise<{ html: string; words: string; answer: Response }> => {
  const answer = await client({ services: fakeServices(over, services).services, open: '127.0.0.1' })('GET', path);
  expect(answer.status).toBe(200);
  const html = await answer.text();
  const words = html
    .slice(html.indexOf('<div id="live">'), html.indexOf('<script type'))
    .replace(/<title>.*?<\/title>/gs, '')
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replace(/\s+/g, ' ');
  return { html, words, answer };
};

describe('/targets', () => {
  it('has every pool with its targets, those in trouble first', async () => {
    const { words, html } = await get('/targets');
    expect(words).toContain('1 up 1 down 1 waiting');
    expect(words).toMatch(/empty no targets.*node 1 of 2 up.*self 0 of 1 up/);
    expect(words).toMatch(
      /down http:\/\/b\.example:9100\/metrics env= "Prod" instance= "b" server returned HTTP status 503 9 s ago/,
    );
    expect(words.indexOf('b.example')).toBeLessThan(words.indexOf('a.example'));
    expect(words).toContain(
      'waiting http://self/metrics instance= "self" job= "narthex" not yet every 15s, at most 10s – –',
    );
    expect(html).toContain('href="http://localhost:8787/metrics"');
    expect(html).not.toContain('hunter2');
  });

  it.each([
    ['state=down', ['b.example'], ['a.example', 'self/metrics', 'empty']],
    ['scrapePool=self', ['self/metrics'], ['b.example']],
    ['search=env%3Dprod', ['b.example'], ['a.example']],
    ['search=STATUS+503', ['b.example'], ['a.example']],
    ['search=a.example&state=down', ['No target is like this.'], ['a.example']],
    ['state=nonsense', ['No target is like this.'], ['a.example']],
  ])('with %s', async (query, there, notThere) => {
    const { words } = await get(`/targets?${query}`);
    for (const text of there) expect(words).toContain(text);
    for (const text of notThere) expect(words).not.toContain(text);
  });

  it('keeps what was asked for in its form', async () => {
    const { html } = await get('/targets?state=down&search=%22%3E%3Cb%3E&scrapePool=node');
    expect(html).toContain('<option value="down" selected');
    expect(html).toContain('<option value="node" selected');
    expect(html).toContain('value="&quot;&gt;&lt;b&gt;"');
  });

  it('stays an answer of a bearable size with thousands', async () => {
    const many = Array.from({ length: 5000 }, (_, i) => target({ key: `k${i}`, job: 'node' }));
    const { words, html } = await get('/targets', system({ agents: [agent({ targets: many })], scrapePools: [] }));
    expect(words).toContain('4,000 more targets');
    expect(html.length).toBeLessThan(1_500_000);
  });

  it('says what to do when nothing is configured', async () => {
    const { words } = await get('/targets', system({ agents: [], scrapePools: [], discoveries: [] }));
    expect(words).toContain('npx narthex config push prometheus.yml');
  });
});

describe('/service-discovery', () => {
  it('has what was discovered and what became of it', async () => {
    const { words, html } = await get('/service-discovery');
    expect(words).toContain('node 2 scraped, 2 not');
    expect(words).toContain('failing node http https://sd.example/ no answer');
    expect(words).toContain('__address__= "b.example:9100" __meta_dc= "dc1" env= "Prod" instance= "b"');
    expect(words).toContain('__address__= "gone.example:1" dropped by relabel_configs');
    expect(words).toContain('__address__= "x" cannot be scraped scrape interval cannot be 0');
    expect(html).toContain('href="/relabel?scrapePool=node&amp;labels=__address__%3Dgone.example%3A1"');
  });

  it('filters by what became of it, and by words of labels', async () => {
    expect((await get('/service-discovery?state=dropped')).words).not.toContain('b.example');
    expect((await get('/service-discovery?search=__meta_dc%3Ddc1')).words).not.toContain('gone.example');
    expect((await get('/service-discovery?search=nope')).words).toContain('Nothing is like this.');
  });
});

describe('/relabel', () => {
  const ask = (scrapePool: string, text: string) =>
    get(`/relabel?${String(new URLSearchParams({ scrapePool, labels: text }))}`);

  it('shows what each rule does, and the target in the end', async () => {
    const { words, html } = await ask('node', '__address__=b.example:9100\nenv: "Prod"\n');
    expect(words).toContain(
      `source_labels: [__address__] regex: '([^:]+):\\d+' target_label: instance instance "b.example"`,
    );
    expect(words).toContain("action: drop source_labels: [instance] regex: 'gone.*' kept, nothing changes");
    expect(words).toContain('regex: env env "Prod" removed');
    expect(words).toMatch(/a target with these labels instance= "b\.example" Labels that begin/);
    expect(html).toContain('>__address__=b.example:9100\nenv: &quot;Prod&quot;\n</textarea>');
  });

  it('shows which rule drops it, and that the others are not reached', async () => {
    const { words } = await ask('node', '{"__address__":"gone.example:1"}');
    expect(words).toMatch(/drops it .* not reached .*no target: rule 2 drops it/);
  });

  it('shows that what is left cannot be scraped', async () => {
    const { words } = await ask('node', '__address__=b.example/metrics');
    expect(words).toContain('nothing that can be scraped: "b.example/metrics" is not a valid hostname');
    expect((await ask('self', 'a=b')).words).toContain('nothing that can be scraped: no address');
  });

  it('says what is wrong, or missing', async () => {
    expect((await ask('node', 'x')).words).toContain('line 1 is not like name=value');
    expect((await ask('node', '{x')).words).toContain('error parsing labels');
    expect((await ask('nope', 'a=b')).words).toContain('There is no scrape pool nope.');
    expect((await ask('self', 'a=b')).words).toContain('This pool has no relabel_configs.');
    expect((await get('/relabel?scrapePool=node')).words).toContain('begin with a target of Discovery');
  });

  it('reads labels as they are shown', () => {
    const odd = labels({ a: 'b=c: d', ' x': '1', quoted: '"q"', lines: 'a\nb', space: ' s ', url: 'http://x:1/?a=b' });
    const readable = odd.filter(({ name }) => name !== ' x');
    expect(typedLabels(linesOf(readable))).toEqual(readable);
  });
});

it('all are pages that lead to each other, and run nothing else', async () => {
  const evil = `"><script>alert('x')</script>`;
  const bad = system({
    agents: [agent({ targets: [target({ job: evil, url: evil, lastError: evil, labels: labels({ [evil]: evil }) })] })],
    scrapePools: [pool({ job: evil })],
    config: { source: 'bucket', version: 1, pushedAtMs: NOW },
  });
  for (const path of ['/', '/targets', '/service-discovery', `/relabel?labels=${encodeURIComponent(`a=${evil}`)}`]) {
    const { html, answer } = await get(path, bad);
    expect(html.match(/<script/g)).toHaveLength(1);
    expect(html).not.toContain("alert('x')");
    expect(html).not.toMatch(/ (style|on\w+)="/);
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    for (const link of ['/targets', '/service-discovery', '/relabel']) expect(html).toContain(`href="${link}"`);
  }
});
