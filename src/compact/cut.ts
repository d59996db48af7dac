/**
 * The hourly cut: ranges that ended 30 minutes ago become blocks. It may die anywhere and be repeated by the next: what it wrote without a commit is
 * litter under a ULID that nobody knows, what it committed is found again by the cut's id and only dropped from the shelf.
 */

import type { Random } from '../model/doors.ts';
import { blockKey } from '../model/tenant.ts';
import { ulid } from '../model/ulid.ts';
import type { BucketDoor, CatalogueDoor, ShardDoor } from './doors.ts';
import { blocksBefore, mayRepeat } from './committed.ts';
import { lateNumber } from './late.ts';
import { writeBlock } from './write-block.ts';

export interface CutDoors {
  readonly catalogue: CatalogueDoor;
  readonly bucket: BucketDoor;
  readonly random: Random;
  readonly warn: (text: string) => void;
  /** When the number of the tenant's shards changed, Unix ms; never when absent. */
  readonly changesMs?: readonly number[];
}

/** Cuts what is due in one shard of a tenant. Returns the ULIDs of the blocks committed. */
export async function cutShard(
  tenant: string,
  shard: number,
  ingester: ShardDoor,
  nowMs: number,
  doors: CutDoors,
): Promise<string[]> {
  const { epoch } = await doors.catalogue.begin();
  const committed: string[] = [];
  const upTo = await ingester.lastSeq();
  while ((await ingester.digest(nowMs, upTo)).more);
  const { cuts } = await ingester.close(nowMs, upTo);
  for (const cut of cuts) {
    const id = cut.id!;
    let repeats = await doors.catalogue.committed(shard, id);
    if (repeats === null) {
      const name = ulid(nowMs, doors.random);
      const key = (file: string): string => blockKey(tenant, name, file);
      // Cuts of a range come in the order in which they were closed, so what was accepted before is committed before.
      const blocks = mayRepeat(cut, doors.changesMs ?? []) ? await doors.catalogue.blocks() : [];
      const late = cut.late ? lateNumber(blocks, shard, cut.rangeStartMs, nowMs) : 0;
      const before = blocksBefore(cut, blocks, doors.changesMs);
      const plan = { tenant, shard, ulid: name, cut, late, nowMs, before, key, warn: doors.warn };
      const written = await writeBlock(plan, ingester, doors.bucket);
      if (written.block !== null) {
        if (!(await doors.catalogue.commit(epoch, id, written))) return committed;
        committed.push(name);
      }
      ({ repeats } = written);
    }
    await ingester.drop(id, repeats);
  }
  return committed;
}
