import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { bucketOf } from '../../durable/bucket.ts';
import { catalogue, type Env, ingester } from '../../durable/env.ts';
import { cutShard } from '../../src/compact/cut.ts';
import type { BucketDoor, CatalogueDoor, ShardDoor } from '../../src/compact/doors.ts';
import { makeItem, planSnapshot, type SnapshotPlan } from '../../src/compact/snapshot.ts';
import { snappyCompress } from '../../src/encoding/snappy.ts';
import { RANGE_MS } from '../../src/model/sample.ts';
import { asleep } from './asleep.ts';
import { samplesOfBlock } from './blocks-reader.ts';
import type { PlainSample } from './log-reader.ts';
import { type Point, record } from './records.ts';

const bindings = env as unknown as Env;
const bucket: BucketDoor = bucketOf(bindings.BUCKET);
/** Start of a block range, in the future, so that no alarm fires by itself during the test. */
const R0 = Math.floor(Date.UTC(2036, 10, 22, 12) / RANGE_MS) * RANGE_MS;
const MINUTE = 60_000;

/** A tenant whose objects sleep before every call. */
function world(tenant: string) {
  const shard = ingester(bindings, tenant, 0);
  const catalog = catalogue(bindings, tenant);
  const shardDoor: ShardDoor = {
    lastSeq: () => asleep(shard, async () => await shard.lastSeq()),
    digest: (nowMs, upTo) => asleep(shard, async () => await shard.digest(nowMs, upTo)),
    close: (nowMs, upTo) => asleep(shard, async () => await shard.close(nowMs, upTo)),
    cuts: () => asleep(shard, async () => await shard.cuts()),
    part: (segment, part) => asleep(shard, async () => await shard.part(segment, part)),
    drop: (cut, repeats) => asleep(shard, async () => await shard.drop(cut, repeats)),
  };
  const catalogueDoor: CatalogueDoor = {
    begin: () => asleep(catalog, async () => await catalog.begin()),
    committed: (n, cut) => asleep(catalog, async () => await catalog.committed(n, cut)),
    commit: (epoch, cut, finished) => asleep(catalog, async () => await catalog.commit(epoch, cut, finished)),
    blocks: () => asleep(catalog, async () => await catalog.blocks()),
  };
  return {
    shard: shardDoor,
    catalogue: catalogueDoor,
    append: async (nowMs: number, points: readonly Point[]) => {
      expect(await asleep(shard, async () => await shard.append(nowMs, [record(points)]))).toEqual({ ok: true });
    },
    cut: (nowMs: number, doors: { shard?: ShardDoor; catalogue?: CatalogueDoor; bucket?: BucketDoor } = {}) =>
      cutShard(tenant, 0, doors.shard ?? shardDoor, nowMs, {
        catalogue: doors.catalogue ?? catalogueDoor,
        bucket: doors.bucket ?? bucket,
        random: Math.random,
        warn: noWarning,
      }),
    status: async (nowMs: number) => await shard.report(nowMs, tenant, 0),
    /** The samples of each block of a snapshot that is made at once. */
    snapshot: async (nowMs: number) => {
      let plan: SnapshotPlan = await planSnapshot([shardDoor], catalogueDoor, nowMs, Math.random);
      while (plan.done < plan.items.length) plan = await makeItem(tenant, plan, [shardDoor], bucket, nowMs, noWarning);
      const prefix = `snapshots/${tenant}/${plan.name}`;
      return await Promise.all(plan.made.map(({ ulid }) => samplesOfBlock(bindings.BUCKET, `${prefix}/${ulid}/`)));
    },
    blocks: async () =>
      await Promise.all(
        (await catalog.blocks()).map(async (block) => ({
          block,
          samples: await samplesOfBlock(bindings.BUCKET, `blocks/${tenant}/${block.ulid}/`),
        })),
      ),
  };
}

/** The external labels of a block in the bucket. */
async function labelsOf(prefix: string): Promise<Record<string, string>> {
  const meta = JSON.parse(await (await bindings.BUCKET.get(`${prefix}/meta.json`))!.text()) as {
    thanos: { labels: Record<string, string> };
  };
  return meta.thanos.labels;
}

const noWarning = (text: string): void => {
  throw new Error(text);
};

