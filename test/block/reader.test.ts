import { beforeAll, describe, expect, it } from 'vitest';
import { crc32c } from '../../src/encoding/crc32c.ts';
import { BlockError } from '../../src/block/error.ts';
import { readChunk } from '../../src/block/reader.ts';
import { checkChunksHeader, readIndex, readLabelValues, readPostings, readSeries } from './index-reader.ts';
import { readBlock, series, type TestBlock, writeBlock } from './help.ts';

let block: TestBlock;
beforeAll(async () => {
  const names = ['a', 'b', 'c'];
  const samples = Array.from({ length: 300 }, (_, i): [number, number] => [1.7e12 + i * 15_000, Math.sqrt(i)]);
  block = await writeBlock(names.map((name) => series({ __name__: name, job: 'x', instance: `${name}:1` }, samples)));
});

/** Reads everything there is: index, label values, postings, series, chunks. */
function readAll(index: Uint8Array, files: readonly Uint8Array[]): void {
  const opened = readIndex(index);
  for (const name of opened.names.keys()) {
    for (const value of readLabelValues(opened, name)) {
      for (const id of readPostings(opened, name, value)) readSeries(opened, id);
    }
  }
  readBlock(index, files);
}

describe('damage is a BlockError', () => {
  const isRefused = (read: () => void, what: string): void => {
    let error: unknown = null;
    try {
      read();
    } catch (thrown) {
      error = thrown;
    }
    expect(error, what).toBeInstanceOf(BlockError);
  };

  it('a bit of the index, any but padding', () => {
    const padding: number[] = [];
    for (let at = 0; at < block.index.length; at++) {
      const index = block.index.slice();
      index[at]! ^= 1 << (at % 8);
      try {
        readAll(index, block.files);
        padding.push(at);
      } catch (error) {
        expect(error, `byte ${at}`).toBeInstanceOf(BlockError);
      }
    }
    // Three series and one posting list are aligned: 15 and 3 bytes at most.
    expect(padding.length).toBeLessThanOrEqual(3 * 15 + 3);
    expect(padding.every((at) => block.index[at] === 0)).toBe(true);
  });

  it('a bit of the chunks', () => {
    const [file] = block.files;
    for (let at = 0; at < file!.length; at += 11) {
      const damaged = file!.slice();
      damaged[at]! ^= 1 << (at % 8);
      if (at > 4 && at < 8) continue; // Padding.
      isRefused(() => readBlock(block.index, [damaged]), `byte ${at}`);
    }
  });

  it('an end that is missing', () => {
    for (let end = 0; end < block.index.length; end++) {
      isRefused(() => readAll(block.index.subarray(0, end), block.files), `index of ${end} bytes`);
    }
    isRefused(() => readBlock(block.index, [block.files[0]!.slice(0, -1)]), 'chunks');
    isRefused(() => checkChunksHeader(block.files[0]!.slice(0, 7)), 'header');
  });
});

describe('lies with a good checksum', () => {
  const put = (bytes: Uint8Array, at: number, value: number): void => new DataView(bytes.buffer).setUint32(at, value);

  it('a count of symbols takes no memory', () => {
    const index = block.index.slice();
    const { series: seriesStart } = readIndex(index).toc;
    put(index, 9, 0xffff_ffff);
    put(index, seriesStart - 4, crc32c(index, 9, seriesStart - 4));
    expect(() => readIndex(index)).toThrow('4294967295 symbols in');
  });

  it('a count of postings takes no memory', () => {
    const index = block.index.slice();
    const opened = readIndex(index);
    const at = opened.postingsOffsets[0]!;
    put(index, at + 4, 0x4000_0000);
    put(index, at + 8 + 4 * 3, crc32c(index, at + 4, at + 8 + 4 * 3));
    expect(() => readPostings(readIndex(index), '', '')).toThrow(BlockError);
  });

  it('sections out of order, or beyond the end', () => {
    const start = block.index.length - 52;
    for (let field = 0; field < 6; field++) {
      for (const half of [0, 4]) {
        const index = block.index.slice();
        put(index, start + 8 * field + half, 0xffff_fff0);
        put(index, index.length - 4, crc32c(index, start, index.length - 4));
        // The two of label indices are not used.
        if (half === 4 && (field === 2 || field === 3)) continue;
        expect(() => readIndex(index), `field ${field}`).toThrow(BlockError);
      }
    }
  });

  it('another version', () => {
    const index = block.index.slice();
    index[4] = 1;
    expect(() => readIndex(index)).toThrow('index version 1, only 2 is read');
    const chunks = block.files[0]!.slice();
    chunks[4] = 2;
    expect(() => checkChunksHeader(chunks)).toThrow('chunk file version 2');
  });

  it('a series id that is none', () => {
    const index = readIndex(block.index);
    for (const id of [0, 1, -1, 2 ** 32, 1.5, Number.NaN]) expect(() => readSeries(index, id)).toThrow(BlockError);
  });

  it('a chunk record that is none', () => {
    const [file] = block.files;
    for (const offset of [-1, 9, file!.length, file!.length + 1]) {
      expect(() => readChunk(file!, offset)).toThrow(BlockError);
    }
  });
});

it('walks a chunk file from record to record', () => {
  const [file] = block.files;
  let records = 0;
  for (let at = 8; at < file!.length; records++) at = readChunk(file!, at).next;
  expect(records).toBe(block.stats.numChunks);
});

it('reads a chunk out of a piece of the file', () => {
  const [file] = block.files;
  const first = readChunk(file!, 8);
  const second = readChunk(file!, first.next);
  const piece = file!.slice(first.next, second.next);
  expect(readChunk(piece, 0)).toEqual({
    encoding: 1,
    start: second.start - first.next,
    end: second.end - first.next,
    next: piece.length,
  });
});
