import fc from 'fast-check';
import { expect, it } from 'vitest';
import { hashOfBytes, hashOfRefs, HashTable } from '../../../src/scrape/page/hash-table.ts';

it('gives all indices of a hash, and no other, however it was grown', () => {
  fc.assert(
    fc.property(fc.nat({ max: 300 }), fc.array(fc.integer({ min: -6, max: 6 }), { maxLength: 300 }), (room, hashes) => {
      const table = new HashTable(room);
      hashes.forEach((hash, i) => table.add(hash, i));
      for (let hash = -7; hash <= 7; hash++) {
        const found: number[] = [];
        for (let i = table.first(hash); i >= 0; i = table.next()) found.push(i);
        expect(found.toSorted((a, b) => a - b)).toEqual(hashes.flatMap((other, i) => (other === hash ? [i] : [])));
      }
    }),
  );
});

it('spreads what is alike: a hundred thousand texts and label sets collide as seldom as random numbers', () => {
  const bits = (hashes: readonly number[]): number => new Set(hashes.map((hash) => hash & 0xfffff)).size;
  const texts = Array.from({ length: 100_000 }, (_, i) =>
    new TextEncoder().encode(`a_total{path="/x/${i}",code="200"}`),
  );
  // Of 100,000 random numbers below 2²⁰, 95,300 differ.
  expect(bits(texts.map((text) => hashOfBytes(new DataView(text.buffer), 0, text.length)))).toBeGreaterThan(95_000);
  expect(bits(texts.map((_, i) => hashOfRefs([0, i % 300, 7, Math.floor(i / 300)], 0, 4)))).toBeGreaterThan(95_000);
});
