import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BAD_ODD_REFS, BAD_REF, BAD_TIMESTAMP } from '../../../src/encoding/remote-write/bad.ts';
import {
  COUNT_MAX,
  DecodeError,
  Decoded,
  decodeWrite,
  TooManyError,
} from '../../../src/encoding/remote-write/decoded.ts';
import { bytes, mutate, Rng } from '../damage.ts';
import { asV1, asV2, cases, expectConsistent, plain, plainOf } from './cases.ts';
import { bits, double, type Series2, unknown, unpacked2, v1, v2 } from './oracle.ts';

describe('against protobufjs', () => {
  it.each([
    ['plain', {}],
    ['with unknown fields of every wire type', unknown],
  ])('reads 1.0, %s', (_, more) => {
    const into = new Decoded();
    fc.assert(
      fc.property(cases, (all) => {
        const message = v1.encode(asV1(all, more));
        expect(plain(decodeWrite(1, message))).toEqual(plainOf(all));
        expect(plain(decodeWrite(1, message, into))).toEqual(plainOf(all));
      }),
    );
  });

  it.each([
    ['plain', {}],
    ['with unknown fields of every wire type', unknown],
  ])('reads 2.0, %s', (_, more) => {
    const into = new Decoded();
    fc.assert(
      fc.property(cases, (all) => {
        const message = v2.encode(asV2(all, more));
        expect(plain(decodeWrite(2, message))).toEqual(plainOf(all));
        expect(plain(decodeWrite(2, message, into))).toEqual(plainOf(all));
      }),
    );
  });

  it('reads 2.0 with symbols after the series, and in between', () => {
    fc.assert(
      fc.property(cases, fc.nat(), (all, cut) => {
        const { symbols, timeseries } = asV2(all);
        const at = cut % (symbols.length + 1);
        const message = Buffer.concat([
          v2.encode({ symbols: symbols.slice(0, at), timeseries: timeseries.slice(0, 1) }),
          v2.encode({ symbols: symbols.slice(at), timeseries: [] }),
          v2.encode({ timeseries: timeseries.slice(1) }),
        ]);
        expect(plain(decodeWrite(2, message))).toEqual(plainOf(all));
      }),
    );
  });

  it('reads references that are not packed', () => {
    fc.assert(
      fc.property(cases, (all) => {
        const plainCase = all.map((series) => ({ ...series, histograms: 0 }));
        expect(plain(decodeWrite(2, unpacked2.encode(asV2(plainCase))))).toEqual(plainOf(plainCase));
      }),
    );
  });

  it('reads 2.0 with more symbols than references of two bytes reach', () => {
    const symbols = Array.from({ length: 20_000 }, (_, i) => (i === 0 ? '' : `s${i}`));
    const labelsRefs = [1, 127, 128, 16383, 16384, 19_999];
    const decoded = decodeWrite(2, v2.encode({ symbols, timeseries: [{ labelsRefs }] }));
    expect(plain(decoded)[0]!.labels).toEqual([
      ['s1', 's127'],
      ['s128', 's16383'],
      ['s16384', 's19999'],
    ]);
  });

  it('keeps the columns of a smaller message apart from what they held before', () => {
    const into = new Decoded();
    const series = (n: number) =>
      Array.from({ length: n }, (_, i) => ({ labelsRefs: [1, 2], samples: [{ timestamp: i }] }));
    decodeWrite(2, v2.encode({ symbols: ['', 'a', 'b'], timeseries: series(3000) }), into);
    const v1Labels = [{ name: 'n', value: 'v' }];
    decodeWrite(1, v1.encode({ timeseries: Array.from({ length: 9000 }, () => ({ labels: v1Labels })) }), into);
    decodeWrite(2, v2.encode({ symbols: ['', 'a', 'b'], timeseries: series(5000) }), into);
    expect(plain(into)).toEqual(plain(decodeWrite(2, into.message)));
    expect([into.seriesCount, into.labelCount, into.sampleCount]).toEqual([5000, 5000, 5000]);
  });
});

