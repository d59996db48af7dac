/**
 * What is wrong with a text that is no YAML, in our own words. The parser's messages are not used: some repeat a part of the text,
 * and a password with an unlucky first character is a common reason for the text to be no YAML.
 */

import type { ErrorCode, YAMLError } from 'yaml';
import type { Position } from './positions.ts';
import { problem, type Problem } from './problems.ts';

const QUOTE = 'quote values that hold special characters';

const SAID: Partial<Record<ErrorCode, readonly [got: string, hint?: string]>> = {
  ALIAS_PROPS: ['an alias with an anchor or tag', QUOTE],
  BAD_ALIAS: ['a "*" or "&" without a name', QUOTE],
  BAD_COLLECTION_TYPE: ['a tag that does not fit', QUOTE],
  BAD_DIRECTIVE: ['an unknown directive', 'a value must not begin with "%" unless it is quoted'],
  BAD_DQ_ESCAPE: ['an unknown escape in double quotes', 'write \\\\ for a backslash, or use single quotes'],
  BAD_INDENT: ['a line that is indented wrongly, or a bracket that is not closed'],
  BAD_SCALAR_START: ['a value that begins with a reserved character', 'quote it'],
  BLOCK_AS_IMPLICIT_KEY: ['a mapping or list where a plain value belongs', 'quote a value that holds ": "'],
  BLOCK_IN_FLOW: ['indented lines inside brackets'],
  KEY_OVER_1024_CHARS: ['a key of more than 1024 characters'],
  MISSING_CHAR: ['a missing colon, comma, quote or bracket'],
  MULTILINE_IMPLICIT_KEY: ['a key of more than one line', 'is a colon missing?'],
  MULTIPLE_ANCHORS: ['two anchors on one value', QUOTE],
  MULTIPLE_DOCS: ['a second document', 'a configuration is one document: remove the "---"'],
  MULTIPLE_TAGS: ['two tags on one value', QUOTE],
  RESOURCE_EXHAUSTION: ['nesting that is too deep'],
  TAB_AS_INDENT: ['a tab as indentation', 'use spaces'],
  TAG_RESOLVE_FAILED: ['a tag', 'quote a value that begins with "!"'],
  UNEXPECTED_TOKEN: ['something that does not belong there', 'is a quote, a bracket or the indentation wrong?'],
};

export function yamlProblem(error: YAMLError, position: Position): Problem {
  const [got, hint] = SAID[error.code] ?? ['something else', QUOTE];
  return problem([], position, { expected: 'valid YAML', got, hint });
}
