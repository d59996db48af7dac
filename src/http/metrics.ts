/**
 * `/metrics`: the status of the system in Prometheus' own names where it has a counterpart, else under `narthex_`. Counters
 * are stored with the event they count, and so exact however often an object forgets; those that are only counted in
 * memory say so in their help.
 *
 * Labels: `agent` and `log` name an object, `remote_name` and `url` a remote as in Prometheus, `tenant` and `shard` a
 * receiver's. Nothing here is labelled by target, series or range: those grow without bound.
 */

import { formatDuration } from '../config/duration.ts';
import type { Told } from '../receive/told.ts';
import { Exposition } from './exposition.ts';
import { redactedUrl } from './humanise.ts';
import type { AgentStatus, BlockStatus, ConsumerStatus, IngesterStatus, LogStatus, SystemStatus } from './status.ts';

const IN_MEMORY = "Counted in this isolate's memory, resets with it.";
/** A remote refused these for good; the other reasons are why samples were never sent. */
const REFUSED_BY_REMOTE = /^http_/;

export interface MetricsExtra {
  readonly version: string;
  /** By tenant. */
  readonly told: ReadonlyMap<string, Told>;
  /** Whether the last reload that this isolate saw succeeded; null when it saw none. */
  readonly lastReloadOk: boolean | null;
}

/** The whole exposition. */
export function metricsOf(status: SystemStatus, extra: MetricsExtra): Exposition {
  const out = new Exposition();
  deployment(out, status, extra);
  discoveryMetrics(out, status);
  poolMetrics(out, status);
  for (const agent of status.agents) {
    agentMetrics(out, agent);
    targetMetrics(
      out,
      agent,
      status.scrapePools.map(({ job }) => job),
    );
  }
  for (const ingester of status.ingesters) ingesterMetrics(out, ingester);
  blockMetrics(out, status.blocks);
  for (const [tenant, { counts }] of extra.told) memoryMetrics(out, tenant, counts);
  return out;
}

/** In text format 0.0.4. */
export const renderMetrics = (status: SystemStatus, extra: MetricsExtra): string => metricsOf(status, extra).toString();

function deployment(out: Exposition, status: SystemStatus, extra: MetricsExtra): void {
  out
    .gauge('prometheus_build_info', 'Always 1, with the version of Narthex that answers.')
    .add(1, { version: extra.version, application: 'narthex' });
  // Whoever gets this answer was answered with a configuration that can be read.
  out.gauge('prometheus_ready', 'Whether the configuration in force can be read, and so can everything run.').add(1);
  out
    .gauge('prometheus_config_last_reload_successful', `Whether the last reload was successful. ${IN_MEMORY}`)
    .add(extra.lastReloadOk === false ? 0 : 1);
  out
    .gauge(
      'prometheus_config_last_reload_success_timestamp_seconds',
      'When the configuration in force was pushed; absent while it is the bundled one.',
    )
    .add(seconds(status.config.pushedAtMs));
  out
    .gauge('narthex_config_version', 'Version of the configuration in force, with where it came from.')
    .add(status.config.version, { source: status.config.source });
}

function poolMetrics(out: Exposition, { scrapePools }: SystemStatus): void {
  const limit = out.gauge(
    'prometheus_target_scrape_pool_target_limit',
    'Maximum number of targets allowed in this scrape pool; 0 is no limit.',
  );
  for (const { job, targetLimit } of scrapePools) limit.add(targetLimit, { scrape_job: job });
}

/** Prometheus' names; `config` is the job. The time of an update is of one that changed something. */
function discoveryMetrics(out: Exposition, { discoveries }: SystemStatus): void {
  const targets = out.gauge('prometheus_sd_discovered_targets', 'Current number of discovered targets.');
  for (const [job, own] of Map.groupBy(discoveries, ({ job }) => job)) {
    targets.add(
      own.reduce((sum, discovery) => sum + discovery.targets, 0),
      { name: 'scrape', config: job },
    );
  }
  const failures = out.counter(
    'prometheus_sd_refresh_failures_total',
    'Number of refresh failures for the given SD mechanism.',
  );
  const updated = out.gauge(
    'prometheus_sd_last_update_timestamp_seconds',
    'Timestamp of the last update that changed the targets.',
  );
  const failing = out.gauge('narthex_sd_failing', '1 while the last refresh failed; the last good targets are kept.');
  const asked = discoveries.filter(({ intervalMs }) => intervalMs !== null);
  for (const [config, own] of Map.groupBy(asked, ({ job }) => job)) {
    const changed = own.flatMap(({ changedAtMs }) => changedAtMs ?? []);
    if (changed.length > 0) updated.add(Math.max(...changed) / 1000, { name: 'scrape', config });
    for (const [mechanism, same] of Map.groupBy(own, ({ kind }) => kind)) {
      failures.add(
        same.reduce((sum, discovery) => sum + discovery.failures, 0),
        { mechanism, config },
      );
      failing.add(same.some(({ error }) => error !== null) ? 1 : 0, { mechanism, config });
    }
  }
}

