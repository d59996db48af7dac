/**
 * One question over HTTP, as the kinds ask it. The one invariant: it always ends, within its time and its limit of bytes, and no other
 * origin than the configured one ever gets a configured header.
 */

import type { Credentials, HttpDiscovery } from '../config/model.ts';
import { authorizationOf } from '../credentials/authorize.ts';
import { forget } from '../credentials/tokens.ts';
import { textOf } from '../encoding/utf8.ts';
import { readStream } from '../model/body.ts';
import { SELF } from '../scrape/target.ts';
import { type DiscoveryDoors, DiscoveryError } from './kind.ts';

/** The largest answer that is read, uncompressed: as text and as JSON it must fit into an isolate beside what is scraped. */
export const ANSWER_BYTES_MAX = 16_000_000;
/** A question that takes longer holds one of the six connections of a run for too long. */
export const TIMEOUT_MS_MAX = 30_000;
const REDIRECTS_MAX = 10;

/** Who asks, in the headers of every request to the configured origin. */
export type Identity = Credentials & Pick<HttpDiscovery, 'oauth2' | 'httpHeaders'>;

export interface Question {
  readonly url: string;
  readonly credentials: Identity;
  readonly headers: Readonly<Record<string, string>>;
  readonly followRedirects: boolean;
  readonly timeoutMs: number;
}

export interface AnswerText {
  readonly headers: Headers;
  readonly text: string;
}

/** The answer with status 200. Throws DiscoveryError. */
export async function ask(question: Question, doors: DiscoveryDoors): Promise<AnswerText> {
  const timeoutMs = Math.min(question.timeoutMs, TIMEOUT_MS_MAX);
  const abort = new AbortController();
  const late = new DiscoveryError(`no complete answer within ${timeoutMs / 1000} s`);
  const deadline = doors.clock.sleepUntil(doors.clock.now() + timeoutMs).then(() => {
    abort.abort(late);
    throw late;
  });
  deadline.catch(() => undefined);
  try {
    const asked = exchange(question, doors, abort.signal);
    asked.catch(() => undefined);
    return await Promise.race([asked, deadline]);
  } catch (reason) {
    abort.abort(reason);
    if (reason instanceof DiscoveryError) throw reason;
    throw new DiscoveryError(`cannot ask ${new URL(question.url).host}: ${wordsOf(reason)}`);
  }
}

/** The answer as JSON. */
export async function askJson(question: Question, doors: DiscoveryDoors): Promise<unknown> {
  const { text } = await ask(question, doors);
  return parseJson(text);
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new DiscoveryError(`the answer is not JSON: it begins with ${JSON.stringify(text.slice(0, 80))}`);
  }
}

async function exchange(question: Question, doors: DiscoveryDoors, signal: AbortSignal): Promise<AnswerText> {
  const origin = new URL(question.url).origin;
  const fetch = doors.fetchFor(question.url);
  let url = question.url;
  let trusted = true;
  let refused = false;
  const { oauth2, httpHeaders = [] } = question.credentials;
  for (let redirects = 0; ; redirects++) {
    // Once a redirect has left the origin, no configured header is sent any more, not even back at home.
    trusted &&= new URL(url).origin === origin;
    const headers = new Headers({ 'user-agent': doors.userAgent });
    if (trusted) {
      for (const [name, value] of Object.entries(question.headers)) headers.set(name, value);
      for (const [name, value] of httpHeaders) headers.append(name, value);
      const toTokens = oauth2 === undefined ? fetch : doors.fetchFor(oauth2.tokenUrl);
      const authorization = await authorizationOf(question.credentials, { ...doors, fetch: toTokens });
      if (authorization !== null) headers.set('authorization', authorization);
    }
    if (question.headers['accept'] !== undefined) headers.set('accept', question.headers['accept']);
    const response = await fetch(new Request(url, { headers, redirect: 'manual', signal }));
    if (response.status === 200) return { headers: response.headers, text: await readText(response) };
    void response.body?.cancel().catch(() => undefined);
    // A token may have been withdrawn: once with another.
    if (response.status === 401 && trusted && !refused && oauth2 !== undefined && forget(oauth2, doors.tokens)) {
      refused = true;
      continue;
    }
    const location = response.headers.get('location');
    if (!question.followRedirects || ![301, 302, 303, 307, 308].includes(response.status) || location === null) {
      throw new DiscoveryError(`server returned HTTP status ${response.status} ${response.statusText}`.trimEnd());
    }
    if (redirects === REDIRECTS_MAX) throw new DiscoveryError(`more than ${REDIRECTS_MAX} redirects`);
    url = redirected(url, location);
  }
}

function redirected(from: string, location: string): string {
  const to = URL.canParse(location, from) ? new URL(location, from) : null;
  if (to === null || !/^https?:$/.test(to.protocol) || to.hostname === SELF)
    throw new DiscoveryError(`redirected to ${JSON.stringify(location.slice(0, 200))}, which is not followed`);
  return to.href;
}

async function readText(response: Response): Promise<string> {
  const body = await readStream(response.body, ANSWER_BYTES_MAX);
  if (body === null) {
    throw new DiscoveryError(`the answer has more than ${ANSWER_BYTES_MAX} bytes (narrow what is asked for)`);
  }
  const text = textOf(body);
  if (text === null) throw new DiscoveryError('the answer is not UTF-8');
  return text;
}

/** The reason of a network error. Node hides it in `cause`. */
function wordsOf(reason: unknown): string {
  if (!(reason instanceof Error)) return String(reason);
  return reason.cause instanceof Error && reason.cause.message !== '' ? reason.cause.message : reason.message;
}
