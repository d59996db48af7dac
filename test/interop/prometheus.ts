/** Starts real Prometheus servers and agents, and asks them. */
import { GiveUp, type Lab, type Started, freePort, get, peer, waitUntil } from './lab.ts';

export type Major = 2 | 3;

export interface Prometheus {
  readonly url: string;
  /** Where its TSDB is, or its write-ahead log in agent mode. */
  readonly dir: string;
  readonly process: Started;
}

export interface PrometheusOptions {
  readonly name: string;
  readonly major: Major;
  readonly mode?: 'server' | 'agent';
  /** `prometheus.yml`; an empty one by default, which is what a mere receiver needs. */
  readonly config?: string;
  /** An existing TSDB to serve; a new empty one by default. */
  readonly dir?: string;
  /** For one that comes back where it was; a free one by default. */
  readonly port?: number;
  /** More of `--enable-feature`. */
  readonly features?: readonly string[];
  /** A command that runs it, as arguments of its own. */
  readonly wrap?: readonly string[];
  /** Whether it takes OTLP; only 3 does. */
  readonly otlp?: boolean;
}

export const messages = { 1: 'prometheus.WriteRequest', 2: 'io.prometheus.write.v2.Request' } as const;

export async function startPrometheus(lab: Lab, options: PrometheusOptions): Promise<Prometheus> {
  const { name, major } = options;
  const dir = options.dir ?? (await lab.dir(`${name}-data`));
  const config = await lab.write(`${name}.yml`, options.config ?? '{}\n');
  const port = options.port ?? (await freePort());
  const args = [`--config.file=${config}`, `--web.listen-address=127.0.0.1:${port}`, '--log.level=warn'];
  if (options.mode === 'agent') {
    args.push(`--storage.agent.path=${dir}`);
    // In 3 the records of metadata are what gives Remote Write 2.0 its types and help texts.
    if (major === 2) args.push('--enable-feature=agent');
    else args.push('--agent', '--enable-feature=metadata-wal-records');
  } else {
    args.push(`--storage.tsdb.path=${dir}`, '--storage.tsdb.retention.time=10y', '--web.enable-remote-write-receiver');
    if (options.otlp === true) args.push('--web.enable-otlp-receiver');
    if (major === 3) {
      for (const message of Object.values(messages)) {
        args.push(`--web.remote-write-receiver.accepted-protobuf-messages=${message}`);
      }
    }
  }
  for (const feature of options.features ?? []) args.push(`--enable-feature=${feature}`);
  const url = `http://127.0.0.1:${port}`;
  const [program, ...rest] = [...(options.wrap ?? []), peer(`prometheus-${major}`), ...args];
  const started = lab.start(name, program!, rest);
  await waitUntil(`${name} is ready`, 60_000, async () => {
    if (!started.running) throw new GiveUp(`${name} ended: ${await started.tail(3)}`);
    return await get(`${url}/-/ready`);
  });
  return { url, dir, process: started };
}

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  /** Seconds and the value as text, for an instant query of an instant vector. */
  readonly value?: readonly [number, string];
  /** The same for a range vector: the samples as stored, without stale markers. */
  readonly values?: readonly (readonly [number, string])[];
  readonly histograms?: readonly (readonly [number, { readonly count: string }])[];
}

/** An instant query, at `timestampMs` or now. */
export async function query(
  prometheus: Pick<Prometheus, 'url'>,
  expression: string,
  timestampMs?: number,
): Promise<Series[]> {
  const parameters = new URLSearchParams({ query: expression });
  if (timestampMs !== undefined) parameters.set('time', (timestampMs / 1000).toFixed(3));
  const body = JSON.parse(await get(`${prometheus.url}/api/v1/query?${parameters}`)) as { data: { result: Series[] } };
  return body.data.result;
}

/** The value of an expression that gives one series at most. */
export async function queryValue(
  prometheus: Prometheus,
  expression: string,
  timestampMs?: number,
): Promise<string | undefined> {
  const result = await query(prometheus, expression, timestampMs);
  if (result.length > 1) throw new Error(`${expression} gave ${result.length} series, expected at most one`);
  return result[0]?.value?.[1];
}
