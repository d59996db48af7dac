/** The blocks of a deployment, as a table. */

import type { BlockStatus } from '../http/status.ts';
import type { Api } from './api.ts';
import { formatBytes, formatCount, formatTable, formatTime } from './text.ts';

/** `blocks ls`. */
export async function blocksLs(api: Api): Promise<void> {
  const blocks = await listBlocks(api);
  if (blocks.length === 0) {
    console.log(
      'No blocks yet: a range of two hours becomes a block when the samples that may come late have had their time.',
    );
    return;
  }
  const headings = ['ULID', 'from (UTC)', 'to (UTC)', '>samples', '>series', '>size', ''];
  const rows = blocks.map((block) => [
    block.ulid,
    formatTime(block.minTime),
    formatTime(block.maxTime),
    formatCount(block.samples),
    formatCount(block.series),
    formatBytes(block.bytes),
    block.late ? 'late' : '',
  ]);
  console.log(formatTable(headings, rows));
}

/** The blocks of the token's tenant, oldest first. */
export async function listBlocks(api: Api): Promise<BlockStatus[]> {
  const { blocks } = (await api.get('/api/v1/status/tsdb/blocks')) as { blocks: readonly BlockStatus[] };
  return blocks.toSorted((a, b) => a.minTime - b.minTime || (a.ulid < b.ulid ? -1 : 1));
}
