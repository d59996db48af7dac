/** Sorting in steps of some milliseconds, so that others may have their turn between two of them: a stable merge sort. */

/** Items that are sorted in a step. */
const RUN = 4096;
/** Items that are merged in a step: each is compared once. */
const MERGED_A_STEP = 4 * RUN;

/** Sorts in place or in a second array; returns the one that holds the result. */
export function* sortInSteps(
  items: Uint32Array,
  compare: (a: number, b: number) => number,
): Generator<undefined, Uint32Array> {
  const { length } = items;
  for (let from = 0; from < length; from += RUN) {
    items.subarray(from, from + RUN).sort(compare);
    yield;
  }
  let source = items;
  let target = length > RUN ? new Uint32Array(length) : items;
  for (let size = RUN; size < length; size *= 2) {
    for (let from = 0; from < length; from += 2 * size) {
      const middle = Math.min(from + size, length);
      const end = Math.min(from + 2 * size, length);
      for (let at = from, left = from; at < end; at += MERGED_A_STEP) {
        const stop = Math.min(at + MERGED_A_STEP, end);
        left = merge(source, left, middle, end, target, at, stop, compare);
        yield;
      }
    }
    [source, target] = [target, source];
  }
  return source;
}

/**
 * Merges two sorted runs of `source`, of which the second is [middle, end), into the places [from, stop) of `target`; those before it are merged, and
 * `next` is the first of the first run that is not. Returns the first that is not then.
 */
function merge(
  source: Uint32Array,
  next: number,
  middle: number,
  end: number,
  target: Uint32Array,
  from: number,
  stop: number,
  compare: (a: number, b: number) => number,
): number {
  let left = next;
  let right = middle + from - next;
  for (let at = from; at < stop; at++) {
    const takeLeft = right === end || (left < middle && compare(source[left]!, source[right]!) <= 0);
    target[at] = takeLeft ? source[left++]! : source[right++]!;
  }
  return left;
}

/** The numbers 0, 1, 2 … in an order that holds as more of them come: only what is new is sorted, and put in its places. */
export class Sorted {
  #items = new Uint32Array(0);

  /** Those below `count`, sorted in steps. No two may compare equal, and how two compare may never change. */
  *extend(count: number, compare: (a: number, b: number) => number): Generator<undefined, Uint32Array> {
    const known = this.#items;
    if (count === known.length) return known;
    const fresh = yield* sortInSteps(upTo(count, known.length), compare);
    const items = new Uint32Array(count);
    let from = 0;
    let at = 0;
    for (let i = 0; i < fresh.length; i++) {
      const place = placeOf(fresh[i]!, known, from, compare);
      while (from < place) items[at++] = known[from++]!;
      items[at++] = fresh[i]!;
      if (i % RUN === RUN - 1) yield;
    }
    items.set(known.subarray(from), at);
    return (this.#items = items);
  }
}

/** Where the first one of `known` behind `item` is, from `from` on: in steps that become longer, then halved. */
function placeOf(item: number, known: Uint32Array, from: number, compare: (a: number, b: number) => number): number {
  let low = from;
  let step = 1;
  while (low + step <= known.length && compare(known[low + step - 1]!, item) < 0) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step - 1, known.length);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(known[middle]!, item) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** `from`, `from` + 1 … below `count`. */
export function upTo(count: number, from = 0): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(count - from);
  for (let i = from; i < count; i++) out[i - from] = i;
  return out;
}