function agentMetrics(out: Exposition, agent: AgentStatus): void {
  const of = { agent: agent.name };
  out
    .counter('prometheus_agent_samples_appended_total', 'Samples that were scraped and appended to the log.')
    .add(agent.log.samplesIn, { ...of, type: 'float' });
  out
    .gauge(
      'prometheus_agent_active_series',
      'Series that targets had in their last scrape, their report series among them.',
    )
    .add(agent.activeSeries, of);
  out
    .counter('prometheus_agent_exemplars_appended_total', 'Exemplars that were scraped and appended to the log.')
    .add(agent.scrapeCounts['exemplars'] ?? 0, of);
  scrapeMetrics(out, agent);
  out.counter('narthex_scrapes_total', 'Scrapes that were appended, successful or not.').add(agent.scrapes, of);
  const refused = out.counter('narthex_scrapes_refused_total', 'Scrapes that were not appended, by reason.');
  for (const [reason, n] of Object.entries(agent.scrapesRefused)) refused.add(n, { ...of, reason });
  out.gauge('narthex_agent_epoch', 'Epoch of the baton: grows with each run that takes it.').add(agent.epoch, of);
  out
    .gauge('narthex_agent_baton_taken_timestamp_seconds', 'When the baton was last taken.')
    .add(seconds(agent.batonTakenAtMs), of);
  out
    .gauge('narthex_agent_config_version', 'Version of the configuration that the agent works with.')
    .add(agent.configVersion, of);
  out
    .gauge('prometheus_remote_storage_highest_timestamp_in_seconds', 'Highest timestamp of a sample in the log.')
    .add(seconds(agent.highestMs), of);

  const log = `agent/${agent.name}`;
  logMetrics(out, log, agent.log);
  for (const remote of agent.remotes) {
    remoteMetrics(out, { agent: agent.name }, agent.highestMs, remote);
    consumerMetrics(out, log, remote);
  }
}

function targetMetrics(out: Exposition, agent: AgentStatus, jobs: readonly string[]): void {
  const pools = new Map<string, number>(jobs.map((job) => [job, 0]));
  const health = { up: 0, down: 0, unknown: 0 };
  for (const target of agent.targets) {
    pools.set(target.job, (pools.get(target.job) ?? 0) + 1);
    health[target.health]++;
  }
  const poolTargets = out.gauge('prometheus_target_scrape_pool_targets', 'Targets in this scrape pool.');
  for (const [job, n] of pools) poolTargets.add(n, { agent: agent.name, scrape_job: job });
  const targets = out.gauge('narthex_targets', 'Targets by health; unknown is one that was not scraped yet.');
  for (const [state, n] of Object.entries(health)) targets.add(n, { agent: agent.name, health: state });
}

/** Counters of Prometheus that are stored with the event here, and so exact. What it counts and Narthex does not is not here. */
const SCRAPE_COUNTERS: readonly (readonly [count: string, name: string, help: string])[] = [
  [
    'sample_limit',
    'scrapes_exceeded_sample_limit',
    'Total number of scrapes that hit the sample limit and were rejected.',
  ],
  ['body_size_limit', 'scrapes_exceeded_body_size_limit', 'Total number of scrapes that hit the body size limit'],
  [
    'target_limit',
    'scrape_pool_exceeded_target_limit',
    'Total number of scrapes that were rejected because their scrape pool was over the target limit.',
  ],
  [
    'label_limit',
    'scrape_pool_exceeded_label_limits',
    'Total number of scrapes that hit a label limit and were rejected.',
  ],
  [
    'native_histogram_bucket_limit',
    'scrapes_exceeded_native_histogram_bucket_limit',
    'Total number of scrapes that hit the native histogram bucket limit and were rejected.',
  ],
  [
    'duplicates',
    'scrapes_sample_duplicate_timestamp',
    'Total number of samples rejected: their series stood twice in one scrape.',
  ],
  [
    'out_of_bounds',
    'scrapes_sample_out_of_bounds',
    'Total number of samples rejected due to timestamp falling outside of the time bounds.',
  ],
];

