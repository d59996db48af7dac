/** A stable merge sort in steps of some milliseconds, so that others may have their turn between two of them. */

/** Items that are sorted, or merged into one run, in the smallest step. */
const RUN = 4096;

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
      merge(source, from, Math.min(from + size, length), Math.min(from + 2 * size, length), target, compare);
      yield;
    }
    [source, target] = [target, source];
  }
  return source;
}

/** Merges the sorted runs [from, middle) and [middle, end) of `source` into the same places of `target`. */
function merge(
  source: Uint32Array,
  from: number,
  middle: number,
  end: number,
  target: Uint32Array,
  compare: (a: number, b: number) => number,
): void {
  let left = from;
  let right = middle;
  for (let at = from; at < end; at++) {
    const takeLeft = right === end || (left < middle && compare(source[left]!, source[right]!) <= 0);
    target[at] = takeLeft ? source[left++]! : source[right++]!;
  }
}

/** 0, 1, 2 … below `count`. */
export function upTo(count: number): Uint32Array {
  const out = new Uint32Array(count);
  for (let i = 0; i < count; i++) out[i] = i;
  return out;
}
