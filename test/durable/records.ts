import { RequestBuilder } from '../../src/encoding/remote-write/builder.ts';
import { snappyCompress } from '../../src/encoding/snappy.ts';
import type { NewRecord } from '../../src/log/record.ts';
import { STALE_HI, STALE_LO } from '../../src/model/sample.ts';

/** A sample of a series `{__name__="<series>", job="j"}`, or with these labels instead of the job; they come after the name in order. */
export type Point = readonly [
  series: string,
  t: number,
  v: number | 'stale',
  labels?: readonly (readonly [name: string, value: string])[],
];

/** Points as a 2.0 record, one TimeSeries a point, in the order given. */
export function record(points: readonly Point[]): NewRecord & { readonly series: number; readonly minT: number } {
  const builder = new RequestBuilder({ samplesMax: 100_000, bytesMax: 10_000_000 });
  const bits = new DataView(new ArrayBuffer(8));
  for (const [series, t, v, labels = [['job', 'j']]] of points) {
    bits.setFloat64(0, v === 'stale' ? 0 : v);
    builder.reserve(200);
    const refs = [['__name__', series], ...labels].flat().map((text) => builder.symbol(text));
    if (v === 'stale') builder.add(refs, refs.length, t, STALE_HI, STALE_LO);
    else builder.add(refs, refs.length, t, bits.getUint32(0), bits.getUint32(4));
  }
  const [built, ...more] = builder.finish();
  if (built === undefined || more.length > 0) throw new Error('expected one request');
  const { samples, series, minT, maxT, message } = built;
  return { schema: 2, samples, series, minT, maxT, body: snappyCompress(message) };
}