function scrapeMetrics(out: Exposition, { name: agent, scrapeCounts, intervals }: AgentStatus): void {
  for (const [count, name, help] of SCRAPE_COUNTERS)
    out.counter(`prometheus_target_${name}_total`, help).add(scrapeCounts[count] ?? 0, { agent });
  for (const [intervalMs, { sumMs, count }] of Object.entries(intervals)) {
    out.summary(
      'prometheus_target_interval_length_seconds',
      'Actual intervals between scrapes, by the timestamps of their samples.',
      sumMs / 1000,
      count,
      { agent, interval: formatDuration(Number(intervalMs)) },
    );
  }
}

/** Prometheus' queue metrics, which its alerts and dashboards read. */
function remoteMetrics(
  out: Exposition,
  owner: Readonly<Record<string, string>>,
  highestMs: number | null,
  remote: ConsumerStatus,
): void {
  const of = { ...owner, remote_name: remote.name, url: redactedUrl(remote.url ?? '') };
  const name = (rest: string): string => `prometheus_remote_storage_${rest}`;
  const dropped = Object.entries(remote.samplesDropped);
  const failed = dropped.filter(([reason]) => REFUSED_BY_REMOTE.test(reason)).reduce((sum, [, n]) => sum + n, 0);

  out.counter(name('samples_in_total'), 'Samples that were given to remote storage.').add(remote.samplesIn, of);
  out.counter(name('samples_total'), 'Samples that the remote acknowledged.').add(remote.samplesSent, of);
  out.counter(name('samples_failed_total'), 'Samples that the remote refused for good.').add(failed, of);
  out
    .counter(
      'narthex_remote_samples_replayed_total',
      'Of samples_in_total, those given again since the remote was moved back.',
    )
    .add(remote.samplesReplayed, of);
  out
    .counter(name('samples_retried_total'), 'Samples sent again after a recoverable error.')
    .add(remote.samplesRetried, of);
  const droppedTotal = out.counter(
    name('samples_dropped_total'),
    'Samples that were never sent, by reason; what the remote refused is in samples_failed_total.',
  );
  for (const [reason, n] of dropped) if (!REFUSED_BY_REMOTE.test(reason)) droppedTotal.add(n, { ...of, reason });
  out
    .gauge(name('samples_pending'), 'Samples that stand in the log and wait for this remote.')
    .add(remote.samplesPending, of);
  out.summary(
    name('sent_batch_duration_seconds'),
    'Time that a request took until the remote acknowledged or refused it.',
    remote.requestsMs / 1000,
    remote.requestsTimed,
    of,
  );
  const shards = (which: string, help: string, value: number | undefined): void =>
    void out.gauge(name(which), help).add(value ?? null, of);
  shards('shards', 'Requests that may be under way at once.', remote.shards);
  shards('shards_max', 'The most that they may be: max_shards, or the connections of a run.', remote.shardsMax);
  shards('shards_min', 'The least that they are.', remote.shardsMin);
  shards('shards_desired', 'How many they would be if shards_max allowed it.', remote.shardsDesired);
  shards(
    'shard_capacity',
    'Samples of a request that is not split: there is no queue but the log.',
    remote.samplesPerSendMax,
  );
  shards(
    'max_samples_per_send',
    'The maximum number of samples to be sent in a single request.',
    remote.samplesPerSendMax,
  );
  out
    .counter(
      name('enqueue_retries_total'),
      'Always 0: there is no queue that could be full; what waits stands in the log.',
    )
    .add(0, of);
  const besides = (what: string, told: readonly (readonly [which: string, help: string, n: number])[]): void => {
    for (const [which, help, n] of told) out.counter(name(`${what}_${which}`), help).add(n, of);
  };
  besides('exemplars', [
    ['total', 'Exemplars that the remote acknowledged.', remote.exemplarsSent],
    ['failed_total', 'Exemplars that the remote refused for good.', remote.exemplarsFailed],
    ['retried_total', 'Exemplars sent again after a recoverable error.', remote.exemplarsRetried],
  ]);
  besides('histograms', [
    ['total', 'Native histograms that the remote acknowledged; samples_total counts them too.', remote.histogramsSent],
    [
      'failed_total',
      'Native histograms that the remote refused for good; samples_failed_total counts them too.',
      remote.histogramsFailed,
    ],
    [
      'retried_total',
      'Native histograms sent again after a recoverable error; samples_retried_total counts them too.',
      remote.histogramsRetried,
    ],
  ]);
  besides('metadata', [
    [
      'total',
      'Metadata entries that the remote acknowledged, in 1.0; in 2.0 each series has its own, uncounted.',
      remote.metadata.sent,
    ],
    ['failed_total', 'Metadata entries that the remote refused for good.', remote.metadata.failed],
    ['retried_total', 'Metadata entries that were not taken and are sent again.', remote.metadata.retried],
    ['bytes_total', 'Bytes of compressed requests of metadata that were acknowledged.', remote.metadata.bytes],
  ]);
  out.counter(name('bytes_total'), 'Bytes of compressed requests that were acknowledged.').add(remote.bytesSent, of);
  out
    .gauge(name('queue_highest_timestamp_seconds'), 'Highest timestamp of a sample that waits or was sent.')
    .add(seconds(highestMs), of);
  out
    .gauge(name('queue_highest_sent_timestamp_seconds'), 'Highest timestamp of a sample that the remote acknowledged.')
    // 0 as in Prometheus, so that an alert for a remote that is behind fires also when it never took anything.
    .add(seconds(remote.highestSentMs ?? (highestMs === null ? null : 0)), of);
}

