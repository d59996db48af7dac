/** The configuration as the rest of the code sees it: checked, defaulted, durations in milliseconds, sizes in bytes. */

import type { Labels } from '../model/labels.ts';
import type { StartTimestamps } from './features.ts';

export interface Config {
  readonly externalLabels: Labels;
  readonly scrapeConfigs: readonly ScrapeConfig[];
  readonly remoteWrites: readonly RemoteWriteConfig[];
  /** Absent: Prometheus' defaults. */
  readonly otlp?: OtlpConfig;
}

export type TranslationStrategy =
  | 'UnderscoreEscapingWithSuffixes'
  | 'UnderscoreEscapingWithoutSuffixes'
  | 'NoUTF8EscapingWithSuffixes'
  | 'NoTranslation';

/** How OTLP becomes series. Attributes are named as OTLP names them. */
export interface OtlpConfig {
  readonly translationStrategy: TranslationStrategy;
  readonly promoteResourceAttributes: readonly string[];
  readonly promoteAllResourceAttributes: boolean;
  /** Of all, those that are not promoted. */
  readonly ignoreResourceAttributes: readonly string[];
  readonly keepIdentifyingResourceAttributes: boolean;
  readonly promoteScopeMetadata: boolean;
  readonly convertHistogramsToNhcb: boolean;
  readonly labelNameUnderscoreSanitization: boolean;
  readonly labelNamePreserveMultipleUnderscores: boolean;
}

export const RELABEL_ACTIONS = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
] as const;
export type RelabelAction = (typeof RELABEL_ACTIONS)[number];

/** One rule of `relabel_configs` and its kin, with Prometheus' defaults filled in. Plain data: it crosses RPC. */
export interface RelabelConfig {
  readonly action: RelabelAction;
  readonly sourceLabels: readonly string[];
  /** Between the values of the source labels. */
  readonly separator: string;
  /** RE2, as it stands in the file: it must match the whole text. */
  readonly regex: string;
  /** A safe integer, above 0 for `hashmod`. */
  readonly modulus: number;
  /** For `replace` it may hold references to groups, as `replacement` does. */
  readonly targetLabel: string;
  readonly replacement: string;
  readonly nameValidationScheme: ValidationScheme;
}

/** Credentials of an outgoing request. At most one of the two. Values are secrets: they are never shown or logged. */
export interface Credentials {
  readonly basicAuth?: { readonly username: string; readonly password: string };
  readonly authorization?: { readonly type: string; readonly credentials: string };
}

