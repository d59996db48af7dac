/**
 * Who may do what, proven over the router itself: every route that the app has × everybody who may come. A route that the
 * table does not name cannot exist, and a refused request calls no service.
 */

import { describe, expect, it } from 'vitest';
import { ACCESS, ROUTES, splitRoute, type Route, toldTo } from '../../src/http/access.ts';
import { createApp } from '../../src/http/app.ts';
import type { AppEnv } from '../../src/http/services.ts';
import { client, fakeServices, line, SNAPSHOT, ULID } from './fake.ts';

const WHO = ['nobody', 'unknown', 'write', 'read', 'admin', 'foreign write', 'foreign read', 'foreign admin'] as const;
type Who = (typeof WHO)[number];

const tokens: string[] = [
  await line('w', 'write', 'anonymous', 'write'),
  await line('r', 'read', 'anonymous', 'read'),
  await line('a', 'admin', 'anonymous', 'admin'),
  await line('fw', 'write', 'acme', 'foreign-write'),
  await line('fr', 'read', 'acme', 'foreign-read'),
  await line('fa', 'admin', 'acme', 'foreign-admin'),
  await line('two', 'admin', 'acme,wile', 'two'),
  await line('all', 'admin', '*', 'all'),
];

/** The status for each of `WHO`, in that order; ok is anything that a handler answered. */
type Verdicts = readonly ('ok' | 401 | 403)[];
const PUBLIC: Verdicts = ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok'];
const ANY: Verdicts = [401, 401, 'ok', 'ok', 'ok', 'ok', 'ok', 'ok'];
const WRITE: Verdicts = [401, 401, 'ok', 403, 'ok', 'ok', 403, 'ok'];
const READ: Verdicts = [401, 401, 403, 'ok', 'ok', 403, 'ok', 'ok'];
const ADMIN: Verdicts = [401, 401, 403, 403, 'ok', 403, 403, 'ok'];
const READ_OWN_DEPLOYMENT: Verdicts = [401, 401, 403, 'ok', 'ok', 403, 403, 403];
const ADMIN_OWN_DEPLOYMENT: Verdicts = [401, 401, 403, 403, 'ok', 403, 403, 403];

/** Written out once more, so that a slip in the table is seen here. */
const EXPECTED: Record<Route, Verdicts> = {
  'GET /': READ,
  'GET /targets': READ_OWN_DEPLOYMENT,
  'GET /service-discovery': READ_OWN_DEPLOYMENT,
  'GET /relabel': READ_OWN_DEPLOYMENT,
  'GET /-/healthy': PUBLIC,
  'GET /-/ready': PUBLIC,
  'POST /-/reload': ADMIN_OWN_DEPLOYMENT,
  'PUT /-/reload': ADMIN_OWN_DEPLOYMENT,
  'POST /-/quit': ADMIN_OWN_DEPLOYMENT,
  'PUT /-/quit': ADMIN_OWN_DEPLOYMENT,
  'GET /metrics': READ,
  'ALL /api/v1/write': WRITE,
  'ALL /api/v1/otlp/v1/metrics': WRITE,
  'GET /api/v1/targets': READ,
  'GET /api/v1/targets/metadata': READ,
  'GET /api/v1/targets/relabel_steps': READ_OWN_DEPLOYMENT,
  'GET /api/v1/scrape_pools': READ,
  'GET /api/v1/scrape_pools/config': READ_OWN_DEPLOYMENT,
  'GET /api/v1/metadata': READ,
  'GET /api/v1/query_exemplars': READ,
  'POST /api/v1/query_exemplars': READ,
  'GET /api/v1/features': READ,
  'GET /api/v1/status/config': READ_OWN_DEPLOYMENT,
  'GET /api/v1/status/buildinfo': READ,
  'GET /api/v1/status/flags': READ_OWN_DEPLOYMENT,
  'GET /api/v1/status/runtimeinfo': READ_OWN_DEPLOYMENT,
  'GET /api/v1/status/self_metrics': READ,
  'GET /api/v1/status/walreplay': READ,
  'GET /api/v1/status/tsdb/blocks': READ,
  'PUT /api/v1/admin/config': ADMIN_OWN_DEPLOYMENT,
  'POST /api/v1/admin/remotes/rewind': ADMIN_OWN_DEPLOYMENT,
  'POST /api/v1/admin/tsdb/snapshot': ADMIN,
  'GET /api/v1/admin/tsdb/snapshots/:name': ADMIN,
  'GET /api/v1/admin/tsdb/snapshots/:name/:ulid/:file{.+}': ADMIN,
  'GET /api/v1/admin/tsdb/blocks/:ulid/:file{.+}': ADMIN,
  'ALL /api/v1/query': READ,
  'ALL /api/v1/query_range': READ,
  'ALL /api/v1/format_query': READ,
  'ALL /api/v1/parse_query': READ,
  'ALL /api/v1/series': READ,
  'ALL /api/v1/labels': READ,
  'ALL /api/v1/label/:name/values': READ,
  'ALL /api/v1/read': READ,
  'ALL /api/v1/rules': READ,
  'ALL /api/v1/alerts': READ,
  'ALL /api/v1/alertmanagers': READ,
  'ALL /api/v1/status/tsdb': READ,
  'ALL /api/v1/admin/tsdb/delete_series': ADMIN,
  'ALL /api/v1/admin/tsdb/clean_tombstones': ADMIN,
  'ALL /*': ANY,
};

