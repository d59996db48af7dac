/**
 * One run of `start`, from the lock to the end: starts the watchdog, workerd and the crons, and ends them. The one
 * invariant: what runs is in the run file and known to the watchdog.
 */

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { VERSION } from '../version.ts';
import { apiTo, type Api } from './api.ts';
import { bundleWorker } from './bundle.ts';
import type { CheckedConfig } from './config-check.ts';
import { describeVersion, pushConfig, type InForce } from './config-push.ts';
import { driveCrons, type CronDriver } from './cron-driver.ts';
import type { Cron } from './cron.ts';
import { readDeployment } from './deployment.ts';
import { Failure } from './failure.ts';
import { messageOf } from '../model/error.ts';
import { localSecrets, localVariables } from './local-secrets.ts';
import { workerRoot } from './package-root.ts';
import { groupOf, self, type ProcessId } from './process-id.ts';
import { writeRun, type Run } from './run-file.ts';
import { startRuntime, type Runtime } from './runtime.ts';
import { formatLog } from './text.ts';
import { startWatchdog } from './watchdog.ts';
import { watchWorkerd } from './workerd.ts';

/** workerd that ends more often within a minute is not started again. */
const DEATHS_MAX = 5;

export class Session {
  readonly #dir: string;
  readonly #port: number;
  /** Resolves when there is no going on: by a signal, or with what failed. */
  readonly #over: Promise<'signal' | Error>;
  readonly #fail: (error: Error) => void;
  readonly #watchdog;
  #run: Run;
  #runtime: Runtime | null = null;
  #crons: CronDriver | null = null;
  #stopping = false;
  /** Grows with each workerd. */
  #generation = 0;
  #deathsMs: number[] = [];

