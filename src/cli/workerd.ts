/**
 * Sees the workerd processes that miniflare starts, through Node's own channel for child processes: miniflare does not tell
 * their ids. Only looks; starting and ending them stays miniflare's.
 */

import type { ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { basename } from 'node:path';
import { identify, type ProcessId } from './process-id.ts';

export interface WorkerdEvents {
  /** Right after it was started, before it has read its configuration. */
  started(id: ProcessId): void;
  /** `how` is the signal, or the exit code as a sentence's part. */
  ended(id: ProcessId, how: string): void;
}

/** Calls back until the returned function is called. */
export function watchWorkerd(events: WorkerdEvents): () => void {
  const onChild = (message: unknown): void => {
    const child = (message as { process: ChildProcess }).process;
    child.once('spawn', () => {
      if (!basename(child.spawnfile).startsWith('workerd') || child.pid === undefined) return;
      const id = identify(child.pid);
      if (id === null) return;
      events.started(id);
      child.once('exit', (code, signal) => events.ended(id, signal ?? `exit code ${code}`));
    });
  };
  subscribe('child_process', onChild);
  return () => {
    unsubscribe('child_process', onChild);
  };
}
