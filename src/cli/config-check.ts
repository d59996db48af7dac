/** A configuration file, read and checked without a deployment. */

import { readFileSync } from 'node:fs';
import type { Secrets } from '../config/load.ts';
import { Failure, messageOf } from './failure.ts';

export interface ConfigFile {
  readonly file: string;
  readonly text: string;
}

/** A file without errors, `secrets` being those of the deployment, where they are known; throws the whole report otherwise. Warnings go to stderr. */
export async function readChecked(file: string, secrets: Secrets | null = null): Promise<ConfigFile> {
  const text = read(file);
  // Loaded only here: `start` without a configuration file has no use for the YAML parser.
  const { formatProblems, loadConfig } = await import('../config/load.ts');
  const result = loadConfig(text, secrets);
  const problems = result.ok ? result.warnings : result.problems;
  const report = formatProblems(file, problems);
  if (!result.ok) throw new Failure(report);
  if (problems.length > 0) console.error(report);
  return { file, text };
}

/** `check-config FILE`. */
export async function checkConfig(file: string): Promise<void> {
  await readChecked(file);
  console.log(`${file}: valid`);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Failure(`the configuration cannot be read: ${messageOf(error)}`);
  }
}
