/**
 * From the text of a `prometheus.yml` to the configuration that the rest of the code works with, or to everything that is wrong
 * with it, at once. Pure and total: no text makes it throw.
 *
 * Format: Prometheus 3.14, docs/configuration/configuration.md; defaults as there, but for `protobuf_message`: without it a
 * remote is sent 2.0, which loses nothing of what a scrape saw, or 1.0 when it does not understand that.
 */

import { REQUEST_LIMITS } from '../model/request.ts';
import { toDiscoveries } from './discovery.ts';
import { type Features, NO_FEATURES, type StartTimestamps, startTimestampsOf } from './features.ts';
import type { Config, Credentials, RemoteWriteConfig, ScrapeConfig, ValidationScheme } from './model.ts';
import { type ConfigFile, fitting } from './files.ts';
import { namesOf } from './names.ts';
import { dropNeutral } from './neutral.ts';
import { toOtlpConfig } from './otlp.ts';
import { problem, sortProblems, type Problem } from './problems.ts';
import { toRelabel } from './relabel.ts';
import { resolveSecrets, type Secrets } from './references.ts';
import {
  DEFAULT_INTERVAL_MS,
  DEFAULT_MAX_BACKOFF_MS,
  DEFAULT_MAX_SHARDS,
  DEFAULT_MIN_BACKOFF_MS,
  DEFAULT_MIN_SHARDS,
} from './defaults.ts';
import { checkFileRules, checkRules, type Jobs } from './rules.ts';
import { schemaProblems } from './schema-problems.ts';
import { valueAt } from './values.ts';
import {
  configFileSchema,
  configSchema,
  type ParsedConfig,
  type ParsedGlobal,
  type ParsedRemoteWrite,
  type ParsedScrapeConfig,
} from './schema.ts';
import { readTree, type Tree } from './tree.ts';

export { formatProblems, type Problem } from './problems.ts';
export { redactConfig } from './redact.ts';
export type { Secrets } from './references.ts';

/** Warnings come with a configuration that works; `problems` may hold warnings among the errors. Both in the order of the text. */
export type LoadResult = { ok: true; config: Config; warnings: Problem[] } | { ok: false; problems: Problem[] };

/** A report is for people: what is beyond this is counted, not listed. */
const PROBLEMS_MAX = 200;

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_SCRAPE_PROTOCOLS: ScrapeConfig['scrapeProtocols'] = [
  'OpenMetricsText1.0.0',
  'OpenMetricsText0.0.1',
  'PrometheusText1.0.0',
  'PrometheusText0.0.4',
];
/** Native histograms are in no other format, and start timestamps cost least in this one. */
const PROTO_FIRST_SCRAPE_PROTOCOLS: ScrapeConfig['scrapeProtocols'] = ['PrometheusProto', ...DEFAULT_SCRAPE_PROTOCOLS];
const DEFAULT_REMOTE_TIMEOUT_MS = 30_000;

/**
 * Reads and checks the text of a configuration. An empty text is an empty configuration, as in Prometheus. `secrets` are those of the
 * deployment; without one, what is named is not looked for, and `<secret>` stands for it. `files` are those that `scrape_config_files` may mean; `features` those that
 * the deployment enables.
 */
export function loadConfig(
  text: string,
  secrets: Secrets | null = null,
  files: readonly ConfigFile[] = [],
  features: Features = NO_FEATURES,
): LoadResult {
  const read = readTree(text);
  if (!read.ok) return { ok: false, problems: shortened(read.problems) };
  const { tree } = read;
  dropNeutral(tree.value);
  const missing = resolveSecrets(tree, secrets);
  const parsed = configSchema.safeParse(tree.value ?? {});
  const jobs: Jobs = new Map();
  const problems = [...tree.problems, ...missing, ...checkRules(tree, jobs)];
  if (!parsed.success) problems.push(...schemaProblems(parsed.error, tree));
  const more = loadFiles(tree, secrets, files, jobs);
  problems.push(...more.problems);
  if (!parsed.success || problems.some(({ level }) => level === 'error')) {
    return { ok: false, problems: shortened(problems) };
  }
  const { scrape_configs: own = [], ...rest } = parsed.data;
  const config = toConfig({ ...rest, scrape_configs: [...own, ...more.scrapes] }, startTimestampsOf(features));
  return { ok: true, config, warnings: shortened(problems) };
}

