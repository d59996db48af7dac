import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Decoded, DecodeError, decodeWrite } from '../../../src/encoding/remote-write/decoded.ts';
import { rewriteLabels } from '../../../src/encoding/remote-write/rewrite.ts';
import { asV1, asV2, cases, plain } from './cases.ts';
import { unknown, v1, v2 } from './oracle.ts';

/** Leaves out every third series, and gives those that stay one more label. */
const rule = (labels: readonly string[], series: number): string[] | null =>
  series % 3 === 1 ? null : [...labels, '~', `n${series % 2}`];

const labelsOf = (decoded: Decoded) => {
  const series = plain(decoded);
  return (s: number) => rule(series[s]!.labels.flat(), s);
};

const samplesIn = (series: readonly { samples: readonly unknown[]; histograms: number }[]): number =>
  series.reduce((sum, { samples, histograms }) => sum + samples.length + histograms, 0);

test('2.0: other labels, and all else as it was', () => {
  fc.assert(
    fc.property(cases, (all) => {
      const message = v2.encode(asV2(all, unknown));
      const decoded = decodeWrite(2, message);
      const dropped = plain(decoded).filter((_, s) => s % 3 === 1);
      const { message: rewritten, series, samplesDropped } = rewriteLabels(decoded, labelsOf(decoded));
      const want = resolved(message).flatMap((one, s) => {
        const labelsRefs = rule(one.labelsRefs, s);
        return labelsRefs === null ? [] : [{ ...one, labelsRefs }];
      });
      expect(resolved(rewritten)).toEqual(want);
      expect([series, samplesDropped]).toEqual([want.length, samplesIn(dropped)]);
      expect(rewritten.buffer.byteLength).toBe(rewritten.byteLength);
      if (all.length > 0) expect(v2.decode(rewritten).symbols![0]).toBe('');
    }),
  );
});

test('1.0: other labels, and all else as it was, metadata beside the series too', () => {
  fc.assert(
    fc.property(cases, (all) => {
      const message = Buffer.concat([v1.encode(asV1(all)), v1.encode({ metadata: [{ help: 'h' }] })]);
      const decoded = decodeWrite(1, message);
      const before = plain(decoded);
      const { message: rewritten, series, samplesDropped } = rewriteLabels(decoded, labelsOf(decoded));
      const after = decodeWrite(1, rewritten);
      const want = before.flatMap((one, s) => {
        const labels = rule(one.labels.flat(), s);
        return labels === null
          ? []
          : [{ ...one, labels: labels.flatMap((name, i) => (i % 2 ? [] : [[name, labels[i + 1]!]])) }];
      });
      expect(plain(after)).toEqual(want);
      expect([series, samplesDropped, after.metadataCount]).toEqual([
        want.length,
        samplesIn(before) - samplesIn(want),
        1,
      ]);
    }),
  );
});

test('a series that is bad is not rewritten', () => {
  const message = v2.encode({ symbols: ['', 'a'], timeseries: [{ labelsRefs: [1, 7] }] });
  expect(() => rewriteLabels(decodeWrite(2, message), () => ['a', 'b'])).toThrow(DecodeError);
});

/** The series with texts in the place of references. */
function resolved(message: Uint8Array) {
  const { symbols = [], timeseries = [] } = v2.decodeBits(message);
  const texts = (refs: readonly number[] = []): string[] => refs.map((ref) => symbols[ref]!);
  return timeseries.map((series) => ({
    ...series,
    labelsRefs: texts(series.labelsRefs),
    exemplars: series.exemplars!.map((exemplar) => ({ ...exemplar, labelsRefs: texts(exemplar.labelsRefs) })),
    metadata: {
      ...series.metadata,
      helpRef: symbols[series.metadata!.helpRef!],
      unitRef: symbols[series.metadata!.unitRef!],
    },
  }));
}
