/** Starts Narthex as its user does, by the built command, and asks it. */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { alive, GiveUp, type Lab, processTree, type Started, get, waitUntil } from './lab.ts';
import { narthexProgram } from './setup.ts';

const run = promisify(execFile);

export interface Narthex {
  readonly url: string;
  readonly port: number;
  readonly process: Started;
}

export interface NarthexOptions {
  readonly name: string;
  readonly port: number;
  /** A `prometheus.yml`. */
  readonly config: string;
  /** The state folder; a restart names the same one. */
  readonly state: string;
  /** `NARTHEX_LIMITS`. */
  readonly limits?: string;
}

export async function startNarthex(lab: Lab, options: NarthexOptions): Promise<Narthex> {
  const { name, port, state } = options;
  const config = await lab.write(`${name}.yml`, options.config);
  const environment = options.limits === undefined ? {} : { NARTHEX_LIMITS: options.limits };
  const args = [narthexProgram, 'start', '--port', String(port), '--config', config, '--state', state];
  const narthex = {
    url: `http://127.0.0.1:${port}`,
    port,
    process: lab.start(name, process.execPath, args, environment),
  };
  await ready(narthex);
  return narthex;
}

export async function ready(narthex: Narthex): Promise<void> {
  await waitUntil(`${narthex.process.name} is ready`, 90_000, async () => {
    if (!narthex.process.running) throw new GiveUp(`start ended: ${await narthex.process.tail(5)}`);
    return await get(`${narthex.url}/-/ready`);
  });
}

/** Kills it with all that belongs to it, and starts it again by the same command after `downMs`. */
export async function killAndRestart(
  lab: Lab,
  narthex: Narthex,
  options: NarthexOptions,
  downMs = 0,
): Promise<Narthex> {
  const tree = await processTree(narthex.process.pid);
  process.kill(-narthex.process.pid, 'SIGKILL');
  await waitUntil('the killed processes are gone', 30_000, async () => {
    return !(await Promise.all(tree.map(alive))).includes(true);
  });
  await sleep(downMs);
  return await startNarthex(lab, options);
}

/** Everything accepted until now as blocks in `dir`, by `narthex blocks pull --snapshot`. */
export async function pullSnapshot(narthex: Narthex, dir: string): Promise<string> {
  const args = [narthexProgram, 'blocks', 'pull', dir, '--snapshot', '--url', narthex.url];
  const { stdout } = await run(process.execPath, args, { timeout: 120_000 });
  return stdout;
}

/** The sum over all series of a metric on `/metrics`, those alone whose label set holds `part`. Throws when there is none. */
export async function metric(narthex: Narthex, name: string, part = ''): Promise<number> {
  const values = (await get(`${narthex.url}/metrics`))
    .split('\n')
    .map((line) => /^([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)/.exec(line))
    .filter((match) => match !== null && match[1] === name && (match[2] ?? '').includes(part))
    .map((match) => Number(match![3]));
  if (values.length === 0) throw new Error(`/metrics has no ${name} ${part}`);
  return values.reduce((sum, value) => sum + value, 0);
}
