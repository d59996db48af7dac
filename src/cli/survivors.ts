/**
 * What a `start` that was killed has left running. The one invariant: ended is only what the run file of this directory
 * names, with the same start time and the command line of workerd.
 */

import { commandLine, end, isAlive, type ProcessId } from './process-id.ts';
import { readRun } from './run-file.ts';
import { Failure } from './failure.ts';

/** Ends them all and waits; returns those that were found. Call it while holding the directory's lock. */
export async function endSurvivors(dir: string): Promise<ProcessId[]> {
  const found = (readRun(dir)?.workerd ?? []).filter((id) => isAlive(id) && isWorkerd(id));
  for (const id of found) {
    if (!(await end(id))) {
      throw new Failure(
        `workerd (pid ${id.pid}), left by an earlier start, uses ${dir} and cannot be ended: end it yourself, or choose another directory with --state`,
      );
    }
  }
  return found;
}

/** `…/workerd serve …`, as miniflare starts it. */
export function isWorkerd(id: ProcessId): boolean {
  return /(^|[/\\])workerd(\.exe)? serve /.test(commandLine(id.pid));
}
