/** What is wrong with a body, in the words that a scrape shows. */

import { DecodeError } from '../../../encoding/protobuf-reader.ts';
import { TextError } from '../text-bytes.ts';

export const byteError = (at: number, wanted: string): TextError => new TextError(`byte ${at}: expected ${wanted}`);

/** Errors of decoding as errors of a page; others as they are. */
export const inWords = (error: unknown): unknown =>
  error instanceof DecodeError ? new TextError(`protobuf: ${error.message}`) : error;
