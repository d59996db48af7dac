import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../src/encoding/crc32c.ts';
import { newConsumer } from '../../src/log/consumer.ts';
import { DEFAULT_LOG_LIMITS, logLimits, type LogLimits } from '../../src/log/limits.ts';
import { Log } from '../../src/log/log.ts';
import { type NewRecord, RECORD_BYTES_MAX } from '../../src/log/record.ts';
import { isFull, type Sql } from '../../src/log/sql.ts';
import { sqlite } from './sqlite.ts';

const LIMITS: LogLimits = { bytesMax: 1_000_000, ageMaxMs: 1_000_000 };
const record = (samples: number, bytes = 10): NewRecord => ({
  schema: 2,
  samples,
  maxT: 1000 + samples,
  body: new Uint8Array(bytes).fill(samples),
});

function open(limits = LIMITS): { sql: Sql; log: Log } {
  const sql = sqlite();
  return { sql, log: new Log(sql, limits) };
}

/** `in = sent + dropped + pending` for every consumer, in samples. */
function expectConservation(log: Log): void {
  for (const consumer of log.status(0).consumers) {
    const dropped = Object.values(consumer.samplesDropped).reduce((sum, n) => sum + n, 0);
    expect(consumer.samplesSent + dropped + consumer.samplesPending).toBe(consumer.samplesIn);
    expect(consumer.samplesPending).toBeGreaterThanOrEqual(0);
  }
}

describe('the state that rides', () => {
  const rider = (n: number): Uint8Array => new Uint8Array(3).fill(n);

  it('can change without a record, once there is one', () => {
    const { log } = open();
    expect(log.setRider(rider(1))).toBe(false);
    log.append(0, [record(1), record(2)], rider(2));
    expect(log.setRider(rider(3))).toBe(true);
    expect(log.rider()).toEqual(rider(3));
  });

  it('stands in the newest record alone, however many wait', () => {
    const { sql, log } = open();
    log.setConsumers(['down']);
    const riders = (): unknown[] => sql.exec('SELECT seq FROM record WHERE rider IS NOT NULL').map((row) => row['seq']);
    for (let i = 1; i <= 5; i++) log.append(i, [record(i)], rider(i));
    expect(riders()).toEqual([1, 2, 3, 4, 5]);
    const before = sql.rowsWritten();
    log.dropOldRiders(3);
    expect(riders()).toEqual([1, 5]);
    log.dropOldRiders(100);
    log.dropOldRiders(100);
    expect(riders()).toEqual([5]);
    // A row for each that went, none for looking.
    expect(sql.rowsWritten() - before).toBe(4);
    expect(log.rider()).toEqual(rider(5));
    expectConservation(log);
  });

  it('has room with its record, or says what to do', () => {
    const { log } = open({ ...LIMITS, bytesMax: 10_000_000 });
    log.append(0, [record(1, 600_000)], new Uint8Array(1_300_000));
    expect(() => log.append(0, [record(1, 600_001)], new Uint8Array(1_300_000))).toThrow(
      'spread the targets over more',
    );
    expect(() => log.setRider(new Uint8Array(1_300_001))).toThrow('NARTHEX_AGENTS');
  });
});

describe('appending', () => {
  it('writes one row a record, and all of an append or none', () => {
    const { log } = open();
    expect(log.append(1, [record(3), record(4)])).toBe(2);
    expect(() => log.append(2, [record(5), record(6, RECORD_BYTES_MAX + 1)])).toThrow(/1500001 B, at most 1500000/);
    expect(log.status(2).log).toMatchObject({ lastSeq: 2, recordsIn: 2, samplesIn: 7, bytesIn: 20, highestMs: 1004 });
  });

  it('never uses a seq again, also when everything was truncated', () => {
    const { log } = open();
    log.append(1, [record(1), record(1), record(1)]);
    log.truncate(2);
    expect(log.status(2).log).toMatchObject({ firstSeq: 3, lastSeq: 3, records: 1, samplesIn: 3 });
    expect(log.append(3, [record(1)])).toBe(4);
    expect(log.status(3).log.samplesIn).toBe(4);
  });

  it('reads and continues a log of an earlier version, whose records are of all lanes', () => {
    const sql = sqlite();
    sql.exec(`CREATE TABLE record (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, schema INTEGER NOT NULL,
      samples INTEGER NOT NULL, max_t INTEGER NOT NULL, crc INTEGER NOT NULL, samples_in INTEGER NOT NULL,
      bytes_in INTEGER NOT NULL, rider BLOB, body BLOB NOT NULL)`);
    const body = new Uint8Array([1, 2, 3]);
    sql.exec('INSERT INTO record VALUES (1, 5, 2, 7, 9, ?, 7, 3, NULL, ?)', crc32c(body), body);
    for (let opened = 0; opened < 2; opened++) {
      const log = new Log(sql, LIMITS);
      if (opened === 0)
        sql.exec("INSERT INTO consumer VALUES ('a', 0, ?)", JSON.stringify(newConsumer('a', 0, 0).state));
      log.append(6, [{ ...record(1), lanes: 0b101, histograms: 1, exemplars: 2 }]);
    }
    const log = new Log(sql, LIMITS);
    const { records } = log.read('a', 1_000_000);
    expect(records.map(({ seq, lanes, histograms, exemplars }) => [seq, lanes, histograms, exemplars])).toEqual([
      [1, 0xffff, 0, 0],
      [2, 0b101, 1, 2],
      [3, 0b101, 1, 2],
    ]);
  });

  it('keeps the state that rides in the newest row through truncation', () => {
    const { log } = open();
    log.append(1, [record(1)], new Uint8Array([1]));
    log.append(2, [record(1), record(1)], new Uint8Array([2]));
    log.truncate(3);
    expect(log.rider()).toEqual(new Uint8Array([2]));
  });
});

