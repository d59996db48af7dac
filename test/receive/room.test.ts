import { describe, expect, it } from 'vitest';
import { snappyCompress } from '../../src/encoding/snappy.ts';
import { Room } from '../../src/receive/room.ts';
import { message1, Receiver, series1 } from './receiver.ts';

describe('room', () => {
  it('is what may be held together; one alone finds it always', () => {
    const room = new Room(100);
    const [a, b, c] = [room.enter(), room.enter(), room.enter()];
    expect(a.take(150)).toBe(true);
    expect(a.take(10)).toBe(true);
    expect(b.take(1)).toBe(false);
    a.leave();
    a.leave();
    expect([b.take(60), c.take(40), c.take(1), b.take(1)]).toEqual([true, true, false, false]);
    b.leave();
    expect(c.take(60)).toBe(true);
  });
});

it('a request that finds none is told to come again, and keeps nothing; room is given back whatever the answer', async () => {
  const receiver = new Receiver();
  receiver.room = new Room(1000);
  const body = snappyCompress(message1(series1('a')));
  const held = receiver.room.enter();
  held.take(1000);
  const refused = await receiver.post(body);
  expect([refused.status, refused.headers.get('Retry-After')]).toEqual([503, '5']);
  expect(refused.text).toContain('send it again');
  expect(receiver.appends).toEqual([]);
  expect(receiver.counts).toEqual({ 'requests:503': 1, 'refused_requests:no_room': 1 });
  held.leave();
  for (let i = 0; i < 50; i++) {
    expect((await receiver.post(i % 2 === 0 ? body : Uint8Array.of(1, 2, 3))).status).toBe(i % 2 === 0 ? 204 : 400);
  }
  const other = receiver.room.enter();
  expect([other.take(1000), receiver.room.enter().take(1)]).toEqual([true, false]);
});
