/**
 * What each route answers. Access is settled before (`auth.ts`), by the table of `access.ts`; a handler uses the caller only
 * to know whose data it is.
 */

import type { Context } from 'hono';
import { isSnapshotName } from '../compact/snapshot.ts';
import { CONFIG_BYTES_MAX, type ConfigFile } from '../config/files.ts';
import { formatProblems } from '../config/problems.ts';
import { redactConfig, redactScrapeConfig } from '../config/redact.ts';
import { textOf } from '../encoding/utf8.ts';
import { compareUtf8 } from '../model/labels.ts';
import { blockKey, snapshotKey } from '../model/tenant.ts';
import { isUlid } from '../model/ulid.ts';
import { RegexpError, regexpOf } from '../relabel/regexp.ts';
import { readBody } from '../model/body.ts';
import { methodsAt, toldTo, visibleTo, type Route } from './access.ts';
import { isOpen, type Caller } from './auth.ts';
import { failure, success, text } from './envelope.ts';
import { exemplarsData } from './exemplars.ts';
import { type Exposition, EXPOSITION_TYPE } from './exposition.ts';
import { timestamp } from './humanise.ts';
import type { Memory } from './memory.ts';
import { metricMetadataData, targetMetadataData } from './metadata.ts';
import { metricsOf } from './metrics.ts';
import { renderDiscoveryPage } from './page/discovery-page.tsx';
import { pageResponse } from './page/page.tsx';
import { renderRelabelPage } from './page/relabel-page.tsx';
import { selectionOf } from './page/selection.ts';
import { pageAnswer } from './page/shell.tsx';
import { renderTargetsPage } from './page/targets-page.tsx';
import { BadData, timeOf, wholeParam } from './params.ts';
import { labelsParam, relabelStepsData } from './relabel-steps.ts';
import { features, flags, runtimeInfo } from './server-info.ts';
import type { AppEnv, Services } from './services.ts';
import { targetsData } from './targets.ts';
import { parseTokens } from './tokens.ts';

type C = Context<{ Bindings: AppEnv }>;
export type Handler = (c: C, caller: Caller, memory: Memory) => Response | Promise<Response>;

const FORM_BYTES_MAX = 64 * 1024;
const BLOCK_FILE = /^(meta\.json|index|chunks\/\d{6})$/;
const CONFIG_FILE = 'prometheus.yml';

const healthy: Handler = () => text(200, 'Narthex is Healthy.');

const ready: Handler = async (c) => {
  const problems = await allProblems(c);
  try {
    await c.env.services.config();
  } catch (error) {
    return text(
      503,
      ['Narthex is not Ready: its configuration cannot be read.', message(error), ...problems].join('\n'),
    );
  }
  return text(200, ['Narthex is Ready.', ...problems].join('\n'));
};

const page: Handler = async (c, caller, memory) =>
  pageResponse({
    status: visibleTo(caller.tenant, await memory.status(c.env.services)),
    tenant: caller.tenant,
    version: c.env.version,
    origin: new URL(c.req.url).origin,
    problems: await allProblems(c),
    told: toldTo(caller.tenant, c.env.services.told()),
    settings: (tenant) => c.env.services.settings(tenant),
  });

const targetsPage: Handler = async (c, _caller, memory) => {
  const status = await memory.status(c.env.services);
  const selection = selectionOf((name) => c.req.query(name));
  return pageAnswer(renderTargetsPage({ status, selection, origin: new URL(c.req.url).origin }));
};

const discoveryPage: Handler = async (c, _caller, memory) => {
  const status = await memory.status(c.env.services);
  return pageAnswer(
    renderDiscoveryPage(
      status,
      selectionOf((name) => c.req.query(name)),
    ),
  );
};

