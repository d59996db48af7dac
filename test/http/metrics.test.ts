import { describe, expect, it } from 'vitest';
import { Exposition } from '../../src/http/exposition.ts';
import { renderMetrics } from '../../src/http/metrics.ts';
import type { SystemStatus } from '../../src/http/status.ts';
import { agent, consumer, ingester, NOW, pool, system, target } from './fake.ts';

const COUNTERS = {
  'requests:204': 7,
  'requests:400': 1,
  samples_in: 900,
  'refused_samples:bad name': 3,
  'odd:thing': 2,
};

const render = (status: SystemStatus, lastReloadOk: boolean | null = null): string =>
  renderMetrics(status, {
    version: '0.1.0',
    told: new Map([['acme', { counts: COUNTERS, refusal: null }]]),
    lastReloadOk,
  });

/** A strict reader of format 0.0.4: families whole and once, HELP and TYPE first, no sample twice. */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const closed = new Set<string>();
  let family = '';
  let type = '';
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.slice(0, -1).split('\n')) {
    const help = /^# HELP (\w+) \S/.exec(line);
    const typed = /^# TYPE (\w+) (counter|gauge|summary)$/.exec(line);
    if (help !== null) {
      expect(closed.has(help[1]!)).toBe(false);
      closed.add((family = help[1]!));
      type = '';
    } else if (typed !== null) {
      expect(typed[1]).toBe(family);
      type = typed[2]!;
      expect(family.endsWith('_total')).toBe(type === 'counter');
    } else {
      const sample = /^(\w+)(\{(?:\w+="(?:[^"\\]|\\.)*",?)*\})? (\S+)$/.exec(line);
      expect(sample, line).not.toBeNull();
      expect(type === 'summary' ? sample![1]!.replace(/_(sum|count)$/, '') : sample![1]).toBe(family);
      expect(type).not.toBe('');
      const key = `${sample![1]}${sample![2] ?? ''}`;
      expect(samples.has(key), key).toBe(false);
      samples.set(key, Number(sample![3]));
    }
  }
  return samples;
}