export interface ScrapeConfig extends Credentials {
  readonly oauth2?: OAuth2Config;
  readonly jobName: string;
  readonly scrapeIntervalMs: number;
  /** Never above the interval. */
  readonly scrapeTimeoutMs: number;
  readonly metricsPath: string;
  readonly scheme: 'http' | 'https';
  readonly params: readonly (readonly [name: string, value: string])[];
  readonly honorLabels: boolean;
  readonly honorTimestamps: boolean;
  readonly enableCompression: boolean;
  /** What the target is asked for, best first. */
  readonly scrapeProtocols: readonly ScrapeProtocol[];
  /** What the deployment's features say of start timestamps; nothing is done with them when absent. */
  readonly startTimestamps?: StartTimestamps;
  /** How a body is read whose Content-Type is missing or unknown; null fails the scrape. */
  readonly fallbackScrapeProtocol: ScrapeProtocol | null;
  readonly metricNameValidationScheme: ValidationScheme;
  /** What the target is asked to do with names that are not legacy ones. */
  readonly metricNameEscapingScheme: EscapingScheme;
  /** False: a redirect is a failed scrape. */
  readonly followRedirects: boolean;
  /** Headers of every request to the target's own origin, one entry a value. Values may be secrets. */
  readonly httpHeaders: readonly (readonly [name: string, value: string])[];
  /** A series with a timestamp of its own goes stale like any other. */
  readonly trackTimestampsStaleness: boolean;
  /** Three more report series: timeout, sample limit, size of the body. */
  readonly extraScrapeMetrics: boolean;
  /** Bytes of the uncompressed body; 0 is no limit of the configuration's own (the platform's stays). */
  readonly bodySizeLimit: number;
  /** Samples a scrape may have; 0 is no limit. */
  readonly sampleLimit: number;
  /** Over one of these the whole scrape fails; lengths in bytes of UTF-8; 0 is no limit. */
  readonly labelLimit: number;
  readonly labelNameLengthLimit: number;
  readonly labelValueLengthLimit: number;
  /** With more targets none of the job is scraped; 0 is no limit. */
  readonly targetLimit: number;
  /** How many dropped targets the API shows; 0 is no limit. */
  readonly keepDroppedTargets: number;
  readonly scrapeNativeHistograms: boolean;
  /** Also where there is a native histogram for them. */
  readonly alwaysScrapeClassicHistograms: boolean;
  /** Native histograms with custom buckets are made of classic ones. */
  readonly convertClassicHistogramsToNhcb: boolean;
  /** A native histogram with more is reduced to a lower resolution; 0 is no limit. */
  readonly nativeHistogramBucketLimit: number;
  /** A native histogram whose buckets grow by less is reduced to a lower resolution; 1 or less is no limit. */
  readonly nativeHistogramMinBucketFactor: number;
  /** Not empty: each scrape that fails is a line of the deployment's log. */
  readonly scrapeFailureLogFile: string;
  readonly staticConfigs: readonly StaticConfig[];
  /** For targets, before they are scraped. */
  readonly relabelConfigs: readonly RelabelConfig[];
  /** For samples, after the target's labels were added and before external ones are. */
  readonly metricRelabelConfigs: readonly RelabelConfig[];
  /** The other `*_sd_configs`, in the order of their kinds. */
  readonly discoveries: readonly DiscoveryConfig[];
}

/** Exposition formats, as `scrape_protocols` names them (Prometheus, config/config.go, `ScrapeProtocolsHeaders`). */
export const SCRAPE_PROTOCOLS = [
  'PrometheusProto',
  'OpenMetricsText1.0.0',
  'OpenMetricsText0.0.1',
  'PrometheusText1.0.0',
  'PrometheusText0.0.4',
] as const;
export type ScrapeProtocol = (typeof SCRAPE_PROTOCOLS)[number];

/** `legacy` names are of letters, digits, underscores and colons; with `utf8` any text is a name. */
export type ValidationScheme = 'utf8' | 'legacy';
export const ESCAPING_SCHEMES = ['allow-utf-8', 'underscores', 'dots', 'values'] as const;
export type EscapingScheme = (typeof ESCAPING_SCHEMES)[number];

export interface StaticConfig {
  /** `host:port`, or `self`. */
  readonly targets: readonly string[];
  readonly labels: Labels;
}

/** How one kind of discovery is asked. `refreshIntervalMs` is how often. */
export type DiscoveryConfig = HttpDiscovery | FileDiscovery | DnsDiscovery | ConsulDiscovery | KubernetesDiscovery;

interface Refreshed {
  readonly refreshIntervalMs: number;
}

interface OverHttp extends Refreshed, Credentials {
  readonly oauth2?: OAuth2Config;
  /** For the configured origin only, one entry a value. Values may be secrets. Absent when there are none. */
  readonly httpHeaders?: readonly (readonly [name: string, value: string])[];
  readonly followRedirects: boolean;
}

export interface HttpDiscovery extends OverHttp {
  readonly kind: 'http';
  readonly url: string;
}

export interface FileDiscovery extends Refreshed {
  readonly kind: 'file';
  /** Names of objects under `files/` in the bucket; the last part may hold one "*". */
  readonly files: readonly string[];
}

export interface DnsDiscovery extends Refreshed {
  readonly kind: 'dns';
  readonly names: readonly string[];
  readonly type: 'SRV' | 'A' | 'AAAA' | 'MX' | 'NS';
  /** Of the targets; for SRV the record says it. */
  readonly port: number;
}

