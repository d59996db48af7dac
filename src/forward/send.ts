/** One remote-write request and its answer. Never rejects: no answer is an answer too (status 0). */

import type { Credentials, RemoteWriteConfig } from '../config/model.ts';
import type { Clock, Fetch } from '../model/doors.ts';
import type { Answer } from './retry.ts';

/** As much of a remote's words as Prometheus logs. */
const ERROR_BYTES_MAX = 1024;

/** As many as Go's client follows. */
const REDIRECTS_MAX = 10;

const TIMED_OUT = Symbol('timed out');

export interface SendDoors {
  readonly clock: Clock;
  readonly fetch: Fetch;
  /** `Narthex/<version>`. */
  readonly userAgent: string;
}

/** `body` is a snappy-compressed message of that schema; `attempt` 0 is the first try. */
export async function send(
  remote: RemoteWriteConfig,
  schema: 1 | 2,
  body: Uint8Array,
  attempt: number,
  doors: SendDoors,
): Promise<Answer> {
  const abort = new AbortController();
  const timeout = doors.clock.sleepUntil(doors.clock.now() + remote.remoteTimeoutMs).then((): typeof TIMED_OUT => {
    abort.abort();
    return TIMED_OUT;
  });
  // Once there is a status it decides, whatever becomes of the body after it.
  let head: Answer | null = null;
  try {
    const exchange = async (): Promise<Answer> => {
      const headers = headersOf(remote, schema, attempt, doors.userAgent);
      let url = remote.url;
      for (let redirects = 0; ; redirects++) {
        const init = { method: 'POST', headers, body, redirect: 'manual', signal: abort.signal } as const;
        const response = await doors.fetch(new Request(url, init));
        const next = redirects < REDIRECTS_MAX ? redirectOf(remote, url, response) : null;
        if (next === null) {
          head = headOf(response);
          return { ...head, text: await textOf(response) };
        }
        discard(response);
        url = next;
      }
    };
    const answer = await Promise.race([exchange(), timeout]);
    if (answer !== TIMED_OUT) return answer;
    return head ?? noAnswer(`no answer within remote_timeout (${remote.remoteTimeoutMs} ms)`);
  } catch (error) {
    return head ?? noAnswer(`${new URL(remote.url).host}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * Where the same request should go instead; null when nowhere. Another origin gets nothing of what is for this one, and other redirects than
 * 307 and 308 turn a POST into a GET.
 */
function redirectOf(remote: RemoteWriteConfig, url: string, response: Response): string | null {
  const location = response.headers.get('Location');
  if (!remote.followRedirects || location === null || (response.status !== 307 && response.status !== 308)) return null;
  if (!URL.canParse(location, url)) return null;
  const to = new URL(location, url);
  return to.origin === new URL(url).origin ? to.href : null;
}

const noAnswer = (text: string): Answer => ({
  status: 0,
  retryAfter: null,
  samplesWritten: null,
  anyWritten: false,
  text,
});

function headersOf(remote: RemoteWriteConfig, schema: 1 | 2, attempt: number, userAgent: string): Headers {
  // Configured headers first: the reserved ones below cannot be overridden (specification: MUST NOT).
  const headers = new Headers(remote.headers.map(([name, value]) => [name, value] as [string, string]));
  const authorization = authorizationOf(remote);
  if (authorization !== null) headers.set('Authorization', authorization);
  headers.set('User-Agent', userAgent);
  headers.set('Content-Encoding', 'snappy');
  headers.set(
    'Content-Type',
    schema === 2 ? 'application/x-protobuf;proto=io.prometheus.write.v2.Request' : 'application/x-protobuf',
  );
  headers.set('X-Prometheus-Remote-Write-Version', schema === 2 ? '2.0.0' : '0.1.0');
  if (attempt > 0) headers.set('Retry-Attempt', String(attempt));
  return headers;
}

/** The Authorization header of configured credentials; null without. */
export function authorizationOf({ basicAuth, authorization }: Credentials): string | null {
  if (basicAuth !== undefined) {
    const bytes = new TextEncoder().encode(`${basicAuth.username}:${basicAuth.password}`);
    return `Basic ${btoa(String.fromCharCode(...bytes))}`;
  }
  return authorization === undefined ? null : `${authorization.type} ${authorization.credentials}`;
}

function headOf(response: Response): Answer {
  const written = (kind: string): string | null => response.headers.get(`X-Prometheus-Remote-Write-${kind}-Written`);
  const samples = written('Samples');
  const count = samples === null || !/^\d{1,15}$/.test(samples) ? null : Number(samples);
  return {
    status: response.status,
    retryAfter: response.headers.get('Retry-After'),
    samplesWritten: count,
    anyWritten: samples !== null || written('Histograms') !== null || written('Exemplars') !== null,
    text: '',
  };
}

/** The server's words, if the answer is one that has to be explained. */
async function textOf(response: Response): Promise<string> {
  if (!response.ok && (response.status < 300 || response.status >= 400)) return await firstBytes(response);
  discard(response);
  const location = response.headers.get('Location');
  return response.ok || location === null ? '' : `a redirect to ${location.replace(/[?#].*/s, '')}`;
}

/** The body of a success is ignored (specification: MUST); it is cancelled, since an endless one would hold the connection. */
function discard(response: Response): void {
  response.body?.cancel().catch(() => undefined);
}

async function firstBytes(response: Response): Promise<string> {
  const reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array> | undefined;
  if (reader === undefined) return '';
  const text = new TextDecoder();
  let out = '';
  try {
    while (out.length < ERROR_BYTES_MAX) {
      const { done, value } = await reader.read();
      if (done) break;
      out += text.decode(value, { stream: true });
    }
  } catch {
    // What came before the connection broke is what the server said.
  }
  reader.cancel().catch(() => undefined);
  return out.slice(0, ERROR_BYTES_MAX);
}
