import { expect, it } from 'vitest';
import {
  ago,
  bytes,
  count,
  duration,
  period,
  prometheusDuration,
  redactedUrl,
  timestamp,
} from '../../src/http/humanise.ts';

const NOW = Date.UTC(2026, 10, 22, 13, 5, 9);

const cases: [got: string, want: string][] = [
  [count(0), '0'],
  [count(9_999), '9,999'],
  [count(10_000), '10 k'],
  [count(12_345), '12.3 k'],
  [count(999_499), '999 k'],
  [count(999_500), '1 M'],
  [count(1_234_567), '1.23 M'],
  [count(9_007_199_254_740_991), '9007 T'],
  [bytes(999), '999 B'],
  [bytes(1_234_567), '1.23 MB'],
  [bytes(8_000_000_000), '8 GB'],
  [duration(0), '0 ms'],
  [duration(0.4), '0.4 ms'],
  [duration(230.4), '230 ms'],
  [duration(4_200), '4.2 s'],
  [duration(59_999), '59 s'],
  [duration(60_000), '1 min'],
  [duration(200_000), '3 min 20 s'],
  [duration(7_500_000), '2 h 5 min'],
  [duration(273_600_000), '3 d 4 h'],
  [ago(NOW - 500, NOW), 'just now'],
  [ago(NOW - 1_900, NOW), '1 s ago'],
  [ago(NOW + 90_000, NOW), 'in 1 min 30 s'],
  [timestamp(NOW), '2026-11-22T13:05:09Z'],
  [timestamp(NOW + 7), '2026-11-22T13:05:09.007Z'],
  [timestamp(Number.NaN), 'NaN'],
  [timestamp(1e300), '1e+300'],
  [period(NOW - 3_600_000, NOW, NOW), '12:05–13:05'],
  [period(NOW - 90_000_000, NOW - 86_400_000, NOW), '2026-11-21 12:05–13:05'],
  [prometheusDuration(0), '0s'],
  [prometheusDuration(15_000), '15s'],
  [prometheusDuration(90_250), '1m30s250ms'],
  [prometheusDuration(86_400_000), '1d'],
  [redactedUrl('https://me:hunter2@a.example/w?x=1'), 'https://me:xxxxx@a.example/w?x=1'],
  [redactedUrl('not a url'), 'not a url'],
];
it.each(cases)('%s', (got, want) => {
  expect(got).toBe(want);
});
