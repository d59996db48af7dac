/** What Go's os.Expand makes of a text; the first group are answers of Prometheus 3.15 for its external labels. */

import { expect, test } from 'vitest';
import { expand } from '../../src/config/expand.ts';

const VALUES: Readonly<Record<string, string>> = { HOME: '/root', A_1: 'x$HOME', ' ': 'space', 'a-b': 'dash' };

test.each([
  ['${HOME} $HOME $$ $NOPE_X ${NOPE_Y}x $1 $', '/root /root $  x  $'],
  ['$ x', '$ x'],
  ['plain', 'plain'],
  ['', ''],
  ['$', '$'],
  ['$$', '$'],
  ['$$HOME', '$HOME'],
  ['${$}', '$'],
  ['$A_1-', 'x$HOME-'],
  ['${a-b}|${ }', 'dash|space'],
  ['a${}b', 'ab'],
  ['a${HOME', 'aHOME'],
  ['$*$#$@$!$?$-$0$9x', 'x'],
  ['$é', '$é'],
  ['100$/day', '100$/day'],
])('%j', (text, wanted) => expect(expand(text, (name) => VALUES[name] ?? '')).toBe(wanted));
