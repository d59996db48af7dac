/**
 * Downloads blocks into a folder that Prometheus and promtool open as it is. The one invariant: a folder named by a ULID
 * is complete; until then it has a name that Prometheus knows as unfinished.
 */

import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../model/doors.ts';
import { isUlid } from '../model/ulid.ts';
import type { Api } from './api.ts';
import { listBlocks } from './blocks-ls.ts';
import { Failure } from './failure.ts';
import { messageOf } from '../model/error.ts';
import { type Pullable, takeSnapshot } from './snapshot.ts';
import { formatBytes } from './text.ts';

/** What a block may hold (Prometheus, tsdb/docs/format). Names come from outside, and become paths here. */
const FILE = /^(?:meta\.json|index|chunks\/\d{6})$/;
/** Prometheus removes folders with this ending when it starts (tsdb/db.go). */
const UNFINISHED = '.tmp-for-creation';

/** `blocks pull DIR`. */
export async function blocksPull(
  api: Api,
  dir: string,
  options: { readonly snapshot: boolean },
  clock?: Clock,
): Promise<void> {
  const blocks = options.snapshot ? await takeSnapshot(api, clock) : await listed(api);
  let pulled = 0;
  for (const block of blocks) pulled += (await pullBlock(api, dir, block)) ? 1 : 0;
  // promtool's `tsdb dump` opens a folder as a whole database, and wants its log, empty though it is.
  mkdirSync(join(dir, 'wal'), { recursive: true });
  const already = blocks.length - pulled;
  console.log(
    `${pulled} ${pulled === 1 ? 'block' : 'blocks'} pulled into ${dir}${already > 0 ? `, ${already} were there` : ''}.`,
  );
}

async function listed(api: Api): Promise<Pullable[]> {
  const blocks = await listBlocks(api);
  return blocks.map(({ ulid, files }) => ({ ulid, files, path: `/api/v1/admin/tsdb/blocks/${ulid}` }));
}

/** False when it was there already. */
async function pullBlock(api: Api, dir: string, { ulid, files, path }: Pullable): Promise<boolean> {
  if (!isUlid(ulid)) throw new Failure(`the deployment names a block ${JSON.stringify(ulid)}, which is no ULID`);
  const final = join(dir, ulid);
  if (existsSync(final)) return false;
  const unfinished = final + UNFINISHED;
  rmSync(unfinished, { recursive: true, force: true });
  // With the chunks' folder even if there are no chunks, as Prometheus wants it.
  mkdirSync(join(unfinished, 'chunks'), { recursive: true });
  let bytes = 0;
  for (const file of inOrder(ulid, files)) bytes += await download(api, `${path}/${file}`, join(unfinished, file));
  renameSync(unfinished, final);
  console.log(`${ulid}  ${files.length} files, ${formatBytes(bytes)}`);
  return true;
}

/** `meta.json` last: it is what makes a folder a block. */
function inOrder(ulid: string, files: readonly string[]): string[] {
  const strange = files.find((file) => !FILE.test(file));
  if (strange !== undefined)
    throw new Failure(`block ${ulid} has a file ${JSON.stringify(strange)}, which no block has`);
  if (!files.includes('meta.json')) throw new Failure(`block ${ulid} has no meta.json: it is not complete`);
  return [...files.filter((file) => file !== 'meta.json'), 'meta.json'];
}

/** Returns the size. */
async function download(api: Api, path: string, file: string): Promise<number> {
  const response = await api.download(path);
  mkdirSync(dirname(file), { recursive: true });
  // Opened before anything arrives: a stream that breaks off while it still opens its file would leave it behind later.
  const target = (await open(file, 'wx')).createWriteStream();
  try {
    await pipeline(response.body as AsyncIterable<Uint8Array>, target);
  } catch (error) {
    throw new Failure(`${path} broke off after ${formatBytes(target.bytesWritten)} (${messageOf(error)}): pull again`);
  }
  return target.bytesWritten;
}
