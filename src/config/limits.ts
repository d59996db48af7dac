/**
 * How large and how deep the YAML of a configuration may be, so that reading it, whatever it is, fits the memory of an isolate
 * with room. Not a limit on what a configuration may mean.
 */

import { Lexer } from 'yaml';
import type { Path, Position } from './positions.ts';
import { problem, type Problem } from './problems.ts';

/** Bytes of a configuration, in UTF-8. */
const CONFIG_BYTES_MAX = 1_000_000;

/**
 * Tokens of the YAML lexer, about 20 a job. Measured: no kind of text with so many needs more than 90 MB of heap to be parsed and
 * reported on; a million commas would need 1 GB. Aliases need the most.
 */
const TOKENS_MAX = 150_000;
const ALIASES_MAX = 10_000;

/** Deeper than any configuration; a guard against a text that is nothing but brackets. */
export const DEPTH_MAX = 32;

/** Values that come from aliases: enough for thousands of jobs that share their settings, too few for a bomb. */
export const ALIASED_MAX = 50_000;

/** Ends the reading: what follows would cost too much. */
export class Refusal extends Error {
  readonly problem: Problem;

  constructor(expected: string, got: string, path: Path = [], position: Position = { line: 1, column: 1 }) {
    super(expected);
    this.problem = problem(path, position, { expected, got });
  }
}

/**
 * Refuses what would cost the parser too much, before it is parsed. Costs a fifth of the parsing.
 *
 * @throws Refusal
 */
export function checkLimits(text: string): void {
  const bytes = text.length > CONFIG_BYTES_MAX ? text.length : new TextEncoder().encode(text).byteLength;
  if (bytes > CONFIG_BYTES_MAX) throw new Refusal(`at most ${CONFIG_BYTES_MAX} bytes`, `${bytes} or more`);
  let tokens = 0;
  let aliases = 0;
  let depth = 0;
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') depth++;
    if (token === ']' || token === '}') depth--;
    if (token.startsWith('*')) aliases++;
    if (++tokens > TOKENS_MAX) throw new Refusal(`at most ${TOKENS_MAX} YAML tokens`, 'more');
    if (aliases > ALIASES_MAX) throw new Refusal(`at most ${ALIASES_MAX} YAML aliases`, 'more');
    if (depth > DEPTH_MAX) throw new Refusal(`at most ${DEPTH_MAX} levels`, 'deeper nesting');
  }
}
