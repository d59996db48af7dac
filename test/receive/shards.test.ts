import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeWrite, type Schema } from '../../src/encoding/remote-write/decoded.ts';
import { snappyCompress, snappyUncompress } from '../../src/encoding/snappy.ts';
import { accept, type Accepted } from '../../src/receive/accept.ts';
import { DEFAULT_RECEIVE_LIMITS } from '../../src/receive/limits.ts';
import {
  changesOf,
  ONE_SHARD,
  PLACEMENT_DELAY_MS,
  placeSeries,
  shardOf,
  shardsAt,
  type ShardsRecord,
  wanted,
} from '../../src/receive/shards.ts';
import { type AppendResult, handleWrite } from '../../src/receive/write.ts';
import { plain, type PlainSeries } from '../encoding/remote-write/cases.ts';
import { double } from '../encoding/remote-write/oracle.ts';
import { message1, message2, NOW, Receiver, series1, series2, type TestLabels } from './receiver.ts';

const target = (job: string, instance: string, more: TestLabels = []): TestLabels => [
  ['__name__', 'm'],
  ...(instance === '' ? [] : [['instance', instance] as const]),
  ...(job === '' ? [] : [['job', job] as const]),
  ...more,
];
const asV1 = (all: readonly TestLabels[]): Uint8Array =>
  message1(...all.map((labels) => series1('m', { labels: labels.map(([name, value]) => ({ name, value })) })));
const asV2 = (all: readonly TestLabels[]): Uint8Array => message2(...all.map((labels) => series2('m', { labels })));
const place = (schema: Schema, message: Uint8Array, shards: number): number[] => {
  const decoded = decodeWrite(schema, message);
  return [...placeSeries(decoded, new Uint8Array(decoded.seriesCount).fill(1), shards)];
};
const many = Array.from({ length: 600 }, (_, i) => target(`job${i % 7}`, `host${i}:9100`));

describe('a series is in a shard', () => {
  it('by its job and instance, whatever else it has, and in both schemas', () => {
    const labels = [
      target('a', 'x'),
      target('a', 'x', [['zone', '1']]),
      [...target('a', 'x')].reverse(),
      target('b', 'x'),
      target('', ''),
      [...target('', ''), ['job', '']] as TestLabels,
    ];
    for (const shards of [2, 7, 64]) {
      const one = place(1, asV1(labels), shards);
      expect(place(2, asV2(labels), shards)).toEqual(one);
      expect([one[1], one[2], one[5]]).toEqual([one[0], one[0], one[4]]);
      expect(Math.max(...one)).toBeLessThan(shards);
    }
  });

  it('with about as many others as in each', () => {
    for (const shards of [2, 3, 8]) {
      const counts = Array.from({ length: shards }, () => 0);
      for (const shard of place(2, asV2(many), shards)) counts[shard]!++;
      for (const count of counts) expect(count).toBeGreaterThan((600 / shards) * 0.6);
    }
  });

  it('for ever, or moves to a new one when there are more', () => {
    const two = place(1, asV1(many), 2);
    const three = place(1, asV1(many), 3);
    three.forEach((shard, i) => expect([two[i], 2]).toContain(shard));
    expect(place(1, asV1(many), 2)).toEqual(two);
    // Versions of Narthex that run at once must agree.
    expect([1, 2, 3, 0xdeadbeef].map((hash) => [shardOf(hash, 2), shardOf(hash, 16)])).toEqual([
      [0, 10],
      [1, 15],
      [0, 3],
      [0, 9],
    ]);
  });
});

