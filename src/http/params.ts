/** Parameters of a query, as Prometheus' API reads them. */

/** What a caller sent is wrong: 400, `bad_data`. */
export class BadData extends Error {
  override name = 'BadData';
}

/** A whole number; null when it is not there. Throws BadData. */
export function wholeParam(name: string, text: string | undefined): number | null {
  if (text === undefined || text === '') return null;
  if (!/^[+-]?\d{1,15}$/.test(text)) throw new BadData(`${name} must be a number`);
  return Number(text);
}
