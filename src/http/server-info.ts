/**
 * What Prometheus' API tells of a server: `/api/v1/features`, `/status/flags`, `/status/runtimeinfo`, with its names where they hold here.
 * What a deployment does not have, a process and its runtime, is empty or zero, never made up.
 */

import { discovery } from '../config/discovery.ts';
import { START_STORAGE, ZERO_INGESTION } from '../config/features.ts';
import { formatDuration } from '../config/duration.ts';
import { DEFAULT_LOG_LIMITS } from '../log/limits.ts';
import { bytes, timestamp } from './humanise.ts';
import type { SystemStatus } from './status.ts';
import { NEVER } from './targets.ts';

/** How long a log keeps what a remote has not taken, as Prometheus writes it. */
const LOG_AGE = formatDuration(DEFAULT_LOG_LIMITS.ageMaxMs);

/** By category, as in Prometheus 3.15 (util/features); categories of which nothing is here are left out. */
export const features = (enabled: readonly string[]): Record<string, Record<string, boolean>> => ({
  api: {
    admin: true,
    exclude_alerts: false,
    label_values_match: false,
    lifecycle: true,
    otlp_write_receiver: true,
    query_stats: false,
    query_warnings: false,
    remote_write_receiver: true,
    search: false,
    time_range_labels: false,
    time_range_series: false,
  },
  otlp_receiver: { delta_conversion: false, native_delta_ingestion: false },
  prometheus: { agent_mode: true, auto_reload_config: false, server_mode: false },
  scrape: {
    extra_scrape_metrics: true,
    openmetrics2: false,
    start_timestamp_zero_ingestion: enabled.includes(ZERO_INGESTION),
    type_and_unit_labels: false,
  },
  service_discovery_providers: Object.fromEntries(
    ['static_configs', ...Object.keys(discovery)].toSorted().map((key) => [key.replace(/(_sd)?_configs$/, ''), true]),
  ),
  tsdb: { st_storage: enabled.includes(START_STORAGE) },
});

/** Those of Prometheus' flags that stand for something here, at the values that they would have. */
export const flags = (enabled: readonly string[]): Record<string, string> => ({
  agent: 'true',
  'config.file': 'prometheus.yml',
  'enable-feature': enabled.join(','),
  'storage.agent.retention.max-time': LOG_AGE,
  'web.enable-admin-api': 'true',
  'web.enable-lifecycle': 'true',
  'web.enable-otlp-receiver': 'true',
  'web.enable-remote-write-receiver': 'true',
});

/** `startedAtMs`: when this isolate answered first. */
export function runtimeInfo(status: SystemStatus, startedAtMs: number, lastReloadOk: boolean | null): object {
  const logs = [...status.agents, ...status.ingesters].map(({ log }) => log);
  return {
    startTime: timestamp(startedAtMs),
    CWD: '',
    hostname: '',
    serverTime: timestamp(status.nowMs),
    reloadConfigSuccess: lastReloadOk !== false,
    lastConfigTime: status.config.pushedAtMs === null ? NEVER : timestamp(status.config.pushedAtMs),
    corruptionCount: logs.reduce((sum, { setAside }) => sum + setAside.length, 0),
    goroutineCount: 0,
    GOMAXPROCS: 0,
    GOMEMLIMIT: 0,
    GOGC: '',
    GODEBUG: '',
    storageRetention: [LOG_AGE, ...(logs[0] === undefined ? [] : [bytes(logs[0].bytesMax).replace(' ', '')])].join(
      ' or ',
    ),
  };
}
