import { RE2JS } from 're2js';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { RequestBuilder } from '../../src/encoding/remote-write/builder.ts';
import { toSchema } from '../../src/encoding/remote-write/convert.ts';
import { DecodeError, decodeWrite, type Schema } from '../../src/encoding/remote-write/decoded.ts';
import { snappyCompress, SnappyError } from '../../src/encoding/snappy.ts';
import { relabelerOf, WriteRelabeler } from '../../src/forward/relabel.ts';
import { nextRequests } from '../../src/forward/requests.ts';
import type { LogRecord } from '../../src/log/record.ts';
import { samplesOf } from '../durable/log-reader.ts';
import { ruleFrom, type RuleText } from '../relabel/rules.ts';

afterEach(() => vi.restoreAllMocks());

/** What remains of a record, as one. */
function relabelled(it: WriteRelabeler, before: LogRecord): LogRecord | null {
  const { message, samplesDropped } = it.relabel(before);
  if (message === null) return null;
  const body = message === 'same' ? before.body : snappyCompress(message);
  return { ...before, samples: before.samples - samplesDropped, body };
}

/** A record of series `name{x="…"}` with one sample each. */
function record(series: readonly (readonly [name: string, x: string])[], schema: Schema = 2): LogRecord {
  const builder = new RequestBuilder({ samplesMax: 10_000, bytesMax: 512 * 1024 });
  series.forEach(([name, x], i) => {
    const refs = ['__name__', name, 'x', x].map((text) => builder.symbol(text));
    builder.add(refs, 4, i + 1, 0, i);
  });
  const { message, ...about } = builder.finish()[0]!;
  const body = snappyCompress(toSchema(decodeWrite(2, message), schema));
  return { ...about, seq: 1, atMs: 0, schema, body };
}

const relabeler = (...rules: RuleText[]): WriteRelabeler => new WriteRelabeler(rules.map(ruleFrom));
const shown = (it: { schema: Schema; body: Uint8Array }): string[] =>
  samplesOf(it).map(({ labels, t }) => `${JSON.stringify(labels).replaceAll('"', '')} ${t}`);

const SERIES = [
  ['a', '1'],
  ['go_b', '1'],
  ['c', '2'],
] as const;
const DROP_GO: RuleText = { source_labels: ['__name__'], regex: 'go_.*', action: 'drop' };

describe.each<Schema>([1, 2])('write_relabel_configs, a record of schema %i', (schema) => {
  test('drop series and change labels', () => {
    const it = relabeler(DROP_GO, { target_label: 'y', replacement: 'z' });
    const after = relabelled(it, record(SERIES, schema));
    expect(after).toMatchObject({ schema, samples: 2 });
    expect(shown(after!)).toEqual(['{__name__:a,x:1,y:z} 1', '{__name__:c,x:2,y:z} 3']);
  });

  test('sort labels, and leave nothing of a series without labels', () => {
    const rename: RuleText[] = [
      { source_labels: ['x'], target_label: 'B' },
      { regex: 'x', action: 'labeldrop' },
    ];
    expect(shown(relabelled(relabeler(...rename), record([['a', '1']], schema))!)).toEqual(['{B:1,__name__:a} 1']);
    expect(relabeler({ regex: '.*', action: 'labeldrop' }).relabel(record(SERIES, schema))).toEqual({
      message: null,
      samplesDropped: 3,
    });
  });

  test('cost no regex for series that were there before', () => {
    const it = relabeler(DROP_GO, { regex: 'x(.*)', replacement: 'y$1', action: 'labelmap' });
    const first = it.relabel(record(SERIES, schema));
    const calls = [vi.spyOn(RE2JS.prototype, 'test'), vi.spyOn(RE2JS.prototype, 'matcher')];
    expect(it.relabel(record(SERIES, schema))).toEqual(first);
    expect(calls.map((spy) => spy.mock.calls.length)).toEqual([0, 0]);
    it.relabel(record([['d', '1']], schema));
    expect(calls[0]!.mock.calls).toHaveLength(1);
  });

  test('never let a record pass that cannot be decoded', () => {
    const damaged = { ...record(SERIES, schema), body: snappyCompress(new Uint8Array([0xff])) };
    expect(() => relabeler(DROP_GO).relabel(damaged)).toThrow(DecodeError);
    const noSnappy = { ...record(SERIES, schema), body: new Uint8Array([0xff]) };
    expect(() => relabeler(DROP_GO).relabel(noSnappy)).toThrow(SnappyError);
  });
});