const points = (samples: readonly PlainSample[]): Point[] =>
  samples.map(({ labels, t, v }) => [labels['__name__']!, t, v]);
const at = (minutes: number): number => R0 + minutes * MINUTE;

describe('a range becomes a block half an hour after its end', () => {
  it('whole, in order, without what came twice, and with its stale markers', async () => {
    const w = world('whole');
    await w.append(at(1), [
      ['b', at(0), 1],
      ['a', at(0), 1.5],
    ]);
    await w.append(at(3), [
      ['a', at(2), 3],
      ['a', at(1), 2],
    ]);
    await w.append(at(4), [
      ['a', at(1), 2],
      ['b', at(3), 'stale'],
      ['b', at(0), 7],
    ]);
    await w.append(at(121), [['a', at(121), 9]]);
    expect(await w.cut(at(120 + 29))).toEqual([]);
    const ulids = await w.cut(at(120 + 30));
    expect(ulids.length).toBe(1);
    const blocks = await w.blocks();
    expect(blocks.length).toBe(1);
    expect(points(blocks[0]!.samples)).toEqual([
      ['a', at(0), 1.5],
      ['a', at(1), 2],
      ['a', at(2), 3],
      ['b', at(0), 1],
      ['b', at(3), 'stale'],
    ]);
    expect(blocks[0]!.block).toMatchObject({
      ulid: ulids[0],
      minTime: at(0),
      maxTime: at(3) + 1,
      samples: 5,
      series: 2,
      late: false,
    });
    const status = await w.status(at(150));
    expect(status).toMatchObject({ watermarkMs: R0 + RANGE_MS, samplesDuplicate: 1, samplesConflicting: 1 });
    expect(status.conflictExample).toContain('kept 1');
    expect(status.digest).toMatchObject({ samplesPending: 0, samplesSent: 8, samplesDropped: {} });
    expect(status.ranges).toMatchObject([{ startMs: R0 + RANGE_MS, samples: 1, late: false }]);
    expect(await w.cut(at(120 + 31))).toEqual([]);
  });

  it('takes what comes for it until it is cut, and later samples as a late block', async () => {
    const w = world('late');
    await w.append(at(1), [['a', at(0), 1]]);
    await w.append(at(120 + 20), [['a', at(1), 2]]);
    await w.cut(at(120 + 35));
    await w.append(at(120 + 40), [['a', at(2), 3]]);
    await w.cut(at(120 + 45));
    const blocks = await w.blocks();
    expect(blocks.map(({ block, samples }) => [block.late, points(samples)])).toEqual([
      [
        false,
        [
          ['a', at(0), 1],
          ['a', at(1), 2],
        ],
      ],
      [true, [['a', at(2), 3]]],
    ]);
    expect(await labelsOf(`blocks/late/${blocks[1]!.block.ulid}`)).toEqual({
      tenant_id: 'late',
      narthex_shard: '0',
      narthex_late: '1',
    });
  });
});

describe('late blocks that overlap', () => {
  it('have other labels, also in a snapshot: Thanos halts on equal ones', async () => {
    const w = world('overlap');
    await w.append(at(1), [['a', at(0), 1]]);
    await w.cut(at(150));
    await w.append(at(151), [
      ['a', at(1), 2],
      ['a', at(-120), 0],
    ]);
    await w.cut(at(152));
    await w.append(at(153), [['a', at(2), 3]]);
    // A round that died when it had closed: its cut is there beside what is late and open.
    await expect(w.cut(at(154), { catalogue: { ...w.catalogue, commit: async () => false } })).resolves.toEqual([]);
    await w.append(at(155), [['a', at(3), 4]]);
    let plan: SnapshotPlan = await planSnapshot([w.shard], w.catalogue, at(156), Math.random);
    while (plan.done < plan.items.length) plan = await makeItem('overlap', plan, [w.shard], bucket, at(156), noWarning);
    await w.cut(at(157));
    const late = async (prefix: string, ulids: readonly string[]): Promise<string[]> => {
      const all = await Promise.all(ulids.map((ulid) => labelsOf(`${prefix}/${ulid}`)));
      return all.map((labels) => labels['narthex_late'] ?? '-').sort();
    };
    const ulids = (await w.blocks()).map(({ block }) => block.ulid);
    expect(await late('blocks/overlap', ulids)).toEqual(['-', '1', '1', '2', '3']);
    const made = plan.made.map(({ ulid }) => ulid);
    expect(await late(`snapshots/overlap/${plan.name}`, made)).toEqual(['-', '1', '1', '2', '3']);
  });
});

