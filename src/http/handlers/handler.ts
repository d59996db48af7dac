/** What a handler is, and what several of them answer alike. A handler uses the caller only to know whose data it is. */

import type { Context } from 'hono';
import type { Caller } from '../auth.ts';
import { failure } from '../envelope.ts';
import { timestamp } from '../humanise.ts';
import type { Memory } from '../memory.ts';
import type { AppEnv, Services } from '../services.ts';

export type C = Context<{ Bindings: AppEnv }>;

export type Handler = (c: C, caller: Caller, memory: Memory) => Response | Promise<Response>;

export const notFound = (c: C, error: string): Response => failure(c.req.path, 404, 'not_found', error);

export function versionData(version: Awaited<ReturnType<Services['config']>>['version']): object {
  return {
    version: version.version,
    source: version.source,
    pushedAt: version.pushedAtMs === null ? null : timestamp(version.pushedAtMs),
  };
}
