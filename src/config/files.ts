/**
 * `scrape_config_files`: which files a configuration names, and how they are found where only names are listed. Their text is part of the
 * configuration, so they are read when it is put in force or reloaded, and never in between. What is in them is checked in `load.ts`.
 */

import { textOf } from '../encoding/utf8.ts';
import type { FilesDoor } from '../model/doors.ts';
import { globOf, objectName } from '../model/glob.ts';
import { readTree } from './tree.ts';
import { valueAt } from './values.ts';

export interface ConfigFile {
  /** Without a leading slash. */
  readonly name: string;
  readonly text: string;
}

/** Main file and these together. */
export const CONFIG_BYTES_MAX = 1_000_000;
const FILES_MAX = 1000;

/** The patterns that a configuration names; none when it cannot be read. */
export function filePatterns(text: string): string[] {
  const read = readTree(text);
  const patterns = read.ok ? valueAt(read.tree.value, ['scrape_config_files']) : undefined;
  return Array.isArray(patterns) ? patterns.filter((pattern) => typeof pattern === 'string') : [];
}

/** The names that fit, in Prometheus' order: pattern by pattern, each once. */
export function fitting(pattern: string, names: readonly string[]): string[] {
  const glob = globOf(objectName(pattern));
  return glob === null ? [] : names.filter((name) => glob.fits(name)).toSorted();
}

/** All files that the patterns mean. Throws Error when they are too many or too large. */
export async function readConfigFiles(
  patterns: readonly string[],
  files: FilesDoor,
  bytesMax: number,
): Promise<ConfigFile[]> {
  const found = new Map<string, ConfigFile>();
  let bytes = 0;
  for (const pattern of patterns) {
    const glob = globOf(objectName(pattern));
    if (glob === null) continue;
    const names = await files.list(glob.prefix, FILES_MAX);
    if (names.length === FILES_MAX) throw new Error(`${pattern} is looked for among more than ${FILES_MAX} files`);
    for (const name of fitting(pattern, names)) {
      if (found.has(name)) continue;
      const file = await files.read(name);
      if (file === null) continue;
      bytes += file.size;
      if (bytes > bytesMax)
        throw new Error(`with ${name} it has more than ${CONFIG_BYTES_MAX} bytes, the most of a configuration`);
      const text = textOf(await file.bytes());
      if (text === null) throw new Error(`${name} is not UTF-8`);
      found.set(name, { name, text });
    }
  }
  return [...found.values()];
}
