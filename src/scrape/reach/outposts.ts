/**
 * What a run and an outpost say to each other: a target's request and answer, as they are. What went wrong between outpost and target comes as an
 * answer too, since errors lose their words on the way through an object's door.
 */

import type { Fetch } from '../../model/doors.ts';

/** Marks an answer that is not a target's. One that a target marks so is a failed scrape, and no more. */
const FAILURE = 'narthex-outpost-failure';
const REASON_CHARS_MAX = 300;
/** Of a request that does not say how long its scrape waits. */
const DEFAULT_TIMEOUT_MS = 10_000;

export function failure(error: unknown): Response {
  const reason = error instanceof Error ? error.message : String(error);
  return new Response(reason.slice(0, REASON_CHARS_MAX), { status: 502, headers: { [FAILURE]: '1' } });
}

/** How long the scrape waits that a request is of. */
export function timeoutMsOf(request: Request): number {
  const ms = Number(request.headers.get('x-prometheus-scrape-timeout-seconds')) * 1000;
  return ms > 0 && Number.isFinite(ms) ? ms : DEFAULT_TIMEOUT_MS;
}

/** The door that leads through an outpost. */
export function fromOutpost(outpost: Fetch): Fetch {
  return async (request) => {
    const response = await outpost(request);
    if (response.headers.has(FAILURE)) throw new Error((await response.text()).slice(0, REASON_CHARS_MAX));
    return response;
  };
}
