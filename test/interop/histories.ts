/** What two agents made of the same pages, so that it can be compared although they came at different moments. */
import type { Sample } from './promtool.ts';

/**
 * Of each series, without the label `by`, the values that it had one after the other; those at `knownMs`, which a page said itself, with their time.
 * How long a scrape took is not compared, nor what is counted between two scrapes.
 */
export function histories(samples: readonly Sample[], knownMs?: number): string[] {
  const values = new Map<string, string[]>();
  for (const { series, timestamp, value } of samples.toSorted((a, b) => a.timestamp - b.timestamp)) {
    if (series.includes('"scrape_duration_seconds"') || series.includes('"scrape_series_added"')) continue;
    const name = series.replace(/(, )?by="\w+"/, '');
    const list = values.get(name) ?? [];
    values.set(name, list);
    // A negative zero loses its sign in the messages of Prometheus, which leave out what equals zero.
    const bare = value === '-0' ? '0' : value;
    const said = timestamp === knownMs ? `${bare} @start` : bare;
    if (list.at(-1) !== said) list.push(said);
  }
  return [...values].map(([name, list]) => `${name} ${list.join(' ')}`).sort();
}
