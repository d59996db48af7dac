/** Blocks in the bucket, the newest first. */

import type { FC } from 'hono/jsx';
import { ago, bytes, clock, period, timestamp } from '../humanise.ts';
import type { BlockStatus, SystemStatus } from '../status.ts';
import { plural } from './attention.ts';
import { Ago, Count, Empty, Mark, Section, Size } from './parts.tsx';
import { cutAtMs } from './ranges.ts';

const ROWS_MAX = 48;

export const Blocks: FC<{ status: SystemStatus }> = ({ status }) => {
  const blocks = [...status.blocks].sort((a, b) => b.minTime - a.minTime || b.createdAtMs - a.createdAtMs);
  if (blocks.length === 0) {
    return (
      <Section id="blocks" title="Blocks">
        <Empty>
          {firstCut(status)} Until then, <code>npx narthex blocks pull DIR --snapshot</code> makes blocks of all that
          was accepted so far.
        </Empty>
      </Section>
    );
  }
  const tenants = new Set(blocks.map((block) => block.tenant)).size > 1;
  const size = blocks.reduce((sum, block) => sum + block.bytes, 0);
  return (
    <Section id="blocks" title="Blocks" lead={`${plural(blocks.length, 'block')}, ${bytes(size)} in the bucket`}>
      <table>
        <thead>
          <tr>
            <th>Range, UTC</th>
            <th>Block</th>
            {tenants ? <th>Tenant</th> : null}
            <th class="right">Samples</th>
            <th class="right">Series</th>
            <th class="right">Size</th>
            <th>Cut</th>
          </tr>
        </thead>
        <tbody>
          {blocks.slice(0, ROWS_MAX).map((block) => (
            <Row block={block} nowMs={status.nowMs} tenants={tenants} />
          ))}
        </tbody>
      </table>
      {blocks.length > ROWS_MAX ? (
        <p class="quiet">
          {plural(blocks.length - ROWS_MAX, 'older block')} in{' '}
          <a href="/api/v1/status/tsdb/blocks">/api/v1/status/tsdb/blocks</a>.
        </p>
      ) : null}
    </Section>
  );
};

const Row: FC<{ block: BlockStatus; nowMs: number; tenants: boolean }> = ({ block, nowMs, tenants }) => (
  <tr>
    <td data-label="Range, UTC">
      <span class="num" title={`${timestamp(block.minTime)} until ${timestamp(block.maxTime)}`}>
        {period(block.minTime, block.maxTime, nowMs)}
      </span>
      {block.late ? (
        <>
          {' '}
          <Mark tone="warn">late</Mark>
        </>
      ) : null}
    </td>
    <td data-label="Block">
      <code>{block.ulid}</code>
    </td>
    {tenants ? <td data-label="Tenant">{block.tenant}</td> : null}
    <td data-label="Samples" class="right">
      <Count n={block.samples} />
    </td>
    <td data-label="Series" class="right">
      <Count n={block.series} />
    </td>
    <td data-label="Size" class="right">
      <Size n={block.bytes} />
    </td>
    <td data-label="Cut">
      <Ago ms={block.createdAtMs} nowMs={nowMs} />
    </td>
  </tr>
);

/** When the first block is to be expected. */
function firstCut(status: SystemStatus): string {
  const ranges = status.ingesters.flatMap((ingester) => ingester.ranges);
  if (ranges.length === 0) {
    return 'No block yet. Samples gather in ranges of two hours, and the first block is cut 30 minutes after its range has ended.';
  }
  const cutMs = Math.min(...ranges.map(cutAtMs));
  if (cutMs <= status.nowMs) return 'No block yet. The first is cut in the next hourly run.';
  return `No block yet. The first is cut in the first hourly run after ${clock(cutMs)} UTC, ${ago(cutMs, status.nowMs)}: 30 minutes after its range has ended.`;
}
