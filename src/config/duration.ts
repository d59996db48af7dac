/** Durations as Prometheus writes them in its configuration: `1h30m`, `15s`, `500ms`, `0`. Milliseconds inside. */

/** From large to small: a duration names each unit at most once, in this order. */
const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ['y', 365 * 24 * 60 * 60 * 1000],
  ['w', 7 * 24 * 60 * 60 * 1000],
  ['d', 24 * 60 * 60 * 1000],
  ['h', 60 * 60 * 1000],
  ['m', 60 * 1000],
  ['s', 1000],
  ['ms', 1],
];

/** What Go's time.Duration can hold (2⁶³ − 1 ns, about 292 years), in whole milliseconds. */
const DURATION_MS_MAX = 9_223_372_036_854;

/**
 * Milliseconds of a duration, by the rules of Prometheus' model.ParseDuration: whole numbers, units from large to small, each
 * once; `0` needs no unit; a year has 365 days; no negative durations.
 *
 * @throws Error whose message says what is wrong, without repeating the text.
 */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  if (text === '') throw new Error('it is empty');
  if (text.startsWith('-')) throw new Error('it must not be negative');
  if (text.includes('.')) throw new Error('numbers are whole: 1h30m, not 1.5h');
  if (/^[0-9]+$/.test(text)) throw new Error(`a number needs a unit: did you mean "${text.slice(0, 20)}s"?`);
  if (!/^([0-9]+[^0-9]+)+$/.test(text)) throw new Error('it must be numbers with units');
  let total = 0;
  let last = -1;
  for (const [, digits = '', name = ''] of text.matchAll(/([0-9]+)([^0-9]+)/g)) {
    const rank = UNITS.findIndex(([unit]) => unit === name);
    const unit = UNITS[rank];
    if (unit === undefined)
      throw new Error(`the units are y, w, d, h, m, s and ms, not ${JSON.stringify(name.slice(0, 20))}`);
    if (rank <= last) throw new Error('units go from large to small, each at most once');
    last = rank;
    total += Number(digits) * unit[1];
    if (total > DURATION_MS_MAX) throw new Error('it is longer than 292 years');
  }
  return total;
}

/** The shortest text that parses to these milliseconds, as Prometheus prints it: weeks and years only when nothing remains. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  let rest = ms;
  let text = '';
  for (const [unit, size] of UNITS) {
    if ((unit === 'y' || unit === 'w') && rest % size !== 0) continue;
    const count = Math.floor(rest / size);
    if (count === 0) continue;
    text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}
