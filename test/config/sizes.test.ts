import { expect, test } from 'vitest';
import { parseSize } from '../../src/config/sizes.ts';

test.each([
  ['0', 0],
  ['0B', 0],
  ['512B', 512],
  ['1KB', 1024],
  ['1KiB', 1024],
  ['10MB', 10 * 1024 ** 2],
  ['1.5MB', 1.5 * 1024 ** 2],
  ['.5KB', 512],
  ['1.KB', 1024],
  ['1GB512MB', 1.5 * 1024 ** 3],
  ['1MB1B', 1024 ** 2 + 1],
  ['1MiB1KiB', 1024 ** 2 + 1024],
  ['2TB', 2 * 1024 ** 4],
  ['1PB', 1024 ** 5],
  ['1EB', 1024 ** 6],
  ['+1KB', 1024],
  ['1.9B', 1],
])('%s is %d bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each([
  '',
  '1',
  '10',
  'B',
  'MB',
  '1kB',
  '1mb',
  '1M',
  '1iB',
  '-1B',
  '1 MB',
  ' 1MB',
  '1..5MB',
  '.MB',
  '1.2.3MB',
  '1MB1MiB',
  '1XB',
  '99EB',
  '1e3B',
])('%j is no size', (text) => {
  expect(() => parseSize(text)).toThrow();
});