const relabelPage: Handler = async (c, _caller, memory) => {
  const { scrapePools: pools } = await memory.status(c.env.services);
  const jobs = pools.map(({ job }) => job).toSorted(compareUtf8);
  const job = c.req.query('scrapePool') ?? jobs[0] ?? '';
  const rules = await c.env.services.relabelConfigs(job);
  return pageAnswer(renderRelabelPage({ jobs, job, rules, labels: c.req.query('labels') ?? '' }));
};

/** What is wrong with the deployment's secrets and variables. */
async function allProblems(c: C): Promise<string[]> {
  return [...parseTokens(c.env.tokens).problems, ...(await c.env.services.limitProblems())];
}

const ownMetrics = async (c: C, caller: Caller, memory: Memory): Promise<Exposition> => {
  const { services, version } = c.env;
  const status = visibleTo(caller.tenant, await memory.status(services));
  return metricsOf(status, {
    version,
    told: toldTo(caller.tenant, services.told()),
    lastReloadOk: memory.lastReloadOk,
  });
};

const metrics: Handler = async (c, caller, memory) => {
  const body = (await ownMetrics(c, caller, memory)).toString();
  return new Response(body, { headers: { 'content-type': EXPOSITION_TYPE, 'cache-control': 'no-store' } });
};

/** `/metrics` as JSON; `metric_name_pattern` is matched against whole names. */
const selfMetrics: Handler = async (c, caller, memory) => {
  const pattern = c.req.query('metric_name_pattern') ?? '';
  const matches = pattern === '' ? () => true : namePattern(pattern);
  return success((await ownMetrics(c, caller, memory)).toJson(matches));
};

function namePattern(pattern: string): (name: string) => boolean {
  try {
    const regexp = regexpOf(pattern);
    return (name) => regexp.test(name);
  } catch (error) {
    if (!(error instanceof RegexpError)) throw error;
    throw new BadData(`invalid metric_name_pattern: ${error.message}`);
  }
}

const write: Handler = (c, caller) => c.env.services.write(c.req.raw, caller.tenant);

const writeOtlp: Handler = (c, caller) => c.env.services.writeOtlp(c.req.raw, caller.tenant);

const targets: Handler = async (c, caller, memory) => {
  const status = visibleTo(caller.tenant, await memory.status(c.env.services));
  const { origin } = new URL(c.req.url);
  return success(targetsData(status, c.req.query('state') ?? '', c.req.query('scrapePool') ?? '', origin));
};

const targetMetadata: Handler = async (c, caller, memory) => {
  const limit = wholeParam('limit', c.req.query('limit'));
  const status = visibleTo(caller.tenant, await memory.status(c.env.services));
  const params = { matchTarget: c.req.query('match_target') || null, metric: c.req.query('metric') || null, limit };
  const targets = status.agents.flatMap((agent) => agent.targets);
  return success(await targetMetadataData(targets, c.env.services, params));
};

const metadata: Handler = async (c, caller) => {
  const limit = wholeParam('limit', c.req.query('limit'));
  const limitPerMetric = wholeParam('limit_per_metric', c.req.query('limit_per_metric'));
  const families = await c.env.services.metadata(caller.tenant, c.req.query('metric') || null);
  return success(metricMetadataData(families, limit, limitPerMetric));
};

/** A form counts above the query of the URL, as in Prometheus. */
const exemplars: Handler = async (c, caller) => {
  const params = new URL(c.req.url).searchParams;
  if (c.req.method === 'POST') {
    const body = await readBody(c.req.raw, FORM_BYTES_MAX);
    if (body === null) throw new BadData(`a form may have ${FORM_BYTES_MAX} bytes`);
    for (const [name, value] of new URLSearchParams(new TextDecoder().decode(body))) params.set(name, value);
  }
  return success(await exemplarsData(caller.tenant, c.env.services, params));
};

const scrapePools: Handler = async (c, caller, memory) => {
  const status = visibleTo(caller.tenant, await memory.status(c.env.services));
  return success({ scrapePools: status.scrapePools.map(({ job }) => job).toSorted(compareUtf8) });
};

