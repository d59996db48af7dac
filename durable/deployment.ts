/** What the HTTP side needs, made of the objects and the bucket. It gathers and hands over; it decides nothing. */

import type { BucketDoor } from '../src/compact/doors.ts';
import { contentsKey, isSnapshotName, makeItem, planSnapshot, type SnapshotContents } from '../src/compact/snapshot.ts';
import { toOtlpConfig } from '../src/config/otlp.ts';
import type { Config, OtlpConfig } from '../src/config/model.ts';
import { selectExemplars, type SeriesExemplars } from '../src/digest/exemplar-ring.ts';
import { kindOf } from '../src/discovery/kinds.ts';
import { type ResolvedTargets, resolveTargets } from '../src/discovery/targets.ts';
import { shardsMax, shardsMin } from '../src/forward/shards.ts';
import type { Rewound, Services } from '../src/http/services.ts';
import { TARGETS_AT_ONCE } from '../src/http/metadata.ts';
import type { AgentStatus, ConsumerStatus, DiscoveryStatus, SystemStatus, TargetStatus } from '../src/http/status.ts';
import { DEFAULT_TENANT } from '../src/model/tenant.ts';
import { REQUEST_LIMITS } from '../src/model/request.ts';
import { LeaderCache, type Replica } from '../src/receive/ha.ts';
import { agentAt } from '../src/scrape/placement/placement.ts';
import { handleOtlp } from '../src/receive/otlp/write.ts';
import { Refusals } from '../src/receive/refusals.ts';
import { Room } from '../src/receive/room.ts';
import { type Placement, PLACEMENT_CACHE_MS, shardsAt } from '../src/receive/shards.ts';
import { ToldTenants } from '../src/receive/told.ts';
import { type AboutRecords, type AppendResult, handleWrite, type WriteDeps } from '../src/receive/write.ts';
import type { Labels } from '../src/model/labels.ts';
import type { FamilyMetadata } from '../src/model/metadata.ts';
import type { TargetsMetadata } from '../src/scrape/page/metadata.ts';
import type { AgentReport } from './agent.ts';
import { bucketOf } from './bucket.ts';
import { featuresOf, inForce, limitsInForce, putInForce, relayProblems, reloadFiles } from './configuration.ts';
import { type Known, knownDiscoveries } from './discovery.ts';
import { warn } from './doors.ts';
import { agents, catalogue, director, type Env, ingester, tenants } from './env.ts';
import { networksOf } from './routes.ts';

/** A snapshot goes on for this long in one request, then answers how far it is. */
const SNAPSHOT_MS = 15_000;

/** A remote has been moved back in all logs after so long, or never; and a run that asked before how far it was has used the answer. */
const REWIND_MS = 30_000;
const ASKED_MS = 5_000;

const OTLP_CONFIG_MS = 10_000;
let otlp: { readonly config: OtlpConfig; readonly untilMs: number } | null = null;

/** For the bodies that this isolate holds. */
const room = new Room();
/** In this isolate's memory only. */
const told = new ToldTenants();
/** How many shards tenants have, as this isolate was told; the director knows of them then. */
const placements = new Map<
  string,
  { readonly placement: Placement; readonly wanted: number; readonly untilMs: number }
>();
/** Who leads which cluster, as this isolate was told lately: the other replica's requests cost no object call. */
const leaders = new LeaderCache();
/** What shards refuse, as this isolate was told: until it ends, they are not asked. */
const refusals = new Refusals();

export function services(env: Env, nowMs: number): Services {
  return {
    nowMs,
    features: featuresOf(env).enabled,
    told: () => told.all(),
    settings: (tenant) => limitsInForce(env).of(tenant),
    status: () => status(env, nowMs),
    config: () => inForce(env),
    pushConfig: (text, source, files) => putInForce(env, nowMs, { text, files }, source),
    reload: async () => {
      const reloaded = await reloadFiles(env, nowMs);
      if (!reloaded.ok) return reloaded;
      const { version } = reloaded;
      await Promise.all((await agents(env)).map((agent) => agent.want(version.version)));
      return { ok: true, version };
    },
    relabelConfigs: async (job) => {
      const { config } = await inForce(env);
      return config.scrapeConfigs.find(({ jobName }) => jobName === job)?.relabelConfigs ?? null;
    },
    targetMetadata: (keys, metric) => targetMetadata(env, keys, metric),
    metadata: (tenant, metric) => metadata(env, tenant, metric),
    exemplars: (...asked) => exemplars(env, ...asked),
    rewind: (name, sinceMs) => rewind(env, name, sinceMs),
    limitProblems: async () => [
      ...(await limitProblems(env)),
      ...networksOf(env).problems,
      ...featuresOf(env).problems,
    ],
    write: (request, tenant) => handleWrite(request, tenant, writeDeps(env, tenant, nowMs)),
    writeOtlp: (request, tenant) => {
      const config = () => otlpConfig(env, nowMs);
      return handleOtlp(request, tenant, { ...writeDeps(env, tenant, nowMs), config });
    },
    snapshot: (tenant, name) => snapshot(env, tenant, name, nowMs),
    snapshotBlocks: async (tenant, name) => {
      if (!isSnapshotName(name)) return null;
      const contents = await env.BUCKET.get(contentsKey(tenant, name));
      return contents === null ? null : (await contents.json<SnapshotContents>()).blocks;
    },
    file: (key) => bucketOf(env.BUCKET).get(key),
  };
}