/** The files that the configuration names, each checked under its `global`. */
function loadFiles(
  main: Tree,
  secrets: Secrets | null,
  files: readonly ConfigFile[],
  jobs: Jobs,
): { scrapes: ParsedScrapeConfig[]; problems: Problem[] } {
  const scrapes: ParsedScrapeConfig[] = [];
  const problems: Problem[] = [];
  const patterns = valueAt(main.value, ['scrape_config_files']);
  const seen = new Set<string>();
  const names = files.map(({ name }) => name);
  for (const [i, pattern] of (Array.isArray(patterns) ? patterns : []).entries()) {
    if (typeof pattern !== 'string') continue;
    const fit = fitting(pattern, names);
    if (fit.length === 0) {
      const path = ['scrape_config_files', i];
      const said = { expected: 'a file of this name', got: 'none', level: 'warning' } as const;
      problems.push(problem(path, main.positions.of(main.value, path, 'value'), said));
    }
    for (const name of fit.filter((one) => !seen.has(one))) {
      seen.add(name);
      const loaded = loadFile(
        files.find((file) => file.name === name)!,
        main,
        secrets,
        jobs,
      );
      scrapes.push(...loaded.scrapes);
      problems.push(...loaded.problems.map((one) => ({ ...one, file: name })));
    }
  }
  return { scrapes, problems };
}

function loadFile(
  { name, text }: ConfigFile,
  main: Tree,
  secrets: Secrets | null,
  jobs: Jobs,
): { scrapes: readonly ParsedScrapeConfig[]; problems: Problem[] } {
  const read = readTree(text);
  if (!read.ok) return { scrapes: [], problems: read.problems };
  const { tree } = read;
  dropNeutral(tree.value);
  const missing = resolveSecrets(tree, secrets);
  const parsed = configFileSchema.safeParse(tree.value ?? {});
  const global = valueAt(main.value, ['global']);
  const problems = [
    ...tree.problems,
    ...missing,
    ...checkFileRules(tree, typeof global === 'object' && !Array.isArray(global) ? global : {}, name, jobs),
  ];
  if (!parsed.success) {
    const wrong = schemaProblems(parsed.error, tree).map((one) =>
      /^\w+$/.test(one.path) && one.path !== 'scrape_configs'
        ? { ...one, hint: 'such a file holds scrape_configs only' }
        : one,
    );
    return { scrapes: [], problems: [...problems, ...wrong] };
  }
  return { scrapes: parsed.data.scrape_configs ?? [], problems };
}

function shortened(problems: readonly Problem[]): Problem[] {
  const sorted = sortProblems(problems);
  if (sorted.length <= PROBLEMS_MAX) return sorted;
  // Errors first: a thousand warnings must not hide the one error.
  const errors = sorted.filter(({ level }) => level === 'error');
  const shown = [...errors, ...sorted.filter(({ level }) => level === 'warning')].slice(0, PROBLEMS_MAX);
  const { line, column, level } = shown.at(-1)!;
  const rest = problem(
    [],
    { line, column },
    { expected: 'fewer problems', got: `${sorted.length - PROBLEMS_MAX} more`, level },
  );
  return [...sortProblems(shown), rest];
}

function toConfig(
  { global = {}, scrape_configs = [], remote_write = [], otlp }: ParsedConfig,
  startTimestamps: StartTimestamps | null,
): Config {
  const intervalMs = global.scrape_interval || DEFAULT_INTERVAL_MS;
  const timeoutMs = global.scrape_timeout || Math.min(DEFAULT_TIMEOUT_MS, intervalMs);
  return {
    externalLabels: global.external_labels ?? [],
    scrapeConfigs: scrape_configs.map((scrape) =>
      toScrapeConfig(scrape, global, intervalMs, timeoutMs, startTimestamps),
    ),
    remoteWrites: remote_write.map((remote) => toRemoteWrite(remote, global.metric_name_validation_scheme || 'utf8')),
    ...(otlp === undefined ? {} : { otlp: toOtlpConfig(otlp) }),
  };
}

