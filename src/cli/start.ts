/**
 * `narthex start`: the whole deployment on this machine. Here is what happens before and after: signals, the lock, what an
 * earlier start has left. The one invariant: whoever holds a directory's lock is the only one that runs on it.
 */

import { mkdirSync, realpathSync } from 'node:fs';
import { readChecked } from './config-check.ts';
import { Failure } from './failure.ts';
import { messageOf } from '../model/error.ts';
import { localSecrets, lookup } from './local-secrets.ts';
import { acquireLock } from './lock.ts';
import type { ProcessId } from './process-id.ts';
import { readRun, removeRun } from './run-file.ts';
import { Session } from './session.ts';
import { endSurvivors } from './survivors.ts';

export interface StartOptions {
  readonly port: number;
  readonly configFile: string | null;
  readonly stateDir: string;
}

/** Serves until a signal (0), or until it cannot go on (1). Throws a `Failure` when it cannot begin. */
export async function start(options: StartOptions): Promise<number> {
  const signal = stopSignal();
  const config = options.configFile === null ? null : await readChecked(options.configFile, lookup(localSecrets()));
  const dir = stateDir(options.stateDir);
  const lock = await acquireLock(dir);
  if (!lock.ok) throw refusal(dir, lock.owner);
  try {
    for (const { pid } of await endSurvivors(dir)) {
      console.log(`Ended workerd (pid ${pid}): an earlier start on ${dir} was killed and left it running.`);
    }
    return await new Session(dir, options.port, signal).run(config);
  } finally {
    removeRun(dir);
    lock.release();
  }
}

/** Resolves at the first signal that asks to stop; at the second, the process ends at once. */
function stopSignal(): Promise<'signal'> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (asked) process.exit(1);
        asked = true;
        resolve('signal');
      });
    }
  });
}

function stateDir(path: string): string {
  try {
    // Only for its owner: configurations hold credentials.
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Failure(`the state directory cannot be made: ${messageOf(error)}: choose another with --state`);
  }
  return realpathSync(path);
}

function refusal(dir: string, owner: ProcessId): Failure {
  const port = readRun(dir)?.port ?? null;
  const where = port === null ? '' : `, http://localhost:${port}`;
  return new Failure(
    `narthex runs on ${dir} already (pid ${owner.pid}${where}): stop it (kill ${owner.pid}), or choose another directory with --state`,
  );
}
