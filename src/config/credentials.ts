/** How credentials stand in a section that makes HTTP requests. */

import { authorizationType, credentials, password, text } from './fields.ts';
import * as z from './zod.ts';

const mapping = <T extends z.core.$ZodShape>(shape: T) => z.strictObject(shape, { error: 'a mapping' });

// Files of secrets are resolved already (`references.ts`).
export const basicAuth = mapping({
  username: z.optional(text),
  username_file: z.optional(text),
  password: z.optional(password),
  password_file: z.optional(text),
});

export const authorization = mapping({
  type: z.optional(authorizationType),
  credentials: z.optional(credentials),
  credentials_file: z.optional(text),
});
