/**
 * The bits of a sample. A value is carried as two 32-bit halves of its IEEE 754 bits wherever it matters: a stale marker is
 * a NaN with a payload, which JavaScript numbers in plain arrays, JSON and structured clone do not keep.
 */

/** High and low half of the stale marker, `0x7ff0000000000002` (Prometheus, model/value: StaleNaN). */
export const STALE_HI = 0x7ff00000;
export const STALE_LO = 0x00000002;

/** High and low half of the NaN that Prometheus stores for a NaN of the exposition, `0x7ff8000000000001` (NormalNaN). */
export const NAN_HI = 0x7ff80000;
export const NAN_LO = 0x00000001;

/** The length of a block range: two hours in milliseconds, aligned to the epoch, as in Prometheus' head. */
export const RANGE_MS = 2 * 60 * 60 * 1000;

/** Start of the block range that holds a timestamp (ms). Correct for times before 1970 too. */
export function rangeStart(timestampMs: number): number {
  return Math.floor(timestampMs / RANGE_MS) * RANGE_MS;
}
