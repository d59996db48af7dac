import { describe, expect, it } from 'vitest';
import { findToken, parseTokens, sentToken } from '../../src/http/tokens.ts';
import { digestOf, line } from './fake.ts';

const HEX = 'ab'.repeat(32);

describe('lines of a secret', () => {
  it('reads names, roles, tenants and digests, and passes over blank lines and comments', () => {
    const { tokens, problems } = parseTokens([
      `# who\r\n\r\n  prom  write,read  acme,wile  sha256:${HEX}\n`,
      `ops admin * sha256:${HEX.replaceAll('a', 'C')}`,
    ]);
    expect(problems).toEqual([]);
    expect(tokens.map(({ name, roles, tenants }) => [name, roles, tenants])).toEqual([
      ['prom', ['write', 'read'], ['acme', 'wile']],
      ['ops', ['admin'], ['*']],
    ]);
    expect(tokens[0]!.digest).toEqual(new Uint8Array(32).fill(0xab));
  });

  const bad: [line: string, what: RegExp][] = [
    [`prom write acme`, /4 fields.*got 3/],
    [`prom write acme sha256:${HEX} extra`, /4 fields.*got 5/],
    [`pr/om write acme sha256:${HEX}`, /name/],
    [`prom writer acme sha256:${HEX}`, /roles/],
    [`prom write, acme sha256:${HEX}`, /roles/],
    [`prom write acme,,b sha256:${HEX}`, /tenant/],
    [`prom write a/b sha256:${HEX}`, /tenant/],
    [`prom write .. sha256:${HEX}`, /tenant/],
    [`prom write acme ${HEX}`, /digest/],
    [`prom write acme sha256:${HEX}0`, /digest/],
    [`prom write acme sha256:${HEX.slice(1)}g`, /digest/],
  ];
  it.each(bad)('ignores %j and says why, without repeating it', (text, what) => {
    const { tokens, problems } = parseTokens(['', `# first\n${text}`]);
    expect(tokens).toEqual([]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(what);
    expect(problems[0]).toContain('(secret 2 of 2), line 2');
    expect(problems[0]).not.toContain(HEX.slice(0, 20));
  });

  it('never shows a token that somebody pasted in place of its digest', () => {
    const { problems } = parseTokens(['prom write acme hunter2-hunter2']);
    expect(problems.join()).not.toContain('hunter2');
  });

  it('takes a digest once: the first line decides', () => {
    const { tokens, problems } = parseTokens([`a write acme sha256:${HEX}\nb admin acme sha256:${HEX.toUpperCase()}`]);
    expect(tokens.map((token) => token.name)).toEqual(['a']);
    expect(problems[0]).toContain('earlier line');
  });
});

it('finds the token that was sent, wherever it stands', async () => {
  const lines = await Promise.all(['one', 'two', 'three'].map((token) => line(`n-${token}`, 'read', 'acme', token)));
  const { tokens } = parseTokens([lines.join('\n')]);
  for (const token of ['one', 'two', 'three']) expect((await findToken(tokens, token))?.name).toBe(`n-${token}`);
  for (const wrong of ['', 'on', 'one ', await digestOf('one')]) expect(await findToken(tokens, wrong)).toBeNull();
});

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
const headers: [header: string | null, token: string | null][] = [
  [null, null],
  ['', null],
  ['Bearer', null],
  ['Bearer ', null],
  ['Bearer abc', 'abc'],
  ['bearer  abc ', 'abc'],
  ['Bearer a b', null],
  ['Token abc', null],
  [basic('user:pass'), 'pass'],
  [basic(':pa:ss'), 'pa:ss'],
  [basic('user:'), null],
  [basic('user'), null],
  ['Basic ///', null],
  ['Basic /w==', null],
];
it.each(headers)('takes from %j the token %j', (header, token) => {
  expect(sentToken(header)?.token ?? null).toBe(token);
});
