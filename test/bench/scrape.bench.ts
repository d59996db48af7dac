/**
 * Agents, one after the other, each scraping one target every second and forwarding to the same sink: CPU of the whole process for each sample that
 * was scraped, parsed, logged and sent. With the same series in every scrape, and with a share of them new in each. An agent that does
 * not scrape at every second, or forwards less than it scrapes, fails the benchmark. Narthex also with an agent that has lost its memory before every
 * scrape, as it does in production at intervals over ten seconds.
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
import { cpuSeconds, peakBytes, residentBytes } from './usage.ts';

const CHURNS = [0, 0.01];
/** Until everything is compiled, cached and in step. */
const WARM_SCRAPES = 10;

interface AgentKind {
  readonly name: string;
  readonly wire: 1 | 2;
  start(lab: Lab, name: string, target: string, sink: string): Promise<Measured>;
}

const AGENTS: readonly AgentKind[] = [
  ...([2, 1] as const).map((wire): AgentKind => ({
    name: 'narthex',
    wire,
    start: (lab, name, target, sink) => narthex(lab, name, config(target, sink, wire)),
  })),
  {
    name: 'narthex-cold',
    wire: 2,
    start: (lab, name, target, sink) => narthex(lab, name, config(target, sink, 2), true),
  },
  {
    name: 'vmagent',
    wire: 1,
    start: (lab, name, target, sink) => vmagent(lab, name, scrapeConfig(target), sink),
  },
  {
    name: 'prometheus-2',
    wire: 1,
    start: (lab, name, target, sink) =>
      prometheus(lab, { name, major: 2, mode: 'agent', config: config(target, sink, null) }),
  },
  ...([1, 2] as const).map((wire): AgentKind => ({
    name: 'prometheus-3',
    wire,
    start: (lab, name, target, sink) =>
      prometheus(lab, { name, major: 3, mode: 'agent', config: config(target, sink, wire) }),
  })),
];

const scrapeConfig = (target: string): string => `
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs: [{ job_name: bench, static_configs: [{ targets: ['${target}'] }] }]
`;

const config = (target: string, sink: string, wire: 1 | 2 | null): string => `${scrapeConfig(target)}
remote_write: [{ url: '${sink}'${wire === null ? '' : `, protobuf_message: ${messages[wire]}`} }]
`;

interface Result {
  readonly name: string;
  readonly wire: 1 | 2;
  readonly churn: number;
  readonly cpuMicros: number;
  readonly resident: number;
  readonly peak: number;
  readonly bytesSent: number;
  readonly note: string | null;
}

export const bench: Bench = async (options) => {
  const series = options.series ?? (options.quick ? 2000 : 10_000);
  const seconds = options.seconds ?? (options.quick ? 15 : 60);
  const results: Result[] = [];
  for (const churn of CHURNS) {
    for (const agent of AGENTS) {
      if (agent.name.includes(options.only)) results.push(await measure(agent, churn, series, seconds, options));
    }
  }
  print(results, series, seconds);
};

async function measure(
  agent: AgentKind,
  churn: number,
  series: number,
  seconds: number,
  { lab }: Options,
): Promise<Result> {
  const { wire } = agent;
  const name = `${agent.name}-${wire}-${churn}`;
  process.stderr.write(`scrape: ${agent.name} to ${wire}.0, churn ${churn} …\n`);
  const target = await serveTarget(lab, { series, churn });
  const sink = await CountingSink.serve(lab);
  const measured = await agent.start(lab, name, target.address, sink.url);
  const { pids } = measured;
  await waitUntil('the target was scraped for a while', 90_000, () => target.scrapes() >= WARM_SCRAPES);
  await waitUntil('what was scraped arrives', 60_000, () => sink.samples >= (WARM_SCRAPES / 2) * series);

  const before = { cpu: await cpuSeconds(pids), scrapes: target.scrapes(), samples: sink.samples, bytes: sink.bytes };
  let resident = 0;
  for (const untilMs = Date.now() + seconds * 1000; Date.now() < untilMs;) {
    await sleep(Math.min(1000, untilMs - Date.now()));
    resident = Math.max(resident, await residentBytes(pids));
  }
  const cpu = (await cpuSeconds(pids)) - before.cpu;
  const scrapes = target.scrapes() - before.scrapes;
  const sent = sink.samples - before.samples;
  const bytes = sink.bytes - before.bytes;
  const peak = await peakBytes(pids);
  const note = await rowsNote(measured, name, sink.samples);
  await measured.process.stop();

  // A scrape may stand on either edge of the time, and batches and flushes are up to five seconds long.
  if (Math.abs(scrapes - seconds) > 2) throw new Error(`${name}: ${scrapes} scrapes in ${seconds} s, not one a second`);
  if (sent < (scrapes - 7) * series) {
    throw new Error(`${name}: forwarded ${sent} samples of ${scrapes} scrapes of ${series} series`);
  }
  if (sink.errors.length > 0) throw new Error(`${name}: sent what cannot be read: ${sink.errors[0]}`);
  return {
    name: measured.name,
    wire,
    churn,
    cpuMicros: (cpu * 1e6) / (scrapes * series),
    resident,
    peak,
    bytesSent: bytes / sent,
    note,
  };
}

async function rowsNote(
  { narthex: started, forgetful }: Measured,
  name: string,
  samples: number,
): Promise<string | null> {
  if (started === undefined) return null;
  const records = await metric(started, 'narthex_log_records_appended_total', 'log="agent');
  const perTenThousand = (count: number): string => ((count * 1e4) / samples).toFixed(2);
  if (forgetful === true) return `${name}, per 10,000 samples: ${perTenThousand(records)} log records appended`;
  const rows = await metric(started, 'narthex_object_rows_written_total', 'log="agent');
  return `${name}, per 10,000 samples: ${perTenThousand(records)} log records appended, ${perTenThousand(rows)} rows written, deleted ones included (the platform's counter; alarms come on top)`;
}

function print(results: readonly Result[], series: number, seconds: number): void {
  console.log(
    `\nscrape: ${series} series every second for ${seconds} s, forwarded to a sink; CPU of the whole process\n`,
  );
  const columns = [
    { title: 'agent', text: true },
    { title: 'wire' },
    { title: 'new series' },
    { title: 'µs CPU/sample' },
    { title: 'ratio' },
    { title: 'RSS MB', digits: 0 },
    { title: 'ratio' },
    { title: 'peak MB', digits: 0 },
    { title: 'B sent/sample' },
  ];
  console.log(
    table(
      columns,
      results.map((row): Cell[] => {
        const reference = results.find((other) => other.churn === row.churn);
        return [
          row.name,
          `${row.wire}.0`,
          `${row.churn * 100} %`,
          row.cpuMicros,
          ratio(row.cpuMicros, reference?.cpuMicros),
          row.resident / 1e6,
          ratio(row.resident, reference?.resident),
          row.peak / 1e6,
          row.bytesSent,
        ];
      }),
    ),
  );
  for (const { note } of results) if (note !== null) console.log(note);
}
