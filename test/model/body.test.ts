import { describe, expect, it } from 'vitest';
import { firstWords, NoRoomError, readBody, readStream } from '../../src/model/body.ts';

const post = (bytes: number, headers: Record<string, string> = {}): Request =>
  new Request('http://receiver/', { method: 'POST', body: new Uint8Array(bytes).fill(7), headers });
const announced = (bytes: number, says = bytes): Request => post(bytes, { 'Content-Length': String(says) });

describe('a body', () => {
  it.each([
    ['in pieces', post(100_000)],
    ['at once', announced(100_000)],
    ['that is large, in pieces', announced(600_000)],
  ])('is read %s, and room is asked for all of it', async (_, request) => {
    let asked = 0;
    const body = await readBody(request, 1_000_000, (bytes) => (asked += bytes) > 0);
    expect(body?.every((byte) => byte === 7)).toBe(true);
    expect(asked).toBe(body!.length);
  });

  it('has no room', async () => {
    for (const request of [post(1000), announced(1000)])
      await expect(readBody(request, 10_000, () => false)).rejects.toThrow(NoRoomError);
  });

  it('is too large, whatever it says', async () => {
    for (const request of [post(1001), announced(1001), announced(1001, 10)])
      expect(await readBody(request, 1000)).toBe(null);
  });
});

/** Pieces of a byte; then it breaks, or never ends. */
function stream(pieces: number, then: 'breaks' | 'hangs'): { body: ReadableStream; let: { go: boolean } } {
  const letGo = { go: false };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (pieces-- > 0) return controller.enqueue(new TextEncoder().encode('x'));
      if (then === 'breaks') throw new Error('broken');
      return new Promise(() => undefined);
    },
    cancel: () => void (letGo.go = true),
  });
  return { body, let: letGo };
}

describe('a stream', () => {
  it('is let go at the bound, at the deadline, and when there is no room', async () => {
    const long = stream(11, 'hangs');
    expect(await readStream(long.body, 10)).toBe(null);
    const slow = stream(3, 'hangs');
    const deadline = Promise.reject(new Error('late'));
    await expect(readStream(slow.body, 10, { deadline })).rejects.toThrow('late');
    const unwanted = stream(3, 'hangs');
    await expect(readStream(unwanted.body, 10, { take: () => false })).rejects.toThrow(NoRoomError);
    expect([long.let.go, slow.let.go, unwanted.let.go]).toEqual([true, true, true]);
  });

  it('of words is cut, and ends where it breaks', async () => {
    const long = stream(1000, 'hangs');
    expect(await firstWords(long.body, 5)).toBe('xxxxx');
    expect(long.let.go).toBe(true);
    expect(await firstWords(stream(3, 'breaks').body, 5)).toBe('xxx');
    await expect(readStream(stream(3, 'breaks').body, 5)).rejects.toThrow('broken');
    expect(await firstWords(null, 5)).toBe('');
  });
});
