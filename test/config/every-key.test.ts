/**
 * No key of Prometheus is silently ignored: each one, put into a configuration that is right, is refused with its reason, or changes the
 * configuration that comes of it, or is warned of.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { knownKeys } from '../../src/config/known-keys.ts';
import { loadConfig } from '../../src/config/load.ts';

const KEYS = readFileSync(join(import.meta.dirname, 'prometheus-keys.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));

type Section = Readonly<Record<string, unknown>>;

const scrape = (section: Section): Section => ({ scrape_configs: [{ job_name: 'j', ...section }] });
const remote = (section: Section): Section => ({ remote_write: [{ url: 'https://r.example/w', ...section }] });
const OAUTH2 = { client_id: 'a', token_url: 'https://id.example/t' };
const AZURE = { client_id: 'a', client_secret: 'b', tenant_id: 'c' };
const SIGV4 = { region: 'eu', access_key: 'a', secret_key: 'b' };
const KUBERNETES = { api_server: 'https://k.example', role: 'pod' };

/** A configuration with this section, and what the section must have anyway. */
const PLACES: Readonly<Record<string, (section: Section) => Section>> = {
  '': (section) => section,
  global: (section) => ({ global: section, ...scrape({}) }),
  runtime: (section) => ({ runtime: section }),
  otlp: (section) => ({ otlp: section }),
  scrape_configs: scrape,
  static_configs: (section) => scrape({ static_configs: [{ targets: ['t.example'], ...section }] }),
  relabel_configs: (section) => scrape({ relabel_configs: [{ target_label: 't', ...section }] }),
  metric_relabel_configs: (section) => scrape({ metric_relabel_configs: [{ target_label: 't', ...section }] }),
  write_relabel_configs: (section) => remote({ write_relabel_configs: [{ target_label: 't', ...section }] }),
  http_sd_configs: (section) => scrape({ http_sd_configs: [{ url: 'https://sd.example', ...section }] }),
  file_sd_configs: (section) => scrape({ file_sd_configs: [{ files: ['a.json'], ...section }] }),
  dns_sd_configs: (section) => scrape({ dns_sd_configs: [{ names: ['a.example'], ...section }] }),
  consul_sd_configs: (section) => scrape({ consul_sd_configs: [section] }),
  kubernetes_sd_configs: (section) => scrape({ kubernetes_sd_configs: [{ ...KUBERNETES, ...section }] }),
  namespaces: (section) => scrape({ kubernetes_sd_configs: [{ ...KUBERNETES, namespaces: section }] }),
  attach_metadata: (section) => scrape({ kubernetes_sd_configs: [{ ...KUBERNETES, attach_metadata: section }] }),
  selectors: (section) =>
    scrape({ kubernetes_sd_configs: [{ ...KUBERNETES, selectors: [{ role: 'pod', ...section }] }] }),
  basic_auth: (section) => scrape({ basic_auth: section }),
  authorization: (section) =>
    scrape({ authorization: { ...('credentials_file' in section ? {} : { credentials: 'c' }), ...section } }),
  oauth2: (section) => scrape({ oauth2: { ...OAUTH2, ...section } }),
  tls_config: (section) => remote({ tls_config: section }),
  remote_write: remote,
  queue_config: (section) => remote({ queue_config: section }),
  metadata_config: (section) => remote({ metadata_config: section }),
  sigv4: (section) => remote({ sigv4: { ...SIGV4, ...section } }),
  azuread: (section) => remote({ azuread: { oauth: AZURE, ...section } }),
  oauth: (section) => remote({ azuread: { oauth: { ...AZURE, ...section } } }),
};

/** Keys that mean something only beside others. */
const BESIDE: Readonly<Record<string, Section>> = {
  'dns_sd_configs.port': { type: 'A' },
  'dns_sd_configs.type': { port: 80 },
  'tls_config.key_file': { cert_file: '/bindings/A' },
  'otlp.ignore_resource_attributes': { promote_all_resource_attributes: true },
  'relabel_configs.modulus': { action: 'hashmod', source_labels: ['a'] },
  'metric_relabel_configs.modulus': { action: 'hashmod', source_labels: ['a'] },
  'write_relabel_configs.modulus': { action: 'hashmod', source_labels: ['a'] },
  'sigv4.external_id': { role_arn: 'r' },
  'sigv4.use_fips_sts_endpoint': { role_arn: 'r' },
};
const JWT = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', client_certificate_key: 'k' };
for (const key of ['audience', 'claims', 'client_certificate_key_id', 'iss', 'signature_algorithm'])
  (BESIDE as Record<string, Section>)[`oauth2.${key}`] = JWT;
for (const key of ['client_certificate_key', 'client_certificate_key_file'])
  (BESIDE as Record<string, Section>)[`oauth2.${key}`] = { grant_type: JWT.grant_type };

