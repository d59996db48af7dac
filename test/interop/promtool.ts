/** Runs Prometheus' own promtool on a TSDB folder, and reads what it dumps. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { peer } from './harness.ts';
import { textOfDump } from './histogram-text.ts';
import type { Major } from './prometheus.ts';

const run = promisify(execFile);

/** One line of `promtool tsdb dump`. The value stays text: NaN equals NaN that way. A stale marker is `NaN` here, a histogram `{count:…}`. */
export interface Sample {
  /** The label set as promtool prints it, the series' identity within one dump. */
  readonly series: string;
  readonly timestamp: number;
  readonly value: string;
}

/** What promtool printed; throws, with what it said, when it fails. */
export async function promtool(major: Major, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run(peer(`promtool-${major}`), args, { maxBuffer: 1 << 30 });
  return stdout;
}

export async function dump(major: Major, dir: string): Promise<Sample[]> {
  // promtool wants the folder of a write-ahead log; an empty one will do.
  await mkdir(join(dir, 'wal'), { recursive: true });
  return parseDump(await promtool(major, 'tsdb', 'dump', dir));
}

export function parseDump(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      // The label values are quoted, a float and the timestamp hold no brace: the last brace, or the last before a histogram, ends the label set.
      const match = /^(\{.*\}) (\{count:.*\}|[^ {}]+) (-?\d+)$/.exec(line);
      if (match === null) throw new Error(`not a sample in the dump: ${line}`);
      return { series: match[1]!, value: match[2]!, timestamp: Number(match[3]) };
    });
}

/** The samples of the series that have all these labels. */
export function select(samples: readonly Sample[], labels: Readonly<Record<string, string>>): Sample[] {
  const parts = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  // A label name begins after a brace, a comma or the space that follows it; `job="x"` must not match `xjob="x"`.
  return samples.filter(({ series }) => parts.every((part) => new RegExp(`[{, ]${escape(part)}[,}]`).test(series)));
}

/** A sorted line a sample, to compare two dumps with. */
export function lines(samples: readonly Sample[]): string[] {
  return samples.map(lineOf).sort();
}

/** The value as JavaScript writes it, wherever it comes from; of a histogram all that it counts. */
export function lineOf({ series, timestamp, value }: Sample): string {
  if (value.startsWith('{count:')) return `${series} ${timestamp} ${textOfDump(value)}`;
  return `${series} ${timestamp} ${Number(value.replace(/Inf$/, 'Infinity'))}`;
}

/** The first lines that are in one list alone, marked with the side. Two large lists would drown the message. */
export function difference(actual: readonly string[], expected: readonly string[]): string[] {
  const had = new Set(actual);
  const wanted = new Set(expected);
  return [
    ...actual.filter((line) => !wanted.has(line)).map((line) => `unexpected: ${line}`),
    ...expected.filter((line) => !had.has(line)).map((line) => `missing: ${line}`),
  ].slice(0, 20);
}

/** Samples that share series and timestamp with an earlier one. */
export function doubled(samples: readonly Sample[]): Sample[] {
  const seen = new Set<string>();
  return samples.filter(({ series, timestamp }) => {
    const key = `${timestamp} ${series}`;
    return seen.size === seen.add(key).size;
  });
}

export interface BlockMeta {
  readonly ulid: string;
  readonly minTime: number;
  readonly maxTime: number;
  readonly stats: { readonly numSamples: number; readonly numSeries: number; readonly numChunks: number };
  readonly thanos?: { readonly labels?: Readonly<Record<string, string>> };
}

/** The `meta.json` of every block in the folder. */
export async function blocks(dir: string): Promise<BlockMeta[]> {
  const names = (await readdir(dir)).filter((name) => /^[0-9A-HJKMNP-TV-Z]{26}$/.test(name));
  return await Promise.all(
    names.map(async (name) => JSON.parse(await readFile(join(dir, name, 'meta.json'), 'utf8')) as BlockMeta),
  );
}

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
