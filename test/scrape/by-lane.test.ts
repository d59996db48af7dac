import { expect, it } from 'vitest';
import { RequestBuilder } from '../../src/encoding/remote-write/builder.ts';
import { eachByLane } from '../../src/scrape/by-lane.ts';
import type { Scraped } from '../../src/scrape/round.ts';

/** A scrape of so many samples; its body has ten bytes for each. */
const scraped = (key: string, samples: number, slotMs = 0): Scraped =>
  ({
    key,
    intervalMs: 1_000,
    target: {},
    result: { slotMs, body: new Uint8Array(samples * 10) },
  }) as unknown as Scraped;

/** The records that a flush becomes: their samples and lanes, and the scrapes in the order of their adding. */
function flush(scrapes: readonly Scraped[], samplesMax = 1_000) {
  const builder = new RequestBuilder({ samplesMax, bytesMax: 1_000_000 });
  const order: string[] = [];
  eachByLane(scrapes, builder, ({ key, result }) => {
    order.push(`${key}@${result.slotMs}`);
    for (let i = 0; i < result.body!.length / 10; i++) {
      builder.reserve(20);
      builder.add([builder.symbol('__name__'), builder.symbol('n')], 2, i, 0, 0);
    }
  });
  return { order, records: builder.finish().map(({ samples, lanes }) => [samples, lanes]) };
}

it('a small flush is one record, with the lanes of its targets', () => {
  expect(flush([scraped('a1', 10), scraped('b0', 10), scraped('ff', 10)]).records).toEqual([[30, 0b1000000000000011]]);
});

it('a large one is records without a common lane, where lanes fit records', () => {
  const many = Array.from({ length: 64 }, (_, i) => scraped(i.toString(16).padStart(2, '0'), 100));
  const { records } = flush(many);
  expect(records.map(([samples]) => samples)).toEqual(Array.from({ length: 8 }, () => 800));
  expect(records.reduce((seen, [, lanes]) => (expect(seen & lanes!).toBe(0), seen | lanes!), 0)).toBe(0xffff);
});

it('a lane larger than a record is several, which share it', () => {
  expect(flush([scraped('00', 2_500), scraped('01', 600)]).records).toEqual([
    [1_000, 1],
    [1_000, 1],
    [500, 1],
    [600, 2],
  ]);
});

it('scrapes of a target stay in their order', () => {
  const { order } = flush([scraped('01', 5, 1), scraped('00', 5, 1), scraped('01', 5, 2), scraped('00', 5, 2)]);
  expect(order).toEqual(['00@1', '00@2', '01@1', '01@2']);
});
