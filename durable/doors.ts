/** The doors of `src/` as a deployment opens them. */

import type { Tokens } from '../src/forward/auth/authorize.ts';
import type { Clock } from '../src/model/doors.ts';

export const clock: Clock = {
  now: () => Date.now(),
  sleepUntil: (atMs) => scheduler.wait(Math.max(0, atMs - Date.now())),
};

/** Lines for the deployment's log, as structured JSON. */
export const info = (message: string): void => console.log(JSON.stringify({ level: 'info', msg: message }));
export const warn = (message: string, fields: Readonly<Record<string, string>> = {}): void =>
  console.warn(JSON.stringify({ level: 'warn', msg: message, ...fields }));

/** `fetch` to the network; `fetch` itself must not be called as a method of something else. */
export const network = (request: Request): Promise<Response> => fetch(request);

/** OAuth 2.0 tokens of this isolate. */
export const tokens: Tokens = new Map();
