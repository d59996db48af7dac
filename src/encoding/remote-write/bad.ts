/** Why one series of a message that is otherwise whole cannot be taken: the codes in `Decoded.bad`. */

export const BAD_ODD_REFS = 1;
export const BAD_REF = 2;
export const BAD_TIMESTAMP = 3;

const TEXTS: readonly string[] = [
  '',
  'its labels_refs are not pairs of a name and a value',
  'it refers to a symbol that the request does not have',
  'a timestamp is beyond ±2^53 ms',
];

/** A code in words. */
export function badText(code: number): string {
  return TEXTS[code] ?? `code ${code}`;
}