describe('proto3', () => {
  it('takes what is absent as the default', () => {
    expect(plain(decodeWrite(1, bytes('0a 06 0a 00 12 00 22 00')))).toEqual([
      { labels: [['', '']], samples: [[0, '0000000000000000']], exemplars: 0, histograms: 1, bad: 0 },
    ]);
    expect(plain(decodeWrite(1, bytes('0a 00')))).toEqual([
      { labels: [], samples: [], exemplars: 0, histograms: 0, bad: 0 },
    ]);
    expect(plain(decodeWrite(1, bytes('')))).toEqual([]);
    expect(plain(decodeWrite(2, bytes('')))).toEqual([]);
  });

  it('takes the last of a repeated scalar, and the value before the name', () => {
    expect(plain(decodeWrite(1, bytes('0a 0b 0a 09 12 01 76 0a 01 61 0a 01 62')))[0]!.labels).toEqual([['b', 'v']]);
    expect(plain(decodeWrite(1, bytes('0a 06 12 04 10 01 10 02')))[0]!.samples[0]![0]).toBe(2);
  });

  it('counts metadata of 1.0', () => {
    expect(decodeWrite(1, v1.encode({ metadata: [{ help: 'a' }, { help: 'b' }] })).metadataCount).toBe(2);
  });
});

describe('timestamps', () => {
  // [varint, value, whether it is beyond ±2^53]
  const rows: [string, number, boolean][] = [
    ['ff ff ff ff ff ff ff ff ff 01', -1, false],
    ['80 80 80 80 f8 ff ff ff ff 01', -(2 ** 31), false],
    ['81 80 80 80 80 80 80 f0 ff 01', -(2 ** 53) + 1, false],
    ['80 80 80 80 80 80 80 f0 ff 01', -(2 ** 53), true],
    ['80 80 80 80 80 80 80 80 80 01', -(2 ** 63), true],
    ['ff ff ff ff ff ff ff 0f', 2 ** 53 - 1, false],
    ['80 80 80 80 80 80 80 10', 2 ** 53, true],
    ['ff ff ff ff ff ff ff ff 7f', 2 ** 63, true],
    ['80 80 00', 0, false],
    ['ff ff ff ff ff ff ff ff ff 7f', -1, false],
  ];
  it.each(rows)('%s is %d', (varint, t, bad) => {
    const value = bytes(varint);
    const message = Uint8Array.of(0x0a, value.length + 3, 0x12, value.length + 1, 0x10, ...value);
    const decoded = decodeWrite(1, message);
    expect(decoded.t[0]).toBe(t);
    expect(decoded.bad[0]).toBe(bad ? BAD_TIMESTAMP : 0);
  });
});

describe('series that cannot be taken', () => {
  const symbols = ['', 'a', 'b'];
  const rows: [string, Series2, number][] = [
    ['odd references', { labelsRefs: [1, 2, 1] }, BAD_ODD_REFS],
    ['a value out of range', { labelsRefs: [1, 3] }, BAD_REF],
    ['a name out of range', { labelsRefs: [3, 1] }, BAD_REF],
    ['a reference of 2^32 − 1', { labelsRefs: [1, 0xffffffff] }, BAD_REF],
    [
      'an exemplar with odd references',
      { labelsRefs: [1, 2], exemplars: [{ labelsRefs: [1], value: double(1), timestamp: 1 }] },
      BAD_ODD_REFS,
    ],
    [
      'an exemplar with a reference out of range',
      { labelsRefs: [1, 2], exemplars: [{ labelsRefs: [1, 9], value: double(1), timestamp: 1 }] },
      BAD_REF,
    ],
    ['metadata with a help out of range', { labelsRefs: [1, 2], metadata: { helpRef: 3 } }, BAD_REF],
    ['metadata with a unit out of range', { labelsRefs: [1, 2], metadata: { unitRef: 3 } }, BAD_REF],
  ];
  it.each(rows)('%s, and its neighbours can', (_, series, code) => {
    const good = { labelsRefs: [1, 2], samples: [{ value: bits(1, 2), timestamp: 3 }] };
    const decoded = decodeWrite(2, v2.encode({ symbols, timeseries: [good, series, good] }));
    expect([...decoded.bad.subarray(0, 3)]).toEqual([0, code, 0]);
    const [before, , after] = plain(decoded);
    expect(before).toEqual(after);
    expect(before!.labels).toEqual([['a', 'b']]);
  });
});

