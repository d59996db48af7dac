import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ENCODING_FLOAT_HISTOGRAM, ENCODING_XOR, type MixedColumns } from '../../src/block/columns.ts';
import { decodeHistograms } from '../../src/block/histogram-chunk.ts';
import { readChunk } from '../../src/block/reader.ts';
import { allSeries, readIndex } from '../block/index-reader.ts';
import { decodeXor } from '../../src/block/xor.ts';
import { blocksBefore } from '../../src/compact/committed.ts';
import type { BucketDoor } from '../../src/compact/doors.ts';
import { writeBlock } from '../../src/compact/write-block.ts';
import { Digest } from '../../src/digest/digest.ts';
import type { Cut } from '../../src/digest/shelf.ts';
import type { BlockStatus } from '../../src/http/status.ts';
import { RANGE_MS } from '../../src/model/sample.ts';
import { blockKey } from '../../src/model/tenant.ts';
import { ulid } from '../../src/model/ulid.ts';
import { columns } from '../block/help.ts';
import { textsOf } from '../block/mixed.ts';
import { message as anyMessage } from '../digest/arbitrary.ts';
import { type Content, encode, expected, sample, type TestMessage } from '../digest/messages.ts';
import { double, v2 } from '../encoding/remote-write/oracle.ts';

class Bucket implements BucketDoor {
  readonly objects = new Map<string, Uint8Array>();
  /** What to say instead of the next answer to `range`. */
  broken: Error | null = null;

  async put(key: string, bytes: Uint8Array | string): Promise<void> {
    this.objects.set(key, typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes.slice());
  }

  async multipart(key: string) {
    const parts: Uint8Array[] = [];
    return {
      part: async (bytes: Uint8Array) => void parts.push(bytes.slice()),
      complete: async () => void this.objects.set(key, Buffer.concat(parts)),
      abort: async () => {},
    };
  }

  async range(key: string, offset: number, length: number): Promise<Uint8Array | null> {
    if (this.broken !== null) throw this.broken;
    const bytes = this.objects.get(key);
    if (bytes === undefined) return null;
    return offset < 0 ? bytes.slice(offset) : bytes.slice(offset, Math.min(bytes.length, offset + length));
  }

  get(): never {
    throw new Error('not used');
  }

  copy(): never {
    throw new Error('not used');
  }
}

/** A tenant's committed blocks, made of one batch of messages after another. */
class World {
  readonly bucket = new Bucket();
  readonly blocks: BlockStatus[] = [];
  readonly warnings: string[] = [];
  counts = { samples: 0, duplicates: 0, conflicts: 0 };
  example: string | null = null;
  #made = 0;

