import fc from 'fast-check';
import { expect, it } from 'vitest';
import { inOrderOfChanges } from '../../src/forward/changes.ts';
import type { LogDoor } from '../../src/forward/door.ts';
import type { LogRecord } from '../../src/log/record.ts';

const SETTLED_MS = 1_000_000;

/** A log that gives a few records a call, and whose cursor follows what it was asked to acknowledge. */
class FakeLog implements LogDoor {
  cursor = 0;
  readonly #atMs: readonly number[];
  readonly #most: number;

  constructor(atMs: readonly number[], most: number) {
    this.#atMs = atMs;
    this.#most = most;
  }

  takeForwardBaton: LogDoor['takeForwardBaton'] = async () => ({ epoch: 1 });
  renew: LogDoor['renew'] = async () => ({ goOn: true, wantedVersion: 0 });
  retried: LogDoor['retried'] = async () => undefined;
  countMetadata: LogDoor['countMetadata'] = async () => undefined;
  setAside: LogDoor['setAside'] = async () => undefined;
  acknowledge: LogDoor['acknowledge'] = async (_now, _epoch, _remote, from, seq) => {
    expect(from).toBe(this.cursor);
    this.cursor = seq;
    return true;
  };
  next: LogDoor['next'] = async (_now, _epoch, _remote, _lease, from) => {
    const after = from ?? this.cursor;
    const records = this.#atMs
      .slice(after, after + this.#most)
      .map((atMs, i) => ({ seq: after + i + 1, atMs }) as LogRecord);
    if (records.length === 0) return { kind: 'idle', wantedVersion: 0 };
    const batch = { records, upTo: records.at(-1)!.seq };
    return { kind: 'records', cursor: this.cursor, batch, memo: {}, healthy: true, wantedVersion: 0 };
  };
}

it('what came before a change goes out of all logs before what came after it, whoever is ahead; all goes out', async () => {
  const times = fc.array(fc.nat(100), { maxLength: 8 }).map((all) => all.sort((a, b) => a - b));
  await fc.assert(
    fc.asyncProperty(
      fc.array(times, { minLength: 2, maxLength: 4 }),
      fc.uniqueArray(fc.nat(100), { maxLength: 3 }).map((all) => all.sort((a, b) => a - b)),
      fc.infiniteStream(fc.record({ log: fc.nat(3), ahead: fc.boolean(), most: fc.integer({ min: 1, max: 4 }) })),
      async (all, changesMs, steps) => {
        const logs = all.map((atMs, i) => new FakeLog(atMs, 1 + (i % 3)));
        const doors = inOrderOfChanges(logs, changesMs, { now: () => SETTLED_MS });
        const before = (atMs: number): number => changesMs.filter((changeMs) => changeMs <= atMs).length;
        const sent: number[] = [];
        /** What was read and is under way, of each log. */
        const held = all.map((): LogRecord[] => []);
        const step = async (i: number, ahead: boolean): Promise<void> => {
          const log = logs[i]!;
          const flying = held[i]!;
          if (ahead || flying.length === 0) {
            const from = flying.length === 0 ? null : flying.at(-1)!.seq;
            const next = await doors[i]!.next(0, 1, 'r', 0, from);
            if (next.kind !== 'records') return;
            flying.push(...next.batch.records);
            for (const { atMs } of next.batch.records) sent.push(before(atMs));
          } else {
            await doors[i]!.acknowledge(0, 1, 'r', log.cursor, flying.at(-1)!.seq, { sent: 0 }, false);
            held[i] = [];
          }
        };
        let n = 0;
        for (const { log, ahead } of steps) {
          await step(log % logs.length, ahead);
          if (++n === 60) break;
        }
        for (let round = 0; round < 80; round++) for (let i = 0; i < logs.length; i++) await step(i, false);
        expect(sent).toEqual(sent.toSorted((a, b) => a - b));
        expect(sent).toHaveLength(all.flat().length);
      },
    ),
    { numRuns: 200 },
  );
});

it('waits a while after a change for what is still on its way', async () => {
  let now = 1_000;
  const logs = [new FakeLog([500], 10), new FakeLog([1_500], 10)];
  const [old, young] = inOrderOfChanges(logs, [1_000], { now: () => now }) as [LogDoor, LogDoor];
  const kind = async (door: LogDoor): Promise<string> => (await door.next(0, 1, 'r', 0, null)).kind;
  expect([await kind(old), await kind(young)]).toEqual(['records', 'idle']);
  logs[0]!.cursor = 1;
  now = 30_999;
  expect([await kind(old), await kind(young)]).toEqual(['idle', 'idle']);
  now = 31_000;
  expect([await kind(young), await kind(old), await kind(young)]).toEqual(['idle', 'idle', 'records']);
});

it('of logs that nothing moves between is left alone', () => {
  const logs = [new FakeLog([], 1), new FakeLog([], 1)];
  expect(inOrderOfChanges(logs, [], { now: () => 0 })).toBe(logs);
  expect(inOrderOfChanges(logs.slice(0, 1), [1], { now: () => 0 })).toHaveLength(1);
});
