/** Objects that stay awake, so that digests know series and their definitions from those before. */

import { env } from 'cloudflare:workers';
import { expect, it } from 'vitest';
import { bucketOf } from '../../durable/bucket.ts';
import { catalogue, type Env, ingester } from '../../durable/env.ts';
import { cutShard } from '../../src/compact/cut.ts';
import { PartCursor } from '../../src/digest/segment.ts';
import { RANGE_MS } from '../../src/model/sample.ts';
import { asleep } from './asleep.ts';
import { samplesOfBlock } from './blocks-reader.ts';
import { type Point, record } from './records.ts';

const bindings = env as unknown as Env;
/** Start of a block range, in the future, so that no alarm fires by itself during the test. */
const R0 = Math.floor(Date.UTC(2036, 10, 22, 12) / RANGE_MS) * RANGE_MS;
const at = (minutes: number): number => R0 + minutes * 60_000;

function world(tenant: string) {
  const shard = ingester(bindings, tenant, 0);
  const catalog = catalogue(bindings, tenant);
  const digested = async (minutes: number, points: readonly Point[]): Promise<void> => {
    await shard.append(at(minutes), [record(points)]);
    while ((await shard.digest(at(minutes))).more);
  };
  return {
    shard,
    digested,
    cut: (minutes: number) =>
      cutShard(tenant, 0, shard, at(minutes), {
        catalogue: catalog,
        bucket: bucketOf(bindings.BUCKET),
        random: Math.random,
        warn: (text) => expect.fail(text),
      }),
    /** Definitions and references of each segment on the shelf. */
    entries: async (): Promise<string[]> => {
      const found: string[] = [];
      for (const { segments } of await shard.cuts()) {
        for (const { id } of segments) {
          const cursor = new PartCursor((await shard.part(id, 0))!);
          let text = '';
          while (cursor.next()) text += cursor.isDefinition ? 'D' : String(cursor.back);
          found.push(text);
        }
      }
      return found;
    },
    /** Points of each block, in the order of their labels and times. */
    blocks: async () =>
      await Promise.all(
        (await catalog.blocks()).map(async ({ ulid }) =>
          (await samplesOfBlock(bindings.BUCKET, `blocks/${tenant}/${ulid}/`)).map(
            ({ labels, t, v }) => `${labels['__name__']} ${(t - R0) / 60_000} ${v}`,
          ),
        ),
      ),
  };
}

it('defines a series once in a range, as long as it is awake, and in every cut anew', async () => {
  const w = world('awake');
  const point = (name: string, minutes: number): Point => [name, at(minutes), minutes];
  await w.digested(1, [point('b', 1), point('c', 1)]);
  await w.digested(2, [point('c', 2), point('a', 2), point('b', 2)]);
  await w.digested(3, [point('a', 3), point('b', 3), point('c', 3), point('d', 3)]);
  await w.digested(121, [point('a', 119), point('b', 121), point('a', 121)]);
  expect(await w.entries()).toEqual(['DD', 'D11', '12' + '2' + 'D', '2', 'DD']);
  // What it knows goes with its memory.
  await asleep(w.shard, async () => await w.digested(122, [point('a', 122), point('b', 118)]));
  expect((await w.entries()).slice(3)).toEqual(['2', 'D', 'DD', 'D']);
  await w.digested(123, [point('a', 123), point('b', 123), point('b', 117)]);
  expect((await w.entries()).slice(3)).toEqual(['2', 'D', '2', 'DD', 'D', '2D']);

  expect((await w.cut(150)).length).toBe(1);
  // The first range is closed: what comes for it is of another cut. The second is not.
  await w.digested(151, [point('a', 151), point('b', 116), point('a', 120)]);
  expect(await w.entries()).toEqual(['D', 'DD', 'D', '2D', '4']);
  await w.digested(152, [point('b', 115), point('b', 152)]);
  expect(await w.entries()).toEqual(['D', '2', 'DD', 'D', '2D', '4', '4']);
  expect((await w.cut(160)).length).toBe(1);
  await w.digested(161, [point('b', 114)]);
  expect((await w.cut(280)).length).toBe(2);
  expect(await w.entries()).toEqual([]);

  const blocks = await w.blocks();
  expect(blocks.map((samples) => samples.toSorted())).toEqual(
    [
      [
        'a 119 119',
        'a 2 2',
        'a 3 3',
        'b 1 1',
        'b 117 117',
        'b 118 118',
        'b 2 2',
        'b 3 3',
        'c 1 1',
        'c 2 2',
        'c 3 3',
        'd 3 3',
      ],
      ['b 114 114'],
      ['b 115 115', 'b 116 116'],
      ['a 120 120', 'a 121 121', 'a 122 122', 'a 123 123', 'a 151 151', 'b 121 121', 'b 123 123', 'b 152 152'],
    ].map((samples) => samples.toSorted()),
  );
});

it('a range that is closed while a batch is digested takes nothing from the batch', async () => {
  const w = world('closed-meanwhile');
  await w.digested(1, [['a', at(1), 1]]);
  await w.shard.append(at(2), [record([['a', at(2), 2]])]);
  const upTo = (await w.shard.lastSeq()) - 1;
  const [, closed] = await Promise.all([w.shard.digest(at(150)), w.shard.close(at(150), upTo)]);
  expect(closed.cuts.map(({ segments }) => segments.length)).toEqual([1]);
  while ((await w.shard.digest(at(151))).more);
  expect(await w.entries()).toEqual(['D', 'D']);
  await w.cut(152);
  expect(await w.blocks()).toEqual([['a 1 1'], ['a 2 2']]);
  expect((await w.shard.report(at(153), 'closed-meanwhile', 0)).digest).toMatchObject({
    samplesSent: 2,
    samplesPending: 0,
  });
});