const scrapePoolConfig: Handler = async (c) => {
  const pool = poolParam(c);
  const { text: yaml, files = [] } = await c.env.services.config();
  const texts = [yaml, ...files.map((file) => file.text)];
  const found = texts.map((one) => redactScrapeConfig(one, pool)).find((one) => one !== null);
  if (found === undefined) throw noPool(pool);
  return success({ yaml: found });
};

const relabelSteps: Handler = async (c) => {
  const pool = poolParam(c);
  const labels = c.req.query('labels') ?? '';
  if (labels === '') throw new BadData('no labels parameter provided');
  const parsed = labelsParam(labels);
  const rules = await c.env.services.relabelConfigs(pool);
  if (rules === null) throw noPool(pool);
  return success(relabelStepsData(rules, parsed));
};

function poolParam(c: C): string {
  const pool = c.req.query('scrapePool') ?? '';
  if (pool === '') throw new BadData('no scrapePool parameter provided');
  return pool;
}

const noPool = (pool: string): BadData =>
  new BadData(`error retrieving scrape config: scrape pool ${JSON.stringify(pool)} not found`);

const config: Handler = async (c) => {
  const { version, text: yaml } = await c.env.services.config();
  return success({ yaml: redactConfig(yaml), ...versionData(version) });
};

const buildinfo: Handler = (c) =>
  success({
    application: 'Narthex',
    version: c.env.version,
    revision: '',
    branch: '',
    buildUser: '',
    buildDate: '',
    goVersion: '',
  });

const showFeatures: Handler = (c) => success(features(c.env.services.features));

const showFlags: Handler = (c) => success(flags(c.env.services.features));

const showRuntimeInfo: Handler = async (c, _caller, memory) => {
  const status = await memory.status(c.env.services);
  return success(runtimeInfo(status, memory.startedAtMs(c.env.services), memory.lastReloadOk));
};

/** Nothing is read again at a start: the log is where it was. */
const walReplay: Handler = () => success({ min: 0, max: 0, current: 0 });

const blocks: Handler = async (c, caller, memory) => {
  const status = await memory.status(c.env.services);
  return success({ blocks: status.blocks.filter((block) => block.tenant === caller.tenant) });
};

const reload: Handler = async (c, _caller, memory) => {
  const reloaded = await c.env.services.reload();
  memory.lastReloadOk = reloaded.ok;
  memory.forgetStatus();
  if (!reloaded.ok) return text(400, `nothing was changed:\n${formatProblems(CONFIG_FILE, reloaded.problems)}`);
  return text(200, `configuration in force: ${reloaded.version.source}, version ${reloaded.version.version}`);
};

/** There is no process to end. */
const quit: Handler = () => text(403, 'Lifecycle API is not enabled: a deployment has no process to end.');

const pushConfig: Handler = async (c, _caller, memory) => {
  const body = await readBody(c.req.raw, CONFIG_BYTES_MAX);
  if (body === null) {
    return failure(c.req.path, 413, 'bad_data', `a configuration may have ${CONFIG_BYTES_MAX} bytes`);
  }
  const sent = textOf(body);
  if (sent === null) return failure(c.req.path, 400, 'bad_data', 'the configuration is not UTF-8 text');
  const isJson = /^application\/json\b/i.test(c.req.header('content-type') ?? '');
  const { config: yaml, files } = isJson ? withFiles(sent) : { config: sent, files: [] };
  const fromStart = isOpen(c.env) && c.req.header('x-narthex-config-source') === 'start';
  const pushed = await c.env.services.pushConfig(yaml, fromStart ? 'start --config' : 'bucket', files);
  memory.lastReloadOk = pushed.ok;
  memory.forgetStatus();
  if (pushed.ok) return success({ ...versionData(pushed.version), warnings: pushed.warnings });
  const report = formatProblems(CONFIG_FILE, pushed.problems);
  return failure(c.req.path, 400, 'bad_data', report, {}, { problems: pushed.problems });
};

