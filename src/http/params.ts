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

/** A time, RFC 3339 or Unix seconds, as Unix ms; null when it is not there. Throws BadData. */
export function timeParam(name: string, text: string | null): number | null {
  if (text === null || text === '') return null;
  const ms = timeOf(text);
  if (ms === null)
    throw new BadData(`invalid parameter "${name}": cannot parse ${JSON.stringify(text)} to a valid timestamp`);
  return ms;
}

/** Unix ms of an RFC 3339 time or Unix seconds; null for what is no time. */
export function timeOf(text: string): number | null {
  const ms = /^-?\d{1,12}(\.\d+)?$/.test(text)
    ? Math.round(Number(text) * 1000)
    : /^\d{4}-\d\d-\d\dT/.test(text)
      ? Date.parse(text)
      : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}
