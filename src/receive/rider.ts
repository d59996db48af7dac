/**
 * What rides in the newest row of a shard's log, so that it changes with what was appended and costs no row of its own: who leads HA pairs, and what is
 * left of the rate. As JSON: `[[cluster, [replica, seenMs]], …]`, and with a rate `{ "leaders": […], "bucket": [tokens, filledMs] }`.
 */

import { owned } from '../model/bytes.ts';
import type { Bucket } from './gate.ts';
import { Elections, type Leaders } from './ha.ts';

export interface Rider {
  readonly elections: Elections;
  readonly bucket: Bucket | null;
}

/** Null when there is nothing to remember. */
export function encodeRider({ elections, bucket }: Rider): Uint8Array<ArrayBuffer> | null {
  const leaders = elections.leaders();
  if (bucket === null) return leaders.length === 0 ? null : bytesOf(leaders);
  return bytesOf({ leaders, bucket: [bucket.tokens, bucket.filledMs] });
}

/** Nothing, or what cannot be read, begins anew. */
export function decodeRider(bytes: Uint8Array | null): Rider {
  try {
    const known = (bytes === null ? [] : JSON.parse(new TextDecoder().decode(bytes))) as Stored;
    if (Array.isArray(known)) return { elections: new Elections(known as Leaders), bucket: null };
    const {
      leaders,
      bucket: [tokens, filledMs],
    } = known as Exclude<Stored, Leaders>;
    return { elections: new Elections(leaders), bucket: { tokens, filledMs } };
  } catch {
    return { elections: new Elections([]), bucket: null };
  }
}

type Stored = Leaders | { readonly leaders: Leaders; readonly bucket: readonly [tokens: number, filledMs: number] };

const bytesOf = (value: unknown): Uint8Array<ArrayBuffer> => owned(new TextEncoder().encode(JSON.stringify(value)));
