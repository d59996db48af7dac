/**
 * Scraping lanes: crons whose strings differ but mean every minute. Each is an invocation of its own, with connections of its own, and serves every
 * n-th agent. `NARTHEX_SCRAPE_LANES` says how many there are; the crons of wrangler.toml are the first so many of these.
 */

export const SCRAPE_CRONS: readonly string[] = [
  '* * * * *',
  '0-59 * * * *',
  '* 0-23 * * *',
  '* * 1-31 * *',
  '* * * 1-12 *',
  '0-59 0-23 * * *',
  '0-59 * 1-31 * *',
  '0-59 * * 1-12 *',
];

/** The number in the variable. Throws an Error that says what it may be. */
export function lanesOf(text: string | undefined): number {
  const lanes = Number(text?.trim() || '1');
  if (!Number.isInteger(lanes) || lanes < 1 || lanes > SCRAPE_CRONS.length)
    throw new Error(`NARTHEX_SCRAPE_LANES is ${JSON.stringify(text)}: it may be 1 to ${SCRAPE_CRONS.length}`);
  return lanes;
}

/** What does not fit between the crons of a deployment and the number of its lanes; null when they fit. */
export function lanesProblem(crons: readonly string[], lanes: number): string | null {
  const missing = SCRAPE_CRONS.slice(0, lanes).filter((cron) => !crons.includes(cron));
  const idle = SCRAPE_CRONS.slice(lanes).filter((cron) => crons.includes(cron));
  const said = `NARTHEX_SCRAPE_LANES is ${lanes}`;
  if (missing.length > 0) return `${said}, and [triggers] crons lacks ${missing.map(quoted).join(' and ')}`;
  if (idle.length > 0)
    return `${said}, and [triggers] crons has ${idle.map(quoted).join(' and ')}: make it ${SCRAPE_CRONS.indexOf(idle.at(-1)!) + 1}, or remove them`;
  return null;
}

const quoted = (cron: string): string => JSON.stringify(cron);
