/** Answers in Prometheus' JSON envelope, `status`, `data`, `errorType`, `error`; plain text outside `/api/`. */

const COMMON = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

/** Prometheus' own words, and two for access, which it does not have. */
export type ErrorType =
  'bad_data' | 'execution' | 'internal' | 'not_found' | 'unavailable' | 'unauthorized' | 'forbidden';

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', ...COMMON, ...headers },
  });
}

export function text(status: number, body: string, headers: Record<string, string> = {}): Response {
  return new Response(`${body}\n`, {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', ...COMMON, ...headers },
  });
}

export const success = (data: unknown, status = 200): Response => json(status, { status: 'success', data });

/** An error where `path` expects it: the envelope under `/api/`, else text. `data` holds the details for programs. */
export function failure(
  path: string,
  status: number,
  errorType: ErrorType,
  error: string,
  headers: Record<string, string> = {},
  data?: unknown,
): Response {
  if (!path.startsWith('/api/')) return text(status, error, headers);
  return json(status, { status: 'error', ...(data === undefined ? {} : { data }), errorType, error }, headers);
}
