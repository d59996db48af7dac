const UTF8 = new TextEncoder();

/** FNV-1a, 64 bits, of a text's UTF-8, as two unsigned halves (datatracker.ietf.org/doc/draft-eastlake-fnv). Spreads targets over time; not for hot paths. */
export function fnv1a64(text: string): { hi: number; lo: number } {
  let hi = 0xcbf29ce4;
  let lo = 0x84222325;
  for (const byte of UTF8.encode(text)) {
    lo = (lo ^ byte) >>> 0;
    // The prime is 2⁴⁰ + 0x1b3: the products stay below 2⁵³.
    const low = lo * 0x1b3;
    hi = (hi * 0x1b3 + Math.floor(low / 2 ** 32) + lo * 2 ** 8) % 2 ** 32;
    lo = low % 2 ** 32;
  }
  return { hi, lo };
}
