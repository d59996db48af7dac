import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Digest, type DigestedSegment } from '../../src/digest/digest.ts';
import { Known } from '../../src/digest/known.ts';
import { mergeSegments } from '../../src/digest/merge.ts';
import { SegmentError, SegmentWriter } from '../../src/digest/segment.ts';
import { message as anyMessage } from './arbitrary.ts';
import { encode, expected, labelBytes, sample, textOfBytes, type TestMessage, type TestSample } from './messages.ts';
import { contentOf, sourceOf } from './segments.ts';

function parts(
  series: readonly [value: string, samples: readonly TestSample[]][],
  partBytesMax = 100_000,
): Uint8Array[] {
  const writer = new SegmentWriter(partBytesMax);
  for (const [value, samples] of series) {
    const columns = {
      t: Float64Array.from(samples, ({ t }) => t),
      hi: Uint32Array.from(samples, ({ hi }) => hi),
      lo: Uint32Array.from(samples, ({ lo }) => lo),
    };
    writer.define(labelBytes(['a', value]), columns, samples.length);
  }
  return writer.finish();
}

describe('mergeSegments', () => {
  test('of batches is what one batch would have been', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(anyMessage, { maxLength: 3 }), { maxLength: 20 }),
        fc.constantFrom(60, 2500, 262_144),
        // When what is known is forgotten.
        fc.constantFrom(1, 2, 5, Infinity),
        async (batches: TestMessage[][], partBytesMax, forgetAfter) => {
          const segments = new Map<number, DigestedSegment[]>();
          const counts = { samples: 0, duplicates: 0, conflicts: 0 };
          let known = new Known();
          let next = 1;
          for (const [i, messages] of batches.entries()) {
            if (i % forgetAfter === 0) known = new Known();
            const digest = new Digest({ samplesMax: 1, partBytesMax }, known, next);
            for (const message of messages) digest.add(message.schema, encode(message));
            const result = digest.finish();
            counts.duplicates += result.duplicates;
            counts.conflicts += result.conflicts;
            for (const segment of result.segments) {
              segments.set(segment.rangeStartMs, [...(segments.get(segment.rangeStartMs) ?? []), segment]);
            }
            next += result.segments.length;
          }
          const { ranges, ...all } = expected(batches.flat());
          expect(new Set(segments.keys())).toEqual(new Set(ranges.keys()));
          for (const [range, list] of segments) {
            const { content, duplicates, conflicts } = await contentOf(list);
            expect(content).toEqual(ranges.get(range));
            counts.duplicates += duplicates;
            counts.conflicts += conflicts;
            for (const times of content.values()) counts.samples += times.size;
          }
          expect(counts.samples).toBe(all.samples);
          expect(counts.duplicates + counts.conflicts).toBe(all.duplicates + all.conflicts);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('waits for definitions, wherever they are, and says when one is not there', async () => {
    const known = new Known();
    const series = (value: string): TestMessage['series'][number] => ({
      labels: [['a', value]],
      samples: [sample(next * 1000, 1)],
    });
    let next = 1;
    const segments = ['dh', 'bdf', 'ah', 'abcdefgh', 'cg', 'ag'].map((values) => {
      const digest = new Digest({ samplesMax: 1, partBytesMax: 30 }, known, next++);
      digest.add(1, encode({ schema: 1, series: values.split('').map(series) }));
      return digest.finish().segments[0]!;
    });
    const { content } = await contentOf(segments);
    expect([...content].map(([text, times]) => [text, [...times.keys()]])).toEqual([
      ['[["a","a"]]', [4000, 5000, 7000]],
      ['[["a","b"]]', [3000, 5000]],
      ['[["a","c"]]', [5000, 6000]],
      ['[["a","d"]]', [2000, 3000, 5000]],
      ['[["a","e"]]', [5000]],
      ['[["a","f"]]', [3000, 5000]],
      ['[["a","g"]]', [5000, 6000, 7000]],
      ['[["a","h"]]', [2000, 4000, 5000]],
    ]);
    const without = (id: number): Promise<unknown> => contentOf(segments.filter((segment) => segment.id !== id));
    await expect(without(3)).rejects.toThrow(/segment 4 refers to series 0 of segment 3, which is not there$/);
    await expect(without(4)).rejects.toThrow(/segment 5 refers to series [01] of segment 4, which is not there$/);
    await expect(without(6)).resolves.toBeDefined();
    const short = segments.map((segment) =>
      segment.id === 1 ? { ...segment, parts: segment.parts.slice(0, 1) } : segment,
    );
    await expect(contentOf(short)).rejects.toThrow(/segment 3 refers to series 1 of segment 1, which is not there$/);
  });

  test('the earlier source wins, also where a later part of it speaks', async () => {
    const long = Array.from({ length: 500 }, (_, i) => sample(1000 * i, Math.sin(i)));
    const early = parts([['x', long]], 400);
    expect(early.length).toBeGreaterThan(3);
    const late = parts([['x', [sample(0, -1), sample(499_000, -1), sample(499_001, 7)]]]);
    const { content, conflicts, duplicates, conflictExample } = await contentOf([early, late, late]);
    expect({ conflicts, duplicates }).toEqual({ conflicts: 4, duplicates: 1 });
    expect(conflictExample).toBe('{a="x"} at 0: kept 0, refused -1');
    const [{ hi, lo }, seven] = [sample(0, Math.sin(499)), sample(0, 7)];
    const times = content.get('[["a","x"]]')!;
    expect(times.get(499_000)).toBe(`${hi}:${lo}`);
    expect(times.get(499_001)).toBe(`${seven.hi}:${seven.lo}`);
    expect(times.size).toBe(501);
  });

  test('labels handed out may be kept, columns are used again', async () => {
    const labels: Uint8Array[] = [];
    const columns = new Set<Float64Array>();
    await mergeSegments(
      [
        sourceOf(
          parts([
            ['x', [sample(1, 1)]],
            ['y', [sample(1, 1)]],
          ]),
        ),
      ],
      (series) => {
        labels.push(series.labels);
        columns.add(series.t);
      },
    );
    expect(labels.map(textOfBytes)).toEqual(['[["a","x"]]', '[["a","y"]]']);
    expect(labels.every((bytes) => bytes.byteLength === bytes.buffer.byteLength)).toBe(true);
    expect(columns.size).toBe(1);
  });

  test('of no sources, empty sources and parts without entries', async () => {
    const none = { content: new Map(), duplicates: 0, conflicts: 0, conflictExample: null };
    expect(await contentOf([])).toEqual(none);
    expect(await contentOf([[], []])).toEqual(none);
    const empty = Uint8Array.of(1, 0);
    const { content } = await contentOf([
      [empty, empty],
      [empty, ...parts([['x', [sample(1, 1)]]]), empty],
    ]);
    expect([...content.keys()]).toEqual(['[["a","x"]]']);
  });

  test('asks all sources for their first part at once, later ones as needed, 16 at most together', async () => {
    const series = Array.from({ length: 40 }, (_, i): [string, TestSample[]] => [
      String(i).padStart(3, '0'),
      [sample(1, i)],
    ]);
    const all = parts(series, 120);
    let asked = 0;
    let waiting = 0;
    let waitingMax = 0;
    const sources = Array.from({ length: 50 }, (_, i) => {
      const source = sourceOf(all, i + 1);
      return {
        id: source.id,
        next: async () => {
          asked++;
          waitingMax = Math.max(waitingMax, ++waiting);
          await new Promise((resolve) => setImmediate(resolve));
          waiting--;
          return source.next();
        },
      };
    });
    const askedAtSeries: number[] = [];
    let seen = 0;
    await mergeSegments(sources, () => {
      if (seen++ === 0) {
        expect(waitingMax).toBe(50);
        waitingMax = 0;
      }
      askedAtSeries.push(asked);
    });
    expect(seen).toBe(40);
    expect(waitingMax).toBe(16);
    expect(askedAtSeries[0]).toBe(50);
    expect(asked).toBe(50 * (all.length + 1));
    // A part holds a few series, so half of the parts must still be unread at half of the series.
    expect(askedAtSeries[19]).toBeLessThan(asked * 0.6);
  });

  test('waits for onSeries, and passes its error and a source’s on', async () => {
    const two = parts([
      ['x', [sample(1, 1)]],
      ['y', [sample(1, 1)]],
    ]);
    let running = 0;
    await mergeSegments([sourceOf(two)], async () => {
      expect(++running).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    });
    await expect(mergeSegments([sourceOf(two)], () => Promise.reject(new Error('full')))).rejects.toThrow('full');
    const gone = { id: 2, next: () => Promise.reject(new Error('gone')) };
    await expect(mergeSegments([sourceOf(two), gone], () => {})).rejects.toThrow('gone');
  });

  test('refuses series and times that do not ascend', async () => {
    const x = parts([['x', [sample(5, 1)]]]);
    const y = parts([['y', [sample(5, 1)]]]);
    const merge = (list: Uint8Array[]): Promise<unknown> => mergeSegments([sourceOf(list)], () => {});
    await expect(merge([...y, ...x])).rejects.toThrow(/series of source 0 do not ascend by labels \(at byte 3 /);
    await expect(merge([...x, ...x])).rejects.toThrow(/fragment begins at 5, not after 5/);
    await expect(merge([...x, ...y])).resolves.toBeDefined();
    await expect(merge([x[0]!.slice(0, -1)])).rejects.toThrow(SegmentError);
  });
});
