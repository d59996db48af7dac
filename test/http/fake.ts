/** A system that runs nowhere: plain data, and services that write down what was called. */

import { createApp } from '../../src/http/app.ts';
import { DEFAULT_RECEIVE_LIMITS, DEFAULT_SHARD_LIMITS, type TenantSettings } from '../../src/receive/limits.ts';
import type { AppEnv, Services } from '../../src/http/services.ts';
import type {
  AgentStatus,
  BlockStatus,
  ConsumerStatus,
  DiscoveryStatus,
  IngesterStatus,
  LogStatus,
  ScrapePoolStatus,
  SystemStatus,
  TargetStatus,
} from '../../src/http/status.ts';

/** 2026-11-22T13:05:09Z: the open range is 12:00–14:00. */
export const NOW = Date.UTC(2026, 10, 22, 13, 5, 9);
const HOUR = 3_600_000;
export const SETTINGS: TenantSettings = {
  receive: DEFAULT_RECEIVE_LIMITS,
  shard: DEFAULT_SHARD_LIMITS,
  shards: 1,
  ha: false,
  relay: [],
};
export const SNAPSHOT = '20261122T130509Z-0123abcd';
export const ULID = '01KAN5Z1D0M4V7Q8X2C3B4N5P6';

export const log = (over: Partial<LogStatus> = {}): LogStatus => ({
  firstSeq: 101,
  lastSeq: 160,
  records: 60,
  bytes: 1_234_567,
  bytesMax: 8_000_000_000,
  oldestAtMs: NOW - 300_000,
  recordsIn: 160,
  samplesIn: 123_456,
  bytesIn: 4_000_000,
  rowsWritten: 321,
  highestMs: 1_760_000_000_000,
  setAside: [],
  ...over,
});

export const consumer = (over: Partial<ConsumerStatus> = {}): ConsumerStatus => ({
  name: 'own receiver',
  url: 'http://self/api/v1/write',
  cursor: 158,
  samplesIn: 123_456,
  samplesSent: 122_000,
  samplesDropped: {},
  samplesPending: 1_456,
  recordsPending: 2,
  lagMs: 7_200,
  requests: 158,
  requestsFailed: 0,
  samplesRetried: 0,
  bytesSent: 3_900_000,
  highestSentMs: NOW - 8_000,
  lastSentAtMs: NOW - 4_000,
  lastError: null,
  healthy: true,
  recent: [],
  requestsMs: 0,
  requestsTimed: 0,
  samplesReplayed: 0,
  histogramsSent: 0,
  exemplarsSent: 0,
  histogramsFailed: 0,
  histogramsRetried: 0,
  exemplarsFailed: 0,
  exemplarsRetried: 0,
  metadata: { sent: 0, failed: 0, retried: 0, bytes: 0 },
  shards: 1,
  shardsDesired: 1,
  schema1UntilMs: null,
  samplesMax: null,
  ...over,
});

export const target = (over: Partial<TargetStatus> = {}): TargetStatus => ({
  key: 'k1',
  job: 'narthex',
  url: 'http://self/metrics',
  labels: [
    { name: 'instance', value: 'self' },
    { name: 'job', value: 'narthex' },
  ],
  discovered: [
    { name: '__address__', value: 'self' },
    { name: '__metrics_path__', value: '/metrics' },
    { name: '__scheme__', value: 'http' },
    { name: '__scrape_interval__', value: '15s' },
    { name: '__scrape_timeout__', value: '10s' },
    { name: 'job', value: 'narthex' },
  ],
  intervalMs: 15_000,
  timeoutMs: 10_000,
  health: 'up',
  lastScrapeMs: NOW - 9_000,
  lastDurationMs: 12.5,
  lastSamples: 87,
  lastError: null,
  ...over,
});

export const agent = (over: Partial<AgentStatus> = {}): AgentStatus => ({
  name: 'default',
  epoch: 42,
  batonTakenAtMs: NOW - 9_000,
  configVersion: 3,
  log: log(),
  remotes: [consumer()],
  targets: [target()],
  droppedTargets: [],
  highestMs: NOW - 5_000,
  scrapes: 1_420,
  scrapesRefused: {},
  scrapeCounts: {},
  intervals: {},
  activeSeries: 93,
  ...over,
});

export const pool = (over: Partial<ScrapePoolStatus> = {}): ScrapePoolStatus => ({
  job: 'narthex',
  targetLimit: 0,
  keepDroppedTargets: 0,
  ...over,
});

export const discovery = (over: Partial<DiscoveryStatus> = {}): DiscoveryStatus => ({
  job: 'narthex',
  kind: 'static',
  where: '',
  intervalMs: null,
  targets: 1,
  refreshedAtMs: null,
  changedAtMs: null,
  failures: 0,
  error: null,
  ...over,
});

