import { END, HELP, type PageCursor, SERIES, TYPE } from '../../../src/scrape/exposition/cursor.ts';
import { textOf } from '../../model/histograms.ts';
import { TextError } from '../../../src/scrape/exposition/text-bytes.ts';

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const NOTHING = new Uint8Array(0);

export const valueOf = (hi: number, lo: number): string => {
  const value = new Float64Array(Uint32Array.of(lo, hi).buffer)[0]!;
  return Object.is(value, -0) ? '-0' : String(value);
};

/** A page's entries, one line each, or its error's message. `expected` holds keys that are offered in turn. */
export function entriesOf(
  cursor: PageCursor,
  expected: readonly Uint8Array[] = [],
): { entries: string[]; error: string | null } {
  const entries: string[] = [];
  const labels: string[] = [];
  try {
    for (let guess = 0; ;) {
      const expect = expected[guess] ?? NOTHING;
      const entry = cursor.next(expect, 0, expect.length);
      if (entry === END) return { entries, error: null };
      if (entry === SERIES) {
        let text = new TextDecoder().decode(cursor.keys.subarray(cursor.keyStart, cursor.keyEnd));
        if (expected.length > 0) {
          if (cursor.expected) guess++;
        } else {
          cursor.labels(labels);
          text = JSON.stringify(labels);
        }
        const { histogram } = cursor;
        const value = histogram === null ? valueOf(cursor.hi, cursor.lo) : textOf(histogram);
        let line = `${text} ${value}${cursor.hasTimestamp ? ` @${cursor.timestamp}` : ''}`;
        for (let more = cursor.exemplarEnd > 0; more; more = cursor.nextExemplar()) {
          cursor.exemplarLabels(labels);
          const { exemplarHi, exemplarLo, exemplarHasTimestamp, exemplarTimestamp } = cursor;
          line += ` # ${JSON.stringify(labels)} ${valueOf(exemplarHi, exemplarLo)}`;
          if (exemplarHasTimestamp) line += ` @${exemplarTimestamp}`;
        }
        entries.push(line);
      } else if (entry === HELP) entries.push(`help ${cursor.familyName()}: ${cursor.helpText()}`);
      else if (entry === TYPE) entries.push(`type ${cursor.familyName()}: ${cursor.type}`);
      else entries.push(`unit ${cursor.familyName()}: ${cursor.unitText()}`);
    }
  } catch (error) {
    if (!(error instanceof TextError)) throw error;
    return { entries, error: error.message };
  }
}
