/**
 * What each route answers: the handlers by their routes, and those that are a line or two. Access is settled before (`auth.ts`), by the table of
 * `access.ts`.
 */

import { methodsAt, type Route } from './access.ts';
import { failure } from './envelope.ts';
import { pushConfig, quit, reload, rewind } from './handlers/admin.ts';
import {
  exemplars,
  metadata,
  relabelSteps,
  scrapePoolConfig,
  scrapePools,
  targetMetadata,
  targets,
} from './handlers/agent.ts';
import { blockFile, blocks, snapshot, snapshotBlocks, snapshotFile } from './handlers/blocks.ts';
import { type Handler, notFound } from './handlers/handler.ts';
import { metrics, selfMetrics } from './handlers/own-metrics.ts';
import { discoveryPage, healthy, page, ready, relabelPage, targetsPage } from './handlers/pages.ts';
import { buildinfo, config, showFeatures, showFlags, showRuntimeInfo, walReplay } from './handlers/status.ts';

const write: Handler = (c, caller) => c.env.services.write(c.req.raw, caller.tenant);

const writeOtlp: Handler = (c, caller) => c.env.services.writeOtlp(c.req.raw, caller.tenant);

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
