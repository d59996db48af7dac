/**
 * The configuration as it may be shown: the same keys and values with `<secret>` for what is secret, as Prometheus shows it. Comments
 * are dropped, since one may hold an old password; anchors are written out.
 */

import { Scalar, stringify } from 'yaml';
import type { Path } from './positions.ts';
import { isSecret, isSection, SECRET, urlWithoutUserinfo } from './secrets.ts';
import { valueAt } from './values.ts';
import { readTree, type Value } from './tree.ts';

/** Never throws. A text that is no YAML is not shown at all. */
export function redactConfig(text: string): string {
  const read = readTree(text);
  if (!read.ok) return '# The configuration is not valid YAML, so it is not shown.\n';
  return read.tree.value === undefined ? '' : toYaml(redacted(read.tree.value, []));
}

/** The section of one job; null when there is none of this name. */
export function redactScrapeConfig(text: string, job: string): string | null {
  const read = readTree(text);
  const scrapes = read.ok ? valueAt(read.tree.value, ['scrape_configs']) : undefined;
  if (!Array.isArray(scrapes)) return null;
  const i = scrapes.findIndex((scrape) => valueAt(scrape, ['job_name']) === job);
  return i === -1 ? null : toYaml(redacted(scrapes[i], ['scrape_configs', i]));
}

/** The failsafe schema writes a text as plain as YAML allows, as the file had it: `15s`, `true`, `1.10`. */
const toYaml = (value: unknown): string =>
  stringify(value, { schema: 'failsafe', lineWidth: 0, aliasDuplicateObjects: false });

function redacted(value: Value, path: Path): unknown {
  if (value === undefined) return undefined;
  const secret = isSecret(path);
  if (typeof value === 'string') return secret ? SECRET : written(urlWithoutUserinfo(value));
  if (Array.isArray(value)) return value.map((item, i) => redacted(item ?? '', [...path, i]));
  if (secret && !isSection(path)) return SECRET;
  return new Map(
    // A key without a value may mean something else than no key.
    Object.entries(value).map(([key, item]) => [written(key), redacted(item, [...path, key]) ?? nothing()]),
  );
}

function nothing(): Scalar {
  const scalar = new Scalar('null');
  scalar.type = Scalar.PLAIN;
  return scalar;
}

/** Quotes what would be read as something else than this text: nothing, or a merge. */
function written(text: string): string | Scalar {
  if (!/^(~|null|Null|NULL|<<|)$/.test(text)) return text;
  const scalar = new Scalar(text);
  scalar.type = Scalar.QUOTE_DOUBLE;
  return scalar;
}
