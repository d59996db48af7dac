/** The agents' logs, and the remotes that read from them. */

import type { FC } from 'hono/jsx';
import { REQUEST_LIMITS } from '../../model/request.ts';
import { bytes, duration, exact, redactedUrl } from '../humanise.ts';
import type { AgentStatus, ConsumerMinute, ConsumerStatus, LogStatus, SystemStatus } from '../status.ts';
import { LOG_FULL_SHARE, logShare, plural } from './attention.ts';
import {
  Ago,
  Bar,
  Card,
  Count,
  Dropped,
  Empty,
  ErrorText,
  Fact,
  Facts,
  Hour,
  Mark,
  Section,
  Size,
  Span,
} from './parts.tsx';

export const Logs: FC<{ status: SystemStatus }> = ({ status }) => (
  <Section id="log" title="Log and remotes" lead="what was scraped, until every remote has it">
    {status.agents.length === 0 ? (
      <Empty>No agent has run yet: the first one comes with the next cron trigger, within a minute.</Empty>
    ) : (
      status.agents.map((agent) => <Agent agent={agent} status={status} />)
    )}
  </Section>
);

/** The one reason for which a scrape loses samples. */
const TOO_LARGE = 'series larger than a record';

const Agent: FC<{ agent: AgentStatus; status: SystemStatus }> = ({ agent, status }) => {
  // The others of these were scrapes that another run or agent made too: nothing is missing.
  const { [TOO_LARGE]: tooLarge = 0, ...others } = agent.scrapesRefused;
  const twice = Object.values(others).reduce((sum, n) => sum + n, 0);
  return (
    <Card>
      <h3>
        Agent {agent.name}
        <span class="aside">
          run {exact(agent.epoch)} · <Ago ms={agent.batonTakenAtMs} nowMs={status.nowMs} otherwise="not yet" />
          {agent.configVersion === status.config.version
            ? ''
            : ` · still with configuration version ${agent.configVersion}`}
        </span>
      </h3>
      <LogFill log={agent.log} />
      <Facts>
        <Fact name="Samples logged">
          <Count n={agent.log.samplesIn} />
        </Fact>
        <Fact name="Scrapes">
          <Count n={agent.scrapes} />
        </Fact>
        {twice > 0 ? (
          <Fact name="Scraped twice">
            <Count n={twice} /> <span class="quiet">at handovers</span>
          </Fact>
        ) : null}
        {tooLarge > 0 ? (
          <Fact name="Refused">
            <Dropped reasons={{ [TOO_LARGE]: tooLarge }} />
          </Fact>
        ) : null}
        <Fact name="Oldest record">
          <Ago ms={agent.log.oldestAtMs} nowMs={status.nowMs} otherwise="none" />
        </Fact>
      </Facts>
      <SetAside log={agent.log} />
      {agent.remotes.length === 0 ? (
        <Empty>
          No remote: add <code>remote_write</code> to the configuration. What is logged until then goes nowhere.
        </Empty>
      ) : (
        agent.remotes.map((remote) => <Remote remote={remote} nowMs={status.nowMs} />)
      )}
    </Card>
  );
};

export const Remote: FC<{ remote: ConsumerStatus; nowMs: number }> = ({ remote, nowMs }) => {
  const url = redactedUrl(remote.url ?? remote.name);
  const name = redactedUrl(remote.name);
  return (
    <div class="consumer">
      <h4>
        <State of={remote} /> <span class="instance">{name}</span>
        {url === name ? null : <span class="quiet small"> {url}</span>}
      </h4>
      <Facts>
        <Fact name="Sent">
          <Count n={remote.samplesSent} of="samples" />
        </Fact>
        <Fact name="Pending">
          <Count n={remote.samplesPending} of={`samples in ${plural(remote.recordsPending, 'record')}`} />
        </Fact>
        <Fact name="Lag">{remote.samplesPending === 0 ? 'none' : <Span ms={remote.lagMs} />}</Fact>
        <Fact name="Dropped">
          <Dropped reasons={remote.samplesDropped} />
        </Fact>
        {remote.samplesRetried > 0 ? (
          <Fact name="Sent again">
            <Count n={remote.samplesRetried} of="samples" />
          </Fact>
        ) : null}
        <Fact name="Bytes">
          <Size n={remote.bytesSent} />
        </Fact>
        <Fact name="Last sent">
          <Ago ms={remote.lastSentAtMs} nowMs={nowMs} />
        </Fact>
      </Facts>
      <LastHour of={remote} nowMs={nowMs} />
      <Costs of={remote} nowMs={nowMs} />
      <LastError of={remote} nowMs={nowMs} />
    </div>
  );
};

