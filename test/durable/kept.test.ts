import { createExecutionContext } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { expect, it } from 'vitest';
import { type Env, ingester } from '../../durable/env.ts';
import { RequestBuilder } from '../../src/encoding/remote-write/builder.ts';
import { snappyCompress } from '../../src/encoding/snappy.ts';
import worker from '../../src/worker.ts';
import { asleep } from './asleep.ts';

const bindings = env as unknown as Env;
const NOW = Date.now();

/** A request of a counter with an exemplar and what is said of it. */
function request(t: number, help: string): Uint8Array {
  const builder = new RequestBuilder({ samplesMax: 100, bytesMax: 1 << 20 });
  const refs = ['__name__', 'jobs_total', 'job', 'j'].map((text) => builder.symbol(text));
  builder.exemplar(
    ['trace_id', `t${t}`].map((text) => builder.symbol(text)),
    t,
    0x3ff00000,
    0,
  );
  builder.add(refs, 4, t, 0, 0, 1, builder.symbol(help), builder.symbol('jobs'));
  return snappyCompress(builder.finish()[0]!.message);
}

async function call(path: string, init: RequestInit & { schema?: 1 | 2 } = {}): Promise<Response> {
  const { schema = 2, ...rest } = init;
  const proto = schema === 2 ? 'io.prometheus.write.v2.Request' : 'prometheus.WriteRequest';
  return await worker.fetch(
    new Request(`https://narthex.example${path}`, {
      ...rest,
      headers: {
        Authorization: `Bearer test-acme-token`,
        'Content-Type': `application/x-protobuf;proto=${proto}`,
        'Content-Encoding': 'snappy',
      },
    }) as Request<unknown, IncomingRequestCfProperties>,
    bindings,
    createExecutionContext(),
  );
}

const metadata = async (): Promise<unknown> => {
  const { data } = await (await call('/api/v1/metadata')).json<{ data: unknown }>();
  return data;
};

it('what is said of metrics, and exemplars, are kept for a tenant, asleep too', async () => {
  const stub = ingester(bindings, 'acme', 0);
  expect(await metadata()).toEqual({});
  for (let i = 0; i < 3; i++) {
    const response = await asleep(stub, () =>
      call('/api/v1/write', { method: 'POST', body: request(NOW + i, 'Jobs.') }),
    );
    expect([response.status, response.headers.get('X-Prometheus-Remote-Write-Exemplars-Written')]).toEqual([204, '1']);
  }
  // Metadata of 1.0 comes in requests of its own: 0x1a is a MetricMetadata of type gauge, with the name `up`.
  const alone = snappyCompress(Uint8Array.of(0x1a, 6, 0x08, 2, 0x12, 2, 0x75, 0x70));
  expect((await asleep(stub, () => call('/api/v1/write', { method: 'POST', body: alone, schema: 1 }))).status).toBe(
    204,
  );
  while ((await asleep(stub, async () => await stub.digest(NOW))).more) continue;
  // The same once more changes nothing but the samples.
  await call('/api/v1/write', { method: 'POST', body: request(NOW, 'Jobs.') });
  while ((await asleep(stub, async () => await stub.digest(NOW))).more) continue;

  expect(await asleep(stub, metadata)).toEqual({
    jobs_total: [{ type: 'counter', unit: 'jobs', help: 'Jobs.' }],
    up: [{ type: 'gauge', unit: '', help: '' }],
  });
  const exemplars = async (query: string): Promise<unknown> => {
    const params = new URLSearchParams({ query, start: String((NOW + 1) / 1000), end: String((NOW + 2) / 1000) });
    const { data } = await (await call(`/api/v1/query_exemplars?${params}`)).json<{ data: unknown }>();
    return data;
  };
  expect(await asleep(stub, () => exemplars('jobs_total{job=~"j|k"}'))).toEqual([
    {
      seriesLabels: { __name__: 'jobs_total', job: 'j' },
      exemplars: [1, 2].map((i) => ({
        labels: { trace_id: `t${NOW + i}` },
        value: '1',
        timestamp: (NOW + i) / 1000,
      })),
    },
  ]);
  expect(await exemplars('jobs_total{job!="j"}')).toEqual([]);
  expect(await stub.report(NOW, 'acme', 0)).toMatchObject({
    metadataFamilies: 2,
    metadataLeftOut: 0,
    exemplarsIn: 4,
    exemplarsDropped: { duplicate: 0, too_many: 0, evicted: 0 },
  });
  // Another tenant's are its own.
  expect(await ingester(bindings, 'other', 0).metadata(null)).toEqual([]);
});
