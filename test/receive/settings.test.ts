import { describe, expect, it } from 'vitest';
import { DEFAULT_RECEIVE_LIMITS, DEFAULT_SHARD_LIMITS } from '../../src/receive/limits.ts';
import { parseLimits } from '../../src/receive/settings.ts';

const DEFAULTS = { receive: DEFAULT_RECEIVE_LIMITS, shard: DEFAULT_SHARD_LIMITS, shards: 1, ha: false, relay: [] };

it.each(['', '{}', '# nothing\n', 'acme:\n'])('%j leaves everything as it is', (text) => {
  const limits = parseLimits(text);
  expect(limits.problems).toEqual([]);
  expect(limits.of('acme')).toEqual(DEFAULTS);
});

it("holds what is said for '*', and for a tenant what is said for it on top", () => {
  const limits = parseLimits(`
'*': { series_limit: 1000, past_limit: 1h, relay: [far] }
acme:
  body_size_limit: 1MB
  uncompressed_size_limit: 4MB
  sample_limit: 2000
  label_limit: 30
  label_name_length_limit: 100
  label_value_length_limit: 200
  future_limit: 0s
  past_limit: 2h
  samples_per_second: 500
  pending_size_limit: 3MB
  ha: true
  relay: [near, far]
wile: { samples_per_second: 10, samples_burst: 7 }
`);
  expect(limits.problems).toEqual([]);
  expect(limits.of('acme')).toEqual({
    receive: {
      bodyBytesMax: 2 ** 20,
      messageBytesMax: 2 ** 22,
      samplesMax: 2000,
      labelsMax: 30,
      nameBytesMax: 100,
      valueBytesMax: 200,
      futureMs: 0,
      pastMs: 7_200_000,
      record: DEFAULT_RECEIVE_LIMITS.record,
    },
    shard: { samplesPerS: 500, samplesBurst: 5000, seriesMax: 1000, pendingBytesMax: 3 * 2 ** 20 },
    shards: 1,
    ha: true,
    relay: ['near', 'far'],
  });
  expect(limits.of('wile').shard).toMatchObject({ samplesPerS: 10, samplesBurst: 7, seriesMax: 1000 });
  expect(limits.of('another')).toMatchObject({ shard: { seriesMax: 1000, samplesPerS: null }, relay: ['far'] });
  expect(limits.relays).toEqual(['far', 'near']);
  expect(limits.tenants).toEqual(['acme', 'wile']);
});

it('is JSON as well', () => {
  expect(parseLimits('{"acme": {"label_limit": 3, "ha": true}}').of('acme')).toMatchObject({
    receive: { labelsMax: 3 },
    ha: true,
  });
});

describe('mistakes', () => {
  it('are all reported with their place; a section with one counts for nothing, the others hold', () => {
    const limits = parseLimits(`a/b: {}
acme:
  sample_limits: 3
  label_limit: many
wile: { label_limit: 5 }
coyote: { body_size_limit: 1GB, past_limit: 0s, series_limit: 0, ha: perhaps, relay: far }
`);
    expect(limits.problems).toEqual([
      `NARTHEX_LIMITS:1:1: ["a/b"]: expected the name of a tenant, got "a/b" (letters, digits and !._*'()-, 150 at most; '*' is every tenant)`,
      'NARTHEX_LIMITS:3:3: acme.sample_limits: expected a known limit, got "sample_limits" (did you mean "sample_limit"?)',
      'NARTHEX_LIMITS:4:16: acme.label_limit: expected a whole number above 0, got "many"',
      expect.stringMatching(/^NARTHEX_LIMITS:6:\d+: coyote.body_size_limit: .*memory allows 32MB at most/),
      expect.stringMatching(/coyote.past_limit: expected a duration.*more than 0/),
      expect.stringMatching(/coyote.series_limit: .*more than 0/),
      expect.stringMatching(/coyote.ha: expected true or false, got "perhaps"/),
      expect.stringMatching(/coyote.relay: expected a list of names of remote_write, got "far"/),
    ]);
    expect(limits.of('acme')).toEqual(DEFAULTS);
    expect(limits.of('coyote')).toEqual(DEFAULTS);
    expect(limits.of('wile').receive.labelsMax).toBe(5);
  });

  it.each(['[]', 'acme', 'acme: 3', 'acme: [1]', '{', 'a: *b', 'a: {relay: [[1]]}'])('%j is one', (text) => {
    const limits = parseLimits(text);
    expect(limits.problems.length).toBeGreaterThan(0);
    expect(limits.of('acme')).toEqual(DEFAULTS);
  });
});
