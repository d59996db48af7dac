/** A receiver with a log that is an array, and what its tests send to it. */

import type { Schema } from '../../src/encoding/remote-write/decoded.ts';
import { decodeWrite } from '../../src/encoding/remote-write/decoded.ts';
import { snappyCompress, snappyUncompress } from '../../src/encoding/snappy.ts';
import type { FamilyMetadata } from '../../src/model/metadata.ts';
import { DEFAULT_RECEIVE_LIMITS, type ReceiveLimits } from '../../src/receive/limits.ts';
import { Room } from '../../src/receive/room.ts';
import { type AppendResult, handleWrite, type ReceivedRecord, type WriteDeps } from '../../src/receive/write.ts';
import { type PlainSeries, plain } from '../encoding/remote-write/cases.ts';
import { double, type Series1, type Series2, v1, v2 } from '../encoding/remote-write/oracle.ts';

export const NOW = Date.UTC(2026, 10, 22, 12);

const CONTENT_TYPE: Record<Schema, string> = {
  1: 'application/x-protobuf',
  2: 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
};

export interface Outcome {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  /** Samples, histograms and exemplars of the Written headers; null when there are none. */
  readonly written: readonly [string, string, string] | null;
}

export class Receiver {
  readonly records: ReceivedRecord[] = [];
  readonly appends: { tenant: string; records: number }[] = [];
  readonly counts: Record<string, number> = {};
  readonly families: FamilyMetadata[] = [];
  readonly refusals: string[] = [];
  limits: ReceiveLimits = DEFAULT_RECEIVE_LIMITS;
  leader: ((cluster: string) => string | null) | null = null;
  room = new Room();
  /** A promise is what is not known until it is asked for. */
  shards: number | Promise<number> = 1;
  result: AppendResult | Error = { ok: true };

  /** What a handler is given. */
  deps(): WriteDeps {
    return {
      hashSeries: false,
      random: () => 0,
      room: this.room,
      shards: () => (typeof this.shards === 'number' ? this.shards : null),
      askShards: () => Promise.resolve(this.shards),
      elect: (_tenant, { replica }) => Promise.resolve(replica),
      leader: this.leader,
      limits: this.limits,
      nowMs: NOW,
      append: async (tenant, records) => {
        this.appends.push({ tenant, records: records.length });
        if (this.result instanceof Error) throw this.result;
        if (this.result.ok) this.records.push(...records);
        return this.result;
      },
      describe: (_tenant, families) => {
        if (this.result instanceof Error) return Promise.reject(this.result);
        if (this.result.ok) this.families.push(...families);
        return Promise.resolve(this.result);
      },
      refused: (status, message) => this.refusals.push(`${status} ${message}`),
      count: (event, n = 1) => {
        this.counts[event] = (this.counts[event] ?? 0) + n;
      },
    };
  }

  /** Sends a message, as a sender of that schema would. */
  async send(schema: Schema, message: Uint8Array): Promise<Outcome> {
    return await this.post(snappyCompress(message), { 'Content-Type': CONTENT_TYPE[schema] });
  }

  async post(body: BodyInit | null, headers: Record<string, string> = {}): Promise<Outcome> {
    const all = { 'Content-Encoding': 'snappy', ...headers };
    const stream = body instanceof ReadableStream ? { duplex: 'half' } : {};
    return await this.handle(
      new Request('http://narthex/api/v1/write', { method: 'POST', body, headers: all, ...stream }),
    );
  }

  async handle(request: Request): Promise<Outcome> {
    const response = await handleWrite(request, 'acme', this.deps());
    const written = ['Samples', 'Histograms', 'Exemplars'].map((what) =>
      response.headers.get(`X-Prometheus-Remote-Write-${what}-Written`),
    ) as [string, string, string];
    return {
      status: response.status,
      text: await response.text(),
      headers: response.headers,
      written: written[0] === null ? null : written,
    };
  }

  /** All series in the log, in order. */
  series(): PlainSeries[] {
    return this.records.flatMap(({ schema, body }) => plain(decodeWrite(schema, snappyUncompress(body, 1 << 26))));
  }

  names(): string[] {
    return this.series().map(({ labels }) => labels.find(([name]) => name === '__name__')?.[1] ?? '');
  }
}

export type TestLabels = readonly (readonly [name: string, value: string])[];

/** One good series of 1.0, and what it is otherwise. */
export function series1(name: string, more: Series1 = {}): Series1 {
  const labels = [
    { name: '__name__', value: name },
    { name: 'job', value: 'test' },
  ];
  return { labels, samples: [{ value: double(1.5), timestamp: NOW }], ...more };
}

export const message1 = (...timeseries: Series1[]): Uint8Array => v1.encode({ timeseries });

/** 2.0 with labels as text. */
export interface TextSeries2 extends Omit<Series2, 'labelsRefs'> {
  readonly labels: TestLabels;
}

export function series2(name: string, more: Partial<TextSeries2> = {}): TextSeries2 {
  return {
    labels: [
      ['__name__', name],
      ['job', 'test'],
    ],
    samples: [{ value: double(1.5), timestamp: NOW }],
    ...more,
  };
}

export function message2(...all: TextSeries2[]): Uint8Array {
  const symbols = [''];
  const ref = (text: string): number => {
    const known = symbols.indexOf(text);
    return known >= 0 ? known : symbols.push(text) - 1;
  };
  const timeseries = all.map(({ labels, ...rest }) => ({ ...rest, labelsRefs: labels.flat().map(ref) }));
  return v2.encode({ symbols, timeseries });
}
