/**
 * Selectors of series as PromQL writes them: `up{job="node", instance=~"a.*"}`, and `{"utf-8 name", job!="x"}`. Matchers and what they match,
 * no query. Source: Prometheus, `ParseMetricSelector` and promql/parser/lex.go.
 */

import { type Labels, labelValue, METRIC_NAME } from '../model/labels.ts';
import { RegexpError, regexpOf } from '../relabel/regexp.ts';

export interface Matcher {
  readonly name: string;
  readonly matches: (value: string) => boolean;
}

/** The text is no selector. The message begins with line and column, as Prometheus' does. */
export class SelectorError extends Error {
  override name = 'SelectorError';
}

/** A label that is not there has the empty value. */
export const matchesAll = (matchers: readonly Matcher[], labels: Labels): boolean =>
  matchers.every(({ name, matches }) => matches(labelValue(labels, name)));

export function parseSelector(text: string): Matcher[] {
  return new Parser(text).selector();
}

const SPACE = /\s*/y;
const METRIC = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const NAME = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const OPERATOR = /=~|!~|!=|=/y;

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};
const CODE = /x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})/y;

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  selector(): Matcher[] {
    const matchers: Matcher[] = [];
    const metric = this.#take(METRIC);
    if (metric !== null) matchers.push(equals(METRIC_NAME, metric));
    if (this.#takeText('{')) {
      while (!this.#takeText('}')) {
        matchers.push(this.#matcher());
        if (this.#takeText(',')) continue;
        if (!this.#takeText('}')) throw this.#unexpected('inside braces');
        break;
      }
    } else if (metric === null) throw this.#unexpected('');
    this.#take(SPACE);
    if (this.#at < this.#text.length) throw this.#unexpected('');
    return matchers;
  }

  #matcher(): Matcher {
    const quoted = this.#string();
    const name = quoted ?? this.#take(NAME);
    if (name === null) throw this.#unexpected('inside braces');
    const operator = this.#take(OPERATOR);
    // A quoted text by itself is the name of the metric.
    if (operator === null && quoted !== null) return equals(METRIC_NAME, quoted);
    if (operator === null) throw this.#unexpected('in label matching');
    const start = this.#at;
    const value = this.#string();
    if (value === null) throw this.#unexpected('in label matching, expected string');
    if (operator === '=') return equals(name, value);
    if (operator === '!=') return { name, matches: (held) => held !== value };
    try {
      const regexp = regexpOf(value);
      return { name, matches: (held) => regexp.test(held) === (operator === '=~') };
    } catch (error) {
      if (!(error instanceof RegexpError)) throw error;
      throw this.#error(start, `error parsing regexp: ${error.message}`);
    }
  }

  /** A text in double, single or back quotes, or null. */
  #string(): string | null {
    this.#take(SPACE);
    const start = this.#at;
    const quote = this.#text[start];
    if (quote !== '"' && quote !== "'" && quote !== '`') return null;
    let value = '';
    for (this.#at++; this.#at < this.#text.length; this.#at++) {
      const c = this.#text[this.#at]!;
      if (c === quote) {
        this.#at++;
        return value;
      }
      if (c === '\n' && quote !== '`') break;
      value += c === '\\' && quote !== '`' ? this.#escape(quote) : c;
    }
    throw this.#error(start, 'unterminated quoted string');
  }

  /** Stands on the backslash; leaves the place on the last character of the escape. */
  #escape(quote: string): string {
    const start = this.#at++;
    const c = this.#text[this.#at] ?? '';
    const plain = ESCAPES[c];
    if (plain !== undefined && !((c === '"' || c === "'") && c !== quote)) return plain;
    CODE.lastIndex = this.#at;
    const code = CODE.exec(this.#text);
    if (code === null) throw this.#error(start, 'unknown escape sequence');
    this.#at += code[0].length - 1;
    const number =
      code[4] === undefined ? Number.parseInt(code[1] ?? code[2] ?? code[3]!, 16) : Number.parseInt(code[4], 8);
    if (number > 0x10ffff) throw this.#error(start, 'escape sequence is an invalid Unicode code point');
    return String.fromCodePoint(number);
  }

  #take(pattern: RegExp): string | null {
    if (pattern !== SPACE) this.#take(SPACE);
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) return null;
    this.#at += found[0].length;
    return found[0];
  }

  #takeText(text: string): boolean {
    this.#take(SPACE);
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #unexpected(where: string): SelectorError {
    this.#take(SPACE);
    const got =
      this.#at >= this.#text.length ? 'unexpected end of input' : `unexpected ${JSON.stringify(this.#text[this.#at])}`;
    return this.#error(this.#at, where === '' ? got : `${got} ${where}`);
  }

  #error(at: number, what: string): SelectorError {
    const before = this.#text.slice(0, at).split('\n');
    return new SelectorError(`${before.length}:${before.at(-1)!.length + 1}: parse error: ${what}`);
  }
}

const equals = (name: string, value: string): Matcher => ({ name, matches: (held) => held === value });