function writeDeps(env: Env, tenant: string, nowMs: number): WriteDeps {
  const settings = limitsInForce(env).of(tenant);
  const lead = (to: string, { cluster }: Replica, leader: string): void => leaders.set(to, cluster, leader, nowMs);
  const limits = settings.shard;
  /** Asks the shard, unless it is known to refuse. */
  const unlessRefused = async (
    to: string,
    { shard, hashes, replica }: AboutRecords,
    call: () => Promise<AppendResult>,
  ): Promise<AppendResult> => {
    // A replica that may not lead any more is not refused but told so.
    const leads = replica === null || leaders.get(to, replica.cluster, nowMs) === replica.replica;
    const refused = leads ? refusals.answer(to, shard, hashes, limits, nowMs, Math.random) : null;
    if (refused !== null) return refused;
    const result = await call();
    if (!result.ok) refusals.remember(to, shard, result, limits);
    return result;
  };
  return {
    limits: settings.receive,
    hashSeries: limits.seriesMax !== null,
    nowMs,
    random: Math.random,
    room,
    count: (event, n = 1) => told.count(tenant, event, n),
    refused: (status, message) => told.refused(tenant, { atMs: nowMs, status, message }),
    shards: (to) => knownShards(to, settings.shards, nowMs),
    askShards: (to) => askShards(env, to, settings.shards, nowMs),
    leader: settings.ha ? (cluster) => leaders.get(tenant, cluster, nowMs) : null,
    elect: async (to, replica) => {
      const known = leaders.get(to, replica.cluster, nowMs);
      if (known !== null) return known;
      const leader = await ingester(env, to, 0).elect(nowMs, replica);
      lead(to, replica, leader);
      return leader;
    },
    describe: async (to, families) => {
      if (knownShards(to, settings.shards, nowMs) === null) await askShards(env, to, settings.shards, nowMs);
      const call = async () => await ingester(env, to, 0).describe(nowMs, families, limits);
      return await unlessRefused(to, { shard: 0, hashes: null, replica: null }, call);
    },
    append: async (to, records, about) => {
      const { shard, hashes, replica } = about;
      const terms = { limits, relay: settings.relay, hashes, replica };
      const result = await unlessRefused(
        to,
        about,
        async () => await ingester(env, to, shard).append(nowMs, records, terms),
      );
      if (result.leader !== undefined && replica !== null) lead(to, replica, result.leader);
      return result;
    },
  };
}

/** How many shards the tenant has now, as this isolate was told; null when it was not, or not lately. */
function knownShards(tenant: string, wanted: number, nowMs: number): number | null {
  const known = placements.get(tenant);
  return known !== undefined && known.wanted === wanted && nowMs < known.untilMs
    ? shardsAt(known.placement, nowMs)
    : null;
}

/** Asks the director, who learns of the tenant so: once an isolate for one that has one shard and is to have no more, else every few seconds. */
async function askShards(env: Env, tenant: string, wanted: number, nowMs: number): Promise<number> {
  const placement = await director(env).enlist(nowMs, tenant, wanted);
  const settled = placement.shards === 1 && placement.next === null && wanted === 1;
  placements.set(tenant, { placement, wanted, untilMs: settled ? Infinity : nowMs + PLACEMENT_CACHE_MS });
  return shardsAt(placement, nowMs);
}

/** How OTLP is translated, asked of the director once in a while: a change may take so long to be seen by all. */
async function otlpConfig(env: Env, nowMs: number): Promise<OtlpConfig> {
  if (otlp === null || otlp.untilMs <= nowMs) {
    const { config } = await inForce(env);
    otlp = { config: config.otlp ?? toOtlpConfig({}), untilMs: nowMs + OTLP_CONFIG_MS };
  }
  return otlp.config;
}