describe('a request for several shards', () => {
  const series = fc.record({
    job: fc.constantFrom('', 'a', 'b', 'c'),
    instance: fc.constantFrom('', 'x', 'y', 'z'),
    name: fc.stringMatching(/^[a-z]{1,6}$/),
    good: fc.boolean(),
  });
  const textsOf = (all: readonly PlainSeries[]): string[] => all.map((one) => JSON.stringify(one));

  it('is split so that each series is in one, byte for byte; nothing is lost, doubled or changed', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<Schema>(1, 2),
        fc.array(series, { minLength: 1, maxLength: 12 }),
        fc.constantFrom(2, 3, 5),
        (schema, all, shards) => {
          const labels = all.map(({ job, instance, name, good }) => [
            ...target(job, instance),
            ['name', name] as const,
            ...(good ? [] : [['', 'bad'] as const]),
          ]);
          const message = schema === 1 ? asV1(labels) : asV2(labels);
          const body = snappyCompress(message);
          const accepted = accept(schema, body, DEFAULT_RECEIVE_LIMITS, NOW, { hashSeries: true, shards }) as Accepted;
          const stored = accepted.parts.flatMap(({ shard, records }) =>
            records.flatMap((record) => {
              const decoded = decodeWrite(schema, snappyUncompress(record.body, 1 << 20));
              expect(new Set(place(schema, decoded.message, shards))).toEqual(new Set([shard]));
              expect(record.series).toBe(decoded.seriesCount);
              return plain(decoded);
            }),
          );
          const sent = plain(decodeWrite(schema, message)).filter((_, i) => all[i]!.good);
          expect(textsOf(stored).sort()).toEqual(textsOf(sent).sort());
          const sum = (of: (part: Accepted['parts'][number]) => number): number =>
            accepted.parts.reduce((total, part) => total + of(part), 0);
          expect(sum((part) => part.samples)).toBe(accepted.samples);
          expect(sum((part) => part.hashes!.length)).toBe(stored.length);
          expect(accepted.parts.map(({ shard }) => shard)).toEqual(
            [...new Set(accepted.parts.map(({ shard }) => shard))].sort((a, b) => a - b),
          );
          // In each shard in the order in which they came.
          for (const { shard, records } of accepted.parts) {
            const own = sent.filter(
              (_, i) => place(schema, message, shards).filter((_, j) => all[j]!.good)[i] === shard,
            );
            const kept = records.flatMap(({ body }) => plain(decodeWrite(schema, snappyUncompress(body, 1 << 20))));
            expect(textsOf(kept)).toEqual(textsOf(own));
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('that goes to one alone goes as it came', () => {
    const body = snappyCompress(asV2(Array.from({ length: 5 }, (_, i) => target('a', 'x', [['i', String(i)]]))));
    const { parts } = accept(2, body, DEFAULT_RECEIVE_LIMITS, NOW, { shards: 8 }) as Accepted;
    expect(parts).toHaveLength(1);
    expect(parts[0]!.records[0]!.body).toEqual(body);
  });
});

/** Sends to a receiver whose shards answer as told. */
async function send(
  answers: readonly (AppendResult | Error)[],
  shards: number | Promise<number> = 3,
): Promise<{
  status: number;
  written: string | null;
  text: string;
  retry: string | null;
  receiver: Receiver;
  to: number[];
}> {
  const receiver = new Receiver();
  receiver.shards = shards;
  const to: number[] = [];
  const response = await handleWrite(
    new Request('http://narthex/', {
      method: 'POST',
      body: snappyCompress(asV2(many)),
      headers: { 'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request' },
    }),
    'acme',
    {
      ...receiver.deps(),
      append: (_tenant, _records, { shard }) => {
        to.push(shard);
        const answer = answers[shard]!;
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
      },
    },
  );
  return {
    status: response.status,
    written: response.headers.get('X-Prometheus-Remote-Write-Samples-Written'),
    retry: response.headers.get('Retry-After'),
    text: await response.text(),
    receiver,
    to,
  };
}

describe('when shards answer', () => {
  const ok: AppendResult = { ok: true };
  const no = (status: 429 | 503, retryAfterS: number): AppendResult => ({
    ok: false,
    status,
    retryAfterS,
    message: `no ${status}`,
  });

  it('all with yes, it is 204', async () => {
    const { status, written, to } = await send([ok, ok, ok]);
    expect([status, written, to]).toEqual([204, '600', [0, 1, 2]]);
  });

  it('some with no, it is to come again, and what is kept already is told', async () => {
    const { status, written, retry, text, receiver } = await send([ok, no(429, 7), ok]);
    expect([status, retry]).toEqual([429, '7']);
    expect(Number(written)).toBeGreaterThan(300);
    expect(text).toContain('1 of the 3 shards');
    expect(receiver.counts['samples_in']! + receiver.counts['unwritten_samples:429']!).toBe(600);
    const both = await send([no(429, 70), no(503, 5), ok]);
    expect([both.status, both.retry]).toEqual([503, '70']);
    const failed = await send([new Error('gone'), no(429, 1), no(429, 1)]);
    expect([failed.status, failed.written]).toEqual([503, '0']);
    expect(failed.text).not.toContain('stored once');
  });

  it('and nobody knows how many they are, it is asked once something is to be kept', async () => {
    expect((await send([ok, ok, ok], Promise.resolve(3))).to).toEqual([0, 1, 2]);
    expect((await send([ok], Promise.resolve(1))).to).toEqual([0]);
    const { status, text, to } = await send([], Promise.reject(new Error('no director')));
    expect([status, to]).toEqual([503, []]);
    expect(text).toContain('no director');
    const receiver = new Receiver();
    receiver.shards = new Promise(() => undefined);
    const old = series1('a', { samples: [{ value: double(1), timestamp: 1 }] });
    expect((await receiver.send(1, message1(old))).status).toBe(400);
  });
});

describe('the number of shards', () => {
  const number = (record: ShardsRecord, nowMs: number) => [shardsAt(record, nowMs), record.highest];

  it('is had at once by a tenant that is new, and else when every Worker knows of it', () => {
    expect(wanted(undefined, 4, NOW)).toEqual({ shards: 4, next: null, highest: 4, changesMs: [] });
    const first = NOW + PLACEMENT_DELAY_MS;
    let record = wanted(ONE_SHARD, 3, NOW);
    expect(record.next).toEqual({ shards: 3, fromMs: first });
    expect(number(record, first - 1)).toEqual([1, 3]);
    expect(number(record, first)).toEqual([3, 3]);
    expect(wanted(record, 3, NOW + 5)).toBe(record);
    expect(wanted(record, 3, first + 5)).toBe(record);
    const second = first + 7 + PLACEMENT_DELAY_MS;
    record = wanted(record, 1, first + 7);
    expect(record).toEqual({ shards: 3, next: { shards: 1, fromMs: second }, highest: 3, changesMs: [first] });
    expect([number(record, second - 1), number(record, second)]).toEqual([
      [3, 3],
      [1, 3],
    ]);
    expect(changesOf(record)).toEqual([first, second]);
  });

  it('may be taken back before it holds; the highest is never forgotten', () => {
    const three: ShardsRecord = { shards: 3, next: null, highest: 3, changesMs: [5] };
    const raised = wanted(three, 5, NOW);
    expect(wanted(raised, 3, NOW + 1)).toEqual({ ...three, highest: 5 });
    expect(wanted(raised, 2, NOW + 1)).toMatchObject({ shards: 3, highest: 5, next: { shards: 2 } });
    expect(wanted(ONE_SHARD, 1, NOW)).toBe(ONE_SHARD);
    let record = ONE_SHARD;
    for (let i = 0; i < 100; i++) record = wanted(record, 1 + (i % 2), NOW + i * PLACEMENT_DELAY_MS);
    expect(changesOf(record).length).toBeLessThan(40);
  });
});
