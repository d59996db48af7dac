/**
 * One scrape over HTTP: request, redirects, body. It knows nothing of what the body says.
 *
 * The one invariant: it always ends, with a result, within the target's timeout and the body limit, whatever the target does.
 */

import { authorizationOf } from '../../credentials/authorize.ts';
import { forget, type Tokens } from '../../credentials/tokens.ts';
import { readStream } from '../../model/body.ts';
import type { Clock, Fetch } from '../../model/doors.ts';
import { acceptHeader, bodyFormat, type BodyFormat } from '../exposition/formats.ts';
import { SELF, type Target } from '../target.ts';

/** The largest body that is read, uncompressed, where the configuration asks for no smaller limit: several are in memory at once. */
export const SCRAPE_BODY_BYTES_MAX = 10_000_000;
const REDIRECTS_MAX = 10;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
/** A scrape that begins this close to its slot has the slot's timestamp, so that intervals compress; but never more than 1 % of the interval off. */
const TOLERANCE_MS_MAX = 100;

/** What came of a scrape. Plain data: it crosses RPC. */
export interface ScrapeResult {
  readonly slotMs: number;
  /** The samples' timestamp, Unix ms: the slot, or the true start beyond the tolerance. */
  readonly timestampMs: number;
  readonly durationMs: number;
  /** Bytes of the body, uncompressed; 0 when there is none, −1 when it is over the limit. */
  readonly bodyBytes: number;
  /** Owns its buffer; null when there is an error. */
  readonly body: Uint8Array<ArrayBuffer> | null;
  /** How to read the body. */
  readonly format: BodyFormat;
  readonly error: string | null;
}

export interface ScrapeDoors {
  readonly clock: Clock;
  /** How the target is reached. */
  readonly fetch: Fetch;
  /** How those are who give tokens for `oauth2`. */
  readonly network: Fetch;
  /** Of `oauth2`. */
  readonly tokens: Tokens;
  readonly userAgent: string;
  readonly bodyBytesMax: number;
}

/** What goes wrong with a target, in words for its operator. */
class ScrapeError extends Error {}
class TooLarge extends ScrapeError {}

/**
 * Scrapes a target for a slot, now. Its timeout counts from the slot: who waited for a connection has less of it. Never rejects: what goes wrong
 * is the result's `error`.
 */
export async function scrapeTarget(target: Target, slotMs: number, doors: ScrapeDoors): Promise<ScrapeResult> {
  // In production time stands still during computation: these two readings are on both sides of the waiting.
  const startMs = doors.clock.now();
  const toleranceMs = Math.min(target.intervalMs / 100, TOLERANCE_MS_MAX);
  const timestampMs = Math.abs(startMs - slotMs) <= toleranceMs ? slotMs : startMs;

  if (target.refusal !== undefined) {
    const nothing = { durationMs: 0, bodyBytes: 0, body: null, format: 'text' as const };
    return { slotMs, timestampMs, ...nothing, error: target.refusal };
  }

  const abort = new AbortController();
  let over = false;
  const deadline = new Promise<never>((_, reject) => {
    void doors.clock.sleepUntil(slotMs + target.timeoutMs).then(() => {
      if (over) return;
      const late = new ScrapeError(
        `no complete answer within the timeout of ${target.timeoutMs / 1000} s (raise scrape_timeout, or make the target faster)`,
      );
      abort.abort(late);
      reject(late);
    });
  });
  deadline.catch(() => undefined);
  let body: Uint8Array<ArrayBuffer> | null = null;
  let format: BodyFormat = 'text';
  let error: string | null = null;
  let bodyBytes = 0;
  try {
    const response = await follow(target, doors, abort.signal, deadline);
    body = await readLimited(response, target, doors.bodyBytesMax, deadline);
    bodyBytes = body.length;
    // An empty body has no format.
    if (body.length > 0) format = formatOf(response, target);
  } catch (reason) {
    body = null;
    if (reason instanceof TooLarge) bodyBytes = -1;
    error = reason instanceof ScrapeError ? reason.message : `cannot scrape ${hostOf(target.url)}: ${wordsOf(reason)}`;
    // Lets go of what is still under way: a connection that hangs holds one of six.
    abort.abort(reason);
  }
  over = true;
  const durationMs = doors.clock.now() - startMs;
  return { slotMs, timestampMs, durationMs, bodyBytes, body, format, error };
}