/** What it answers whoever may ask: there is no process to end. */
const REFUSES_ALL: readonly string[] = ['POST /-/quit', 'PUT /-/quit'];

/** Services that a route may call; everything else of the deployment is not its business. */
const MUTATING = ['pushConfig', 'reload', 'write', 'writeOtlp', 'snapshot'];

function requestOf(route: string): { method: string; path: string } {
  const [method, path] = route.split(' ') as [string, string];
  const filled = path
    .replace(':name', path.includes('/label/') ? 'job' : SNAPSHOT)
    .replace(':ulid', ULID)
    .replace(':file{.+}', 'chunks/000001')
    .replace('/*', '/nowhere');
  return { method: method === 'ALL' ? 'POST' : method, path: filled };
}

async function ask(route: string, who: Who, env: Partial<AppEnv>) {
  const { services, calls } = fakeServices();
  const { method, path } = requestOf(route);
  const token = who === 'nobody' ? {} : { token: who.replace(' ', '-') };
  const answer = await client({ services, ...env })(method, path, token);
  return { answer, calls };
}

const registered = [...new Set(createApp().routes.map(({ method, path }) => `${method} ${path}`))];

it('registers exactly the routes of the table', () => {
  expect(registered.toSorted()).toEqual(ROUTES.toSorted());
  // One handler a route: nothing is mounted beside the guarded one.
  expect(createApp().routes).toHaveLength(ROUTES.length);
  expect(Object.keys(EXPECTED).toSorted()).toEqual(registered.toSorted());
});

describe.each(registered)('%s', (route) => {
  it.each(WHO)('for %s', async (who) => {
    const { answer, calls } = await ask(route, who, { tokens });
    const verdict = EXPECTED[route as Route][WHO.indexOf(who)]!;
    if (verdict === 'ok' && REFUSES_ALL.includes(route))
      expect(await answer.text()).toContain('Lifecycle API is not enabled');
    else if (verdict === 'ok') expect([401, 403]).not.toContain(answer.status);
    else {
      expect(answer.status).toBe(verdict);
      expect(calls).toEqual([]);
      expect(answer.headers.has('www-authenticate')).toBe(verdict === 401);
    }
    const { method } = splitRoute(route as Route);
    if (method === 'GET') expect(calls.filter((call) => MUTATING.includes(call.split(' ')[0]!))).toEqual([]);
  });

  it('is not reached for another tenant than the token allows', async () => {
    const { method, path } = requestOf(route);
    for (const header of ['X-Scope-OrgID', 'THANOS-TENANT']) {
      for (const [token, tenant] of [
        ['foreign-admin', 'wile'],
        ['foreign-admin', 'anonymous'],
        ['admin', 'acme'],
        ['two', 'coyote'],
      ] as const) {
        const { services, calls } = fakeServices();
        const answer = await client({ services, tokens })(method, path, { token, headers: { [header]: tenant } });
        if (ACCESS[route as Route].role === 'public') continue;
        expect(answer.status).toBe(403);
        expect(await answer.text()).toContain(`not for the tenant ${tenant} that ${header} names`);
        expect(calls).toEqual([]);
      }
    }
  });

  it('without any token configured answers only health', async () => {
    for (const who of ['nobody', 'unknown'] as const) {
      const { answer, calls } = await ask(route, who, { tokens: ['# none yet\n'] });
      if (ACCESS[route as Route].role === 'public') expect(answer.status).toBe(200);
      else {
        expect(answer.status).toBe(403);
        expect(await answer.text()).toContain('npx narthex token new');
        expect(calls).toEqual([]);
      }
    }
  });

  it('needs no token under npm start, but a local name', async () => {
    const open = { open: '127.0.0.1', tokens: [] };
    for (const who of ['nobody', 'unknown'] as const) {
      if (REFUSES_ALL.includes(route)) continue;
      expect([401, 403]).not.toContain((await ask(route, who, open)).answer.status);
    }
    const { services, calls } = fakeServices();
    const { method, path } = requestOf(route);
    const answer = await client({ services, ...open })(method, path, { headers: { host: 'evil.example:8787' } });
    expect(answer.status).toBe(403);
    expect(calls).toEqual([]);
  });

  it('dispatched as self may scrape and write, and nothing of the admin API', async () => {
    const { answer, calls } = await ask(route, 'nobody', { internal: true, tokens: [] });
    const admin = ACCESS[route as Route].role === 'admin';
    expect(answer.status === 403).toBe(admin);
    if (admin) expect(calls).toEqual([]);
  });
});

