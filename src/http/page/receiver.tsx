/** The receiver's shards: a log, its digest, and the ranges that fill until they are cut. */

import type { FC } from 'hono/jsx';
import { compareUtf8 } from '../../model/labels.ts';
import type { TenantSettings } from '../../receive/limits.ts';
import type { Told } from '../../receive/told.ts';
import { ago, clock, period, timestamp } from '../humanise.ts';
import type { IngesterStatus, RangeStatus, SystemStatus } from '../status.ts';
import { plural } from './attention.ts';
import { LastError, LogFill, Remote, SetAside } from './log.tsx';
import { Ago, Bar, Card, Count, Dropped, Empty, ErrorText, Fact, Facts, Mark, Section, Size, Span } from './parts.tsx';
import { cutAtMs, elapsed } from './ranges.ts';
import { Senders } from './senders.tsx';

interface ReceiverProps {
  readonly status: SystemStatus;
  readonly origin: string;
  readonly told: ReadonlyMap<string, Told>;
  readonly settings: (tenant: string) => TenantSettings;
}

export const Receiver: FC<ReceiverProps> = ({ status, origin, told, settings }) => (
  <Section id="receiver" title="Receiver" lead="remote write, sorted into ranges of two hours">
    {status.ingesters.length === 0 && told.size === 0 ? (
      <Empty>
        Nothing received yet. Point any Prometheus, Alloy, OpenTelemetry Collector or vmagent here:
        <code class="block">{`remote_write:\n  - url: ${origin}/api/v1/write`}</code>
      </Empty>
    ) : (
      [...new Set([...status.ingesters.map(({ tenant }) => tenant), ...told.keys()])]
        .sort(compareUtf8)
        .map((tenant) => (
          <>
            <Senders tenant={tenant} told={told.get(tenant) ?? null} settings={settings(tenant)} nowMs={status.nowMs} />
            {status.ingesters
              .filter((ingester) => ingester.tenant === tenant)
              .map((ingester) => (
                <Shard ingester={ingester} nowMs={status.nowMs} />
              ))}
          </>
        ))
    )}
  </Section>
);

const Shard: FC<{ ingester: IngesterStatus; nowMs: number }> = ({ ingester, nowMs }) => {
  const { digest } = ingester;
  return (
    <Card>
      <h3>
        Tenant {ingester.tenant}
        <span class="aside">shard {ingester.shard}</span>
      </h3>
      <LogFill log={ingester.log} />
      <Facts>
        <Fact name="Samples received">
          <Count n={ingester.log.samplesIn} />
        </Fact>
        <Fact name="To digest">
          <Count n={digest.samplesPending} of={`samples in ${plural(digest.recordsPending, 'record')}`} />
          {digest.samplesPending === 0 ? null : (
            <span class="quiet">
              {' '}
              for <Span ms={digest.lagMs} />
            </span>
          )}
        </Fact>
        <Fact name="Digested">
          <Count n={digest.samplesSent} of="samples" />
        </Fact>
        {Object.keys(digest.samplesDropped).length === 0 ? null : (
          <Fact name="Dropped">
            <Dropped reasons={digest.samplesDropped} />
          </Fact>
        )}
        <Fact name="Cut up to">
          <Watermark ms={ingester.watermarkMs} nowMs={nowMs} />
        </Fact>
        <Fact name="Repeated">
          <Count n={ingester.samplesDuplicate} of="identical samples, stored once" />
        </Fact>
        <Fact name="Conflicting">
          <Count n={ingester.samplesConflicting} of="samples with another value, the first was kept" />
        </Fact>
      </Facts>
      {ingester.conflictExample === null ? null : (
        <p class="small">
          <span class="quiet">A conflict, of which the first value was kept:</span>{' '}
          <ErrorText text={ingester.conflictExample} past />
        </p>
      )}
      <LastError of={digest} nowMs={nowMs} />
      <SetAside log={ingester.log} />
      {ingester.relays.map((relay) => (
        <Remote remote={relay} nowMs={nowMs} />
      ))}
      {ingester.ranges.length === 0 ? (
        <Empty>No range holds samples: what is in the log appears here with the next digest.</Empty>
      ) : (
        [...ingester.ranges].sort((a, b) => b.startMs - a.startMs).map((range) => <Range range={range} nowMs={nowMs} />)
      )}
    </Card>
  );
};

/** 0 until the first cut. */
const Watermark: FC<{ ms: number; nowMs: number }> = ({ ms, nowMs }) =>
  ms <= 0 ? <span class="quiet">nothing yet</span> : <Ago ms={ms} nowMs={nowMs} />;

const Range: FC<{ range: RangeStatus; nowMs: number }> = ({ range, nowMs }) => {
  const share = elapsed(range, nowMs);
  const cutMs = cutAtMs(range);
  const filling = share < 1;
  return (
    <div class="consumer range">
      <h4>
        <Mark tone={filling ? 'good' : 'idle'}>{range.late ? 'late' : filling ? 'filling' : 'ended'}</Mark>{' '}
        <time
          class="num"
          datetime={timestamp(range.startMs)}
          title={`${timestamp(range.startMs)} until ${timestamp(range.endMs)}`}
        >
          {period(range.startMs, range.endMs, nowMs)} UTC
        </time>
        <span class="aside">
          <Count n={range.samples} /> {range.samples === 1 ? 'sample' : 'samples'} · <Size n={range.bytes} /> in{' '}
          {plural(range.segments, 'segment')}
        </span>
      </h4>
      <Bar
        share={share}
        tone={filling ? 'good' : 'idle'}
        label={`${Math.floor(share * 100)} % of its two hours have passed`}
      />
      <p class="small quiet">{fate(range, cutMs, nowMs)}</p>
    </div>
  );
};

function fate(range: RangeStatus, cutMs: number, nowMs: number): string {
  if (range.late) return 'Came after its range was cut: becomes a late block with the next hourly cut.';
  if (nowMs >= cutMs) return 'Becomes a block with the next hourly cut.';
  return `Becomes a block with the first hourly cut after ${clock(cutMs)} UTC, ${ago(cutMs, nowMs)}.`;
}
