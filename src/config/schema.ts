/**
 * The shape of a configuration: which keys there are and what each holds. Not the rules between keys (`rules.ts`) and not the
 * defaults (`load.ts`). Keys that are not here are refused; `known-keys.ts` says why for those that Prometheus knows.
 */

import {
  azureScope,
  configFile,
  credentials,
  certificate,
  duration,
  escapingScheme,
  fallbackProtocol,
  flag,
  googleKey,
  headers,
  httpHeaders,
  interval,
  labels,
  metricsPath,
  nonEmpty,
  number,
  oneOf,
  oneOfOrNone,
  params,
  positive,
  positiveDuration,
  regex,
  relabelAction,
  remoteUrl,
  secret,
  scrapeProtocol,
  size,
  target,
  text,
  validationScheme,
  whole,
} from './fields.ts';
import { authorization, basicAuth, http, oauth2 } from './credentials.ts';
import { discovery, DISCOVERY_SECTIONS } from './discovery.ts';
import * as z from './zod.ts';

const list = <T extends z.core.$ZodType>(item: T) => z.optional(z.list(item));

/** Of a scrape configuration, with the defaults of all under `global`. */
const scrapeLimits = {
  body_size_limit: z.optional(size),
  sample_limit: z.optional(whole),
  target_limit: z.optional(whole),
  label_limit: z.optional(whole),
  label_name_length_limit: z.optional(whole),
  label_value_length_limit: z.optional(whole),
  keep_dropped_targets: z.optional(whole),
  extra_scrape_metrics: z.optional(flag),
  scrape_failure_log_file: z.optional(text),
};

/** Likewise. */
const histograms = {
  scrape_native_histograms: z.optional(flag),
  always_scrape_classic_histograms: z.optional(flag),
  convert_classic_histograms_to_nhcb: z.optional(flag),
};

const global = z.mapping({
  scrape_interval: z.optional(interval),
  scrape_timeout: z.optional(duration),
  scrape_protocols: list(scrapeProtocol),
  metric_name_validation_scheme: z.optional(validationScheme),
  metric_name_escaping_scheme: z.optional(escapingScheme),
  external_labels: z.optional(labels),
  evaluation_interval: z.optional(duration),
  rule_query_offset: z.optional(duration),
  query_log_file: z.optional(text),
  ...scrapeLimits,
  ...histograms,
});

const staticConfig = z.mapping({ targets: list(target), labels: z.optional(labels) });

const relabelConfig = z.mapping({
  source_labels: list(nonEmpty('a label name')),
  separator: z.optional(text),
  regex: z.optional(regex),
  modulus: z.optional(whole),
  target_label: z.optional(text),
  replacement: z.optional(text),
  action: z.optional(relabelAction),
});

const scrapeConfig = z.mapping({
  job_name: nonEmpty('a job name'),
  scrape_interval: z.optional(interval),
  scrape_timeout: z.optional(duration),
  metrics_path: z.optional(metricsPath),
  scheme: z.optional(oneOfOrNone('http', 'https')),
  params: z.optional(params),
  honor_labels: z.optional(flag),
  honor_timestamps: z.optional(flag),
  track_timestamps_staleness: z.optional(flag),
  enable_compression: z.optional(flag),
  scrape_protocols: list(scrapeProtocol),
  fallback_scrape_protocol: z.optional(fallbackProtocol),
  metric_name_validation_scheme: z.optional(validationScheme),
  metric_name_escaping_scheme: z.optional(escapingScheme),
  ...scrapeLimits,
  ...histograms,
  native_histogram_bucket_limit: z.optional(whole),
  native_histogram_min_bucket_factor: z.optional(number),
  ...http,
  static_configs: list(staticConfig),
  relabel_configs: list(relabelConfig),
  metric_relabel_configs: list(relabelConfig),
  file_sd_configs: list(discovery.file_sd_configs),
  http_sd_configs: list(discovery.http_sd_configs),
  dns_sd_configs: list(discovery.dns_sd_configs),
  consul_sd_configs: list(discovery.consul_sd_configs),
  kubernetes_sd_configs: list(discovery.kubernetes_sd_configs),
});

const sigv4 = z.mapping({
  region: nonEmpty('a region like eu-central-1'),
  access_key: secret,
  secret_key: secret,
  service_name: z.optional(text),
  role_arn: z.optional(nonEmpty('a role like arn:aws:iam::123456789012:role/name')),
  external_id: z.optional(text),
  use_fips_sts_endpoint: z.optional(flag),
});

const azuread = z.mapping({
  cloud: z.optional(oneOf('AzurePublic', 'AzureGovernment', 'AzureChina')),
  scope: z.optional(azureScope),
  oauth: z.mapping({ client_id: secret, client_secret: secret, tenant_id: secret }),
});

/** The key itself, which its file is resolved to. */
const googleIam = z.mapping({ credentials: googleKey, credentials_file: z.optional(text) });

