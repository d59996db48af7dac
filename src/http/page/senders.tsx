/** What a tenant's senders are told, and the limits that they are held to. */

import type { FC } from 'hono/jsx';
import { bytes, exact, prometheusDuration } from '../humanise.ts';
import { DEFAULT_RECEIVE_LIMITS, DEFAULT_SHARD_LIMITS, type TenantSettings } from '../../receive/limits.ts';
import type { Told } from '../../receive/told.ts';
import { Ago, Card, Count, Dropped, ErrorText, Fact, Facts } from './parts.tsx';

export interface SendersProps {
  readonly tenant: string;
  /** Null when this isolate has seen none. */
  readonly told: Told | null;
  readonly settings: TenantSettings;
  readonly nowMs: number;
}

export const Senders: FC<SendersProps> = ({ tenant, told, settings, nowMs }) => {
  const counts = told?.counts ?? {};
  const limits = ownLimits(settings);
  return (
    <Card>
      <h3>
        Tenant {tenant}
        <span class="aside">what its senders were told, by the instance that answers here</span>
      </h3>
      <Facts>
        {[...of(counts, 'requests'), ...of(counts, 'otlp_requests')].map(([code, n, event]) => (
          <Fact name={`${event === 'requests' ? 'Requests' : 'OTLP requests'} ${code}`}>
            <Count n={n} />
          </Fact>
        ))}
        <Fact name="Refused samples">
          <Dropped reasons={Object.fromEntries(of(counts, 'refused_samples').map(([reason, n]) => [reason, n]))} />
        </Fact>
      </Facts>
      {told === null || told.refusal === null ? null : (
        <p class="small">
          <span class="quiet">
            The last answer that was not all well, {told.refusal.status}, <Ago ms={told.refusal.atMs} nowMs={nowMs} />:
          </span>{' '}
          <ErrorText text={told.refusal.message} past />
        </p>
      )}
      <p class="small quiet">
        {limits.length === 0
          ? 'Limits: the defaults.'
          : `Limits: ${limits.map(([name, value]) => `${name} ${value}`).join(', ')}; else the defaults.`}
      </p>
    </Card>
  );
};

/** Events of a kind, by what they say further. */
function of(counts: Readonly<Record<string, number>>, event: string): [detail: string, n: number, event: string][] {
  return Object.entries(counts)
    .filter(([key]) => key.startsWith(`${event}:`))
    .map(([key, n]): [string, number, string] => [key.slice(event.length + 1), n, event])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The settings that are other than the defaults, in the words of NARTHEX_LIMITS. */
function ownLimits({ receive, shard, shards, ha, relay }: TenantSettings): [name: string, value: string][] {
  const [r, s] = [DEFAULT_RECEIVE_LIMITS, DEFAULT_SHARD_LIMITS];
  const all: [name: string, value: string, isOwn: boolean][] = [
    ['body_size_limit', bytes(receive.bodyBytesMax), receive.bodyBytesMax !== r.bodyBytesMax],
    ['uncompressed_size_limit', bytes(receive.messageBytesMax), receive.messageBytesMax !== r.messageBytesMax],
    ['sample_limit', exact(receive.samplesMax), receive.samplesMax !== r.samplesMax],
    ['label_limit', exact(receive.labelsMax), receive.labelsMax !== r.labelsMax],
    ['label_name_length_limit', exact(receive.nameBytesMax), receive.nameBytesMax !== r.nameBytesMax],
    ['label_value_length_limit', exact(receive.valueBytesMax), receive.valueBytesMax !== r.valueBytesMax],
    ['future_limit', prometheusDuration(receive.futureMs), receive.futureMs !== r.futureMs],
    ['past_limit', prometheusDuration(receive.pastMs), receive.pastMs !== r.pastMs],
    ['samples_per_second', exact(shard.samplesPerS ?? 0), shard.samplesPerS !== s.samplesPerS],
    ['samples_burst', exact(shard.samplesBurst), shard.samplesPerS !== s.samplesPerS],
    ['series_limit', exact(shard.seriesMax ?? 0), shard.seriesMax !== s.seriesMax],
    ['pending_size_limit', bytes(shard.pendingBytesMax), shard.pendingBytesMax !== s.pendingBytesMax],
    ['shards', exact(shards), shards !== 1],
    ['ha', 'true', ha],
    ['relay', relay.join(' and '), relay.length > 0],
  ];
  return all.flatMap(([name, value, isOwn]): [string, string][] => (isOwn ? [[name, value]] : []));
}
