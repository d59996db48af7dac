/**
 * A block's `meta.json`, for Prometheus and, in its section `thanos`, for Thanos. Its presence says that the block is complete, so
 * it is written last.
 *
 * Source: prometheus/prometheus, tsdb/block.go (BlockMeta); thanos-io/thanos, pkg/block/metadata/meta.go. Mimir reads a bucket
 * with labels that Thanos demands; only its upload API refuses them (grafana/mimir, pkg/compactor/block_upload.go).
 */

import { compareUtf8 } from '../model/labels.ts';
import { isUlid } from '../model/ulid.ts';
import { BlockError } from './error.ts';
import type { BlockStats } from './writer.ts';

export interface BlockFile {
  /** Path in the block's folder: `index`, `chunks/000001`. */
  readonly rel_path: string;
  readonly size_bytes?: number;
}

export interface NewBlockMeta {
  readonly ulid: string;
  /** Unix ms; the block is [minTime, maxTime). */
  readonly minTime: number;
  readonly maxTime: number;
  readonly stats: BlockStats;
  /** Who made the block; not empty. Blocks with equal labels must not overlap in time, or Thanos' compactor halts. */
  readonly externalLabels: Readonly<Record<string, string>>;
  /** All files but meta.json itself, in any order. */
  readonly files: readonly BlockFile[];
  readonly seriesBytesMax: number;
  readonly chunkBytesMax: number;
  readonly uploadTimeMs: number;
}

/** The text of `meta.json` of a level 1 block. Throws BlockError for what Prometheus or Thanos would refuse. */
export function metaJson(block: NewBlockMeta): string {
  const { ulid, minTime, maxTime, stats } = block;
  if (!isUlid(ulid)) throw new BlockError(`not a ULID: ${JSON.stringify(ulid)}`);
  if (!(minTime < maxTime)) throw new BlockError(`block from ${minTime} to ${maxTime} (exclusive) is empty`);
  const labels = Object.entries(block.externalLabels).sort(([a], [b]) => compareUtf8(a, b));
  if (labels.length === 0) throw new BlockError('a block needs at least one external label: Thanos refuses it without');
  const files = [...block.files.filter((file) => file.rel_path !== 'meta.json'), { rel_path: 'meta.json' }];
  const meta = {
    ulid,
    minTime,
    maxTime,
    stats,
    compaction: { level: 1, sources: [ulid] },
    version: 1,
    thanos: {
      version: 1,
      labels: Object.fromEntries(labels),
      downsample: { resolution: 0 },
      source: 'receive',
      // With meta.json itself, of which nobody can say the size before it is written.
      files: files.sort((a, b) => compareUtf8(a.rel_path, b.rel_path)),
      index_stats: { series_max_size: block.seriesBytesMax, chunk_max_size: block.chunkBytesMax },
      upload_time: new Date(block.uploadTimeMs).toISOString(),
    },
  };
  return `${JSON.stringify(meta, null, '\t')}\n`;
}
