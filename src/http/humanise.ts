/**
 * Numbers, sizes and times as people read them. Exact values stand beside them in `title` attributes; nothing is ever
 * computed from what these return.
 */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `1,234,567`. */
export const exact = (n: number): string => n.toLocaleString('en-US');

/** `9,876`, `12.3 k`, `4.56 M`: exact below ten thousand, three digits above. */
export function count(n: number): string {
  if (!Number.isFinite(n)) return String(n);
  if (Math.abs(n) < 10_000) return exact(Math.round(n));
  return scaled(n, ['k', 'M', 'G', 'T']);
}

/** `512 B`, `1.23 MB`: powers of ten, as the platform counts them. */
export function bytes(n: number): string {
  if (n < 1000) return `${Math.round(n)} B`;
  return scaled(n, ['kB', 'MB', 'GB', 'TB']);
}

function scaled(n: number, units: readonly string[]): string {
  let value = n / 1000;
  let unit = 0;
  // 999.5 would print as 1000.
  while (Math.abs(value) >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = Math.abs(value) < 9.995 ? 2 : Math.abs(value) < 99.95 ? 1 : 0;
  return `${value.toFixed(digits).replace(/\.0+$/, '')} ${units[unit]}`;
}

/** `230 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`: the two largest units. */
export function duration(ms: number): string {
  if (ms < 0) return `−${duration(-ms)}`;
  if (ms < SECOND) return `${ms >= 10 || Number.isInteger(ms) ? Math.round(ms) : ms.toFixed(1)} ms`;
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1).replace(/\.0$/, '')} s`;
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return pair(ms, MINUTE, 'min', SECOND, 's');
  if (ms < DAY) return pair(ms, HOUR, 'h', MINUTE, 'min');
  return pair(ms, DAY, 'd', HOUR, 'h');
}

function pair(ms: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)} ${largeUnit}${rest > 0 ? ` ${rest} ${smallUnit}` : ''}`;
}

/** `just now`, `12 s ago`, `in 3 min`. */
export function ago(thenMs: number, nowMs: number): string {
  const ms = nowMs - thenMs;
  if (Math.abs(ms) < SECOND) return 'just now';
  // Tenths of a second flicker and tell nothing.
  const whole = Math.floor(Math.abs(ms) / SECOND) * SECOND;
  return ms > 0 ? `${duration(whole)} ago` : `in ${duration(whole)}`;
}

/** `2026-11-22T13:05:09Z`; with milliseconds only where there are some. RFC 3339. */
export function timestamp(ms: number): string {
  // Beyond what a Date can hold, only a damaged number can be meant.
  if (!(Math.abs(ms) <= 8.64e15)) return String(ms);
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}

/** `13:05`, UTC. */
export const clock = (ms: number): string => timestamp(ms).slice(11, 16);

/** `12:00–14:00`, with the date in front unless it is today's; UTC. */
export function period(startMs: number, endMs: number, nowMs: number): string {
  const day = timestamp(startMs).slice(0, 10);
  const times = `${clock(startMs)}–${clock(endMs)}`;
  return day === timestamp(nowMs).slice(0, 10) ? times : `${day} ${times}`;
}

/** A duration as Prometheus writes it: `15s`, `1m30s`, `250ms`. */
export function prometheusDuration(ms: number): string {
  if (ms === 0) return '0s';
  const units = [
    ['d', DAY],
    ['h', HOUR],
    ['m', MINUTE],
    ['s', SECOND],
    ['ms', 1],
  ] as const;
  let rest = Math.round(ms);
  let out = '';
  for (const [unit, size] of units) {
    const n = Math.floor(rest / size);
    if (n > 0) out += `${n}${unit}`;
    rest -= n * size;
  }
  return out;
}

/** A URL without the password that it may carry, as Go's `URL.Redacted`. */
export function redactedUrl(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null || parsed.password === '') return url;
  parsed.password = 'xxxxx';
  return parsed.href;
}
