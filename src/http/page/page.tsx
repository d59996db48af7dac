/**
 * The page at `/`: where every sample is, in the order in which data travels. One answer, rendered here, without a build
 * step or a framework in the browser.
 */

import type { FC } from 'hono/jsx';
import { DEFAULT_TENANT } from '../../model/tenant.ts';
import { timestamp } from '../humanise.ts';
import type { TenantSettings } from '../../receive/limits.ts';
import type { Told } from '../../receive/told.ts';
import type { SystemStatus } from '../status.ts';
import { attention } from './attention.ts';
import { Blocks } from './blocks.tsx';
import { Discoveries } from './discovery.tsx';
import { Logs } from './log.tsx';
import { Ago, Mark } from './parts.tsx';
import { Receiver } from './receiver.tsx';
import { documentOf, pageAnswer, Shell } from './shell.tsx';
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
  /** What senders were told, of the tenants that the reader may see, and what holds for a tenant. */
  readonly told: ReadonlyMap<string, Told>;
  readonly settings: (tenant: string) => TenantSettings;
}

/** The page as an answer, with the policy that fits it. */
export const pageResponse = (props: PageProps): Promise<Response> => pageAnswer(renderPage(props));

export function renderPage(props: PageProps): string {
  const { status, tenant, version } = props;
  const aside = <Versions status={status} version={version} tenant={tenant} />;
  return documentOf(
    <Shell path="/" title="Overview" aside={aside} linked={tenant === DEFAULT_TENANT}>
      <Main {...props} />
    </Shell>,
  );
}

const Main: FC<PageProps> = ({ status, tenant, origin, problems, told, settings }) => {
  const deployment = tenant === DEFAULT_TENANT;
  return (
    <>
      <Summary status={status} deployment={deployment} />
      <Notices status={status} problems={deployment ? problems : []} told={told} />
      {deployment ? <Targets status={status} /> : null}
      {deployment ? <Discoveries status={status} /> : null}
      {deployment ? <Logs status={status} /> : null}
      <Receiver status={status} origin={origin} told={told} settings={settings} />
      <Blocks status={status} />
      <footer>
        <a href="/metrics">Metrics</a>
        {deployment ? <a href="/api/v1/targets">Targets as JSON</a> : null}
        <a href="/api/v1/status/tsdb/blocks">Blocks as JSON</a>
        {deployment ? <a href="/api/v1/status/config">Configuration</a> : null}
        <span>Times are UTC. This page renews itself every ten seconds.</span>
      </footer>
    </>
  );
};

const Versions: FC<{ status: SystemStatus; version: string; tenant: string }> = ({ status, version, tenant }) => {
  const { config, nowMs } = status;
  return (
    <div class="versions" id="versions">
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
  );
};

interface NoticesProps {
  readonly status: SystemStatus;
  readonly problems: readonly string[];
  readonly told: ReadonlyMap<string, Told>;
}

const Notices: FC<NoticesProps> = ({ status, problems, told }) => {
  const notices = attention(status, problems, told);
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
