/** Blocks of the writer, read by Prometheus' own promtool: what it dumps is what was written, sample for sample. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { metaJson } from '../../src/block/meta.ts';
import type { BlockWriterOptions } from '../../src/block/writer.ts';
import { series, STALE, type TestSample, type TestSeries, writeBlock } from '../block/help.ts';
import { promtool } from './promtool.ts';

const ULID = '01HF7YAT00000000000000000A';
const T = 1_700_006_400_000; // A multiple of two hours.

const every = (stepMs: number, count: number, value: (i: number) => number | bigint = Number): TestSample[] =>
  Array.from({ length: count }, (_, i) => [T + i * stepMs, value(i)]);

/** Any bits that are a number. */
function numberBits(i: number): bigint {
  const bits = BigInt.asUintN(64, 0x9e3779b97f4a7c15n * BigInt(i + 1));
  return (bits & 0x7ff0000000000000n) === 0x7ff0000000000000n ? 0n : bits;
}

const cases: [name: string, series: TestSeries[], options?: BlockWriterOptions][] = [
  [
    'special values',
    [
      series({ __name__: 'special', kind: 'all' }, [
        [T, 0],
        [T + 1, -0],
        [T + 2, Infinity],
        [T + 3, -Infinity],
        [T + 4, STALE],
        [T + 5, 0x7ff8000000000001n],
        [T + 6, 0xfff123456789abcdn],
        [T + 7, Number.MIN_VALUE],
        [T + 8, -Number.MAX_VALUE],
        [T + 9, 0.1],
        [T + 10, STALE],
      ]),
      series({ __name__: 'special', kind: 'only stale' }, [[T, STALE]]),
    ],
  ],
  [
    "labels of any script, in Go's order",
    ['!', 'A', 'a', 'aa', 'b', 'ü', '€', 'ﬀ', '�', '𝄞', '🔥']
      .map((value, i) =>
        series({ __name__: 'utf8', value: `${value} "\\`, long: 'x'.repeat(20 * i + 1) }, [[T + i, i]]),
      )
      .sort((a, b) => a.samples[0]![0] - b.samples[0]![0]),
  ],
  [
    'time before 1970, and huge gaps',
    [
      series({ __name__: 'gaps', from: '1' }, [
        [-7_200_001, 1],
        [-1, 2],
        [0, 3],
        [1, 4],
        [7_199_999, 5],
        [7_200_000, 6],
        [T, 7],
      ]),
      series({ __name__: 'gaps', from: '2' }, [
        [T, 1],
        [T + 3, 2],
        [T + 2 ** 31, 3],
        [T + 2 ** 36, 4],
        [T + 2 ** 36 + 1, 5],
      ]),
    ],
  ],
  [
    'one series with many chunks',
    [
      series(
        { __name__: 'long' },
        every(1000, 100_000, (i) => Math.sin(i / 100)),
      ),
    ],
  ],
  ['deltas of deltas of all widths', [series({ __name__: 'dods' }, dods())]],
  ['bits without any pattern', [series({ __name__: 'noise' }, every(15_000, 2000, numberBits))]],
  [
    '5,000 series',
    Array.from({ length: 5000 }, (_, i) => {
      const instance = `host-${String(i % 50).padStart(2, '0')}:9100`;
      const labels = { __name__: `m_${String(Math.floor(i / 50)).padStart(3, '0')}`, instance, job: 'node' };
      return series(
        labels,
        every(15_000, 30, (k) => i + k * (1 + (i % 7))),
      );
    }),
    { partBytes: 10_000 },
  ],
  [
    'several chunk files',
    Array.from({ length: 200 }, (_, i) =>
      series({ __name__: 'files', i: String(i).padStart(3, '0') }, every(15_000, 500)),
    ),
    { segmentBytes: 20_000, partBytes: 5000 },
  ],
];

/** Deltas of deltas with each prefix, up and down, and at the edges of each; all within two hours, and so in one chunk. */
function dods(): TestSample[] {
  const edges = [1, 8191, 8192, 8193, 65_535, 65_536, 65_537, 524_287, 524_288, 524_289, 1_000_000];
  let t = T;
  return edges.flatMap((edge) => [0, edge, 0, edge].map((more): TestSample => [(t += more + 1), edge]));
}

/** A line of `promtool tsdb dump`, as Go prints labels and floats. */
function lineOf(labels: TestSeries['labels'], t: number, text: string): string {
  return `{${labels.map(({ name, value }) => `${name}=${JSON.stringify(value)}`).join(', ')}} ${text} ${t}`;
}

function valueOf(value: number | bigint): number {
  if (typeof value === 'number') return value;
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, value);
  return view.getFloat64(0);
}

/** One spelling for both sides: JavaScript and Go both print the shortest digits, but in other notations. */
const textOf = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));

const parse = (go: string): number => (/^[+-]Inf$/.test(go) ? Number(`${go}inity`) : Number(go));

describe.each([2, 3] as const)('Prometheus %i', (major) => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'narthex-block-'));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  it.each(cases)('reads %s', async (name, all, options) => {
    const dir = join(root, name.replaceAll(/\W+/g, '-'));
    const block = await writeBlock(all, options);
    await mkdir(join(dir, ULID, 'chunks'), { recursive: true });
    await mkdir(join(dir, 'wal'));
    const files = block.files.map((bytes, i) => ({ rel_path: `chunks/${String(i + 1).padStart(6, '0')}`, bytes }));
    files.push({ rel_path: 'index', bytes: block.index });
    for (const { rel_path, bytes } of files) await writeFile(join(dir, ULID, rel_path), bytes);
    const meta = metaJson({
      ...block,
      ulid: ULID,
      externalLabels: { tenant: 'anonymous' },
      files: files.map(({ rel_path, bytes }) => ({ rel_path, size_bytes: bytes.length })),
      uploadTimeMs: T,
    });
    await writeFile(join(dir, ULID, 'meta.json'), meta);

    const { numSamples, numChunks, numSeries } = block.stats;
    const list = await promtool(major, 'tsdb', 'list', dir);
    expect(list.split('\n')[1]!.split(/\s+/)).toEqual(
      expect.arrayContaining([ULID, ...[numSamples, numChunks, numSeries].map(String)]),
    );
    const analysis = await promtool(major, 'tsdb', 'analyze', '--extended', dir, ULID);
    // Prometheus 2 says `Series`, 3 says `Total Series`.
    expect(analysis).toMatch(new RegExp(`^(Total )?Series: ${numSeries}$`, 'm'));

    const dumped = (await promtool(major, 'tsdb', 'dump', dir))
      .trimEnd()
      .split('\n')
      .map((line) => {
        const [, labels, value, t] = /^(\{.*\}) (\S+) (-?\d+)$/.exec(line) ?? [];
        return `${labels} ${textOf(parse(value ?? line))} ${t}`;
      });
    const written = all.flatMap(({ labels, samples }) =>
      samples.map(([t, value]) => lineOf(labels, t, textOf(valueOf(value)))),
    );
    // Not toEqual on the whole: its message about 100,000 lines would take minutes.
    expect(dumped.length).toBe(written.length);
    const wrong = written.findIndex((line, i) => line !== dumped[i]);
    expect([wrong, dumped[wrong]]).toEqual([-1, undefined]);
    expect(written.length).toBe(numSamples);
  });
});
