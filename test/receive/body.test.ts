import { describe, expect, it } from 'vitest';
import { NoRoomError, readBody } from '../../src/receive/body.ts';

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
