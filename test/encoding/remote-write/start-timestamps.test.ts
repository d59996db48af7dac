/** Start timestamps through what a record may go through (rewrite.test.ts has the rest): they stay in 2.0, and 1.0, which has no place for them, has all else. */
import { expect, test } from 'vitest';
import { RequestBuilder } from '../../../src/encoding/remote-write/builder.ts';
import { toSchema, toSchemaBlock } from '../../../src/encoding/remote-write/convert.ts';
import { decodeWrite } from '../../../src/encoding/remote-write/decoded.ts';
import { dropLabel } from '../../../src/encoding/remote-write/drop-label.ts';
import { filterWrite } from '../../../src/encoding/remote-write/filter.ts';
import { sliceWrite } from '../../../src/encoding/remote-write/slice.ts';
import { strip } from '../../../src/encoding/remote-write/strip.ts';
import { snappyUncompress } from '../../../src/encoding/snappy.ts';
import { histogram } from '../../model/histograms.ts';
import { v1, v2 } from './oracle.ts';

const START = 1_700_000_000_123;

function built(): Uint8Array {
  const builder = new RequestBuilder({ samplesMax: 100, bytesMax: 100_000 });
  const refs = (name: string): number[] => ['__name__', name, 'dropped', 'x'].map((text) => builder.symbol(text));
  for (const [i, startT] of [START, 0, START + 5, START + 5, -7].entries()) {
    if (i === 2) builder.exemplar([builder.symbol('trace'), builder.symbol('id')], 3, 1, 1);
    builder.add(refs(`a${i}`), 4, START + 1000, 0, i, 1, builder.symbol('Help.'), 0, startT);
  }
  builder.addHistogram(refs('h'), 4, START + 1000, histogram({}), 3, 0, 0, START);
  return builder.finish()[0]!.message;
}

const startsOf = (message: Uint8Array): number[] =>
  v2
    .decode(message)
    .timeseries!.flatMap(({ samples = [], histograms = [] }) =>
      [...samples, ...histograms].map(({ startTimestamp }) => startTimestamp ?? 0),
    );

test('a record keeps them, whatever is done with its series', () => {
  const decoded = decodeWrite(2, built());
  const all = [START, 0, START + 5, START + 5, -7, START];
  expect(startsOf(decoded.message)).toEqual(all);
  expect(startsOf(sliceWrite(decoded, 1, 4))).toEqual(all.slice(1, 4));
  expect(startsOf(filterWrite(decoded, Uint8Array.of(1, 0, 0, 1, 1, 1)))).toEqual([START, START + 5, -7, START]);
  expect(startsOf(dropLabel(decoded, new TextEncoder().encode('dropped')))).toEqual(all);
  expect(startsOf(strip(decoded, { exemplars: true, histograms: false }).message)).toEqual(all);
  expect(startsOf(toSchema(decoded, 2))).toEqual(all);
});

test('1.0 has the same samples', () => {
  const decoded = decodeWrite(2, built());
  for (const message of [toSchema(decoded, 1), snappyUncompress(toSchemaBlock(decoded, 1), 1 << 20)]) {
    const { timeseries = [] } = v1.decode(message);
    expect(timeseries).toHaveLength(6);
    for (const { samples = [] } of timeseries.slice(0, 5)) {
      expect(samples).toMatchObject([{ timestamp: START + 1000 }]);
      expect(samples[0]).not.toHaveProperty('startTimestamp');
    }
  }
});
