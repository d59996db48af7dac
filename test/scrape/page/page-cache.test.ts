import { describe, expect, it } from 'vitest';
import { RequestBuilder } from '../../../src/encoding/remote-write/builder.ts';
import { REQUEST_LIMITS } from '../../../src/model/request.ts';
import { Page } from '../../../src/scrape/page/page.ts';
import { PageCache } from '../../../src/scrape/page/page-cache.ts';
import { scrapeConfig } from './configs.ts';
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
});
