/** How credentials stand in a section that makes HTTP requests. */

import {
  authorizationType,
  credentials,
  flag,
  httpHeaders,
  nonEmpty,
  oneOf,
  password,
  secret,
  text,
  texts,
  tokenUrl,
} from './fields.ts';
import * as z from './zod.ts';

// Files of secrets are resolved already (`references.ts`).
export const basicAuth = z.mapping({
  username: z.optional(text),
  username_file: z.optional(text),
  password: z.optional(password),
  password_file: z.optional(text),
});

export const authorization = z.mapping({
  type: z.optional(authorizationType),
  credentials: z.optional(credentials),
  credentials_file: z.optional(text),
});

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

export const oauth2 = z.mapping({
  client_id: nonEmpty('a client id'),
  client_secret: z.optional(secret),
  client_secret_file: z.optional(text),
  token_url: tokenUrl,
  scopes: z.optional(z.list(nonEmpty('a scope'))),
  endpoint_params: z.optional(texts),
  grant_type: z.optional(oneOf('client_credentials', JWT_BEARER)),
  client_certificate_key: z.optional(secret),
  client_certificate_key_file: z.optional(text),
  client_certificate_key_id: z.optional(text),
  signature_algorithm: z.optional(oneOf('RS256', 'RS384', 'RS512')),
  iss: z.optional(text),
  audience: z.optional(text),
  claims: z.optional(texts),
});

/** What a section that asks over HTTP takes for its requests. */
export const http = {
  basic_auth: z.optional(basicAuth),
  authorization: z.optional(authorization),
  bearer_token: z.optional(credentials),
  bearer_token_file: z.optional(text),
  oauth2: z.optional(oauth2),
  http_headers: z.optional(httpHeaders),
  follow_redirects: z.optional(flag),
  enable_http2: z.optional(flag),
};

type Http = { readonly [K in keyof typeof http]?: z.infer<(typeof http)[K]> };
export type ParsedHttp = Pick<Http, 'basic_auth' | 'authorization' | 'bearer_token' | 'oauth2' | 'http_headers'>;
