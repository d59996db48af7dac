/**
 * AWS Signature Version 4 (docs.aws.amazon.com, "Create a signed AWS API request"), for Amazon Managed Service for Prometheus. Signed are the
 * host, the time and the headers that are handed in, no others: what a proxy adds or changes does not break the signature.
 */

const ALGORITHM = 'AWS4-HMAC-SHA256';

/** A request as it will be sent; `headers` are those that a signature covers besides its own. */
export interface Unsigned {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** `sessionToken`: of keys that are lent, as those of a role are. */
export interface AwsKeys {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken?: string;
}

/** `Authorization` and its `X-Amz-` headers for a request that is sent at `nowMs` with exactly this URL, body and headers. */
export async function signature(
  { region, serviceName }: { readonly region: string; readonly serviceName: string },
  { accessKey, secretKey, sessionToken }: AwsKeys,
  { method, url, headers, body }: Unsigned,
  nowMs: number,
): Promise<Record<string, string>> {
  const { host, pathname, searchParams } = new URL(url);
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '');
  const day = time.slice(0, 8);
  const own = {
    'X-Amz-Date': time,
    ...(sessionToken === undefined ? {} : { 'X-Amz-Security-Token': sessionToken }),
  };
  const signed = Object.entries({ ...headers, ...own, host })
    .map(([name, value]): [string, string] => [name.toLowerCase(), value.trim().replace(/ +/g, ' ')])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const names = signed.map(([name]) => name).join(';');
  const canonical = [
    method,
    // The path is encoded a second time (only S3 wants it once).
    pathname.split('/').map(encode).join('/'),
    [...searchParams]
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .sort()
      .join('&'),
    ...signed.map(([name, value]) => `${name}:${value}`),
    '',
    names,
    hex(await sha256(body)),
  ].join('\n');
  const scope = `${day}/${region}/${serviceName}/aws4_request`;
  const text = [ALGORITHM, time, scope, hex(await sha256(utf8(canonical)))].join('\n');
  let key = utf8(`AWS4${secretKey}`);
  for (const part of [...scope.split('/'), text]) key = await hmac(key, utf8(part));
  return {
    ...own,
    Authorization: `${ALGORITHM} Credential=${accessKey}/${scope}, SignedHeaders=${names}, Signature=${hex(key)}`,
  };
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const sha256 = async (bytes: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));

async function hmac(key: Uint8Array, bytes: Uint8Array): Promise<Uint8Array> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const imported = await crypto.subtle.importKey('raw', key, algorithm, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, bytes));
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** RFC 3986: everything but letters, digits, "-", ".", "_" and "~". */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
