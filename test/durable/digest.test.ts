import { env } from 'cloudflare:workers';
import { expect, it } from 'vitest';
import { type Env, ingester } from '../../durable/env.ts';
import { type Point, record } from './records.ts';

const bindings = env as unknown as Env;
const NOW = Date.now();
const points = (count: number, t: number): Point[] => Array.from({ length: count }, (_, i) => [`m${i}`, t, i]);

it('lets requests in while it digests, and a second digest waits for the first', async () => {
  const shard = ingester(bindings, 'in-steps', 0);
  for (let i = 0; i < 10; i++) await shard.append(NOW, [record(points(300, NOW + i))]);
  const order: string[] = [];
  const told = async (name: string, call: PromiseLike<unknown>): Promise<unknown> => {
    const answer = await call;
    order.push(name);
    return answer;
  };
  const [first, second, appended] = await Promise.all([
    told('first', shard.digest(NOW)),
    told('second', shard.digest(NOW)),
    told('append', shard.append(NOW, [record(points(7, NOW + 10))])),
  ]);
  expect(appended).toEqual({ ok: true });
  expect(order[0]).toBe('append');
  // Both ended with the one digest, whose batch may or may not have held the request that came meanwhile.
  expect(second).toEqual(first);
  while ((await shard.digest(NOW)).more);

  const { digest, ranges, samplesDuplicate } = await shard.report(NOW, 'in-steps', 0);
  expect(ranges.reduce((sum, range) => sum + range.samples, 0)).toBe(3007);
  expect(digest).toMatchObject({ samplesSent: 3007, samplesPending: 0 });
  // What was digested twice would be a duplicate.
  expect(samplesDuplicate).toBe(0);
});
