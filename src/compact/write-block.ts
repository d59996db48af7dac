/**
 * Segments of one range become one block in the bucket: merged in the order of labels, streamed into chunks, then the index. Of late ones, only what
 * blocks of that range do not hold yet. The meta.json is not written here: whoever writes it says that the block exists.
 */

import { metaJson } from '../block/meta.ts';
import { BlockWriter } from '../block/writer.ts';
import { mergeSegments, type MergedSeries, type SegmentSource } from '../digest/merge.ts';
import { together, type Repeats } from '../digest/settle.ts';
import type { Cut, ShelvedSegment } from '../digest/shelf.ts';
import { blockKey } from '../model/tenant.ts';
import { Committed } from './committed.ts';
import type { BucketDoor, Finished, ShardDoor } from './doors.ts';

/** R2 wants parts of one size, 5 MiB at least; a block smaller than one is a plain put. */
const PART_BYTES = 8 * 1024 * 1024;

/** A segment that should be read is not on its shelf: its cut was committed and dropped meanwhile. */
export class SegmentGone extends Error {}

export interface BlockPlan {
  readonly tenant: string;
  readonly shard: number;
  readonly ulid: string;
  readonly cut: Cut;
  /** `lateNumber` of a late cut; 0 of any other. */
  readonly late: number;
  readonly nowMs: number;
  /** Committed blocks that may hold samples of this cut already (blocksBefore). */
  readonly before: readonly string[];
  /** The bucket key of a file of this block. */
  readonly key: (file: string) => string;
  readonly warn: (text: string) => void;
}

/** Nothing was written, for nothing was new. */
export interface NothingNew {
  readonly block: null;
  readonly repeats: Repeats;
}

/** Writes chunks and index. Throws SegmentGone; whatever was written then is litter without a meta.json. */
export async function writeBlock(
  plan: BlockPlan,
  shard: Pick<ShardDoor, 'part'>,
  bucket: BucketDoor,
): Promise<Finished | NothingNew> {
  const sizes = new Map<string, number>();
  let upload: Awaited<ReturnType<BucketDoor['multipart']>> | null = null;
  const writer = new BlockWriter(
    {
      chunks: async (file, part, last) => {
        const name = `chunks/${String(file).padStart(6, '0')}`;
        sizes.set(name, (sizes.get(name) ?? 0) + part.byteLength);
        if (upload === null && last) return await bucket.put(plan.key(name), part);
        upload ??= await bucket.multipart(plan.key(name));
        if (part.byteLength > 0) await upload.part(part);
        if (last) {
          await upload.complete();
          upload = null;
        }
      },
    },
    { partBytes: PART_BYTES },
  );
  try {
    const sources = plan.cut.segments.map((segment) => sourceOf(segment, shard));
    const committed = await committedBefore(plan, bucket);
    const add = async (series: MergedSeries): Promise<void> => {
      const count = committed === null ? series.count : await committed.withhold(series);
      if (count > 0) await writer.add(series.labels, series, count);
    };
    const merged = await mergeSegments(sources, add);
    const repeats = committed === null ? merged : together(merged, committed);
    const { index, stats, minTime, maxTime, seriesBytesMax, chunkBytesMax } = await writer.finish();
    if (stats.numSeries === 0) return { block: null, repeats };
    sizes.set('index', index.byteLength);
    await bucket.put(plan.key('index'), index);
    const meta = metaJson({
      ulid: plan.ulid,
      minTime,
      maxTime,
      stats,
      externalLabels: blockLabels(plan),
      files: [...sizes].map(([rel_path, size_bytes]) => ({ rel_path, size_bytes })),
      seriesBytesMax,
      chunkBytesMax,
      uploadTimeMs: plan.nowMs,
    });
    return {
      metaJson: meta,
      repeats,
      block: {
        ulid: plan.ulid,
        tenant: plan.tenant,
        shard: plan.shard,
        minTime,
        maxTime,
        samples: stats.numSamples,
        series: stats.numSeries,
        chunks: stats.numChunks,
        bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
        late: plan.cut.late,
        createdAtMs: plan.nowMs,
        files: [...sizes.keys(), 'meta.json'],
      },
    };
  } catch (error) {
    await (upload as Awaited<ReturnType<BucketDoor['multipart']>> | null)?.abort();
    throw error;
  }
}

async function committedBefore({ tenant, before, warn }: BlockPlan, bucket: BucketDoor): Promise<Committed | null> {
  if (before.length === 0) return null;
  return await Committed.open(before, { bucket, key: (ulid, file) => blockKey(tenant, ulid, file), warn });
}

/**
 * Labels in the block's Thanos section. Thanos wants some, and puts them on every series of the block, over labels of the same name: so, but for the one
 * that its own receiver writes, they have names that no series has. It tells shards and late blocks apart by them (late.ts).
 */
function blockLabels({ tenant, shard, late }: BlockPlan): Record<string, string> {
  return { tenant_id: tenant, narthex_shard: String(shard), ...(late > 0 ? { narthex_late: String(late) } : {}) };
}

function sourceOf(segment: ShelvedSegment, shard: Pick<ShardDoor, 'part'>): SegmentSource {
  let part = 0;
  return {
    id: segment.id,
    next: async () => {
      if (part === segment.parts) return null;
      const bytes = await shard.part(segment.id, part++);
      if (bytes === null) throw new SegmentGone(`segment ${segment.id} is gone: its range was cut meanwhile`);
      return bytes;
    },
  };
}