test('without rules, a record is sent as it is', () => {
  const it = record(SERIES);
  expect(relabeler().relabel(it)).toEqual({ message: 'same', samplesDropped: 0 });
  expect(nextRequests([it], 2, 100, { relabeler: relabeler() }).requests[0]!.body).toBe(it.body);
});

test('more series than are remembered are still right', () => {
  const it = relabeler({ source_labels: ['x'], regex: '.*7', action: 'drop' });
  for (let round = 0; round < 2; round++) {
    for (let from = 0; from < 50_000; from += 5_000) {
      const series = Array.from({ length: 5_000 }, (_, i): [string, string] => ['a', String(from + i)]);
      expect(it.relabel(record(series)).samplesDropped).toBe(500);
    }
  }
});

test('what rules made of series is known to the next run, and forgotten for others', () => {
  const rules = (regex: string) => [ruleFrom({ source_labels: ['x'], regex, action: 'drop' })];
  const first = relabelerOf(rules('.*7'));
  expect(relabelerOf(rules('.*7'))).toBe(first);
  const series = Array.from({ length: 10_000 }, (_, i): [string, string] => ['a', String(i)]);
  for (let i = 0; i < 8; i++) relabelerOf(rules(`.*${i}.`)).relabel(record(series));
  expect(relabelerOf(rules('.*7.'))).toBe(relabelerOf(rules('.*7.')));
  expect(relabelerOf(rules('.*7'))).not.toBe(first);
});

describe('requests of relabelled records', () => {
  test.each<[log: Schema, remote: Schema]>([
    [2, 2],
    [2, 1],
    [1, 1],
    [1, 2],
  ])('log in %i, remote in %i', (log, remote) => {
    const records = [record(SERIES, log), record([['go_x', '1']], log), record(SERIES, log)];
    const first = nextRequests(records, remote, 100, { relabeler: relabeler(DROP_GO) });
    // A record of which nothing remains ends what is joined.
    expect(first).toMatchObject({ records: 1, samplesDropped: 1, requests: [{ samples: 2 }] });
    expect(shown({ schema: remote, body: first.requests[0]!.body })).toEqual([
      '{__name__:a,x:1} 1',
      '{__name__:c,x:2} 3',
    ]);
    const second = nextRequests(records.slice(1), remote, 100, { relabeler: relabeler(DROP_GO) });
    expect(second).toMatchObject({ records: 1, requests: [], samplesDropped: 1 });
  });

  test('are joined in 1.0, and split, by what remains', () => {
    const joined = nextRequests([record(SERIES, 1), record(SERIES, 1)], 1, 100, { relabeler: relabeler(DROP_GO) });
    expect(joined).toMatchObject({ records: 2, samplesDropped: 2, requests: [{ samples: 4 }] });
    expect(shown({ schema: 1, body: joined.requests[0]!.body })).toHaveLength(4);
    expect(nextRequests([record(SERIES)], 2, 2, { relabeler: relabeler(DROP_GO) }).requests).toHaveLength(1);
    expect(nextRequests([record(SERIES)], 2, 1, { relabeler: relabeler(DROP_GO) })).toMatchObject({
      requests: [{ samples: 1 }, { samples: 1 }],
      samplesDropped: 1,
    });
  });
});
