/**
 * The hourly cut: ranges that ended 30 minutes ago become blocks. It may die anywhere and be repeated by the next: what it wrote without a commit is
 * litter under a ULID that nobody knows, what it committed is found again by the cut's id and only dropped from the shelf.
 */

import type { Random } from '../model/doors.ts';
import { blockKey } from '../model/tenant.ts';
import { ulid } from '../model/ulid.ts';
import type { BucketDoor, CatalogueDoor, ShardDoor } from './doors.ts';
import { NO_REPEATS } from '../digest/settle.ts';
import { lateNumber } from './late.ts';
import { writeBlock } from './write-block.ts';

export interface CutDoors {
  readonly catalogue: CatalogueDoor;
  readonly bucket: BucketDoor;
  readonly random: Random;
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
      const late = cut.late ? lateNumber(await doors.catalogue.blocks(), shard, cut.rangeStartMs, nowMs) : 0;
      const finished = await writeBlock({ tenant, shard, ulid: name, cut, late, nowMs, key }, ingester, doors.bucket);
      if (finished !== null) {
        if (!(await doors.catalogue.commit(epoch, id, finished))) return committed;
        committed.push(name);
      }
      repeats = finished?.repeats ?? NO_REPEATS;
    }
    await ingester.drop(id, repeats);
  }
  return committed;
}
