import type { Random } from './doors.ts';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A ULID: 26 characters of Crockford's base 32, 48 bits of Unix milliseconds and 80 random bits (github.com/ulid/spec). */
export function ulid(nowMs: number, random: Random): string {
  let out = '';
  for (let i = 0, t = Math.floor(nowMs); i < 10; i++, t = Math.floor(t / 32)) out = ALPHABET[t % 32] + out;
  for (let i = 0; i < 16; i++) out += ALPHABET[Math.floor(random() * 32)];
  return out;
}

export function isUlid(text: string): boolean {
  return /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(text);
}
