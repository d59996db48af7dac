/** A target that serves generated pages (exposition.ts), gzip-compressed to whoever takes that, as real exporters do. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { Lab } from '../interop/lab.ts';
import { exposition, type PageOptions } from './exposition.ts';

export interface Target {
  readonly address: string;
  /** How many answers were begun. */
  readonly scrapes: () => number;
}

export async function serveTarget(lab: Lab, options: PageOptions): Promise<Target> {
  let scrapes = 0;
  const server = createServer((request, response) => {
    const page = exposition(options, scrapes++);
    response.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8');
    if (!/\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))) response.end(page);
    else response.setHeader('Content-Encoding', 'gzip').end(gzipSync(page, { level: 1 }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  lab.defer(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, scrapes: () => scrapes };
}
