/**
 * Which process is meant, and whether it still runs. A process is its id *and* its start time: ids are used again. The one
 * invariant: nothing is ever signalled whose start time differs from the recorded one.
 */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessId {
  readonly pid: number;
  /** Opaque; compared, never read. */
  readonly startTime: string;
}

/** The running process with this id; null when there is none, or only its exit status is left (a zombie). */
export function identify(pid: number): ProcessId | null {
  return process.platform === 'linux' ? identifyByProc(pid) : identifyByPs(pid);
}

export function isAlive(id: ProcessId): boolean {
  return identify(id.pid)?.startTime === id.startTime;
}

/** The process itself; every process can be identified while it runs. */
export function self(): ProcessId {
  return identify(process.pid) ?? { pid: process.pid, startTime: 'unknown' };
}

/** proc(5): `/proc/PID/stat` holds the state as field 3, the group as 5, the start in clock ticks since boot as 22. */
function identifyByProc(pid: number): ProcessId | null {
  const fields = procStat(pid);
  if (fields === null || fields[0] === 'Z' || fields[0] === 'X') return null;
  // Ticks since boot mean nothing after another boot.
  return { pid, startTime: `${fields[19]}@${bootId()}` };
}

/** The fields from 3 on. Field 2 is the command in parentheses, and may itself hold spaces and parentheses. */
function procStat(pid: number): string[] | null {
  const stat = readOrNull(`/proc/${pid}/stat`);
  return stat === null ? null : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function bootId(): string {
  return (readOrNull('/proc/sys/kernel/random/boot_id') ?? '').trim();
}

/** Where there is no `/proc`. To the second, which is enough next to the id and the command line. */
export function identifyByPs(pid: number): ProcessId | null {
  const line = ps(pid, 'stat=,lstart=');
  const match = /^(\S+)\s+(\S.*)$/.exec(line);
  if (match === null || match[1]!.startsWith('Z')) return null;
  return { pid, startTime: match[2]! };
}

/** Program and arguments, separated by spaces; empty when the process is gone. */
export function commandLine(pid: number): string {
  if (process.platform === 'linux') return (readOrNull(`/proc/${pid}/cmdline`) ?? '').replaceAll('\0', ' ').trim();
  return ps(pid, 'args=');
}

/** The process group: what Ctrl-C in a terminal reaches, and what `kill -9 -PGID` ends. */
export function groupOf(pid: number): number | null {
  const text = process.platform === 'linux' ? procStat(pid)?.[2] : ps(pid, 'pgid=');
  const group = Number(text ?? '');
  return group > 0 ? group : null;
}

/** SIGKILL, and waits until it is gone. True when it is. */
export async function end(id: ProcessId, timeoutMs = 5_000): Promise<boolean> {
  const giveUpAt = Date.now() + timeoutMs;
  while (isAlive(id)) {
    if (Date.now() > giveUpAt) return false;
    try {
      process.kill(id.pid, 'SIGKILL');
    } catch (error) {
      // Gone in between; not ours to end is the only other reason, and then it stays alive until the time is up.
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true;
    }
    await sleep(20);
  }
  return true;
}

function ps(pid: number, columns: string): string {
  const { stdout } = spawnSync('ps', ['-o', columns, '-p', String(pid)], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  return (stdout ?? '').trim();
}

function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
