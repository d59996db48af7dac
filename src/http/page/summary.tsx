/** The whole way of the samples in five numbers. */

import type { Child, FC } from 'hono/jsx';
import { count, duration, exact } from '../humanise.ts';
import type { SystemStatus } from '../status.ts';
import { plural } from './attention.ts';

export const Summary: FC<{ status: SystemStatus; deployment: boolean }> = ({ status, deployment }) => {
  const targets = status.agents.flatMap((agent) => agent.targets);
  const remotes = status.agents.flatMap((agent) => agent.remotes);
  const ranges = status.ingesters.flatMap((ingester) => ingester.ranges);
  const up = targets.filter((target) => target.health === 'up').length;
  const logged = sum(status.agents, (agent) => agent.log.samplesIn);
  const sent = sum(remotes, (remote) => remote.samplesSent);
  const pending = sum(remotes, (remote) => remote.samplesPending);
  const lagMs = Math.max(0, ...remotes.map((remote) => remote.lagMs));
  const received = sum(status.ingesters, (ingester) => ingester.log.samplesIn);
  const waiting = sum(ranges, (range) => range.samples);
  const inBlocks = sum(status.blocks, (block) => block.samples);
  return (
    <ol class="flow">
      {deployment ? (
        <>
          <Step
            to="targets"
            name="Targets up"
            exactly={`${up} of ${targets.length}`}
            value={`${exact(up)} / ${exact(targets.length)}`}
          >
            {`${plural(
              sum(status.agents, (agent) => agent.scrapes),
              'scrape',
            )}`}
          </Step>
          <Step to="log" name="Samples logged" exactly={exact(logged)} value={count(logged)}>
            {plural(
              sum(status.agents, (agent) => agent.log.records),
              'record',
            )}{' '}
            in the log
          </Step>
          <Step to="log" name="Forwarded" exactly={exact(sent)} value={count(sent)}>
            {pending === 0 ? 'nothing waits' : `${count(pending)} wait, ${duration(lagMs)} behind`}
          </Step>
        </>
      ) : null}
      <Step to="receiver" name="Received" exactly={exact(received)} value={count(received)}>
        {count(waiting)} in {plural(ranges.length, 'open range')}
      </Step>
      <Step to="blocks" name="In blocks" exactly={exact(inBlocks)} value={count(inBlocks)}>
        {status.blocks.length === 0 ? 'none cut yet' : plural(status.blocks.length, 'block')}
      </Step>
    </ol>
  );
};

const Step: FC<{ to: string; name: string; value: string; exactly: string; children?: Child }> = (props) => (
  <li>
    <a href={`#${props.to}`} title={props.exactly}>
      <span class="name">{props.name}</span>
      <span class="value">{props.value}</span>
      <span class="more">{props.children}</span>
    </a>
  </li>
);

const sum = <T,>(items: readonly T[], value: (item: T) => number): number =>
  items.reduce((total, item) => total + value(item), 0);
