/** Starts Narthex as its user does, by the built command, and asks it. */
import { execFile } from 'node:child_process';
import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { apiTo } from '../../src/cli/api.ts';
import { listBlocks } from '../../src/cli/blocks-ls.ts';
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
  /** `NARTHEX_ENABLE_FEATURE`. */
  readonly features?: readonly string[];
  /** A module that is loaded into the command before it begins. */
  readonly preload?: string;
  /** Another folder of the Worker's sources and `wrangler.toml`. */
  readonly root?: string;
}

export async function startNarthex(lab: Lab, options: NarthexOptions): Promise<Narthex> {
  const { name, port, state } = options;
  const config = await lab.write(`${name}.yml`, options.config);
  const environment = {
    ...(options.limits === undefined ? {} : { NARTHEX_LIMITS: options.limits }),
    ...(options.features === undefined ? {} : { NARTHEX_ENABLE_FEATURE: options.features.join(',') }),
    ...(options.root === undefined ? {} : { NARTHEX_WORKER_ROOT: options.root }),
  };
  const preload = options.preload === undefined ? [] : ['--import', options.preload];
  const args = [...preload, narthexProgram, 'start', '--port', String(port), '--config', config, '--state', state];
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

/** How many blocks were cut; the snapshot of what is not cut yet is none of them. */
export async function cutBlocks(narthex: Narthex): Promise<number> {
  return (await listBlocks(apiTo(narthex.url, null))).length;
}

/** The Worker as it is, but for the cron that cuts: it fires every minute instead of every hour. */
export async function hastyRoot(lab: Lab): Promise<string> {
  const root = await lab.dir('root');
  for (const name of ['src', 'durable', 'wrangler.toml', 'prometheus.yml', 'package.json']) {
    await cp(name, join(root, name), { recursive: true });
  }
  await symlink(join(process.cwd(), 'node_modules'), join(root, 'node_modules'));
  for (const name of ['wrangler.toml', 'durable/crons.ts']) {
    const text = await readFile(join(root, name), 'utf8');
    if (!text.includes('35 * * * *')) throw new Error(`${name} does not have the cron that cuts`);
    await writeFile(join(root, name), text.replaceAll('35 * * * *', '*/1 */1 * * *'));
  }
  return root;
}

/**
 * The sum over all series of a metric on `/metrics`, those alone whose label set holds `part`. Throws when there is none.
 */
export async function metric(narthex: Narthex, name: string, part = ''): Promise<number> {
  const value = (await metrics(narthex, [name], part)).get(name);
  if (value === undefined) throw new Error(`/metrics has no ${name} ${part}`);
  return value;
}

/** The same of several, from one answer. */
export async function metrics(narthex: Narthex, names: readonly string[], part = ''): Promise<Map<string, number>> {
  const sums = new Map<string, number>();
  for (const line of (await get(`${narthex.url}/metrics`)).split('\n')) {
    const [, name = '', labels = '', value] = /^([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)/.exec(line) ?? [];
    if (names.includes(name) && labels.includes(part)) sums.set(name, (sums.get(name) ?? 0) + Number(value));
  }
  return sums;
}

export const appendedName = 'prometheus_agent_samples_appended_total';

/** Waits until nothing is added and nothing is pending any more; gives back how many samples were ever logged. */
export async function settled(narthex: Narthex): Promise<number> {
  let last = -1;
  let since = Date.now();
  return await waitUntil(
    'the log is at rest',
    180_000,
    async () => {
      const now = await metric(narthex, appendedName);
      if (now !== last || (await metric(narthex, 'prometheus_remote_storage_samples_pending')) > 0) since = Date.now();
      last = now;
      // Metrics are cached for a few seconds, and a target that is gone is told at the next round.
      return Date.now() - since > 15_000 && now;
    },
    1000,
  );
}
