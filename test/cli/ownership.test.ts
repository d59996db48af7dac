/** Who owns a state directory, and which process is meant: without starting anything but a shell. */

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { acquireLock, type Locked } from '../../src/cli/lock.ts';
import { commandLine, end, groupOf, identify, identifyByPs, isAlive, self } from '../../src/cli/process-id.ts';
import { readRun, removeRun, writeRun, type Run } from '../../src/cli/run-file.ts';
import { endSurvivors } from '../../src/cli/survivors.ts';
import { eventually } from './start-process.ts';

let dir: string;
let child: ChildProcess;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'narthex-test-'));
  child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', '/bin/workerd', 'serve', '--binary'], {
    stdio: 'ignore',
  });
});
afterEach(() => {
  child.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

const dead = { pid: 4_194_303, startTime: 'long ago' };
const run = (workerd: Run['workerd']): Run => {
  return { start: dead, pgid: null, watchdog: null, workerd, port: 8787, startedAt: '2026-11-22T13:00:00.000Z' };
};

describe('a process', () => {
  test('is its id and its start time', async () => {
    const id = identify(child.pid!)!;
    expect(isAlive(id)).toBe(true);
    expect(isAlive({ ...id, startTime: `${id.startTime}0` })).toBe(false);
    expect(isAlive(dead)).toBe(false);
    expect(commandLine(id.pid)).toContain('workerd serve --binary');
    expect(groupOf(process.pid)).toBeGreaterThan(0);
    expect(self().pid).toBe(process.pid);

    expect(await end({ ...id, startTime: 'another' })).toBe(true);
    expect(isAlive(id)).toBe(true);
    expect(await end(id)).toBe(true);
    expect(isAlive(id)).toBe(false);
    expect(await end(id)).toBe(true);
    await eventually(() => child.signalCode === 'SIGKILL', 'its end');
  });

  test.runIf(identifyByPs(process.pid) !== null)('is told apart by ps as well, where there is no /proc', async () => {
    const id = identifyByPs(child.pid!)!;
    expect(id).toEqual(identifyByPs(child.pid!));
    expect(id.startTime).toMatch(/\d\d:\d\d:\d\d/);
    child.kill('SIGKILL');
    await eventually(() => identifyByPs(child.pid!) === null, 'its end');
  });
});

describe('the lock', () => {
  const lock = (): string => join(dir, 'lock');

  test('is held by one, and free after it', async () => {
    const first = await acquireLock(dir);
    expect(await acquireLock(dir)).toEqual({ ok: false, owner: self() });
    (first as Locked & { ok: true }).release();
    expect((await acquireLock(dir)).ok).toBe(true);
    expect(readdirSync(dir)).toEqual(['lock']);
  });

  test.each([
    ['of a process that is gone', JSON.stringify(dead)],
    ['of a process whose id another one has now', JSON.stringify({ pid: process.pid, startTime: 'before' })],
    ['that is empty', ''],
    ['that is no lock', '[1, 2'],
  ])('%s is taken over', async (_, text) => {
    writeFileSync(lock(), text);
    expect((await acquireLock(dir)).ok).toBe(true);
    expect(JSON.parse(readFileSync(lock(), 'utf8'))).toEqual(self());
    expect(readdirSync(dir)).toEqual(['lock']);
  });

  test('of another is not released', async () => {
    const mine = (await acquireLock(dir)) as Locked & { ok: true };
    writeFileSync(lock(), 'theirs');
    mine.release();
    expect(readFileSync(lock(), 'utf8')).toBe('theirs');
  });
});

describe('the run file', () => {
  test('is read as it was written, and null when it is none', () => {
    expect(readRun(dir)).toBe(null);
    writeRun(dir, run([dead]));
    expect(readRun(dir)).toEqual(run([dead]));
    for (const text of ['', '{', '{}', 'null', '{"start":{"pid":1,"startTime":"x"},"workerd":[{"pid":"1"}]}']) {
      writeFileSync(join(dir, 'run.json'), text);
      expect(readRun(dir)).toBe(null);
    }
    removeRun(dir);
    expect(readdirSync(dir)).toEqual([]);
  });

  test('names what is ended: only what is workerd, and the same process', async () => {
    const id = identify(child.pid!)!;
    // Looks like workerd by its command line, but was started at another time; and the test itself, which does not.
    writeRun(dir, run([{ ...id, startTime: 'another' }, self(), dead]));
    expect(await endSurvivors(dir)).toEqual([]);
    expect(isAlive(id)).toBe(true);
    writeRun(dir, run([id, dead]));
    expect(await endSurvivors(dir)).toEqual([id]);
    expect(isAlive(id)).toBe(false);
  });
});
