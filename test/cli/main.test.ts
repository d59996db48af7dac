/** The command as it is called: exit codes, help, and what needs no deployment. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { commandHelp, parseFor, usageLine } from '../../src/cli/args.ts';
import { COMMANDS } from '../../src/cli/commands.ts';
import { formatBytes, formatLog } from '../../src/cli/text.ts';
import { secretLine } from '../../src/cli/token.ts';
import { findToken, parseTokens } from '../../src/http/tokens.ts';
import { MAIN } from './start-process.ts';

const dir = mkdtempSync(join(tmpdir(), 'narthex-test-'));
afterAll(() => rmSync(dir, { recursive: true }));

function narthex(...args: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
  return { code: status, out: stdout, err: stderr };
}

test('without a command it tells them all', () => {
  const { code, out } = narthex();
  expect(code).toBe(0);
  for (const { name } of COMMANDS) expect(out).toContain(`  ${name}`);
});

test('a command that there is not is exit code 2', () => {
  const { code, err } = narthex('blocks', 'rm');
  expect(code).toBe(2);
  expect(err).toContain('there is no command "blocks rm"');
});

test('check-config reports everything at once, and is exit code 1', () => {
  const file = join(dir, 'bad.yml');
  writeFileSync(file, 'global: { scrape_interval: 5 apples }\nscrape_configs:\n  - static_configs: 3\n');
  const { code, err } = narthex('check-config', file);
  expect(code).toBe(1);
  expect(err.trim().split('\n').length).toBeGreaterThan(2);
  expect(err).toMatch(/^.*bad\.yml:1:28: global\.scrape_interval: expected /m);
});

test('check-config of a good file is exit code 0', () => {
  const file = join(dir, 'good.yml');
  writeFileSync(file, 'scrape_configs: [{ job_name: a, static_configs: [{ targets: ["b:9100"] }] }]\n');
  expect(narthex('check-config', file)).toEqual({ code: 0, out: `${file}: valid\n`, err: '' });
});

test('token new prints a token, and a line that lets it in', async () => {
  const { code, out } = narthex('token', 'new', '--role', 'write,read', '--tenant', 'acme', '--name', 'laptop');
  expect(code).toBe(0);
  const token = /^ {2}(nx_[A-Za-z0-9_-]{43})$/m.exec(out)![1]!;
  const { tokens, problems } = parseTokens([/^ {2}(laptop .*)$/m.exec(out)![1]!]);
  expect(problems).toEqual([]);
  expect(await findToken(tokens, token)).toMatchObject({ name: 'laptop', roles: ['write', 'read'], tenants: ['acme'] });
  expect(await findToken(tokens, `${token}x`)).toBe(null);
});

test('a line for the secret has a name of its own, whatever the tenant', () => {
  for (const tenant of [undefined, 'acme', '*', 'acme,wile', "!*'()", 'x'.repeat(150)]) {
    const line = secretLine('nx_t', { roles: 'admin', tenant, name: undefined });
    expect(parseTokens([line]).problems).toEqual([]);
    expect(line).toContain(createHash('sha256').update('nx_t').digest('hex'));
  }
  const bad = { roles: 'admin', tenant: undefined, name: undefined };
  expect(() => secretLine('nx_t', { ...bad, roles: 'owner' })).toThrow('the roles are write, read and admin');
  expect(() => secretLine('nx_t', { ...bad, tenant: 'a/b' })).toThrow('the tenants are names');
  expect(() => secretLine('nx_t', { ...bad, name: 'a b' })).toThrow('--name "a b": it may not be empty or hold spaces');
});

test.each(COMMANDS.map((command) => [command.name, command] as const))('%s: help and usage', (name, command) => {
  const words = name.split(' ');
  expect(parseFor(command, [...words, '--help']).help).toBe(true);
  expect(commandHelp(command)).toContain('--help');
  expect(usageLine(command)).toContain(`narthex ${name}`);
  expect(() => parseFor(command, [...words, '--nonsense'])).toThrow("Unknown option '--nonsense'");
  if (command.args.length > 0) expect(() => parseFor(command, words)).toThrow(`${command.args[0]} is missing`);
  const args = command.args.map(() => 'x');
  expect(parseFor(command, [...words, ...args])).toMatchObject({ args, help: false });
  expect(() => parseFor(command, [...words, ...args, 'more'])).toThrow('unexpected argument "more"');
});

test('start refuses what is no port', () => {
  expect(narthex('start', '--port', '99999')).toMatchObject({ code: 2, err: expect.stringContaining('is no port') });
});

test('sizes and log lines for people', () => {
  expect([0, 1023, 1024, 1536, 5 << 20, 3 * 2 ** 40].map(formatBytes)).toEqual([
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '5.0 MiB',
    '3.0 TiB',
  ]);
  expect(formatLog('{"level":"warn","msg":"blocks cut","tenant":"acme","n":2}')).toBe('blocks cut tenant="acme" n=2');
  expect(formatLog('{"level":"warn"}')).toBe('{"level":"warn"}');
  expect(formatLog('Uncaught exception: boom')).toBe('Uncaught exception: boom');
});
