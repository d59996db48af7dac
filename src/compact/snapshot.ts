/**
 * A snapshot: everything accepted until now as complete blocks under `snapshots/<tenant>/<name>/`. It changes nothing: committed blocks are copied,
 * what is on the shelf is written as blocks of its own, and the open range stays open.
 *
 * It is made item by item, since a large one takes longer than one request may: the plan is stored, and each call goes on with it.
 */

import type { Cut } from '../digest/shelf.ts';
import type { Random } from '../model/doors.ts';
import { blockKey, snapshotKey } from '../model/tenant.ts';
import { ulid } from '../model/ulid.ts';
import type { BucketDoor, CatalogueDoor, ShardDoor } from './doors.ts';
import { blocksBefore } from './committed.ts';
import { type LateBlock, lateNumber } from './late.ts';
import { writeBlock } from './write-block.ts';

export type SnapshotItem =
  | { readonly kind: 'copy'; readonly ulid: string; readonly files: readonly string[] }
  | {
      readonly kind: 'write';
      readonly ulid: string;
      readonly shard: number;
      readonly cut: Cut;
      /** As in BlockPlan, both. Absent in what earlier versions stored. */
      readonly late?: number;
      readonly before?: readonly string[];
    };

export interface SnapshotPlan {
  readonly name: string;
  readonly items: readonly SnapshotItem[];
  /** Items that are complete, and the blocks that they became. */
  readonly done: number;
  readonly made: SnapshotContents['blocks'];
}

/** `20261122T130501Z-<random>`, as Prometheus names its snapshots. */
function snapshotName(nowMs: number, random: Random): string {
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '');
  return `${time}-${Math.floor(random() * 2 ** 32)
    .toString(16)
    .padStart(8, '0')}`;
}

export function isSnapshotName(name: string): boolean {
  return /^\d{8}T\d{6}Z-[0-9a-f]{8}$/.test(name);
}

/** What a snapshot taken now consists of. Segments are listed before blocks, so that a cut between the two shows up twice, never not at all. */
export async function planSnapshot(
  shards: readonly ShardDoor[],
  catalogue: CatalogueDoor,
  nowMs: number,
  random: Random,
): Promise<SnapshotPlan> {
  const cuts: { readonly shard: number; readonly cut: Cut }[] = [];
  for (const [shard, ingester] of shards.entries()) {
    const upTo = await ingester.lastSeq();
    while ((await ingester.digest(nowMs, upTo)).more);
    for (const cut of await ingester.cuts()) {
      if (cut.id !== null && (await catalogue.committed(shard, cut.id)) !== null) continue;
      cuts.push({ shard, cut });
    }
  }
  const blocks = await catalogue.blocks();
  const planned: LateBlock[] = [...blocks];
  const writes = cuts.map(({ shard, cut }): SnapshotItem => {
    const late = cut.late ? lateNumber(planned, shard, cut.rangeStartMs, nowMs) : 0;
    planned.push({ shard, late: cut.late, minTime: cut.rangeStartMs, createdAtMs: nowMs });
    return { kind: 'write', ulid: ulid(nowMs, random), shard, cut, late, before: blocksBefore(cut, blocks) };
  });
  const copies = blocks.map((block): SnapshotItem => ({ kind: 'copy', ulid: block.ulid, files: block.files }));
  return { name: snapshotName(nowMs, random), items: [...writes, ...copies], done: 0, made: [] };
}

/** Makes the next item of a plan. Throws SegmentGone when a segment was cut after the plan was made. */
export async function makeItem(
  tenant: string,
  plan: SnapshotPlan,
  shards: readonly ShardDoor[],
  bucket: BucketDoor,
  nowMs: number,
  warn: (text: string) => void,
): Promise<SnapshotPlan> {
  const item = plan.items[plan.done];
  if (item === undefined) return plan;
  const key = (file: string): string => snapshotKey(tenant, plan.name, `${item.ulid}/${file}`);
  let { made } = plan;
  if (item.kind === 'copy') {
    // meta.json last here too: what has none is not a block.
    const files = [...item.files.filter((file) => file !== 'meta.json'), 'meta.json'];
    for (const file of files) await bucket.copy(blockKey(tenant, item.ulid, file), key(file));
    made = [...made, { ulid: item.ulid, files }];
  } else {
    const { shard, cut, late = Number(cut.late), before = [] } = item;
    const written = await writeBlock(
      { tenant, shard, ulid: item.ulid, cut, late, nowMs, before, key, warn },
      shards[shard]!,
      bucket,
    );
    if (written.block !== null) {
      await bucket.put(key('meta.json'), written.metaJson);
      made = [...made, { ulid: item.ulid, files: written.block.files }];
    }
  }
  return { ...plan, done: plan.done + 1, made };
}

/** What a finished snapshot holds; stands beside its blocks, written last. */
export interface SnapshotContents {
  readonly blocks: readonly { readonly ulid: string; readonly files: readonly string[] }[];
}

export const contentsKey = (tenant: string, name: string): string => snapshotKey(tenant, name, 'snapshot.json');
