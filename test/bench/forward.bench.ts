/**
 * What one more remote costs: agents scrape one page every second and forward it to a sink, first to one remote, then to four. The difference, over the
 * samples that it sent, is the CPU of a forwarded sample alone, for each agent in the same way. Of Narthex also the rows that it wrote for it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Lab, waitUntil } from '../interop/lab.ts';
import { metric } from '../interop/narthex.ts';
import { messages } from '../interop/prometheus.ts';
import type { Bench, Options } from './options.ts';
import { type Measured, narthex, prometheus, vmagent } from './peers.ts';
import { CountingSink } from './sink.ts';
import { type Cell, ratio, table } from './table.ts';
import { serveTarget } from './target.ts';
import { cpuSeconds } from './usage.ts';

const REMOTES = [1, 4] as const;
/** Until everything is compiled, cached and in step. */
const WARM_SCRAPES = 10;

interface Sender {
  readonly name: string;
  readonly wire: 1 | 2;
  readonly relabel?: true;
  start(lab: Lab, name: string, target: string, remotes: readonly string[]): Promise<Measured>;
}

const scrapeConfig = (target: string): string => `
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs: [{ job_name: bench, static_configs: [{ targets: ['${target}'] }] }]
`;

/** A rule that looks at every series and changes it. */
const RELABEL = `, write_relabel_configs: [{ source_labels: [handler], regex: '/api/(.*)', target_label: api }]`;

const config = (target: string, remotes: readonly string[], wire: 1 | 2, relabel: boolean): string =>
  `${scrapeConfig(target)}
remote_write:
${remotes.map((url) => `  - { url: '${url}', protobuf_message: ${messages[wire]}${relabel ? RELABEL : ''} }`).join('\n')}
`;

const ways: readonly (readonly [wire: 1 | 2, relabel: boolean])[] = [
  [2, false],
  [1, false],
  [2, true],
];

const SENDERS: readonly Sender[] = [
  ...ways.map(([wire, relabel]): Sender => ({
    name: 'narthex',
    wire,
    ...(relabel ? { relabel } : {}),
    start: (lab, name, target, remotes) => narthex(lab, name, config(target, remotes, wire, relabel)),
  })),
  {
    name: 'vmagent',
    wire: 1,
    start: (lab, name, target, remotes) => vmagent(lab, name, scrapeConfig(target), ...remotes),
  },
  ...ways.map(([wire, relabel]): Sender => ({
    name: 'prometheus-3',
    wire,
    ...(relabel ? { relabel } : {}),
    start: (lab, name, target, remotes) =>
      prometheus(lab, { name, major: 3, mode: 'agent', config: config(target, remotes, wire, relabel) }),
  })),
];

/** Of one run, per second. */
interface Spent {
  readonly name: string;
  readonly cpu: number;
  readonly samples: number;
  readonly rows: number | null;
}

export const bench: Bench = async (options) => {
  const series = options.series ?? (options.quick ? 2000 : 10_000);
  const seconds = options.seconds ?? (options.quick ? 15 : 60);
  const rows: { sender: Sender; name: string; micros: number; rows: number | null }[] = [];
  for (const sender of SENDERS) {
    if (!sender.name.includes(options.only)) continue;
    const one = await run(sender, REMOTES[0], series, seconds, options);
    const more = await run(sender, REMOTES[1], series, seconds, options);
    const samples = more.samples - one.samples;
    rows.push({
      sender,
      name: more.name,
      micros: ((more.cpu - one.cpu) * 1e6) / samples,
      rows: more.rows === null || one.rows === null ? null : ((more.rows - one.rows) * 1e4) / samples,
    });
  }
  console.log(
    `\nforward: ${series} series every second for ${seconds} s; what ${REMOTES[1] - REMOTES[0]} more remotes cost, a sample that they got; CPU of the whole process\n`,
  );
  const columns = [
    { title: 'agent', text: true },
    { title: 'wire' },
    { title: 'relabelled', text: true },
    { title: 'µs CPU/sample' },
    { title: 'ratio' },
    { title: 'rows written/10,000' },
  ];
  const cells = rows.map((row): Cell[] => [
    row.name,
    `${row.sender.wire}.0`,
    row.sender.relabel === true ? 'yes' : '',
    row.micros,
    ratio(row.micros, rows[0]?.micros),
    row.rows,
  ]);
  console.log(table(columns, cells));
};

async function run(sender: Sender, remotes: number, series: number, seconds: number, { lab }: Options): Promise<Spent> {
  const name = `${sender.name}-${sender.wire}${sender.relabel === true ? '-relabel' : ''}-${remotes}`;
  process.stderr.write(`forward: ${name} …\n`);
  const target = await serveTarget(lab, { series, churn: 0 });
  const sink = await CountingSink.serve(lab);
  const urls = Array.from({ length: remotes }, (_, i) => `${sink.url}?remote=${i}`);
  const measured = await sender.start(lab, name, target.address, urls);
  const { pids } = measured;
  await waitUntil('the target was scraped for a while', 90_000, () => target.scrapes() >= WARM_SCRAPES);
  await waitUntil('it arrives', 90_000, () => sink.samples >= (WARM_SCRAPES / 2) * series * remotes);
  const now = async () => ({
    cpu: await cpuSeconds(pids),
    samples: sink.samples,
    atMs: Date.now(),
    rows:
      measured.narthex === undefined
        ? null
        : await metric(measured.narthex, 'narthex_object_rows_written_total', 'log="agent'),
  });
  const before = await now();
  await sleep(seconds * 1000);
  const after = await now();
  await measured.process.stop();
  const took = (after.atMs - before.atMs) / 1000;
  const samples = after.samples - before.samples;
  // Batches and flushes are up to five seconds long.
  if (samples < (seconds - 7) * series * remotes)
    throw new Error(`${name}: ${samples} samples arrived of ${seconds} s of ${series} series at ${remotes} remotes`);
  if (sink.errors.length > 0) throw new Error(`${name}: sent what cannot be read: ${sink.errors[0]}`);
  return {
    name: measured.name,
    cpu: (after.cpu - before.cpu) / took,
    samples: samples / took,
    rows: after.rows === null || before.rows === null ? null : (after.rows - before.rows) / took,
  };
}
