/**
 * Which histograms a scrape takes, and in which buckets: `scrape_native_histograms` and its kin, as Prometheus has them (scrape/target.go,
 * `bucketLimitAppender` and `maxSchemaAppender`; scrape/scrape.go, `pickSchema`).
 */

import { bucketsOf, reduceResolution } from '../../model/histogram-buckets.ts';
import { type Histogram, SCHEMA_CUSTOM, SCHEMA_MAX, SCHEMA_MAX_RESERVED, SCHEMA_MIN } from '../../model/histogram.ts';

export interface HistogramSettings {
  /** Native histograms are taken. Otherwise a histogram is its classic series, whatever native parts it has. */
  readonly native: boolean;
  /** Classic series are taken also where there is a native histogram for them. */
  readonly classic: boolean;
  /** Classic histograms become native ones, with custom buckets. */
  readonly convert: boolean;
  /** More buckets are merged; 0 is no limit. */
  readonly bucketLimit: number;
  /** A finer schema is reduced to this one. */
  readonly schemaMax: number;
}

export const CLASSIC_ONLY: HistogramSettings = {
  native: false,
  classic: false,
  convert: false,
  bucketLimit: 0,
  schemaMax: SCHEMA_MAX,
};

/** The finest schema whose buckets grow at least by `native_histogram_min_bucket_factor`. */
export function schemaOf(minBucketFactor: number): number {
  // That of schema 8, a little rounded.
  const factor = minBucketFactor <= 1 ? 1.00271 : minBucketFactor;
  return Math.min(SCHEMA_MAX, Math.max(SCHEMA_MIN, Math.floor(0 - Math.log2(Math.log2(factor)))));
}

/** The histogram within the settings, or null when it has too many buckets however coarse they are. It is not judged otherwise. */
export function limited(histogram: Histogram, { bucketLimit, schemaMax }: HistogramSettings): Histogram | null {
  let h = histogram;
  if (schemaMax < SCHEMA_MAX && h.schema > schemaMax && h.schema <= SCHEMA_MAX_RESERVED) {
    h = reduceResolution(h, schemaMax);
  }
  if (bucketLimit === 0) return h;
  while (bucketsOf(h) > bucketLimit) {
    if (h.schema === SCHEMA_CUSTOM || h.schema <= SCHEMA_MIN || h.schema > SCHEMA_MAX) return null;
    h = reduceResolution(h, h.schema - 1);
  }
  return h;
}