/** `{"config": "…", "files": {"jobs/a.yml": "…"}}`: a configuration and the files that it names. Throws BadData. */
function withFiles(json: string): { config: string; files: ConfigFile[] } {
  const wrong = new BadData('expected {"config": "…", "files": {"name": "text"}}');
  let value: { config?: unknown; files?: unknown } | null;
  try {
    value = JSON.parse(json) as typeof value;
  } catch {
    throw wrong;
  }
  const { config, files = {} } = value ?? {};
  if (typeof config !== 'string' || typeof files !== 'object' || files === null || Array.isArray(files)) throw wrong;
  return {
    config,
    files: Object.entries(files).map(([name, text]: [string, unknown]) => {
      if (typeof text !== 'string' || !/^[^/]/.test(name) || /(^|\/)\.{0,2}(\/|$)/.test(name)) throw wrong;
      return { name, text };
    }),
  };
}

const rewind: Handler = async (c, _caller, memory) => {
  const name = c.req.query('name') ?? '';
  const to = c.req.query('to') ?? '';
  const sinceMs = timeOf(to);
  if (name === '' || (to !== 'beginning' && (sinceMs === null || sinceMs < 0)))
    return failure(
      c.req.path,
      400,
      'bad_data',
      'name=REMOTE and to=beginning, an RFC 3339 time or Unix seconds are needed',
    );
  const rewound = await c.env.services.rewind(name, sinceMs);
  memory.forgetStatus();
  if (rewound === null)
    return notFound(c, `no remote_write has the name ${JSON.stringify(name)} (one without a name goes by its url)`);
  if (rewound.logs === 0)
    return notFound(
      c,
      `remote ${JSON.stringify(name)} has no place in a log yet: the next run, within a minute, makes one`,
    );
  return success({ records: rewound.records, samples: rewound.samples });
};

const snapshot: Handler = async (c, caller, memory) => {
  const name = c.req.query('name') ?? null;
  if (name !== null && !isSnapshotName(name)) return badSnapshotName(c);
  const taken = await c.env.services.snapshot(caller.tenant, name);
  if (taken === null) return notFound(c, `no snapshot ${name} is being made or complete: take a new one`);
  memory.forgetStatus();
  return taken.done ? success({ name: taken.name }) : success({ name: taken.name, progress: taken.progress }, 202);
};

const snapshotBlocks: Handler = async (c, caller) => {
  const name = c.req.param('name') ?? '';
  if (!isSnapshotName(name)) return badSnapshotName(c);
  const found = await c.env.services.snapshotBlocks(caller.tenant, name);
  return found === null ? notFound(c, `no finished snapshot ${name}`) : success({ name, blocks: found });
};

const snapshotFile: Handler = (c, caller) => {
  const { name = '', ulid = '', file = '' } = c.req.param() as Partial<Record<string, string>>;
  if (!isSnapshotName(name) || !isUlid(ulid) || !BLOCK_FILE.test(file)) return notFound(c, 'no such file');
  return fileResponse(c, file, snapshotKey(caller.tenant, name, `${ulid}/${file}`));
};

const blockFile: Handler = (c, caller) => {
  const { ulid = '', file = '' } = c.req.param() as Partial<Record<string, string>>;
  if (!isUlid(ulid) || !BLOCK_FILE.test(file)) return notFound(c, 'no such file');
  return fileResponse(c, file, blockKey(caller.tenant, ulid, file));
};

