import type { BodyFormat } from '../../../src/scrape/exposition/formats.ts';
import type { ScrapeResult } from '../../../src/scrape/reach/fetch.ts';

/** A scrape's result: a body, or why it failed. */
export function resultOf(
  atMs: number,
  body: string | Uint8Array = '',
  error: string | null = null,
  format: BodyFormat = 'text',
): ScrapeResult {
  const bytes =
    error === null ? Uint8Array.from(typeof body === 'string' ? new TextEncoder().encode(body) : body) : null;
  return {
    slotMs: atMs,
    timestampMs: atMs,
    durationMs: 5,
    bodyBytes: bytes?.length ?? 0,
    body: bytes,
    format,
    error,
  };
}