/** A client certificate. */
const tlsConfig = z.mapping({ cert_file: certificate, key_file: z.optional(certificate) });

const queueConfig = z.mapping({
  capacity: z.optional(positive),
  max_shards: z.optional(positive),
  min_shards: z.optional(positive),
  max_samples_per_send: z.optional(positive),
  batch_send_deadline: z.optional(duration),
  min_backoff: z.optional(positiveDuration),
  max_backoff: z.optional(positiveDuration),
  retry_on_http_429: z.optional(flag),
  sample_age_limit: z.optional(duration),
});

const metadataConfig = z.mapping({
  send: z.optional(flag),
  send_interval: z.optional(duration),
  max_samples_per_send: z.optional(positive),
});

const remoteWrite = z.mapping({
  url: remoteUrl,
  name: z.optional(text),
  protobuf_message: z.optional(oneOf('prometheus.WriteRequest', 'io.prometheus.write.v2.Request')),
  remote_timeout: z.optional(positiveDuration),
  headers: z.optional(headers),
  basic_auth: z.optional(basicAuth),
  authorization: z.optional(authorization),
  bearer_token: z.optional(credentials),
  bearer_token_file: z.optional(text),
  oauth2: z.optional(oauth2),
  sigv4: z.optional(sigv4),
  azuread: z.optional(azuread),
  google_iam: z.optional(googleIam),
  tls_config: z.optional(tlsConfig),
  http_headers: z.optional(httpHeaders),
  follow_redirects: z.optional(flag),
  enable_http2: z.optional(flag),
  round_robin_dns: z.optional(flag),
  send_exemplars: z.optional(flag),
  send_native_histograms: z.optional(flag),
  failed_request_logging: z.optional(flag),
  queue_config: z.optional(queueConfig),
  metadata_config: z.optional(metadataConfig),
  write_relabel_configs: list(relabelConfig),
});

const otlp = z.mapping({
  translation_strategy: z.optional(
    oneOf(
      'UnderscoreEscapingWithSuffixes',
      'UnderscoreEscapingWithoutSuffixes',
      'NoUTF8EscapingWithSuffixes',
      'NoTranslation',
    ),
  ),
  promote_resource_attributes: list(nonEmpty('the name of a resource attribute')),
  promote_all_resource_attributes: z.optional(flag),
  ignore_resource_attributes: list(nonEmpty('the name of a resource attribute')),
  keep_identifying_resource_attributes: z.optional(flag),
  promote_scope_metadata: z.optional(flag),
  convert_histograms_to_nhcb: z.optional(flag),
  label_name_underscore_sanitization: z.optional(flag),
  label_name_preserve_multiple_underscores: z.optional(flag),
});

/** Of a process that is not there. */
const runtime = z.mapping({ gogc: z.optional(text), log_level: z.optional(text) });

export const configSchema = z.mapping({
  runtime: z.optional(runtime),
  global: z.optional(global),
  scrape_configs: list(scrapeConfig),
  scrape_config_files: list(configFile),
  remote_write: list(remoteWrite),
  otlp: z.optional(otlp),
});

/** A file of `scrape_config_files`. */
export const configFileSchema = z.mapping({ scrape_configs: list(scrapeConfig) });

export type ParsedConfig = z.infer<typeof configSchema>;
export type ParsedGlobal = z.infer<typeof global>;
export type ParsedScrapeConfig = z.infer<typeof scrapeConfig>;
export type ParsedRelabel = z.infer<typeof relabelConfig>;
export type ParsedRemoteWrite = z.infer<typeof remoteWrite>;

/** The keys of each section that work; sections are named by the last word of their path, as in `known-keys.ts`. */
export const SUPPORTED_KEYS: Readonly<Record<string, readonly string[]>> = {
  '': Object.keys(configSchema.shape),
  global: Object.keys(global.shape),
  scrape_configs: Object.keys(scrapeConfig.shape),
  static_configs: Object.keys(staticConfig.shape),
  relabel_configs: Object.keys(relabelConfig.shape),
  metric_relabel_configs: Object.keys(relabelConfig.shape),
  write_relabel_configs: Object.keys(relabelConfig.shape),
  ...Object.fromEntries(Object.entries(discovery).map(([section, schema]) => [section, Object.keys(schema.shape)])),
  ...DISCOVERY_SECTIONS,
  remote_write: Object.keys(remoteWrite.shape),
  otlp: Object.keys(otlp.shape),
  runtime: Object.keys(runtime.shape),
  queue_config: Object.keys(queueConfig.shape),
  metadata_config: Object.keys(metadataConfig.shape),
  oauth2: Object.keys(oauth2.shape),
  sigv4: Object.keys(sigv4.shape),
  azuread: Object.keys(azuread.shape),
  tls_config: Object.keys(tlsConfig.shape),
  oauth: Object.keys(azuread.shape.oauth.shape),
  basic_auth: Object.keys(basicAuth.shape),
  authorization: Object.keys(authorization.shape),
};
