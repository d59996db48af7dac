/** `scrape_config_files`: files that are part of a configuration, found by patterns, each checked under its `global`. */

import { describe, expect, test } from 'vitest';
import { type ConfigFile, filePatterns, readConfigFiles } from '../../src/config/files.ts';
import { formatProblems, loadConfig } from '../../src/config/load.ts';

const MAIN = `global: { scrape_interval: 30s }
scrape_config_files: ['jobs/*.yml', /one.yml]
scrape_configs: [{ job_name: main }]
`;
const file = (name: string, text: string): ConfigFile => ({ name, text });
const load = (
  text: string,
  files: readonly ConfigFile[],
  secrets = (name: string) => (name === 'PW' ? 'hunter2' : undefined),
) => loadConfig(text, secrets, files);
const report = (result: ReturnType<typeof loadConfig>): string[] =>
  formatProblems('p.yml', result.ok ? result.warnings : result.problems).split('\n');

test('their jobs come after those of the configuration, pattern by pattern, and inherit its global section', () => {
  const result = load(MAIN, [
    file('one.yml', 'scrape_configs: [{ job_name: one, scrape_interval: 10s }]'),
    file('jobs/b.yml', 'scrape_configs: [{ job_name: b, basic_auth: { password: "${PW}" } }]'),
    file('jobs/a.yml', ''),
    file('jobs/a.yaml', 'not: asked for'),
  ]);
  if (!result.ok) throw new Error(report(result).join('\n'));
  expect(result.config.scrapeConfigs.map(({ jobName, scrapeIntervalMs }) => [jobName, scrapeIntervalMs])).toEqual([
    ['main', 30_000],
    ['b', 30_000],
    ['one', 10_000],
  ]);
  expect(result.config.scrapeConfigs[1]!.basicAuth?.password).toBe('hunter2');
  expect(result.warnings).toEqual([]);
});

test('everything that is wrong in any of them is said at once, with file and line', () => {
  const result = load(`nonsense: 1\n${MAIN}`, [
    file('jobs/a.yml', 'scrape_configs:\n- job_name: main\n- job_name: x\n  scrape_timeout: 40s\n'),
    file('jobs/b.yml', 'global: {}\nscrape_configs: [{ job_name: x }, { job_name: y, scrape_intervall: 1s }]\n'),
    file('jobs/c.yml', 'a: [\n'),
    file('jobs/d.yml', 'scrape_configs: [{ job_name: d, basic_auth: { password: "${NONE}" } }]'),
  ]);
  expect(report(result)).toEqual([
    'p.yml:1:1: nonsense: expected a known key, got "nonsense"',
    expect.stringMatching(/^p\.yml:3:37: warning: scrape_config_files\[1\]: expected a file of this name, got none$/),
    'jobs/a.yml:2:13: scrape_configs[0].job_name: expected a job name of its own, got "main" (it is in the configuration itself too)',
    expect.stringMatching(
      /^jobs\/a\.yml:4:19: scrape_configs\[1\]\.scrape_timeout: expected at most the scrape_interval, 30s/,
    ),
    'jobs/b.yml:1:1: global: expected a known key, got "global" (such a file holds scrape_configs only)',
    'jobs/b.yml:2:30: scrape_configs[0].job_name: expected a job name of its own, got "x" (it is in jobs/a.yml too)',
    expect.stringMatching(
      /^jobs\/b\.yml:2:\d+: scrape_configs\[1\]\.scrape_intervall: .*did you mean "scrape_interval"/,
    ),
    expect.stringMatching(/^jobs\/c\.yml:\d+:\d+: expected valid YAML/),
    expect.stringMatching(
      /^jobs\/d\.yml:1:\d+: scrape_configs\[0\]\.basic_auth\.password: expected a secret or variable NONE/,
    ),
  ]);
});

test.each([
  ['a/*/b.yml', 'only its last part may hold one "*"'],
  ['../a.yml', 'no "." and ".."'],
  ['a[.yml', 'a "[" or a backslash ends too early'],
  ['/', 'only its last part'],
])('%s is no name', (name, hint) => {
  expect(report(load(`scrape_config_files: [${JSON.stringify(name)}]`, []))[0]).toContain(hint);
});

describe('where names are listed', () => {
  const door = (files: Readonly<Record<string, string>>) => ({
    list: (prefix: string, max: number) =>
      Promise.resolve(
        Object.keys(files)
          .filter((name) => name.startsWith(prefix))
          .slice(0, max),
      ),
    read: (name: string) => {
      const bytes = new TextEncoder().encode(files[name]);
      return Promise.resolve(files[name] === undefined ? null : { size: bytes.length, bytes: async () => bytes });
    },
  });

  test('each is read once, in order', async () => {
    const patterns = filePatterns("scrape_config_files: ['jobs/*.yml', ./jobs/b.yml, x.yml, y.yml]");
    const found = await readConfigFiles(
      patterns,
      door({ 'jobs/b.yml': 'B', 'jobs/a.yml': 'A', 'y.yml': 'Y', 'y.yml2': '' }),
      100,
    );
    expect(found).toEqual([file('jobs/a.yml', 'A'), file('jobs/b.yml', 'B'), file('y.yml', 'Y')]);
    expect(filePatterns(': [')).toEqual([]);
  });

  test('not more than a configuration may have', async () => {
    await expect(readConfigFiles(['*.yml'], door({ 'a.yml': 'xx', 'b.yml': 'x' }), 2)).rejects.toThrow(
      /with b\.yml it has more/,
    );
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`${i}.yml`, '']));
    await expect(readConfigFiles(['*.yml'], door(many), 2)).rejects.toThrow(/more than 1000 files/);
  });
});
