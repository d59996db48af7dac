/**
 * The Worker: the one file of `src/` that knows `durable/`. Requests go to the app, crons to their runs; the classes of the objects are exported from
 * here because the platform wants them so.
 */

import { WorkerEntrypoint } from 'cloudflare:workers';
import { type CronDoors, CRONS, rescueRun } from '../durable/crons.ts';
import { services } from '../durable/deployment.ts';
import type { Env } from '../durable/env.ts';
import { createApp } from './http/app.ts';
import { VERSION } from './version.ts';

export { Agent } from '../durable/agent.ts';
export { Catalogue } from '../durable/catalogue.ts';
export { Director } from '../durable/director.ts';
export { Ingester } from '../durable/ingester.ts';
export { Outpost } from '../durable/outpost.ts';

const app = createApp();

/** Dispatches a request; `internal` when it comes from the deployment itself and never crossed the network. */
async function dispatch(request: Request, env: Env, ctx: ExecutionContext, internal: boolean): Promise<Response> {
  const tokens = Object.entries(env)
    .filter(([name, value]) => name.startsWith('NARTHEX_TOKENS') && typeof value === 'string')
    .map(([, value]) => value as string);
  return app.fetch(
    request,
    { services: services(env, Date.now()), tokens, open: env.NARTHEX_OPEN, version: VERSION, internal },
    ctx,
  );
}

const cronDoors = (env: Env, ctx: ExecutionContext): CronDoors => ({
  self: (request) => dispatch(request, env, ctx, true),
  userAgent: `Narthex/${VERSION}`,
});

/** Starts a run for an agent whose alarm found that cron is silent. It answers at once: no object waits for a run. */
export class Rescue extends WorkerEntrypoint<Env> {
  async run(agent = 0): Promise<void> {
    this.ctx.waitUntil(rescueRun(this.env, cronDoors(this.env, this.ctx), agent));
  }
}

export default {
  fetch: (request, env, ctx) => dispatch(request, env, ctx, false),
  scheduled: async ({ cron }, env, ctx) => {
    const run = CRONS[cron];
    if (run === undefined)
      throw new Error(`no run for the cron ${JSON.stringify(cron)}: wrangler.toml and durable/crons.ts differ`);
    await run(env, cronDoors(env, ctx));
  },
} satisfies ExportedHandler<Env>;