  /** Each range in it becomes a block of its own. */
  async cut(bodies: readonly { schema: 1 | 2; body: Uint8Array }[], shard = 0): Promise<void> {
    const digest = new Digest({ samplesMax: 1, partBytesMax: 2500 });
    for (const { schema, body } of bodies) digest.add(schema, body);
    const { segments, duplicates, conflicts } = digest.finish();
    this.counts.duplicates += duplicates;
    this.counts.conflicts += conflicts;
    for (const { rangeStartMs, parts } of segments) {
      const cut: Cut = { id: 'x', rangeStartMs, late: true, segments: [{ id: 1, parts: parts.length }] };
      const name = ulid(++this.#made, () => 0.5);
      const written = await writeBlock(
        {
          tenant: 'acme',
          shard,
          ulid: name,
          cut,
          late: 1,
          nowMs: 0,
          before: blocksBefore(cut, this.blocks),
          key: (file) => blockKey('acme', name, file),
          warn: (text) => this.warnings.push(text),
        },
        { part: async (_, part) => parts[part]!.slice() },
        this.bucket,
      );
      if (written.block !== null) this.blocks.push(written.block);
      this.counts.samples += written.block?.samples ?? 0;
      this.counts.duplicates += written.repeats.duplicates;
      this.counts.conflicts += written.repeats.conflicts;
      this.example = written.repeats.conflictExample ?? this.example;
    }
  }

  async send(messages: readonly TestMessage[], shard = 0): Promise<void> {
    await this.cut(
      messages.map((message) => ({ schema: message.schema, body: encode(message) })),
      shard,
    );
  }

  /** All samples of all blocks: series → texts, as many times as they are there. */
  read(): Map<string, string[]> {
    const found = new Map<string, string[]>();
    for (const { ulid } of this.blocks) {
      const index = readIndex(this.bucket.objects.get(blockKey('acme', ulid, 'index'))!);
      for (const { labels, chunks } of allSeries(index)) {
        const name = JSON.stringify(labels.map(({ name, value }) => [name, value]));
        const texts = found.get(name) ?? [];
        found.set(name, texts);
        for (const { file, offset } of chunks) {
          const bytes = this.bucket.objects.get(blockKey('acme', ulid, `chunks/${String(file).padStart(6, '0')}`))!;
          const { encoding, start, end } = readChunk(bytes, offset);
          const out: MixedColumns = { ...columns(1000), histograms: null };
          const count =
            encoding === ENCODING_XOR
              ? decodeXor(bytes, start, end, out, 0)
              : decodeHistograms(bytes, start, end, encoding === ENCODING_FLOAT_HISTOGRAM, out, 0);
          texts.push(...textsOf(out, count));
        }
      }
    }
    return found;
  }
}

const plain = (contents: Iterable<Content>): Map<string, string[]> => {
  const all = new Map<string, string[]>();
  const hex = (half: string): string => Number(half).toString(16).padStart(8, '0');
  for (const content of contents) {
    for (const [name, times] of content) {
      const texts = [...times].map(([t, bits]) => `${t}=${bits.split(':').map(hex).join('')}`);
      all.set(name, [...(all.get(name) ?? []), ...texts]);
    }
  }
  return all;
};

const sorted = (all: Map<string, string[]>): [string, string[]][] =>
  [...all].map(([name, texts]): [string, string[]] => [name, texts.sort()]).sort(([a], [b]) => (a < b ? -1 : 1));

const message = (samples: readonly [t: number, value: number][], labels = [['m', 'x']] as const): TestMessage => ({
  schema: 2,
  series: [{ labels, samples: samples.map(([t, value]) => sample(t, value)) }],
});

describe('late samples', () => {
  it('become blocks of what is new: each timestamp of a series once, with the value that came first', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.array(anyMessage, { maxLength: 3 }), fc.nat(2)), { maxLength: 8 }),
        async (batches) => {
          const world = new World();
          for (const [messages, shard] of batches) await world.send(messages, shard);
          const { ranges, ...all } = expected(batches.flatMap(([messages]) => messages));
          expect(sorted(world.read())).toEqual(sorted(plain(ranges.values())));
          // What repeats within a batch is judged there, before anybody knows what a block holds.
          expect(world.counts.samples).toBe(all.samples);
          expect(world.counts.duplicates + world.counts.conflicts).toBe(all.duplicates + all.conflicts);
          expect(world.warnings).toEqual([]);
          expect(world.example === null || world.example.includes('refused')).toBe(true);
        },
      ),
      { numRuns: 80 },
    );
  });

  it('that are there already become nothing; one with another value is a conflict with an example', async () => {
    const world = new World();
    await world.send([
      message([
        [1000, 1],
        [2000, 2],
      ]),
    ]);
    await world.send([
      message([
        [1000, 1],
        [2000, 2],
      ]),
    ]);
    expect(world.blocks.length).toBe(1);
    expect(world.counts).toEqual({ samples: 2, duplicates: 2, conflicts: 0 });
    await world.send([
      message([
        [1000, 7],
        [1500, 3],
      ]),
    ]);
    expect(world.blocks.map(({ samples }) => samples)).toEqual([2, 1]);
    expect(world.counts).toEqual({ samples: 3, duplicates: 2, conflicts: 1 });
    expect(world.example).toBe('{m="x"} at 1000: kept 1, refused 7');
  });

  it('that are histograms are the same, though the chunk has given them empty buckets', async () => {
    const T = 1000;
    const histograms = (
      list: readonly { t: number; offset: number; counts: number[]; float?: boolean; sum?: number }[],
    ) => ({
      schema: 2 as const,
      body: v2.encode({
        symbols: ['', 'm', 'x'],
        timeseries: [
          {
            labelsRefs: [1, 2],
            histograms: list.map(({ t, offset, counts, float, sum }) => ({
              timestamp: t,
              sum: double(sum ?? 1),
              positiveSpans: [{ offset, length: counts.length }],
              ...(float === true
                ? { countFloat: double(counts.reduce((a, b) => a + b)), positiveCounts: counts.map(double) }
                : {
                    countInt: counts.reduce((a, b) => a + b),
                    positiveDeltas: counts.map((count, i) => count - (counts[i - 1] ?? 0)),
                  }),
            })),
          },
        ],
      }),
    });
    const first = [
      { t: T, offset: 0, counts: [1, 2] },
      { t: T + 1, offset: 0, counts: [1, 2, 4] },
      { t: T + 2, offset: -1, counts: [3, 1, 2, 4] },
      { t: T + 3, offset: 0, counts: [0.5], float: true },
    ];
    const world = new World();
    await world.cut([histograms(first)]);
    expect(world.blocks.map(({ chunks }) => chunks)).toEqual([2]);
    await world.cut([histograms(first)]);
    expect(world.counts).toEqual({ samples: 4, duplicates: 4, conflicts: 0 });
    await world.cut([
      histograms([
        { t: T, offset: 0, counts: [1, 3] },
        { t: T + 1, offset: 0, counts: [1, 2, 4], sum: 2 },
        { t: T + 2, offset: 0, counts: [1], float: true },
        { t: T + 4, offset: 0, counts: [9] },
      ]),
    ]);
    await world.send([message([[T + 3, 1]])]);
    expect(world.counts).toEqual({ samples: 5, duplicates: 4, conflicts: 4 });
    expect(world.example).toContain('kept a float histogram with count 0.5 and sum 1, refused 1');
  });

  it('are compared with blocks of their range only, and never when it is the first cut of one', () => {
    const block = (minTime: number, maxTime: number): BlockStatus =>
      ({ ulid: `${minTime}-${maxTime}`, minTime, maxTime }) as unknown as BlockStatus;
    const blocks = [block(0, RANGE_MS), block(RANGE_MS, RANGE_MS + 1), block(2 * RANGE_MS - 1, 2 * RANGE_MS)];
    const cut = { id: 'x', rangeStartMs: RANGE_MS, late: true, segments: [] };
    expect(blocksBefore(cut, [...blocks, block(2 * RANGE_MS, 3 * RANGE_MS)])).toEqual(
      blocks.slice(1).map(({ ulid }) => ulid),
    );
    expect(blocksBefore({ ...cut, late: false }, blocks)).toEqual([]);
    // A first cut is, when the number of shards changed since its range began.
    const first = (...changesMs: number[]) => blocksBefore({ ...cut, late: false }, blocks, changesMs);
    expect(first(cut.rangeStartMs - 1)).toEqual([]);
    expect(first(cut.rangeStartMs - 1, cut.rangeStartMs)).toEqual(blocksBefore(cut, blocks));
  });
});

describe('a block that cannot be compared with', () => {
  const sent = [message([[1000, 1]])];

  it('is passed over when someone removed it', async () => {
    const world = new World();
    await world.send(sent);
    world.bucket.objects.clear();
    await world.send(sent);
    expect([world.counts.samples, world.warnings]).toEqual([2, []]);
  });

  it('is named when it is damaged', async () => {
    const world = new World();
    await world.send(sent);
    const chunks = world.bucket.objects.get(blockKey('acme', world.blocks[0]!.ulid, 'chunks/000001'))!;
    chunks[12]! ^= 1;
    await world.send(sent);
    expect(world.counts.samples).toBe(2);
    expect(world.warnings).toEqual([expect.stringContaining(`not compared with block ${world.blocks[0]!.ulid}`)]);
  });

  it('fails the cut when the bucket does not answer, so that it comes again', async () => {
    const world = new World();
    await world.send(sent);
    world.bucket.broken = new Error('internal error; please try again (10001)');
    await expect(world.send(sent)).rejects.toThrow('10001');
    world.bucket.broken = null;
    await world.send(sent);
    expect(world.counts).toEqual({ samples: 1, duplicates: 1, conflicts: 0 });
  });
});
