import { expect, it } from 'vitest';
import type { Env } from '../../durable/env.ts';
import { withCertificate } from '../../durable/routes.ts';

it('a client certificate is a binding that fetches, and no way into a private network', async () => {
  const asked: string[] = [];
  const binding = {
    fetch: (request: Request) => {
      asked.push(request.url);
      return Promise.resolve(new Response('hello'));
    },
  };
  const env = {
    CLIENT: binding,
    INTRANET: binding,
    NARTHEX_X: binding,
    TEXT: 'text',
    NARTHEX_VPC: 'INTRANET: [db.internal:443]',
  } as unknown as Env;
  const ask = (name: string) => withCertificate(env, name)(new Request('https://remote.example.com/write'));
  expect(await (await ask('CLIENT')).text()).toBe('hello');
  for (const name of ['INTRANET', 'NARTHEX_X', 'TEXT', 'GONE', 'toString'])
    await expect(ask(name)).rejects.toThrow(`there is no client certificate "${name}"`);
  expect(asked).toEqual(['https://remote.example.com/write']);
});
