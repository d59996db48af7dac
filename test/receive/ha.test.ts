import { describe, expect, it } from 'vitest';
import { decodeWrite } from '../../src/encoding/remote-write/decoded.ts';
import { dropLabel } from '../../src/encoding/remote-write/drop-label.ts';
import { Elections, LeaderCache, REPLICA, replicaOf } from '../../src/receive/ha.ts';
import { encodeRider } from '../../src/receive/rider.ts';
import { plain } from '../encoding/remote-write/cases.ts';
import { double } from '../encoding/remote-write/oracle.ts';
import { message1, message2, NOW, Receiver, series1, series2, type TestLabels } from './receiver.ts';

const S = 1000;
const pair = (cluster: string, replica: string, name = 'up'): TestLabels => [
  ['__name__', name],
  ['__replica__', replica],
  ['cluster', cluster],
  ['job', 'x'],
];
const schemas = [
  [
    1,
    (...all: TestLabels[]) =>
      message1(...all.map((set) => series1('', { labels: set.map(([name, value]) => ({ name, value })) }))),
  ],
  [2, (...all: TestLabels[]) => message2(...all.map((labels) => series2('', { labels })))],
] as const;

describe.each(schemas)('in schema %d', (schema, message) => {
  const decode = (...all: TestLabels[]) => decodeWrite(schema, message(...all));

  it.each<[TestLabels, ReturnType<typeof replicaOf>]>([
    [pair('c', 'a'), { cluster: 'c', replica: 'a' }],
    [pair('c', 'a').toReversed(), { cluster: 'c', replica: 'a' }],
    [pair('c', ''), null],
    [pair('', 'a'), null],
    [[['cluster', 'c']], null],
    [[], null],
    [pair('c', 'x'.repeat(300)), null],
  ])('the first series %j says whose it is', (labels, replica) => {
    expect(replicaOf(decode(labels, pair('other', 'other')))).toEqual(replica);
  });

  it('nothing is nobody’s', () => expect(replicaOf(decode())).toBeNull());

  it('drops the label of every series that has it, and nothing else', () => {
    const without = pair('c', 'a').filter(([name]) => name !== '__replica__');
    const decoded = decode(pair('c', 'a'), without, pair('c', 'b', 'down').toReversed());
    const dropped = plain(decodeWrite(schema, dropLabel(decoded, REPLICA)));
    const expected = plain(decoded).map((series) => ({
      ...series,
      labels: series.labels.filter(([name]) => name !== '__replica__'),
    }));
    expect(dropped).toEqual(expected);
    expect(dropped.map(({ labels }) => labels.length)).toEqual([3, 3, 3]);
  });

  it('takes the leader without its label, and answers 202 to another', async () => {
    const receiver = new Receiver();
    receiver.leader = (cluster) => (cluster === 'known' ? 'a' : null);
    const leads = await receiver.send(schema, message(pair('known', 'a'), pair('known', 'a', 'down')));
    expect([leads.status, receiver.names()]).toEqual([204, ['up', 'down']]);
    expect(receiver.series().flatMap(({ labels }) => labels.map(([name]) => name))).not.toContain('__replica__');
    const follows = await receiver.send(schema, message(pair('known', 'b')));
    expect([follows.status, follows.text]).toEqual([202, 'replica b of cluster known is not taken while a sends\n']);
    // Who is not known is found out by the log's object, in the call that appends.
    receiver.result = { ok: true, leader: 'c' };
    expect((await receiver.send(schema, message(pair('new', 'b')))).status).toBe(202);
    expect(receiver.appends).toHaveLength(2);
    expect(receiver.counts).toMatchObject({
      'requests:204': 1,
      'requests:202': 2,
      samples_in: 2,
      deduplicated_samples: 2,
    });
    if (schema === 2) expect(follows.written).toEqual(['1', '0', '0']);
  });

  it('leaves labels alone where pairs are not told apart, or the first series has none', async () => {
    const receiver = new Receiver();
    const sent = message(pair('c', 'a'));
    expect((await receiver.send(schema, sent)).status).toBe(204);
    receiver.leader = () => 'z';
    expect((await receiver.send(schema, message([['__name__', 'x']], pair('c', 'a')))).status).toBe(204);
    expect(receiver.series().filter(({ labels }) => labels.some(([name]) => name === '__replica__'))).toHaveLength(2);
  });

  it('still judges what is left', async () => {
    const receiver = new Receiver();
    receiver.leader = () => null;
    const { status } = await receiver.send(schema, message(pair('c', 'a'), [['__replica__', 'a']]));
    expect([status, receiver.names()]).toEqual([400, ['up']]);
  });
});

it('keeps samples, exemplars and metadata of a 2.0 series whose label goes', () => {
  const message = message2(
    series2('', {
      labels: pair('c', 'a'),
      samples: [
        { value: double(1), timestamp: NOW },
        { value: double(2), timestamp: NOW + 1 },
      ],
      exemplars: [{ labelsRefs: [1, 2], value: double(3), timestamp: NOW }],
      metadata: { type: 1, helpRef: 1 },
    }),
  );
  const decoded = decodeWrite(2, dropLabel(decodeWrite(2, message), REPLICA));
  expect(plain(decoded)[0]!.samples).toHaveLength(2);
  expect(decoded.exemplarCount[0]).toBe(1);
});

describe('elections', () => {
  const a = { cluster: 'c', replica: 'a' };
  const b = { cluster: 'c', replica: 'b' };
  it('the first leads until it was silent for 30 s', () => {
    const elections = new Elections([]);
    expect(elections.elect(NOW, a)).toBe('a');
    expect(elections.elect(NOW + 20 * S, b)).toBe('a');
    expect(elections.elect(NOW + 25 * S, a)).toBe('a');
    expect(elections.elect(NOW + 54 * S, b)).toBe('a');
    expect(elections.elect(NOW + 55 * S, b)).toBe('b');
    expect(elections.elect(NOW + 56 * S, a)).toBe('b');
    expect(elections.elect(NOW, { cluster: 'another', replica: 'a' })).toBe('a');
  });

  it('are of a bounded number of clusters, and fit the row they ride in', () => {
    const elections = new Elections([]);
    const long = '"'.repeat(250);
    for (let i = 0; i < 200; i++) elections.elect(NOW + i, { cluster: `${long}${i}`, replica: long });
    expect(encodeRider({ elections, bucket: null })!.byteLength).toBeLessThan(200_000);
    expect(elections.elect(NOW, { cluster: `${long}199`, replica: 'x' })).toBe(long);
    expect(elections.elect(NOW, { cluster: `${long}1`, replica: 'x' })).toBe('x');
  });

  it('are remembered by a Worker for five seconds, each tenant for itself', () => {
    const cache = new LeaderCache();
    cache.set('acme', 'c', 'a', NOW);
    expect(cache.get('acme', 'c', NOW + 4999)).toBe('a');
    expect(cache.get('acme', 'c', NOW + 5000)).toBeNull();
    expect(cache.get('wile', 'c', NOW)).toBeNull();
  });
});