describe('whose data', () => {
  const as = (token: string) => {
    const { services, calls } = fakeServices();
    const ask = client({ services, tokens });
    return { calls, ask: (method: string, path: string) => ask(method, path, { token }) };
  };

  it('hands the tenant of the token to what is written and read', async () => {
    const foreign = as('foreign-admin');
    await foreign.ask('POST', '/api/v1/write');
    await foreign.ask('POST', '/api/v1/admin/tsdb/snapshot');
    await foreign.ask('GET', `/api/v1/admin/tsdb/snapshots/${SNAPSHOT}`);
    await foreign.ask('GET', `/api/v1/admin/tsdb/snapshots/${SNAPSHOT}/${ULID}/index`);
    await foreign.ask('GET', `/api/v1/admin/tsdb/blocks/${ULID}/chunks/000001`);
    expect(foreign.calls).toEqual([
      'write acme',
      'snapshot acme',
      `snapshotBlocks acme ${SNAPSHOT}`,
      `file snapshots/acme/${SNAPSHOT}/${ULID}/index`,
      `file blocks/acme/${ULID}/chunks/000001`,
    ]);
  });

  const named: [token: string, headers: Record<string, string>, tenant: string | number][] = [
    ['two', {}, 'acme'],
    ['two', { 'X-Scope-OrgID': 'wile' }, 'wile'],
    ['two', { 'THANOS-TENANT': ' wile ' }, 'wile'],
    ['two', { 'X-Scope-OrgID': '' }, 'acme'],
    ['two', { 'X-Scope-OrgID': 'wile', 'THANOS-TENANT': 'wile' }, 'wile'],
    ['two', { 'X-Scope-OrgID': 'wile', 'THANOS-TENANT': 'acme' }, 400],
    ['all', {}, 'anonymous'],
    ['all', { 'X-Scope-OrgID': 'coyote' }, 'coyote'],
    ['all', { 'X-Scope-OrgID': '*' }, 400],
    ['all', { 'X-Scope-OrgID': '..' }, 400],
    ['all', { 'X-Scope-OrgID': 'a/b' }, 400],
    ['all', { 'X-Scope-OrgID': 'acme|wile' }, 400],
    ['foreign-write', { 'X-Scope-OrgID': 'acme' }, 'acme'],
  ];
  it.each(named)('takes the token %s with the headers %j for %s', async (token, headers, tenant) => {
    const { services, calls } = fakeServices();
    const answer = await client({ services, tokens })('POST', '/api/v1/write', { token, headers });
    if (typeof tenant === 'number') {
      expect(answer.status).toBe(tenant);
      expect(calls).toEqual([]);
    } else expect(calls).toEqual([`write ${tenant}`]);
  });

  it('shows a token of all tenants the one that is named, as that tenant sees it', async () => {
    const { services } = fakeServices();
    const ask = client({ services, tokens });
    const headers = { 'X-Scope-OrgID': 'acme' };
    const metrics = await (await ask('GET', '/metrics', { token: 'all', headers })).text();
    expect(metrics).toContain('ingester/acme/0');
    expect(metrics).not.toContain('anonymous');
    expect((await ask('POST', '/-/reload', { token: 'all', headers })).status).toBe(403);
    expect((await ask('POST', '/-/reload', { token: 'all' })).status).toBe(200);
  });

  it('shows a foreign tenant its own shards and blocks, and nothing of the deployment', async () => {
    const { ask } = as('foreign-read');
    const page = await (await ask('GET', '/')).text();
    expect(page).toContain('Tenant acme');
    expect(page).not.toContain('Tenant anonymous');
    expect(page).not.toContain('own receiver');
    const metrics = await (await ask('GET', '/metrics')).text();
    expect(metrics).toContain('narthex_log_records{log="ingester/acme/0"}');
    expect(metrics).not.toContain('anonymous');
    expect(metrics).not.toContain('agent=');
    const targets = (await (await ask('GET', '/api/v1/targets')).json()) as { data: { activeTargets: unknown[] } };
    expect(targets.data.activeTargets).toEqual([]);
    const blocks = (await (await ask('GET', '/api/v1/status/tsdb/blocks')).json()) as {
      data: { blocks: { tenant: string }[] };
    };
    expect(blocks.data.blocks.map((block) => block.tenant)).toEqual(['acme']);
  });

  it('honours a known token under npm start', async () => {
    const { services, calls } = fakeServices();
    const ask = client({ services, tokens, open: '127.0.0.1' });
    await ask('POST', '/api/v1/write', { token: 'foreign-write' });
    await ask('POST', '/api/v1/write');
    expect(calls).toEqual(['write acme', 'write anonymous']);
    expect((await ask('GET', '/metrics', { token: 'foreign-write' })).status).toBe(403);
  });
});

