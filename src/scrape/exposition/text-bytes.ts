/** Bytes and strings of the text format, without its grammar: character classes, escapes, and what an error shows of a line. */

export const LF = 0x0a;
export const QUOTE = 0x22;
export const HASH = 0x23;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const EQUALS = 0x3d;
export const BACKSLASH = 0x5c;
export const OPEN = 0x7b;
export const CLOSE = 0x7d;

export const isBlank = (c: number | undefined): boolean => c === 0x20 || c === 0x09;
/** First byte of a label name; a metric name may also start with a colon. */
export const isNameStart = (c: number): boolean => (c >= 0x61 && c <= 0x7a) || (c >= 0x41 && c <= 0x5a) || c === 0x5f;
export const isNameByte = (c: number): boolean => isNameStart(c) || (c >= 0x30 && c <= 0x39);

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of a range, or null when it is not UTF-8. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string | null {
  // Short and plain is the rule, and cheaper than a call of the decoder.
  if (end - start <= 24) {
    let text = '';
    let at = start;
    for (; at < end && bytes[at]! < 0x80; at++) text += String.fromCharCode(bytes[at]!);
    if (at === end) return text;
  }
  try {
    return UTF8.decode(bytes.subarray(start, end));
  } catch {
    return null;
  }
}

/** Names and label values: `\"`, `\\` and `\n` are escapes, any other backslash stays. */
export function unescapeLabel(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/\\["\\n]/g, (escape) => (escape === '\\n' ? '\n' : escape.charAt(1)));
}

/** HELP texts: `\\` and `\n` are escapes, any other backslash stays. */
export function unescapeHelp(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/\\[\\n]/g, (escape) => (escape === '\\n' ? '\n' : '\\'));
}

/** The page is not in the text format. The message has the line's number and the line, shortened. */
export class TextError extends Error {
  override name = 'TextError';
}

/** It is none for bytes that are not UTF-8. */
export class EncodingError extends TextError {}

/** An error about the byte at `at` in the line that starts at `line`. */
export function lineError(bytes: Uint8Array, line: number, at: number, wanted: string): TextError {
  let number = 1;
  for (let i = 0; i < line; i++) if (bytes[i] === LF) number++;
  const got = at < bytes.length ? quote(bytes, at, Math.min(at + 10, bytes.length)) : 'the end of the page';
  const lineEnd = bytes.indexOf(LF, at);
  const to = Math.min(lineEnd < 0 ? bytes.length : lineEnd, at + 20, bytes.length);
  const from = Math.max(line, to - 100);
  return new TextError(
    `line ${number}: expected ${wanted}, got ${got} in ${from > line ? '…' : ''}${quote(bytes, from, to)}`,
  );
}

/** Bytes for a message: quoted, with what is not printable escaped. */
function quote(bytes: Uint8Array, start: number, end: number): string {
  return JSON.stringify(new TextDecoder().decode(bytes.subarray(start, end)));
}
