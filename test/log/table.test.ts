import { expect, it } from 'vitest';
import { Blobs, Values } from '../../src/log/table.ts';
import { sqlite } from './sqlite.ts';

it('values are what they were, or what the caller says for none', () => {
  const values = new Values(sqlite());
  expect(values.get('a', 7)).toBe(7);
  values.set('a', { x: [1, null] });
  values.set('a', { x: [2, null] });
  expect(values.get('a', null)).toEqual({ x: [2, null] });
});

it('bytes are split below what a row may have in production, and come back whole, shorter ones too', () => {
  const sql = sqlite();
  const blobs = new Blobs(sql);
  for (const size of [0, 1, 1_800_000, 1_800_001, 5_000_000, 10]) {
    const bytes = Uint8Array.from({ length: size }, (_, i) => i % 251);
    blobs.set('page', bytes);
    expect(Buffer.compare(blobs.get('page')!, bytes)).toBe(0);
    const longest = sql.exec('SELECT max(length(bytes)) AS n, count(*) AS parts FROM blob')[0]!;
    expect(longest['n']).toBeLessThanOrEqual(1_900_000);
    expect(longest['parts']).toBe(Math.max(1, Math.ceil(size / 1_800_000)));
  }
  expect(blobs.names()).toEqual(['page']);
  blobs.delete('page');
  expect(blobs.get('page')).toBeNull();
});
