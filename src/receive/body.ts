import { concat } from '../model/bytes.ts';
import { pieceReader } from '../model/pieces.ts';

/** A body that says that it has no more is read at once: in pieces it costs several turns, and buffers that are larger than most bodies. */
const AT_ONCE_BYTES_MAX = 512 * 1024;

/** There is no room for more of the body now. */
export class NoRoomError extends Error {
  override readonly name = 'NoRoomError';
}

/**
 * The body of a request, or null when it is longer than `bytesMax`; never holds more than that and one piece. `take` is asked for each piece: when it
 * says no, the rest is not read, and NoRoomError thrown.
 */
export async function readBody(
  request: Request,
  bytesMax: number,
  take: (bytes: number) => boolean = () => true,
): Promise<Uint8Array | null> {
  const announced = Number(request.headers.get('content-length') ?? 0);
  if (announced > bytesMax) return null;
  if (request.body === null) return new Uint8Array(0);
  if (announced > 0 && announced <= AT_ONCE_BYTES_MAX) {
    if (!take(announced)) {
      await request.body.cancel();
      throw new NoRoomError('no room');
    }
    const body = new Uint8Array(await request.arrayBuffer());
    return body.length > bytesMax ? null : body;
  }
  const reader = pieceReader(request.body);
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const value = await reader.read();
    if (value === null) return concat(parts);
    size += value.byteLength;
    if (size > bytesMax) {
      await reader.cancel();
      return null;
    }
    if (!take(value.byteLength)) {
      await reader.cancel();
      throw new NoRoomError('no room');
    }
    parts.push(value);
  }
}
