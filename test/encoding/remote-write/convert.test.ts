import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toSchema } from '../../../src/encoding/remote-write/convert.ts';
import { DecodeError, decodeWrite } from '../../../src/encoding/remote-write/decoded.ts';
import { asV1, asV2, cases, plainOf, plain } from './cases.ts';
import { unpacked2, v1, v2 } from './oracle.ts';

it('leaves a message of that schema as it is', () => {
  const message = v2.encode({ symbols: [''] });
  expect(toSchema(decodeWrite(2, message), 2)).toBe(message);
});

it('2.0 → 1.0, as the oracle reads both', () => {
  fc.assert(
    fc.property(cases, (all) => {
      const converted = toSchema(decodeWrite(2, v2.encode(asV2(all))), 1);
      expect(v1.decodeBits(converted)).toEqual(v1.decodeBits(v1.encode(asV1(all))));
    }),
  );
});

it('2.0 → 1.0, with references that are not packed', () => {
  fc.assert(
    fc.property(cases, (all) => {
      const floats = all.map((series) => ({ ...series, histograms: 0 }));
      const converted = toSchema(decodeWrite(2, unpacked2.encode(asV2(floats))), 1);
      expect(v1.decodeBits(converted)).toEqual(v1.decodeBits(v1.encode(asV1(floats))));
    }),
  );
});

it('1.0 → 2.0, and back, as the oracle reads it', () => {
  fc.assert(
    fc.property(cases, (all) => {
      const message = v1.encode(asV1(all));
      const converted = decodeWrite(2, toSchema(decodeWrite(1, message), 2));
      expect(plain(converted)).toEqual(plainOf(all));
      expect(v1.decodeBits(toSchema(converted, 1))).toEqual(v1.decodeBits(message));
      const { symbols } = v2.decode(converted.message);
      expect(symbols![0]).toBe('');
      expect(new Set(symbols).size).toBe(symbols!.length);
    }),
  );
});

describe('1.0 → 2.0', () => {
  it('writes each text once, however many there are', () => {
    const timeseries = Array.from({ length: 5000 }, (_, i) => ({
      labels: [
        { name: '__name__', value: `metric_${i % 700}` },
        { name: 'instance', value: `host-${i}` },
      ],
      samples: [{ timestamp: i }],
    }));
    const { symbols, timeseries: series } = v2.decode(toSchema(decodeWrite(1, v1.encode({ timeseries })), 2));
    expect(symbols).toHaveLength(1 + 2 + 700 + 5000);
    expect(new Set(symbols).size).toBe(symbols!.length);
    for (let i = 0; i < timeseries.length; i++) {
      const labels = series![i]!.labelsRefs!.map((ref) => symbols![ref]);
      expect(labels).toEqual(timeseries[i]!.labels.flatMap(({ name, value }) => [name, value]));
    }
  });
});

it('refuses series that cannot be taken', () => {
  const message = v2.encode({ symbols: ['', 'a'], timeseries: [{ labelsRefs: [1, 1] }, { labelsRefs: [1, 7] }] });
  expect(() => toSchema(decodeWrite(2, message), 1)).toThrow(DecodeError);
  expect(() => toSchema(decodeWrite(2, message), 1)).toThrow('series 1: it refers to a symbol');
});