describe('a late sample for a timestamp that a committed block has', () => {
  it('is nothing when it is the same, and never replaces the first: it is counted, with an example', async () => {
    const w = world('taken');
    await w.append(at(1), [
      ['a', at(0), 1],
      ['a', at(1), 2],
      ['b', at(0), 5],
    ]);
    await w.cut(at(150));
    // The whole request once more, and then with one value changed and one sample more.
    await w.append(at(151), [
      ['a', at(0), 1],
      ['a', at(1), 2],
      ['b', at(0), 5],
    ]);
    expect(await w.cut(at(152))).toEqual([]);
    expect(await w.status(at(152))).toMatchObject({ samplesDuplicate: 3, samplesConflicting: 0, ranges: [] });
    await w.append(at(153), [
      ['a', at(0), 1],
      ['a', at(1), 9],
      ['a', at(2), 3],
    ]);
    const snapshot = await w.snapshot(at(154));
    await w.cut(at(154));
    const blocks = await w.blocks();
    expect(blocks.map(({ block, samples }) => [block.late, points(samples)])).toEqual([
      [
        false,
        [
          ['a', at(0), 1],
          ['a', at(1), 2],
          ['b', at(0), 5],
        ],
      ],
      [true, [['a', at(2), 3]]],
    ]);
    expect(snapshot.map(points)).toEqual([[['a', at(2), 3]], points(blocks[0]!.samples)]);
    const { samplesDuplicate, samplesConflicting, conflictExample } = await w.status(at(154));
    expect([samplesDuplicate, samplesConflicting]).toEqual([4, 1]);
    expect(conflictExample).toBe(`{__name__="a", job="j"} at ${at(1)}: kept 2, refused 9`);
  });
});

describe('while requests go on coming in', () => {
  it('a cut and a snapshot end: they wait for what was accepted until they began', async () => {
    const w = world('busy');
    await w.append(at(1), [['a', at(0), 1]]);
    let n = 0;
    // Between any digest and what follows it, another request has come.
    const busy: ShardDoor = {
      ...w.shard,
      digest: async (nowMs, upTo) => {
        const digested = await w.shard.digest(nowMs, upTo);
        await w.append(nowMs, [['b', at(130) + n++, n]]);
        return digested;
      },
    };
    expect((await w.cut(at(150), { shard: busy })).length).toBe(1);
    expect((await w.blocks()).map(({ samples }) => points(samples))).toEqual([[['a', at(0), 1]]]);
    const plan = await planSnapshot([busy], w.catalogue, at(151), Math.random);
    expect(plan.items.map(({ kind }) => kind)).toEqual(['write', 'copy']);
  });
});

