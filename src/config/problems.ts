/** What a check of a configuration has to say: one problem a mistake, each telling where, what was expected and what was got. */

import { formatPath, type Path, type Position } from './positions.ts';
import { isSection, isSecret, SECRET, shownPath, withoutUserinfo } from './secrets.ts';

export interface Problem {
  /** The file of `scrape_config_files` that it is in; absent for the configuration itself. */
  readonly file?: string;
  /** `scrape_configs[0].static_configs[1].targets`; empty when it is about the text as a whole. */
  readonly path: string;
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
  readonly expected: string;
  /** Never a secret. */
  readonly got: string;
  readonly hint?: string;
  readonly level: 'error' | 'warning';
}

export function problem(
  path: Path,
  position: Position,
  said: { expected: string; got: string; hint?: string | undefined; level?: Problem['level'] },
): Problem {
  return {
    path: formatPath(shownPath(path)),
    ...position,
    expected: said.expected,
    got: said.got,
    ...(said.hint === undefined ? {} : { hint: said.hint }),
    level: said.level ?? 'error',
  };
}

/** A value as a report may show it: short, on one line, without secrets. */
export function describe(value: unknown, path: Path): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  return isSecret(path) ? SECRET : quote(withoutUserinfo(String(value)));
}

/** A key as a report may show it; `path` is where its mapping stands. */
export function describeKey(key: string, path: Path): string {
  return isSecret(path) && !isSection(path) ? SECRET : quote(key);
}

/** A text in quotes, on one line, cut after 80 characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/** File by file, in the order of the text; of several at one place, the more general first. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  return problems.toSorted(
    (a, b) =>
      compare(a.file ?? '', b.file ?? '') || a.line - b.line || a.column - b.column || a.path.length - b.path.length,
  );
}

/**
 * One line a problem, in the form that editors and terminals turn into links:
 * `prometheus.yml:12:7: scrape_configs[0].scrape_intervall: expected a known key, got "scrape_intervall" (did you mean "scrape_interval"?)`
 * Those of another file begin with `pathOf` of its name.
 */
export function formatProblems(
  file: string,
  problems: readonly Problem[],
  pathOf: (file: string) => string = (name) => name,
): string {
  return problems
    .map(({ file: other, path, line, column, expected, got, hint, level }) => {
      const parts = [`${other === undefined ? file : pathOf(other)}:${line}:${column}`];
      if (level === 'warning') parts.push('warning');
      if (path !== '') parts.push(path);
      parts.push(`expected ${expected}, got ${got}${hint === undefined ? '' : ` (${hint})`}`);
      return parts.join(': ');
    })
    .join('\n');
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
