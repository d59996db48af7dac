/** Everything that was accepted until now, as blocks: asks for it, waits for it, and names its files. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { SnapshotBlock } from '../http/services.ts';
import type { Clock } from '../model/doors.ts';
import type { Api } from './api.ts';
import { Failure } from './failure.ts';

/** A block whose files can be had. */
export interface Pullable {
  readonly ulid: string;
  /** `index`, `chunks/000001`, …, `meta.json`. */
  readonly files: readonly string[];
  /** The path that its files lie under. */
  readonly path: string;
}

const PATH = '/api/v1/admin/tsdb/snapshot';
const PAUSE_MS = 500;
/** Without any progress it is given up. */
const STUCK_MS = 10 * 60_000;

const CLOCK: Clock = { now: () => Date.now(), sleepUntil: (atMs) => sleep(atMs - Date.now()) };

export async function takeSnapshot(api: Api, clock = CLOCK): Promise<Pullable[]> {
  const name = encodeURIComponent(await finish(api, clock));
  const path = `/api/v1/admin/tsdb/snapshots/${name}`;
  const { blocks } = (await api.get(path)) as { blocks: readonly SnapshotBlock[] };
  return blocks.map(({ ulid, files }) => ({ ulid, files, path: `${path}/${ulid}` }));
}

/** Repeats the request while the answer is 202; returns the name of the finished snapshot. */
async function finish(api: Api, clock: Clock): Promise<string> {
  let path = PATH;
  let progress = '';
  let progressAtMs = clock.now();
  for (;;) {
    const answer = await api.call('POST', path);
    const data = (answer.data ?? {}) as { name?: string; progress?: unknown };
    if ((answer.status !== 200 && answer.status !== 202) || data.name === undefined)
      throw api.failure('POST', path, answer);
    if (answer.status === 200) return data.name;
    path = `${PATH}?name=${encodeURIComponent(data.name)}`;
    const now = typeof data.progress === 'string' ? data.progress : JSON.stringify(data.progress ?? '');
    if (now !== progress) {
      progress = now;
      progressAtMs = clock.now();
      console.error(`snapshot ${data.name}: ${progress}`);
    } else if (clock.now() - progressAtMs > STUCK_MS) {
      throw new Failure(
        `snapshot ${data.name} has made no progress for ${STUCK_MS / 60_000} minutes (last: ${progress})`,
      );
    }
    await clock.sleepUntil(clock.now() + PAUSE_MS);
  }
}
