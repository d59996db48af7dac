/** What Prometheus' API tells of targets, scrape pools, and what was said of metrics. */

import { redactScrapeConfig } from '../../config/redact.ts';
import { readBody } from '../../model/body.ts';
import { compareUtf8 } from '../../model/labels.ts';
import { visibleTo } from '../access.ts';
import { success } from '../envelope.ts';
import { exemplarsData } from '../exemplars.ts';
import { metricMetadataData, targetMetadataData } from '../metadata.ts';
import { BadData, wholeParam } from '../params.ts';
import { labelsParam, relabelStepsData } from '../relabel-steps.ts';
import { targetsData } from '../targets.ts';
import type { C, Handler } from './handler.ts';

export const targets: Handler = async (c, caller, memory) => {
  const status = visibleTo(caller.tenant, await memory.status(c.env.services));
  const { origin } = new URL(c.req.url);
  return success(targetsData(status, c.req.query('state') ?? '', c.req.query('scrapePool') ?? '', origin));
};

export const targetMetadata: Handler = async (c, caller, memory) => {
  const limit = wholeParam('limit', c.req.query('limit'));
  const status = visibleTo(caller.tenant, await memory.status(c.env.services));
  const params = { matchTarget: c.req.query('match_target') || null, metric: c.req.query('metric') || null, limit };
  const targets = status.agents.flatMap((agent) => agent.targets);
  return success(await targetMetadataData(targets, c.env.services, params));
};

export const relabelSteps: Handler = async (c) => {
  const pool = poolParam(c);
  const labels = c.req.query('labels') ?? '';
  if (labels === '') throw new BadData('no labels parameter provided');
  const parsed = labelsParam(labels);
  const rules = await c.env.services.relabelConfigs(pool);
  if (rules === null) throw noPool(pool);
  return success(relabelStepsData(rules, parsed));
};

export const scrapePools: Handler = async (c, caller, memory) => {
  const status = visibleTo(caller.tenant, await memory.status(c.env.services));
  return success({ scrapePools: status.scrapePools.map(({ job }) => job).toSorted(compareUtf8) });
};

export const scrapePoolConfig: Handler = async (c) => {
  const pool = poolParam(c);
  const { text: yaml, files = [] } = await c.env.services.config();
  const texts = [yaml, ...files.map((file) => file.text)];
  const found = texts.map((one) => redactScrapeConfig(one, pool)).find((one) => one !== null);
  if (found === undefined) throw noPool(pool);
  return success({ yaml: found });
};

export const metadata: Handler = async (c, caller) => {
  const limit = wholeParam('limit', c.req.query('limit'));
  const limitPerMetric = wholeParam('limit_per_metric', c.req.query('limit_per_metric'));
  const families = await c.env.services.metadata(caller.tenant, c.req.query('metric') || null);
  return success(metricMetadataData(families, limit, limitPerMetric));
};

const FORM_BYTES_MAX = 64 * 1024;

/** A form counts above the query of the URL, as in Prometheus. */
export const exemplars: Handler = async (c, caller) => {
  const params = new URL(c.req.url).searchParams;
  if (c.req.method === 'POST') {
    const body = await readBody(c.req.raw, FORM_BYTES_MAX);
    if (body === null) throw new BadData(`a form may have ${FORM_BYTES_MAX} bytes`);
    for (const [name, value] of new URLSearchParams(new TextDecoder().decode(body))) params.set(name, value);
  }
  return success(await exemplarsData(caller.tenant, c.env.services, params));
};

function poolParam(c: C): string {
  const pool = c.req.query('scrapePool') ?? '';
  if (pool === '') throw new BadData('no scrapePool parameter provided');
  return pool;
}

const noPool = (pool: string): BadData =>
  new BadData(`error retrieving scrape config: scrape pool ${JSON.stringify(pool)} not found`);
