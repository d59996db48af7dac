/** `narthex start` for real: its processes, and what is left of them after each kind of `kill -9`. */

import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { isAlive, type ProcessId } from '../../src/cli/process-id.ts';
import { answers, cleanUp, eventually, gone, startOn, Started, tempDir } from './start-process.ts';

const TIMEOUT_MS = 60_000;
afterEach(cleanUp, TIMEOUT_MS);

/** All that a start has running, itself included. */
function processes(process: Started): ProcessId[] {
  const { start, watchdog, workerd } = process.run();
  return [start, watchdog!, ...workerd];
}

const note = async (process: Started, text: string): Promise<void> => {
  expect((await fetch(process.url(`/note?text=${text}`), { method: 'POST' })).status).toBe(204);
};

describe('start', { timeout: TIMEOUT_MS }, () => {
  test('serves the worker of wrangler.toml, fires its crons, refuses a second start, and stops with all it started', async () => {
    const started = await startOn(join(tempDir(), 'made/on/the/way'), '--port', '0');
    expect(started.output).toContain(`http://localhost:${started.port()}`);
    expect(started.output).toContain(started.dir);
    expect(started.output).toContain('the prometheus.yml of the package');

    await note(started, 'a');
    await eventually(async () => (await started.notes()).notes.length >= 3, 'two crons and a note');
    const { notes, keys, env, headers } = await started.notes();
    expect(env).toEqual(['127.0.0.1', 'hello', 'bundled: true\n']);
    expect(keys).toEqual(['note/a']);
    expect(notes.toSorted().slice(0, 3)).toEqual(['a', 'cron */1 * * * * at 0', 'cron * * * * * at 0'].toSorted());
    // Straight to the worker: nothing of miniflare's stands between.
    expect(headers.filter((name) => /^(cf|mf)-/.test(name))).toEqual([]);

    expect((await fetch(started.url('/throw'))).status).toBe(500);
    await started.printed('thrown on purpose');

    const second = new Started(started.dir, ['--port', '0']);
    expect(await second.exit()).toBe(1);
    expect(second.output).toContain(`(pid ${started.pid}, http://localhost:${started.port()})`);

    const ids = processes(started);
    const url = started.url('/notes');
    expect(ids.every(isAlive)).toBe(true);
    expect(await answers(url)).toBe(true);
    started.child.kill('SIGINT');
    expect(await started.exit()).toBe(0);
    await gone(ids);
    expect(await answers(url)).toBe(false);
    expect(existsSync(join(started.dir, 'run.json'))).toBe(false);
    expect(existsSync(join(started.dir, 'lock'))).toBe(false);
    // Nothing but the start, the error, and silence.
    expect(started.output.trim().split('\n')).toHaveLength(6);
  });

  test('says that the port is taken, and leaves nothing behind', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await eventually(() => server.listening, 'the other server');
    const { port } = server.address() as AddressInfo;
    const started = new Started(tempDir(), ['--port', String(port)]);
    expect(await started.exit()).toBe(1);
    server.close();
    expect(started.output.trim()).toBe(
      `port ${port} of 127.0.0.1 is in use by another program: end that, or choose another port with --port`,
    );
    expect(existsSync(join(started.dir, 'lock'))).toBe(false);
  });

  test('puts --config in force before the first run, and refuses a bad one before anything is started', async () => {
    const dir = tempDir();
    const good = join(dir, 'good.yml');
    writeFileSync(good, 'scrape_configs: []\n');
    const started = await startOn(dir, '--port', '0', '--config', good);
    await eventually(async () => (await started.notes()).notes.length >= 3, 'the crons');
    expect((await started.notes()).notes[0]).toBe('config from start: scrape_configs: []\n');

    const bad = join(dir, 'bad.yml');
    writeFileSync(bad, 'scrape_configs:\n  - job_name: a\n    scrape_intervall: 5s\n');
    const refused = new Started(join(dir, 'other'), ['--config', bad]);
    expect(await refused.exit()).toBe(1);
    expect(refused.output).toContain(`${bad}:3:5`);
    expect(existsSync(join(dir, 'other'))).toBe(false);
  });
});

describe('kill -9', { timeout: TIMEOUT_MS }, () => {
  test('of start, of its group, of workerd: what is left ends, and all state is there again', async () => {
    const dir = tempDir();
    const first = await startOn(dir, '--port', '0');
    const port = first.port();
    const url = first.url('/notes');
    await note(first, 'first');
    const firstIds = processes(first);

    // Start alone: its watchdog ends workerd.
    process.kill(first.pid, 'SIGKILL');
    expect(await gone(firstIds)).toBeLessThan(3_000);
    expect(await answers(url)).toBe(false);
    const second = await startOn(dir, '--port', String(port));
    expect(second.output).not.toContain('Ended');
    await note(second, 'second');

    // The whole group.
    const secondIds = processes(second);
    expect(second.run().pgid).toBe(second.pid);
    process.kill(-second.pid, 'SIGKILL');
    await gone(secondIds);
    expect(await answers(url)).toBe(false);
    const third = await startOn(dir, '--port', String(port));
    await note(third, 'third');

    // workerd alone: start has it answer again, on the same port.
    await eventually(async () => (await third.notes()).notes.at(-1)!.startsWith('cron'), 'its crons');
    const before = (await third.notes()).notes.length;
    const [old] = third.run().workerd as [ProcessId];
    process.kill(old.pid, 'SIGKILL');
    await third.printed(`workerd (pid ${old.pid}) has ended by SIGKILL`);
    await third.printed(`workerd answers again on port ${port}`);
    const fresh = third.run().workerd;
    expect(fresh).toHaveLength(1);
    expect(fresh.every(isAlive)).toBe(true);
    expect(fresh).not.toContainEqual(old);
    // The runs that ended with workerd are taken over at once, and their end is nothing to report.
    await eventually(async () => (await third.notes()).notes.length >= before + 2, 'both crons, again');
    expect(third.output).not.toContain('could not be fired');

    const { notes, keys } = await third.notes();
    expect(notes.filter((text) => !text.startsWith('cron'))).toEqual(['first', 'second', 'third']);
    expect(keys).toEqual(['note/first', 'note/second', 'note/third']);
    process.kill(third.pid, 'SIGTERM');
    expect(await third.exit()).toBe(0);
    await gone(fresh);
  });

  test('of start and its watchdog: the next start ends what it finds, of this directory only', async () => {
    const [dir, other] = [tempDir(), await startOn(tempDir(), '--port', '0')];
    const first = await startOn(dir, '--port', '0');
    await note(first, 'a');
    const { start, watchdog, workerd } = first.run();
    const url = first.url('/notes');

    process.kill(watchdog!.pid, 'SIGKILL');
    process.kill(start.pid, 'SIGKILL');
    await gone([start, watchdog!]);
    expect(await answers(url)).toBe(true);

    const second = await startOn(dir, '--port', String(first.port()));
    expect(second.output).toContain(`Ended workerd (pid ${workerd[0]!.pid})`);
    expect(workerd.some(isAlive)).toBe(false);
    expect((await second.notes()).notes).toContain('a');
    expect(await answers(other.url('/notes'))).toBe(true);
  });
});
