import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatDuration, parseDuration } from '../../src/config/duration.ts';

test.each([
  ['0', 0],
  ['0s', 0],
  ['500ms', 500],
  ['15s', 15_000],
  ['1m30s', 90_000],
  ['1h30m', 5_400_000],
  ['90s', 90_000],
  ['007s', 7000],
  ['1d', 86_400_000],
  ['1w', 604_800_000],
  ['1y', 31_536_000_000],
  ['1y2w3d4h5m6s7ms', 31_536_000_000 + 2 * 604_800_000 + 3 * 86_400_000 + 4 * 3_600_000 + 306_007],
  ['292y', 292 * 31_536_000_000],
])('%s is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  '',
  '1',
  '00',
  's',
  '1s1s',
  '1s1m',
  '1ms1s',
  '-1s',
  '+1s',
  '1.5s',
  ' 1s',
  '1s ',
  '1 s',
  '1S',
  '1us',
  '1µs',
  '1mm',
  '293y',
  `${'9'.repeat(400)}s`,
  '1s1',
  '١s',
])('%j is no duration', (text) => {
  expect(() => parseDuration(text)).toThrow();
});

test.each([
  [0, '0s'],
  [15_000, '15s'],
  [90_000, '1m30s'],
  [604_800_000, '1w'],
  [90 * 86_400_000, '90d'],
  [31_536_000_001, '365d1ms'],
])('%d ms is %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test('what is printed is read back', () => {
  fc.assert(fc.property(fc.nat({ max: 9_000_000_000_000 }), (ms) => parseDuration(formatDuration(ms)) === ms));
});
