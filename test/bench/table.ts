/** Aligned tables for the terminal. Numbers are given as numbers: this is the one place that rounds. */

export type Cell = string | number | null;

export interface Column {
  readonly title: string;
  /** Text is set left, everything else right. */
  readonly text?: boolean;
  /** Digits behind the point; by default three significant ones. */
  readonly digits?: number;
}

/** The table as lines. A cell that is null stays empty: there was nothing to measure. */
export function table(columns: readonly Column[], rows: readonly (readonly Cell[])[]): string {
  const cells = [
    columns.map((column) => column.title),
    ...rows.map((row) => columns.map((column, i) => format(row[i] ?? null, column))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (columns[i]!.text ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd();
  const [title = [], ...body] = cells;
  return [line(title), widths.map((width) => '-'.repeat(width)).join('  '), ...body.map(line)].join('\n');
}

function format(cell: Cell, { digits }: Column): string {
  if (cell === null || Number.isNaN(cell)) return '';
  if (typeof cell === 'string') return cell;
  return cell.toLocaleString('en-US', digits === undefined ? { maximumSignificantDigits: 3 } : fixed(digits));
}

const fixed = (digits: number): Intl.NumberFormatOptions => ({
  minimumFractionDigits: digits,
  maximumFractionDigits: digits,
});

/** `1.7×`: how many times as much as the reference. Less is better in all our tables. */
export function ratio(value: number | undefined, reference: number | undefined): string {
  if (value === undefined || reference === undefined || !(reference > 0)) return '';
  return `${(value / reference).toPrecision(value / reference < 1 ? 2 : 3)}×`;
}

/** The value below which the share `q` (0 to 1) of the values is; NaN of none. */
export function quantile(values: Iterable<number>, q: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted.length === 0 ? NaN : sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
}
