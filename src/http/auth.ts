/**
 * Decides about a request before anything else happens: who asks, for which tenant, and whether the route is theirs. Not rate
 * limiting. The one invariant: a refused request calls no service, so it costs no object call and no row.
 */

import { DEFAULT_TENANT, isTenant } from '../model/tenant.ts';
import type { Access } from './access.ts';
import { failure } from './envelope.ts';
import type { AppEnv } from './services.ts';
import { ALL_TENANTS, findToken, parseTokens, sentToken, type Role, type Token } from './tokens.ts';

export interface Caller {
  readonly name: string;
  /** The one that this request is about. */
  readonly tenant: string;
  readonly roles: readonly Role[];
}

/** Who asks, before it is known for which of their tenants. */
type Identity = Omit<Token, 'digest'>;

/** How Mimir, Loki and Cortex name the tenant, and how Thanos' receiver does. */
const TENANT_HEADERS = ['X-Scope-OrgID', 'THANOS-TENANT'] as const;

const NOBODY: Caller = { name: 'nobody', tenant: DEFAULT_TENANT, roles: [] };
/** Whoever reaches 127.0.0.1 under `npm start`. */
const LOCAL: Identity = { name: 'local', tenants: [ALL_TENANTS], roles: ['admin'] };
/** `self` scrapes and remote-writes; it has no business with the admin API, whatever a URL in the configuration says. */
const SELF: Identity = { name: 'self', tenants: [DEFAULT_TENANT], roles: ['read', 'write'] };

const SAFE_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];
const HOW_TO_MAKE_ONE =
  'run `npx narthex token new --role admin` and store the line that it prints with `npx wrangler secret put NARTHEX_TOKENS`';

type Env = Pick<AppEnv, 'tokens' | 'open' | 'internal'>;

/** `npm start` on the loopback address; any other value of `open` opens nothing. */
export const isOpen = (env: Pick<AppEnv, 'open'>): boolean => env.open === '127.0.0.1';

/** The caller who may have this route, or the answer that refuses it: 401, or 403 with what is missing. */
export async function authorize(request: Request, env: Env, access: Access): Promise<Caller | Response> {
  const path = new URL(request.url).pathname;
  if (env.internal !== true) {
    const forged = forgery(request, env);
    if (forged !== null) return failure(path, 403, 'forbidden', forged);
  }
  if (access.role === 'public') return NOBODY;
  const identity = env.internal === true ? SELF : await identify(request, env, path);
  if (identity instanceof Response) return identity;
  const tenant = tenantOf(request.headers, identity);
  if (typeof tenant !== 'string') return failure(path, tenant.status, tenant.kind, tenant.message);
  const caller: Caller = { name: identity.name, tenant, roles: identity.roles };
  if (access.role !== 'any' && !caller.roles.includes(access.role) && !caller.roles.includes('admin')) {
    const message = `this needs the role ${access.role}; the token of ${caller.name} has ${caller.roles.join(', ')}`;
    return failure(path, 403, 'forbidden', message);
  }
  if (access.of === 'deployment' && caller.tenant !== DEFAULT_TENANT) {
    const message = `this belongs to the deployment, so it is asked for as the tenant ${DEFAULT_TENANT}; ${caller.name} asks as ${caller.tenant}`;
    return failure(path, 403, 'forbidden', message);
  }
  return caller;
}

/** The tenant that the request is about: the one that a header names, if the token may; else the token's first. */
function tenantOf(
  headers: Headers,
  { name, tenants }: Identity,
): string | { status: 400 | 403; kind: 'bad_data' | 'forbidden'; message: string } {
  const named = TENANT_HEADERS.flatMap((header) => {
    const value = headers.get(header)?.trim() ?? '';
    return value === '' ? [] : [{ header, value }];
  });
  const [first] = named;
  if (first === undefined) return tenants[0] === ALL_TENANTS ? DEFAULT_TENANT : tenants[0]!;
  const other = named.find(({ value }) => value !== first.value);
  if (other !== undefined) {
    const message = `${first.header} and ${other.header} name different tenants; send one of the two`;
    return { status: 400, kind: 'bad_data', message };
  }
  if (!isTenant(first.value)) {
    const message = `${first.header} is not the name of one tenant: letters, digits and !._*'()-, 150 at most`;
    return { status: 400, kind: 'bad_data', message };
  }
  if (tenants.includes(first.value) || tenants.includes(ALL_TENANTS)) return first.value;
  const message = `the token of ${name} is for ${tenants.join(', ')}, not for the tenant ${first.value} that ${first.header} names; add it to the token's line in NARTHEX_TOKENS`;
  return { status: 403, kind: 'forbidden', message };
}

/** Why a request looks as if another site had a browser send it, or null. */
function forgery(request: Request, env: Env): string | null {
  const host = (request.headers.get('host') ?? new URL(request.url).host).toLowerCase();
  // A name that somebody else makes resolve to 127.0.0.1 would otherwise open it to their pages (DNS rebinding).
  if (isOpen(env) && !/^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(host)) {
    return 'without tokens this answers only as localhost, 127.0.0.1 or [::1]';
  }
  const origin = request.headers.get('origin');
  if (origin === null || SAFE_METHODS.includes(request.method)) return null;
  return URL.parse(origin)?.host === host ? null : `a ${request.method} from the pages of another site is refused`;
}

/** Whose token was sent; the local user when none is known and none is needed. */
async function identify(request: Request, env: Env, path: string): Promise<Identity | Response> {
  const { tokens } = parseTokens(env.tokens);
  const sent = sentToken(request.headers.get('authorization'));
  const found = sent === null ? null : await findToken(tokens, sent.token);
  if (found !== null) return found;
  if (isOpen(env)) return LOCAL;
  if (tokens.length === 0) {
    return failure(
      path,
      403,
      'forbidden',
      `no valid token is configured, so only /-/healthy and /-/ready answer: ${HOW_TO_MAKE_ONE}`,
    );
  }
  const message =
    sent === null
      ? 'a token is needed: send it as `Authorization: Bearer <token>`, or as the password of basic auth'
      : 'the token is not known here';
  // One challenge, of the kind that the client speaks: browsers read only the first of two in one header.
  const challenge = sent?.scheme === 'bearer' ? 'Bearer realm="narthex"' : 'Basic realm="narthex", charset="UTF-8"';
  return failure(path, 401, 'unauthorized', message, { 'www-authenticate': challenge });
}
