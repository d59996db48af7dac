import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { readIndex, readPostings, readSeries } from '../../src/block/reader.ts';
import { expected, hex, readBlock, series, STALE, writeBlock } from './help.ts';

/** The bytes of the blocks that are marked `hex`; what follows # is comment. */
async function examples(): Promise<Uint8Array[]> {
  const page = await readFile(fileURLToPath(import.meta.resolve('../../src/block/FORMAT.md')), 'utf8');
  return [...page.matchAll(/^```hex\n(.*?)^```/gms)].map(
    (match) => new Uint8Array(Buffer.from(match[1]!.replaceAll(/#.*|\s/g, ''), 'hex')),
  );
}

const example = series({ __name__: 'up', job: 'a' }, [
  [1000, 1],
  [16_000, 2],
  [31_000, 3],
  [7_200_000, STALE],
]);

it('the worked example of FORMAT.md is what it says', async () => {
  const [chunks, index] = await examples();
  expect(readBlock(index!, [chunks!])).toEqual(expected([example]));
  const opened = readIndex(index!);
  expect(readPostings(opened, 'job', 'a')).toEqual(new Uint32Array([3]));
  expect(readSeries(opened, 3).chunks).toEqual([
    { minTime: 1000, maxTime: 31_000, file: 1, offset: 8 },
    { minTime: 7_200_000, maxTime: 7_200_000, file: 1, offset: 33 },
  ]);
});

it('and what the writer writes', async () => {
  const block = await writeBlock([example]);
  expect([...block.files, block.index].map(hex)).toEqual((await examples()).map(hex));
});
