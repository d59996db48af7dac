import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeWrite } from '../../../src/encoding/remote-write/decoded.ts';
import { filterWrite } from '../../../src/encoding/remote-write/filter.ts';
import { asV1, asV2, cases, plain } from './cases.ts';
import { unknown, v1, v2 } from './oracle.ts';

describe.each([1, 2] as const)('schema %d', (schema) => {
  const encode = (all: Parameters<typeof asV1>[0]): Uint8Array =>
    schema === 1
      ? Buffer.concat([v1.encode(asV1(all, unknown)), v1.encode({ metadata: [{ help: 'h' }] })])
      : // The symbols in the middle.
        Buffer.concat([
          v2.encode({ timeseries: asV2(all, unknown).timeseries.slice(0, 2) }),
          v2.encode({ ...asV2(all, unknown), timeseries: asV2(all, unknown).timeseries.slice(2) }),
        ]);

  it('keeps exactly the series that it is told to', () => {
    fc.assert(
      fc.property(cases, fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }), (all, kept) => {
        const decoded = decodeWrite(schema, encode(all));
        const filtered = filterWrite(decoded, Uint8Array.from(kept, Number));
        expect(filtered.buffer.byteLength).toBe(filtered.byteLength);
        const again = decodeWrite(schema, filtered);
        expect(plain(again)).toEqual(plain(decodeWrite(schema, encode(all))).filter((_, i) => kept[i]));
        expect([again.symbolCount, again.metadataCount]).toEqual([decoded.symbolCount, decoded.metadataCount]);
      }),
    );
  });

  it('gives back the very bytes when all are kept', () => {
    fc.assert(
      fc.property(cases, (all) => {
        const message = encode(all);
        const filtered = filterWrite(decodeWrite(schema, message), new Uint8Array(6).fill(1));
        expect(Buffer.compare(filtered, message)).toBe(0);
      }),
    );
  });
});
