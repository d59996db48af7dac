/**
 * Every key that Prometheus knows and Narthex refuses, with the reason. Not the keys that work: those are in `schema.ts`, and a
 * key is in one of the two. To support a key, move it from here into the schema. The README's table is checked against this one.
 *
 * Source: Prometheus 3.14, config/config.go and prometheus/common config/http_config.go.
 */

/**
 * A list of keys is named after the section it stands in: the last word of the path, `''` for the top level.
 * `later`: Narthex does not have it yet. `never`: Workers forbid it, or it makes no sense in a Narthex deployment.
 */
export interface KnownKey {
  readonly section: string;
  readonly key: string;
  readonly plan: 'later' | 'never';
  /** Completes "not supported: …"; for people who know Prometheus. */
  readonly why: string;
}

const NO_RULES = 'Narthex evaluates no rules and sends no alerts: keep this where the samples are written to';
const NO_PROXY = 'Workers cannot fetch through a proxy';
const NO_TLS = 'Workers decide about TLS themselves: versions, names and public certificate authorities';
const NO_ZOOKEEPER = 'Workers cannot speak to ZooKeeper';
const NO_MANAGER = 'Narthex has no secret manager';

function keys(section: string, plan: KnownKey['plan'], why: string, names: string): KnownKey[] {
  return names.split(' ').map((key) => ({ section, key, plan, why }));
}

/** What a section that makes HTTP requests may hold besides what the schema has. */
function http(section: string): KnownKey[] {
  return [
    ...keys(section, 'never', NO_TLS, 'tls_config'),
    ...keys(section, 'never', NO_PROXY, 'proxy_url no_proxy proxy_from_environment proxy_connect_header'),
  ];
}

export const KNOWN_KEYS: readonly KnownKey[] = [
  ...keys('', 'never', NO_RULES, 'rule_files alerting'),
  ...keys('', 'never', 'Narthex reads from no remote, like Prometheus in agent mode', 'remote_read'),
  ...keys('', 'never', 'Narthex has no local TSDB: the log and the blocks have their own limits', 'storage'),
  ...keys('', 'never', 'use the observability that Workers bring', 'tracing'),

  ...keys(
    'scrape_configs',
    'later',
    'Narthex does not support this kind of discovery yet',
    'aws_sd_configs azure_sd_configs digitalocean_sd_configs docker_sd_configs dockerswarm_sd_configs ec2_sd_configs ' +
      'eureka_sd_configs gce_sd_configs hetzner_sd_configs ionos_sd_configs kuma_sd_configs lightsail_sd_configs ' +
      'linode_sd_configs marathon_sd_configs nomad_sd_configs oci_sd_configs openstack_sd_configs outscale_sd_configs ' +
      'ovhcloud_sd_configs puppetdb_sd_configs scaleway_sd_configs stackit_sd_configs triton_sd_configs ' +
      'uyuni_sd_configs vultr_sd_configs',
  ),
  ...keys('scrape_configs', 'never', NO_ZOOKEEPER, 'nerve_sd_configs serverset_sd_configs'),
  ...http('scrape_configs'),

  ...http('remote_write').filter(({ key }) => key !== 'tls_config'),
  ...http('http_sd_configs'),
  ...http('consul_sd_configs'),
  ...http('kubernetes_sd_configs'),
  ...keys(
    'kubernetes_sd_configs',
    'never',
    'a Worker has no files: use api_server and authorization',
    'kubeconfig_file',
  ),
  ...keys('namespaces', 'never', 'Narthex runs in no pod, so in no namespace: name it', 'own_namespace'),

  ...keys('oauth2', 'never', NO_MANAGER, 'client_secret_ref client_certificate_key_ref'),
  ...keys('oauth2', 'never', NO_TLS, 'tls_config'),
  ...keys('oauth2', 'never', NO_PROXY, 'proxy_url no_proxy proxy_from_environment proxy_connect_header'),
  ...keys('sigv4', 'never', 'a Worker has no AWS profiles', 'profile'),
  ...keys('azuread', 'never', 'a Worker has no identity in Azure: use oauth', 'managed_identity workload_identity sdk'),

  ...keys('basic_auth', 'never', NO_MANAGER, 'username_ref password_ref'),
  ...keys('authorization', 'never', NO_MANAGER, 'credentials_ref'),

  ...keys('tls_config', 'never', 'Workers always verify certificates', 'insecure_skip_verify'),
  ...keys('tls_config', 'never', NO_TLS, 'server_name min_version max_version'),
  ...keys('tls_config', 'never', 'Workers trust public certificate authorities only', 'ca ca_file ca_ref'),
  ...keys(
    'tls_config',
    'never',
    'a client certificate is a binding of the Worker: cert_file: /bindings/NAME',
    'cert cert_ref key key_ref',
  ),
];

const BY_SECTION = new Map<string, Map<string, KnownKey>>();
for (const known of KNOWN_KEYS) {
  let section = BY_SECTION.get(known.section);
  if (section === undefined) BY_SECTION.set(known.section, (section = new Map()));
  section.set(known.key, known);
}

/** The keys of a section that Prometheus knows and Narthex refuses. */
export function knownKeys(section: string): ReadonlyMap<string, KnownKey> {
  return BY_SECTION.get(section) ?? new Map();
}
