import { createExecutionContext } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { expect, it } from 'vitest';
import { type Env, ingester } from '../../durable/env.ts';
import worker from '../../src/worker.ts';
import { type Point, record } from './records.ts';

const bindings = env as unknown as Env;
const REQUESTS = 20;
const NOW = Date.now();

/** A request of a hundred series, over the whole Worker. */
async function write(tenant: string, t: number): Promise<void> {
  const points = Array.from({ length: 100 }, (_, i): Point => [`m${i}`, t, i]);
  const request = new Request('https://narthex.example/api/v1/write', {
    method: 'POST',
    headers: {
      'Content-Encoding': 'snappy',
      'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
      Authorization: 'Bearer test-any-token',
      'X-Scope-OrgID': tenant,
    },
    body: record(points).body,
  });
  const response = await worker.fetch(
    request as Request<unknown, IncomingRequestCfProperties>,
    bindings,
    createExecutionContext(),
  );
  expect(response.status).toBe(204);
}

// By the counter that the platform bills by.
it('a request costs one row when it comes and one when it is digested', async () => {
  const shard = ingester(bindings, 'rows', 0);
  const written = async (): Promise<number> => (await shard.report(NOW, 'rows', 0)).log.rowsWritten;
  const atFirst = await written();
  for (let i = 0; i < REQUESTS; i++) await write('rows', NOW + i);
  expect((await written()) - atFirst).toBe(REQUESTS);

  expect(await shard.digest(NOW)).toEqual({ more: false });
  const { ranges } = await shard.report(NOW, 'rows', 0);
  const rows = (await written()) - atFirst - REQUESTS;
  // All records but the newest go. What is new: the segments with a part each, their totals, the cursor.
  expect(rows - (REQUESTS - 1)).toBe(ranges.length * 2 + 2);
});
