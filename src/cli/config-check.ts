/** A configuration file and the files that it names, read and checked without a deployment. */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import type { ConfigFile } from '../config/files.ts';
import type { Problem, Secrets } from '../config/load.ts';
import { textOf } from '../encoding/utf8.ts';
import { Failure } from './failure.ts';
import { messageOf } from '../model/error.ts';

export interface CheckedConfig {
  readonly file: string;
  readonly text: string;
  /** What `scrape_config_files` means here. */
  readonly files: readonly ConfigFile[];
  /** Problems as a report, with paths of this machine. */
  readonly report: (problems: readonly Problem[]) => string;
  /** What was reported on stderr already. */
  readonly reported: string;
}

/** A file without errors, `secrets` being those of the deployment, where they are known; throws the whole report otherwise. Warnings go to stderr. */
export async function readChecked(file: string, secrets: Secrets | null = null): Promise<CheckedConfig> {
  const text = read(file);
  // Loaded only here: `start` without a configuration file has no use for the YAML parser.
  const [{ formatProblems, loadConfig }, { filePatterns }, { objectName }] = await Promise.all([
    import('../config/load.ts'),
    import('../config/files.ts'),
    import('../model/glob.ts'),
  ]);
  const paths = new Map<string, string>();
  for (const pattern of filePatterns(text)) {
    const found = await localFiles(isAbsolute(pattern) ? pattern : join(dirname(file), pattern));
    const folder = isAbsolute(pattern) ? '' : join(dirname(file), '/');
    for (const path of found) {
      const inside = folder !== './' && path.startsWith(folder) ? path.slice(folder.length) : path;
      paths.set(objectName(inside), path);
    }
  }
  const files = [...paths].map(([name, path]): ConfigFile => ({ name, text: read(path) }));
  const result = loadConfig(text, secrets, files);
  const problems = result.ok ? result.warnings : result.problems;
  const report = (all: readonly Problem[]): string => formatProblems(file, all, (name) => paths.get(name) ?? name);
  const reported = report(problems);
  if (!result.ok) throw new Failure(reported);
  if (problems.length > 0) console.error(reported);
  return { file, text, files, report, reported };
}

/** `check-config FILE`. */
export async function checkConfig(file: string): Promise<void> {
  const { files } = await readChecked(file);
  console.log(`${file}: valid${files.length === 0 ? '' : `, with ${files.map(({ name }) => name).join(', ')}`}`);
}

/** Paths that fit a pattern, in order; none when there is no such folder. */
async function localFiles(pattern: string): Promise<string[]> {
  const { globOf } = await import('../model/glob.ts');
  let found = [isAbsolute(pattern) ? '/' : ''];
  for (const part of pattern.split('/').filter(Boolean)) {
    const glob = globOf(part);
    if (glob === null) return [];
    found = found.flatMap((folder) =>
      names(folder || '.')
        .filter((name) => glob.fits(name))
        .map((name) => join(folder, name)),
    );
  }
  return found.toSorted();
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : messageOf(error);
    throw new Failure(`${file} cannot be read: ${why}`);
  }
  const text = textOf(bytes);
  if (text === null) throw new Failure(`${file} is not UTF-8 text`);
  return text;
}
