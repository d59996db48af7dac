/**
 * The page at `/`: where every sample is, in the order in which data travels. One answer, rendered here, without a build
 * step or a framework in the browser. The one invariant: every word that came from outside is escaped (hono/jsx does), and
 * the policy lets nothing run but the script whose hash it holds.
 */

import type { FC } from 'hono/jsx';
import { raw } from 'hono/html';
import { DEFAULT_TENANT } from '../../model/tenant.ts';
import { timestamp } from '../humanise.ts';
import type { SystemStatus } from '../status.ts';
import { attention } from './attention.ts';
import { Blocks } from './blocks.tsx';
import { Discoveries } from './discovery.tsx';
import { Logs } from './log.tsx';
import { Ago, Mark } from './parts.tsx';
import { Receiver } from './receiver.tsx';
import { SCRIPT, STYLE } from './style.ts';
import { Summary } from './summary.tsx';
import { Targets } from './targets.tsx';

export interface PageProps {
  /** What the tenant may see. */
  readonly status: SystemStatus;
  readonly tenant: string;
  readonly version: string;
  /** `http://localhost:8787`: where the reader found this page. */
  readonly origin: string;
  /** What is wrong with the tokens. */
  readonly problems: readonly string[];
}

/** The page as an answer, with the policy that fits it. */
export async function pageResponse(props: PageProps): Promise<Response> {
  const policy = [
    "default-src 'none'",
    `style-src ${await sourceHash(STYLE)}`,
    `script-src ${await sourceHash(SCRIPT)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  return new Response(renderPage(props), {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    },
  });
}

export const renderPage = (props: PageProps): string => `<!doctype html>${String(<Document {...props} />)}`;

async function sourceHash(source: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(source)));
  return `'sha256-${btoa(String.fromCharCode(...digest))}'`;
}

/** A stalk with a glow at its head. */
const LOGO =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path d="M16 31V15M16 24c-5 0-7-3-7-6M16 21c5 0 7-3 7-6" fill="none" stroke="#6d8a4e" stroke-width="2.4" stroke-linecap="round"/><path d="M16 1c1 4 5 5.500 5 10a5 5 0 0 1-10 0c0-2.500 1.500-3.500 2-5.500 1 .8 1.700 1.700 2 3 .8-2 1.200-4.500 1-7.500z" fill="#d9651c"/></svg>';

const Document: FC<PageProps> = (props) => (
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>Narthex</title>
      <link rel="icon" href={`data:image/svg+xml,${encodeURIComponent(LOGO)}`} />
      <noscript>
        <meta http-equiv="refresh" content="10" />
      </noscript>
      <style>{raw(STYLE)}</style>
    </head>
    <body>
      <div id="lost" role="status" hidden></div>
      <Main {...props} />
      <script type="module">{raw(SCRIPT)}</script>
    </body>
  </html>
);

const Main: FC<PageProps> = ({ status, tenant, version, origin, problems }) => {
  const deployment = tenant === DEFAULT_TENANT;
  return (
    <main class="page">
      <Header status={status} version={version} tenant={tenant} />
      <Summary status={status} deployment={deployment} />
      <Notices status={status} problems={deployment ? problems : []} />
      {deployment ? <Targets status={status} /> : null}
      {deployment ? <Discoveries status={status} /> : null}
      {deployment ? <Logs status={status} /> : null}
      <Receiver status={status} origin={origin} />
      <Blocks status={status} />
      <footer>
        <a href="/metrics">Metrics</a>
        {deployment ? <a href="/api/v1/targets">Targets as JSON</a> : null}
        <a href="/api/v1/status/tsdb/blocks">Blocks as JSON</a>
        {deployment ? <a href="/api/v1/status/config">Configuration</a> : null}
        <span>Times are UTC. This page renews itself every ten seconds.</span>
      </footer>
    </main>
  );
};

const Header: FC<{ status: SystemStatus; version: string; tenant: string }> = ({ status, version, tenant }) => {
  const { config, nowMs } = status;
  return (
    <header>
      <div>
        <h1>
          {raw(LOGO.replace('<svg', '<svg aria-hidden="true"'))}
          Narthex
        </h1>
        <p class="what">A Prometheus agent and remote-write receiver with no server under it</p>
      </div>
      <div class="versions">
        <p>
          Version <strong>{version}</strong>
          {tenant === DEFAULT_TENANT ? null : (
            <>
              {' '}
              · tenant <strong>{tenant}</strong>
            </>
          )}
        </p>
        <p>
          Configuration:{' '}
          {config.source === 'bundled' ? (
            <strong>bundled with the deployment</strong>
          ) : (
            <>
              <strong>
                version {config.version}, from {config.source === 'bucket' ? 'the bucket' : config.source}
              </strong>
              , <Ago ms={config.pushedAtMs} nowMs={nowMs} otherwise="" />
            </>
          )}
        </p>
        <p>
          <time class="num" datetime={timestamp(nowMs)}>
            {timestamp(nowMs).slice(0, 19).replace('T', ' ')} UTC
          </time>
        </p>
      </div>
    </header>
  );
};

const Notices: FC<{ status: SystemStatus; problems: readonly string[] }> = ({ status, problems }) => {
  const notices = attention(status, problems);
  if (notices.length === 0) {
    return (
      <ul class="notices calm">
        <li>
          <Mark tone="good">Nothing needs a look.</Mark>
        </li>
      </ul>
    );
  }
  return (
    <ul class="notices">
      {notices.map(({ level, text, section }) => (
        <li>
          <Mark tone={level}>{level === 'bad' ? 'trouble' : 'warning'}</Mark>{' '}
          {section === null ? text : <a href={`#${section}`}>{text}</a>}
        </li>
      ))}
    </ul>
  );
};