/** Each agent knows its own targets. */
async function targetMetadata(env: Env, keys: readonly string[], metric: string | null): Promise<TargetsMetadata> {
  const families: FamilyMetadata[] = [];
  const of: Record<string, readonly number[]> = {};
  for (const said of await Promise.all((await agents(env)).map((agent) => agent.metadata(keys, metric)))) {
    const from = families.length;
    families.push(...said.families);
    for (const [key, places] of Object.entries(said.of)) of[key] = places.map((place) => from + place);
  }
  return { families, of };
}

/** What was received of a tenant, and what its targets say. */
async function metadata(env: Env, tenant: string, metric: string | null): Promise<FamilyMetadata[]> {
  // Only a tenant that wrote has objects.
  const shards = (await tenants(env)).get(tenant)?.shards ?? [];
  const received = await Promise.all(shards.map((shard) => shard.metadata(metric)));
  return [...received.flat(), ...(await scrapedMetadata(env, tenant, metric))];
}

/** One shard's at a time, for each may have 16 MB of them. */
async function* exemplars(
  env: Env,
  tenant: string,
  startMs: number,
  endMs: number,
  matches: (labels: Labels) => boolean,
): AsyncGenerator<SeriesExemplars[]> {
  for (const shard of (await tenants(env)).get(tenant)?.shards ?? []) {
    yield selectExemplars(await shard.exemplars(startMs, endMs), startMs, endMs, matches);
  }
}

/** What scrapes know belongs to the default tenant, who scrapes. */
async function scrapedMetadata(env: Env, tenant: string, metric: string | null): Promise<FamilyMetadata[]> {
  if (tenant !== DEFAULT_TENANT) return [];
  const { config } = await inForce(env);
  const { targets } = resolveTargets(config, (await knownDiscoveries(env, config)).groups);
  const families: FamilyMetadata[] = [];
  for (let at = 0; at < targets.length; at += TARGETS_AT_ONCE) {
    const keys = targets.slice(at, at + TARGETS_AT_ONCE).map(({ key }) => key);
    families.push(...(await targetMetadata(env, keys, metric)).families);
  }
  return families;
}

async function limitProblems(env: Env): Promise<readonly string[]> {
  const limits = limitsInForce(env);
  if (limits.relays.length === 0) return limits.problems;
  // A configuration that cannot be read is told elsewhere.
  const config = await inForce(env).then(
    ({ config }) => config,
    () => null,
  );
  return config === null ? limits.problems : [...limits.problems, ...relayProblems(limits, config)];
}

async function status(env: Env, nowMs: number): Promise<SystemStatus> {
  const { version, config } = await inForce(env);
  const remotes = remotesOf(config);
  const all = [...(await tenants(env))];
  const discovery = await knownDiscoveries(env, config);
  const resolved = resolveTargets(config, discovery.groups);
  const placement = await director(env).placement();
  const [reports, ingesters, blocks] = await Promise.all([
    Promise.all((await agents(env)).map((agent) => agent.report(nowMs))),
    Promise.all(all.flatMap(([tenant, { shards }]) => shards.map((shard, i) => shard.report(nowMs, tenant, i)))),
    Promise.all(all.map(([tenant]) => catalogue(env, tenant).blocks())),
  ]);
  return {
    nowMs,
    config: version,
    agents: reports.map((report, index) =>
      agentStatus(report, remotes, {
        targets: resolved.targets.filter(({ key }) => agentAt(placement, key, nowMs) === index),
        // These are nobody's: the first agent shows them.
        dropped: index === 0 ? resolved.dropped : [],
        refused: index === 0 ? resolved.refused : [],
      }),
    ),
    scrapePools: config.scrapeConfigs.map(({ jobName, targetLimit, keepDroppedTargets }) => ({
      job: jobName,
      targetLimit,
      keepDroppedTargets,
    })),
    discoveries: discoveryStatus(config, discovery),
    ingesters: ingesters.map((report) => ({ ...report, relays: report.relays.map(remotes) })),
    blocks: blocks.flat(),
  };
}

/** In all logs that the remote has a place in: those of agents, and of the tenants that relay to it. */
async function rewind(env: Env, name: string, sinceMs: number | null): Promise<Rewound | null> {
  const { config } = await inForce(env);
  if (!config.remoteWrites.some((remote) => remote.name === name)) return null;
  const limits = limitsInForce(env);
  const relaying = [...(await tenants(env))].filter(([tenant]) => limits.of(tenant).relay.includes(name));
  const own = await agents(env);
  const hold = async (untilMs: number): Promise<unknown> =>
    await Promise.all(own.map((agent) => agent.hold(name, untilMs)));
  const logs = [...own, ...relaying.flatMap(([, { shards }]) => shards)];
  // No log may give again what is later than what another has still to be moved back to.
  await hold(Date.now() + REWIND_MS);
  const rewound = (await Promise.all(logs.map((log) => log.rewind(name, sinceMs)))).filter((one) => one !== null);
  await hold(Date.now() + ASKED_MS);
  return {
    logs: rewound.length,
    records: rewound.reduce((sum, { records }) => sum + records, 0),
    samples: rewound.reduce((sum, { samples }) => sum + samples, 0),
  };
}

