/**
 * The HTTP side: every route of the access table, guarded by its entry, and nothing else. Not the handlers, and not the
 * decision who may call them. The one invariant: no handler runs before `authorize` has said who calls.
 */

import { Hono } from 'hono';
import { ACCESS, ROUTES, splitRoute } from './access.ts';
import { authorize } from './auth.ts';
import { failure } from './envelope.ts';
import { BadData } from './params.ts';
import { HANDLERS } from './handlers.ts';
import { Memory } from './memory.ts';
import type { AppEnv } from './services.ts';
import { messageOf } from '../model/error.ts';

/** One app an isolate; `app.fetch(request, env, ctx)` a request. */
export function createApp(): Hono<{ Bindings: AppEnv }> {
  const app = new Hono<{ Bindings: AppEnv }>();
  const memory = new Memory();
  for (const route of ROUTES) {
    const { method, path } = splitRoute(route);
    app.on(method, path, async (c) => {
      const caller = await authorize(c.req.raw, c.env, ACCESS[route]);
      return caller instanceof Response ? caller : HANDLERS[route](c, caller, memory);
    });
  }
  app.onError((error, c) =>
    error instanceof BadData
      ? failure(c.req.path, 400, 'bad_data', error.message)
      : failure(c.req.path, 500, 'internal', messageOf(error)),
  );
  return app;
}
