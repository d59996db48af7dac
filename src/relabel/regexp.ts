/**
 * Regular expressions as Prometheus has them in relabelling: RE2 (linear time whatever the pattern and the text), matched against the
 * whole text, `.` matches line breaks too, and texts with `$1`, `${1}` and `${name}` that a match fills in.
 *
 * The one invariant: what compiles here compiles in Go's regexp/syntax with the same meaning; JavaScript's own RegExp never sees a pattern.
 */

import { RE2JS, RE2JSSyntaxException } from 're2js';

/** Prometheus' default: everything, as group 1. */
export const DEFAULT_REGEX = '(.*)';

/** A pattern is not RE2. The message says what is wrong with it, without the anchors that were put around it. */
export class RegexpError extends Error {
  override name = 'RegexpError';
}

/** What a match found: `groups[0]` is the whole; null for a group that took no part. */
export type Groups = readonly (string | null)[];

export interface Regexp {
  readonly names: Readonly<Record<string, number>>;
  test(text: string): boolean;
  match(text: string): Groups | null;
}

/** Most rules take the text as it is: no engine is needed for that. */
const EVERYTHING: Regexp = { names: {}, test: () => true, match: (text) => [text, text] };

/** Compiled patterns of this isolate. A pattern means the same for ever, so nothing has to be forgotten but for room. */
const compiled = new Map<string, Regexp>();
const COMPILED_MAX = 1000;

/** The pattern, anchored at both ends. Compiled once an isolate. Throws RegexpError. */
export function regexpOf(pattern: string): Regexp {
  if (pattern === DEFAULT_REGEX) return EVERYTHING;
  let regexp = compiled.get(pattern);
  if (regexp === undefined) {
    regexp = compile(pattern);
    if (compiled.size >= COMPILED_MAX) compiled.clear();
    compiled.set(pattern, regexp);
  }
  return regexp;
}

function compile(pattern: string): Regexp {
  let re2: RE2JS;
  try {
    re2 = RE2JS.compile(`^(?s:${pattern})$`);
  } catch (error) {
    throw new RegexpError(whatIsWrong(pattern, error));
  }
  const groupCount = re2.groupCount();
  return {
    names: { ...re2.namedGroups() },
    test: (text) => re2.test(text),
    match(text) {
      const matcher = re2.matcher(text);
      if (!matcher.find()) return null;
      return Array.from({ length: groupCount + 1 }, (_, i) => matcher.group(i));
    },
  };
}

function whatIsWrong(pattern: string, anchoredError: unknown): string {
  let error = anchoredError;
  try {
    RE2JS.compile(pattern);
  } catch (plainError) {
    error = plainError;
  }
  if (!(error instanceof RE2JSSyntaxException)) return String(error);
  const part = error.getPattern();
  return part === null || part === '' ? error.getDescription() : `${error.getDescription()}: ${part}`;
}

/** A text with references, taken apart: literal texts, numbers and names of groups. */
export interface Template {
  /** True when there is a `$` in it. */
  readonly refers: boolean;
  readonly parts: readonly (string | { readonly group: number | string })[];
}

const REFERENCE = /\$(?:(\$)|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu;

/** By the rules of Go's `Regexp.Expand`: `$$` is a dollar, `$1x` is group `1x`, a `$` that refers to nothing is itself. */
export function templateOf(text: string): Template {
  const parts: (string | { readonly group: number | string })[] = [];
  let from = 0;
  for (const match of text.matchAll(REFERENCE)) {
    if (match.index > from) parts.push(text.slice(from, match.index));
    const name = match[2] ?? match[3];
    if (name === undefined) parts.push('$');
    // A number of nine digits or more, or with a leading zero, is a name, which no group has.
    else parts.push({ group: /^(0|[1-9][0-9]{0,8})$/.test(name) ? Number(name) : name });
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push(text.slice(from));
  return { refers: text.includes('$'), parts };
}

/** The text with what the groups hold; a group that is not there, or took no part, is nothing. */
export function expand(template: Template, regexp: Regexp, groups: Groups): string {
  let text = '';
  for (const part of template.parts) {
    if (typeof part === 'string') {
      text += part;
      continue;
    }
    const group = typeof part.group === 'number' ? part.group : regexp.names[part.group];
    if (group !== undefined) text += groups[group] ?? '';
  }
  return text;
}