describe('consumers', () => {
  it('begin at the end, read what comes after, and hold the log until they are done with it', () => {
    const { log } = open();
    log.append(1, [record(1)]);
    log.setConsumers(['a', 'b']);
    log.append(2, [record(2), record(3)]);
    expect(log.read('a', 1_000).records.map((r) => r.samples)).toEqual([2, 3]);
    expect(log.acknowledge(3, 'a', 1, 3, { sent: 5 })).toBe(true);
    expect(log.status(3).log.firstSeq).toBe(2);
    expect(log.acknowledge(3, 'b', 1, 2, { sent: 2 })).toBe(true);
    expect(log.status(3).log.firstSeq).toBe(3);
    expectConservation(log);
  });

  it('one that is gone stops holding the log', () => {
    const { log } = open();
    log.setConsumers(['a', 'dead']);
    log.append(1, [record(1), record(2)]);
    log.acknowledge(2, 'a', 0, 2, { sent: 3 });
    expect(log.status(2).log.records).toBe(2);
    log.setConsumers(['a']);
    log.truncate(3);
    expect(log.status(3).log.records).toBe(1);
  });

  it('are not moved by an acknowledgement from a cursor that is not theirs any more', () => {
    const { log } = open();
    log.setConsumers(['a']);
    log.append(1, [record(1), record(2)]);
    expect(log.acknowledge(2, 'a', 0, 1, { sent: 1 })).toBe(true);
    expect(log.acknowledge(2, 'a', 0, 1, { sent: 1 })).toBe(false);
    expect(log.consumer('a')?.state.sent).toBe(1);
  });

  it('refuse to account for more than was there', () => {
    const { log } = open();
    log.setConsumers(['a']);
    log.append(1, [record(1)]);
    expect(() => log.acknowledge(2, 'a', 0, 1, { sent: 2 })).toThrow(/1 more samples/);
    expect(log.consumer('a')?.cursor).toBe(0);
  });

  it('read at least one record and at most the bytes asked for', () => {
    const { log } = open();
    log.setConsumers(['a']);
    log.append(1, [record(1, 100), record(2, 100), record(3, 100)]);
    expect(log.read('a', 1).records.length).toBe(1);
    expect(log.read('a', 200)).toMatchObject({ upTo: 2 });
    // Reading on, before the first is done with.
    expect(log.read('a', 1, 1)).toMatchObject({ upTo: 2 });
    expect(log.read('a', 1, 2)).toMatchObject({ upTo: 3 });
  });
});

describe('damage', () => {
  it('sets a record with a wrong checksum aside and goes on behind it; its samples are dropped as unreadable', () => {
    const { sql, log } = open();
    log.setConsumers(['a']);
    log.append(1, [record(1), record(2), record(4)]);
    sql.exec('UPDATE record SET body = ? WHERE seq = 2', new Uint8Array([9]));
    const { records, upTo } = log.read('a', 1_000);
    expect(records.map((r) => r.seq)).toEqual([1, 3]);
    log.acknowledge(2, 'a', 0, 1, { sent: 1 });
    log.acknowledge(2, 'a', 1, upTo, { sent: 4 });
    const status = log.status(2);
    expect(status.consumers[0]).toMatchObject({ samplesSent: 5, samplesDropped: { unreadable: 2 }, samplesPending: 0 });
    expect(status.log.setAside).toMatchObject([{ seq: 2, reason: expect.stringMatching(/checksum/) }]);
    expectConservation(log);
  });
});

