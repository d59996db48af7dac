/**
 * Targets that answer anything, scraped by one run next to two that answer well, into an agent that sleeps between any two calls: each bad one is `up` 0 with a
 * reason that people can read, every slot of the good ones is in the log, and nothing is said of the agent.
 */

import { beforeAll, describe, expect, it } from 'vitest';
import type { AgentReport } from '../../durable/agent.ts';
import { targetsOf } from '../../src/discovery/targets.ts';
import { scrapeRound } from '../../src/scrape/round.ts';
import { SimClock } from '../sim/clock.ts';
import { encodeFamilies } from '../scrape/exposition/metric-family.ts';
import type { PlainSample } from './log-reader.ts';
import { bindings, configOf, doorsOf, drained, forgetful, T0 } from './simulated.ts';

const MINUTES = 2;
const LIMIT = 300_000;
const GOOD = '# TYPE a counter\na{b="c"} 1\na{b="d"} 2\n';
const clock = new SimClock(T0);
const TEXT = 'text/plain; version=0.0.4';
const OPENMETRICS = 'application/openmetrics-text; version=1.0.0';
const PROTOBUF = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';

const says = (body: BodyInit | null, type = TEXT, status = 200): Response =>
  new Response(body, { status, headers: { 'Content-Type': type } });
/** A body of pieces, as many as are read; time stands still while one is made. */
const pieces = (next: () => Promise<Uint8Array | null> | Uint8Array | null): ReadableStream =>
  new ReadableStream({
    pull: async (controller) => {
      const piece = await clock.track(async () => await next());
      if (piece === null) controller.close();
      else controller.enqueue(piece);
    },
  });
/** What `fetch` makes of a compressed body. */
function bomb(): ReadableStream {
  const zeros = new Uint8Array(1 << 20).fill(0x23);
  let megabytes = 0;
  const source = new ReadableStream({
    pull: (controller) => {
      if (megabytes++ < 200) controller.enqueue(zeros);
      else controller.close();
    },
  });
  const packed = source.pipeThrough(new CompressionStream('gzip')).pipeThrough(new DecompressionStream('gzip'));
  const reader = packed.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  return pieces(async () => (await reader.read()).value ?? null);
}
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const family = encodeFamilies([{ name: 'a', type: 'counter', metrics: [{ value: 1 }] }]);

/** What each answers, and what is said of it. */
const BAD: Readonly<
  Record<string, readonly [answer: (request: Request) => Response | Promise<Response>, error: RegExp]>
