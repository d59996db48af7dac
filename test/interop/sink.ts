/**
 * A remote that remembers every sample that reached it, for Remote Write 1.0. It can keep one answer back: what it has
 * received by then was logged, but the sender does not know that it has arrived.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Reader } from 'protobufjs/minimal.js';
import snappy from 'snappyjs';
import type { Lab } from './lab.ts';

export interface SinkSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly timestamp: number;
  readonly value: number;
}

export class Sink {
  readonly url: string;
  /** In the order of arrival; what was sent again is here again. */
  readonly samples: SinkSample[] = [];
  /** Requests that could not be read, as messages. */
  readonly errors: string[] = [];
  #held: (() => void) | undefined;

  private constructor(server: Server) {
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/write`;
    server.on('request', (request, response) => {
      void this.#receive(request).then((status) => {
        const held = this.#held;
        this.#held = undefined;
        if (held !== undefined) held();
        else response.writeHead(status).end();
      });
    });
  }

  static async serve(lab: Lab): Promise<Sink> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    lab.defer(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return new Sink(server);
  }

  /** Resolves when the next request has been received in full; it is never answered. */
  async holdNext(): Promise<void> {
    await new Promise<void>((resolve) => (this.#held = resolve));
  }

  async #receive(request: IncomingMessage): Promise<number> {
    try {
      const pieces: Uint8Array[] = [];
      for await (const piece of request as AsyncIterable<Uint8Array>) pieces.push(piece);
      this.samples.push(...writeRequest(snappy.uncompress(new Uint8Array(Buffer.concat(pieces)))));
      return 204;
    } catch (error) {
      this.errors.push(String(error));
      return 400;
    }
  }
}

// prometheus.WriteRequest, read here by the field numbers of the specification and with nothing of Narthex.

function writeRequest(bytes: Uint8Array): SinkSample[] {
  const samples: SinkSample[] = [];
  fields(bytes, (field, reader) => {
    if (field !== 1) return false;
    samples.push(...timeSeries(reader.bytes()));
    return true;
  });
  return samples;
}

function timeSeries(bytes: Uint8Array): SinkSample[] {
  const labels: Record<string, string> = {};
  const samples: { value: number; timestamp: number }[] = [];
  fields(bytes, (field, reader) => {
    if (field === 1) {
      const [name, value] = label(reader.bytes());
      labels[name] = value;
    } else if (field === 2) samples.push(sample(reader.bytes()));
    else return false;
    return true;
  });
  return samples.map((one) => ({ labels, ...one }));
}

function label(bytes: Uint8Array): [name: string, value: string] {
  const pair: [string, string] = ['', ''];
  fields(bytes, (field, reader) => {
    pair[field - 1] = reader.string();
    return true;
  });
  return pair;
}

function sample(bytes: Uint8Array): { value: number; timestamp: number } {
  // A field with its default value, zero, is not written.
  const result = { value: 0, timestamp: 0 };
  fields(bytes, (field, reader) => {
    if (field === 1) result.value = reader.double();
    else result.timestamp = Number(reader.int64());
    return true;
  });
  return result;
}

/** Calls `read` for each field; it tells whether it has read the field, which is skipped otherwise. */
function fields(bytes: Uint8Array, read: (field: number, reader: Reader) => boolean): void {
  const reader = Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (!read(tag >>> 3, reader)) reader.skipType(tag & 7);
  }
}
