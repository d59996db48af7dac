/** Posts prepared bodies as fast as they are taken, over a few connections. */
import { Agent, request } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { Schema } from './workload.ts';

const HEADERS: Record<Schema, Record<string, string>> = {
  1: { 'Content-Type': 'application/x-protobuf', 'X-Prometheus-Remote-Write-Version': '0.1.0' },
  2: {
    'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
    'X-Prometheus-Remote-Write-Version': '2.0.0',
  },
};
const TIMEOUT_MS = 60_000;

export interface Sent {
  /** From the first request to the last answer. */
  readonly seconds: number;
  /** Of each request, from its begin to the end of its answer. */
  readonly latenciesMs: readonly number[];
}

/**
 * Sends rounds of bodies. The body of a place in its round always goes over the same connection, which has one request under way, so the samples
 * of a series arrive in order. Rejects when an answer is not 2xx.
 */
export async function post(
  url: string,
  schema: Schema,
  rounds: readonly (readonly Uint8Array[])[],
  connections: number,
): Promise<Sent> {
  const latenciesMs: number[] = [];
  const began = performance.now();
  const lanes = Array.from({ length: connections }, async (_, lane) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      for (const bodies of rounds) {
        for (let i = lane; i < bodies.length; i += connections) {
          const before = performance.now();
          await postOne(url, schema, bodies[i]!, agent);
          latenciesMs.push(performance.now() - before);
        }
      }
    } finally {
      agent.destroy();
    }
  });
  await Promise.all(lanes);
  return { seconds: (performance.now() - began) / 1000, latenciesMs };
}

function postOne(url: string, schema: Schema, body: Uint8Array, agent: Agent): Promise<void> {
  const headers = { ...HEADERS[schema], 'Content-Encoding': 'snappy', 'Content-Length': String(body.length) };
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method: 'POST', headers, agent, timeout: TIMEOUT_MS }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => {
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) resolve();
        else reject(new Error(`${url} answered ${status}: ${Buffer.concat(pieces).toString().slice(0, 500)}`));
      });
      response.on('error', reject);
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${url} did not answer within ${TIMEOUT_MS} ms`)));
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
