/** What making blocks needs of the outside: the ingester that holds the segments, the catalogue that commits, the bucket. */

import type { Repeats } from '../digest/settle.ts';
import type { Cut } from '../digest/shelf.ts';

export interface ShardDoor {
  /** The newest record of the log: what was accepted until now. */
  lastSeq(): Promise<number>;
  /** Digests a batch; `more` says that the log is not digested up to `upTo` yet. */
  digest(nowMs: number, upTo: number): Promise<{ more: boolean }>;
  /** Closes what is due, once the log is digested up to `upTo`. */
  close(nowMs: number, upTo: number): Promise<{ more: boolean; cuts: readonly Cut[] }>;
  cuts(): Promise<readonly Cut[]>;
  part(segment: number, part: number): Promise<Uint8Array | null>;
  /** The cut is in a committed block, in which so much came twice. Once more is nothing. */
  drop(cut: string, repeats: Repeats): Promise<void>;
}

/** A block of the tenant, as it is listed. */
export interface BlockStatus {
  readonly ulid: string;
  readonly tenant: string;
  readonly shard: number;
  /** First sample and end (exclusive), Unix ms. */
  readonly minTime: number;
  readonly maxTime: number;
  readonly samples: number;
  readonly series: number;
  readonly chunks: number;
  readonly bytes: number;
  readonly late: boolean;
  readonly createdAtMs: number;
  /** `index`, `chunks/000001`, …, `meta.json`. */
  readonly files: readonly string[];
}

/** A block whose chunks and index are in the bucket and whose meta.json is not: what a commit decides on. */
export interface Finished {
  readonly block: BlockStatus;
  readonly metaJson: string;
  /** What its segments had in common. */
  readonly repeats: Repeats;
}

export interface CatalogueDoor {
  /** Begins a round of cutting: commits of earlier rounds are refused from now on. */
  begin(): Promise<{ epoch: number }>;
  /** What came twice in the block that a cut of a shard became; null when it is none yet. */
  committed(shard: number, cut: string): Promise<Repeats | null>;
  /** Makes a block part of the tenant: writes its meta.json. False when a later round began. */
  commit(epoch: number, cut: string, finished: Finished): Promise<boolean>;
  blocks(): Promise<readonly BlockStatus[]>;
}

export interface BucketDoor {
  put(key: string, bytes: Uint8Array | string): Promise<void>;
  /** Parts are of one size but the last. */
  multipart(
    key: string,
  ): Promise<{ part(bytes: Uint8Array): Promise<void>; complete(): Promise<void>; abort(): Promise<void> }>;
  /** Bytes of an object from `offset` on, fewer at its end; a negative offset counts from there. Null when it is not there. */
  range(key: string, offset: number, length: number): Promise<Uint8Array | null>;
  get(key: string): Promise<{ body: ReadableStream<Uint8Array>; size: number } | null>;
  copy(from: string, to: string): Promise<void>;
}
