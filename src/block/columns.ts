/** Samples of one series of any kind, as columns. */

import type { Histogram } from '../model/histogram.ts';
import type { SampleColumns } from './xor.ts';

export interface MixedColumns extends SampleColumns {
  /** Null as long as all samples are floats. Else the sample at a place that holds a histogram is that, and its halves mean nothing. */
  histograms: (Histogram | undefined)[] | null;
}

/** Encodings of chunks, as block files and segments number them. */
export const ENCODING_XOR = 1;
export const ENCODING_HISTOGRAM = 2;
export const ENCODING_FLOAT_HISTOGRAM = 3;

/** The encoding that a sample needs. */
export function encodingOf(histogram: Histogram | undefined): number {
  if (histogram === undefined) return ENCODING_XOR;
  return histogram.isFloat ? ENCODING_FLOAT_HISTOGRAM : ENCODING_HISTOGRAM;
}
