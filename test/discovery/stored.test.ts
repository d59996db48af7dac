import { expect, test } from 'vitest';
import { Discoveries } from '../../src/discovery/stored.ts';
import type { Refresh } from '../../src/discovery/watch.ts';
import type { Sql } from '../../src/log/sql.ts';
import { Values } from '../../src/log/table.ts';
import { sqlite } from '../log/sqlite.ts';

const T0 = 1_800_000_000_000;
const ok = (fingerprint: string, groups: string | null): Refresh => ({ fingerprint, groups, targets: 3, error: null });
const failed: Refresh = { fingerprint: null, groups: null, targets: 0, error: 'away' };

/** Counts what is written. */
function counted() {
  const sql = sqlite();
  let writes = 0;
  const counting: Sql = {
    ...sql,
    exec: (query, ...values) => {
      if (/^\s*(INSERT|DELETE|UPDATE)/i.test(query)) writes++;
      return sql.exec(query, ...values);
    },
    transaction: (work) => sql.transaction(work),
  };
  const stored = new Discoveries(counting, new Values(counting));
  /** As after a sleep: nothing is in memory. */
  const asleep = () => new Discoveries(counting, new Values(counting));
  return { stored, asleep, writes: () => writes };
}

test('groups are given to those who have others', () => {
  const { stored } = counted();
  stored.put(T0, 'k', ok('f1', '["ä"]'));
  expect(stored.get(['k', 'none'], {})).toEqual({
    k: { fingerprint: 'f1', groups: '["ä"]', targets: 3, refreshedAtMs: T0, changedAtMs: T0, failures: 0, error: null },
  });
  expect(stored.get(['k'], { k: 'f1' })['k']!.groups).toBeNull();
  expect(stored.get(['k'], { k: 'f0' })['k']!.groups).toBe('["ä"]');
});

test('that nothing changed costs a row in five minutes', () => {
  const { stored, asleep, writes } = counted();
  stored.put(T0, 'k', ok('f1', '[]'));
  stored.put(T0 + 1000, 'k', ok('f1', null));
  const before = writes();
  for (let at = 2000; at < 300_000; at += 1000) stored.put(T0 + at, 'k', ok('f1', null));
  expect(writes()).toBe(before);
  expect(stored.get(['k'], {})['k']!.refreshedAtMs).toBe(T0 + 299_000);
  stored.put(T0 + 400_000, 'k', ok('f1', null));
  expect(writes()).toBe(before + 1);
  expect(asleep().get(['k'], {})['k']!.refreshedAtMs).toBe(T0 + 400_000);
});

test('every failure counts, and the groups stay', () => {
  const { stored, asleep } = counted();
  stored.put(T0, 'k', ok('f1', '[1]'));
  stored.put(T0 + 1, 'k', failed);
  stored.put(T0 + 2, 'k', failed);
  const expected = { groups: '[1]', targets: 3, refreshedAtMs: T0, failures: 2, error: 'away' };
  expect(asleep().get(['k'], {})['k']).toMatchObject(expected);
  stored.put(T0 + 3, 'k', ok('f1', null));
  expect(asleep().get(['k'], {})['k']).toMatchObject({ ...expected, refreshedAtMs: T0 + 3, error: null });
});

test('a part that failed is an error beside the groups', () => {
  const { stored } = counted();
  stored.put(T0, 'k', { ...ok('f2', '[2]'), error: 'half' });
  expect(stored.get(['k'], {})['k']).toMatchObject({ groups: '[2]', failures: 1, error: 'half', changedAtMs: T0 });
});

test('groups that were forgotten are not taken by their fingerprint alone', () => {
  const { stored } = counted();
  stored.put(T0, 'k', ok('f1', '[1]'));
  stored.keep([]);
  stored.put(T0 + 1, 'k', ok('f1', null));
  expect(stored.get(['k'], {})).toEqual({});
});

test('others than those of the configuration are forgotten', () => {
  const { stored, writes } = counted();
  for (const key of ['a', 'b', 'c']) stored.put(T0, key, ok(key, '[]'));
  stored.keep(['b', 'new']);
  expect(Object.keys(stored.get(['a', 'b', 'c'], {}))).toEqual(['b']);
  const before = writes();
  stored.keep(['b', 'new']);
  expect(writes()).toBe(before);
});

test('groups may be larger than a row', () => {
  const { stored } = counted();
  const large = JSON.stringify('x'.repeat(5_000_000));
  stored.put(T0, 'k', ok('f', large));
  expect(stored.get(['k'], {})['k']!.groups).toBe(large);
});
