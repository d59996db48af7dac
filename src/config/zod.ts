/**
 * zod, without code generation: Workers forbid `eval`, and zod decides when an object schema is made. Everything here imports
 * zod through this file, so that the setting comes first. The small build (`zod/mini`) has no messages of its own: every
 * schema brings them.
 */

import * as z from 'zod/mini';

z.config({ jitless: true });

export { z };
