/**
 * The keys of an AWS role: asked of the Security Token Service with the configured ones (AssumeRole, docs.aws.amazon.com/STS) and kept until shortly
 * before they expire. Answers are XML, of which four elements matter; what they hold is never escaped.
 */

import type { SigV4Config } from '../config/model.ts';
import { firstWords } from '../model/body.ts';
import { type AwsKeys, signature } from './sigv4.ts';
import { ANSWER_CHARS_MAX, type AuthDoors, type Token, tokenFor } from './tokens.ts';

/** Who CloudTrail says that it was. */
const SESSION_NAME = 'narthex';

/** The keys to sign with: the configured ones, or those of the role. Throws an Error with the service's words when there are none to be had. */
export async function keysOf(config: SigV4Config, doors: AuthDoors): Promise<AwsKeys> {
  const { role } = config;
  if (role === undefined) return config;
  return JSON.parse(await tokenFor(config, doors, (nowMs) => assume(config, role, doors, nowMs))) as AwsKeys;
}

/** The keys of the role, as JSON. */
async function assume(
  config: SigV4Config,
  { arn, externalId, fips }: NonNullable<SigV4Config['role']>,
  { fetch }: AuthDoors,
  nowMs: number,
): Promise<Token> {
  const url = endpoint(config.region, fips);
  const params = new URLSearchParams({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    RoleArn: arn,
    RoleSessionName: SESSION_NAME,
    ...(externalId === '' ? {} : { ExternalId: externalId }),
  });
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const body = new TextEncoder().encode(params.toString());
  const scope = { region: config.region, serviceName: 'sts' };
  const signed = await signature(scope, config, { method: 'POST', url, headers, body }, nowMs);
  const init = { method: 'POST', headers: { ...headers, ...signed }, body, redirect: 'manual' } as const;
  const response = await fetch(new Request(url, init));
  const text = await firstWords(response.body, ANSWER_CHARS_MAX);
  const element = (name: string): string => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1]?.trim() ?? '';
  const [accessKey, secretKey, sessionToken] = ['AccessKeyId', 'SecretAccessKey', 'SessionToken'].map(element);
  const untilMs = Date.parse(element('Expiration'));
  if (response.ok && accessKey && secretKey && sessionToken && !Number.isNaN(untilMs)) {
    return { token: JSON.stringify({ accessKey, secretKey, sessionToken } satisfies AwsKeys), untilMs };
  }
  // A failed answer holds no keys: what it says may be shown.
  const said = response.ok ? 'without keys' : element('Message') || text.slice(0, 300);
  throw new Error(`${new URL(url).host} answered ${response.status} for role ${arn}${said === '' ? '' : `: ${said}`}`);
}

/** As AWS' endpoint rules have it: China has a domain of its own, and the ordinary endpoints of GovCloud are the FIPS ones. */
function endpoint(region: string, fips: boolean): string {
  const host = fips && !region.startsWith('us-gov-') ? 'sts-fips' : 'sts';
  return `https://${host}.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}/`;
}
