/**
 * Merges the segments of one block range into one stream of series, ascending by labels, each with its samples ascending in
 * time and each timestamp once: what the earlier source says wins. Sources are read as they are needed. One that stands at a reference waits until the
 * source that it refers to has come to the definition: that is before its own turn, since both ascend by labels.
 *
 * Memory: one part a source, `FETCHES_AHEAD` more, and the samples of one series; not the range's size.
 */

import type { MixedColumns } from '../block/columns.ts';
import { compareLabelBytes } from '../model/label-bytes.ts';
import { PartCursor, SegmentError } from './segment.ts';
import { Settling, type Repeats } from './settle.ts';

/** Parts fetched at once while merging: sources with the same series tend to run out of their parts together. */
const FETCHES_AHEAD = 16;

/** One segment: its parts in order, then null. A part must not change after it was handed over. */
export interface SegmentSource {
  /** Its number: what later segments that refer to it count back to. */
  readonly id: number;
  next(): Promise<Uint8Array | null>;
}

/** One series of the merge. The columns are used again for the next one; `labels` may be kept. */
export interface MergedSeries extends MixedColumns {
  /** Label bytes (src/model/label-bytes.ts). */
  labels: Uint8Array<ArrayBuffer>;
  /** Samples: the first `count` places of the columns. */
  count: number;
}

/**
 * Calls `onSeries` for each series and waits for it. Sources come in the order of their digests. Rejects with SegmentError
 * when a part is damaged or a source's series or times do not ascend, and with whatever a source or `onSeries` throws.
 */
export async function mergeSegments(
  sources: readonly SegmentSource[],
  onSeries: (series: MergedSeries) => void | Promise<void>,
): Promise<Repeats> {
  const settling = new Settling();
  const heads = sources.map((source, index) => new Head(source, index));
  const byId = new Map(heads.map((head) => [head.id, head]));
  await Promise.all(heads.map((head) => head.fetch()));
  const queue: Head[][] = [];
  /** Puts a head where it is found when its turn comes: by its labels, or where the definition is that it refers to. */
  const place = (head: Head): void => {
    if (head.isDefinition) return enqueue(queue, head);
    const definer = byId.get(head.definedIn);
    if (definer === undefined) throw head.astray();
    definer.await(head);
  };
  for (const head of heads) if (head.advance()) place(head);

  for (let definers = queue.shift(); definers !== undefined; definers = queue.shift()) {
    const group = definers.flatMap((head) => [head, ...head.waiting()]).sort((a, b) => a.index - b.index);
    const labels = definers[0]!.labels();
    settling.clear();
    for (let i = 0; i < group.length; i++) {
      if (i % FETCHES_AHEAD === 0) await fetchTogether(group, i, i + FETCHES_AHEAD);
      const head = group[i]!;
      do {
        if (head.mustFetch) await head.fetch();
        head.take(settling);
      } while (head.advance() && head.isStillAt(labels));
      if (!head.isDone) place(head);
    }
    settling.settle(() => labels);
    const { t, hi, lo, histograms, count } = settling;
    await onSeries({ labels, t, hi, lo, histograms, count });
  }
  // Who waits now refers to a definition that is not there, or was behind it.
  for (const head of heads) if (!head.isDone) throw head.astray();
  const { duplicates, conflicts, conflictExample } = settling;
  return { duplicates, conflicts, conflictExample };
}

/** Where one source stands: at an entry, or at its end. */
class Head {
  /** Place among the sources: the smaller wins. */
  readonly index: number;
  /** At the end of the source. */
  isDone = false;
  readonly #source: SegmentSource;
  #cursor: PartCursor | null = null;
  /** The part behind the cursor's: fetched, null at the source's end, or undefined when not fetched. */
  #ahead: PartCursor | null | undefined;
  /** Time of the last sample taken of the series at hand. */
  #lastT = -Infinity;
  /** Where the series taken last is defined. */
  #takenIn = -1;
  #takenNumber = -1;
  /** By the number of a definition of this source: who waits for it. */
  readonly #waiting = new Map<number, Head[]>();

  constructor(source: SegmentSource, index: number) {
    this.#source = source;
    this.index = index;
  }

  get id(): number {
    return this.#source.id;
  }

  get isDefinition(): boolean {
    return this.#cursor!.isDefinition;
  }

