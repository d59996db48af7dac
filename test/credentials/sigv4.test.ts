/** The published vectors: AWS' Signature Version 4 test suite, and the example of its documentation (IAM ListUsers). */

import { expect, it } from 'vitest';
import { signature } from '../../src/credentials/sigv4.ts';

const AT = Date.UTC(2015, 7, 30, 12, 36, 0);
const config = {
  region: 'us-east-1',
  accessKey: 'AKIDEXAMPLE',
  secretKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  serviceName: 'service',
};
const form = { 'Content-Type': 'application/x-www-form-urlencoded' };

it.each([
  ['get-vanilla', 'GET', '', {}, '', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
  ['post-vanilla', 'POST', '', {}, '', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
  [
    'get-vanilla-query-order-key-case',
    'GET',
    '?Param2=value2&Param1=value1',
    {},
    '',
    'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  ],
  [
    'post-x-www-form-urlencoded',
    'POST',
    '',
    form,
    'Param1=value1',
    'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
  ],
])('%s', async (_, method, query, headers, body, expected) => {
  const url = `https://example.amazonaws.com/${query}`;
  const signed = await signature(config, config, { method, url, headers, body: new TextEncoder().encode(body) }, AT);
  expect(signed['X-Amz-Date']).toBe('20150830T123600Z');
  expect(signed['Authorization']).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20150830\/us-east-1\/service\/aws4_request, SignedHeaders=/,
  );
  expect(signed['Authorization']).toContain(`Signature=${expected}`);
});

it('the example of the documentation', async () => {
  const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
  const url = 'https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08';
  const request = { method: 'GET', url, headers, body: new Uint8Array() };
  const { Authorization } = await signature({ ...config, serviceName: 'iam' }, config, request, AT);
  expect(Authorization).toContain(
    'SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
  );
});
