/**
 * The worker, its objects and its bucket in workerd, by miniflare, as far as this command needs them. Not the life of the
 * processes: that is `start.ts`. The one invariant: what listens listens on 127.0.0.1.
 */

import type { MiniflareOptions } from 'miniflare';
import type { Deployment } from './deployment.ts';
import { Failure } from './failure.ts';
import { messageOf } from '../model/error.ts';

export interface RuntimeOptions {
  readonly deployment: Deployment;
  /** The bundled worker. */
  readonly script: string;
  /** Bound as variables, under their names. */
  readonly secrets: Readonly<Record<string, string>>;
  /** In the place of the deployment's own. */
  readonly variables: Readonly<Record<string, string>>;
  /** 0 lets the system choose one. */
  readonly port: number;
  /** Holds `do` and `r2`. */
  readonly stateDir: string;
  /** An error or a warning of workerd, or of the worker. */
  onLog(message: string): void;
  /** workerd had ended by itself, miniflare has started it again, and it answers. */
  onRestarted(): void;
  /** workerd had ended by itself and could not be started again. */
  onRestartFailed(error: Error): void;
}

export interface Runtime {
  readonly port: number;
  /** Resolves when the handler has ended, with its outcome (`ok`, `exception`, …); rejects when workerd goes away meanwhile. */
  scheduled(cron: string, timeMs: number): Promise<string>;
  /** Ends workerd. What was answered is on disk: nothing has to be waited for. */
  dispose(): Promise<void>;
}

const HOST = '127.0.0.1';

export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { Log, LogLevel, Miniflare } = await import('miniflare');
  // Nothing is printed but by this command. After the start, miniflare reports errors of a restart, and only those.
  const log = new (class extends Log {
    override error(error: Error): void {
      options.onRestartFailed(error);
    }
  })(LogLevel.NONE);
  const before = signalListeners();
  const miniflare = new Miniflare({ ...miniflareOptions(options), log });
  dropNewSignalListeners(before);
  try {
    await miniflare.ready;
  } catch (error) {
    await miniflare.dispose().catch(() => {});
    throw explained(error, options.port);
  }
  return {
    port: Number((await miniflare.unsafeGetDirectURL()).port),
    scheduled: async (cron, timeMs) => {
      const worker = await miniflare.getWorker();
      return (await worker.scheduled({ cron, scheduledTime: new Date(timeMs) })).outcome;
    },
    dispose: () => miniflare.dispose(),
  };
}

function miniflareOptions({
  deployment,
  script,
  secrets,
  variables,
  port,
  stateDir,
  ...options
}: RuntimeOptions): MiniflareOptions {
  const env: Env = {};
  // First, so that none takes the place of a binding.
  for (const [name, value] of Object.entries(secrets)) env[name] = { type: 'text', value };
  env['NARTHEX_OPEN'] = { type: 'text', value: HOST };
  for (const [name, value] of Object.entries({ ...deployment.vars, ...variables })) env[name] = { type: 'text', value };
  for (const { binding, name } of deployment.buckets) env[binding] = { type: 'r2', name };
  for (const { binding, className } of deployment.objects) {
    env[binding] = { type: 'durable-object', worker: deployment.name, exportName: className };
  }
  return {
    host: HOST,
    // The port of miniflare's own entry worker, which we do not need: requests reach the worker directly, on a socket of
    // its own (below), as fast as workerd is and without the local endpoints that miniflare adds.
    port: 0,
    // Would be fetched from the network, to fill `request.cf`.
    cf: false,
    enableDevRegistry: false,
    resourcePersistencePath: stateDir,
    handleStructuredLogs: ({ level, message }) => {
      if (level === 'error' || level === 'warn') options.onLog(message);
    },
    unsafeHandleRuntimeRestart: () => options.onRestarted(),
    workers: [
      {
        config: {
          name: deployment.name,
          compatibilityDate: deployment.compatibilityDate,
          compatibilityFlags: [...deployment.compatibilityFlags],
          env,
          exports: Object.fromEntries(
            deployment.objects.map(({ className }) => [className, { type: 'durable-object', storage: 'sqlite' }]),
          ),
          manifest: { mainModule: 'worker.js', modules: { 'worker.js': { type: 'esm', contents: script } } },
        },
        dev: { unsafeDirectSockets: [{ host: HOST, port }] },
      },
    ],
  };
}

type Env = NonNullable<NonNullable<MiniflareOptions['workers']>[number]['config']['env']>;

/** The listeners of the signals that end `start`. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type Listeners = ReadonlyMap<NodeJS.Signals, readonly NodeJS.SignalsListener[]>;
const signalListeners = (): Listeners => new Map(SIGNALS.map((signal) => [signal, process.listeners(signal)]));

/** miniflare would exit at once, with the signal's code. */
function dropNewSignalListeners(before: Listeners): void {
  for (const signal of SIGNALS) {
    for (const listener of process.listeners(signal)) {
      if (before.get(signal)?.includes(listener) !== true) process.removeListener(signal, listener);
    }
  }
}

function explained(error: unknown, port: number): Failure {
  const { code } = error as { code?: unknown };
  return new Failure(
    code === 'ERR_ADDRESS_IN_USE'
      ? `port ${port} of ${HOST} is in use by another program: end that, or choose another port with --port`
      : `workerd could not be started: ${messageOf(error)}`,
  );
}
