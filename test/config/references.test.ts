/** Secrets that a configuration names: where they are put in, what is refused, and that none is ever shown. */

import { describe, expect, test } from 'vitest';
import { formatProblems, loadConfig, redactConfig } from '../../src/config/load.ts';
import type { ScrapeConfig } from '../../src/config/model.ts';
import { localSecrets, localVariables, lookup } from '../../src/cli/local-secrets.ts';

const BOUND: Record<string, string> = {
  TOKEN: 'hunter2',
  password_1: ' p\n',
  BREAK: 'hunter2\nx',
  NESTED: '${TOKEN}',
  NARTHEX_TOKENS: 'hunter2',
};
const secrets = lookup(BOUND);

function scrape(keys: string): ScrapeConfig {
  const result = loadConfig(`scrape_configs: [{ job_name: a, ${keys} }]`, secrets);
  if (!result.ok) throw new Error(formatProblems('f', result.problems));
  expect(result.warnings).toEqual([]);
  return result.config.scrapeConfigs[0]!;
}

function refused(keys: string): string {
  const result = loadConfig(`scrape_configs: [{ job_name: a, ${keys} }]`, secrets);
  const report = formatProblems('f', result.ok ? [] : result.problems);
  expect(report).not.toContain('hunter2');
  return report;
}

describe('a secret that is bound', () => {
  test('stands where it is named', () => {
    expect(scrape('authorization: { credentials: "${TOKEN}" }').authorization?.credentials).toBe('hunter2');
    expect(scrape('basic_auth: { password: "a${TOKEN}b${TOKEN}$" }').basicAuth?.password).toBe('ahunter2bhunter2$');
    expect(scrape('http_headers: { X: { secrets: ["${TOKEN}"], files: [/secrets/TOKEN] } }').httpHeaders).toEqual([
      ['X', 'hunter2'],
      ['X', 'hunter2'],
    ]);
  });

  test('is trimmed as a file, and kept as it is otherwise', () => {
    expect(scrape('basic_auth: { password_file: /secrets/password_1 }').basicAuth?.password).toBe('p');
    expect(scrape('basic_auth: { password: "${password_1}" }').basicAuth?.password).toBe(' p\n');
  });

  test('is not looked into, and an escape names none', () => {
    expect(scrape('basic_auth: { password: "${NESTED}" }').basicAuth?.password).toBe('${TOKEN}');
    expect(scrape('basic_auth: { password: "$${TOKEN} $x ${a-b} $" }').basicAuth?.password).toBe(
      '${TOKEN} $x ${a-b} $',
    );
  });

  test('is put in through anchors, once', () => {
    const merged = loadConfig(
      'scrape_configs: [{ job_name: a, basic_auth: &a { password: "${NESTED}" } }, { job_name: b, basic_auth: { <<: *a, username: u } }]',
      secrets,
    );
    expect(merged.ok && merged.config.scrapeConfigs.map((one) => one.basicAuth?.password)).toEqual([
      '${TOKEN}',
      '${TOKEN}',
    ]);
  });

  test('is no secret in a place that is shown', () => {
    const config = scrape(
      'params: { a: ["${TOKEN}"] }, metrics_path: "/${TOKEN}", http_headers: { X: { values: ["${TOKEN}"] } }',
    );
    expect(JSON.stringify(config)).not.toContain('hunter2');
  });
});

describe('what is refused, without showing a secret', () => {
  test.each([
    ['basic_auth: { password: "${NOBODY}" }', /expected a secret or variable NOBODY of the Worker, got none/],
    ['authorization: { credentials_file: /secrets/NOBODY }', /npx wrangler secret put NOBODY/],
    ['basic_auth: { password: "${NARTHEX_TOKENS}" }', /got "NARTHEX_TOKENS" .*Narthex’ own/],
    ['basic_auth: { password_file: /secrets/narthex_tokens }', /expected the name of a secret, got "narthex_tokens"/],
    ['basic_auth: { password: "${constructor}" }', /secret or variable constructor of the Worker, got none/],
    ['authorization: { credentials: "${BREAK}" }', /got <secret> \(it holds a line break or a NUL\)/],
    ['http_headers: { X: { secrets: ["${BREAK}"] } }', /it holds a line break or a NUL/],
    ['basic_auth: { password: a, password_file: /secrets/TOKEN }', /expected password or password_file, got both/],
    ['basic_auth: { password_file: hunter2 }', /expected a path like \/secrets\/NAME, got <secret>/],
  ])('%s', (keys, report) => {
    expect(refused(keys)).toMatch(report);
  });
});

