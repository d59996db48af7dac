/**
 * Reading the body of a request or an answer. The one invariant: never more is held than the bound and one piece, whatever a peer sends or says that
 * it will send; what is not wanted any more is cancelled, as an endless body would hold its connection.
 */

import { concat } from './bytes.ts';

/** Bytes of a piece that is asked for. The platform's default reader gives 4 KB at a time, and each piece costs as much as parsing it. */
const PIECE_BYTES = 64 * 1024;

/** A body that says that it has no more is read at once: in pieces it costs several turns, and buffers that are larger than most bodies. */
const AT_ONCE_BYTES_MAX = 512 * 1024;

/** There is no room for more of the body now. */
export class NoRoomError extends Error {
  override readonly name = 'NoRoomError';
}

/** Whether there is room for so many bytes more. Asked before they are kept. */
export type TakeRoom = (bytes: number) => boolean;

const always: TakeRoom = () => true;

/** The body of a request, or null when it is longer than `bytesMax`. Throws NoRoomError, and what the stream throws. */
export async function readBody(
  request: Request,
  bytesMax: number,
  take = always,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const announced = Number(request.headers.get('content-length') ?? 0);
  if (announced > bytesMax) return null;
  if (request.body === null || !(announced > 0 && announced <= AT_ONCE_BYTES_MAX)) {
    return await readStream(request.body, bytesMax, { take });
  }
  if (!take(announced)) {
    await request.body.cancel();
    throw new NoRoomError('no room');
  }
  const body = new Uint8Array(await request.arrayBuffer());
  return body.length > bytesMax ? null : body;
}

/**
 * All of a stream, or null when it is longer than `bytesMax`. Throws NoRoomError, what the stream throws, and what `deadline` rejects with, which
 * may be in the middle of a piece.
 */
export async function readStream(
  stream: ReadableStream | null,
  bytesMax: number,
  { take = always, deadline }: { readonly take?: TakeRoom; readonly deadline?: Promise<never> } = {},
): Promise<Uint8Array<ArrayBuffer> | null> {
  if (stream === null) return new Uint8Array(0);
  const { read, cancel } = pieceReader(stream);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const piece = await (deadline === undefined ? read() : before(deadline, read()));
      if (piece === null) return concat(parts);
      bytes += piece.byteLength;
      if (bytes > bytesMax) {
        cancel();
        return null;
      }
      if (!take(piece.byteLength)) throw new NoRoomError('no room');
      parts.push(piece);
    }
  } catch (reason) {
    cancel(reason);
    throw reason;
  }
}

/** What a server says in words: the first of them. What came before the connection broke is what it said. */
export async function firstWords(stream: ReadableStream | null, charsMax: number): Promise<string> {
  if (stream === null) return '';
  const { read, cancel } = pieceReader(stream);
  const decoder = new TextDecoder();
  let text = '';
  try {
    while (text.length < charsMax) {
      const piece = await read();
      if (piece === null) return text;
      text += decoder.decode(piece, { stream: true });
    }
  } catch {
    // Said above.
  }
  cancel();
  return text.slice(0, charsMax);
}

function before<T>(deadline: Promise<never>, promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return Promise.race([promise, deadline]);
}

interface Pieces {
  /** Null is the end. */
  read(this: void): Promise<Uint8Array | null>;
  /** Nobody waits for it, and it has nothing to say. */
  cancel(this: void, reason?: unknown): void;
}

/** Reads a stream in pieces. One that is not made of bytes comes in the pieces that it has. */
function pieceReader(stream: ReadableStream): Pieces {
  let byob: ReadableStreamBYOBReader;
  try {
    byob = stream.getReader({ mode: 'byob' });
  } catch {
    const reader = (stream as ReadableStream<Uint8Array>).getReader();
    return {
      read: async () => (await reader.read()).value ?? null,
      cancel: (reason) => void reader.cancel(reason).catch(() => undefined),
    };
  }
  /** The buffer of a piece that was copied: for a small body, zeroing a second one costs more than reading it. */
  let spare: ArrayBuffer | null = null;
  return {
    read: async () => {
      const { done, value } = await byob.read(spare === null ? new Uint8Array(PIECE_BYTES) : new Uint8Array(spare));
      if (done || value === undefined) return null;
      // A peer that gives little at a time must not hold a whole buffer for each byte.
      const copied = value.byteLength * 2 < PIECE_BYTES;
      spare = copied ? value.buffer : null;
      return copied ? value.slice() : value;
    },
    cancel: (reason) => void byob.cancel(reason).catch(() => undefined),
  };
}
