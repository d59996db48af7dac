/** Looking at the values of a tree whatever is there: what is not of the kind that is asked for is as good as absent. */

import { parseDuration } from './duration.ts';
import type { Path } from './positions.ts';
import type { Mapping, Value } from './tree.ts';

export const list = (value: Value): Value[] => (Array.isArray(value) ? value : []);

export const mapping = (value: Value): Mapping => (typeof value === 'object' && !Array.isArray(value) ? value : {});

/** What stands at a path; undefined when nothing does. */
export function valueAt(root: Value, path: Path): Value {
  let value: Value = root;
  for (const segment of path) {
    if (typeof value !== 'object') return undefined;
    value = (value as Record<string | number, Value>)[segment];
  }
  return value;
}

/** YAML 1.1 booleans, as Prometheus' parser reads them. */
export const isYes = (value: Value): boolean => /^(y|yes|on|true)$/i.test(String(value));
export const isNo = (value: Value): boolean => /^(n|no|off|false)$/i.test(String(value));

/** In ms; undefined when it is none. */
export function duration(value: Value): number | undefined {
  if (typeof value !== 'string') return undefined;
  try {
    return parseDuration(value);
  } catch {
    return undefined;
  }
}