test('the page shows names of files, and no secret', () => {
  const shown = redactConfig(
    'scrape_configs: [{ job_name: a, basic_auth: { password_file: /secrets/TOKEN }, http_headers: { X: { values: [v], secrets: [hunter2], files: [/secrets/K] } } }]',
  );
  expect(shown).toContain('password_file: /secrets/TOKEN');
  expect(shown).toContain('- v');
  expect(shown).toContain('/secrets/K');
  expect(shown).not.toContain('hunter2');
});

test('local secrets are the environment variables that are named so', () => {
  const environment = {
    NARTHEX_SECRET_TOKEN: 't',
    NARTHEX_SECRET_NARTHEX_OPEN: 'x',
    NARTHEX_SECRET_: 'x',
    NARTHEX_SECRET_A_B: '',
    TOKEN: 'x',
  };
  expect(localSecrets(environment)).toEqual({ TOKEN: 't', A_B: '' });
});

describe('a variable in an external label', () => {
  const load = (value: string, from: typeof secrets | null = secrets) =>
    loadConfig(`global: { external_labels: { a: ${JSON.stringify(value)}, b: c } }`, from);

  test('is put in; one that is not there is nothing, with a warning', () => {
    const result = load('${TOKEN}-$NOBODY$$');
    if (!result.ok) throw new Error(formatProblems('f', result.problems));
    expect(result.config.externalLabels).toEqual([
      { name: 'a', value: 'hunter2-$' },
      { name: 'b', value: 'c' },
    ]);
    expect(formatProblems('f', result.warnings)).toBe(
      'f:1:33: warning: global.external_labels.a: expected a variable "NOBODY" of the Worker, got none (it is the empty text; $$ is a $)',
    );
    expect(load('$TOKEN')).toMatchObject({ warnings: [] });
    expect(load('$NOBODY')).toMatchObject({ config: { externalLabels: [{ name: 'b', value: 'c' }] } });
  });

  test('is not one of Narthex’ own', () => {
    for (const value of ['$NARTHEX_TOKENS', '${narthex_tokens}']) {
      const result = load(value);
      expect(formatProblems('f', result.ok ? [] : result.problems)).toMatch(/got a name of Narthex’ own/);
    }
  });

  test('stays as it is without a deployment, with a warning', () => {
    const result = load('$TOKEN/${x}', null);
    expect(result).toMatchObject({ ok: true, config: { externalLabels: [{ value: '${TOKEN}/${x}' }, {}] } });
    expect(result.ok && result.warnings).toHaveLength(2);
  });
});

test("a deployment's own variables are the environment's of the same name", () => {
  const environment = { NARTHEX_LIMITS: '{}', NARTHEX_DNS_URL: '', NARTHEX_OPEN: '0.0.0.0', NARTHEX_URL: 'x' };
  expect(localVariables(environment)).toEqual({ NARTHEX_LIMITS: '{}', NARTHEX_DNS_URL: '' });
});

test('the key of a service account is a JSON secret', () => {
  const load = (key: string) =>
    loadConfig(
      'remote_write: [{ url: "https://a.example.com/w", google_iam: { credentials_file: /secrets/KEY } }]',
      lookup({ KEY: key }),
    );
  const key = { type: 'service_account', client_email: 'a@b', private_key: 'hunter2', private_key_id: 'k' };
  const good = load(JSON.stringify(key));
  expect(good.ok && good.config.remoteWrites[0]!.oauth2).toEqual({
    clientId: 'a@b',
    clientSecret: '',
    tokenUrl: 'https://oauth2.googleapis.com/token',
    scopes: ['https://www.googleapis.com/auth/monitoring.write'],
    endpointParams: [],
    jwt: { key: 'hunter2', keyId: 'k', algorithm: 'RS256', issuer: '', audience: '', claims: [] },
  });
  for (const wrong of [
    'hunter2',
    '{"private_key":"hunter2"}',
    '7',
    JSON.stringify({ ...key, token_uri: 'http://a' }),
  ]) {
    const bad = load(wrong);
    const report = formatProblems('f', bad.ok ? [] : bad.problems);
    expect(report).toContain('the key of a service account, as JSON');
    expect(report).not.toContain('hunter2');
  }
});
