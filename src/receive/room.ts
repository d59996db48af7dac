/**
 * Memory for bodies: how many bytes of requests an isolate holds at once, from their first piece until they are answered. What finds no room is
 * told to come again before more of it is read, so that many large requests at the same time do not end the isolate, and all of them.
 */

/** An isolate has 128 MB. While a request is judged it is there several times over, but only one is judged at a time. */
const ROOM_BYTES = 40 * 1024 * 1024;

export class Room {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number = ROOM_BYTES) {
    this.#bytesMax = bytesMax;
  }

  /** What one request holds of it. The first piece of a request is always taken when nothing else is held. */
  enter(): Held {
    let held = 0;
    return {
      take: (bytes) => {
        if (this.#bytes > held && this.#bytes + bytes > this.#bytesMax) return false;
        held += bytes;
        this.#bytes += bytes;
        return true;
      },
      leave: () => {
        this.#bytes -= held;
        held = 0;
      },
    };
  }
}

export interface Held {
  /** False when there is no room for so many bytes more. */
  readonly take: (bytes: number) => boolean;
  readonly leave: () => void;
}
