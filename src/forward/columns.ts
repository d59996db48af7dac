/**
 * Columns for the one message that is looked at now: new ones for each would cost as much as filling them. What is decoded is used up before
 * anything else is decoded.
 */

import { Decoded, decodeWrite, type Schema } from '../encoding/remote-write/decoded.ts';

/** Messages above that, which only others send, get columns of their own: nobody keeps those. */
const MESSAGE_BYTES_MAX = 1024 * 1024;

const columns = new Decoded();

/** As `decodeWrite`; valid until the next call. */
export function decodeForNow(schema: Schema, message: Uint8Array): Decoded {
  return message.length > MESSAGE_BYTES_MAX ? decodeWrite(schema, message) : decodeWrite(schema, message, columns);
}
