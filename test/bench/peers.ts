/** Starts what is measured: Narthex as its user does, and its peers. Each tells which processes are to be measured. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Lab, freePort, get, GiveUp, peer, processTree, type Started, waitUntil } from '../interop/lab.ts';
import { type Narthex, startNarthex } from '../interop/narthex.ts';
import { startPrometheus } from '../interop/prometheus.ts';
import { packageVersion, prometheusVersion, victoriaMetricsVersion } from './options.ts';

export interface Measured {
  readonly name: string;
  readonly url: string;
  /** The processes that do the work. */
  readonly pids: readonly number[];
  readonly process: Started;
  /** Its agent loses its memory, and with it its count of rows. */
  readonly forgetful?: boolean;
  /** Present for Narthex alone. */
  readonly narthex?: Narthex;
}

/**
 * What is measured of Narthex is the user's workerd. The command that has started it only waits; `commandPids` are its processes. A `forgetful` agent
 * has lost its memory before every scrape.
 */
export async function narthex(
  lab: Lab,
  name: string,
  config: string,
  forgetful = false,
): Promise<Measured & { commandPids: number[] }> {
  const state = await lab.dir(`${name}-state`);
  const started = await startNarthex(lab, {
    name,
    port: await freePort(),
    state,
    config,
    ...(forgetful ? { preload: join(import.meta.dirname, 'forgetful.ts') } : {}),
  });
  const run = JSON.parse(await readFile(join(state, 'run.json'), 'utf8')) as { workerd: { pid: number }[] };
  const pids = run.workerd.map(({ pid }) => pid);
  if (pids.length !== 1) throw new Error(`narthex has ${pids.length} workerd, not one`);
  const tree = await processTree(started.process.pid);
  const commandPids = tree.map(({ pid }) => pid).filter((pid) => !pids.includes(pid));
  return {
    name: `narthex ${packageVersion('package.json')}${forgetful ? ', evicted before each scrape' : ''}`,
    url: started.url,
    pids,
    process: started.process,
    narthex: started,
    commandPids,
    forgetful,
  };
}

export async function prometheus(
  lab: Lab,
  options: { name: string; major: 2 | 3; mode?: 'server' | 'agent'; config?: string },
): Promise<Measured> {
  const started = await startPrometheus(lab, options);
  const kind = options.mode === 'agent' ? 'prometheus agent' : 'prometheus';
  return {
    name: `${kind} ${prometheusVersion(options.major)}`,
    url: started.url,
    pids: [started.process.pid],
    process: started.process,
  };
}

export async function victoriaMetrics(lab: Lab, name: string): Promise<Measured> {
  const dir = await lab.dir(`${name}-data`);
  return await victoria(lab, name, 'victoria-metrics', [`-storageDataPath=${dir}`, '-retentionPeriod=10y']);
}

export async function vmagent(
  lab: Lab,
  name: string,
  scrapeConfig: string,
  ...remotes: readonly string[]
): Promise<Measured> {
  const config = await lab.write(`${name}.yml`, scrapeConfig);
  const dir = await lab.dir(`${name}-data`);
  return await victoria(lab, name, 'vmagent', [
    `-promscrape.config=${config}`,
    ...remotes.map((remote) => `-remoteWrite.url=${remote}`),
    `-remoteWrite.tmpDataPath=${dir}`,
  ]);
}

async function victoria(
  lab: Lab,
  name: string,
  program: 'victoria-metrics' | 'vmagent',
  args: string[],
): Promise<Measured> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const started = lab.start(name, peer(program), [`-httpListenAddr=127.0.0.1:${port}`, '-loggerLevel=WARN', ...args]);
  await waitUntil(`${name} is ready`, 60_000, async () => {
    if (!started.running) throw new GiveUp(`${name} ended: ${await started.tail(3)}`);
    return await get(`${url}/health`);
  });
  return { name: `${program} ${victoriaMetricsVersion()}`, url, pids: [started.pid], process: started };
}
