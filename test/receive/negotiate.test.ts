import { describe, expect, it } from 'vitest';
import { negotiate } from '../../src/receive/negotiate.ts';

const PROTOBUF = 'application/x-protobuf';
const V1 = 'prometheus.WriteRequest';
const V2 = 'io.prometheus.write.v2.Request';

describe('Content-Type', () => {
  // [header, schema, or 415]
  const rows: [string | null, number][] = [
    [null, 1],
    ['', 1],
    [PROTOBUF, 1],
    [`${PROTOBUF};proto=${V1}`, 1],
    [`${PROTOBUF};proto=${V2}`, 2],
    [`${PROTOBUF}; proto=${V2}`, 2],
    [` ${PROTOBUF} ; charset=utf-8 ; PROTO="${V2}" `, 2],
    ['Application/X-Protobuf', 1],
    [`${PROTOBUF};proto=io.prometheus.write.v3.Request`, 415],
    [`${PROTOBUF};proto=`, 415],
    [`${PROTOBUF};proto`, 415],
    [`${PROTOBUF};`, 415],
    ['application/json', 415],
    ['application/x-protobuf2', 415],
    [`${PROTOBUF};proto=toString`, 415],
  ];
  it.each(rows)('%j → %d', (type, want) => {
    const headers = new Headers({ 'Content-Encoding': 'snappy' });
    if (type !== null) headers.set('Content-Type', type);
    const got = negotiate(headers);
    expect('schema' in got ? got.schema : got.status).toBe(want);
    if ('status' in got) expect(got.message).toContain(V2);
  });
});

describe('Content-Encoding', () => {
  const rows: [string | null, boolean][] = [
    [null, true],
    ['', true],
    ['snappy', true],
    ['Snappy', true],
    ['gzip', false],
    ['snappy, gzip', false],
    ['zstd', false],
    ['identity', false],
  ];
  it.each(rows)('%j', (encoding, taken) => {
    const headers = new Headers({ 'Content-Type': PROTOBUF });
    if (encoding !== null) headers.set('Content-Encoding', encoding);
    expect('schema' in negotiate(headers)).toBe(taken);
  });
});

it('shortens what it quotes', () => {
  const got = negotiate(new Headers({ 'Content-Type': `text/${'x'.repeat(5000)}` }));
  expect('status' in got && got.message.length).toBeLessThan(400);
});
