import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAscii, isUtf8 } from '../../src/encoding/utf8.ts';
import { bytes } from './damage.ts';

/** The platform's decoder is the oracle: it accepts exactly what Go's utf8.Valid does. */
const oracle = (text: Uint8Array): boolean => {
  try {
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text);
    return true;
  } catch {
    return false;
  }
};

describe('isUtf8', () => {
  const rows: [string, string, boolean][] = [
    ['nothing', '', true],
    ['NUL', '00', true],
    ['U+07FF', 'df bf', true],
    ['overlong U+0000', 'c0 80', false],
    ['overlong U+007F', 'c1 bf', false],
    ['overlong U+07FF', 'e0 9f bf', false],
    ['U+D7FF', 'ed 9f bf', true],
    ['U+D800, a surrogate', 'ed a0 80', false],
    ['U+FFFF', 'ef bf bf', true],
    ['overlong U+FFFF', 'f0 8f bf bf', false],
    ['U+10FFFF', 'f4 8f bf bf', true],
    ['U+110000', 'f4 90 80 80', false],
    ['a lone continuation', '80', false],
    ['cut short', 'e2 82', false],
    ['0xFF', 'ff', false],
  ];
  it.each(rows)('%s', (_, hex, want) => {
    const text = bytes(hex);
    expect(isUtf8(text, 0, text.length)).toBe(want);
    expect(oracle(text)).toBe(want);
  });

  it('agrees with the platform', () => {
    const byte = fc.oneof(fc.integer({ min: 0x80, max: 0xff }), fc.constantFrom(0x41, 0xe0, 0xed, 0xf0, 0xf4));
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 5 }), (list) => {
        const text = Uint8Array.from(list);
        expect(isUtf8(text, 0, text.length)).toBe(oracle(text));
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (string) => {
        const text = new TextEncoder().encode(`x${string}`);
        expect(isUtf8(text, 1, text.length)).toBe(true);
      }),
    );
  });
});

it('isAscii looks at every byte of the range, and no other', () => {
  for (let length = 0; length < 50; length++) {
    for (let at = 0; at < length; at++) {
      const text = new Uint8Array(length).fill(0x7f);
      text[at] = 0x80;
      const view = new DataView(text.buffer);
      expect(isAscii(view, 0, length)).toBe(false);
      expect(isAscii(view, at + 1, length)).toBe(true);
      expect(isAscii(view, 0, at)).toBe(true);
    }
  }
});