export const ingester = (over: Partial<IngesterStatus> = {}): IngesterStatus => ({
  tenant: 'anonymous',
  shard: 0,
  log: log({ samplesIn: 122_000 }),
  digest: consumer({ name: 'digest', samplesIn: 122_000, samplesSent: 121_000, samplesPending: 1_000, lagMs: 21_000 }),
  watermarkMs: NOW - 65 * 60_000,
  ranges: [
    {
      startMs: Date.UTC(2026, 10, 22, 12),
      endMs: Date.UTC(2026, 10, 22, 14),
      late: false,
      segments: 4,
      samples: 98_765,
      bytes: 345_678,
    },
  ],
  samplesDuplicate: 12,
  samplesConflicting: 0,
  conflictExample: null,
  activeSeries: null,
  metadataFamilies: 3,
  metadataLeftOut: 0,
  exemplarsIn: 10,
  exemplarsDropped: { duplicate: 1, too_many: 0, evicted: 2 },
  relays: [],
  ...over,
});

export const block = (over: Partial<BlockStatus> = {}): BlockStatus => ({
  ulid: ULID,
  tenant: 'anonymous',
  shard: 0,
  minTime: NOW - 3 * HOUR,
  maxTime: NOW - HOUR,
  samples: 1_234_567,
  series: 870,
  chunks: 10_440,
  bytes: 2_345_678,
  late: false,
  createdAtMs: NOW - 25 * 60_000,
  files: ['chunks/000001', 'index', 'meta.json'],
  ...over,
});

export const system = (over: Partial<SystemStatus> = {}): SystemStatus => ({
  nowMs: NOW,
  config: { source: 'bucket', version: 3, pushedAtMs: NOW - 2 * HOUR },
  agents: [agent()],
  scrapePools: [pool()],
  discoveries: [discovery()],
  ingesters: [ingester(), ingester({ tenant: 'acme' })],
  blocks: [block(), block({ tenant: 'acme', ulid: '01KAN5Z1D0M4V7Q8X2C3B4N5P7' })],
  ...over,
});

export interface Fake {
  readonly services: Services;
  /** Names of the services that were called, in order. */
  readonly calls: string[];
}

/** Services whose every call is written down; `over` replaces some of them. */
export function fakeServices(status: SystemStatus = system(), over: Partial<Services> = {}): Fake {
  const calls: string[] = [];
  const version = status.config;
  const services: Services = {
    status: () => Promise.resolve(status),
    config: () => Promise.resolve({ version, text: 'scrape_configs: []\n' }),
    relabelConfigs: () => Promise.resolve([]),
    targetMetadata: () => Promise.resolve({ families: [], of: {} }),
    metadata: () => Promise.resolve([]),
    exemplars: async function* () {},
    pushConfig: (_text, source) =>
      Promise.resolve({ ok: true, version: { ...version, source, version: 4 }, warnings: [] }),
    rewind: () => Promise.resolve({ logs: 1, records: 2, samples: 30 }),
    reload: () => Promise.resolve({ ok: true, version }),
    write: (request) => Promise.resolve(new Response(null, { status: request.method === 'POST' ? 204 : 405 })),
    writeOtlp: () => Promise.resolve(new Response(null, { status: 200 })),
    features: [],
    limitProblems: () => Promise.resolve([]),
    snapshot: (_tenant, name) => Promise.resolve({ done: true, name: name ?? SNAPSHOT, progress: '' }),
    snapshotBlocks: () => Promise.resolve([{ ulid: ULID, files: ['index', 'meta.json'] }]),
    file: () => Promise.resolve({ body: new Blob(['bytes']).stream() as unknown as ReadableStream, size: 5 }),
    told: () => new Map(),
    settings: () => SETTINGS,
    nowMs: status.nowMs,
    ...over,
  };
  const recorded = Object.fromEntries(
    Object.entries(services).map(([name, value]) => [
      name,
      typeof value !== 'function'
        ? value
        : (...args: unknown[]) => {
            calls.push([name, ...args.filter((arg) => typeof arg === 'string')].join(' '));
            return (value as (...args: unknown[]) => unknown)(...args);
          },
    ]),
  ) as unknown as Services;
  return { services: recorded, calls };
}

/** SHA-256 as it stands in a secret. */
export async function digestOf(token: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token)));
  return `sha256:${[...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

export const line = async (name: string, roles: string, tenant: string, token: string): Promise<string> =>
  `${name} ${roles} ${tenant} ${await digestOf(token)}`;

/** A client of a fresh app. */
export function client(env: Partial<AppEnv> & { services: Services }) {
  const app = createApp();
  const full: AppEnv = { tokens: [], open: undefined, version: '0.1.0', ...env };
  return async (
    method: string,
    path: string,
    init: { token?: string; headers?: Record<string, string>; body?: string } = {},
  ) => {
    const headers = new Headers({ host: 'localhost:8787', ...init.headers });
    if (init.token !== undefined) headers.set('authorization', `Bearer ${init.token}`);
    const request = new Request(`http://localhost:8787${path}`, { method, headers, body: init.body ?? null });
    return await app.fetch(request, full);
  };
}
