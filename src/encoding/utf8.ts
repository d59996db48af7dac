/** UTF-8 as Go's `utf8.Valid` sees it: no surrogates, nothing overlong, nothing above U+10FFFF. */

/** The text of bytes, without a byte order mark; null when they are not UTF-8. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return null;
  }
}

export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const lead = bytes[at++]!;
    if (lead < 0x80) continue;
    // Continuation bytes after the lead, and the range of the first of them, which is what rules out the exceptions.
    let more = 1;
    let low = 0x80;
    let high = 0xbf;
    if (lead < 0xc2) return false;
    if (lead >= 0xe0) {
      more = 2;
      if (lead === 0xe0) low = 0xa0;
      else if (lead === 0xed) high = 0x9f;
    }
    if (lead >= 0xf0) {
      more = 3;
      if (lead === 0xf0) low = 0x90;
      else if (lead === 0xf4) high = 0x8f;
      else if (lead > 0xf4) return false;
    }
    if (end - at < more) return false;
    const first = bytes[at++]!;
    if (first < low || first > high) return false;
    for (; more > 1; more--) if ((bytes[at++]! & 0xc0) !== 0x80) return false;
  }
  return true;
}

/** Whether all bytes are ASCII. Sixteen at a time: it is asked about all labels of a series at once. */
export function isAscii(view: DataView, start: number, end: number): boolean {
  let at = start;
  for (; end - at >= 16; at += 16) {
    const any = view.getInt32(at) | view.getInt32(at + 4) | view.getInt32(at + 8) | view.getInt32(at + 12);
    if ((any & 0x80808080) !== 0) return false;
  }
  let any = 0;
  for (; at < end; at++) any |= view.getUint8(at);
  return any < 0x80;
}
