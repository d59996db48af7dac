/**
 * zod, without code generation: Workers forbid `eval`, and zod decides when an object schema is made. Everything here imports
 * zod through this file, so that the setting comes first. The small build (`zod/mini`) has no messages of its own: every
 * schema brings them.
 */

import { array, config, type core, strictObject } from 'zod/mini';

config({ jitless: true });

// Names, not one object of all: so that the bundle holds only what is used, and not 40 languages of messages.
export * from 'zod/mini';

export const mapping = <T extends core.$ZodShape>(shape: T) => strictObject(shape, { error: 'a mapping' });
export const list = <T extends core.$ZodType>(item: T) => array(item, { error: 'a list' });
