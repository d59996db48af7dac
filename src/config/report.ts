/** How a rule says what is wrong, and where; and what several rules say alike. */

import type { Path } from './positions.ts';
import { describe, problem, type Problem } from './problems.ts';
import type { Mapping, Tree, Value } from './tree.ts';
import { valueAt } from './values.ts';

export type Said = { expected: string; got?: string; hint?: string; level?: 'warning'; part?: 'key' | 'value' };

export type Report = (path: Path, said: Said) => void;

/** Where a report of this tree goes. */
export function reporter(tree: Tree): { problems: Problem[]; report: Report } {
  const problems: Problem[] = [];
  const report: Report = (path, { got, part, ...said }) => {
    const value = got ?? describe(valueAt(tree.value, path), path);
    problems.push(problem(path, tree.positions.of(tree.value, path, part ?? 'value'), { ...said, got: value }));
  };
  return { problems, report };
}

/** What every rule says of an address that Workers cannot fetch. */
export const BARE_IP: Said = {
  expected: 'a host name',
  hint: 'works locally and fails in production: Cloudflare Workers cannot fetch a bare IP address; use a host name, or a private network (NARTHEX_VPC)',
  level: 'warning',
};

/** Keys that are right and mean nothing here, each with the reason. */
export type NoMeaning = readonly [path: readonly string[], hint: string];

export function checkMeaning(section: Mapping, path: Path, meaningless: readonly NoMeaning[], report: Report): void {
  for (const [keys, hint] of meaningless) {
    if (valueAt(section, keys) === undefined) continue;
    report([...path, ...keys], { expected: 'no such key: it has no effect', hint, level: 'warning', part: 'key' });
  }
}

/** Calls `again` for each value that stood earlier in the list. */
export function unique(values: readonly Value[], pathOf: (i: number) => Path, again: (path: Path) => void): void {
  const seen = new Set<string>();
  for (const [i, value] of values.entries()) {
    if (typeof value !== 'string' || value === '') continue;
    if (seen.has(value)) again(pathOf(i));
    seen.add(value);
  }
}