describe('requests that a browser was made to send', () => {
  const open = { open: '127.0.0.1', tokens: [] as string[] };
  const status = async (env: Partial<AppEnv>, method: string, headers: Record<string, string>) => {
    const { services } = fakeServices();
    return (await client({ services, ...env })(method, method === 'GET' ? '/' : '/-/reload', { headers })).status;
  };

  it.each(['localhost', 'localhost:9000', '127.0.0.1:8787', '[::1]:8787', 'LOCALHOST:8787'])(
    'answers as %s',
    async (host) => {
      expect(await status(open, 'GET', { host })).toBe(200);
    },
  );
  it.each([
    'localhost.evil.example',
    'evil.example',
    '127.0.0.1.nip.io:8787',
    '0.0.0.0:8787',
    'localhost:8787@evil',
    '192.168.1.5:8787',
  ])('refuses to answer as %s', async (host) => {
    expect(await status(open, 'GET', { host })).toBe(403);
  });
  it('opens nothing on any other address', async () => {
    expect(await status({ open: '0.0.0.0' }, 'GET', {})).toBe(403);
  });
  it('refuses a foreign Origin on unsafe methods, with a token too', async () => {
    const admin = { tokens };
    const auth = { authorization: 'Bearer admin' };
    expect(await status(open, 'POST', { origin: 'http://localhost:8787' })).toBe(200);
    expect(await status(open, 'POST', { origin: 'http://localhost:9999' })).toBe(403);
    expect(await status(open, 'POST', { origin: 'https://evil.example' })).toBe(403);
    expect(await status(open, 'POST', { origin: 'null' })).toBe(403);
    expect(await status(open, 'GET', { origin: 'https://evil.example' })).toBe(200);
    expect(await status(admin, 'POST', { ...auth, origin: 'http://localhost:8787' })).toBe(200);
    expect(await status(admin, 'POST', { ...auth, origin: 'https://evil.example' })).toBe(403);
  });
});

it('takes the token as a bearer or as the password of basic auth, and asks back in kind', async () => {
  const { services } = fakeServices();
  const ask = client({ services, tokens });
  const basic = (password: string) => ({ headers: { authorization: `Basic ${btoa(`anyone:${password}`)}` } });
  expect((await ask('GET', '/', basic('read'))).status).toBe(200);
  expect((await ask('GET', '/', basic('wrong'))).headers.get('www-authenticate')).toMatch(/^Basic /);
  expect((await ask('GET', '/')).headers.get('www-authenticate')).toMatch(/^Basic /);
  expect((await ask('GET', '/', { token: 'wrong' })).headers.get('www-authenticate')).toMatch(/^Bearer /);
});

it('makes no token valid of a malformed line, and says on /-/ready that there is one', async () => {
  const { services } = fakeServices();
  const broken = [(await line('a', 'admin', 'anonymous', 'admin')).replace(' admin ', ' amdin ')];
  const ask = client({ services, tokens: broken });
  expect((await ask('GET', '/', { token: 'admin' })).status).toBe(403);
  const ready = await ask('GET', '/-/ready');
  expect(ready.status).toBe(200);
  expect(await ready.text()).toMatch(/NARTHEX_TOKENS, line 1: the roles .* ignored/);
});

it('what senders were told is shown to their tenant, and to the deployment', () => {
  const told = new Map(['acme', 'wile'].map((tenant) => [tenant, { counts: {}, refusal: null }] as const));
  expect([...toldTo('acme', told).keys()]).toEqual(['acme']);
  expect([...toldTo('other', told).keys()]).toEqual([]);
  expect([...toldTo('anonymous', told).keys()]).toEqual(['acme', 'wile']);
});