function discoveryStatus(config: Config, { discoveries, states }: Known): DiscoveryStatus[] {
  const fixed = config.scrapeConfigs.map(({ jobName, staticConfigs }): DiscoveryStatus => ({
    job: jobName,
    kind: 'static',
    where: '',
    intervalMs: null,
    targets: staticConfigs.reduce((sum, group) => sum + group.targets.length, 0),
    refreshedAtMs: null,
    changedAtMs: null,
    failures: 0,
    error: null,
  }));
  const found = discoveries.map(({ key, job, config: asked, intervalMs }): DiscoveryStatus => {
    const state = states.get(key);
    return {
      job,
      kind: asked.kind,
      where: kindOf(asked).where(asked),
      intervalMs,
      targets: state?.targets ?? 0,
      refreshedAtMs: state?.refreshedAtMs ?? null,
      changedAtMs: state?.changedAtMs ?? null,
      failures: state?.failures ?? 0,
      error: state?.error ?? null,
    };
  });
  return [...fixed.filter(({ targets }) => targets > 0), ...found];
}

/** Adds what only the configuration knows of a remote. */
function remotesOf({ remoteWrites }: Config): (remote: ConsumerStatus) => ConsumerStatus {
  const known = new Map(
    remoteWrites.map((remote) => [
      remote.name,
      {
        url: remote.url,
        shardsMin: shardsMin(remote),
        shardsMax: shardsMax(remote),
        samplesPerSendMax: Math.min(remote.maxSamplesPerSend, REQUEST_LIMITS.samplesMax),
      },
    ]),
  );
  return (remote) => ({ ...remote, url: '', ...known.get(remote.name) });
}

function agentStatus(
  { journal, ...report }: AgentReport,
  known: (remote: ConsumerStatus) => ConsumerStatus,
  { targets, dropped, refused }: ResolvedTargets,
): AgentStatus {
  return {
    ...report,
    remotes: report.remotes.map(known),
    droppedTargets: [...refused, ...dropped.map((target) => ({ ...target, reason: null }))],
    targets: targets.map((target): TargetStatus => {
      const last = journal.targets[target.key];
      return {
        key: target.key,
        job: target.job,
        url: target.url,
        labels: target.labels,
        discovered: target.discovered,
        intervalMs: target.intervalMs,
        timeoutMs: target.timeoutMs,
        health: last === undefined ? 'unknown' : last.error === null ? 'up' : 'down',
        lastScrapeMs: last?.timestampMs ?? null,
        lastDurationMs: last?.durationMs ?? null,
        lastSamples: last?.samples ?? null,
        lastError: last?.error ?? null,
      };
    }),
  };
}

/** Begins a snapshot, or goes on with the one of that name. */
async function snapshot(
  env: Env,
  tenant: string,
  name: string | null,
  nowMs: number,
): Promise<{ done: boolean; name: string; progress: string } | null> {
  const bucket: BucketDoor = bucketOf(env.BUCKET);
  const catalog = catalogue(env, tenant);
  const from = (await tenants(env)).get(tenant)?.shards ?? [];
  let plan = await catalog.snapshotPlan();
  if (name !== null && plan?.name !== name) {
    const finished = isSnapshotName(name) && (await bucket.get(contentsKey(tenant, name))) !== null;
    return finished ? { done: true, name, progress: 'complete' } : null;
  }
  if (name === null || plan === null) plan = await planSnapshot(from, catalog, nowMs, Math.random);
  const untilMs = Date.now() + SNAPSHOT_MS;
  while (plan.done < plan.items.length && Date.now() < untilMs) {
    plan = await makeItem(tenant, plan, from, bucket, nowMs, warn);
    if (plan.done < plan.items.length) await catalog.setSnapshotPlan(plan);
  }
  const progress = `${plan.done} of ${plan.items.length} blocks`;
  if (plan.done < plan.items.length) return { done: false, name: plan.name, progress };
  await bucket.put(contentsKey(tenant, plan.name), JSON.stringify({ blocks: plan.made } satisfies SnapshotContents));
  await catalog.setSnapshotPlan(null);
  return { done: true, name: plan.name, progress };
}
