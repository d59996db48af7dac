import { expect, it } from 'vitest';
import { snappyCompress } from '../../src/encoding/snappy.ts';
import { accept } from '../../src/receive/accept.ts';
import { DEFAULT_RECEIVE_LIMITS } from '../../src/receive/limits.ts';
import { double, v1, v2 } from '../encoding/remote-write/oracle.ts';
import { NOW } from './receiver.ts';

it('gives results that later requests leave as they are', () => {
  const take = (schema: 1 | 2, message: Uint8Array) =>
    accept(schema, snappyCompress(message), DEFAULT_RECEIVE_LIMITS, NOW, { hashSeries: true });
  const series = (name: string, value: string) => ({
    labels: [{ name, value }],
    samples: [{ value: double(1), timestamp: NOW }],
  });
  const first = take(1, v1.encode({ timeseries: [series('__name__', 'good'), series('job', 'j')] }));
  const copy = structuredClone(first);
  expect(first).toMatchObject({ ok: true, samples: 1, refused: [{ reason: 'no_metric_name' }] });
  for (let i = 0; i < 5; i++) {
    take(1, v1.encode({ timeseries: Array.from({ length: 40 }, () => series('job', 'k')) }));
    const samples = [{ value: double(2), timestamp: NOW - i }];
    take(2, v2.encode({ symbols: ['', '__name__', 'other'], timeseries: [{ labelsRefs: [1, 2], samples }] }));
  }
  expect(first).toEqual(copy);
});
