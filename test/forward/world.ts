/** A log, remotes, and the simulated clock: what a forwarding run needs. */

import type { RemoteWriteConfig } from '../../src/config/model.ts';
import { RequestBuilder } from '../../src/encoding/remote-write/builder.ts';
import { snappyCompress } from '../../src/encoding/snappy.ts';
import type { LogDoor } from '../../src/forward/door.ts';
import { Outbox } from '../../src/forward/outbox.ts';
import { forwardRound } from '../../src/forward/round.ts';
import { Log } from '../../src/log/log.ts';
import { Values } from '../../src/log/table.ts';
import { samplesOf } from '../durable/log-reader.ts';
import { sqlite } from '../log/sqlite.ts';
import { REMOTES_SPARED } from '../../src/forward/deliver.ts';
import { Connections } from '../../src/scrape/reach/connections.ts';
import { SimClock } from '../sim/clock.ts';

export const T0 = Date.UTC(2026, 10, 22);

export const remote = (name: string, more: Partial<RemoteWriteConfig> = {}): RemoteWriteConfig => ({
  name,
  url: `http://${name}/write`,
  remoteTimeoutMs: 10_000,
  headers: [],
  minBackoffMs: 30,
  maxBackoffMs: 5_000,
  maxSamplesPerSend: 10_000,
  minShards: 1,
  maxShards: 50,
  sendExemplars: true,
  sendNativeHistograms: true,
  metadata: null,
  sampleAgeLimitMs: 0,
  followRedirects: true,
  writeRelabelConfigs: [],
  ...more,
});

/** A log, and the door to it that forgets its memory (leases) before every call. */
export function world(remotes: readonly RemoteWriteConfig[]) {
  const clock = new SimClock(T0);
  const sql = sqlite();
  const log = new Log(sql);
  const values = new Values(sql);
  const wanted = { version: 0 };
  const outbox = (): Outbox => new Outbox(new Log(sql), values, () => wanted.version);
  const door: LogDoor = {
    takeForwardBaton: async (_nowMs, plan) => {
      log.setConsumers(plan.remotes);
      return outbox().takeBaton();
    },
    next: (...call) => outbox().next(...call),
    renew: (...call) => outbox().renew(...call),
    acknowledge: (...call) => outbox().acknowledge(...call),
    retried: (...call) => outbox().retried(...call),
    countMetadata: (...call) => outbox().countMetadata(...call),
    setAside: (...call) => outbox().setAside(...call),
  };
  log.setConsumers(remotes.map((r) => r.name));
  let n = 0;
  /** One record with the sample n. */
  const append = (lanes?: number): void => {
    const builder = new RequestBuilder({ samplesMax: 10_000, bytesMax: 512 * 1024 });
    builder.reserve(100);
    builder.add([builder.symbol('__name__'), builder.symbol('n')], 2, T0 + ++n, 0, 0);
    const built = builder.finish()[0]!;
    log.append(clock.now(), [
      {
        schema: 2,
        samples: built.samples,
        maxT: built.maxT,
        body: snappyCompress(built.message),
        ...(lanes === undefined ? {} : { lanes }),
      },
    ]);
  };
  /** One record of that many series with one sample each, and long names. */
  const wide = (series: number): void => {
    const builder = new RequestBuilder({ samplesMax: 10_000, bytesMax: 4_000_000 });
    for (let i = 1; i <= series; i++) {
      builder.reserve(200);
      builder.add([builder.symbol('__name__'), builder.symbol(`n${i}_${'x'.repeat(90)}`)], 2, T0 + i, 0, 0);
    }
    const { message, samples, maxT } = builder.finish()[0]!;
    log.append(clock.now(), [{ schema: 2, samples, maxT, body: snappyCompress(message) }]);
  };
  /** What each remote got, in order: the n of each sample. */
  const received = new Map<string, number[]>();
  const take = async (request: Request): Promise<number> => {
    const host = new URL(request.url).host;
    const schema = request.headers.get('Content-Type')?.includes('v2') === true ? 2 : 1;
    const samples = samplesOf({ schema, body: new Uint8Array(await request.arrayBuffer()) });
    received.set(host, [...(received.get(host) ?? []), ...samples.map(({ t }) => t - T0)]);
    return samples.length;
  };
  const written = (samples: number): Response =>
    new Response(null, { status: 204, headers: { 'X-Prometheus-Remote-Write-Samples-Written': String(samples) } });
  const accept = async (request: Request): Promise<Response> => written(await take(request));
  const run = (
    fetch: (request: Request) => Promise<Response>,
    configVersion = 0,
    now = remotes,
    through = (log: LogDoor): LogDoor => log,
  ): Promise<{ reload: boolean }> =>
    forwardRound({ runMs: 150_000, configVersion, remotes: now }, through(door), {
      clock,
      fetch,
      connections: new Connections(clock, REMOTES_SPARED),
      senders: new Set(),
      certificate: () => fetch,
      self: () => Promise.reject(new Error('not self')),
      random: () => 0.5,
      tokens: new Map(),
      userAgent: 'Narthex/test',
      warn: () => undefined,
    });
  const status = (name: string) => log.status(clock.now()).consumers.find((consumer) => consumer.name === name)!;
  return { clock, sql, append, wide, received, take, accept, written, run, status, wanted, log };
}
