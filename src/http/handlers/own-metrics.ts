/** The deployment's own metrics: as text, and as the JSON of Prometheus 3.15. */

import { RegexpError, regexpOf } from '../../relabel/regexp.ts';
import { toldTo, visibleTo } from '../access.ts';
import type { Caller } from '../auth.ts';
import { success } from '../envelope.ts';
import { type Exposition, EXPOSITION_TYPE } from '../exposition.ts';
import type { Memory } from '../memory.ts';
import { metricsOf } from '../metrics.ts';
import { BadData } from '../params.ts';
import type { C, Handler } from './handler.ts';

export const metrics: Handler = async (c, caller, memory) => {
  const body = (await ownMetrics(c, caller, memory)).toString();
  return new Response(body, { headers: { 'content-type': EXPOSITION_TYPE, 'cache-control': 'no-store' } });
};

/** `/metrics` as JSON; `metric_name_pattern` is matched against whole names. */
export const selfMetrics: Handler = async (c, caller, memory) => {
  const pattern = c.req.query('metric_name_pattern') ?? '';
  const matches = pattern === '' ? () => true : namePattern(pattern);
  return success((await ownMetrics(c, caller, memory)).toJson(matches));
};

const ownMetrics = async (c: C, caller: Caller, memory: Memory): Promise<Exposition> => {
  const { services, version } = c.env;
  const status = visibleTo(caller.tenant, await memory.status(services));
  return metricsOf(status, {
    version,
    told: toldTo(caller.tenant, services.told()),
    lastReloadOk: memory.lastReloadOk,
  });
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