describe('bounds', () => {
  it('take the oldest first, by bytes and by age, and count them for each consumer that had not read them', () => {
    const { log } = open({ bytesMax: 35, ageMaxMs: 100 });
    log.setConsumers(['slow', 'quick']);
    log.append(0, [record(1), record(2), record(4)]);
    log.acknowledge(0, 'quick', 0, 3, { sent: 7 });
    log.append(1, [record(8)]);
    expect(log.status(1).consumers).toMatchObject([
      { name: 'quick', samplesDropped: {}, samplesPending: 8 },
      { name: 'slow', samplesDropped: { log_size_limit: 1 }, samplesPending: 14 },
    ]);
    log.truncate(101);
    expect(log.status(101).consumers).toMatchObject([
      { name: 'quick', samplesDropped: {}, samplesPending: 8 },
      { name: 'slow', samplesDropped: { log_size_limit: 1, log_age_limit: 6 }, samplesPending: 8 },
    ]);
    expectConservation(log);
  });
});

it('conserves samples whatever happens in whatever order', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('append' as const), samples: fc.array(fc.nat(20), { minLength: 1, maxLength: 4 }) }),
    fc.record({
      do: fc.constant('ack' as const),
      consumer: fc.constantFrom('a', 'b'),
      records: fc.nat(3),
      dropped: fc.boolean(),
    }),
    fc.record({ do: fc.constant('damage' as const), seq: fc.nat(30) }),
    fc.record({ do: fc.constant('consumers' as const), names: fc.subarray(['a', 'b', 'c']) }),
    fc.record({ do: fc.constant('truncate' as const) }),
    fc.record({ do: fc.constant('reopen' as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const limits = { bytesMax: 120, ageMaxMs: 25 };
      const sql = sqlite();
      let log = new Log(sql, limits);
      let samplesIn = 0;
      let now = 0;
      for (const s of steps) {
        now++;
        if (s.do === 'append') {
          log.append(
            now,
            s.samples.map((n) => record(n)),
          );
          samplesIn += s.samples.reduce((sum, n) => sum + n, 0);
        } else if (s.do === 'ack') {
          const consumer = log.consumer(s.consumer);
          if (consumer === undefined) continue;
          const records = log.read(s.consumer, 10 * Math.max(1, s.records)).records;
          let from = consumer.cursor;
          for (const r of records) {
            log.acknowledge(
              now,
              s.consumer,
              from,
              r.seq,
              s.dropped ? { sent: 0, dropped: { test: r.samples } } : { sent: r.samples },
            );
            from = r.seq;
          }
        } else if (s.do === 'damage') sql.exec('UPDATE record SET crc = crc + 1 WHERE seq = ?', s.seq);
        else if (s.do === 'consumers') log.setConsumers(s.names);
        else if (s.do === 'truncate') log.truncate(now);
        else log = new Log(sql, limits);
        expect(log.status(now).log.samplesIn).toBe(samplesIn);
        expectConservation(log);
      }
    }),
    { numRuns: 150 },
  );
});

it('remembers how a consumer stood, once a minute, for an hour', () => {
  const { log } = open({ bytesMax: 1e9, ageMaxMs: 1e9 });
  log.setConsumers(['a']);
  for (let minute = 0; minute < 100; minute++) {
    const nowMs = minute * 60_000;
    log.append(nowMs, [record(5), record(6)]);
    log.acknowledge(nowMs + 7_000, 'a', 2 * minute, 2 * minute + 1, { sent: 5 });
    log.acknowledge(nowMs + 8_000, 'a', 2 * minute + 1, 2 * minute + 2, { sent: 6 });
  }
  log.retried(100 * 60_000, 'a', 1, 1, 'down');
  const recent = log.status(0).consumers[0]!.recent;
  expect(recent).toHaveLength(60);
  expect(recent[0]).toEqual({ minute: 41, pending: 11, lagMs: 7_000 });
  expect(recent.at(-1)).toEqual({ minute: 100, pending: 0, lagMs: 0 });
});

