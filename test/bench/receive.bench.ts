/**
 * Receivers of remote write, one after the other, each given the same bodies: every series once (what is new costs more), then the other rounds. Each is waited
 * for until it has settled: Narthex until everything is digested, the others until they no longer use CPU. A receiver that has not taken every sample
 * fails the benchmark.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { get, type Lab, waitUntil } from '../interop/lab.ts';
import { metric } from '../interop/narthex.ts';
import { post } from './load.ts';
import type { Bench, Options } from './options.ts';
import { type Measured, narthex, prometheus, victoriaMetrics } from './peers.ts';
import { type Cell, quantile, ratio, table } from './table.ts';
import { cpuSeconds, peakBytes, settled } from './usage.ts';
import { bodies, type Schema } from './workload.ts';

const SAMPLES_A_REQUEST = 2000;
const CONNECTIONS = 4;
const STEP_MS = 15_000;
const QUIET_MS = 90_000;
/** A digest waits for five minutes when little has come. An object that is asked less often than every ten seconds falls asleep. */
const DIGESTED_MS = 7 * 60_000;
const ASK_EVERY_MS = 8000;

interface Receiver {
  readonly name: string;
  readonly schema: Schema;
  start(lab: Lab, name: string): Promise<Measured>;
  /** Samples that it says it has taken. */
  taken(measured: Measured): Promise<number>;
  settle?(measured: Measured): Promise<void>;
}

const narthexReceiver = (schema: Schema): Receiver => ({
  name: 'narthex',
  schema,
  start: (lab, name) => narthex(lab, name, 'global: { scrape_interval: 1m }\n'),
  taken: async (measured) =>
    await metric(measured.narthex!, 'narthex_consumer_samples_sent_total', 'consumer="digest"'),
  settle: async (measured) => {
    await waitUntil(
      'everything is digested',
      DIGESTED_MS,
      async () => (await metric(measured.narthex!, 'narthex_consumer_samples_pending', 'consumer="digest"')) === 0,
      ASK_EVERY_MS,
    );
  },
});

const prometheusReceiver = (major: 2 | 3, schema: Schema): Receiver => ({
  name: `prometheus-${major}`,
  schema,
  start: (lab, name) => prometheus(lab, { name, major }),
  taken: (measured) =>
    scraped(
      measured,
      /^prometheus_tsdb_head_samples_appended_total\{type="float"\}|^prometheus_tsdb_head_samples_appended_total /,
    ),
});

const RECEIVERS: readonly Receiver[] = [
  narthexReceiver(1),
  narthexReceiver(2),
  {
    name: 'victoria-metrics',
    schema: 1,
    start: (lab, name) => victoriaMetrics(lab, name),
    taken: (measured) => scraped(measured, /^vm_rows_inserted_total\{type="promremotewrite"\}/),
    settle: async (measured) => void (await get(`${measured.url}/internal/force_flush`)),
  },
  prometheusReceiver(2, 1),
  prometheusReceiver(3, 1),
  prometheusReceiver(3, 2),
];

/** What only Narthex has: the rows that the platform bills. By its own counter, which is lost when the object sleeps. */
async function narthexNotes({ narthex: started, name }: Measured, schema: Schema, samples: number): Promise<string[]> {
  if (started === undefined) return [];
  const records = await metric(started, 'narthex_log_records_appended_total', 'log="ingester');
  const rows = await metric(started, 'narthex_object_rows_written_total', 'log="ingester');
  const perTenMillion = (count: number): string => ((count * 1e7) / samples).toFixed(0);
  const all =
    rows > records
      ? `${perTenMillion(rows)} rows written, deleted ones included (the platform's counter; alarms come on top)`
      : "the platform's counter was lost, as the object slept";
  return [`${name}, ${schema}.0, per 10 M samples: ${perTenMillion(records)} log records appended, ${all}`];
}

interface Result {
  readonly name: string;
  readonly schema: Schema;
  readonly samplesPerSecond: number;
  /** Seconds per million samples, from the first request until settled. */
  readonly cpu: number;
  /** The same without the first round. */
  readonly cpuSteady: number;
  readonly peak: number;
  readonly p50: number;
  readonly p99: number;
}