  constructor(dir: string, port: number, signal: Promise<'signal'>) {
    this.#dir = dir;
    this.#port = port;
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.#fail = resolve;
    this.#over = Promise.race([signal, promise]);
    this.#watchdog = startWatchdog();
    const start = self();
    this.#run = {
      start,
      pgid: groupOf(start.pid),
      watchdog: this.#watchdog.id,
      workerd: [],
      port: null,
      startedAt: new Date().toISOString(),
    };
    this.#record({});
  }

  /** Serves until a signal (0), or until it cannot go on (1). Throws a `Failure` when it cannot begin. */
  async run(config: CheckedConfig | null): Promise<number> {
    const unwatch = watchWorkerd({
      started: (id) => this.#workerdStarted(id),
      ended: (id, how) => this.#workerdEnded(id, how),
    });
    const serving = this.#serve(config);
    try {
      const ended = await Promise.race([this.#over, serving.catch(afterSignals)]);
      const over = ended === 'serving' ? await this.#over : ended;
      if (over === 'signal') return 0;
      console.error(`narthex: ${over.message}`);
      return 1;
    } finally {
      this.#stopping = true;
      this.#crons?.stop();
      await this.#runtime?.dispose();
      // A signal may come while it is still starting: then it ends what it has started itself.
      await serving.catch(() => {});
      unwatch();
      this.#watchdog.dismiss();
      rmSync(this.#tmp(), { recursive: true, force: true });
    }
  }

  async #serve(config: CheckedConfig | null): Promise<'serving'> {
    const deployment = readDeployment(workerRoot());
    const script = await bundleWorker(deployment.main, deployment.keepNames);
    this.#useOwnTmp();
    const runtime = await startRuntime({
      deployment,
      script,
      secrets: localSecrets(),
      variables: localVariables(),
      port: this.#port,
      stateDir: this.#dir,
      onLog: (message) => this.#say(formatLog(message)),
      onRestarted: () => this.#restarted(),
      onRestartFailed: (error) =>
        this.#fail(new Failure(`workerd could not be started again: ${messageOf(error.cause ?? error)}`)),
    });
    if (this.#stopping) {
      await runtime.dispose();
      return 'serving';
    }
    this.#runtime = runtime;
    this.#record({ port: runtime.port });
    const api = apiTo(`http://127.0.0.1:${runtime.port}`, null);
    if (config !== null) await pushConfig(api, config, { 'x-narthex-config-source': 'start' });
    await this.#announce(api);
    this.#crons = driveCrons(deployment.crons, (cron, minuteMs) => void this.#fire(runtime, cron, minuteMs));
    this.#crons.fireNow();
    return 'serving';
  }

  /** Runs a cron to its end. A run that workerd's end, or ours, cut short is nothing to report: the next one takes over. */
  async #fire(runtime: Runtime, cron: Cron, minuteMs: number): Promise<void> {
    const generation = this.#generation;
    try {
      const outcome = await runtime.scheduled(cron.text, minuteMs);
      if (outcome !== 'ok') this.#say(`the run of cron ${JSON.stringify(cron.text)} ended as: ${outcome}`);
    } catch (error) {
      // A connection breaks a little before the end of the process is known.
      await sleep(500);
      if (generation !== this.#generation || this.#run.workerd.length === 0) return;
      this.#say(`cron ${JSON.stringify(cron.text)} could not be fired: ${messageOf(error)}`);
    }
  }

  #workerdStarted(id: ProcessId): void {
    this.#generation++;
    this.#record({ workerd: [...this.#run.workerd, id] });
  }

  #workerdEnded(id: ProcessId, how: string): void {
    this.#record({ workerd: this.#run.workerd.filter((other) => other.pid !== id.pid) });
    // Before the first is ready, `startRuntime` throws what went wrong.
    if (this.#runtime === null || this.#stopping) return;
    const nowMs = Date.now();
    this.#deathsMs = [...this.#deathsMs.filter((atMs) => atMs > nowMs - 60_000), nowMs];
    if (this.#deathsMs.length > DEATHS_MAX) {
      this.#fail(
        new Failure(`workerd has ended ${this.#deathsMs.length} times within a minute, last by ${how}: giving up`),
      );
      return;
    }
    void this.#sayEnded(id, how);
  }

  async #sayEnded(id: ProcessId, how: string): Promise<void> {
    // Ctrl-C reaches workerd too, sometimes before us: then its end is nothing to talk about.
    if (how.startsWith('SIG') && how !== 'SIGKILL') await sleep(200);
    this.#say(`workerd (pid ${id.pid}) has ended by ${how}: it is being started again`);
  }

  #restarted(): void {
    const pid = this.#run.workerd.at(-1)?.pid;
    this.#say(`workerd answers again on port ${this.#run.port} (pid ${pid})`);
    // Its runs have ended with it: new ones take their slots over now, not at the next minute.
    this.#crons?.fireNow();
  }

  async #announce(api: Api): Promise<void> {
    console.log(`narthex ${VERSION}
  page    http://localhost:${this.#run.port}
  state   ${this.#dir}
  config  ${describeVersion((await api.get('/api/v1/status/config')) as InForce)}
Ctrl-C stops it.`);
  }

  #say(message: string): void {
    if (!this.#stopping) console.error(`narthex: ${message}`);
  }

  #record(change: Partial<Run>): void {
    this.#run = { ...this.#run, ...change };
    this.#watchdog.watch(this.#run.workerd);
    writeRun(this.#dir, this.#run);
  }

  /** miniflare's temporary files, which `kill -9` leaves behind, go where the next start removes them. */
  #useOwnTmp(): void {
    rmSync(this.#tmp(), { recursive: true, force: true });
    mkdirSync(this.#tmp());
    process.env['TMPDIR'] = this.#tmp();
  }

  #tmp(): string {
    return join(this.#dir, 'tmp');
  }
}

/** Ctrl-C reaches the children as well, and what that breaks may be known before the signal: which then is the reason. */
async function afterSignals(error: unknown): Promise<never> {
  await sleep(200);
  throw error;
}
