/**
 * Labels as the configuration and discovery speak of them: small sets, as strings. Hot paths never use these; they carry
 * labels as bytes or as references into a symbol table.
 */

/** One label. Neither name nor value is empty in a valid label set. */
export interface Label {
  readonly name: string;
  readonly value: string;
}

/** A label set, sorted by name as bytes (UTF-8), without repeats. */
export type Labels = readonly Label[];

export const METRIC_NAME = '__name__';

/**
 * Compares two strings as Go does, by their UTF-8 bytes. JavaScript's `<` compares UTF-16 code units, which differs for
 * code points above U+FFFF against U+E000–U+FFFF; the order of labels and symbols in a block must be Go's.
 */
export function compareUtf8(a: string, b: string): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    let x = a.charCodeAt(i);
    let y = b.charCodeAt(i);
    if (x === y) continue;
    // Surrogates (code points above U+FFFF) sort after every other code unit.
    if (x >= 0xd800 && y >= 0xd800) {
      if (x < 0xe000) x += 0x10000;
      if (y < 0xe000) y += 0x10000;
    }
    return x < y ? -1 : 1;
  }
  return a.length === b.length ? 0 : a.length < b.length ? -1 : 1;
}

/** Sorts into the order that Remote Write and blocks demand. Later labels of the same name win; empty values drop the label. */
export function labelsFrom(entries: Iterable<readonly [string, string]>): Labels {
  const byName = new Map(entries);
  return [...byName]
    .filter(([, value]) => value !== '')
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => compareUtf8(a.name, b.name));
}

/** The value of a label, or `''` when the set does not have it, as in Prometheus. */
export function labelValue(labels: Labels, name: string): string {
  return labels.find((label) => label.name === name)?.value ?? '';
}

/** Labels in Prometheus' notation, for messages and pages: `{job="node", instance="a:9100"}`. */
export function formatLabels(labels: Labels): string {
  return `{${labels.map(({ name, value }) => `${name}=${JSON.stringify(value)}`).join(', ')}}`;
}
