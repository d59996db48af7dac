/**
 * What every page is wrapped in: the document, its head line with the ways to the other pages, and the policy. The one invariant: every word
 * that came from outside is escaped (hono/jsx does), and the policy lets nothing run but the script whose hash it holds.
 */

import { raw } from 'hono/html';
import type { Child, FC, PropsWithChildren } from 'hono/jsx';
import { SCRIPT } from './script.ts';
import { STYLE } from './style.ts';

/** The pages that lead to each other, in the order of the head line. */
export const PAGES = [
  ['/', 'Overview'],
  ['/targets', 'Targets'],
  ['/service-discovery', 'Discovery'],
  ['/relabel', 'Relabelling'],
] as const;
export type PagePath = (typeof PAGES)[number][0];

export interface ShellProps {
  readonly path: PagePath;
  readonly title: string;
  /** Beside the name, on the right. */
  readonly aside?: Child;
  /** Whether the reader may see the other pages. */
  readonly linked: boolean;
  /** What the reader asks for, which stays while `children` renew themselves. */
  readonly form?: Child;
}

/** A page as an answer, with the policy that fits it. */
export async function pageAnswer(html: string): Promise<Response> {
  const policy = [
    "default-src 'none'",
    `style-src ${await sourceHash(STYLE)}`,
    `script-src ${await sourceHash(SCRIPT)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ');
  return new Response(html, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    },
  });
}

async function sourceHash(source: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(source)));
  return `'sha256-${btoa(String.fromCharCode(...digest))}'`;
}

/** A stalk with a glow at its head. */
const LOGO =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path d="M16 31V15M16 24c-5 0-7-3-7-6M16 21c5 0 7-3 7-6" fill="none" stroke="#6d8a4e" stroke-width="2.4" stroke-linecap="round"/><path d="M16 1c1 4 5 5.500 5 10a5 5 0 0 1-10 0c0-2.500 1.500-3.500 2-5.500 1 .8 1.700 1.700 2 3 .8-2 1.200-4.500 1-7.500z" fill="#d9651c"/></svg>';

export const Shell: FC<PropsWithChildren<ShellProps>> = ({ path, title, aside, linked, form, children }) => (
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>{path === '/' ? 'Narthex' : `${title} · Narthex`}</title>
      <link rel="icon" href={`data:image/svg+xml,${encodeURIComponent(LOGO)}`} />
      {form === undefined ? (
        <noscript>
          <meta http-equiv="refresh" content="10" />
        </noscript>
      ) : null}
      <style>{raw(STYLE)}</style>
    </head>
    <body>
      <div id="lost" role="status" hidden></div>
      <main class="page">
        <header>
          <div>
            <h1>
              {raw(LOGO.replace('<svg', '<svg aria-hidden="true"'))}
              Narthex
            </h1>
            <p class="what">A Prometheus agent and remote-write receiver with no server under it</p>
          </div>
          {aside}
        </header>
        {linked ? (
          <nav>
            {PAGES.map(([to, name]) => (
              <a href={to} {...(to === path ? { 'aria-current': 'page' } : {})}>
                {name}
              </a>
            ))}
          </nav>
        ) : null}
        {form}
        <div id="live">{children}</div>
      </main>
      <script type="module">{raw(SCRIPT)}</script>
    </body>
  </html>
);

export const documentOf = (html: Child): string => `<!doctype html>${String(html)}`;
