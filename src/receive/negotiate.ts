/**
 * Which message a request holds, by its headers (Remote Write 2.0, "Protocol": the content type decides, never the version
 * header). A 1.0 sender gives a bare `application/x-protobuf`, or with Prometheus' leniency nothing at all.
 */

import type { Schema } from '../encoding/remote-write/decoded.ts';

const MESSAGES: ReadonlyMap<string, Schema> = new Map([
  ['prometheus.WriteRequest', 1],
  ['io.prometheus.write.v2.Request', 2],
]);

const ACCEPTED = `application/x-protobuf with proto=${[...MESSAGES.keys()].join(' or proto=')}`;

export type Negotiated = { readonly schema: Schema } | { readonly status: 415; readonly message: string };

export function negotiate(headers: Headers): Negotiated {
  const encoding = headers.get('content-encoding')?.trim().toLowerCase() ?? '';
  if (encoding !== '' && encoding !== 'snappy') {
    return unsupported(`Content-Encoding ${quoted(encoding)}`, 'snappy (block format)');
  }
  const contentType = headers.get('content-type')?.trim() ?? '';
  if (contentType === '') return { schema: 1 };
  const [type, ...parameters] = contentType.split(';').map((part) => part.trim());
  if (type!.toLowerCase() !== 'application/x-protobuf')
    return unsupported(`Content-Type ${quoted(contentType)}`, ACCEPTED);
  for (const parameter of parameters) {
    const [, name, value] = /^([^=\s]+)=(.*)$/.exec(parameter) ?? [];
    if (name === undefined) return unsupported(`Content-Type ${quoted(contentType)}`, ACCEPTED);
    if (name.toLowerCase() !== 'proto') continue;
    const schema = MESSAGES.get(value!.replace(/^"(.*)"$/, '$1'));
    return schema === undefined ? unsupported(`Content-Type ${quoted(contentType)}`, ACCEPTED) : { schema };
  }
  return { schema: 1 };
}

function unsupported(got: string, expected: string): Negotiated {
  return { status: 415, message: `${got} is not supported; expected ${expected}` };
}

const quoted = (text: string): string => JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);
