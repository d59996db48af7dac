/**
 * One `start` a state directory. The lock is a file that names its owner; it is stale when that process is gone. The one
 * invariant: a file is created only by linking one that is complete, so whoever reads a lock reads all of it.
 */

import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, self, type ProcessId } from './process-id.ts';

export type Locked = { readonly ok: true; release(): void } | { readonly ok: false; readonly owner: ProcessId };

/** Takes the lock of a directory, from an owner that is gone too; or tells who holds it. */
export async function acquireLock(dir: string): Promise<Locked> {
  const file = join(dir, 'lock');
  const mine = `${file}.${process.pid}`;
  const text = JSON.stringify(self());
  for (;;) {
    writeFileSync(mine, text);
    const created = link(mine, file);
    rmSync(mine);
    if (created) {
      // Another start that judged the old lock stale may just have moved ours aside; it puts it back at once.
      await sleep(50);
      if (read(file) === text) return { ok: true, release: () => release(file, text) };
      continue;
    }
    const found = read(file);
    const owner = parse(found);
    if (owner !== null && isAlive(owner)) return { ok: false, owner };
    if (found !== null) breakStale(file, mine, found);
  }
}

/** Moving is atomic, so only one start gets the stale file. One that was faster than us and has locked anew gets it back. */
function breakStale(file: string, aside: string, stale: string): void {
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  if (read(aside) !== stale) link(aside, file);
  rmSync(aside, { force: true });
}

function release(file: string, text: string): void {
  if (read(file) === text) rmSync(file, { force: true });
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/** Null for what is not a lock of ours: it protects nobody. */
function parse(text: string | null): ProcessId | null {
  try {
    const { pid, startTime } = JSON.parse(text ?? '') as Partial<ProcessId>;
    return Number.isInteger(pid) && typeof startTime === 'string' ? { pid: pid!, startTime } : null;
  } catch {
    return null;
  }
}
