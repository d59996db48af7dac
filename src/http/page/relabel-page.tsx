/** `/relabel`: what each rule of a scrape pool's `relabel_configs` makes of a target's labels, or of labels that somebody types in. */

import type { FC } from 'hono/jsx';
import type { RelabelConfig } from '../../config/model.ts';
import { addressProblem } from '../../discovery/targets.ts';
import { type Labels as LabelSet, labelsFrom, labelValue } from '../../model/labels.ts';
import { type RelabelStep, relabelSteps } from '../../relabel/relabel.ts';
import { BadData } from '../params.ts';
import { labelsParam, ruleData } from '../relabel-steps.ts';
import { Choice } from './filter.tsx';
import { Empty, ErrorText, Labels, Mark } from './parts.tsx';
import { documentOf, Shell } from './shell.tsx';

export interface RelabelPageProps {
  readonly jobs: readonly string[];
  /** The pool; `''` when there is none. */
  readonly job: string;
  /** Null when there is no such pool. */
  readonly rules: readonly RelabelConfig[] | null;
  /** As they were typed. */
  readonly labels: string;
}

/** Reads labels as people write them: JSON, or a line each, `name=value` or `name: value`, the value in quotes or not. Throws BadData. */
export function typedLabels(text: string): LabelSet {
  if (text.trimStart().startsWith('{')) return labelsParam(text);
  const lines = text.split('\n').flatMap((line, i): [string, string][] => {
    if (line.trim() === '') return [];
    const match = /^\s*([^=:\s]+)\s*[=:]\s*(.*?)\s*,?\s*$/.exec(line);
    if (match === null) throw new BadData(`line ${i + 1} is not like name=value`);
    return [[match[1]!, unquoted(match[2]!)]];
  });
  return labelsFrom(lines);
}

function unquoted(value: string): string {
  if (!/^".*"$/.test(value)) return value;
  try {
    return JSON.parse(value) as string;
  } catch {
    return value;
  }
}

export function renderRelabelPage(props: RelabelPageProps): string {
  const { jobs, job, labels } = props;
  const form = (
    <form class="filter relabel" action="/relabel" method="get">
      <label>
        <span>Scrape pool</span>
        <Choice name="scrapePool" chosen={job} options={jobs.map((one) => [one, one])} />
      </label>
      <label class="search">
        <span>Labels before the rules: a line each, name=value; or JSON</span>
        <textarea name="labels" rows={Math.min(14, Math.max(5, labels.split('\n').length + 1))} spellcheck={false}>
          {labels}
        </textarea>
      </label>
      <button>Show</button>
    </form>
  );
  return documentOf(
    <Shell path="/relabel" title="Relabelling" linked form={form}>
      <Result {...props} />
    </Shell>,
  );
}

const Result: FC<RelabelPageProps> = ({ rules, labels, job }) => {
  if (rules === null)
    return <Empty>{job === '' ? 'There is no scrape pool yet.' : `There is no scrape pool ${job}.`}</Empty>;
  if (labels.trim() === '') {
    return (
      <Empty>
        Type labels in, or begin with a target of <a href="/service-discovery">Discovery</a>.
      </Empty>
    );
  }
  let before: LabelSet;
  try {
    before = typedLabels(labels);
  } catch (error) {
    if (!(error instanceof BadData)) throw error;
    return <ErrorText text={error.message} />;
  }
  const steps = relabelSteps(rules, before);
  const after = steps.length === 0 ? before : steps.at(-1)!.after;
  const unfit = after === null ? null : addressProblem(labelValue(after, '__address__'));
  return (
    <>
      <ol class="steps">
        {rules.length === 0 ? <Empty>This pool has no relabel_configs.</Empty> : null}
        {rules.map((rule, i) => (
          <Step rule={rule} step={steps[i] ?? null} />
        ))}
      </ol>
      <section>
        <h2>Then</h2>
        {after === null ? (
          <Mark tone="idle">no target: rule {steps.length} drops it</Mark>
        ) : (
          <>
            {unfit === null ? (
              <Mark tone="good">a target with these labels</Mark>
            ) : (
              <Mark tone="bad">nothing that can be scraped: {unfit}</Mark>
            )}
            <Labels labels={targetLabels(after)} />
            <p class="small quiet">
              Labels that begin with <code>__</code> end here; <code>instance</code> is the address when no rule sets
              it.
            </p>
          </>
        )}
      </section>
    </>
  );
};

/** As `PopulateLabels` in Prometheus' scrape/target.go. */
const targetLabels = (labels: LabelSet): LabelSet =>
  labelsFrom([
    ['instance', labelValue(labels, '__address__')],
    ...labels.filter(({ name }) => !name.startsWith('__')).map(({ name, value }): [string, string] => [name, value]),
  ]);

const Step: FC<{ rule: RelabelConfig; step: RelabelStep | null }> = ({ rule, step }) => {
  const changes = step === null || step.after === null ? [] : changesOf(step.before, step.after);
  return (
    <li class={step === null ? 'skipped' : ''}>
      <code class="block">{ruleText(rule)}</code>
      {step === null ? (
        <span class="quiet">not reached</span>
      ) : step.after === null ? (
        <Mark tone="bad">drops it</Mark>
      ) : changes.length === 0 ? (
        <Mark tone="idle">kept, nothing changes</Mark>
      ) : (
        <ul class="changes">
          {changes.map(({ name, before, after }) => (
            <li>
              <code>
                {name} {before === null ? null : <del>{JSON.stringify(before)}</del>}{' '}
                {after === null ? <span class="quiet">removed</span> : <ins>{JSON.stringify(after)}</ins>}
              </code>
            </li>
          ))}
        </ul>
      )}
      {step === null ? null : (
        <details class="all">
          <summary class="small quiet">labels before{step.after === null ? '' : ' and after'}</summary>
          <Labels labels={step.before} />
          {step.after === null ? null : <Labels labels={step.after} />}
        </details>
      )}
    </li>
  );
};

interface Change {
  readonly name: string;
  readonly before: string | null;
  readonly after: string | null;
}

function changesOf(before: LabelSet, after: LabelSet): Change[] {
  const was = new Map(before.map(({ name, value }) => [name, value]));
  const is = new Map(after.map(({ name, value }) => [name, value]));
  return [...new Set([...was.keys(), ...is.keys()])]
    .filter((name) => was.get(name) !== is.get(name))
    .toSorted()
    .map((name) => ({ name, before: was.get(name) ?? null, after: is.get(name) ?? null }));
}

/** A text in single quotes, where a backslash is one. */
const quotedYaml = (text: string): string =>
  /[\n\t]/.test(text) ? JSON.stringify(text) : `'${text.replaceAll("'", "''")}'`;

/** The rule as it could stand in the file, without what is the default anyway. */
function ruleText(rule: RelabelConfig): string {
  const defaults: Readonly<Record<string, unknown>> = { separator: ';', regex: '(.*)', replacement: '$1' };
  const entries = Object.entries(ruleData(rule)).filter(([key, value]) => defaults[key] !== value);
  const text = (value: unknown): string =>
    Array.isArray(value)
      ? `[${value.join(', ')}]`
      : typeof value === 'string' && !/^[\w.-]+$/.test(value)
        ? quotedYaml(value)
        : String(value);
  const { action } = rule;
  return [
    `action: ${action}`,
    ...entries.filter(([key]) => key !== 'action').map(([key, value]) => `${key}: ${text(value)}`),
  ].join('\n');
}
