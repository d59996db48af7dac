/**
 * The `*_sd_configs` that Narthex has: their shape in a configuration, and what the rest of the code works with. A new kind begins here,
 * with a file of its own in `src/discovery` beside it. The rules between keys are in `discovery-rules.ts`.
 *
 * Source: Prometheus 3.14, `SDConfig` in discovery/{http,file,dns,consul,kubernetes}.
 */

import { http, type ParsedHttp } from './credentials.ts';
import {
  discoveryInterval,
  fileName,
  flag,
  httpUrl,
  nonEmpty,
  oneOf,
  port,
  secretText,
  selector,
  separator,
  text,
  texts,
} from './fields.ts';
import type {
  ConsulDiscovery,
  Credentials,
  DiscoveryConfig,
  DnsDiscovery,
  HttpDiscovery,
  KubernetesDiscovery,
} from './model.ts';
import * as z from './zod.ts';

const KUBERNETES_ROLES = ['node', 'pod', 'service', 'endpoints', 'endpointslice', 'ingress'] as const;

const DEFAULT_REFRESH_MS = { http: 60_000, file: 300_000, dns: 30_000, consul: 30_000 };
/** Prometheus watches, and has no key for this. */
const KUBERNETES_REFRESH_MS = 30_000;

const role = oneOf(...KUBERNETES_ROLES);
const namespaces = z.mapping({ names: z.optional(z.list(nonEmpty('the name of a namespace'))) });
const selectors = z.mapping({ role, label: z.optional(selector), field: z.optional(selector) });
const attachMetadata = z.mapping({
  node: z.optional(flag),
  namespace: z.optional(flag),
  deployment: z.optional(flag),
  job: z.optional(flag),
  cronjob: z.optional(flag),
});

export const discovery = {
  http_sd_configs: z.mapping({
    url: httpUrl,
    refresh_interval: z.optional(discoveryInterval),
    ...http,
  }),
  file_sd_configs: z.mapping({ files: z.list(fileName), refresh_interval: z.optional(discoveryInterval) }),
  dns_sd_configs: z.mapping({
    names: z.list(nonEmpty('a name in the DNS')),
    type: z.optional(oneOf('SRV', 'A', 'AAAA', 'MX', 'NS')),
    port: z.optional(port),
    refresh_interval: z.optional(discoveryInterval),
  }),
  consul_sd_configs: z.mapping({
    server: z.optional(nonEmpty('an address like consul.example.com:8500')),
    path_prefix: z.optional(text),
    token: z.optional(secretText),
    datacenter: z.optional(text),
    namespace: z.optional(text),
    partition: z.optional(text),
    tag_separator: z.optional(separator),
    scheme: z.optional(oneOf('http', 'https')),
    username: z.optional(text),
    password: z.optional(secretText),
    allow_stale: z.optional(flag),
    services: z.optional(z.list(nonEmpty('the name of a service'))),
    tags: z.optional(z.list(nonEmpty('a tag'))),
    node_meta: z.optional(texts),
    filter: z.optional(text),
    health_filter: z.optional(text),
    refresh_interval: z.optional(discoveryInterval),
    ...http,
  }),
  kubernetes_sd_configs: z.mapping({
    api_server: z.optional(httpUrl),
    role,
    namespaces: z.optional(namespaces),
    selectors: z.optional(z.list(selectors)),
    attach_metadata: z.optional(attachMetadata),
    ...http,
  }),
};

/** The keys of the sections inside a kind. */
export const DISCOVERY_SECTIONS = {
  namespaces: Object.keys(namespaces.shape),
  selectors: Object.keys(selectors.shape),
  attach_metadata: Object.keys(attachMetadata.shape),
};

type Kinds = typeof discovery;
type Parsed<K extends keyof Kinds> = z.infer<Kinds[K]>;
type ParsedLists = { readonly [K in keyof Kinds]?: readonly Parsed<K>[] | undefined };
type ToCredentials = (parsed: ParsedHttp) => Credentials & Pick<HttpDiscovery, 'oauth2' | 'httpHeaders'>;

/** All discoveries of a scrape configuration, kind by kind. */
export function toDiscoveries(parsed: ParsedLists, credentials: ToCredentials): DiscoveryConfig[] {
  return [
    ...(parsed.file_sd_configs ?? []).map(({ files, refresh_interval }) => ({
      kind: 'file' as const,
      files,
      refreshIntervalMs: refresh_interval || DEFAULT_REFRESH_MS.file,
    })),
    ...(parsed.http_sd_configs ?? []).map((http) => ({
      kind: 'http' as const,
      url: http.url,
      followRedirects: http.follow_redirects ?? true,
      ...credentials(http),
      refreshIntervalMs: http.refresh_interval || DEFAULT_REFRESH_MS.http,
    })),
    ...(parsed.dns_sd_configs ?? []).map(toDns),
    ...(parsed.consul_sd_configs ?? []).map((consul) => toConsul(consul, credentials)),
    ...(parsed.kubernetes_sd_configs ?? []).map((kubernetes) => toKubernetes(kubernetes, credentials)),
  ];
}

const toDns = ({ names, type, port: number, refresh_interval }: Parsed<'dns_sd_configs'>): DnsDiscovery => ({
  kind: 'dns',
  names,
  type: type ?? 'SRV',
  port: number ?? 0,
  refreshIntervalMs: refresh_interval || DEFAULT_REFRESH_MS.dns,
});

function toConsul(parsed: Parsed<'consul_sd_configs'>, credentials: ToCredentials): ConsulDiscovery {
  const named = parsed.username || parsed.password;
  return {
    kind: 'consul',
    server: parsed.server ?? 'localhost:8500',
    scheme: parsed.scheme ?? 'http',
    pathPrefix: parsed.path_prefix ?? '',
    token: parsed.token ?? '',
    datacenter: parsed.datacenter ?? '',
    namespace: parsed.namespace ?? '',
    partition: parsed.partition ?? '',
    tagSeparator: parsed.tag_separator ?? ',',
    allowStale: parsed.allow_stale ?? true,
    services: parsed.services ?? [],
    tags: parsed.tags ?? [],
    nodeMeta: parsed.node_meta ?? [],
    filter: parsed.filter ?? '',
    healthFilter: parsed.health_filter ?? '',
    followRedirects: parsed.follow_redirects ?? true,
    ...credentials(parsed),
    ...(named ? { basicAuth: { username: parsed.username ?? '', password: parsed.password ?? '' } } : {}),
    refreshIntervalMs: parsed.refresh_interval || DEFAULT_REFRESH_MS.consul,
  };
}

const toKubernetes = (parsed: Parsed<'kubernetes_sd_configs'>, credentials: ToCredentials): KubernetesDiscovery => ({
  kind: 'kubernetes',
  // A rule sees to it that there is one.
  apiServer: parsed.api_server ?? '',
  role: parsed.role,
  namespaces: parsed.namespaces?.names ?? [],
  selectors: (parsed.selectors ?? []).map((one) => ({
    role: one.role,
    label: one.label ?? '',
    field: one.field ?? '',
  })),
  attach: {
    node: parsed.attach_metadata?.node ?? false,
    namespace: parsed.attach_metadata?.namespace ?? false,
    deployment: parsed.attach_metadata?.deployment ?? false,
    job: parsed.attach_metadata?.job ?? false,
    cronJob: parsed.attach_metadata?.cronjob ?? false,
  },
  followRedirects: parsed.follow_redirects ?? true,
  ...credentials(parsed),
  refreshIntervalMs: KUBERNETES_REFRESH_MS,
});
