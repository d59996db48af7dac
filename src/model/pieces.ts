/** Reading the body of a request or an answer. Nothing is held here but one piece: how much is too much, the reader says. */

/** Bytes of a piece that is asked for. The platform's default reader gives 4 KB at a time, and each piece costs as much as parsing it. */
const PIECE_BYTES = 64 * 1024;

/** Reads a stream in pieces; null is its end. One that is not made of bytes comes in the pieces that it has. */
export function pieceReader(stream: ReadableStream): {
  read(): Promise<Uint8Array | null>;
  cancel(reason?: unknown): Promise<void>;
} {
  let byob: ReadableStreamBYOBReader;
  try {
    byob = stream.getReader({ mode: 'byob' });
  } catch {
    const reader = (stream as ReadableStream<Uint8Array>).getReader();
    return {
      read: async () => (await reader.read()).value ?? null,
      cancel: (reason) => reader.cancel(reason),
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
    cancel: (reason) => byob.cancel(reason),
  };
}
