/** From the labels that a target exposed to those of the series: Prometheus' `mutateSampleLabels` (scrape/scrape.go), without relabelling. */

import { compareUtf8, type Labels } from '../model/labels.ts';

/** The page cannot be taken; the scrape fails. The message is for people. */
export class PageError extends Error {
  override name = 'PageError';
}

/**
 * The final labels, name and value by turns, sorted by name. `exposed` likewise, unsorted.
 *
 * A target's label wins over an exposed one, which becomes `exported_<name>`, with as many prefixes as make it new; with `honorLabels` the exposed
 * one wins, even when it is empty. External labels are added where there is none of that name. Empty values drop a label.
 * Throws PageError when a name occurs twice.
 */
export function finalLabels(
  exposed: readonly string[],
  target: Labels,
  external: Labels,
  honorLabels: boolean,
): string[] {
  const labels = new Map<string, string>();
  for (let i = 0; i < exposed.length; i += 2) {
    const name = exposed[i]!;
    if (labels.has(name))
      throw new PageError(`label ${JSON.stringify(name)} occurs twice in a series of ${exposed[1]!}`);
    labels.set(name, exposed[i + 1]!);
  }

  const conflicts: (readonly [name: string, value: string])[] = [];
  for (const { name, value } of target) {
    const held = labels.get(name);
    if (honorLabels && held !== undefined) continue;
    if (held) conflicts.push([name, held]);
    labels.set(name, value);
  }
  // Shorter names first, so that an exposed `exported_job` does not take the name that the exposed `job` is to have.
  conflicts.sort(([a], [b]) => a.length - b.length);
  for (const [name, value] of conflicts) {
    let free = `exported_${name}`;
    while (labels.get(free)) free = `exported_${free}`;
    labels.set(free, value);
  }
  for (const { name, value } of external) if (!labels.get(name)) labels.set(name, value);

  const names = [...labels.keys()].filter((name) => labels.get(name) !== '');
  names.sort(compareUtf8);
  return names.flatMap((name) => [name, labels.get(name)!]);
}
