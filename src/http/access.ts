/**
 * The one table of who may do what: every route stands here, or it does not exist, for the app registers exactly these.
 *
 * A request is about one tenant, which its token allows (`auth.ts`). What belongs to the deployment as a whole (configuration, targets, agents) is the default
 * tenant's, which is also who scrapes: it sees every shard and block on the page and in `/metrics`, and only its
 * admin changes the configuration. Other tenants see their own shards and blocks, and nothing else.
 */

import { DEFAULT_TENANT } from '../model/tenant.ts';
import type { Told } from '../receive/told.ts';
import type { SystemStatus } from './status.ts';
import type { Role } from './tokens.ts';

export interface Access {
  /** `public` asks for nothing, `any` for a token whatever its role. */
  readonly role: Role | 'public' | 'any';
  /** Whose it is: the caller's own tenant's, or the deployment's, where tokens of other tenants are refused. */
  readonly of: 'tenant' | 'deployment';
}

const open: Access = { role: 'public', of: 'tenant' };
const write: Access = { role: 'write', of: 'tenant' };
const read: Access = { role: 'read', of: 'tenant' };
const admin: Access = { role: 'admin', of: 'tenant' };
const readDeployment: Access = { role: 'read', of: 'deployment' };
const adminDeployment: Access = { role: 'admin', of: 'deployment' };

export const ACCESS = {
  'GET /': read,
  'GET /targets': readDeployment,
  'GET /service-discovery': readDeployment,
  'GET /relabel': readDeployment,
  'GET /-/healthy': open,
  'GET /-/ready': open,
  'POST /-/reload': adminDeployment,
  'PUT /-/reload': adminDeployment,
  'POST /-/quit': adminDeployment,
  'PUT /-/quit': adminDeployment,
  'GET /metrics': read,
  'ALL /api/v1/write': write,
  'ALL /api/v1/otlp/v1/metrics': write,
  'GET /api/v1/targets': read,
  'GET /api/v1/targets/metadata': read,
  'GET /api/v1/targets/relabel_steps': readDeployment,
  'GET /api/v1/scrape_pools': read,
  'GET /api/v1/scrape_pools/config': readDeployment,
  'GET /api/v1/metadata': read,
  'GET /api/v1/query_exemplars': read,
  'POST /api/v1/query_exemplars': read,
  'GET /api/v1/features': read,
  'GET /api/v1/status/config': readDeployment,
  'GET /api/v1/status/buildinfo': read,
  'GET /api/v1/status/flags': readDeployment,
  'GET /api/v1/status/runtimeinfo': readDeployment,
  'GET /api/v1/status/self_metrics': read,
  'GET /api/v1/status/walreplay': read,
  'GET /api/v1/status/tsdb/blocks': read,
  'PUT /api/v1/admin/config': adminDeployment,
  'POST /api/v1/admin/remotes/rewind': adminDeployment,
  'POST /api/v1/admin/tsdb/snapshot': admin,
  'GET /api/v1/admin/tsdb/snapshots/:name': admin,
  'GET /api/v1/admin/tsdb/snapshots/:name/:ulid/:file{.+}': admin,
  'GET /api/v1/admin/tsdb/blocks/:ulid/:file{.+}': admin,
  // Prometheus' own API that needs a query engine: answered, so that a Grafana pointed here learns why.
  'ALL /api/v1/query': read,
  'ALL /api/v1/query_range': read,
  'ALL /api/v1/format_query': read,
  'ALL /api/v1/parse_query': read,
  'ALL /api/v1/series': read,
  'ALL /api/v1/labels': read,
  'ALL /api/v1/label/:name/values': read,
  'ALL /api/v1/read': read,
  'ALL /api/v1/rules': read,
  'ALL /api/v1/alerts': read,
  'ALL /api/v1/alertmanagers': read,
  'ALL /api/v1/status/tsdb': read,
  'ALL /api/v1/admin/tsdb/delete_series': admin,
  'ALL /api/v1/admin/tsdb/clean_tombstones': admin,
  /** What is not here. Last: routes are tried in this order. */
  'ALL /*': { role: 'any', of: 'tenant' },
} as const satisfies Record<string, Access>;

export type Route = keyof typeof ACCESS;
export const ROUTES = Object.keys(ACCESS) as Route[];

/** `GET /metrics` as its method and its path. */
export function splitRoute(route: Route): { method: string; path: string } {
  const space = route.indexOf(' ');
  return { method: route.slice(0, space), path: route.slice(space + 1) };
}

/** Methods that some route takes at this path; empty when there is no such path. */
export function methodsAt(path: string): string[] {
  const matches = ROUTES.map(splitRoute).filter((route) => route.method !== 'ALL' && pattern(route.path).test(path));
  return [...new Set(matches.map((route) => route.method))];
}

function pattern(path: string): RegExp {
  const source = path
    .replaceAll('.', '\\.')
    .replace(/:\w+(\{[^}]*\})?/g, (_, rest?: string) => (rest ? '.+' : '[^/]+'));
  return new RegExp(`^${source}$`);
}

/** What a tenant may see of what senders were told. */
export function toldTo(tenant: string, told: ReadonlyMap<string, Told>): ReadonlyMap<string, Told> {
  const own = told.get(tenant);
  return tenant === DEFAULT_TENANT ? told : new Map(own === undefined ? [] : [[tenant, own]]);
}

/** The part of the system that a tenant may see. */
export function visibleTo(tenant: string, status: SystemStatus): SystemStatus {
  if (tenant === DEFAULT_TENANT) return status;
  return {
    ...status,
    agents: [],
    scrapePools: [],
    discoveries: [],
    ingesters: status.ingesters.filter((ingester) => ingester.tenant === tenant),
    blocks: status.blocks.filter((block) => block.tenant === tenant),
  };
}
