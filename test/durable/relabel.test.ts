import { expect, it } from 'vitest';
import { resolveTargets } from '../../src/discovery/targets.ts';
import { NOTHING_DISCOVERED } from '../../src/discovery/group.ts';
import { snappyCompress } from '../../src/encoding/snappy.ts';
import { WriteRelabeler } from '../../src/forward/relabel.ts';
import { scrapeRound } from '../../src/scrape/round.ts';
import { SimClock } from '../sim/clock.ts';
import { samplesOf } from './log-reader.ts';
import { bindings, configOf, doorsOf, forgetful, page, T0 } from './simulated.ts';

const CONFIG = `
global:
  scrape_interval: 15s
  external_labels: { site: edge }
scrape_configs:
  - job_name: node
    static_configs: [{ targets: ['a:1', 'b:1', 'c:1'] }]
    relabel_configs:
      - { source_labels: [__address__], regex: 'c:.*', action: drop }
      - { source_labels: [__address__], regex: '([^:]+):\\d+', target_label: instance }
      - { source_labels: [__address__], modulus: 1000, target_label: shard, action: hashmod }
    metric_relabel_configs:
      - { source_labels: [__name__], regex: 'go_.*', action: drop }
      - { regex: 'c(.*)e', replacement: 'k$1', action: labelmap }
remote_write:
  - url: http://sink/
    write_relabel_configs:
      - { source_labels: [instance, site], regex: 'b;edge', action: drop }
`;

it('all three kinds of relabelling, in the runtime, with the agent asleep before every call', async () => {
  const config = configOf(CONFIG);
  const { targets, dropped } = resolveTargets(config, NOTHING_DISCOVERED);
  expect([targets.length, dropped.length]).toEqual([2, 1]);

  const clock = new SimClock(T0);
  const stub = bindings.AGENT.getByName('relabel');
  const fetch = (): Promise<Response> => Promise.resolve(page('go_x 1\nhttp_total{code="200"} 2\n'));
  const round = scrapeRound(
    { runMs: 60_000, configVersion: 1, external: config.externalLabels, targets, remotes: ['sink'] },
    forgetful(stub, clock),
    doorsOf(clock, fetch).doors,
  );
  await clock.advanceTo(T0 + 90_000);
  await round;

  const { epoch } = await stub.takeForwardBaton(clock.now(), { configVersion: 1, remotes: ['sink'] });
  const next = await stub.next(clock.now(), epoch, 'sink', 0, null);
  if (next.kind !== 'records') throw new Error(next.kind);
  const relabeler = new WriteRelabeler(config.remoteWrites[0]!.writeRelabelConfigs);
  const logged = next.batch.records.flatMap((record) => samplesOf(record));
  const sent = next.batch.records.flatMap((record) => {
    const { message } = relabeler.relabel(record);
    if (message === null) return [];
    return samplesOf(message === 'same' ? record : { ...record, body: snappyCompress(message) });
  });

  const http = (samples: typeof logged) => samples.filter(({ labels }) => labels['__name__'] === 'http_total');
  expect(http(logged)).toHaveLength(8);
  expect(new Set(http(logged).map(({ labels }) => labels['instance']))).toEqual(new Set(['a', 'b']));
  expect(http(sent).map(({ labels }) => labels)).toEqual(
    Array.from({ length: 4 }, () => ({
      __name__: 'http_total',
      code: '200',
      instance: 'a',
      job: 'node',
      kod: '200',
      shard: '176',
      site: 'edge',
    })),
  );
  expect(logged.filter(({ labels }) => labels['__name__'] === 'go_x')).toEqual([]);
  const left = logged.filter(({ labels }) => labels['__name__'] === 'scrape_samples_post_metric_relabeling');
  expect(left.map(({ v }) => v)).toEqual(Array(8).fill(1));
  expect(logged.filter(({ v }) => v === 'stale')).toEqual([]);
});