async function fileResponse(c: C, file: string, key: string): Promise<Response> {
  const found = await c.env.services.file(key);
  if (found === null) return notFound(c, 'no such file');
  return new Response(found.body, {
    headers: {
      'content-type': file === 'meta.json' ? 'application/json' : 'application/octet-stream',
      'content-length': String(found.size),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
  });
}

/** As Prometheus' agent mode answers what needs its database: 422, `execution`. */
const unavailable: Handler = (c) =>
  failure(
    c.req.path,
    422,
    'execution',
    'unavailable with Prometheus Agent: Narthex collects, keeps and forwards samples, and does not answer queries yet; ' +
      'query a remote that it writes to, or a Prometheus on the blocks of `npx narthex blocks pull DIR`',
  );

const unknown: Handler = (c) => {
  const methods = methodsAt(c.req.path);
  if (methods.length === 0) return notFound(c, `nothing answers at ${c.req.path}`);
  const allow = methods.join(', ');
  return failure(c.req.path, 405, 'bad_data', `${c.req.path} takes ${allow}`, { allow });
};

export const HANDLERS: Record<Route, Handler> = {
  'GET /': page,
  'GET /targets': targetsPage,
  'GET /service-discovery': discoveryPage,
  'GET /relabel': relabelPage,
  'GET /-/healthy': healthy,
  'GET /-/ready': ready,
  'POST /-/reload': reload,
  'PUT /-/reload': reload,
  'POST /-/quit': quit,
  'PUT /-/quit': quit,
  'GET /metrics': metrics,
  'ALL /api/v1/write': write,
  'ALL /api/v1/otlp/v1/metrics': writeOtlp,
  'GET /api/v1/targets': targets,
  'GET /api/v1/targets/metadata': targetMetadata,
  'GET /api/v1/targets/relabel_steps': relabelSteps,
  'GET /api/v1/scrape_pools': scrapePools,
  'GET /api/v1/scrape_pools/config': scrapePoolConfig,
  'GET /api/v1/metadata': metadata,
  'GET /api/v1/query_exemplars': exemplars,
  'POST /api/v1/query_exemplars': exemplars,
  'GET /api/v1/features': showFeatures,
  'GET /api/v1/status/config': config,
  'GET /api/v1/status/buildinfo': buildinfo,
  'GET /api/v1/status/flags': showFlags,
  'GET /api/v1/status/runtimeinfo': showRuntimeInfo,
  'GET /api/v1/status/self_metrics': selfMetrics,
  'GET /api/v1/status/walreplay': walReplay,
  'GET /api/v1/status/tsdb/blocks': blocks,
  'PUT /api/v1/admin/config': pushConfig,
  'POST /api/v1/admin/remotes/rewind': rewind,
  'POST /api/v1/admin/tsdb/snapshot': snapshot,
  'GET /api/v1/admin/tsdb/snapshots/:name': snapshotBlocks,
  'GET /api/v1/admin/tsdb/snapshots/:name/:ulid/:file{.+}': snapshotFile,
  'GET /api/v1/admin/tsdb/blocks/:ulid/:file{.+}': blockFile,
  'ALL /api/v1/query': unavailable,
  'ALL /api/v1/query_range': unavailable,
  'ALL /api/v1/format_query': unavailable,
  'ALL /api/v1/parse_query': unavailable,
  'ALL /api/v1/series': unavailable,
  'ALL /api/v1/labels': unavailable,
  'ALL /api/v1/label/:name/values': unavailable,
  'ALL /api/v1/read': unavailable,
  'ALL /api/v1/rules': unavailable,
  'ALL /api/v1/alerts': unavailable,
  'ALL /api/v1/alertmanagers': unavailable,
  'ALL /api/v1/status/tsdb': unavailable,
  'ALL /api/v1/admin/tsdb/delete_series': unavailable,
  'ALL /api/v1/admin/tsdb/clean_tombstones': unavailable,
  'ALL /*': unknown,
};

const notFound = (c: C, error: string): Response => failure(c.req.path, 404, 'not_found', error);

const badSnapshotName = (c: C): Response =>
  failure(c.req.path, 400, 'bad_data', 'not the name of a snapshot: one is given when it begins');

function versionData(version: Awaited<ReturnType<Services['config']>>['version']): object {
  return {
    version: version.version,
    source: version.source,
    pushedAt: version.pushedAtMs === null ? null : timestamp(version.pushedAtMs),
  };
}

/** The words of an error: its class does not survive an object's door. */
export const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));