describe('malformed messages', () => {
  const rows: [string, 1 | 2, string, RegExp][] = [
    ['a length beyond the message', 1, '0a 7f 0a', /a length of 127 B at byte 1, where 1 B are left/],
    ['a length of 4 GiB', 1, '0a ff ff ff ff 0f', /a length of 4294967295 B/],
    ['a label beyond its series', 1, '0a 02 0a 05 0a 03 61 62 63', /a length of 5 B at byte 3, where 0 B are left/],
    ['a name beyond its label', 1, '0a 04 0a 02 0a 03 61 62', /a length of 3 B/],
    ['a value cut short', 1, '0a 06 12 04 09 00 00 00', /ends within a fixed-size number at byte 5/],
    ['a varint of 11 bytes', 1, '0a 0e 12 0c 10 ff ff ff ff ff ff ff ff ff ff 01', /longer than 10 bytes at byte 5/],
    ['a varint cut short by its message', 1, '0a 05 12 03 10 ff ff 01', /ends within a varint at byte 5/],
    ['field number 0', 1, '00 00', /field number 0 at byte 0/],
    ['a group', 1, '0b 0c', /wire type 3 of field 1/],
    ['an unknown group', 1, '53 54', /wire type 3 of field 10/],
    ['wire type 7', 1, '0a 02 37 00', /wire type 7 of field 6 before byte 3/],
    ['series as a number', 1, '08 01', /wire type 0 of field 1 of WriteRequest/],
    ['a timestamp as bytes', 1, '0a 04 12 02 12 00', /wire type 2 of field 2 of Sample/],
    ['a value as a number', 2, '22 00 2a 04 12 02 08 00', /wire type 0 of field 1 of Sample/],
    ['symbols as a number', 2, '20 01', /wire type 0 of field 4 of Request/],
    ['a first symbol that is not empty', 2, '22 01 61', /the first symbol is not the empty string/],
    ['series without symbols', 2, '2a 00', /series without any symbols/],
    ['packed references that end within one', 2, '22 00 2a 03 0a 01 80', /ends within a varint/],
    ['a 1.0 message sent as 2.0', 2, '0a 00', /this is a prometheus.WriteRequest/],
    ['a 2.0 message sent as 1.0', 1, '22 00 2a 00', /this is an io.prometheus.write.v2.Request/],
    ['an exemplar of 1.0 that is damaged', 1, '0a 04 1a 02 0a 05', /a length of 5 B/],
  ];
  it.each(rows)('%s', (_, schema, message, error) => {
    expect(() => decodeWrite(schema, bytes(message))).toThrow(DecodeError);
    expect(() => decodeWrite(schema, bytes(message))).toThrow(error);
  });
});

describe('messages that hold too many', () => {
  const repeated = (unit: string, times: number): Buffer => Buffer.alloc(times * (unit.length / 2), unit, 'hex');
  const rows: [string, () => Uint8Array][] = [
    ['symbols', () => repeated('2200', COUNT_MAX.symbols + 1)],
    ['series', () => Buffer.concat([bytes('2200'), repeated('2a00', COUNT_MAX.series + 1)])],
    ['samples', () => Buffer.concat([bytes('22002a82808001'), repeated('1200', COUNT_MAX.samples + 1)])],
    ['labels', () => Buffer.concat([bytes('2200'), repeated('2a820a0aff09' + '00'.repeat(1279), 1700)])],
  ];
  it.each(rows)('%s', (what, message) => {
    expect(() => decodeWrite(2, message())).toThrow(TooManyError);
    expect(() => decodeWrite(2, message())).toThrow(`more than ${COUNT_MAX[what as 'labels']} ${what} in one request`);
  });
});

describe('byte damage', () => {
  const all = fc.sample(cases, { numRuns: 60, seed: 4 }).filter((series) => series.length > 0 && series.length < 4);
  it.each([1, 2] as const)('gives a DecodeError or columns that hold together, schema %d', (schema) => {
    const messages = all.map((one) => (schema === 1 ? v1.encode(asV1(one, unknown)) : v2.encode(asV2(one, unknown))));
    const rng = new Rng(schema);
    const into = new Decoded();
    let refused = 0;
    for (let i = 0; i < 15_000; i++) {
      const damaged = mutate(messages[i % messages.length]!, rng);
      try {
        expectConsistent(decodeWrite(schema, damaged, into));
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(3000);
    expect(refused).toBeLessThan(15_000);
  });
});
