import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { readDeployment } from '../../src/cli/deployment.ts';
import { VERSION } from '../../src/version.ts';
import packageJson from '../../package.json' with { type: 'json' };

const ROOT = join(import.meta.dirname, '../..');
const dirs: string[] = [];
afterEach(() => dirs.splice(0).forEach((dir) => rmSync(dir, { recursive: true })));

function read(toml: string): unknown {
  const dir = mkdtempSync(join(tmpdir(), 'narthex-test-'));
  dirs.push(dir);
  writeFileSync(join(dir, 'wrangler.toml'), toml);
  return readDeployment(dir);
}

const MINIMAL = 'name = "n"\nmain = "w.ts"\ncompatibility_date = "2026-10-30"\n';

describe('wrangler.toml', () => {
  test('of the package is known in full', () => {
    const deployment = readDeployment(ROOT);
    expect(deployment.name).toBe('narthex');
    expect(deployment.main).toBe(join(ROOT, 'src/worker.ts'));
    expect(deployment.keepNames).toBe(false);
    expect(deployment.compatibilityDate >= '2026-10-01').toBe(true);
    expect(deployment.compatibilityFlags).toContain('nodejs_compat');
    expect(deployment.buckets).toEqual([{ binding: 'BUCKET', name: 'narthex' }]);
    expect(deployment.objects.map(({ binding }) => binding)).toEqual([
      'DIRECTOR',
      'AGENT',
      'INGESTER',
      'CATALOGUE',
      'OUTPOST',
    ]);
    expect(deployment.crons.filter(({ everyMinute }) => everyMinute)).toHaveLength(2);
  });

  test('needs little', () => {
    expect(read(MINIMAL)).toMatchObject({ keepNames: true, crons: [], buckets: [], objects: [], vars: {} });
  });

  test.each([
    ['', '`name` is missing'],
    ['name = 1 2', 'Invalid TOML'],
    [`${MINIMAL}[[kv_namespaces]]\nbinding = "KV"`, '`kv_namespaces` is not known'],
    [`${MINIMAL}[triggers]\ncrons = ["* * * * FRI"]`, 'only * as the weekday'],
    [`${MINIMAL}[vars]\nA = { b = 1 }`, 'vars.A: only strings'],
    [`${MINIMAL}[durable_objects]\nbindings = [{ name = "A", class_name = "B" }]`, 'the class B is in no migration'],
  ])('%# is refused, with file and reason', (toml, reason) => {
    expect(() => read(toml)).toThrow(/wrangler\.toml: /);
    expect(() => read(toml)).toThrow(reason);
  });
});

test('the version of the package and of the build are one', () => {
  expect(VERSION).toBe(packageJson.version);
});
