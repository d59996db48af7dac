/** `/targets`: every scrape pool with its targets, as in Prometheus' own page of this name. */

import type { FC } from 'hono/jsx';
import { exact, prometheusDuration, redactedUrl } from '../humanise.ts';
import type { SystemStatus, TargetStatus } from '../status.ts';
import { globalUrl } from '../targets.ts';
import { plural } from './attention.ts';
import { Filter } from './filter.tsx';
import { Ago, Bar, Count, Empty, ErrorText, Labels, Mark, Span, type Tone } from './parts.tsx';
import { byPool, hasWords, type Selection } from './selection.ts';
import { documentOf, Shell } from './shell.tsx';

/** More than this nobody reads, and an answer should not be made of it. */
const TARGETS_MAX = 1000;

const TONE: Record<TargetStatus['health'], Tone> = { down: 'bad', unknown: 'idle', up: 'good' };
const ORDER: readonly TargetStatus['health'][] = ['down', 'unknown', 'up'];
const STATES = [
  ['up', 'Up'],
  ['down', 'Down'],
  ['unknown', 'Waiting'],
] as const;

export interface TargetsPageProps {
  readonly status: SystemStatus;
  readonly selection: Selection;
  readonly origin: string;
}

export function renderTargetsPage({ status, selection, origin }: TargetsPageProps): string {
  const all = status.agents.flatMap((agent) => agent.targets);
  const jobs = byPool(
    status.scrapePools.map(({ job }) => job),
    all,
  );
  const form = (
    <Filter
      action="/targets"
      selection={selection}
      jobs={jobs.map(([job]) => job)}
      states={STATES}
      hint="instance, label=value, error …"
    />
  );
  return documentOf(
    <Shell path="/targets" title="Targets" linked form={form}>
      <Pools status={status} pools={jobs} selection={selection} origin={origin} />
    </Shell>,
  );
}

const isWanted = (target: TargetStatus, { scrapePool, state, search }: Selection): boolean =>
  (scrapePool === '' || target.job === scrapePool) &&
  (state === '' || target.health === state) &&
  hasWords(search, [target.url, target.lastError ?? ''], target.labels);

interface PoolsProps extends TargetsPageProps {
  readonly pools: readonly (readonly [job: string, targets: readonly TargetStatus[]])[];
}

const Pools: FC<PoolsProps> = ({ status, pools, selection, origin }) => {
  const targets = pools.flatMap(([, own]) => own);
  if (pools.length === 0) {
    return (
      <Empty>
        Nothing to scrape yet. Write <code>scrape_configs</code> into a <code>prometheus.yml</code> and push it with{' '}
        <code>npx narthex config push prometheus.yml</code>; the next run takes it up within a minute.
      </Empty>
    );
  }
  const filtered = selection.scrapePool !== '' || selection.state !== '' || selection.search !== '';
  let room = TARGETS_MAX;
  const shown = pools.flatMap(([job, own]) => {
    const wanted = own.filter((target) => isWanted(target, selection));
    if (filtered && wanted.length === 0) return [];
    const rows = wanted
      .toSorted((a, b) => ORDER.indexOf(a.health) - ORDER.indexOf(b.health) || (a.url < b.url ? -1 : 1))
      .slice(0, room);
    room -= rows.length;
    return [{ job, own, wanted, rows }];
  });
  const count = shown.reduce((sum, { wanted }) => sum + wanted.length, 0);
  const up = targets.filter(({ health }) => health === 'up').length;
  const down = targets.filter(({ health }) => health === 'down').length;
  return (
    <>
      <p class="tally">
        <Mark tone="good">{exact(up)} up</Mark> <Mark tone={down > 0 ? 'bad' : 'idle'}>{exact(down)} down</Mark>{' '}
        <Mark tone="idle">{exact(targets.length - up - down)} waiting</Mark>
        {filtered ? <span class="quiet"> · {plural(count, 'target')} shown</span> : null}
      </p>
      {shown.length === 0 ? <Empty>No target is like this.</Empty> : null}
      {shown.map(({ job, own, wanted, rows }) => (
        <Pool job={job} own={own} wanted={wanted.length} rows={rows} nowMs={status.nowMs} origin={origin} />
      ))}
    </>
  );
};

interface PoolProps {
  readonly job: string;
  readonly own: readonly TargetStatus[];
  readonly wanted: number;
  readonly rows: readonly TargetStatus[];
  readonly nowMs: number;
  readonly origin: string;
}

const Pool: FC<PoolProps> = ({ job, own, wanted, rows, nowMs, origin }) => {
  const up = own.filter(({ health }) => health === 'up').length;
  const down = own.some(({ health }) => health === 'down');
  const tone: Tone =
    own.length === 0 ? 'idle' : down ? (up === 0 ? 'bad' : 'warn') : up === own.length ? 'good' : 'idle';
  return (
    <details class="pool" id={`pool-${job}`} open>
      <summary>
        <span class="name">{job}</span>
        <Mark tone={tone}>{own.length === 0 ? 'no targets' : `${exact(up)} of ${exact(own.length)} up`}</Mark>
        {own.length === 0 ? null : (
          <Bar share={up / own.length} tone="good" split={down} label={`${exact(up)} of ${exact(own.length)} up`} />
        )}
      </summary>
      {rows.length === 0 ? null : (
        <table class="targets endpoints">
          <thead>
            <tr>
              <th>State</th>
              <th>Endpoint</th>
              <th>Last scrape</th>
              <th class="right">Took</th>
              <th class="right">Samples</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((target) => (
              <Row target={target} nowMs={nowMs} origin={origin} />
            ))}
          </tbody>
        </table>
      )}
      {wanted > rows.length ? (
        <p class="quiet more">
          {plural(wanted - rows.length, 'more target')}: search for less, or ask <code>/api/v1/targets</code>.
        </p>
      ) : null}
    </details>
  );
};

const Row: FC<{ target: TargetStatus; nowMs: number; origin: string }> = ({ target, nowMs, origin }) => {
  const url = redactedUrl(globalUrl(target.url, origin));
  return (
    <tr>
      <td data-label="State">
        <Mark tone={TONE[target.health]}>{target.health === 'unknown' ? 'waiting' : target.health}</Mark>
      </td>
      <td data-label="Endpoint" class="wide">
        <a class="endpoint" href={url} rel="noreferrer">
          {redactedUrl(target.url)}
        </a>
        <Labels labels={target.labels.filter(({ name, value }) => name !== 'job' || value !== target.job)} />
        {target.lastError === null ? null : <ErrorText text={target.lastError} />}
      </td>
      <td data-label="Last scrape">
        <Ago ms={target.lastScrapeMs} nowMs={nowMs} otherwise="not yet" />
        <span class="quiet small below">
          every {prometheusDuration(target.intervalMs)}, at most {prometheusDuration(target.timeoutMs)}
        </span>
      </td>
      <td data-label="Took" class="right">
        {target.lastDurationMs === null ? '–' : <Span ms={target.lastDurationMs} />}
      </td>
      <td data-label="Samples" class="right">
        {target.lastSamples === null ? '–' : <Count n={target.lastSamples} />}
      </td>
    </tr>
  );
};