describe('a consumer that is moved back', () => {
  it('is given again what the log has, and what it was given twice is counted as that', () => {
    const { log } = open();
    log.setConsumers(['a', 'slow']);
    for (let i = 1; i <= 5; i++) log.append(i * 100, [record(i)]);
    log.acknowledge(600, 'a', 0, 5, { sent: 14, dropped: { http_400: 1 } });
    expect(log.rewind('a', 300)).toEqual({ records: 3, samples: 12 });
    expectConservation(log);
    expect(log.status(700).consumers[0]).toMatchObject({ samplesIn: 27, samplesPending: 12, samplesReplayed: 12 });
    // A run that does not know of it finds the cursor elsewhere; forward it never moves.
    expect(log.acknowledge(700, 'a', 5, 5, { sent: 0 })).toBe(false);
    expect(log.rewind('a', 400)).toEqual({ records: 0, samples: 0 });
    expect(log.rewind('a', null)).toEqual({ records: 2, samples: 3 });
    log.acknowledge(800, 'a', 0, 5, { sent: 15 });
    expectConservation(log);
    expect(log.status(900).consumers[0]).toMatchObject({ samplesIn: 30, samplesSent: 29, samplesReplayed: 15 });
    // A new one begins at the end, unless it is asked to go back; and another keeps the log for it.
    log.setConsumers(['new', 'slow']);
    expect(log.rewind('new', null)).toEqual({ records: 5, samples: 15 });
    expect(log.rewind('a', null)).toBeNull();
    expectConservation(log);
  });

  it('begins at the oldest record that stands', () => {
    const { log } = open();
    log.setConsumers(['a']);
    for (let i = 1; i <= 3; i++) log.append(i, [record(i)]);
    log.acknowledge(4, 'a', 0, 3, { sent: 6 });
    expect(log.rewind('a', null)).toEqual({ records: 1, samples: 3 });
    expectConservation(log);
  });
});

describe('a full disk', () => {
  /** SQLite that refuses to grow above `bytesMax` of bodies, in the words of an object. */
  function small(bytesMax: { value: number }): { log: Log } {
    const sql = sqlite();
    const full: Sql = {
      ...sql,
      exec: (query, ...bindings) => {
        if (query.startsWith('INSERT INTO record')) {
          const held = sql.exec('SELECT sum(length(body)) AS held FROM record')[0]?.['held'] as number | null;
          if (
            (held ?? 0) +
              bindings.reduce<number>((sum, value) => sum + (value instanceof Uint8Array ? value.byteLength : 0), 0) >
            bytesMax.value
          )
            throw new Error('database or disk is full: SQLITE_FULL');
        }
        return sql.exec(query, ...bindings);
      },
    };
    return { log: new Log(full, LIMITS) };
  }
  const append = (log: Log, nowMs: number, records: NewRecord[]): void => {
    try {
      log.append(nowMs, records);
    } catch (error) {
      expect(isFull(error)).toBe(true);
      log.makeRoom(
        nowMs,
        records.reduce((sum, { body }) => sum + body.byteLength, 0),
      );
      log.append(nowMs, records);
    }
  };

  it('is full as SQLite itself says it, and recovers', () => {
    const sql = sqlite();
    const log = new Log(sql, LIMITS);
    log.setConsumers(['dead']);
    // 200 KiB, whatever stands in them.
    sql.exec('PRAGMA max_page_count = 50');
    for (let i = 0; i < 100; i++) append(log, i, [record(1, 10_000)]);
    expectConservation(log);
    const [dead] = log.status(100).consumers;
    expect(dead!.samplesDropped['log_full']).toBeGreaterThan(80);
    expect(dead!.samplesPending).toBeGreaterThan(5);
    expect(log.lastSeq()).toBe(100);
  });

  it('gives up the oldest, counted for each consumer, and goes on', () => {
    const { log } = small({ value: 1_000 });
    log.setConsumers(['dead', 'live']);
    for (let i = 0; i < 30; i++) {
      append(log, i, [record(1, 100)]);
      log.acknowledge(i, 'live', i, i + 1, { sent: 1 });
    }
    const [dead, live] = log.status(30).consumers;
    expect(live).toMatchObject({ samplesSent: 30, samplesDropped: {} });
    expect(dead).toMatchObject({
      samplesSent: 0,
      samplesDropped: { log_full: 20 },
      samplesPending: 10,
      healthy: false,
    });
    expectConservation(log);
  });

  it('refuses what cannot fit at all, keeps the rest, and recovers when there is room', () => {
    const disk = { value: 100 };
    const { log } = small(disk);
    log.setConsumers(['a']);
    append(log, 1, [record(1, 90)]);
    expect(() => append(log, 2, [record(7, 200)])).toThrow(/SQLITE_FULL/);
    expect(log.status(2).log.samplesIn).toBe(1);
    disk.value = 1_000;
    append(log, 3, [record(7, 200)]);
    expect(log.status(3).log.samplesIn).toBe(8);
    expectConservation(log);
  });
});

it('the bound of bytes can be set', () => {
  expect(logLimits(undefined)).toBe(DEFAULT_LOG_LIMITS);
  expect(logLimits(' 800MB ').bytesMax).toBe(800 * 1024 * 1024);
  expect(() => logLimits('much')).toThrow();
});
