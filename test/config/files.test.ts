/**
 * Whole files: `good/x.yml` loads as `good/x.json` says, `bad/x.yml` is refused with the report in `bad/x.txt`. A case is a file; none
 * is named here. `UPDATE_GOLDEN=1` writes the expected files. Every secret in them is called hunter2.
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { formatProblems, loadConfig, redactConfig } from '../../src/config/load.ts';

const folder = (name: string) => join(import.meta.dirname, name);
const cases = (name: string) =>
  readdirSync(folder(name))
    .filter((file) => file.endsWith('.yml'))
    .sort();
const read = (name: string, file: string) => readFileSync(join(folder(name), file), 'utf8');

function golden(name: string, file: string, actual: string): void {
  const path = join(folder(name), file);
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, actual);
  expect(existsSync(path) ? readFileSync(path, 'utf8') : `${file} is missing: run with UPDATE_GOLDEN=1`).toBe(actual);
}

describe('good files load', () => {
  test.each(cases('good'))('%s', (file) => {
    const result = loadConfig(read('good', file));
    if (!result.ok) throw new Error(formatProblems(file, result.problems));
    const { config, warnings } = result;
    const report = warnings.length === 0 ? {} : { warnings: formatProblems(file, warnings).split('\n') };
    golden('good', file.replace('.yml', '.json'), `${JSON.stringify({ ...config, ...report }, null, 2)}\n`);
  });

  test.each(cases('good'))('%s, redacted, is the same but for the secrets', (file) => {
    const text = read('good', file);
    const redacted = redactConfig(text);
    expect(redacted).not.toContain('hunter2');
    expect(configOf(redacted)).toEqual(configOf(text.replaceAll('hunter2', '<secret>').replaceAll('acme', '<secret>')));
  });
});

describe('bad files are refused, with everything that is wrong', () => {
  test.each(cases('bad'))('%s', (file) => {
    const result = loadConfig(read('bad', file));
    expect(result.ok).toBe(false);
    if (result.ok) return;
    const report = formatProblems(file, result.problems);
    expect(report).not.toContain('hunter2');
    golden('bad', file.replace('.yml', '.txt'), `${report}\n`);
  });
});

test('the configuration that is bundled is right', () => {
  const result = loadConfig(read('../..', 'prometheus.yml'));
  expect(result).toMatchObject({
    ok: true,
    warnings: [],
    config: {
      scrapeConfigs: [{ jobName: 'narthex', scrapeIntervalMs: 15_000, staticConfigs: [{ targets: ['self'] }] }],
    },
  });
});

function configOf(text: string) {
  const result = loadConfig(text);
  if (!result.ok) throw new Error(formatProblems('redacted.yml', result.problems));
  return result.config;
}
