import { expect, it } from 'vitest';
import { Outbox } from '../../src/forward/outbox.ts';
import { Log } from '../../src/log/log.ts';
import { Values } from '../../src/log/table.ts';
import { sqlite } from '../log/sqlite.ts';

const LEASE_MS = 30_000;
const record = { schema: 2, samples: 1, maxT: 1, body: Uint8Array.of(0) } as const;

it('a run that was relieved between two records does not make its successor wait', async () => {
  const sql = sqlite();
  const log = new Log(sql);
  log.setConsumers(['a']);
  log.append(0, [record]);
  const outbox = new Outbox(log, new Values(sql), () => 0);
  const first = outbox.takeBaton().epoch;
  expect(await outbox.next(1, first, 'a', LEASE_MS, null)).toMatchObject({ kind: 'records', cursor: 0 });
  expect(await outbox.acknowledge(2, first, 'a', 0, 1, { sent: 1 }, false)).toBe(true);
  log.append(3, [record]);
  const second = outbox.takeBaton().epoch;
  expect(await outbox.next(4, second, 'a', LEASE_MS, null)).toMatchObject({ kind: 'busy' });
  expect(await outbox.next(5, first, 'a', LEASE_MS, null)).toEqual({ kind: 'superseded' });
  expect(await outbox.next(6, second, 'a', LEASE_MS, null)).toMatchObject({ kind: 'records', cursor: 1 });
});

it('nor does one that was relieved while nothing was left to send', async () => {
  const log = new Log(sqlite());
  log.setConsumers(['a']);
  log.append(0, [record]);
  const outbox = new Outbox(log, new Values(sqlite()), () => 0);
  const first = outbox.takeBaton().epoch;
  await outbox.next(1, first, 'a', LEASE_MS, null);
  await outbox.acknowledge(2, first, 'a', 0, 1, { sent: 1 }, false);
  expect(await outbox.next(3, first, 'a', LEASE_MS, null)).toMatchObject({ kind: 'idle' });
  log.append(4, [record]);
  const second = outbox.takeBaton().epoch;
  expect(await outbox.next(5, second, 'a', LEASE_MS, null)).toMatchObject({ kind: 'records', cursor: 1 });
});

it('one that was relieved keeps what it has under way, until that is acknowledged', async () => {
  const log = new Log(sqlite());
  log.setConsumers(['a']);
  log.append(0, [record, record, record]);
  const outbox = new Outbox(log, new Values(sqlite()), () => 0);
  const first = outbox.takeBaton().epoch;
  expect(await outbox.next(1, first, 'a', LEASE_MS, null)).toMatchObject({ batch: { upTo: 3 } });
  log.append(2, [record]);
  expect(await outbox.next(3, first, 'a', LEASE_MS, 3)).toMatchObject({ cursor: 0, batch: { upTo: 4 } });
  const second = outbox.takeBaton().epoch;
  expect(await outbox.next(4, first, 'a', LEASE_MS, 4)).toEqual({ kind: 'superseded' });
  expect(await outbox.acknowledge(5, first, 'a', 0, 1, { sent: 1 }, true)).toBe(false);
  expect(await outbox.next(6, second, 'a', LEASE_MS, null)).toMatchObject({ kind: 'busy' });
  expect(await outbox.acknowledge(7, first, 'a', 1, 2, { sent: 1 }, false)).toBe(false);
  expect(await outbox.next(8, second, 'a', LEASE_MS, null)).toMatchObject({ kind: 'records', cursor: 2 });
});
