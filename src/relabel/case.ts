/**
 * Lower and upper case as Go's `strings.ToLower` and `strings.ToUpper`: Unicode's simple mapping, one code point for one. JavaScript's own
 * has the full mapping ("ß" becomes "SS") and looks at neighbours (a final sigma).
 */

export function lowerCase(text: string): string {
  return map(text, (one) => one.toLowerCase(), simpleLower);
}

export function upperCase(text: string): string {
  return map(text, (one) => one.toUpperCase(), simpleUpper);
}

function map(text: string, full: (one: string) => string, simple: (code: number) => number): string {
  // oxlint-disable-next-line no-control-regex -- ASCII is the common case, and the same in both.
  if (/^[\x00-\x7f]*$/.test(text)) return full(text);
  let out = '';
  for (const one of text) {
    const mapped = full(one);
    const code = one.codePointAt(0)!;
    out +=
      mapped.length === String.fromCodePoint(mapped.codePointAt(0)!).length
        ? mapped
        : String.fromCodePoint(simple(code));
  }
  return out;
}

/** "İ", the only letter whose lower case is more than one code point. */
const simpleLower = (code: number): number => (code === 0x130 ? 0x69 : code);

/** Greek letters with a small iota below have capitals of their own; other letters whose upper case is several have none. */
function simpleUpper(code: number): number {
  const row = code & 0xff0;
  if ((code & 0xff00) === 0x1f00 && (row === 0xf80 || row === 0xf90 || row === 0xfa0)) return code | 8;
  return code === 0x1fb3 || code === 0x1fc3 || code === 0x1ff3 ? code + 9 : code;
}
