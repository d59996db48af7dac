import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Blobs } from '../../../src/log/table.ts';
import { type Change, ChangeRows } from '../../../src/scrape/page/change-rows.ts';
import { sqlite } from '../../log/sqlite.ts';

const ROW_BYTES = 2_000_000;

interface Opened {
  readonly sql: ReturnType<typeof sqlite>;
  readonly stored: Set<string>;
  readonly warnings: string[];
  /** As after a sleep. */
  wake(): ChangeRows;
}

function open(): Opened {
  const sql = sqlite();
  const stored = new Set<string>();
  const warnings: string[] = [];
  const wake = (): ChangeRows =>
    new ChangeRows(
      sql,
      (key) => stored.has(key),
      (message) => warnings.push(message),
    );
  return { sql, stored, warnings, wake };
}

const change = (key: string, length: number, byte: number): Change => ({
  key,
  bytes: new Uint8Array(length).fill(byte),
});
/** In a tenth of the time of `toEqual`. */
const isSame = (a: Uint8Array | null, b: Uint8Array): boolean => a !== null && Buffer.compare(a, b) === 0;
const rowsOf = ({ sql }: Opened): { id: number; bytes: number }[] =>
  sql
    .exec('SELECT id, length(keys) + length(bytes) AS bytes FROM page_changes ORDER BY id')
    .map((row) => ({ id: row['id'] as number, bytes: row['bytes'] as number }));

/** What one call writes, in rows. */
function written({ sql }: Opened, call: () => void): number {
  const before = sql.rowsWritten();
  call();
  return sql.rowsWritten() - before;
}

test('changes that come together are one row, and are found again one by one', () => {
  const opened = open();
  const keys = Array.from({ length: 300 }, (_, i) => `k${i}`);
  keys.forEach((key) => opened.stored.add(key));
  const set = (from: number, to: number, byte: number): number =>
    written(opened, () => opened.wake().set(keys.slice(from, to).map((key, i) => change(key, 100 + i, byte))));
  for (let round = 1; round <= 5; round++) {
    // Three flushes an interval, whose borders are not always the same.
    const border = 100 + (round % 3);
    expect(set(0, border, round)).toBe(1);
    expect(set(border, 200, round)).toBe(1);
    expect(set(200, 300, round)).toBe(1);
  }
  expect(rowsOf(opened).length).toBeLessThanOrEqual(4);
  const woken = opened.wake();
  for (const key of keys) expect(woken.get(key)?.[0]).toBe(5);
  expect(woken.get('k299')).toEqual(new Uint8Array(199).fill(5));
  expect(woken.get('other')).toBeNull();
});

test('one change a flush: what is small is written again with it, and rows stay few', () => {
  const opened = open();
  for (let i = 0; i < 400; i++) {
    opened.stored.add(`k${i}`);
    expect(written(opened, () => opened.wake().set([change(`k${i}`, 1000, i % 250)]))).toBe(1);
  }
  const rows = rowsOf(opened);
  expect(rows.length).toBeLessThan(10);
  for (const { bytes } of rows) expect(bytes).toBeLessThan(80_000);
});

test('of pages that are gone nothing is kept once their row is written over', () => {
  const opened = open();
  const changes = opened.wake();
  changes.set([change('gone', 1000, 1), change('stays', 10, 2)]);
  opened.stored.add('stays').add('new');
  expect(written(opened, () => changes.delete('gone'))).toBe(0);
  expect(changes.get('gone')).toBeNull();
  opened.wake().set([change('new', 10, 3)]);
  expect(opened.wake().get('gone')).toBeNull();
  expect(opened.wake().get('stays')).toEqual(new Uint8Array(10).fill(2));
  expect(rowsOf(opened)).toHaveLength(1);
});

test('what does not fit a row is in several, each below what a row may have', () => {
  const opened = open();
  const large = Array.from({ length: 9 }, (_, i) => change(`large${i}`, 490_000, i));
  large.forEach(({ key }) => opened.stored.add(key));
  opened.wake().set([change('small', 60_000, 9)]);
  opened.stored.add('small');
  opened.wake().set(large);
  opened.wake().set(large.toReversed());
  expect(rowsOf(opened).length).toBeLessThanOrEqual(7);
  for (const { bytes } of rowsOf(opened)) expect(bytes).toBeLessThan(ROW_BYTES);
  for (const { key, bytes } of large) expect(isSame(opened.wake().get(key), bytes)).toBe(true);
  expect(opened.wake().get('small')?.[0]).toBe(9);
});

test('always the newest change of each, with sleeps, failures and what an earlier version stores', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const step = fc.oneof(
    fc.record({
      set: fc.uniqueArray(fc.record({ key, length: fc.constantFrom(0, 5, 400, 70_000) }), {
        selector: (one) => one.key,
        maxLength: 4,
      }),
      fails: fc.boolean(),
    }),
    fc.record({ whole: key }),
    fc.record({ earlier: key }),
    fc.constant('sleep' as const),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const opened = open();
      let changes = opened.wake();
      const earlier = new Blobs(opened.sql, 'page_change');
      const model = new Map<string, Uint8Array>();
      /** All that was ever stored: when it is of another whole it may be found, and does not count. */
      const stored: Change[] = [];
      steps.forEach((now, i) => {
        if (now === 'sleep') {
          changes = opened.wake();
        } else if ('whole' in now) {
          model.delete(now.whole);
          changes.delete(now.whole);
        } else if ('earlier' in now) {
          // It stores while this version sleeps.
          const bytes = Uint8Array.of(i, 1);
          earlier.set(now.earlier, bytes);
          stored.push({ key: now.earlier, bytes });
          model.set(now.earlier, bytes);
          opened.stored.add(now.earlier);
          changes = opened.wake();
        } else {
          const all = now.set.map(({ key: one, length }) => change(one, length, i));
          try {
            opened.sql.transaction(() => {
              changes.set(all);
              if (now.fails) throw new Error('the disk is full');
            });
            stored.push(...all);
            for (const { key: one, bytes } of all) {
              model.set(one, bytes);
              opened.stored.add(one);
            }
          } catch {
            changes.forget();
          }
        }
        for (const one of ['a', 'b', 'c', 'd', 'e']) {
          const got = changes.get(one);
          const wanted = model.get(one);
          if (wanted !== undefined) expect(isSame(got, wanted)).toBe(true);
          else if (got !== null)
            expect(stored.some(({ key: other, bytes }) => other === one && isSame(got, bytes))).toBe(true);
        }
      });
    }),
    { numRuns: 300 },
  );
});

test('a damaged row is told of and written over, others stand', () => {
  const opened = open();
  opened.stored.add('a').add('b').add('c');
  opened.wake().set([change('a', 70_000, 1)]);
  opened.wake().set([change('b', 10, 2)]);
  opened.sql.exec('UPDATE page_changes SET keys = ? WHERE id = 2', '["b",11]');
  const woken = opened.wake();
  expect(woken.get('b')).toBeNull();
  expect(opened.warnings).toEqual([expect.stringContaining('row 2 of changes of pages is damaged')]);
  woken.set([change('c', 10, 3)]);
  expect(opened.wake().get('a')?.length).toBe(70_000);
  expect(opened.wake().get('c')?.[0]).toBe(3);
  expect(rowsOf(opened)).toHaveLength(2);
});
