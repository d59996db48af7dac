import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RequestBuilder } from '../../../src/encoding/remote-write/builder.ts';
import { decodeWrite } from '../../../src/encoding/remote-write/decoded.ts';
import { histogram } from '../../model/histograms.ts';
import { hexOf, plain, STALE, text, times, values } from './cases.ts';
import { v2 } from './oracle.ts';

const series = fc.record({
  labels: fc.array(fc.tuple(text, text), { maxLength: 5 }),
  t: times,
  value: values,
  type: fc.constantFrom(0, 1, 2, 3, 5),
  help: fc.option(text),
  unit: fc.option(text),
});

it('writes what the oracle reads', () => {
  fc.assert(
    fc.property(fc.array(series, { minLength: 1, maxLength: 8 }), (all) => {
      const builder = new RequestBuilder({ samplesMax: 1000, bytesMax: 1 << 20 });
      for (const { labels, t, value, type, help, unit } of all) {
        builder.reserve(100);
        const refs = labels.flat().map((part) => builder.symbol(part));
        const helpRef = help === null ? 0 : builder.symbol(help);
        builder.add(
          refs,
          refs.length,
          t,
          value.high,
          value.low,
          type,
          helpRef,
          unit === null ? 0 : builder.symbol(unit),
        );
      }
      const built = builder.finish();
      expect(built).toHaveLength(1);
      const { message, ...rest } = built[0]!;
      expect(rest).toMatchObject({
        samples: all.length,
        series: all.length,
        minT: Math.min(...all.map(({ t }) => t)),
        maxT: Math.max(...all.map(({ t }) => t)),
      });
      expect(message.buffer.byteLength).toBe(message.byteLength);

      const read = v2.decode(message);
      const symbols = read.symbols!;
      expect(symbols[0]).toBe('');
      expect(new Set(symbols).size).toBe(symbols.length);
      all.forEach((one, i) => {
        const got = read.timeseries![i]!;
        expect(got.labelsRefs!.map((ref) => symbols[ref])).toEqual(one.labels.flat());
        const metadata = got.metadata ?? {};
        expect(metadata.type ?? 0).toBe(one.type);
        expect(symbols[metadata.helpRef ?? 0]).toBe(one.help ?? '');
        expect(symbols[metadata.unitRef ?? 0]).toBe(one.unit ?? '');
      });
      expect(plain(decodeWrite(2, message)).map((one) => one.samples)).toEqual(
        all.map(({ t, value }) => [[t, hexOf(value)]]),
      );
    }),
  );
});

describe('closing a message', () => {
  it('at the number of samples', () => {
    const builder = new RequestBuilder({ samplesMax: 10, bytesMax: 1 << 20 });
    const generations = new Set<number>();
    for (let i = 0; i < 25; i++) {
      builder.reserve(10);
      generations.add(builder.generation);
      builder.add([builder.symbol('__name__'), builder.symbol(`m${i}`)], 2, 1000 + i, STALE.high, STALE.low);
    }
    const built = builder.finish();
    expect(built.map(({ samples, minT, maxT }) => [samples, minT, maxT])).toEqual([
      [10, 1000, 1009],
      [10, 1010, 1019],
      [5, 1020, 1024],
    ]);
    expect(generations.size).toBe(3);
    const names = built.flatMap(({ message }) => plain(decodeWrite(2, message)).map((one) => one.labels[0]![1]));
    expect(names).toEqual(Array.from({ length: 25 }, (_, i) => `m${i}`));
    expect(builder.finish()).toEqual([]);
  });

  it('before it grows beyond its bytes', () => {
    const builder = new RequestBuilder({ samplesMax: 10_000, bytesMax: 4096 });
    for (let i = 0; i < 500; i++) {
      const value = `${i}`.padEnd(40, '-');
      builder.reserve(value.length + 40);
      builder.add([builder.symbol('__name__'), builder.symbol(value)], 2, i, 0, 0);
    }
    const built = builder.finish();
    expect(built.reduce((sum, { samples }) => sum + samples, 0)).toBe(500);
    for (const { message } of built) expect(message.length).toBeLessThanOrEqual(4096);
    for (const { message } of built.slice(0, -1)) expect(message.length).toBeGreaterThan(3900);
  });

  it('gives a series above the limit a message of its own', () => {
    const builder = new RequestBuilder({ samplesMax: 10, bytesMax: 100 });
    for (const value of ['a', 'x'.repeat(500), 'b']) {
      builder.reserve(value.length);
      builder.add([builder.symbol('__name__'), builder.symbol(value)], 2, 0, 0, 0);
    }
    expect(builder.finish().map(({ samples }) => samples)).toEqual([1, 1, 1]);
  });

  it('void references are those of another generation', () => {
    const builder = new RequestBuilder({ samplesMax: 1, bytesMax: 1 << 20 });
    const first = builder.generation;
    builder.symbol('a');
    const a = builder.symbol('b');
    builder.add([a, a], 2, 0, 0, 0);
    builder.reserve(0);
    expect(builder.generation).toBeGreaterThan(first);
    expect(builder.symbol('b')).not.toBe(a);
  });
});

it('writes histograms and start timestamps, with what else a series has', () => {
  const builder = new RequestBuilder({ samplesMax: 1000, bytesMax: 1 << 20 });
  const refs = ['__name__', 'h'].map((part) => builder.symbol(part));
  builder.exemplar([], 5, 0, 0);
  builder.addHistogram(refs, 2, 9, histogram({ positive: { 1: 3 } }), 3, builder.symbol('help'), 0, 4);
  builder.add(refs, 2, 10, 0, 0, 1, 0, 0, -7);
  const [built] = builder.finish();
  expect(built).toMatchObject({ samples: 2, series: 2, minT: 9, maxT: 10 });
  const [one, two] = v2.decode(built!.message).timeseries!;
  expect(one!.histograms).toHaveLength(1);
  expect(one!.histograms![0]).toMatchObject({ countInt: 3, timestamp: 9, startTimestamp: 4 });
  expect([one!.exemplars!.length, one!.samples!.length, one!.metadata!.type]).toEqual([1, 0, 3]);
  expect(two!.samples).toMatchObject([{ timestamp: 10, startTimestamp: -7 }]);
});

it('keeps texts whose length takes more bytes than that of as many ASCII characters', () => {
  // 127 and 16,383 are the last lengths of one and of two bytes.
  for (const length of [1, 42, 43, 63, 64, 127, 128, 5461, 5462, 8191, 8192, 16_383, 16_384]) {
    for (const char of ['x', 'é', '€', '😀']) {
      const value = char.repeat(length);
      const builder = new RequestBuilder({ samplesMax: 1000, bytesMax: 1 << 20 });
      const refs = ['__name__', value, 'after'].map((part) => builder.symbol(part));
      builder.add(refs, 2, 1, 0, 0);
      expect(v2.decode(builder.finish()[0]!.message).symbols).toEqual(['', '__name__', value, 'after']);
    }
  }
});