export interface ConsulDiscovery extends OverHttp {
  readonly kind: 'consul';
  /** `host:port`. */
  readonly server: string;
  readonly scheme: 'http' | 'https';
  readonly pathPrefix: string;
  /** A secret. */
  readonly token: string;
  readonly datacenter: string;
  readonly namespace: string;
  readonly partition: string;
  readonly tagSeparator: string;
  readonly allowStale: boolean;
  /** None means all. */
  readonly services: readonly string[];
  /** A service must have all of them. */
  readonly tags: readonly string[];
  readonly nodeMeta: readonly (readonly [name: string, value: string])[];
  /** Of the catalogue, and of the health of a service, in Consul's own language. */
  readonly filter: string;
  readonly healthFilter: string;
}

export type KubernetesRole = 'node' | 'pod' | 'service' | 'endpoints' | 'endpointslice' | 'ingress';

export interface KubernetesDiscovery extends OverHttp {
  readonly kind: 'kubernetes';
  readonly apiServer: string;
  readonly role: KubernetesRole;
  /** None means all. */
  readonly namespaces: readonly string[];
  readonly selectors: readonly { readonly role: KubernetesRole; readonly label: string; readonly field: string }[];
  /** What more is looked up for each target. */
  readonly attach: {
    readonly node: boolean;
    readonly namespace: boolean;
    readonly deployment: boolean;
    readonly job: boolean;
    readonly cronJob: boolean;
  };
}

export type RemoteWriteProto = 'prometheus.WriteRequest' | 'io.prometheus.write.v2.Request';

/** At most one of the credentials, `oauth2` and `sigv4`. */
export interface RemoteWriteConfig extends Credentials {
  readonly oauth2?: OAuth2Config;
  readonly sigv4?: SigV4Config;
  /** The binding of a client certificate. */
  readonly clientCertificate?: string;
  /** Unique; the cursor in the log is kept under it. Defaults to the URL. */
  readonly name: string;
  readonly url: string;
  /** Absent: 2.0, and 1.0 when the remote does not understand it. */
  readonly protobufMessage?: RemoteWriteProto;
  readonly remoteTimeoutMs: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  /** A larger record is split, which costs encoding it again. */
  readonly maxSamplesPerSend: number;
  /** False: exemplars are left out, which costs encoding again the records that have some. */
  readonly sendExemplars: boolean;
  /** False: native histograms are left out for a remote of 1.0, likewise; 2.0 always has them. */
  readonly sendNativeHistograms: boolean;
  /** How a remote of 1.0 gets metadata; null when not. */
  readonly metadata: { readonly intervalMs: number; readonly maxSamplesPerSend: number } | null;
  /** Requests that may be under way at once, as far as the log's lanes and a run's connections allow. */
  readonly minShards: number;
  readonly maxShards: number;
  /** Records whose newest sample is older are dropped instead of sent; 0 is never. */
  readonly sampleAgeLimitMs: number;
  /** For outgoing samples; they see external labels. */
  readonly writeRelabelConfigs: readonly RelabelConfig[];
  /** 307 and 308, to the same origin only. */
  readonly followRedirects: boolean;
}

/** Values are secrets, but for where and for what a token is asked. */
export interface OAuth2Config {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly tokenUrl: string;
  readonly scopes: readonly string[];
  readonly endpointParams: readonly (readonly [name: string, value: string])[];
  /** The grant is a JWT that is signed with `key` (PKCS #8, PEM); without, it is client credentials. */
  readonly jwt?: {
    readonly key: string;
    readonly keyId: string;
    readonly algorithm: 'RS256' | 'RS384' | 'RS512';
    /** Empty is the client. */
    readonly issuer: string;
    /** Empty is the token URL. */
    readonly audience: string;
    readonly claims: readonly (readonly [name: string, value: string])[];
  };
}

/** Keys are secrets. */
export interface SigV4Config {
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly serviceName: string;
  /** Whose keys are used instead, asked for with these. `externalId` may be empty. */
  readonly role?: { readonly arn: string; readonly externalId: string; readonly fips: boolean };
}

/** Where the configuration in force came from. */
export type ConfigSource = 'bundled' | 'bucket' | 'start --config';

export interface ConfigVersion {
  readonly source: ConfigSource;
  /** Grows with every push; 0 is the bundled one. */
  readonly version: number;
  /** When it was pushed, Unix ms; null for the bundled one. */
  readonly pushedAtMs: number | null;
}
