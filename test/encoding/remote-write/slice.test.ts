import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeWrite } from '../../../src/encoding/remote-write/decoded.ts';
import { sliceWrite } from '../../../src/encoding/remote-write/slice.ts';
import { asV1, asV2, cases, plain } from './cases.ts';
import { unknown, v1, v2 } from './oracle.ts';

test('2.0 slices hold together every series, exemplar and metadata of the whole, and no symbols but their own', () => {
  fc.assert(
    fc.property(cases, fc.nat(6), (all, at) => {
      const message = v2.encode(asV2(all, unknown));
      const decoded = decodeWrite(2, message);
      const cut = Math.min(at, decoded.seriesCount);
      const slices = [sliceWrite(decoded, 0, cut), sliceWrite(decoded, cut, decoded.seriesCount)];
      const whole = resolved(message);
      expect(slices.flatMap(resolved)).toEqual(whole);
      for (const slice of slices) {
        expect(slice.buffer.byteLength).toBe(slice.byteLength);
        const { symbols = [] } = v2.decode(slice);
        expect(symbols[0]).toBe('');
        expect(new Set(symbols).size).toBe(symbols.length);
        expect(new Set(symbols)).toEqual(new Set(['', ...textsOf(slice)]));
      }
    }),
  );
});

test('1.0 slices hold together the very bytes of the series, and the metadata once', () => {
  fc.assert(
    fc.property(cases, fc.nat(6), (all, at) => {
      const message = Buffer.concat([v1.encode(asV1(all)), v1.encode({ metadata: [{ help: 'h' }] })]);
      const decoded = decodeWrite(1, message);
      const series = plain(decoded);
      const cut = Math.min(at, decoded.seriesCount);
      const parts = [sliceWrite(decoded, 0, cut), sliceWrite(decoded, cut, decoded.seriesCount)];
      const again = parts.map((part) => decodeWrite(1, part));
      expect(again.flatMap(plain)).toEqual(series);
      if (cut > 0) expect(again.map(({ metadataCount }) => metadataCount)).toEqual([1, 0]);
    }),
  );
});

/** The series with texts in the place of references. */
function resolved(message: Uint8Array) {
  const { symbols = [], timeseries = [] } = v2.decodeBits(message);
  const texts = (refs: readonly number[] = []): string[] => refs.map((ref) => symbols[ref]!);
  return timeseries.map((series) => ({
    ...series,
    labelsRefs: texts(series.labelsRefs),
    exemplars: series.exemplars!.map((exemplar) => ({ ...exemplar, labelsRefs: texts(exemplar.labelsRefs) })),
    metadata: texts([series.metadata!.helpRef!, series.metadata!.unitRef!]),
  }));
}

const textsOf = (message: Uint8Array): string[] =>
  resolved(message).flatMap(({ labelsRefs, exemplars, metadata }) => [
    ...labelsRefs,
    ...exemplars.flatMap((exemplar) => exemplar.labelsRefs),
    ...metadata,
  ]);
