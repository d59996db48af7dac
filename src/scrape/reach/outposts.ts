/**
 * What a run and an outpost say to each other: a target's request and answer, as they are. What went wrong between outpost and target comes as an
 * answer too, since errors lose their words on the way through an object's door.
 */

import type { Fetch } from '../../model/doors.ts';
import { messageOf } from '../../model/error.ts';

/** Marks an answer that is not a target's. One that a target marks so is a failed scrape, and no more. */
const FAILURE = 'narthex-outpost-failure';
/** Names a request between run and outpost; no target sees it. */
const QUESTION = 'narthex-outpost-question';
const REASON_CHARS_MAX = 300;
/** Of a request that does not say how long its scrape waits. */
const DEFAULT_TIMEOUT_MS = 10_000;

export function failure(error: unknown): Response {
  const reason = messageOf(error);
  return new Response(reason.slice(0, REASON_CHARS_MAX), { status: 502, headers: { [FAILURE]: '1' } });
}

/** How long the scrape waits that a request is of. */
export function timeoutMsOf(request: Request): number {
  const ms = Number(request.headers.get('x-prometheus-scrape-timeout-seconds')) * 1000;
  return ms > 0 && Number.isFinite(ms) ? ms : DEFAULT_TIMEOUT_MS;
}

export interface OutpostDoor {
  readonly fetch: Fetch;
  /** Nobody waits for the answer to that question any more. */
  readonly letGo: (question: string) => Promise<void>;
}

/**
 * The door that leads through an outpost. What ends a request here ends only what is seen of it here (seen on workerd 1.20261102), so the outpost is told. `question`
 * makes names that no other question under way has.
 */
export function fromOutpost({ fetch, letGo }: OutpostDoor, question: () => string): Fetch {
  return async (request) => {
    const name = question();
    const headers = new Headers(request.headers);
    headers.set(QUESTION, name);
    // An outpost that does not learn of it gives up in time by itself.
    const abort = (): void => void letGo(name).catch(() => undefined);
    request.signal.addEventListener('abort', abort, { once: true });
    let response: Response;
    try {
      response = await fetch(new Request(request, { headers }));
    } finally {
      request.signal.removeEventListener('abort', abort);
    }
    if (response.headers.has(FAILURE)) throw new Error((await response.text()).slice(0, REASON_CHARS_MAX));
    return response;
  };
}

/** The outpost's side: what the target is asked, and the name of the question; empty when a run of an earlier version asks. */
export function asked(request: Request): { question: string; headers: Headers } {
  const headers = new Headers(request.headers);
  const question = headers.get(QUESTION) ?? '';
  headers.delete(QUESTION);
  return { question, headers };
}
