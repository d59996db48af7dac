import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../src/encoding/crc32c.ts';

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('known checksums (RFC 3720, appendix B.4, and the check value of the polynomial)', () => {
  const cases: [string, Uint8Array, number][] = [
    ['nothing', new Uint8Array(0), 0],
    ['"123456789"', ascii('123456789'), 0xe3069283],
    ['32 bytes of zeros', new Uint8Array(32), 0x8a9136aa],
    ['32 bytes of ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['32 bytes rising', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ['32 bytes falling', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ];
  it.each(cases)('%s', (_, bytes, want) => {
    expect(crc32c(bytes)).toBe(want);
  });
});

it('equals the textbook loop, on every range', () => {
  const textbook = (bytes: Uint8Array): number => {
    let crc = 0xffffffff;
    for (const byte of bytes) {
      crc ^= byte;
      for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    }
    return ~crc >>> 0;
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 90 }), fc.nat(90), fc.nat(90), (bytes, a, b) => {
      const start = Math.min(a, b, bytes.length);
      const end = Math.min(Math.max(a, b), bytes.length);
      expect(crc32c(bytes, start, end)).toBe(textbook(bytes.subarray(start, end)));
    }),
  );
});

it('runs over parts', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 60 }), (a, b) => {
      const whole = new Uint8Array([...a, ...b]);
      expect(crc32c(b, 0, b.length, crc32c(a))).toBe(crc32c(whole));
    }),
  );
});