describe('/metrics', () => {
  const remote = consumer({
    name: 'mimir',
    url: 'https://me:hunter2@mimir.example/push',
    samplesIn: 2_000,
    samplesSent: 1_000,
    samplesDropped: { http_400: 20, http_404: 1, log_age_limit: 300 },
    samplesPending: 679,
    histogramsFailed: 4,
    histogramsRetried: 5,
    exemplarsFailed: 6,
    exemplarsRetried: 7,
    metadata: { sent: 8, failed: 9, retried: 10, bytes: 11 },
    samplesRetried: 40,
    bytesSent: 5_000,
    healthy: false,
    requestsMs: 2_500,
    requestsTimed: 10,
  });
  const status = system({
    agents: [
      agent({
        remotes: [remote, consumer()],
        targets: [target(), target({ health: 'down' })],
        scrapesRefused: { epoch: 2 },
        scrapeCounts: { sample_limit: 3, target_limit: 2, duplicates: 7, exemplars: 11 },
        intervals: { '15000': { sumMs: 30_010, count: 2 } },
      }),
      agent({ name: 'eu' }),
    ],
    scrapePools: [pool(), pool({ job: 'empty', targetLimit: 5 })],
    ingesters: [ingester({ relays: [remote] }), ingester({ tenant: 'acme' })],
  });
  const samples = parse(render(status));
  const of = '{agent="default",remote_name="mimir",url="https://me:xxxxx@mimir.example/push"';
  const relay = '{tenant="anonymous",shard="0",remote_name="mimir",url="https://me:xxxxx@mimir.example/push"';

  const facts: [name: string, value: number][] = [
    ['prometheus_build_info{version="0.1.0",application="narthex"}', 1],
    ['prometheus_config_last_reload_successful', 1],
    ['prometheus_config_last_reload_success_timestamp_seconds', (NOW - 7_200_000) / 1000],
    ['narthex_config_version{source="bucket"}', 3],
    ['prometheus_agent_samples_appended_total{agent="default",type="float"}', 123_456],
    ['prometheus_target_scrape_pool_targets{agent="default",scrape_job="narthex"}', 2],
    ['prometheus_agent_active_series{agent="eu"}', 93],
    ['prometheus_agent_exemplars_appended_total{agent="default"}', 11],
    ['prometheus_target_scrapes_exceeded_sample_limit_total{agent="default"}', 3],
    ['prometheus_target_scrape_pool_exceeded_target_limit_total{agent="default"}', 2],
    ['prometheus_target_scrapes_exceeded_body_size_limit_total{agent="default"}', 0],
    ['prometheus_target_scrapes_sample_duplicate_timestamp_total{agent="default"}', 7],
    ['prometheus_target_interval_length_seconds_sum{agent="default",interval="15s"}', 30.01],
    ['prometheus_target_interval_length_seconds_count{agent="default",interval="15s"}', 2],
    ['prometheus_target_scrape_pool_targets{agent="eu",scrape_job="empty"}', 0],
    ['prometheus_target_scrape_pool_target_limit{scrape_job="empty"}', 5],
    ['prometheus_ready', 1],
    ['narthex_targets{agent="default",health="down"}', 1],
    ['narthex_scrapes_refused_total{agent="default",reason="epoch"}', 2],
    [`prometheus_remote_storage_samples_in_total${of}}`, 2_000],
    [`prometheus_remote_storage_samples_total${of}}`, 1_000],
    [`prometheus_remote_storage_samples_failed_total${of}}`, 21],
    [`prometheus_remote_storage_samples_dropped_total${of},reason="log_age_limit"}`, 300],
    [`prometheus_remote_storage_samples_retried_total${of}}`, 40],
    [`prometheus_remote_storage_samples_pending${of}}`, 679],
    [`prometheus_remote_storage_bytes_total${of}}`, 5_000],
    [`prometheus_remote_storage_histograms_failed_total${of}}`, 4],
    [`prometheus_remote_storage_histograms_retried_total${of}}`, 5],
    [`prometheus_remote_storage_exemplars_failed_total${of}}`, 6],
    [`prometheus_remote_storage_exemplars_retried_total${of}}`, 7],
    [`prometheus_remote_storage_metadata_total${of}}`, 8],
    [`prometheus_remote_storage_metadata_failed_total${of}}`, 9],
    [`prometheus_remote_storage_metadata_retried_total${of}}`, 10],
    [`prometheus_remote_storage_metadata_bytes_total${of}}`, 11],
    [`prometheus_remote_storage_shards_desired${of}}`, 1],
    [`prometheus_remote_storage_sent_batch_duration_seconds_sum${of}}`, 2.5],
    [`prometheus_remote_storage_sent_batch_duration_seconds_count${of}}`, 10],
    [`prometheus_remote_storage_queue_highest_timestamp_seconds${of}}`, (NOW - 5_000) / 1000],
    [`prometheus_remote_storage_queue_highest_sent_timestamp_seconds${of}}`, (NOW - 8_000) / 1000],
    [`prometheus_remote_storage_samples_pending${relay}}`, 679],
    [`prometheus_remote_storage_queue_highest_timestamp_seconds${relay}}`, (NOW - 8_000) / 1000],
    [`prometheus_remote_storage_queue_highest_sent_timestamp_seconds${relay}}`, (NOW - 8_000) / 1000],
    ['narthex_consumer_samples_dropped_total{log="agent/default",consumer="mimir",reason="http_400"}', 20],
    ['narthex_consumer_lag_seconds{log="agent/default",consumer="mimir"}', 7.2],
    ['narthex_consumer_healthy{log="agent/default",consumer="mimir"}', 0],
    ['narthex_log_limit_bytes{log="agent/eu"}', 8e9],
    ['narthex_log_records{log="ingester/acme/0"}', 60],
    ['narthex_digest_duplicate_samples_total{tenant="anonymous",shard="0"}', 12],
    ['narthex_range_samples{tenant="anonymous",shard="0",late="false"}', 98_765],
    ['narthex_range_samples{tenant="anonymous",shard="0",late="true"}', 0],
    ['prometheus_tsdb_blocks_loaded{tenant="anonymous"}', 1],
    ['prometheus_tsdb_storage_blocks_bytes{tenant="acme"}', 2_345_678],
    ['narthex_receiver_requests_total{tenant="acme",code="204"}', 7],
    ['narthex_receiver_samples_total{tenant="acme"}', 900],
    ['narthex_receiver_refused_samples_total{tenant="acme",reason="bad name"}', 3],
    ['narthex_events_total{tenant="acme",event="odd",detail="thing"}', 2],
  ];
  it.each(facts)('%s', (name, value) => {
    expect(samples.get(name)).toBe(value);
  });

  it('accounts for every sample of a remote in Prometheus’ names', () => {
    const sum = (name: string) =>
      [...samples]
        .filter(([key]) => key.startsWith(`prometheus_remote_storage_${name}${of}`))
        .reduce((n, [, v]) => n + v, 0);
    expect(sum('samples_in_total')).toBe(
      sum('samples_total') + sum('samples_failed_total') + sum('samples_dropped_total') + sum('samples_pending'),
    );
  });

  it('says what is only counted in memory', () => {
    for (const name of [
      'narthex_receiver_requests_total',
      'narthex_receiver_samples_total',
      'prometheus_config_last_reload_successful',
    ]) {
      expect(render(status)).toMatch(
        new RegExp(`# HELP ${name} .*Counted in this isolate's memory, resets with it\\.`),
      );
    }
    expect(render(status)).toMatch(/# HELP narthex_log_samples_appended_total (?!.*memory)/);
  });

  it('leaves out what nobody knows yet, and nothing else', () => {
    const fresh = parse(
      render(
        system({
          config: { source: 'bundled', version: 0, pushedAtMs: null },
          agents: [
            agent({ highestMs: null, batonTakenAtMs: null, remotes: [consumer({ highestSentMs: null })], targets: [] }),
          ],
          ingesters: [ingester({ ranges: [] })],
          blocks: [],
        }),
      ),
    );
    expect([...fresh.values()].every(Number.isFinite)).toBe(true);
    expect([...fresh.keys()].some((key) => key.includes('queue_highest'))).toBe(false);
    expect(parse(render(system({ agents: [], ingesters: [], blocks: [] })))).toBeInstanceOf(Map);
  });

  it('has 0 for a remote that took nothing of what there is, as an alert for one that is behind compares', () => {
    const remotes = [consumer({ highestSentMs: null })];
    const behind = parse(render(system({ agents: [agent({ highestMs: NOW, remotes, targets: [] })] })));
    const [sent] = [...behind].find(([key]) => key.includes('queue_highest_sent'))!.slice(1);
    expect(sent).toBe(0);
  });

  it('tells of a reload that failed', () => {
    expect(parse(render(status, false)).get('prometheus_config_last_reload_successful')).toBe(0);
  });
});

it('escapes labels and help as the format wants', () => {
  const out = new Exposition();
  out
    .gauge('a', 'one\\two\nthree')
    .add(Number.NaN, { l: 'back\\slash "quote"\nline' })
    .add(Infinity)
    .add(-Infinity, { l: '' });
  expect(out.toString()).toBe(
    '# HELP a one\\\\two\\nthree\n# TYPE a gauge\na{l="back\\\\slash \\"quote\\"\\nline"} NaN\na +Inf\na{l=""} -Inf\n',
  );
});

it('says the same as JSON, as protojson would', () => {
  const out = new Exposition();
  out.counter('b_total', 'B.').add(2, { z: '1', a: '"' }).add(null);
  out.gauge('nothing', 'Nothing.');
  out.gauge('a', 'A.').add(NaN).add(Infinity, { of: 'x' }).add(-Infinity, { of: 'y' });
  out.summary('s', 'S.', 1.5, 3, {});
  expect(out.toJson((name) => name !== 'c')).toEqual([
    {
      name: 'a',
      help: 'A.',
      type: 'GAUGE',
      metric: [
        { gauge: { value: 'NaN' } },
        { label: [{ name: 'of', value: 'x' }], gauge: { value: 'Infinity' } },
        { label: [{ name: 'of', value: 'y' }], gauge: { value: '-Infinity' } },
      ],
    },
    {
      name: 'b_total',
      help: 'B.',
      type: 'COUNTER',
      metric: [
        {
          label: [
            { name: 'a', value: '"' },
            { name: 'z', value: '1' },
          ],
          counter: { value: 2 },
        },
      ],
    },
    { name: 's', help: 'S.', type: 'SUMMARY', metric: [{ summary: { sampleCount: '3', sampleSum: 1.5 } }] },
  ]);
});
