/** Where targets and remotes are: `host:port`, URLs, and the host `self`, which is the deployment itself. */

/** The host that means the deployment itself; dispatched in process. */
export const SELF = 'self';

/**
 * A target as it stands in the file, checked: `host:port`, `host`, `[v6]:port` or `self`.
 *
 * @throws Error whose message is a hint.
 */
export function parseTarget(text: string): string {
  if (text.includes('/')) {
    throw new Error(
      /^https?:\/\//i.test(text)
        ? 'not a valid hostname: scheme and path have keys of their own, scheme and metrics_path'
        : 'not a valid hostname: the path has a key of its own, metrics_path',
    );
  }
  if (!/^(\[[0-9a-f:.]+\]|[\p{L}\p{N}_.-]+)(:[0-9]+)?$/iu.test(text) || !URL.canParse(`http://${text}/`)) {
    throw new Error('');
  }
  if (text !== SELF && /^self(:|$)/i.test(text))
    throw new Error('the deployment itself is "self": no port, no capitals');
  return text;
}

/**
 * The URL of a remote as it stands in the file, checked: http or https, no user and password in it.
 *
 * @throws Error whose message is a hint.
 */
export function parseRemoteUrl(text: string): string {
  if (!URL.canParse(text)) throw new Error(/^[\w.-]+(:[0-9]+)?(\/|$)/.test(text) ? 'the scheme is missing' : '');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new Error('the scheme is http or https');
  if (url.username !== '' || url.password !== '') throw new Error('user and password go under basic_auth');
  if (url.hostname === SELF && url.port !== '') throw new Error('"self" has no port');
  return text;
}

/** True for a host that is an IP address other than loopback: Workers cannot fetch it in production, only locally. */
export function isBareIp(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { hostname } = new URL(url);
  return isIpAddress(hostname) && hostname !== '[::1]' && !hostname.startsWith('127.');
}

/** `hostname` is a URL's, which writes every IPv4 address with three dots, and IPv6 in brackets. */
export const isIpAddress = (hostname: string): boolean =>
  hostname.startsWith('[') || /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$/.test(hostname);

/** Why a text cannot be the value of a header; undefined when it can. */
export function headerProblem(value: string): string | undefined {
  if (/[\r\n\0]/.test(value)) return 'it holds a line break or a NUL';
  return /[^\t\x20-\x7e\x80-\xff]/.test(value) ? 'it holds characters that no header can hold' : undefined;
}
