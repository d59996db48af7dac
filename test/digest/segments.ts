/** Reading segments back in tests, checking on the way what FORMAT.md promises. */

import { expect } from 'vitest';
import type { DigestedSegment } from '../../src/digest/digest.ts';
import { mergeSegments, type SegmentSource } from '../../src/digest/merge.ts';
import type { Repeats } from '../../src/digest/settle.ts';
import { compareLabelBytes } from '../../src/model/label-bytes.ts';
import { textOfBytes, type Content } from './messages.ts';

export function sourceOf(parts: readonly Uint8Array[], id = 1): SegmentSource {
  let next = 0;
  return { id, next: async () => parts[next++] ?? null };
}

/** Merges segments into a Content; series must ascend by labels, and times within them. Segments without ids refer to no other. */
export async function contentOf(
  segments: readonly (readonly Uint8Array[] | Pick<DigestedSegment, 'id' | 'parts'>)[],
): Promise<{ content: Content } & Repeats> {
  const sources = segments.map((segment, i) =>
    'parts' in segment ? sourceOf(segment.parts, segment.id) : sourceOf(segment, i + 1),
  );
  const content: Content = new Map();
  let before: Uint8Array | null = null;
  const repeats = await mergeSegments(sources, ({ labels, count, t, hi, lo }) => {
    if (before) expect(compareLabelBytes(before, 0, before.length, labels, 0, labels.length)).toBeLessThan(0);
    before = labels;
    const times = new Map<number, string>();
    for (let i = 0; i < count; i++) {
      if (i > 0 && !(t[i]! > t[i - 1]!)) expect.fail(`time ${t[i]} after ${t[i - 1]}`);
      times.set(t[i]!, `${hi[i]!}:${lo[i]!}`);
    }
    content.set(textOfBytes(labels), times);
  });
  return { content, ...repeats };
}