export const bench: Bench = async (options) => {
  const series = options.series ?? (options.quick ? 5000 : 100_000);
  const rounds = options.rounds ?? (options.quick ? 5 : 20);
  const results: Result[] = [];
  const notes: string[] = [];
  for (const schema of [1, 2] as const) {
    const receivers = RECEIVERS.filter((one) => one.schema === schema && one.name.includes(options.only));
    if (receivers.length === 0) continue;
    // Whole steps before now, so that everything is in order and nothing is ahead.
    const startMs = Date.now() - rounds * STEP_MS;
    const load = bodies({ schema, series, rounds, samplesMax: SAMPLES_A_REQUEST, startMs, stepMs: STEP_MS });
    for (const receiver of receivers) results.push(await measure(receiver, load, series, options, notes));
  }
  print(results, notes, series, rounds);
};

async function measure(
  receiver: Receiver,
  load: readonly (readonly Uint8Array[])[],
  series: number,
  { lab }: Options,
  notes: string[],
): Promise<Result> {
  const { name, schema } = receiver;
  process.stderr.write(`receive: ${name}, ${schema}.0 …\n`);
  const measured = await receiver.start(lab, `${name}-write-${schema}`);
  const { pids } = measured;
  const url = `${measured.url}/api/v1/write`;
  await settled(pids, QUIET_MS);

  const cpu = async (): Promise<number> => await cpuSeconds(pids);
  const atStart = await cpu();
  const first = await post(url, schema, load.slice(0, 1), CONNECTIONS);
  const atSteady = await cpu();
  const rest = await post(url, schema, load.slice(1), CONNECTIONS);
  await receiver.settle?.(measured);
  if (!(await settled(pids, QUIET_MS)))
    notes.push(`${measured.name}, ${schema}.0: still busy after ${QUIET_MS / 1000} s`);
  const atEnd = await cpu();
  const samples = series * load.length;
  await taken(receiver, measured, samples);
  const peak = await peakBytes(pids);
  notes.push(...(await narthexNotes(measured, schema, samples)));
  await measured.process.stop();

  const latencies = [...first.latenciesMs, ...rest.latenciesMs];
  return {
    name: measured.name,
    schema,
    samplesPerSecond: samples / (first.seconds + rest.seconds),
    cpu: ((atEnd - atStart) * 1e6) / samples,
    cpuSteady: load.length > 1 ? ((atEnd - atSteady) * 1e6) / (samples - series) : NaN,
    peak,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
  };
}

async function taken(receiver: Receiver, measured: Measured, samples: number): Promise<void> {
  for (const untilMs = Date.now() + 15_000; ;) {
    const found = await receiver.taken(measured);
    if (found === samples) return;
    if (Date.now() > untilMs) throw new Error(`${measured.name} says that it has ${found} samples of ${samples}`);
    await sleep(1000);
  }
}

async function scraped({ url }: Measured, line: RegExp): Promise<number> {
  const found = (await get(`${url}/metrics`)).split('\n').filter((text) => line.test(text));
  if (found.length !== 1) throw new Error(`${url}/metrics has ${found.length} lines ${String(line)}`);
  return Number(found[0]!.split(' ')[1]);
}

function print(results: readonly Result[], notes: readonly string[], series: number, rounds: number): void {
  console.log(
    `\nreceive: ${series} series × ${rounds} rounds, ${SAMPLES_A_REQUEST} samples a request, ${CONNECTIONS} connections; CPU of the receiving process, until settled\n`,
  );
  const columns = [
    { title: 'receiver', text: true },
    { title: 'wire' },
    { title: 'samples/s', digits: 0 },
    { title: 'CPU s/M' },
    { title: 'ratio' },
    { title: 'CPU s/M, known series' },
    { title: 'ratio' },
    { title: 'peak MB', digits: 0 },
    { title: 'ratio' },
    { title: 'p50 ms' },
    { title: 'p99 ms' },
  ];
  const [reference] = results;
  console.log(
    table(
      columns,
      results.map((row): Cell[] => [
        row.name,
        `${row.schema}.0`,
        row.samplesPerSecond,
        row.cpu,
        ratio(row.cpu, reference?.cpu),
        row.cpuSteady,
        ratio(row.cpuSteady, reference?.cpuSteady),
        row.peak / 1e6,
        ratio(row.peak, reference?.peak),
        row.p50,
        row.p99,
      ]),
    ),
  );
  for (const note of notes) console.log(note);
}
