/** Talks to a deployment, here or anywhere: Prometheus' JSON envelope, and errors that say what to do about them. */

import { Failure, UsageError } from './failure.ts';
import { messageOf } from '../model/error.ts';

export interface Api {
  /** The `data` of a JSON answer. */
  get(path: string): Promise<unknown>;
  /** Any method; whatever the status says, the body is read. */
  call(method: string, path: string, init?: CallInit): Promise<Answer>;
  /** An answer whose body is not read yet; any other status than 200 throws. */
  download(path: string): Promise<Response>;
  /** What went wrong, from an answer that is not what was hoped for. */
  failure(method: string, path: string, answer: Answer): Failure;
}

export interface CallInit {
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly data: unknown;
  /** The envelope's `error`, or the beginning of a body that is no envelope; empty when there is nothing to say. */
  readonly error: string;
}

const DEFAULT_URL = 'http://127.0.0.1:8787';
const TEXT_MAX = 300;

/** From `--url` and `--token`, or `NARTHEX_URL` and `NARTHEX_TOKEN`. */
export function apiFrom(values: { readonly url?: string | undefined; readonly token?: string | undefined }): Api {
  const env = (name: string): string | undefined => process.env[name] || undefined;
  return apiTo(values.url ?? env('NARTHEX_URL') ?? DEFAULT_URL, values.token ?? env('NARTHEX_TOKEN') ?? null);
}

export function apiTo(url: string, token: string | null): Api {
  const base = URL.parse(url);
  if (base === null || !/^https?:$/.test(base.protocol)) {
    throw new UsageError(`--url ${JSON.stringify(url)} is no http:// or https:// address`);
  }
  const prefix = base.href.split(/[?#]/)[0]!.replace(/\/+$/, '');

  async function send(method: string, path: string, init: CallInit = {}): Promise<Response> {
    const headers = { ...init.headers, ...(token === null ? {} : { authorization: `Bearer ${token}` }) };
    try {
      return await fetch(prefix + path, {
        method,
        headers,
        redirect: 'manual',
        ...(init.body === undefined ? {} : { body: init.body }),
      });
    } catch (error) {
      const cause = (error as { cause?: unknown }).cause;
      throw new Failure(
        `${prefix} does not answer (${messageOf(cause ?? error) || 'connection failed'}): start it with \`npm start\`, or point --url or NARTHEX_URL at your deployment`,
      );
    }
  }

  function failure(method: string, path: string, { status, error }: Answer): Failure {
    const said = error === '' ? '' : `: ${error}`;
    return new Failure(`${method} ${prefix}${path} answered ${status}${said}${hint(status, token !== null)}`);
  }

  const api: Api = {
    failure,
    call: async (method, path, init) => readAnswer(await send(method, path, init)),
    get: async (path) => {
      const answer = await api.call('GET', path);
      if (answer.status !== 200) throw failure('GET', path, answer);
      return answer.data;
    },
    download: async (path) => {
      const response = await send('GET', path);
      if (response.status !== 200) throw failure('GET', path, await readAnswer(response));
      return response;
    },
  };
  return api;
}

async function readAnswer(response: Response): Promise<Answer> {
  const text = await response.text();
  const { status } = response;
  const location = response.headers.get('location');
  if (location !== null) return { status, data: null, error: `it redirects to ${location}` };
  try {
    const body = JSON.parse(text) as { data?: unknown; error?: unknown };
    return { status, data: body.data ?? null, error: typeof body.error === 'string' ? body.error : '' };
  } catch {
    const error = status === 200 ? 'a body that is not JSON: is this a narthex?' : text.trim().slice(0, TEXT_MAX);
    return { status: status === 200 ? 502 : status, data: null, error };
  }
}

function hint(status: number, sent: boolean): string {
  if (status !== 401 || sent) return '';
  return ' (give a token with --token or NARTHEX_TOKEN; `narthex token new` makes one)';
}