> = {
  'no-end': [() => says('# TYPE a counter\na_total 1\n', OPENMETRICS), /# EOF/],
  'cut-text': [() => says('a{b="c"} 1\na{b="'), /^line 2: expected /],
  'cut-protobuf': [() => says(family.slice(0, -3), PROTOBUF), /^protobuf: /],
  'not-protobuf': [() => says(GOOD, PROTOBUF), /^protobuf: /],
  'long-line': [() => says(`a{b="${'x'.repeat(250_000)}`), /^line 1: expected /],
  'not-utf8': [() => says(Uint8Array.of(...utf8('a{b="'), 0xff, 0xfe, ...utf8('"} 1\n'))), /UTF-8/i],
  nul: [() => says(new Uint8Array(1000)), /^line 1: expected /],
  'bad-number': [() => says('a 1e\n'), /^line 1: expected /],
  'bad-exemplar': [() => says('# TYPE a counter\na_total 1 # {t=x} 1\n# EOF\n', OPENMETRICS), /^line 2: expected /],
  html: [() => says('<html>', 'text/html'), /text\/html/],
  'no-type': [() => new Response(utf8(GOOD)), /Content-Type/],
  status: [() => says('no', TEXT, 500), /HTTP status 500/],
  large: [() => says('#'.repeat(LIMIT + 1)), /^body size limit exceeded/],
  endless: [() => says(pieces(() => utf8('a 1\n'.repeat(5000)))), /^body size limit exceeded/],
  // Nothing is made here, so that time goes on.
  silent: [() => says(new ReadableStream({ pull: () => new Promise(() => undefined) })), /timeout/],
  bomb: [() => says(bomb()), /^body size limit exceeded/],
  broken: [
    () => says(pieces(() => Promise.reject(new Error('Network connection lost.')))),
    /^cannot scrape broken: Network connection lost\.$/,
  ],
  hanging: [() => new Promise(() => undefined), /no complete answer within the timeout of 10 s/],
  gone: [
    () => Promise.reject(new Error('Network connection lost.')),
    /^cannot scrape gone: Network connection lost\.$/,
  ],
  circle: [({ url }) => new Response(null, { status: 302, headers: { Location: url } }), /more than 10 redirects/],
  away: [() => new Response(null, { status: 302, headers: { Location: 'http://self/metrics' } }), /no redirect leads/],
};
let samples: PlainSample[] = [];
let report: AgentReport;
let warnings: readonly string[] = [];
const keys = new Map<string, string>();

beforeAll(async () => {
  const config = configOf(`
scrape_configs:
  - job_name: any
    scrape_interval: 15s
    body_size_limit: ${LIMIT}B
    static_configs: [{ targets: [${[...Object.keys(BAD), 'good-1', 'good-2', 'twice'].join()}] }]
remote_write: [{ url: 'http://sink/' }]
`);
  const targets = targetsOf(config);
  for (const { key, url } of targets) keys.set(new URL(url).hostname, key);
  const stub = bindings.AGENT.getByName('bad-targets');
  const fetch = async (request: Request): Promise<Response> => {
    const name = new URL(request.url).hostname;
    if (name === 'twice') return says('a 1\na 2\n');
    return await (BAD[name]?.[0](request) ?? says(GOOD));
  };
  const { doors, warnings: warned } = doorsOf(clock, fetch);
  warnings = warned;
  const plan = { runMs: MINUTES * 60_000, configVersion: 1, external: [], targets, remotes: ['sink'] };
  const round = scrapeRound(plan, forgetful(stub, clock), doors);
  await clock.advanceTo(T0 + (MINUTES + 1) * 60_000);
  await round;
  samples = await drained(stub, clock.now());
  report = await stub.report(clock.now());
}, 120_000);

const of = (instance: string, name: string): PlainSample[] =>
  samples.filter(({ labels }) => labels['instance'] === instance && labels['__name__'] === name);
const SLOTS = MINUTES * 4;

describe('a target that answers badly', () => {
  it.each(Object.keys(BAD))('%s is down each time, with its reason', (name) => {
    expect(of(name, 'up').map(({ v }) => v)).toEqual(Array.from({ length: SLOTS }, () => 0));
    expect(of(name, 'a')).toEqual([]);
    const { error } = report.journal.targets[keys.get(name)!]!;
    expect(error).toMatch(BAD[name]![1]);
    expect(error!.length).toBeLessThan(600);
    expect(error).toMatch(/^[\x20-\x7e\u00a0-\uffff]+$/);
  });
});

describe('nothing else suffers', () => {
  it.each(['good-1', 'good-2'])('%s has every slot', (name) => {
    for (const label of ['c', 'd']) {
      const one = of(name, 'a').filter(({ labels }) => labels['b'] === label);
      expect(one.map(({ v }) => v)).toEqual(Array.from({ length: SLOTS }, () => (label === 'c' ? 1 : 2)));
      expect(new Set(one.slice(1).map(({ t }, i) => t - one[i]!.t))).toEqual(new Set([15_000]));
    }
    expect(new Set(of(name, 'up').map(({ v }) => v))).toEqual(new Set([1]));
  });

  it('a series twice is taken once, and the scrape is good', () => {
    expect(of('twice', 'a').map(({ v }) => v)).toEqual(Array.from({ length: SLOTS }, () => 1));
    expect(new Set(of('twice', 'up').map(({ v }) => v))).toEqual(new Set([1]));
  });

  it('the run had nothing to say of the agent, and no slot was refused', () => {
    expect(warnings).toEqual([]);
    expect(report.scrapesRefused).toEqual({});
    expect(report.scrapes).toBe((Object.keys(BAD).length + 3) * SLOTS);
  });
});
