/**
 * A proxy in front of Narthex that notes what the sender behind it was told is kept: the samples of each request that was answered 2xx. Remote Write is read by
 * protobufjs, by the field numbers of the specification and with nothing of Narthex; requests of OTLP are kept as they are.
 *
 * When Narthex does not answer, the connection breaks here too, as the sender would have seen it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import snappy from 'snappyjs';
import { type Bits, type HistogramMessage, v1, v2 } from '../encoding/remote-write/oracle.ts';
import { textOfMessage } from './histogram-text.ts';
import type { Lab } from './lab.ts';
import { lineOf } from './promtool.ts';

/** What belongs to a connection, and is not passed on. */
const HOP_BY_HOP = new Set(['host', 'connection', 'keep-alive', 'content-length', 'transfer-encoding', 'expect']);

export interface OtlpRequest {
  readonly type: string;
  readonly encoding: string | undefined;
  readonly body: Buffer;
}

export class Recorder {
  readonly url: string;
  /** Of requests answered 2xx (but 202): a line a sample, as `lines` in promtool.ts makes them. */
  readonly acknowledged = new Set<string>();
  /** The last answer's status; 202 tells a replica that another one is taken. */
  status = 0;
  /** Of all requests, whatever became of them. */
  readonly sent = new Set<string>();
  readonly otlp: OtlpRequest[] = [];
  /** Requests of OTLP, in base64, whatever became of them. */
  readonly otlpSent = new Set<string>();
  /** Requests that were not answered. */
  unanswered = 0;
  /** What was answered otherwise, as `status: text`. */
  readonly refusals: string[] = [];
  readonly #target: string;

  private constructor(server: Server, target: string) {
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.#target = target;
    server.on('request', (request, response) => {
      this.#pass(request, response).catch(() => {
        this.unanswered++;
        response.destroy();
      });
    });
  }

  static async serve(lab: Lab, target: string): Promise<Recorder> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    lab.defer(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return new Recorder(server, target);
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const { 'content-type': type = '', 'content-encoding': encoding } = request.headers;
    const isOtlp = request.url!.endsWith('/v1/metrics');
    const samples = isOtlp ? [] : samplesOf(type.includes('v2'), snappy.uncompress(new Uint8Array(body)));
    for (const line of samples) this.sent.add(line);
    if (isOtlp) this.otlpSent.add(body.toString('base64'));

    const headers = Object.entries(request.headers).filter(([name]) => !HOP_BY_HOP.has(name)) as [string, string][];
    const answer = await fetch(`${this.#target}${request.url}`, { method: 'POST', headers, body });
    const text = await answer.text();
    this.status = answer.status;
    if (answer.ok && answer.status !== 202) {
      for (const line of samples) this.acknowledged.add(line);
      if (isOtlp) this.otlp.push({ type, encoding, body });
    } else if (!answer.ok) this.refusals.push(`${answer.status}: ${text}`);
    const kept = [...answer.headers].filter(([name]) => !HOP_BY_HOP.has(name));
    response.writeHead(answer.status, Object.fromEntries(kept)).end(text);
  }
}

interface Sample {
  readonly value?: Bits;
  readonly timestamp?: unknown;
}

function samplesOf(isV2: boolean, message: Uint8Array): string[] {
  if (!isV2) {
    const { timeseries = [] } = v1.decodeBits(message);
    return timeseries.flatMap(({ labels = [], samples = [], histograms = [] }) =>
      linesOf(
        labels.map(({ name = '', value = '' }) => [name, value]),
        samples,
        histograms,
      ),
    );
  }
  const { symbols = [], timeseries = [] } = v2.decodeBits(message);
  return timeseries.flatMap(({ labelsRefs = [], samples = [], histograms = [] }) => {
    const texts = labelsRefs.map((ref) => symbols[ref]!);
    const labels = texts.flatMap((name, i): [string, string][] => (i % 2 === 0 ? [[name, texts[i + 1]!]] : []));
    return linesOf(labels, samples, histograms);
  });
}

function linesOf(
  labels: readonly (readonly [string, string])[],
  samples: readonly Sample[],
  histograms: readonly HistogramMessage[],
): string[] {
  const named = labels.filter(([, value]) => value !== '').sort(([a], [b]) => (a < b ? -1 : 1));
  const series = `{${named.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ')}}`;
  return [
    ...samples.map(({ value, timestamp }) => {
      const view = new DataView(new ArrayBuffer(8));
      view.setInt32(0, value?.high ?? 0);
      view.setInt32(4, value?.low ?? 0);
      return lineOf({ series, timestamp: Number(timestamp), value: String(view.getFloat64(0)) });
    }),
    ...histograms.map((histogram) => `${series} ${Number(histogram.timestamp)} ${textOfMessage(histogram)}`),
  ];
}
