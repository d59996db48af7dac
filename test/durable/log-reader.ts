import { decodeWrite } from '../../src/encoding/remote-write/decoded.ts';
import { snappyUncompress } from '../../src/encoding/snappy.ts';
import { STALE_HI, STALE_LO } from '../../src/model/sample.ts';

/** A sample as a test likes to compare it. A stale marker's value is `'stale'`. */
export interface PlainSample {
  readonly labels: Record<string, string>;
  readonly t: number;
  readonly v: number | 'stale';
}

/** The samples of a record. */
export function samplesOf(record: { schema: 1 | 2; body: Uint8Array }): PlainSample[] {
  const decoded = decodeWrite(record.schema, snappyUncompress(record.body, 1 << 26));
  const text = (start: number, end: number): string => new TextDecoder().decode(decoded.message.subarray(start, end));
  const value = new DataView(new ArrayBuffer(8));
  const out: PlainSample[] = [];
  for (let series = 0, label = 0, sample = 0; series < decoded.seriesCount; series++) {
    const labels: Record<string, string> = {};
    for (; label < decoded.labelEnd[series]!; label++) {
      labels[text(decoded.nameStart[label]!, decoded.nameEnd[label]!)] = text(
        decoded.valueStart[label]!,
        decoded.valueEnd[label]!,
      );
    }
    for (; sample < decoded.sampleEnd[series]!; sample++) {
      const [hi, lo] = [decoded.hi[sample]!, decoded.lo[sample]!];
      value.setUint32(0, hi);
      value.setUint32(4, lo);
      out.push({
        labels,
        t: decoded.t[sample]!,
        v: hi === STALE_HI && lo === STALE_LO ? 'stale' : value.getFloat64(0),
      });
    }
  }
  return out;
}