/** The same for every consumer, remote or digest: `in = sent + dropped + pending`. */
function consumerMetrics(out: Exposition, log: string, consumer: ConsumerStatus): void {
  const of = { log, consumer: consumer.name };
  out
    .counter(
      'narthex_consumer_samples_in_total',
      'Samples appended since the consumer began: sent + dropped + pending.',
    )
    .add(consumer.samplesIn, of);
  out
    .counter('narthex_consumer_samples_sent_total', 'Samples that the consumer is done with.')
    .add(consumer.samplesSent, of);
  const dropped = out.counter(
    'narthex_consumer_samples_dropped_total',
    'Samples that the consumer never got, by reason.',
  );
  for (const [reason, n] of Object.entries(consumer.samplesDropped)) dropped.add(n, { ...of, reason });
  out.gauge('narthex_consumer_samples_pending', 'Samples that wait for the consumer.').add(consumer.samplesPending, of);
  out.gauge('narthex_consumer_records_pending', 'Records that wait for the consumer.').add(consumer.recordsPending, of);
  out
    .gauge('narthex_consumer_lag_seconds', 'Age of the oldest record that waits for the consumer; 0 when none does.')
    .add(consumer.lagMs / 1000, of);
  out
    .counter('narthex_consumer_requests_total', 'Requests or batches that the consumer took.')
    .add(consumer.requests, of);
  out.counter('narthex_consumer_requests_failed_total', 'Those of them that failed.').add(consumer.requestsFailed, of);
  out
    .gauge('narthex_consumer_healthy', '0 while the consumer backs off after an error.')
    .add(consumer.healthy ? 1 : 0, of);
}

function logMetrics(out: Exposition, log: string, status: LogStatus): void {
  const of = { log };
  out.gauge('narthex_log_records', 'Records that stand in the log.').add(status.records, of);
  out.gauge('narthex_log_bytes', 'Bytes of records that stand in the log.').add(status.bytes, of);
  out.gauge('narthex_log_limit_bytes', 'Bytes that the log may hold.').add(status.bytesMax, of);
  out.counter('narthex_log_records_appended_total', 'Records ever appended.').add(status.recordsIn, of);
  out.counter('narthex_log_samples_appended_total', 'Samples ever appended.').add(status.samplesIn, of);
  out.counter('narthex_log_appended_bytes_total', 'Bytes ever appended.').add(status.bytesIn, of);
  out
    .counter(
      'narthex_object_rows_written_total',
      "Rows that the log's object has written, as the platform bills them (deletions too, alarms not). Resets when the object sleeps.",
    )
    .add(status.rowsWritten, of);
  out
    .gauge('narthex_log_set_aside_records', 'Records that could not be read and were set aside.')
    .add(status.setAside.length, of);
  out
    .gauge('narthex_log_oldest_record_timestamp_seconds', 'When the oldest record was appended.')
    .add(seconds(status.oldestAtMs), of);
}

