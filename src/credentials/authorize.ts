/**
 * Who a request that goes out says that it is from: the headers that its configured credentials add. Basic auth and a fixed authorization are known
 * at once, OAuth 2.0 may have to ask for a token first, SigV4 signs the request as it will be sent.
 */

import type { Credentials, OAuth2Config, RemoteWriteConfig } from '../config/model.ts';
import { basic } from './basic.ts';
import { bearer } from './oauth2.ts';
import { keysOf } from './role.ts';
import { signature, type Unsigned } from './sigv4.ts';
import type { AuthDoors } from './tokens.ts';

/** The headers to set. Throws when there is no token to be had, or a key cannot be read: that is no answer of the remote. */
export async function authorize(
  remote: RemoteWriteConfig,
  request: Unsigned,
  doors: AuthDoors,
): Promise<Readonly<Record<string, string>>> {
  const { sigv4 } = remote;
  if (sigv4 !== undefined) return await signature(sigv4, await keysOf(sigv4, doors), request, doors.clock.now());
  const authorization = await authorizationOf(remote, doors);
  return authorization === null ? {} : { Authorization: authorization };
}

/** The Authorization header; null without. Throws as `authorize` does. */
export async function authorizationOf(
  { basicAuth, authorization, oauth2 }: Credentials & { readonly oauth2?: OAuth2Config | undefined },
  doors: AuthDoors,
): Promise<string | null> {
  if (oauth2 !== undefined) return `Bearer ${await bearer(oauth2, doors)}`;
  if (basicAuth !== undefined) return basic(basicAuth.username, basicAuth.password);
  return authorization === undefined ? null : `${authorization.type} ${authorization.credentials}`;
}