function toScrapeConfig(
  parsed: ParsedScrapeConfig,
  global: ParsedGlobal,
  globalIntervalMs: number,
  globalTimeoutMs: number,
  startTimestamps: StartTimestamps | null,
): ScrapeConfig {
  const scrapeIntervalMs = parsed.scrape_interval || globalIntervalMs;
  const names = namesOf(parsed, global);
  const scrapeNativeHistograms = parsed.scrape_native_histograms ?? global.scrape_native_histograms ?? false;
  return {
    jobName: parsed.job_name,
    scrapeIntervalMs,
    scrapeTimeoutMs: parsed.scrape_timeout || Math.min(globalTimeoutMs, scrapeIntervalMs),
    metricsPath: parsed.metrics_path ?? '/metrics',
    scheme: parsed.scheme || 'http',
    params: parsed.params ?? [],
    honorLabels: parsed.honor_labels ?? false,
    honorTimestamps: parsed.honor_timestamps ?? true,
    enableCompression: parsed.enable_compression ?? true,
    scrapeProtocols:
      parsed.scrape_protocols ??
      global.scrape_protocols ??
      (scrapeNativeHistograms || startTimestamps !== null ? PROTO_FIRST_SCRAPE_PROTOCOLS : DEFAULT_SCRAPE_PROTOCOLS),
    fallbackScrapeProtocol: parsed.fallback_scrape_protocol || null,
    ...names,
    followRedirects: parsed.follow_redirects ?? true,
    httpHeaders: parsed.http_headers ?? [],
    trackTimestampsStaleness: parsed.track_timestamps_staleness ?? false,
    extraScrapeMetrics: parsed.extra_scrape_metrics ?? global.extra_scrape_metrics ?? false,
    // 0 and the empty text mean "as global has it", as in Prometheus.
    bodySizeLimit: parsed.body_size_limit || global.body_size_limit || 0,
    sampleLimit: parsed.sample_limit || global.sample_limit || 0,
    labelLimit: parsed.label_limit || global.label_limit || 0,
    labelNameLengthLimit: parsed.label_name_length_limit || global.label_name_length_limit || 0,
    labelValueLengthLimit: parsed.label_value_length_limit || global.label_value_length_limit || 0,
    targetLimit: parsed.target_limit || global.target_limit || 0,
    keepDroppedTargets: parsed.keep_dropped_targets || global.keep_dropped_targets || 0,
    scrapeNativeHistograms,
    alwaysScrapeClassicHistograms:
      parsed.always_scrape_classic_histograms ?? global.always_scrape_classic_histograms ?? false,
    convertClassicHistogramsToNhcb:
      parsed.convert_classic_histograms_to_nhcb ?? global.convert_classic_histograms_to_nhcb ?? false,
    nativeHistogramBucketLimit: parsed.native_histogram_bucket_limit ?? 0,
    nativeHistogramMinBucketFactor: parsed.native_histogram_min_bucket_factor ?? 0,
    ...(startTimestamps === null ? {} : { startTimestamps }),
    scrapeFailureLogFile: parsed.scrape_failure_log_file || global.scrape_failure_log_file || '',
    ...toCredentials(parsed),
    ...toOAuth2(parsed.oauth2),
    staticConfigs: (parsed.static_configs ?? []).map(({ targets, labels }) => ({
      targets: targets ?? [],
      labels: labels ?? [],
    })),
    relabelConfigs: (parsed.relabel_configs ?? []).map((rule) => toRelabel(rule, names.metricNameValidationScheme)),
    metricRelabelConfigs: (parsed.metric_relabel_configs ?? []).map((rule) =>
      toRelabel(rule, names.metricNameValidationScheme),
    ),
    discoveries: toDiscoveries(parsed, (http) => ({
      ...toCredentials(http),
      ...toOAuth2(http.oauth2),
      ...(http.http_headers === undefined ? {} : { httpHeaders: http.http_headers }),
    })),
  };
}

function toRemoteWrite(parsed: ParsedRemoteWrite, scheme: ValidationScheme): RemoteWriteConfig {
  return {
    name: parsed.name || parsed.url,
    url: parsed.url,
    ...(parsed.protobuf_message === undefined ? {} : { protobufMessage: parsed.protobuf_message }),
    remoteTimeoutMs: parsed.remote_timeout ?? DEFAULT_REMOTE_TIMEOUT_MS,
    headers: [...(parsed.headers ?? []), ...(parsed.http_headers ?? [])],
    ...toCredentials(parsed),
    ...toIdentity(parsed),
    ...(parsed.tls_config === undefined ? {} : { clientCertificate: parsed.tls_config.cert_file }),
    followRedirects: parsed.follow_redirects ?? true,
    minBackoffMs: parsed.queue_config?.min_backoff ?? DEFAULT_MIN_BACKOFF_MS,
    maxBackoffMs: parsed.queue_config?.max_backoff ?? DEFAULT_MAX_BACKOFF_MS,
    // As many as a record of the log has at most: Prometheus' 2,000 would cost encoding most records again.
    maxSamplesPerSend: parsed.queue_config?.max_samples_per_send ?? REQUEST_LIMITS.samplesMax,
    sendExemplars: parsed.send_exemplars ?? true,
    sendNativeHistograms: parsed.send_native_histograms ?? true,
    metadata: toMetadata(parsed.metadata_config),
    minShards: parsed.queue_config?.min_shards ?? DEFAULT_MIN_SHARDS,
    maxShards: parsed.queue_config?.max_shards ?? DEFAULT_MAX_SHARDS,
    sampleAgeLimitMs: parsed.queue_config?.sample_age_limit ?? 0,
    writeRelabelConfigs: (parsed.write_relabel_configs ?? []).map((rule) => toRelabel(rule, scheme)),
  };
}