/** The answer with status 200, after redirects. */
async function follow(
  target: Target,
  doors: ScrapeDoors,
  signal: AbortSignal,
  deadline: Promise<never>,
): Promise<Response> {
  const origin = new URL(target.url).origin;
  let url = target.url;
  let trusted = true;
  let refused = false;
  for (let redirects = 0; ; redirects++) {
    // Once a redirect has left the origin, no configured header is sent any more, not even back at home.
    trusted &&= new URL(url).origin === origin;
    const asking = headersOf(target, doors, trusted);
    asking.catch(() => undefined);
    const headers = await Promise.race([asking, deadline]);
    const asked = doors.fetch(new Request(url, { headers, redirect: 'manual', signal }));
    asked.catch(() => undefined);
    const response = await Promise.race([asked, deadline]);
    if (response.status === 200) return response;
    void response.body?.cancel().catch(() => undefined);
    // A token may have been withdrawn: once with another.
    const { oauth2 } = target.config;
    if (response.status === 401 && trusted && !refused && oauth2 !== undefined && forget(oauth2, doors.tokens)) {
      refused = true;
      continue;
    }
    const location = response.headers.get('location');
    if (!target.config.followRedirects || !REDIRECTS.includes(response.status) || location === null) {
      throw new ScrapeError(`server returned HTTP status ${response.status} ${response.statusText}`.trimEnd());
    }
    if (redirects === REDIRECTS_MAX) throw new ScrapeError(`more than ${REDIRECTS_MAX} redirects`);
    url = redirected(url, location);
  }
}

/** Where a redirect leads. Never to the deployment itself from elsewhere, which the configuration alone may name. */
function redirected(from: string, location: string): string {
  const shown = JSON.stringify(location.slice(0, 200));
  if (!URL.canParse(location, from)) throw new ScrapeError(`redirected to ${shown}, which is not a URL`);
  const to = new URL(location, from);
  if (to.protocol !== 'http:' && to.protocol !== 'https:') {
    throw new ScrapeError(`redirected to ${shown}: only http and https are followed`);
  }
  if ((to.hostname === SELF) !== (new URL(from).hostname === SELF)) {
    throw new ScrapeError(`redirected to ${shown}: no redirect leads to or from "${SELF}"`);
  }
  return to.href;
}

async function headersOf(
  { config, timeoutMs }: Target,
  { clock, network, tokens, userAgent }: ScrapeDoors,
  trusted: boolean,
): Promise<Headers> {
  const headers = new Headers({
    accept: acceptHeader(config.scrapeProtocols, config.metricNameEscapingScheme),
    'accept-encoding': config.enableCompression ? 'gzip' : 'identity',
    'user-agent': userAgent,
    'x-prometheus-scrape-timeout-seconds': String(timeoutMs / 1000),
  });
  if (!trusted) return headers;
  for (const [name, value] of config.httpHeaders) headers.append(name, value);
  const authorization = await authorizationOf(config, { clock, fetch: network, tokens });
  if (authorization !== null) headers.set('authorization', authorization);
  return headers;
}

/** Reads a body, decompressed by `fetch`, up to the limit. */
async function readLimited(
  response: Response,
  { config }: Target,
  bodyBytesMax: number,
  deadline: Promise<never>,
): Promise<Uint8Array<ArrayBuffer>> {
  const configured = config.bodySizeLimit > 0 && config.bodySizeLimit < bodyBytesMax;
  // Prometheus refuses a body of exactly the limit as well.
  const bytesMax = configured ? config.bodySizeLimit - 1 : bodyBytesMax;
  const tooLarge = (bytes: string): TooLarge =>
    new TooLarge(
      `body size limit exceeded: ${bytes} bytes, ${
        configured
          ? `body_size_limit is ${config.bodySizeLimit} (raise it, or let the target expose less)`
          : `the most that is read here is ${bodyBytesMax} (let the target expose less, or split it over several paths)`
      }`,
    );
  const declared = Number(response.headers.get('content-length') ?? 0);
  if (declared > bytesMax && !response.headers.has('content-encoding')) {
    void response.body?.cancel().catch(() => undefined);
    throw tooLarge(String(declared));
  }
  const body = await readStream(response.body, bytesMax, { deadline });
  if (body === null) throw tooLarge(`${bytesMax + 1} or more`);
  return body;
}

function formatOf(response: Response, { config }: Target): BodyFormat {
  const read = bodyFormat(response.headers.get('content-type') ?? '', config.fallbackScrapeProtocol);
  if ('error' in read) throw new ScrapeError(read.error);
  return read.format;
}

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : url.slice(0, 200));

/** The reason of a network error. Node hides it in `cause`. */
function wordsOf(reason: unknown): string {
  if (!(reason instanceof Error)) return String(reason);
  const { cause } = reason;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message;
  return cause instanceof Error && cause.message !== '' ? cause.message : reason.message;
}
