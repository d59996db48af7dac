import { describe, expect, it } from 'vitest';
import { RequestBuilder } from '../../../src/encoding/remote-write/builder.ts';
import { REQUEST_LIMITS } from '../../../src/model/request.ts';
import { Page } from '../../../src/scrape/page/page.ts';
import { PageCache } from '../../../src/scrape/page/page-cache.ts';
import { scrapeConfig } from './configs.ts';
import { Keeper } from './keeper.ts';
import { resultOf } from './results.ts';

/** A page that has been scraped once, with so many series. */
function page(series: number): Page {
  const page = Page.decode(null);
  const body = Array.from({ length: series }, (_, i) => `series_with_a_name{number="${i}",code="200"} ${i}\n`).join('');
  page.scrape(
    { ...scrapeConfig(), labels: [{ name: 'job', value: 'j' }] },
    [],
    resultOf(1_000, body),
    new RequestBuilder(REQUEST_LIMITS),
  );
  return page;
}

describe('decoded pages', () => {
  it('weigh more the more series they have', () => {
    const small = page(10).bytes;
    const large = page(1_000).bytes;
    expect(small).toBeLessThan(10_000);
    expect(large).toBeGreaterThan(1_000 * 100);
    expect(large).toBeLessThan(1_000 * 500);
  });

  it('of all agents together stay within the bound, those that were used last', () => {
    const one = page(100);
    const cache = new PageCache(one.bytes * 5);
    const [a, b] = [cache.pages(), cache.pages()];
    for (let i = 0; i < 4; i++) {
      a.set(`a${i}`, page(100));
      a.settle();
    }
    expect(a.get('a0')).toBeDefined();
    a.settle();
    for (let i = 0; i < 3; i++) {
      b.set(`b${i}`, page(100));
      b.settle();
    }
    expect(cache.bytes).toBeLessThanOrEqual(one.bytes * 5);
    expect(['a0', 'a1', 'a2', 'a3'].filter((key) => a.get(key) !== undefined)).toEqual(['a0', 'a3']);
    expect(['b0', 'b1', 'b2'].filter((key) => b.get(key) !== undefined)).toEqual(['b0', 'b1', 'b2']);
    a.clear();
    b.clear();
    expect(cache.bytes).toBe(0);
  });

  it('stay while they may have changed, whatever they weigh', () => {
    const cache = new PageCache(1);
    const own = cache.pages();
    const kept = page(100);
    own.set('k', kept);
    cache.trim();
    expect(own.get('k')).toBe(kept);
    own.settle();
    expect(own.get('k')).toBeUndefined();
    expect(cache.bytes).toBe(0);
  });

  it('go when most of what they hold is of series that are gone, and are the same when they are read again', () => {
    const cache = new PageCache(Infinity);
    const own = cache.pages();
    const keeper = new Keeper();
    const target = { ...scrapeConfig(), labels: [{ name: 'job', value: 'j' }] };
    let largest = 0;
    let reads = 0;
    for (let scrape = 0; scrape < 400; scrape++) {
      let one = own.get('k');
      if (one === undefined) {
        own.set('k', (one = keeper.wake()));
        reads++;
      }
      const body = Array.from({ length: 100 }, (_, i) => `a{b="${i % 10 === 0 ? `${i}-${scrape}` : i}"} 1\n`).join('');
      const out = new RequestBuilder(REQUEST_LIMITS);
      const got = one.scrape(target, [], resultOf((scrape + 1) * 1000, body), out);
      expect(got).toMatchObject({ changed: true, series: 105, staleMarkers: scrape === 0 ? 0 : 10 });
      keeper.keep(one);
      own.settle();
      largest = Math.max(largest, cache.bytes);
    }
    expect(reads).toBeGreaterThan(2);
    expect(reads).toBeLessThan(10);
    expect(largest).toBeLessThan(500_000);
  });
});