/** Other values than the defaults, by section and key, or by key. */
const VALUES: Section = {
  '.global': { external_labels: { a: 'b' } },
  '.otlp': { promote_scope_metadata: true },
  '.remote_write': [{ url: 'https://r.example/w' }],
  '.runtime': { gogc: 50 },
  '.scrape_config_files': ['none.yml'],
  '.scrape_configs': [{ job_name: 'x' }],
  'scrape_configs.relabel_configs': [{ target_label: 'x', replacement: 'y' }],
  'scrape_configs.metric_relabel_configs': [{ target_label: 'x', replacement: 'y' }],
  'remote_write.write_relabel_configs': [{ target_label: 'x', replacement: 'y' }],
  'scrape_configs.static_configs': [{ targets: ['a.example'] }],
  'scrape_configs.http_sd_configs': [{ url: 'https://x.example' }],
  'scrape_configs.file_sd_configs': [{ files: ['x.json'] }],
  'scrape_configs.dns_sd_configs': [{ names: ['x.example'] }],
  'scrape_configs.consul_sd_configs': [{}],
  'scrape_configs.kubernetes_sd_configs': [KUBERNETES],
  'kubernetes_sd_configs.role': 'node',
  'kubernetes_sd_configs.namespaces': { names: ['a'] },
  'consul_sd_configs.namespace': 'a',
  'remote_write.google_iam': { credentials: JSON.stringify({ client_email: 'a@b', private_key: 'k' }) },
  'remote_write.tls_config': { cert_file: '/bindings/A' },
  'tls_config.cert_file': '/bindings/A',
  'tls_config.key_file': '/bindings/A',
  'remote_write.send_exemplars': false,
  'remote_write.send_native_histograms': false,
  'remote_write.protobuf_message': 'prometheus.WriteRequest',
  'remote_write.headers': { 'X-A': 'b' },
  'queue_config.retry_on_http_429': true,
  'queue_config.min_backoff': '1s',
  'queue_config.max_samples_per_send': 100,
  'metadata_config.send': false,
  'metadata_config.max_samples_per_send': 7,
  'dns_sd_configs.type': 'MX',
  'static_configs.labels': { a: 'b' },
  'selectors.role': 'node',
  'oauth2.client_id': 'other',
  'oauth2.grant_type': 'client_credentials',
  'azuread.oauth': { ...AZURE, client_id: 'x' },
  action: 'lowercase',
  allow_stale: false,
  api_server: 'https://other.example',
  attach_metadata: { node: true },
  authorization: { credentials: 'x' },
  azuread: { oauth: AZURE },
  basic_auth: { username: 'x' },
  body_size_limit: '1MB',
  claims: { a: 'b' },
  cloud: 'AzureChina',
  convert_histograms_to_nhcb: true,
  enable_compression: false,
  enable_http2: false,
  endpoint_params: { a: 'b' },
  evaluation_interval: '1m',
  external_labels: { a: 'b' },
  fallback_scrape_protocol: 'PrometheusText0.0.4',
  files: ['b.json'],
  follow_redirects: false,
  honor_timestamps: false,
  http_headers: { 'X-A': { values: ['b'] } },
  metadata_config: { send: false },
  metric_name_escaping_scheme: 'dots',
  metric_name_validation_scheme: 'legacy',
  modulus: 7,
  native_histogram_min_bucket_factor: 1.5,
  node_meta: { a: 'b' },
  oauth2: OAUTH2,
  params: { a: ['b'] },
  port: 80,
  queue_config: { max_samples_per_send: 10 },
  regex: 'x',
  round_robin_dns: false,
  rule_query_offset: '1m',
  scheme: 'https',
  scope: 'https://a.example/.default',
  scrape_native_histograms: true,
  scrape_protocols: ['PrometheusText0.0.4'],
  selectors: [{ role: 'pod', label: 'a=b' }],
  server: 'c.example:8500',
  signature_algorithm: 'RS512',
  sigv4: SIGV4,
  token_url: 'https://other.example/t',
  translation_strategy: 'NoTranslation',
  url: 'https://other.example',
  use_fips_sts_endpoint: true,
};

/** A value by the form of its key. */
function valueOf(line: string): unknown {
  const key = line.slice(line.indexOf('.') + 1);
  const known = VALUES[line] ?? VALUES[key];
  if (known !== undefined) return known;
  if (key.endsWith('_file') && !key.endsWith('log_file')) return '/secrets/NAME';
  if (/(interval|timeout|backoff|deadline|age_limit)$/.test(key)) return '9s';
  if (/(_limit|_targets|capacity|shards)$/.test(key)) return 9;
  if (
    /^(honor|track|extra|always|convert|promote_all|promote_scope|keep_identifying|label_name_|failed|node|namespace|deployment|job|cronjob)/.test(
      key,
    ) &&
    key !== 'job_name'
  )
    return !key.startsWith('label_name_');
  if (
    /^(names|targets|tags|services|scopes|source_labels|promote_resource_attributes|ignore_resource_attributes)$/.test(
      key,
    )
  )
    return ['x'];
  return 'x';
}

const load = (document: Section) =>
  loadConfig(JSON.stringify(document), (name) => (name === 'NAME' ? 'held' : undefined));

/** What comes of a configuration. */
function outcome(document: Section): string {
  const result = load(document);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return JSON.stringify([result.config, result.warnings.map(({ path, hint }) => [path, hint])]);
}

/** Keys whose only value that is taken is the one that holds anyway, that say what holds anyway, or whose section is warned of as a whole. */
const AS_IT_IS: ReadonlySet<string> = new Set([
  'queue_config.retry_on_http_429',
  'remote_write.round_robin_dns',
  'oauth2.grant_type',
  'tls_config.key_file',
  'runtime.gogc',
  'runtime.log_level',
]);

test.each(KEYS)('%s', (line) => {
  const section = line.slice(0, line.indexOf('.'));
  const key = line.slice(line.indexOf('.') + 1);
  const place = PLACES[section]!;
  const refused = knownKeys(section).get(key);
  if (refused !== undefined) {
    const result = load(place({ [key]: 'x' }));
    const problems = result.ok ? [] : result.problems;
    expect(
      problems.filter(({ level, path }) => level === 'error' && path.endsWith(key)).map(({ hint }) => hint),
    ).toContain(refused.why);
    return;
  }
  const beside = BESIDE[line] ?? {};
  const before = place(beside);
  const base = load(before);
  const after = outcome(place({ ...beside, [key]: valueOf(line) }));
  if (AS_IT_IS.has(line)) return;
  if (base.ok) expect(after).not.toBe(outcome(before));
});
