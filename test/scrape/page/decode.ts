import { decodeWrite } from '../../../src/encoding/remote-write/decoded.ts';
import { decodeHistogram } from '../../../src/encoding/remote-write/histogram.ts';
import { type Histogram, isStale } from '../../../src/model/histogram.ts';
import { textOf } from '../../model/histograms.ts';
import type { BuiltRequest } from '../../../src/encoding/remote-write/builder.ts';

const UTF8 = new TextDecoder();

/** Samples of built messages as lines, `name{label="value"} value @ms`: what tests compare. */
export function linesOf(requests: readonly BuiltRequest[]): string[] {
  const lines: string[] = [];
  for (const { message } of requests) {
    const d = decodeWrite(2, message);
    let sample = 0;
    let label = 0;
    for (let series = 0; series < d.seriesCount; series++) {
      if (d.bad[series] !== 0) throw new Error(`series ${series} has bad references`);
      let name = '';
      const labels: string[] = [];
      for (; label < d.labelEnd[series]!; label++) {
        const key = UTF8.decode(d.message.subarray(d.nameStart[label], d.nameEnd[label]));
        const value = UTF8.decode(d.message.subarray(d.valueStart[label], d.valueEnd[label]));
        if (key === '__name__') name = value;
        else labels.push(`${key}=${JSON.stringify(value)}`);
      }
      const set = labels.length === 0 ? name : `${name}{${labels.join(',')}}`;
      for (let i = d.histogramFrom(series); i < d.histogramEnd[series]!; i++) {
        const { t, histogram } = decodeHistogram(d.message, d.histogramStart[i]!, d.histogramStop[i]!);
        lines.push(`${set} ${isStale(histogram) ? `stale ${kindOf(histogram)}` : textOf(histogram)} @${t}`);
      }
      for (; sample < d.sampleEnd[series]!; sample++) {
        lines.push(`${set} ${valueOf(d.hi[sample]!, d.lo[sample]!)} @${d.t[sample]!}`);
      }
    }
  }
  return lines;
}

const kindOf = ({ isFloat }: Histogram): string => (isFloat ? 'float histogram' : 'histogram');

function valueOf(hi: number, lo: number): string {
  if (hi === 0x7ff00000 && lo === 2) return 'stale';
  const value = new Float64Array(Uint32Array.of(lo, hi).buffer)[0]!;
  return Object.is(value, -0) ? '-0' : String(value);
}
