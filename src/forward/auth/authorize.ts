/**
 * Who a request to a remote says that it is from: the headers that its configured credentials add. Basic auth and a fixed authorization are known
 * at once, OAuth 2.0 may have to ask for a token first, SigV4 signs the request as it will be sent.
 */

import type { Credentials, RemoteWriteConfig } from '../../config/model.ts';
import type { Clock, Fetch } from '../../model/doors.ts';
import { bearer } from './oauth2.ts';
import { keysOf } from './role.ts';
import { signature } from './sigv4.ts';

/** Tokens by what they were given for: an isolate's memory, and no more than that. */
export type Tokens = Map<string, { readonly token: string; readonly untilMs: number }>;

export interface AuthDoors {
  readonly clock: Clock;
  readonly fetch: Fetch;
  readonly tokens: Tokens;
}

/** A request as it will be sent; `headers` are those that a signature covers besides its own. */
export interface Unsigned {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** The headers to set. Throws when there is no token to be had, or a key cannot be read: that is no answer of the remote. */
export async function authorize(
  remote: RemoteWriteConfig,
  request: Unsigned,
  doors: AuthDoors,
): Promise<Readonly<Record<string, string>>> {
  const { sigv4 } = remote;
  if (sigv4 !== undefined) return await signature(sigv4, await keysOf(sigv4, doors), request, doors.clock.now());
  const authorization =
    remote.oauth2 === undefined ? authorizationOf(remote) : `Bearer ${await bearer(remote.oauth2, doors)}`;
  return authorization === null ? {} : { Authorization: authorization };
}

/** The Authorization header of fixed credentials; null without. */
export function authorizationOf({ basicAuth, authorization }: Credentials): string | null {
  if (basicAuth !== undefined) return basic(basicAuth.username, basicAuth.password);
  return authorization === undefined ? null : `${authorization.type} ${authorization.credentials}`;
}

export function basic(username: string, password: string): string {
  const bytes = new TextEncoder().encode(`${username}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}
