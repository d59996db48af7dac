import { readChunk } from '../../src/block/reader.ts';
import { readIndex, allSeries } from '../block/index-reader.ts';
import { decodeXor } from '../../src/block/xor.ts';
import { STALE_HI, STALE_LO } from '../../src/model/sample.ts';
import type { PlainSample } from './log-reader.ts';

/** All samples of a block in the bucket, read back through index and chunks. `prefix` ends with the block's ULID and a slash. */
export async function samplesOfBlock(bucket: R2Bucket, prefix: string): Promise<PlainSample[]> {
  const file = async (name: string): Promise<Uint8Array> => {
    const object = await bucket.get(prefix + name);
    if (object === null) throw new Error(`no ${prefix}${name}`);
    return new Uint8Array(await object.arrayBuffer());
  };
  const index = readIndex(await file('index'));
  const columns = { t: new Float64Array(65_536), hi: new Uint32Array(65_536), lo: new Uint32Array(65_536) };
  const value = new DataView(new ArrayBuffer(8));
  const chunks = new Map<number, Uint8Array>();
  const out: PlainSample[] = [];
  for (const series of allSeries(index)) {
    const labels = Object.fromEntries(series.labels.map((label) => [label.name, label.value]));
    for (const chunk of series.chunks) {
      let bytes = chunks.get(chunk.file);
      if (bytes === undefined)
        chunks.set(chunk.file, (bytes = await file(`chunks/${String(chunk.file).padStart(6, '0')}`)));
      const record = readChunk(bytes, chunk.offset);
      const n = decodeXor(bytes, record.start, record.end, columns, 0);
      for (let i = 0; i < n; i++) {
        const [hi, lo] = [columns.hi[i]!, columns.lo[i]!];
        value.setUint32(0, hi);
        value.setUint32(4, lo);
        out.push({ labels, t: columns.t[i]!, v: hi === STALE_HI && lo === STALE_LO ? 'stale' : value.getFloat64(0) });
      }
    }
  }
  return out;
}
