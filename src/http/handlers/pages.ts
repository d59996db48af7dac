/** The pages for people, and the two words for machines that ask whether all is well. */

import { compareUtf8 } from '../../model/labels.ts';
import { toldTo, visibleTo } from '../access.ts';
import { text } from '../envelope.ts';
import { renderDiscoveryPage } from '../page/discovery-page.tsx';
import { pageResponse } from '../page/page.tsx';
import { renderRelabelPage } from '../page/relabel-page.tsx';
import { selectionOf } from '../page/selection.ts';
import { pageAnswer } from '../page/shell.tsx';
import { renderTargetsPage } from '../page/targets-page.tsx';
import { parseTokens } from '../tokens.ts';
import type { C, Handler } from './handler.ts';
import { messageOf } from '../../model/error.ts';

export const healthy: Handler = () => text(200, 'Narthex is Healthy.');

export const ready: Handler = async (c) => {
  const problems = await allProblems(c);
  try {
    await c.env.services.config();
  } catch (error) {
    return text(
      503,
      ['Narthex is not Ready: its configuration cannot be read.', messageOf(error), ...problems].join('\n'),
    );
  }
  return text(200, ['Narthex is Ready.', ...problems].join('\n'));
};

export const page: Handler = async (c, caller, memory) =>
  pageResponse({
    status: visibleTo(caller.tenant, await memory.status(c.env.services)),
    tenant: caller.tenant,
    version: c.env.version,
    origin: new URL(c.req.url).origin,
    problems: await allProblems(c),
    told: toldTo(caller.tenant, c.env.services.told()),
    settings: (tenant) => c.env.services.settings(tenant),
  });

export const targetsPage: Handler = async (c, _caller, memory) => {
  const status = await memory.status(c.env.services);
  const selection = selectionOf((name) => c.req.query(name));
  return pageAnswer(renderTargetsPage({ status, selection, origin: new URL(c.req.url).origin }));
};

export const discoveryPage: Handler = async (c, _caller, memory) => {
  const status = await memory.status(c.env.services);
  return pageAnswer(
    renderDiscoveryPage(
      status,
      selectionOf((name) => c.req.query(name)),
    ),
  );
};

export const relabelPage: Handler = async (c, _caller, memory) => {
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
