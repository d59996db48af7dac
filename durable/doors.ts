/** The doors of `src/` as a deployment opens them. */

import type { Tokens } from '../src/credentials/tokens.ts';
import { isIpAddress } from '../src/config/addresses.ts';
import type { Clock, Fetch } from '../src/model/doors.ts';

export const clock: Clock = {
  now: () => Date.now(),
  sleepUntil: (atMs) => scheduler.wait(Math.max(0, atMs - Date.now())),
};

/** Lines for the deployment's log, as structured JSON. */
export const info = (message: string): void => console.log(JSON.stringify({ level: 'info', msg: message }));
export const warn = (message: string, fields: Readonly<Record<string, string>> = {}): void =>
  console.warn(JSON.stringify({ level: 'warn', msg: message, ...fields }));

/** `fetch` to the network; `fetch` itself must not be called as a method of something else. */
export const network: Fetch = (request) => fetch(request);

/** The network as a deployment has it, which cannot fetch an IP address; on a machine of one's own it can. */
export const networkOf = (env: { readonly NARTHEX_OPEN?: string }, door: Fetch = network): Fetch =>
  env.NARTHEX_OPEN === undefined ? namesOnly(door) : door;

/** Says what the platform answers with nothing but an error 1003. */
const namesOnly =
  (door: Fetch): Fetch =>
  async (request) => {
    if (isIpAddress(new URL(request.url).hostname)) throw new Error(NO_IP);
    return await door(request);
  };

const NO_IP = 'Cloudflare Workers cannot fetch a bare IP address: use a host name, or a private network (NARTHEX_VPC)';

/** OAuth 2.0 tokens of this isolate. */
export const tokens: Tokens = new Map();
