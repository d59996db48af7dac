import fc from 'fast-check';
import snappyjs from 'snappyjs';
import { describe, expect, it } from 'vitest';
import { blockV1 } from '../../../src/encoding/remote-write/block-v1.ts';
import { RequestBuilder } from '../../../src/encoding/remote-write/builder.ts';
import { hasDirectBlock, toSchema, toSchemaBlock } from '../../../src/encoding/remote-write/convert.ts';
import { DecodeError, decodeWrite } from '../../../src/encoding/remote-write/decoded.ts';
import { sliceWrite } from '../../../src/encoding/remote-write/slice.ts';
import { snappyLength, snappyUncompress } from '../../../src/encoding/snappy.ts';
import { messages } from '../../bench/workload.ts';
import { asV2, cases } from './cases.ts';
import { type Bits, v2 } from './oracle.ts';

const BYTES_MAX = 1 << 28;

function bitsOf(value: number): Bits {
  const [low, high] = new Uint32Array(Float64Array.of(value).buffer);
  return { low: low!, high: high!, unsigned: true };
}

/** The block of a 2.0 message, after it was shown to hold what the converted message does, to snappyjs too. */
function checked(message: Uint8Array): Uint8Array {
  const block = toSchemaBlock(decodeWrite(2, message), 1);
  const wanted = toSchema(decodeWrite(2, message), 1);
  expect(snappyLength(block)).toBe(wanted.length);
  expect(Buffer.compare(snappyUncompress(block, BYTES_MAX), wanted)).toBe(0);
  if (wanted.length > 0) expect(Buffer.compare(snappyjs.uncompress(block), wanted)).toBe(0);
  expect(block.buffer.byteLength).toBe(block.byteLength);
  const decoded = decodeWrite(2, message);
  const half = decoded.seriesCount >>> 1;
  for (const [from, to] of [
    [0, half],
    [half, decoded.seriesCount],
  ] as const) {
    if (!hasDirectBlock(decoded, 1)) break;
    const part = snappyUncompress(toSchemaBlock(decoded, 1, from, to), BYTES_MAX);
    expect(Buffer.compare(part, sliceWrite(decodeWrite(1, wanted), from, to))).toBe(0);
  }
  return block;
}

describe('2.0 → compressed 1.0', () => {
  it('any message, with exemplars and histograms', () => {
    fc.assert(
      fc.property(cases, (all) => void checked(v2.encode(asV2(all)))),
      { numRuns: 300 },
    );
  });

  const value = fc.oneof(fc.nat({ max: 300 }), fc.double(), fc.constantFrom(0, -0, 1, 2 ** 40, 1e300));
  const label = fc.record({
    name: fc.constantFrom('a', 'le', 'handler', 'a_long_name_of_a_label'),
    value: fc.oneof(fc.constantFrom('a', 'le', '/api/v1/series', '/api/v1/labels', 'x'.repeat(200)), fc.string()),
  });
  const series = fc.record({
    labels: fc.array(label, { maxLength: 5 }),
    samples: fc.array(fc.record({ t: fc.constantFrom(1000, 1000, 1000, 2000, -5, 0, 1.7e12), value }), {
      maxLength: 3,
    }),
  });

  it('series that share much: labels in any order, other names of a value, values with the same bytes', () => {
    fc.assert(
      fc.property(fc.array(series, { maxLength: 30 }), (all) => {
        const symbols = ['', ...new Set(all.flatMap(({ labels }) => labels.flatMap((one) => [one.name, one.value])))];
        const timeseries = all.map(({ labels, samples }) => ({
          labelsRefs: labels.flatMap((one) => [symbols.lastIndexOf(one.name), symbols.lastIndexOf(one.value)]),
          samples: samples.map(({ t, value: v }) => ({ timestamp: t, value: bitsOf(v) })),
        }));
        checked(v2.encode({ symbols, timeseries }));
      }),
      { numRuns: 500 },
    );
  });

  it('series that are far apart: nothing reaches back more than 64 KiB', () => {
    const builder = new RequestBuilder({ samplesMax: 1e6, bytesMax: 1 << 28 });
    for (let i = 0; i < 3000; i++) {
      const refs = ['__name__', `m_${i % 1000}`, 'x', `${i % 7}`.repeat(i % 90), 'y', `${i}`].map((text) =>
        builder.symbol(text),
      );
      builder.add(refs, refs.length, 1e12 + (i % 500 === 0 ? i : 0), i * 77, i % 3);
    }
    checked(builder.finish()[0]!.message);
  });

  it('is not much larger than what is compressed by looking for matches', () => {
    const options = { schema: 2, series: 2000, rounds: 1, samplesMax: 2000, startMs: 1.7e12, stepMs: 1000 } as const;
    const message = messages(options)[0]![0]!;
    const looked = snappyjs.compress(toSchema(decodeWrite(2, message), 1));
    expect(checked(message).length).toBeLessThan(looked.length * 1.4);
  });

  /** A record of a scrape of so many series, of which some are new in each, with stale markers of those before. */
  function record(count: number, scrape: number): Uint8Array {
    const builder = new RequestBuilder({ samplesMax: 1e6, bytesMax: 1 << 28 });
    const add = (i: number, of: number, hi: number): void => {
      const worker = i % 100 === 0 ? `short-${i}-${of}` : `worker-${i % 40}`;
      const refs = ['__name__', `stage_${i % 250}_total`, 'job', 'bench', 'worker', worker, 'i', `${i}`];
      builder.add(
        refs.map((text) => builder.symbol(text)),
        refs.length,
        1.7e12 + scrape * 1000,
        hi,
        i * scrape,
      );
    };
    for (let i = 0; i < count; i++) add(i, scrape, 0x40000000 + i);
    for (let i = 0; i < count; i += 100) add(i, scrape - 1, 0x7ff00000);
    return builder.finish()[0]!.message;
  }

  it('records one after the other, in the same tables: larger and smaller ones, a share of the series new, one too large for them', () => {
    const sizes = [1000, 1000, 40, 3000, 1, 30_000, 1000];
    const all = sizes.map((size, scrape) => record(size, scrape + 1));
    expect(all.some((message) => message.length > 1024 * 1024)).toBe(true);
    for (const message of all) checked(message);
  });

  it('a record after one of which a part could not be written', () => {
    const decoded = decodeWrite(2, record(300, 1));
    const failing = (_: unknown, s: number): void => {
      if (s === 200) throw new DecodeError('an exemplar');
    };
    expect(() => blockV1(decoded, failing)).toThrow('an exemplar');
    checked(record(100, 2));
  });

  it('refuses series that cannot be taken', () => {
    const message = v2.encode({ symbols: ['', 'a'], timeseries: [{ labelsRefs: [1, 1] }, { labelsRefs: [1, 7] }] });
    expect(() => toSchemaBlock(decodeWrite(2, message), 1)).toThrow(DecodeError);
  });
});