function ingesterMetrics(out: Exposition, ingester: IngesterStatus): void {
  const of = { tenant: ingester.tenant, shard: String(ingester.shard) };
  const log = `ingester/${ingester.tenant}/${ingester.shard}`;
  logMetrics(out, log, ingester.log);
  for (const consumer of [ingester.digest, ...ingester.relays]) consumerMetrics(out, log, consumer);
  for (const relay of ingester.relays) {
    // What the relay has taken may stand in the log no more.
    const highestMs = Math.max(ingester.log.highestMs ?? -Infinity, relay.highestSentMs ?? -Infinity);
    remoteMetrics(out, of, highestMs === -Infinity ? null : highestMs, relay);
  }
  out
    .counter('narthex_digest_duplicate_samples_total', 'Identical samples that came again: stored once.')
    .add(ingester.samplesDuplicate, of);
  out
    .counter('narthex_digest_conflicting_samples_total', 'Other values for a taken timestamp: the first was kept.')
    .add(ingester.samplesConflicting, of);
  out
    .gauge(
      'narthex_active_series',
      'Series seen in the last 10 to 20 minutes, estimated within 1 %; only where series_limit is set, and counted in memory.',
    )
    .add(ingester.activeSeries, of);
  const exemplarsDropped = Object.entries(ingester.exemplarsDropped);
  out
    .counter('prometheus_tsdb_exemplar_exemplars_appended_total', 'Exemplars that were digested.')
    .add(ingester.exemplarsIn, of);
  out.gauge('prometheus_tsdb_exemplar_exemplars_in_storage', 'Exemplars that are kept.').add(
    exemplarsDropped.reduce((left, [, n]) => left - n, ingester.exemplarsIn),
    of,
  );
  const dropped = out.counter('narthex_exemplars_dropped_total', 'Exemplars that are not kept any more, by reason.');
  for (const [reason, n] of exemplarsDropped) dropped.add(n, { ...of, reason });
  out
    .gauge('narthex_metadata_families', 'Metric families of which type, help or unit are known.')
    .add(ingester.metadataFamilies, of);
  out
    .counter('narthex_metadata_left_out_total', 'Times that a metric family was left out for want of room.')
    .add(ingester.metadataLeftOut, of);
  out
    .gauge('narthex_cut_watermark_timestamp_seconds', 'Ranges that end at or before it have been cut into blocks.')
    .add(seconds(ingester.watermarkMs), of);

  for (const late of [false, true]) {
    const ranges = ingester.ranges.filter((range) => range.late === late);
    const sum = (value: (range: IngesterStatus['ranges'][number]) => number): number =>
      ranges.reduce((total, range) => total + value(range), 0);
    const labels = { ...of, late: String(late) };
    out
      .gauge('narthex_ranges', 'Block ranges that hold samples and are not cut; late ones had been cut before.')
      .add(ranges.length, labels);
    out.gauge('narthex_range_segments', 'Sorted segments in these ranges.').add(
      sum((range) => range.segments),
      labels,
    );
    out.gauge('narthex_range_samples', 'Samples in these ranges.').add(
      sum((range) => range.samples),
      labels,
    );
    out.gauge('narthex_range_bytes', 'Bytes of segments in these ranges.').add(
      sum((range) => range.bytes),
      labels,
    );
  }
}

function blockMetrics(out: Exposition, blocks: readonly BlockStatus[]): void {
  for (const [tenant, own] of Map.groupBy(blocks, (block) => block.tenant)) {
    const of = { tenant };
    const sum = (value: (block: BlockStatus) => number): number =>
      own.reduce((total, block) => total + value(block), 0);
    out.gauge('prometheus_tsdb_blocks_loaded', 'Blocks in the bucket.').add(own.length, of);
    out.gauge('prometheus_tsdb_storage_blocks_bytes', 'Bytes of all blocks in the bucket.').add(
      sum((block) => block.bytes),
      of,
    );
    out.gauge('narthex_blocks_samples', 'Samples in all blocks.').add(
      sum((block) => block.samples),
      of,
    );
    out
      .gauge('narthex_blocks_newest_end_timestamp_seconds', 'End of the newest block.')
      .add(own.reduce((newest, block) => Math.max(newest, block.maxTime), 0) / 1000, of);
  }
}

/** `requests:204` and the like; whatever has no name of its own here appears as an event, so that nothing is hidden. */
function memoryMetrics(out: Exposition, tenant: string, counters: Readonly<Record<string, number>>): void {
  for (const [key, n] of Object.entries(counters)) {
    const colon = key.indexOf(':');
    const event = colon < 0 ? key : key.slice(0, colon);
    const detail = colon < 0 ? '' : key.slice(colon + 1);
    if (event === 'requests') {
      out
        .counter('narthex_receiver_requests_total', `Remote-write requests by status code. ${IN_MEMORY}`)
        .add(n, { tenant, code: detail });
    } else if (event === 'samples_in') {
      out
        .counter('narthex_receiver_samples_total', `Samples that were received and logged. ${IN_MEMORY}`)
        .add(n, { tenant });
    } else if (event === 'refused_samples') {
      out
        .counter('narthex_receiver_refused_samples_total', `Samples that were refused, by reason. ${IN_MEMORY}`)
        .add(n, { tenant, reason: detail });
    } else {
      out.counter('narthex_events_total', `Other events. ${IN_MEMORY}`).add(n, { tenant, event, detail });
    }
  }
}

const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1000);
