/** `run.json` in the state directory: what belongs to the `start` that runs there, for the next one and for whoever looks. */

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessId } from './process-id.ts';

export interface Run {
  readonly start: ProcessId;
  /** The process group of `start`, which workerd shares and the watchdog does not. */
  readonly pgid: number | null;
  readonly watchdog: ProcessId | null;
  readonly workerd: readonly ProcessId[];
  /** Null until it is known. */
  readonly port: number | null;
  /** ISO 8601. */
  readonly startedAt: string;
}

const path = (dir: string): string => join(dir, 'run.json');

/** Written aside and renamed: a reader finds the old or the new one, never a half. */
export function writeRun(dir: string, run: Run): void {
  const file = path(dir);
  writeFileSync(`${file}.new`, `${JSON.stringify(run, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}

/** Null when there is none, or it is not one. */
export function readRun(dir: string): Run | null {
  try {
    const run = JSON.parse(readFileSync(path(dir), 'utf8')) as Run;
    return isProcessId(run.start) && Array.isArray(run.workerd) && run.workerd.every(isProcessId) ? run : null;
  } catch {
    return null;
  }
}

export function removeRun(dir: string): void {
  rmSync(path(dir), { force: true });
}

function isProcessId(value: unknown): value is ProcessId {
  const id = value as ProcessId | null;
  return typeof id === 'object' && Number.isInteger(id?.pid) && typeof id?.startTime === 'string';
}