const LastHour: FC<{ of: ConsumerStatus; nowMs: number }> = ({ of, nowMs }) => {
  const recent = of.recent.filter(({ minute }) => minute > Math.floor(nowMs / 60_000) - 60);
  if (recent.length === 0) return null;
  const top = (value: (minute: ConsumerMinute) => number): number => Math.max(...recent.map(value));
  return (
    <Facts>
      <Fact name="Lag, last hour">
        <Hour
          values={recent.map(({ minute, lagMs }) => [minute, lagMs])}
          nowMs={nowMs}
          label={`Lag in the last hour: ${duration(top(({ lagMs }) => lagMs))} at most`}
        />
      </Fact>
      <Fact name="Pending, last hour">
        <Hour
          values={recent.map(({ minute, pending }) => [minute, pending])}
          nowMs={nowMs}
          label={`Pending in the last hour: ${exact(top(({ pending }) => pending))} samples at most`}
        />
      </Fact>
    </Facts>
  );
};

/** What makes sending to this remote cost more than handing on a record. */
const Costs: FC<{ of: ConsumerStatus; nowMs: number }> = ({
  of: { schema1UntilMs, samplesMax, samplesPerSendMax = REQUEST_LIMITS.samplesMax },
  nowMs,
}) => (
  <>
    {schema1UntilMs === null ? null : (
      <p class="small quiet">
        It did not understand Remote Write 2.0: records are encoded again, as 1.0, for another{' '}
        {duration(schema1UntilMs - nowMs)}.
      </p>
    )}
    {samplesMax === null ? null : (
      <p class="small quiet">
        It refused larger requests: records of more than {exact(samplesMax)} samples are split, which costs encoding
        them again.
      </p>
    )}
    {samplesPerSendMax >= REQUEST_LIMITS.samplesMax ? null : (
      <p class="small quiet">
        Its <code>max_samples_per_send</code> is {exact(samplesPerSendMax)}: records of more samples are split, which
        costs encoding them again. A record has up to {exact(REQUEST_LIMITS.samplesMax)}.
      </p>
    )}
  </>
);

const State: FC<{ of: ConsumerStatus }> = ({ of }) => {
  if (!of.healthy) return <Mark tone="bad">backing off</Mark>;
  return of.lastSentAtMs === null ? <Mark tone="idle">waiting</Mark> : <Mark tone="good">sending</Mark>;
};

/** How full a log is: bytes of the bytes that it may hold. */
export const LogFill: FC<{ log: LogStatus }> = ({ log }) => {
  const share = logShare(log.bytes, log.bytesMax);
  const full = share >= LOG_FULL_SHARE;
  return (
    <div class="meter">
      <Bar share={share} tone={full ? 'bad' : 'idle'} label={`${(share * 100).toFixed(1)} % of the log`} />
      <p class="small">
        Log: <Count n={log.records} of="records" /> {log.records === 1 ? 'record' : 'records'}, <Size n={log.bytes} />{' '}
        of {bytes(log.bytesMax)}
        {full ? (
          <strong class="bad-text"> · nearly full: at the limit the oldest records are dropped, read or not</strong>
        ) : null}
      </p>
    </div>
  );
};

/** Records that nobody could read. */
export const SetAside: FC<{ log: LogStatus }> = ({ log }) =>
  log.setAside.length === 0 ? null : (
    <div class="small">
      <strong class="bad-text">Set aside as unreadable:</strong>
      {log.setAside.slice(0, 5).map(({ seq, reason }) => (
        <ErrorText text={`record ${seq}: ${reason}`} />
      ))}
    </div>
  );

/** The last error of a consumer; a quiet one once it is healthy again. */
export const LastError: FC<{ of: ConsumerStatus; nowMs: number }> = ({ of, nowMs }) =>
  of.lastError === null ? null : (
    <p class="small">
      <span class={of.healthy ? 'quiet' : 'bad-text'}>
        Last error <Ago ms={of.lastError.atMs} nowMs={nowMs} />
        {of.healthy ? ', over since' : ''}:
      </span>{' '}
      <ErrorText text={of.lastError.message} past={of.healthy} />
    </p>
  );