/** An interval of 0 is none, as in Prometheus. */
function toMetadata(parsed: ParsedRemoteWrite['metadata_config'] = {}): RemoteWriteConfig['metadata'] {
  const intervalMs = parsed.send_interval ?? 60_000;
  if (parsed.send === false || intervalMs === 0) return null;
  return { intervalMs, maxSamplesPerSend: parsed.max_samples_per_send || 2_000 };
}

type ParsedCredentials = Pick<ParsedScrapeConfig, 'basic_auth' | 'authorization' | 'bearer_token'>;

function toCredentials({ basic_auth, authorization, bearer_token }: ParsedCredentials): Credentials {
  return {
    // The older spelling of the same.
    ...(bearer_token === undefined ? {} : { authorization: { type: 'Bearer', credentials: bearer_token } }),
    ...(basic_auth === undefined
      ? {}
      : { basicAuth: { username: basic_auth.username ?? '', password: basic_auth.password ?? '' } }),
    ...(authorization === undefined
      ? {}
      : { authorization: { type: authorization.type ?? 'Bearer', credentials: authorization.credentials ?? '' } }),
  };
}

/** Microsoft's clouds: who gives tokens, and for what (prometheus/prometheus, storage/remote/azuread). */
const AZURE = {
  AzurePublic: ['https://login.microsoftonline.com', 'https://monitor.azure.com//.default'],
  AzureGovernment: ['https://login.microsoftonline.us', 'https://monitor.azure.us//.default'],
  AzureChina: ['https://login.chinacloudapi.cn', 'https://monitor.azure.cn//.default'],
} as const;

/** prometheus/prometheus, storage/remote/googleiam. */
const GOOGLE_SCOPE = 'https://www.googleapis.com/auth/monitoring.write';

/** What a remote may have besides credentials. Azure's is OAuth 2.0 with an address of its own. */
function toIdentity({
  oauth2,
  sigv4,
  azuread,
  google_iam,
}: ParsedRemoteWrite): Pick<RemoteWriteConfig, 'oauth2' | 'sigv4'> {
  if (sigv4 !== undefined) {
    const { region, access_key: accessKey, secret_key: secretKey, service_name, role_arn: arn } = sigv4;
    const role = { externalId: sigv4.external_id ?? '', fips: sigv4.use_fips_sts_endpoint ?? false };
    return {
      sigv4: {
        region,
        accessKey,
        secretKey,
        serviceName: service_name || 'aps',
        ...(arn === undefined ? {} : { role: { arn, ...role } }),
      },
    };
  }
  if (azuread !== undefined) {
    const [host, scope] = AZURE[azuread.cloud ?? 'AzurePublic'];
    const { client_id: clientId, client_secret: clientSecret, tenant_id } = azuread.oauth;
    const tokenUrl = `${host}/${encodeURIComponent(tenant_id)}/oauth2/v2.0/token`;
    return { oauth2: { clientId, clientSecret, tokenUrl, scopes: [azuread.scope || scope], endpointParams: [] } };
  }
  if (google_iam !== undefined) {
    const { client_email: clientId, private_key: key, private_key_id: keyId, token_uri } = google_iam.credentials;
    const jwt = { key, keyId, algorithm: 'RS256' as const, issuer: '', audience: '', claims: [] };
    return {
      oauth2: { clientId, clientSecret: '', tokenUrl: token_uri, scopes: [GOOGLE_SCOPE], endpointParams: [], jwt },
    };
  }
  return toOAuth2(oauth2);
}

function toOAuth2(oauth2: ParsedScrapeConfig['oauth2']): Pick<ScrapeConfig, 'oauth2'> {
  if (oauth2 === undefined) return {};
  const isJwt = oauth2.grant_type !== undefined && oauth2.grant_type !== 'client_credentials';
  return {
    oauth2: {
      clientId: oauth2.client_id,
      clientSecret: oauth2.client_secret ?? '',
      tokenUrl: oauth2.token_url,
      scopes: oauth2.scopes ?? [],
      endpointParams: oauth2.endpoint_params ?? [],
      ...(isJwt
        ? {
            jwt: {
              key: oauth2.client_certificate_key ?? '',
              keyId: oauth2.client_certificate_key_id ?? '',
              algorithm: oauth2.signature_algorithm ?? 'RS256',
              issuer: oauth2.iss ?? '',
              audience: oauth2.audience ?? '',
              claims: oauth2.claims ?? [],
            },
          }
        : {}),
    },
  };
}
