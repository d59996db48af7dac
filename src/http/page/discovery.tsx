/** Service discovery: what each job's targets come from, those in trouble first. Static targets alone need no such section. */

import type { FC } from 'hono/jsx';
import { exact, prometheusDuration, redactedUrl } from '../humanise.ts';
import type { DiscoveryStatus, SystemStatus } from '../status.ts';
import { Ago, Count, ErrorText, Mark, Section } from './parts.tsx';

export const Discoveries: FC<{ status: SystemStatus }> = ({ status }) => {
  const asked = status.discoveries.filter(({ intervalMs }) => intervalMs !== null);
  if (asked.length === 0) return null;
  const targets = asked.reduce((sum, discovery) => sum + discovery.targets, 0);
  return (
    <Section
      id="discovery"
      title="Discovery"
      lead={
        <>
          {exact(targets)} targets found, <a href="/service-discovery">with their labels</a>
        </>
      }
    >
      <DiscoveryTable discoveries={asked} nowMs={status.nowMs} />
    </Section>
  );
};

/** How each discovery stands; nothing when none of them is ever asked. */
export const DiscoveryTable: FC<{ discoveries: readonly DiscoveryStatus[]; nowMs: number }> = ({
  discoveries,
  nowMs,
}) => {
  const asked = discoveries.filter(({ intervalMs }) => intervalMs !== null);
  if (asked.length === 0) return null;
  return (
    <table class="targets">
      <thead>
        <tr>
          <th>State</th>
          <th>Job</th>
          <th>Asked</th>
          <th>Refreshed</th>
          <th>Changed</th>
          <th class="right">Targets</th>
        </tr>
      </thead>
      <tbody>
        {asked
          .toSorted((a, b) => rank(a) - rank(b))
          .map((discovery) => (
            <Row discovery={discovery} nowMs={nowMs} />
          ))}
      </tbody>
    </table>
  );
};

const rank = ({ error, refreshedAtMs }: DiscoveryStatus): number =>
  error !== null ? 0 : refreshedAtMs === null ? 1 : 2;

const Row: FC<{ discovery: DiscoveryStatus; nowMs: number }> = ({ discovery, nowMs }) => {
  const { job, kind, where, error, refreshedAtMs, changedAtMs, intervalMs, targets } = discovery;
  return (
    <tr>
      <td data-label="State">
        <Mark tone={error !== null ? 'bad' : refreshedAtMs === null ? 'idle' : 'good'}>
          {error !== null ? 'failing' : refreshedAtMs === null ? 'waiting' : 'good'}
        </Mark>
      </td>
      <td data-label="Job">{job}</td>
      <td data-label="Asked" class="wide">
        <span class="instance">{kind}</span>
        <span class="quiet small">{redactedUrl(where)}</span>
        {error === null ? null : <ErrorText text={error} />}
      </td>
      <td data-label="Refreshed">
        <Ago ms={refreshedAtMs} nowMs={nowMs} otherwise="not yet" />
        <span class="quiet small below">every {prometheusDuration(intervalMs ?? 0)}</span>
      </td>
      <td data-label="Changed">
        <Ago ms={changedAtMs} nowMs={nowMs} otherwise="never" />
      </td>
      <td data-label="Targets" class="right">
        <Count n={targets} />
      </td>
    </tr>
  );
};