  /** The source that defines the entry's series. */
  get definedIn(): number {
    return this.id - this.#cursor!.back;
  }

  /** Takes in one that refers to a definition of this source. */
  await(head: Head): void {
    const { number } = head.#cursor!;
    const waiting = this.#waiting.get(number);
    if (waiting === undefined) this.#waiting.set(number, [head]);
    else waiting.push(head);
  }

  /** Those that waited for the definition at hand. */
  waiting(): readonly Head[] {
    const { number } = this.#cursor!;
    const waiting = this.#waiting.get(number);
    if (waiting === undefined) return [];
    this.#waiting.delete(number);
    return waiting;
  }

  /** The entry refers to what is not there. */
  astray(): SegmentError {
    const { number } = this.#cursor!;
    return new SegmentError(
      `segment ${this.id} refers to series ${number} of segment ${this.definedIn}, which is not there`,
      -1,
    );
  }

  /** Whether the part behind must be fetched before `advance()`. */
  get mustFetch(): boolean {
    return this.#ahead === undefined && (this.#cursor === null || this.#cursor.isLast);
  }

  /** Fetches the next part that has entries. */
  async fetch(): Promise<void> {
    for (;;) {
      const part = await this.#source.next();
      this.#ahead = part === null ? null : new PartCursor(part);
      if (this.#ahead === null || !this.#ahead.isLast) return;
    }
  }

  /** Moves to the next entry; false at the end of the source. */
  advance(): boolean {
    if (this.#cursor?.next()) return true;
    this.#cursor = this.#ahead ?? null;
    this.#ahead = undefined;
    this.isDone = !this.#cursor?.next();
    return !this.isDone;
  }

  /** Appends the entry's samples to what is gathered. */
  take(settling: Settling): void {
    const { samples } = this.#cursor!;
    settling.reserve(samples);
    this.#cursor!.decode(settling, settling.count, this.#lastT);
    settling.count += samples;
    this.#lastT = settling.t[settling.count - 1]!;
    this.#takenIn = this.definedIn;
    this.#takenNumber = this.#cursor!.number;
  }

  /** Whether the entry goes on with the series of `labels`, which was just taken. Throws SegmentError when it should have come before. */
  isStillAt(labels: Uint8Array): boolean {
    const { bytes, labelsStart, labelsEnd, isDefinition, number } = this.#cursor!;
    const order = isDefinition
      ? compareLabelBytes(bytes, labelsStart, labelsEnd, labels, 0, labels.length)
      : number === this.#takenNumber && this.definedIn === this.#takenIn
        ? 0
        : 1;
    if (order === 0) return true;
    if (order < 0) throw new SegmentError(`series of source ${this.index} do not ascend by labels`, labelsStart);
    this.#lastT = -Infinity;
    return false;
  }

  /** A copy of the entry's label bytes. */
  labels(): Uint8Array<ArrayBuffer> {
    const { bytes, labelsStart, labelsEnd } = this.#cursor!;
    return new Uint8Array(bytes.subarray(labelsStart, labelsEnd));
  }

  compare(other: Head): number {
    const a = this.#cursor!;
    const b = other.#cursor!;
    return compareLabelBytes(a.bytes, a.labelsStart, a.labelsEnd, b.bytes, b.labelsStart, b.labelsEnd);
  }
}

/**
 * Puts a head where it belongs in the queue: groups of heads at the same labels, ascending by labels, and by source within a
 * group. Segments of one range hold mostly the same series, so there are few groups, and a head is compared with one or two
 * others; a heap of heads would compare equal labels again and again.
 */
function enqueue(queue: Head[][], head: Head): void {
  let low = 0;
  let high = queue.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const group = queue[middle]!;
    const order = head.compare(group[0]!);
    if (order === 0) {
      let place = group.length;
      while (place > 0 && group[place - 1]!.index > head.index) place--;
      group.splice(place, 0, head);
      return;
    }
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  queue.splice(low, 0, [head]);
}

/** Fetches, at the same time, what heads `from` to `to` (exclusive) of a group need before they can move on. */
async function fetchTogether(group: readonly Head[], from: number, to: number): Promise<void> {
  const fetches: Promise<void>[] = [];
  for (let i = from; i < Math.min(to, group.length); i++) if (group[i]!.mustFetch) fetches.push(group[i]!.fetch());
  if (fetches.length > 0) await Promise.all(fetches);
}
