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
  expect(await outbox.next(1, first, 'a', LEASE_MS)).toMatchObject({ kind: 'records', cursor: 0 });
  expect(await outbox.acknowledge(2, first, 'a', 0, 1, { sent: 1 })).toBe(true);
  log.append(3, [record]);
  const second = outbox.takeBaton().epoch;
  expect(await outbox.next(4, second, 'a', LEASE_MS)).toMatchObject({ kind: 'busy' });
  expect(await outbox.next(5, first, 'a', LEASE_MS)).toEqual({ kind: 'superseded' });
  expect(await outbox.next(6, second, 'a', LEASE_MS)).toMatchObject({ kind: 'records', cursor: 1 });
});

it('nor does one that was relieved while nothing was left to send', async () => {
  const log = new Log(sqlite());
  log.setConsumers(['a']);
  log.append(0, [record]);
  const outbox = new Outbox(log, new Values(sqlite()), () => 0);
  const first = outbox.takeBaton().epoch;
  await outbox.next(1, first, 'a', LEASE_MS);
  await outbox.acknowledge(2, first, 'a', 0, 1, { sent: 1 });
  expect(await outbox.next(3, first, 'a', LEASE_MS)).toMatchObject({ kind: 'idle' });
  log.append(4, [record]);
  const second = outbox.takeBaton().epoch;
  expect(await outbox.next(5, second, 'a', LEASE_MS)).toMatchObject({ kind: 'records', cursor: 1 });
});