describe('a cut that dies', () => {
  class Died extends Error {}
  const die = (): never => {
    throw new Died();
  };

  it('before its commit leaves litter, and the next makes the block', async () => {
    const w = world('dies-before');
    await w.append(at(1), [['a', at(0), 1]]);
    await expect(w.cut(at(150), { catalogue: { ...w.catalogue, commit: async () => die() } })).rejects.toThrow(Died);
    expect(await w.blocks()).toEqual([]);
    expect((await w.cut(at(151))).length).toBe(1);
    expect((await w.blocks()).map(({ samples }) => points(samples))).toEqual([[['a', at(0), 1]]]);
  });

  it('after its commit is not made again', async () => {
    const w = world('dies-after');
    await w.append(at(1), [['a', at(0), 1]]);
    await expect(w.cut(at(150), { shard: { ...w.shard, drop: async () => die() } })).rejects.toThrow(Died);
    expect((await w.status(at(150))).ranges.length).toBe(1);
    expect(await w.cut(at(151))).toEqual([]);
    expect((await w.blocks()).map(({ samples }) => points(samples))).toEqual([[['a', at(0), 1]]]);
    expect((await w.status(at(151))).ranges).toEqual([]);
  });

  it('counts what came twice in different batches once, also when it died before it said so', async () => {
    const w = world('repeats');
    const digested = async (atMs: number, given: readonly Point[]): Promise<void> => {
      await w.append(atMs, given);
      while ((await w.shard.digest(atMs, Infinity)).more) continue;
    };
    await digested(at(1), [
      ['a', at(0), 1],
      ['b', at(0), 1],
    ]);
    await digested(at(2), [
      ['a', at(0), 1],
      ['b', at(0), 2],
    ]);
    expect(await w.status(at(2))).toMatchObject({ samplesDuplicate: 0, samplesConflicting: 0 });
    await expect(w.cut(at(150), { shard: { ...w.shard, drop: async () => die() } })).rejects.toThrow(Died);
    const cuts = await w.shard.cuts();
    expect(await w.cut(at(151))).toEqual([]);
    // Another that overlaps with it.
    await w.shard.drop(cuts[0]!.id!, { duplicates: 1, conflicts: 1, conflictExample: null });
    const { samplesDuplicate, samplesConflicting, conflictExample, digest } = await w.status(at(151));
    expect([samplesDuplicate, samplesConflicting, digest.samplesSent]).toEqual([1, 1, 4]);
    expect(conflictExample).toContain('kept 1, refused 2');
    expect((await w.blocks()).map(({ block, samples }) => [block.samples, points(samples)])).toEqual([
      [
        2,
        [
          ['a', at(0), 1],
          ['b', at(0), 1],
        ],
      ],
    ]);
  });

  it('is refused when a later one began meanwhile', async () => {
    const w = world('overtaken');
    await w.append(at(1), [['a', at(0), 1]]);
    const overtaken: CatalogueDoor = {
      ...w.catalogue,
      commit: async (epoch, cut, finished) => {
        await w.cut(at(151));
        return await w.catalogue.commit(epoch, cut, finished);
      },
    };
    expect(await w.cut(at(150), { catalogue: overtaken })).toEqual([]);
    expect((await w.blocks()).map(({ samples }) => points(samples))).toEqual([[['a', at(0), 1]]]);
  });
});

describe('a bucket that fails', () => {
  it('costs a cut, and nothing that was accepted', async () => {
    const w = world('bucket-fails');
    await w.append(at(1), [['a', at(0), 1]]);
    const failing: BucketDoor = {
      ...bucket,
      put: () => Promise.reject(new Error('internal error; please try again (10001)')),
    };
    await expect(w.cut(at(150), { bucket: failing })).rejects.toThrow('10001');
    await w.append(at(151), [['a', at(150), 2]]);
    expect((await w.cut(at(152))).length).toBe(1);
    expect((await w.blocks()).map(({ samples }) => points(samples))).toEqual([[['a', at(0), 1]]]);
  });
});

describe('damage', () => {
  it('a record whose body is not a request is set aside and counted; the rest goes on', async () => {
    const w = world('damage');
    const shard = ingester(bindings, 'damage', 0);
    await shard.append(at(0), [
      { schema: 2, samples: 3, maxT: at(0), body: snappyCompress(new Uint8Array([0xff, 0xff])) },
      record([['a', at(0), 1]]),
    ]);
    while ((await w.shard.digest(at(1), Infinity)).more);
    const status = await w.status(at(1));
    expect(status.digest).toMatchObject({
      samplesIn: 4,
      samplesSent: 1,
      samplesDropped: { unreadable: 3 },
      samplesPending: 0,
    });
    expect(status.log.setAside.length).toBe(1);
  });
});

describe('a snapshot', () => {
  it('holds everything accepted until now as blocks, and leaves the open range open', async () => {
    const w = world('snap');
    await w.append(at(1), [['a', at(0), 1]]);
    await w.cut(at(150));
    await w.append(at(151), [
      ['a', at(3), 4],
      ['a', at(150), 2],
    ]);
    const samples = await w.snapshot(at(152));
    expect(samples.length).toBe(3);
    expect(samples.flatMap(points).sort((a, b) => a[1] - b[1])).toEqual([
      ['a', at(0), 1],
      ['a', at(3), 4],
      ['a', at(150), 2],
    ]);
    expect((await w.status(at(152))).ranges.map((range) => [range.late, range.samples])).toEqual([
      [true, 1],
      [false, 1],
    ]);
    expect((await w.blocks()).length).toBe(1);
  });
});
