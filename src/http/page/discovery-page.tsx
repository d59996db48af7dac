/** `/service-discovery`: what was discovered for each scrape pool, and what relabelling made of it, or that it was dropped. */

import type { FC } from 'hono/jsx';
import { type Labels as LabelSet } from '../../model/labels.ts';
import { exact } from '../humanise.ts';
import type { SystemStatus } from '../status.ts';
import { keptDropped } from '../targets.ts';
import { plural } from './attention.ts';
import { DiscoveryTable } from './discovery.tsx';
import { Filter } from './filter.tsx';
import { Empty, ErrorText, Labels, Mark } from './parts.tsx';
import { byPool, hasWords, type Selection } from './selection.ts';
import { documentOf, Shell } from './shell.tsx';

const TARGETS_MAX = 500;

const STATES = [
  ['active', 'Scraped'],
  ['dropped', 'Dropped by rules'],
  ['refused', 'Not possible to scrape'],
] as const;

/** One discovered target and what became of it. */
export interface Found {
  readonly job: string;
  readonly discovered: LabelSet;
  readonly state: 'active' | 'dropped' | 'refused';
  /** Of an active one. */
  readonly labels: LabelSet;
  readonly reason: string | null;
}

/** Everything that was discovered, as far as it is shown. */
const foundIn = (status: SystemStatus): Found[] => [
  ...status.agents.flatMap((agent) =>
    agent.targets.map(({ job, discovered, labels }): Found => ({
      job,
      discovered,
      labels,
      state: 'active',
      reason: null,
    })),
  ),
  ...keptDropped(status).map(({ job, discovered, reason }): Found => ({
    job,
    discovered,
    labels: [],
    state: reason === null ? 'dropped' : 'refused',
    reason,
  })),
];

export function renderDiscoveryPage(status: SystemStatus, selection: Selection): string {
  const pools = byPool(
    status.scrapePools.map(({ job }) => job),
    foundIn(status),
  );
  const form = (
    <Filter
      action="/service-discovery"
      selection={selection}
      jobs={pools.map(([job]) => job)}
      states={STATES}
      hint="__meta_…=value, address …"
    />
  );
  return documentOf(
    <Shell path="/service-discovery" title="Discovery" linked form={form}>
      <Pools status={status} pools={pools} selection={selection} />
    </Shell>,
  );
}

interface PoolsProps {
  readonly status: SystemStatus;
  readonly pools: readonly (readonly [job: string, found: readonly Found[]])[];
  readonly selection: Selection;
}

const Pools: FC<PoolsProps> = ({ status, pools, selection }) => {
  const { scrapePool, state, search } = selection;
  const dropped = new Map<string, number>();
  for (const { job } of status.agents.flatMap((agent) => agent.droppedTargets))
    dropped.set(job, (dropped.get(job) ?? 0) + 1);
  let room = TARGETS_MAX;
  const filtered = scrapePool !== '' || state !== '' || search !== '';
  const shown = pools.flatMap(([job, own]) => {
    const wanted = own.filter(
      (found) =>
        (scrapePool === '' || job === scrapePool) &&
        (state === '' || found.state === state) &&
        hasWords(search, [found.reason ?? ''], found.discovered, found.labels),
    );
    if (filtered && wanted.length === 0) return [];
    const rows = wanted.slice(0, room);
    room -= rows.length;
    return [{ job, own, wanted: wanted.length, rows }];
  });
  if (shown.length === 0) return <Empty>{filtered ? 'Nothing is like this.' : 'There is no scrape pool yet.'}</Empty>;
  return (
    <>
      {shown.map(({ job, own, wanted, rows }) => (
        <details class="pool" id={`pool-${job}`} open>
          <summary>
            <span class="name">{job}</span>
            <span class="quiet">
              {exact(own.filter((found) => found.state === 'active').length)} scraped
              {dropped.has(job) ? `, ${exact(dropped.get(job)!)} not` : ''}
            </span>
          </summary>
          <DiscoveryTable discoveries={status.discoveries.filter((one) => one.job === job)} nowMs={status.nowMs} />
          {rows.length === 0 ? null : (
            <table class="targets found">
              <thead>
                <tr>
                  <th>Discovered labels</th>
                  <th>Target labels</th>
                </tr>
              </thead>
              <tbody>
                {rows.map((found) => (
                  <Row found={found} />
                ))}
              </tbody>
            </table>
          )}
          {wanted > rows.length ? (
            <p class="quiet more">{plural(wanted - rows.length, 'more target')}: search for less.</p>
          ) : null}
        </details>
      ))}
    </>
  );
};

const Row: FC<{ found: Found }> = ({ found }) => (
  <tr>
    <td data-label="Discovered labels">
      <Labels labels={found.discovered} />
    </td>
    <td data-label="Target labels">
      {found.state === 'active' ? (
        <Labels labels={found.labels} />
      ) : found.state === 'dropped' ? (
        <Mark tone="idle">dropped by relabel_configs</Mark>
      ) : (
        <>
          <Mark tone="warn">cannot be scraped</Mark>
          <ErrorText text={found.reason ?? ''} />
        </>
      )}
      <a class="small below" href={relabelLink(found)}>
        what each rule does
      </a>
    </td>
  </tr>
);

/** The debugger with these labels. */
const relabelLink = ({ job, discovered }: Pick<Found, 'job' | 'discovered'>): string =>
  `/relabel?${String(new URLSearchParams({ scrapePool: job, labels: linesOf(discovered) }))}`;

/** Labels as somebody types them: a line each. */
export const linesOf = (labels: LabelSet): string =>
  labels.map(({ name, value }) => `${name}=${/[\n"]|^\s|\s$/.test(value) ? JSON.stringify(value) : value}`).join('\n');
