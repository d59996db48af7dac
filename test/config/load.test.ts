/** What holds for every text: `loadConfig` and `redactConfig` never throw, never hang, never ask `eval` for help, never tell a secret. */

import fc from 'fast-check';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { formatProblems, loadConfig, redactConfig, type LoadResult } from '../../src/config/load.ts';

const FILES = ['good', 'bad'].flatMap((name) => {
  const folder = join(import.meta.dirname, name);
  const files = readdirSync(folder).filter((file) => file.endsWith('.yml'));
  return files.map((file) => readFileSync(join(folder, file), 'utf8')).filter((text) => text.length < 2000);
});

vi.setConfig({ testTimeout: 30_000 });

/** What every result must be, whatever the text. */
function check(text: string): LoadResult {
  const result = loadConfig(text);
  const problems = result.ok ? result.warnings : result.problems;
  expect(problems.some(({ level }) => level === 'error')).toBe(!result.ok);
  const lines = text.split(/\r\n|[\r\n]/).length;
  const outside = problems.filter(({ line, column }) => line < 1 || line > lines || column < 1);
  expect(outside).toEqual([]);
  expect(formatProblems('f', problems).split('\n')).toHaveLength(Math.max(1, problems.length));
  const redacted = redactConfig(text);
  if (result.ok) expect(loadConfig(redacted).ok).toBe(true);
  return result;
}

describe('any text', () => {
  test('is loaded or refused', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => void check(text)));
  });

  test('of YAML characters is loaded or refused', () => {
    const unit = fc.constantFrom(
      ...Array.from(':-[]{}&*!|>\'"%@`#,? \n\tab<0'),
      'job_name',
      'scrape_configs',
      'global',
      '<<',
      '---',
    );
    fc.assert(fc.property(fc.string({ unit, maxLength: 60 }), (text) => void check(text)));
  });

  test('that is a damaged configuration is loaded or refused', () => {
    const damage = fc.tuple(fc.constantFrom(...FILES), fc.nat(), fc.nat({ max: 20 }), fc.string({ maxLength: 3 }));
    fc.assert(
      fc.property(damage, ([text, at, length, put]) => {
        const start = at % (text.length + 1);
        check(text.slice(0, start) + put + text.slice(start + length));
      }),
      { numRuns: 150 },
    );
  });
});

describe('a value survives redaction', () => {
  test('as a label, a job name and a parameter', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), (value) => {
        const one = JSON.stringify(value);
        const text = `scrape_configs: [{job_name: ${one}, params: {a: [${one}]}, static_configs: [{labels: {a: ${one}}}]}]`;
        const result = check(text);
        expect(result.ok).toBe(true);
        expect(loadConfig(redactConfig(text))).toEqual(result);
      }),
    );
  });
});

describe('limits', () => {
  const LARGE: [name: string, text: string][] = [
    ['bytes', 'a'.repeat(1_000_001)],
    ['bytes that are fewer characters', 'é'.repeat(500_001)],
    ['brackets', '['.repeat(900_000)],
    ['closed brackets', '['.repeat(400_000) + ']'.repeat(400_000)],
    ['nested lists', '- '.repeat(20_000)],
    ['commas', `[${','.repeat(900_000)}]`],
    ['lines', '\n'.repeat(900_000)],
    ['keys', 'a:\n'.repeat(10_000)],
    ['aliases', `a: &a [x, x, x, x, x]\nb: [${'*a, '.repeat(9000)}]`],
    ['slashes', `remote_write: [{url: "${'/'.repeat(900_000)}"}]`],
    ['digits', `global: {scrape_interval: ${'1'.repeat(900_000)}}`],
    ['ats', `remote_write: [{url: "${'//@'.repeat(300_000)}"}]`],
  ];
  test.each(LARGE)('too many %s end in a short report, soon', (_, text) => {
    const result = check(text);
    expect(result.ok).toBe(false);
    expect(result.ok ? [] : result.problems.length).toBeLessThanOrEqual(201);
    expect(formatProblems('f', result.ok ? [] : result.problems).length).toBeLessThan(100_000);
  });

  test('a large configuration loads', () => {
    const targets = Array.from({ length: 5000 }, (_, i) => `      - targets: [node${i}.example.com:9100]`);
    const text = ['scrape_configs:', '  - job_name: node', '    static_configs:', ...targets].join('\n');
    const result = loadConfig(text);
    expect(result.ok && result.config.scrapeConfigs[0]?.staticConfigs.length).toBe(5000);
  });
});

test('lines and columns are right after a byte order mark and with CRLF', () => {
  const result = loadConfig('\uFEFFglobal:\r\n  scrape_timeout: 1s\r\n  wrong: 1\r\n');
  expect(result).toMatchObject({ ok: false, problems: [{ path: 'global.wrong', line: 3, column: 3 }] });
});

test('no code is generated from strings: Workers forbid it', async () => {
  const code = vi.fn(() => {
    throw new EvalError('forbidden');
  });
  vi.stubGlobal('Function', code);
  vi.stubGlobal('eval', code);
  vi.resetModules();
  const fresh = await import('../../src/config/load.ts');
  expect(fresh.loadConfig('scrape_configs: [{job_name: a}]').ok).toBe(true);
  expect(fresh.loadConfig('scrape_configs: [{job: a}]').ok).toBe(false);
  vi.unstubAllGlobals();
  expect(code).not.toHaveBeenCalled();
});
