/** Numbers, times and tables for people. */

/** `2026-11-22 13:05:00`, UTC. */
export const formatTime = (timeMs: number): string => new Date(timeMs).toISOString().slice(0, 19).replace('T', ' ');

/** `1,234,567`. */
export const formatCount = (count: number): string => count.toLocaleString('en-US');

/** `512 B`, `1.2 KiB`, `3.4 MiB`, … */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = bytes;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** Columns two spaces apart; those whose heading begins with `>` stand at the right. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const right = headings.map((heading) => heading.startsWith('>'));
  const lines = [headings.map((heading) => heading.replace(/^>/, '')), ...rows];
  const widths = headings.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  return lines
    .map((line) => line.map((cell, i) => (right[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join('  '))
    .map((line) => line.trimEnd())
    .join('\n');
}

/** A line of the worker's log as a sentence: it writes `{"level":"warn","msg":"…","tenant":"acme"}`, and others what they like. */
export function formatLog(message: string): string {
  try {
    const { level: _level, msg, ...rest } = JSON.parse(message) as Record<string, unknown>;
    if (typeof msg !== 'string') return message;
    return [msg, ...Object.entries(rest).map(([key, value]) => `${key}=${JSON.stringify(value)}`)].join(' ');
  } catch {
    return message;
  }
}
