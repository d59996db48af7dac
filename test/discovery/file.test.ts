import { expect, test } from 'vitest';
import type { FileDiscovery } from '../../src/config/model.ts';
import { file } from '../../src/discovery/file.ts';
import { addresses, plain, world } from './doors.ts';

const config = (...files: string[]): FileDiscovery => ({ kind: 'file', files, refreshIntervalMs: 300_000 });
const refresh = async (files: Record<string, string | Uint8Array>, ...names: string[]) =>
  await file.refresh(config(...names), world('hang', files).doors, []);
const list = (...targets: string[]): string => JSON.stringify([{ targets }]);

test('JSON and YAML are read, and each group knows its file', async () => {
  const { groups } = await refresh(
    {
      'a.json': '[{"targets": ["a:1"], "labels": {"env": "x"}}, {"targets": ["b:1"]}]',
      'b.yml': '- targets: [c:1]\n  labels: {version: 1.10, none: }\n- targets:\n',
    },
    'a.json',
    'b.yml',
  );
  expect(plain(groups)).toEqual([
    { source: 'a.json:0', labels: { env: 'x', __meta_filepath: 'a.json' }, targets: [{ __address__: 'a:1' }] },
    { source: 'a.json:1', labels: { __meta_filepath: 'a.json' }, targets: [{ __address__: 'b:1' }] },
    { source: 'b.yml:0', labels: { version: '1.10', __meta_filepath: 'b.yml' }, targets: [{ __address__: 'c:1' }] },
    { source: 'b.yml:1', labels: { __meta_filepath: 'b.yml' }, targets: [] },
  ]);
});

test('patterns mean the names of one folder', async () => {
  const files = {
    'a.json': list('a'),
    'd/x.json': list('dx'),
    'd/y.json': list('dy'),
    'd/y.yml': '- targets: [yml]',
    'd/e/z.json': list('dez'),
    'dd.json': list('dd'),
  };
  const found = async (...names: string[]) => addresses((await refresh(files, ...names)).groups);
  expect(await found('*.json')).toEqual(['a', 'dd']);
  expect(await found('d/*.json')).toEqual(['dx', 'dy']);
  expect(await found('d*.json')).toEqual(['dd']);
  expect(await found('/d/x*.json', 'd/x.json', 'd/y.yml')).toEqual(['dx', 'yml']);
  expect(await found('none.json', 'none/*.json')).toEqual([]);
});

test('a file that cannot be read keeps its last groups, one that is gone loses them', async () => {
  const before = await refresh({ 'a.json': list('a'), 'ab.json': list('ab'), 'c.json': list('c') }, '*.json');
  expect(addresses(before.groups)).toEqual(['a', 'ab', 'c']);
  const broken = world('hang', { 'a.json': '{', 'ab.json': list('ab2') });
  const after = await file.refresh(config('*.json'), broken.doors, before.groups);
  expect(addresses(after.groups)).toEqual(['a', 'ab2']);
  expect(after.error).toBe('a.json: the answer is not JSON: it begins with "{"');
});

test.each<[content: string | Uint8Array, error: string | RegExp]>([
  [new Uint8Array([0xff]), 'x.yml: it is not UTF-8'],
  [new Uint8Array(8_000_001), 'x.yml: it has 8000001 bytes, at most 8000000 are read'],
  ['a: [', /^x\.yml: line 1, column /],
  ['- targets: [a]\n  targets: [b]', /^x\.yml: line 2, column 3: expected each key once/],
  ['&a [*a]', /^x\.yml: line 1, column /],
  ['[[]]', 'x.yml: group 0: expected a target group, got a list'],
  ['-', /^x\.yml: /],
])('%# is an error of that file', async (content, error) => {
  const result = await refresh({ 'x.yml': content, 'y.yml': '- targets: [y]' }, '*.yml');
  expect(result.error).toEqual(typeof error === 'string' ? error : expect.stringMatching(error));
  expect(addresses(result.groups)).toEqual(['y']);
});
