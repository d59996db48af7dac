/**
 * What processes have used, from /proc: CPU as the kernel charged it, so that what other programs do on the machine lengthens
 * a run, but not its CPU (as far as they share no caches).
 */
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** CPU seconds of the processes since they began, user and system, children that have ended included. */
export async function cpuSeconds(pids: readonly number[]): Promise<number> {
  let ticks = 0;
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // Behind the command, which may hold spaces: state is field 3, utime to cstime are fields 14 to 17.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    for (let field = 14; field <= 17; field++) ticks += Number(fields[field - 3]);
  }
  return ticks / TICKS_PER_SECOND;
}

/** The most memory that the processes had resident at once, each by itself, in bytes (`VmHWM`); files that are mapped count. */
export async function peakBytes(pids: readonly number[]): Promise<number> {
  return await sumOfStatus(pids, 'VmHWM');
}

/** What they have resident now (`VmRSS`). */
export async function residentBytes(pids: readonly number[]): Promise<number> {
  return await sumOfStatus(pids, 'VmRSS');
}

async function sumOfStatus(pids: readonly number[], name: string): Promise<number> {
  let bytes = 0;
  for (const pid of pids) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    bytes += 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]);
  }
  return bytes;
}

/** Waits until the processes have used less than 2 % of a core for three seconds. False when they did not within the time. */
export async function settled(pids: readonly number[], timeoutMs: number): Promise<boolean> {
  let quiet = 0;
  for (const untilMs = Date.now() + timeoutMs; Date.now() < untilMs;) {
    const before = await cpuSeconds(pids);
    await sleep(1000);
    quiet = (await cpuSeconds(pids)) - before < 0.02 ? quiet + 1 : 0;
    if (quiet === 3) return true;
  }
  return false;
}
