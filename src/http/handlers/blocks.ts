/** Blocks and snapshots: which there are, and their files. */

import { isSnapshotName } from '../../compact/snapshot.ts';
import { blockKey, snapshotKey } from '../../model/tenant.ts';
import { isUlid } from '../../model/ulid.ts';
import { failure, success } from '../envelope.ts';
import { type C, type Handler, notFound } from './handler.ts';

const BLOCK_FILE = /^(meta\.json|index|chunks\/\d{6})$/;

export const blocks: Handler = async (c, caller, memory) => {
  const status = await memory.status(c.env.services);
  return success({ blocks: status.blocks.filter((block) => block.tenant === caller.tenant) });
};

export const snapshot: Handler = async (c, caller, memory) => {
  const name = c.req.query('name') ?? null;
  if (name !== null && !isSnapshotName(name)) return badSnapshotName(c);
  const taken = await c.env.services.snapshot(caller.tenant, name);
  if (taken === null) return notFound(c, `no snapshot ${name} is being made or complete: take a new one`);
  memory.forgetStatus();
  return taken.done ? success({ name: taken.name }) : success({ name: taken.name, progress: taken.progress }, 202);
};

export const snapshotBlocks: Handler = async (c, caller) => {
  const name = c.req.param('name') ?? '';
  if (!isSnapshotName(name)) return badSnapshotName(c);
  const found = await c.env.services.snapshotBlocks(caller.tenant, name);
  return found === null ? notFound(c, `no finished snapshot ${name}`) : success({ name, blocks: found });
};

export const snapshotFile: Handler = (c, caller) => {
  const { name = '', ulid = '', file = '' } = c.req.param() as Partial<Record<string, string>>;
  if (!isSnapshotName(name) || !isUlid(ulid) || !BLOCK_FILE.test(file)) return notFound(c, 'no such file');
  return fileResponse(c, file, snapshotKey(caller.tenant, name, `${ulid}/${file}`));
};

export const blockFile: Handler = (c, caller) => {
  const { ulid = '', file = '' } = c.req.param() as Partial<Record<string, string>>;
  if (!isUlid(ulid) || !BLOCK_FILE.test(file)) return notFound(c, 'no such file');
  return fileResponse(c, file, blockKey(caller.tenant, ulid, file));
};

async function fileResponse(c: C, file: string, key: string): Promise<Response> {
  const found = await c.env.services.file(key);
  if (found === null) return notFound(c, 'no such file');
  return new Response(found.body, {
    headers: {
      'content-type': file === 'meta.json' ? 'application/json' : 'application/octet-stream',
      'content-length': String(found.size),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
  });
}

const badSnapshotName = (c: C): Response =>
  failure(c.req.path, 400, 'bad_data', 'not the name of a snapshot: one is given when it begins');
