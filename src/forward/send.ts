/** One remote-write request and its answer. Never rejects: no answer is an answer too (status 0). */

import type { RemoteWriteConfig } from '../config/model.ts';
import { firstWords } from '../model/body.ts';
import { authorize } from '../credentials/authorize.ts';
import { type AuthDoors, forget } from '../credentials/tokens.ts';
import type { Answer } from './retry.ts';
import { messageOf } from '../model/error.ts';

/** As much of a remote's words as Prometheus logs. */
const ERROR_CHARS_MAX = 1024;

/** As many as Go's client follows. */
const REDIRECTS_MAX = 10;

const TIMED_OUT = Symbol('timed out');

export interface SendDoors extends AuthDoors {
  /** `Narthex/<version>`. */
  readonly userAgent: string;
}

/** `body` is a snappy-compressed message of that schema; `attempt` 0 is the first try. `fetch` reaches the remote. */
export async function send(
  remote: RemoteWriteConfig,
  schema: 1 | 2,
  body: Uint8Array,
  attempt: number,
  doors: SendDoors,
  fetch = doors.fetch,
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
      let url = remote.url;
      let refused = false;
      for (let redirects = 0; ; redirects++) {
        const headers = await headersOf(remote, url, schema, body, attempt, doors);
        const init = { method: 'POST', headers, body, redirect: 'manual', signal: abort.signal } as const;
        const response = await fetch(new Request(url, init));
        if (response.status === 401 && !refused && remote.oauth2 !== undefined && forget(remote.oauth2, doors.tokens)) {
          // The token may have been withdrawn: a new one decides.
          refused = true;
          discard(response);
          continue;
        }
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
    return head ?? { ...noAnswer(`no answer within remote_timeout (${remote.remoteTimeoutMs} ms)`), timedOut: true };
  } catch (error) {
    return head ?? noAnswer(`${new URL(remote.url).host}: ${messageOf(error)}`);
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
  written: { samples: 0, histograms: 0, exemplars: 0 },
  anyWritten: false,
  text,
});

async function headersOf(
  remote: RemoteWriteConfig,
  url: string,
  schema: 1 | 2,
  body: Uint8Array,
  attempt: number,
  doors: SendDoors,
): Promise<Headers> {
  // Configured headers first: the reserved ones below cannot be overridden (specification: MUST NOT).
  const headers = new Headers(remote.headers.map(([name, value]) => [name, value] as [string, string]));
  const content = {
    'Content-Encoding': 'snappy',
    'Content-Type':
      schema === 2 ? 'application/x-protobuf;proto=io.prometheus.write.v2.Request' : 'application/x-protobuf',
    'X-Prometheus-Remote-Write-Version': schema === 2 ? '2.0.0' : '0.1.0',
  };
  const own = {
    ...(await authorize(remote, { method: 'POST', url, headers: content, body }, doors)),
    ...content,
    'User-Agent': doors.userAgent,
    ...(attempt > 0 ? { 'Retry-Attempt': String(attempt) } : {}),
  };
  for (const [name, value] of Object.entries(own)) headers.set(name, value);
  return headers;
}

function headOf(response: Response): Answer {
  const said = (['Samples', 'Histograms', 'Exemplars'] as const).map((kind) =>
    response.headers.get(`X-Prometheus-Remote-Write-${kind}-Written`),
  );
  const [samples, histograms, exemplars] = said.map((text) => (/^\d{1,15}$/.test(text ?? '') ? Number(text) : 0));
  return {
    status: response.status,
    retryAfter: response.headers.get('Retry-After'),
    written: { samples: samples!, histograms: histograms!, exemplars: exemplars! },
    anyWritten: said.some((text) => text !== null),
    text: '',
  };
}

/** The server's words, if the answer is one that has to be explained. */
async function textOf(response: Response): Promise<string> {
  if (!response.ok && (response.status < 300 || response.status >= 400))
    return await firstWords(response.body, ERROR_CHARS_MAX);
  discard(response);
  const location = response.headers.get('Location');
  return response.ok || location === null ? '' : `a redirect to ${location.replace(/[?#].*/s, '')}`;
}

/** The body of a success is ignored (specification: MUST); it is cancelled, since an endless one would hold the connection. */
function discard(response: Response): void {
  response.body?.cancel().catch(() => undefined);
}
