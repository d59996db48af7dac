/** The series that a scrape has whatever the target exposes: names, help and units as in Prometheus (scrape/scrape.go, `reportSample`). All are gauges. */

import type { Labels } from '../../model/labels.ts';
import { finalLabels } from './labels.ts';
import type { Symbols } from './symbols.ts';

export interface ReportSeries {
  readonly name: string;
  readonly help: string;
  readonly unit: string;
}

export const REPORT: readonly ReportSeries[] = [
  {
    name: 'up',
    help: 'Health of the scrape target. 1 means the target is healthy, 0 if the scrape failed.',
    unit: 'targets',
  },
  { name: 'scrape_duration_seconds', help: 'Duration of the last scrape in seconds.', unit: 'seconds' },
  { name: 'scrape_samples_scraped', help: 'Number of samples last scraped.', unit: 'samples' },
  {
    name: 'scrape_samples_post_metric_relabeling',
    help: 'Number of samples remaining after metric relabeling was applied.',
    unit: 'samples',
  },
  { name: 'scrape_series_added', help: 'Number of series in the last scrape.', unit: 'series' },
  { name: 'scrape_timeout_seconds', help: 'The configured scrape timeout for a target.', unit: 'seconds' },
  {
    name: 'scrape_sample_limit',
    help: 'The configured sample limit for a target. Returns zero if there is no limit configured.',
    unit: 'samples',
  },
  {
    name: 'scrape_body_size_bytes',
    help: 'The uncompressed size of the last scrape response, if successful. Scrapes failing because body_size_limit is exceeded report -1, other scrape failures report 0.',
    unit: 'bytes',
  },
];

/** So many of them are there without `extra_scrape_metrics`. */
export const REPORT_ALWAYS = 5;

export const GAUGE = 2;

/** The labels of the first `count` report series, in the order of `REPORT`. */
export function reportLabels(count: number, target: Labels, external: Labels, symbols: Symbols): Uint32Array[] {
  return REPORT.slice(0, count).map(({ name }) =>
    Uint32Array.from(finalLabels(['__name__', name], target, external, false), (text) => symbols.ref(text)),
  );
}
