import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeWrite } from '../../../src/encoding/remote-write/decoded.ts';
import { strip } from '../../../src/encoding/remote-write/strip.ts';
import { asV1, asV2, cases, plain } from './cases.ts';
import { unknown, v1, v2 } from './oracle.ts';

describe.each([1, 2] as const)('schema %i', (schema) => {
  const encode = (all: Parameters<typeof asV1>[0]): Uint8Array =>
    schema === 1 ? v1.encode(asV1(all)) : v2.encode(asV2(all, unknown));

  test('without exemplars, all else is there', () => {
    fc.assert(
      fc.property(cases, (all) => {
        const decoded = decodeWrite(schema, encode(all));
        const { message, series, histogramsDropped } = strip(decoded, { exemplars: true, histograms: false });
        expect([series, histogramsDropped]).toEqual([decoded.seriesCount, 0]);
        expect(message.buffer.byteLength).toBe(message.byteLength);
        expect(plain(decodeWrite(schema, message))).toEqual(plain(decoded).map((one) => ({ ...one, exemplars: 0 })));
      }),
    );
  });

  test('without histograms, a series that held nothing else is gone, and all are counted', () => {
    fc.assert(
      fc.property(cases, (all) => {
        const decoded = decodeWrite(schema, encode(all));
        const before = plain(decoded);
        const { message, series, histogramsDropped } = strip(decoded, { exemplars: false, histograms: true });
        expect(histogramsDropped).toBe(before.reduce((sum, { histograms }) => sum + histograms, 0));
        const after = plain(decodeWrite(schema, message));
        const kept = before.filter(({ samples, histograms }) => histograms === 0 || samples.length > 0);
        expect(after).toEqual(kept.map((one) => ({ ...one, histograms: 0 })));
        expect(series).toBe(kept.length);
      }),
    );
  });
});
