import { concat } from '../model/bytes.ts';

/** The body of a request, or null when it is longer than `bytesMax`; never holds more than that and one piece. */
export async function readBody(request: Request, bytesMax: number): Promise<Uint8Array | null> {
  if (Number(request.headers.get('content-length') ?? 0) > bytesMax) return null;
  const reader = request.body?.getReader() as ReadableStreamDefaultReader<Uint8Array> | undefined;
  if (reader === undefined) return new Uint8Array(0);
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concat(parts);
    size += value.byteLength;
    if (size > bytesMax) {
      await reader.cancel();
      return null;
    }
    parts.push(value);
  }
}
