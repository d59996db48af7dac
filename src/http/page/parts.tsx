/** The small pieces that every section is made of. No state, no script: properties in, HTML out. */

import type { Child, FC, PropsWithChildren } from 'hono/jsx';
import type { Labels as LabelSet } from '../../model/labels.ts';
import { ago, bytes, count, duration, exact, timestamp } from '../humanise.ts';

export type Tone = 'good' | 'warn' | 'bad' | 'idle';

/** A number for people, the exact one in its title. */
export const Count: FC<{ n: number; of?: string }> = ({ n, of }) => (
  <span class="num" title={`${exact(n)}${of === undefined ? '' : ` ${of}`}`}>
    {count(n)}
  </span>
);

export const Size: FC<{ n: number }> = ({ n }) => (
  <span class="num" title={`${exact(n)} bytes`}>
    {bytes(n)}
  </span>
);

export const Span: FC<{ ms: number }> = ({ ms }) => (
  <span class="num" title={`${exact(ms)} ms`}>
    {duration(ms)}
  </span>
);

/** How long ago, the moment itself in the title; `otherwise` when it never was. */
export const Ago: FC<{ ms: number | null; nowMs: number; otherwise?: string }> = ({ ms, nowMs, otherwise }) =>
  ms === null ? (
    <span class="quiet">{otherwise ?? 'never'}</span>
  ) : (
    <time class="num" datetime={timestamp(ms)} title={timestamp(ms)}>
      {ago(ms, nowMs)}
    </time>
  );

/** A coloured dot and the word that says the same. */
export const Mark: FC<PropsWithChildren<{ tone: Tone }>> = ({ tone, children }) => (
  <span class={`mark ${tone}`}>{children}</span>
);

/** A filled bar; `split`: what is not filled is what is wrong. Its share is an SVG attribute: the page's policy allows no inline styles. */
export const Bar: FC<{ share: number; tone: Tone; label: string; split?: boolean }> = ({
  share,
  tone,
  label,
  split,
}) => (
  <svg
    class={`bar ${tone}${split === true ? ' split' : ''}`}
    viewBox="0 0 100 1"
    preserveAspectRatio="none"
    role="img"
    aria-label={label}
  >
    <title>{label}</title>
    <rect class="rest" width="100" height="1" />
    <rect class="fill" width={(Math.min(1, Math.max(0, share)) * 100).toFixed(2)} height="1" />
  </svg>
);

/** A small chart of the last hour, a column a minute; a minute without a value has none. The label says what it shows and its top. */
export const Hour: FC<{
  values: readonly (readonly [minute: number, value: number])[];
  nowMs: number;
  label: string;
}> = ({ values, nowMs, label }) => {
  const last = Math.floor(nowMs / 60_000);
  const top = values.reduce((max, [, value]) => Math.max(max, value), 0);
  return (
    <svg class="hour" viewBox="0 0 60 12" preserveAspectRatio="none" role="img" aria-label={label}>
      <title>{label}</title>
      <rect class="rest" y="11.5" width="60" height="0.5" />
      {values.map(([minute, value]) => {
        const height = top === 0 ? 0 : (11.5 * value) / top;
        return (
          <rect
            class="fill"
            x={59 - (last - minute)}
            y={(11.5 - height).toFixed(2)}
            width="0.8"
            height={height.toFixed(2)}
          />
        );
      })}
    </svg>
  );
};

/** Named values in a row that wraps. */
export const Facts: FC<PropsWithChildren> = ({ children }) => <dl class="facts">{children}</dl>;

export const Fact: FC<PropsWithChildren<{ name: string }>> = ({ name, children }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);

/** A station of the way. `lead` says in a few words what it holds. */
export const Section: FC<PropsWithChildren<{ id: string; title: string; lead?: Child }>> = (props) => (
  <section id={props.id}>
    <h2>
      {props.title}
      {props.lead === undefined ? null : <span class="lead"> {props.lead}</span>}
    </h2>
    {props.children}
  </section>
);

export const Card: FC<PropsWithChildren> = ({ children }) => <div class="card">{children}</div>;

/** Nothing is here yet, and what will happen next. */
export const Empty: FC<PropsWithChildren> = ({ children }) => <p class="empty">{children}</p>;

const ERROR_SHOWN = 400;

/** Words that came from outside: clipped, and escaped as all text is. `past` is quiet: it hurts no more. */
export const ErrorText: FC<{ text: string; past?: boolean }> = ({ text, past }) => (
  <code class={past === true ? 'error past' : 'error'}>
    {text.length > ERROR_SHOWN ? `${text.slice(0, ERROR_SHOWN)} …` : text}
  </code>
);

/** What was dropped and why, or that nothing was. */
export const Dropped: FC<{ reasons: Readonly<Record<string, number>> }> = ({ reasons }) => {
  const entries = Object.entries(reasons).filter(([, n]) => n > 0);
  if (entries.length === 0) return <span class="num">0</span>;
  return (
    <span class="reasons">
      {entries.map(([reason, n]) => (
        <span class="warn-text">
          <Count n={n} /> {reason}
        </span>
      ))}
    </span>
  );
};

/** A label set, a label a chip. */
export const Labels: FC<{ labels: LabelSet }> = ({ labels }) => (
  <span class="labels">
    {labels.map(({ name, value }) => (
      <span class="label">
        {name}=<wbr />
        <b>{JSON.stringify(value)}</b>
      </span>
    ))}
  </span>
);
