/**
 * `GET` and `POST /api/v1/query_exemplars` (Prometheus, web/api/v1/api.go, `queryExemplars`), for a query that is one selector: expressions, of which
 * Prometheus takes the selectors, are not read here.
 */

import type { SeriesExemplars } from '../digest/exemplar-ring.ts';
import { compareUtf8, formatLabels } from '../model/labels.ts';
import { BadData, timeParam } from './params.ts';
import { matchesAll, parseSelector, SelectorError } from './selector.ts';
import type { Services } from './services.ts';
import { record } from './targets.ts';

/** What Prometheus keeps at most by default, and what an answer may have. */
const EXEMPLARS_MAX = 100_000;

/** `data` of the answer. Throws BadData. */
export async function exemplarsData(
  tenant: string,
  services: Pick<Services, 'exemplars'>,
  params: URLSearchParams,
): Promise<object[]> {
  const startMs = timeParam('start', params.get('start')) ?? -Number.MAX_SAFE_INTEGER;
  const endMs = timeParam('end', params.get('end')) ?? Number.MAX_SAFE_INTEGER;
  if (endMs < startMs) throw new BadData('end timestamp must not be before start timestamp');
  const matchers = selector(params.get('query') ?? '');

  const found = new Map<string, SeriesExemplars>();
  let count = 0;
  for await (const part of services.exemplars(tenant, startMs, endMs, (labels) => matchesAll(matchers, labels))) {
    for (const { labels, exemplars } of part) {
      count += exemplars.length;
      if (count > EXEMPLARS_MAX) {
        throw new BadData(`more than ${EXEMPLARS_MAX} exemplars: ask for fewer series, or a shorter time`);
      }
      const key = formatLabels(labels);
      // A series that moved when the number of shards changed has some in each.
      const more = found.get(key)?.exemplars ?? [];
      found.set(key, { labels, exemplars: [...more, ...exemplars].sort((a, b) => a.t - b.t) });
    }
  }
  return [...found]
    .sort(([a], [b]) => compareUtf8(a, b))
    .map(([, { labels, exemplars }]) => ({
      seriesLabels: record(labels),
      exemplars: exemplars.map(({ labels, t, value }) => ({
        labels: record(labels),
        value: valueText(value),
        timestamp: t / 1000,
      })),
    }));
}

function selector(text: string): ReturnType<typeof parseSelector> {
  try {
    return parseSelector(text);
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    throw new BadData(
      `invalid parameter "query": ${error.message}; it must be one selector, as jobs_total{job="a"}: expressions are not evaluated here`,
    );
  }
}

/** As Prometheus writes floats in JSON. */
const valueText = (value: number): string =>
  Math.abs(value) === Infinity ? (value > 0 ? '+Inf' : '-Inf') : Object.is(value, -0) ? '-0' : String(value);
