/**
 * A remote that takes everything and keeps nothing: it counts the samples that reach it, and answers 2.0 as the specification wants. Its own
 * CPU is not measured, but it has the same machine: so it reads with our decoder, which is quick.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Decoded, decodeWrite } from '../../src/encoding/remote-write/decoded.ts';
import { snappyUncompress } from '../../src/encoding/snappy.ts';
import type { Lab } from '../interop/lab.ts';

const BYTES_MAX = 64 * 1024 * 1024;

export class CountingSink {
  readonly url: string;
  samples = 0;
  requests = 0;
  /** Bytes of bodies. */
  bytes = 0;
  /** Messages about requests that could not be read. */
  readonly errors: string[] = [];
  readonly #decoded = new Decoded();

  private constructor(server: Server) {
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/write`;
    server.on('request', (request, response) => {
      void this.#receive(request).then((headers) =>
        response.writeHead(headers === null ? 400 : 204, headers ?? {}).end(),
      );
    });
  }

  static async serve(lab: Lab): Promise<CountingSink> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    lab.defer(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return new CountingSink(server);
  }

  /** The headers of the answer, or null for a request that is refused. */
  async #receive(request: IncomingMessage): Promise<Record<string, string> | null> {
    const pieces: Uint8Array[] = [];
    for await (const piece of request as AsyncIterable<Uint8Array>) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const schema = request.headers['content-type']?.includes('io.prometheus.write.v2') === true ? 2 : 1;
    try {
      const { sampleCount } = decodeWrite(schema, snappyUncompress(body, BYTES_MAX), this.#decoded);
      this.samples += sampleCount;
      this.requests++;
      this.bytes += body.length;
      const written = (kind: string): string => `X-Prometheus-Remote-Write-${kind}-Written`;
      if (schema === 1) return {};
      return { [written('Samples')]: String(sampleCount), [written('Histograms')]: '0', [written('Exemplars')]: '0' };
    } catch (error) {
      this.errors.push(String(error));
      return null;
    }
  }
}
