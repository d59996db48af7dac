import { expect, it } from 'vitest';
import { Elections } from '../../src/receive/ha.ts';
import { decodeRider, encodeRider } from '../../src/receive/rider.ts';
import { NOW } from './receiver.ts';

const a = { cluster: 'c', replica: 'a' };
const b = { cluster: 'c', replica: 'b' };
const bucket = { tokens: -12.5, filledMs: NOW };

/** Pairs whose leader is `a`. */
function led(): Elections {
  const elections = new Elections([]);
  elections.elect(NOW, a);
  return elections;
}

it('nothing is no bytes', () => {
  expect(encodeRider({ elections: new Elections([]), bucket: null })).toBeNull();
  expect(decodeRider(null).elections.leaders()).toEqual([]);
});

it.each([null, bucket])('who leads comes back, with what is left of the rate: %j', (left) => {
  const again = decodeRider(encodeRider({ elections: led(), bucket: left }));
  expect(again.bucket).toEqual(left);
  expect(again.elections.elect(NOW + 29_000, b)).toBe('a');
  expect(again.elections.elect(NOW + 30_000, b)).toBe('b');
});

it('what is left of a rate rides alone where no pair is led', () => {
  expect(decodeRider(encodeRider({ elections: new Elections([]), bucket }))).toMatchObject({ bucket });
});

it('is read as an earlier version wrote it', () => {
  const text = `[["c",["a",${NOW}]]]`;
  expect(new TextDecoder().decode(encodeRider({ elections: led(), bucket: null })!)).toBe(text);
  expect(decodeRider(new TextEncoder().encode(text)).elections.leaders()).toEqual([['c', ['a', NOW]]]);
});

it.each(['', 'null', '{}', '{"leaders":1}', '[1]', '\u0000'])('begins anew with what cannot be read: %j', (text) => {
  const { elections, bucket: left } = decodeRider(new TextEncoder().encode(text));
  expect([elections.leaders(), left]).toEqual([[], null]);
});
