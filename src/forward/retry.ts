/**
 * What to do with a remote's answer: one pure table. It is not a client, keeps no state and reads no clock.
 *
 *   2xx                          sent. With 2.0 and no Written header at all: the receiver did not understand 2.0, and nothing is written (2.0
 *                                specification: CAN assume so, SHOULD be treated as 415).
 *   415 to a 2.0 request         the same samples go again as 1.0 (MAY), but where `protobuf_message` is given: then like other 4xx.
 *   413                          the same samples go again in requests half as large, unless the request was small already: then like other 4xx.
 *   400, 409, 422 to records     each goes again by itself: what is wrong, or there already, is in one of them, and of 1.0 the others were refused with it.
 *     that were joined           They are requests that the remote was not asked for yet.
 *   5xx, 429, no answer          again, without limit, with backoff (MUST for 5xx; 429 MAY, and dropping it is loss).
 *   3xx                          again: a wrong URL is the owner's to mend, not a reason to lose samples.
 *   other 4xx                    never again (MUST NOT). What the Written headers count was stored; the rest is dropped with its status.
 */

/** `samples` without histograms, as the headers have them. */
export interface Counts {
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
}

export interface Answer {
  /** 0 when there was no answer (network error, timeout). */
  readonly status: number;
  readonly retryAfter: string | null;
  /** X-Prometheus-Remote-Write-Samples-Written and its like; 0 when absent, or no number. */
  readonly written: Counts;
  /** Whether any of the three Written headers was there. */
  readonly anyWritten: boolean;
  /** The server's words, or the network's. */
  readonly text: string;
  /** There was none within remote_timeout. */
  readonly timedOut?: boolean;
}

export interface Attempt {
  readonly schema: 1 | 2;
  /** `protobuf_message` is given: it is this schema or none. */
  readonly fixed: boolean;
  /** Histograms are among them. */
  readonly samples: number;
  /** Of the request, uncompressed. */
  readonly bytes: number;
  /** Whether it can be split. */
  readonly divisible: boolean;
  /** Several records in one request: only in 1.0. */
  readonly joined: boolean;
  /** 0 for the first try. */
  readonly attempt: number;
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly nowMs: number;
  /** [0, 1): jitter. */
  readonly random: number;
}

export type Decision =
  | { readonly kind: 'sent' }
  | { readonly kind: 'again'; readonly afterMs: number; readonly error: string }
  | { readonly kind: 'as 1.0'; readonly error: string }
  | { readonly kind: 'apart'; readonly error: string }
  | { readonly kind: 'smaller'; readonly samplesMax: number; readonly error: string }
  | { readonly kind: 'dropped'; readonly sent: number; readonly reason: string; readonly error: string };

const FIXED = 'protobuf_message is given, so 1.0 is not tried: leave it out to fall back';

/** Statuses that judge what a request holds: Prometheus' for samples out of order, Thanos', and what others say of invalid ones. */
const OF_CONTENTS = new Set([400, 409, 422]);

/** A request this small is refused for another reason than its size, whatever the remote says. */
const SMALL_SAMPLES = 500;
const SMALL_BYTES = 64 * 1024;

export function decide(answer: Answer, attempt: Attempt): Decision {
  const { status } = answer;
  const said = answer.text.trim() === '' ? '' : `: ${answer.text.trim()}`;
  if (status >= 200 && status < 300) {
    if (attempt.schema === 1 || answer.anyWritten || attempt.samples === 0) return { kind: 'sent' };
    const error = `status ${status} without a Written header: the remote does not speak Remote Write 2.0`;
    if (!attempt.fixed) return { kind: 'as 1.0', error };
    return { kind: 'dropped', sent: 0, reason: `http_${status}`, error: `${error}, ${FIXED}` };
  }
  if (status === 415 && attempt.schema === 2) {
    const error = `status 415 to Remote Write 2.0${said}`;
    if (!attempt.fixed) return { kind: 'as 1.0', error };
    return { kind: 'dropped', sent: 0, reason: 'http_415', error: `${error}; ${FIXED}` };
  }
  if (status === 0 || status === 429 || status >= 500 || status < 400) {
    const error = status === 0 ? answer.text : `status ${status}${said}`;
    return { kind: 'again', afterMs: backoffMs(answer.retryAfter, attempt), error };
  }
  if (status === 413 && attempt.divisible && attempt.samples > SMALL_SAMPLES && attempt.bytes > SMALL_BYTES) {
    const samplesMax = Math.max(SMALL_SAMPLES, Math.ceil(attempt.samples / 2));
    return { kind: 'smaller', samplesMax, error: `status 413 to ${attempt.samples} samples${said}` };
  }
  if (attempt.joined && OF_CONTENTS.has(status)) {
    return {
      kind: 'apart',
      error: `status ${status} to several records in one request${said}; each is sent by itself`,
    };
  }
  const { samples, histograms } = answer.written;
  const sent = attempt.schema === 2 ? Math.min(attempt.samples, samples + histograms) : 0;
  return { kind: 'dropped', sent, reason: `http_${status}`, error: `status ${status}${said}` };
}

/** Retry-After is capped: a remote that says "in a year" is asked again within the hour. */
const RETRY_AFTER_MAX_MS = 60 * 60 * 1000;

/** Doubles from the least to the most, or what the remote asked for where that is longer; jitter within ±10 %. */
function backoffMs(retryAfter: string | null, { attempt, minBackoffMs, maxBackoffMs, nowMs, random }: Attempt): number {
  const own = Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(attempt, 30));
  const asked = Math.min(RETRY_AFTER_MAX_MS, retryAfterMs(retryAfter, nowMs));
  return Math.max(asked, own * (0.9 + 0.2 * random));
}

/** Retry-After in seconds or as a date (RFC 9110, 10.2.3); 0 when absent or neither. */
function retryAfterMs(value: string | null, nowMs: number): number {
  if (value === null) return 0;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? 0 : Math.max(0, at - nowMs);
}
