/**
 * A hash of 32 bits for each series of a request, of its labels alone: whatever their order, and the same in both schemas. It tells series apart
 * for counting (two of them collide once in four billion pairs); it identifies none.
 */

import { hashOf, mixed } from '../../model/hash.ts';
import type { Decoded } from './decoded.ts';

/** The hashes of the series whose `keep` is not 0, in their order, in a buffer of their own. */
export function seriesHashes(decoded: Decoded, keep: Uint8Array): Uint32Array<ArrayBuffer> {
  const { message, nameStart, nameEnd, valueStart, valueEnd, nameRef, valueRef, symbolStart, symbolEnd } = decoded;
  // 2.0 has each text once: so is its hash. 0 is one that is not known yet.
  const symbols = new Uint32Array(decoded.symbolCount);
  const symbol = (ref: number): number => {
    const known = symbols[ref]!;
    return known !== 0 ? known : (symbols[ref] = hashOf(message, symbolStart[ref]!, symbolEnd[ref]!));
  };
  const v2 = decoded.schema === 2;
  const hashes = new Uint32Array(decoded.seriesCount);
  let count = 0;
  for (let s = 0, label = 0; s < decoded.seriesCount; s++) {
    const end = decoded.labelEnd[s]!;
    if (keep[s] !== 0) {
      // A sum, so that the order of labels does not matter.
      let sum = 0;
      for (let i = label; i < end; i++) {
        // A label with an empty value is as good as absent.
        if (valueStart[i] === valueEnd[i]) continue;
        const name = v2 ? symbol(nameRef[i]!) : hashOf(message, nameStart[i]!, nameEnd[i]!);
        const value = v2 ? symbol(valueRef[i]!) : hashOf(message, valueStart[i]!, valueEnd[i]!);
        sum = (sum + mixed(Math.imul(name, 0x9e3779b1) ^ value)) | 0;
      }
      hashes[count++] = mixed(sum);
    }
    label = end;
  }
  return hashes.slice(0, count);
}
