/** Targets, those in trouble first. */

import type { FC } from 'hono/jsx';
import { labelValue } from '../../model/labels.ts';
import { exact, prometheusDuration, redactedUrl } from '../humanise.ts';
import type { DroppedTargetStatus, SystemStatus, TargetStatus } from '../status.ts';
import { plural } from './attention.ts';
import { Ago, Count, Empty, ErrorText, Mark, Section, Span, type Tone } from './parts.tsx';

/** More rows than this nobody reads; the API has them all. */
const ROWS_MAX = 200;
const REFUSED_MAX = 20;

const TONE: Record<TargetStatus['health'], Tone> = { down: 'bad', unknown: 'idle', up: 'good' };
const ORDER: readonly TargetStatus['health'][] = ['down', 'unknown', 'up'];

export const Targets: FC<{ status: SystemStatus }> = ({ status }) => {
  const targets = status.agents
    .flatMap((agent) => agent.targets)
    .sort(
      (a, b) => ORDER.indexOf(a.health) - ORDER.indexOf(b.health) || compare(a.job, b.job) || compare(a.url, b.url),
    );
  const dropped = status.agents.flatMap((agent) => agent.droppedTargets);
  const up = targets.filter((target) => target.health === 'up').length;
  if (targets.length === 0) {
    return (
      <Section id="targets" title="Targets">
        <Empty>
          Nothing to scrape yet. Write <code>scrape_configs</code> into a <code>prometheus.yml</code> and push it with{' '}
          <code>npx narthex config push prometheus.yml</code>; the next run takes it up within a minute.
        </Empty>
        <Dropped dropped={dropped} />
      </Section>
    );
  }
  return (
    <Section
      id="targets"
      title="Targets"
      lead={
        <>
          {exact(up)} of {exact(targets.length)} up, <a href="/targets">by scrape pool</a>
        </>
      }
    >
      <table class="targets">
        <thead>
          <tr>
            <th>State</th>
            <th>Job</th>
            <th>Target</th>
            <th>Last scrape</th>
            <th class="right">Took</th>
            <th class="right">Samples</th>
          </tr>
        </thead>
        <tbody>
          {targets.slice(0, ROWS_MAX).map((target) => (
            <Row target={target} nowMs={status.nowMs} />
          ))}
        </tbody>
      </table>
      {targets.length > ROWS_MAX ? (
        <p class="quiet">
          {plural(targets.length - ROWS_MAX, 'more target')} in <a href="/targets">all scrape pools</a>.
        </p>
      ) : null}
      <Dropped dropped={dropped} />
    </Section>
  );
};

/** What is not scraped: one line for the rules that dropped targets, one for each target that cannot be scraped. */
const Dropped: FC<{ dropped: readonly DroppedTargetStatus[] }> = ({ dropped }) => {
  const refused = dropped.filter(({ reason }) => reason !== null);
  const byRules = dropped.length - refused.length;
  return (
    <>
      {refused.slice(0, REFUSED_MAX).map(({ job, discovered, reason }) => (
        <p class="quiet">
          Not scraped: {labelValue(discovered, '__address__')} of {job}: {reason}
        </p>
      ))}
      {byRules > 0 ? (
        <p class="quiet">
          {plural(byRules, 'target')} dropped by <code>relabel_configs</code>: see{' '}
          <a href="/service-discovery?state=dropped">which</a>.
        </p>
      ) : null}
    </>
  );
};

const Row: FC<{ target: TargetStatus; nowMs: number }> = ({ target, nowMs }) => {
  const more = target.labels.filter(({ name }) => name !== 'job' && name !== 'instance');
  return (
    <tr>
      <td data-label="State">
        <Mark tone={TONE[target.health]}>{target.health === 'unknown' ? 'waiting' : target.health}</Mark>
      </td>
      <td data-label="Job">{target.job}</td>
      <td data-label="Target" class="wide">
        <span class="instance">{labelValue(target.labels, 'instance')}</span>
        <span class="quiet small">{redactedUrl(target.url)}</span>
        {more.length === 0 ? null : (
          <span class="small">
            {more.map(({ name, value }) => (
              <span class="label">
                {name}=<wbr />
                {JSON.stringify(value)}
              </span>
            ))}
          </span>
        )}
        {target.lastError === null ? null : <ErrorText text={target.lastError} />}
      </td>
      <td data-label="Last scrape">
        <Ago ms={target.lastScrapeMs} nowMs={nowMs} otherwise="within a minute" />
        <span class="quiet small below">every {prometheusDuration(target.intervalMs)}</span>
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

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
