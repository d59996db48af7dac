import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Decoded, DecodeError, decodeWrite } from '../../../src/encoding/remote-write/decoded.ts';
import { type Outcome, rewriteLabels } from '../../../src/encoding/remote-write/rewrite.ts';
import { SymbolTable } from '../../../src/encoding/remote-write/symbols.ts';
import { asV1, asV2, cases, plain } from './cases.ts';
import { bits, unknown, v1, v2 } from './oracle.ts';

/** Leaves out every fourth series, gives others one more label or fewer, and leaves every fourth as it is. */
function rule(labels: readonly string[], series: number): readonly string[] | null {
  if (series % 4 === 1) return null;
  if (series % 4 === 2) return labels.slice(2);
  return series % 4 === 3 ? [...labels, '~', `n${series % 8}`] : labels;
}

/** The message with the labels of `rule`; as it was decoded when nothing changes. */
function rewrite(decoded: Decoded) {
  const texts = new SymbolTable();
  const number = (text: string): number => {
    const bytes = Buffer.from(text);
    return texts.ref(bytes, 0, bytes.length);
  };
  const { message, symbolCount, symbolStart, symbolEnd } = decoded;
  const symbols = Uint32Array.from({ length: symbolCount }, (_, i) =>
    texts.ref(message, symbolStart[i]!, symbolEnd[i]!),
  );
  const outcomes = plain(decoded).map(({ labels }, s): Outcome => {
    const before = labels.flat();
    const after = rule(before, s);
    return after === before ? 'same' : (after?.map(number) ?? null);
  });
  const rewritten = rewriteLabels(decoded, outcomes, texts, symbols);
  return { ...rewritten, message: rewritten.message ?? message };
}

const samplesIn = (series: readonly { samples: readonly unknown[]; histograms: number }[]): number =>
  series.reduce((sum, { samples, histograms }) => sum + samples.length + histograms, 0);

test('2.0: other labels, and all else as it was', () => {
  fc.assert(
    fc.property(cases, (all) => {
      const message = v2.encode(asV2(all, unknown));
      const decoded = decodeWrite(2, message);
      const dropped = plain(decoded).filter((_, s) => rule([], s) === null);
      const { message: rewritten, series, samplesDropped } = rewrite(decoded);
      const want = resolved(message).flatMap((one, s) => {
        const labelsRefs = rule(one.labelsRefs, s);
        return labelsRefs === null ? [] : [{ ...one, labelsRefs }];
      });
      expect(resolved(rewritten)).toEqual(want);
      expect([series, samplesDropped]).toEqual([want.length, samplesIn(dropped)]);
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
      const { message: rewritten, series, samplesDropped } = rewrite(decoded);
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
  expect(() => rewrite(decodeWrite(2, message))).toThrow(DecodeError);
});

test('2.0: no text is left that no series has any more', () => {
  const symbols = ['', 'a', 'secret', 'b', 'shared', 'help', 'hidden', 'trace', 'id'];
  const message = v2.encode({
    symbols,
    timeseries: [
      { labelsRefs: [1, 4], metadata: { helpRef: 5 } },
      { labelsRefs: [1, 2], metadata: { helpRef: 6 } },
      { labelsRefs: [1, 2, 3, 4], exemplars: [{ labelsRefs: [7, 8], value: bits(0, 1), timestamp: 1 }] },
    ],
  });
  const { message: rewritten } = rewrite(decodeWrite(2, message));
  expect(v2.decode(rewritten).symbols).toEqual(['', 'a', '', 'b', 'shared', 'help', '', 'trace', 'id']);
});

test('series with lengths and tags that take more bytes than they need stay as they are', () => {
  const series = (...head: number[]): number[] => [...head, 0x0a, 0x02, 0x01, 0x02];
  // The tag and the length of the first in two bytes each, of the third in three.
  const symbols = [0x22, 0, 0x22, 1, 97, 0x22, 1, 98];
  const all = [...series(0xaa, 0, 0x84, 0), ...series(0x2a, 4), ...series(0x2a, 0x84, 0x80, 0), ...series(0x2a, 4)];
  const decoded = decodeWrite(2, Uint8Array.from([...symbols, ...all]));
  const outcomes: Outcome[] = ['same', null, 'same', 'same'];
  const { message } = rewriteLabels(decoded, outcomes, new SymbolTable(), new Uint32Array(3));
  expect(plain(decodeWrite(2, message!)).map(({ labels }) => labels)).toEqual(Array(3).fill([['a', 'b']]));
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
