/** Patterns of file names; what fits is what Go's filepath.Match says of the same pattern and name. */

import { describe, expect, test } from 'vitest';
import { globOf, objectName } from '../../src/model/glob.ts';

describe('a pattern', () => {
  test.each([
    ['jobs/*.yml', 'jobs/', ['jobs/a.yml', 'jobs/.yml'], ['jobs/a/b.yml', 'jobs/a.yaml', 'x/jobs/a.yml']],
    ['a.yml', 'a.yml', ['a.yml'], ['axyml', 'a.yml.bak']],
    ['a?.yml', 'a', ['ab.yml', 'aé.yml'], ['a.yml', 'a/.yml']],
    ['[a-c]x', '', ['ax', 'cx'], ['dx', '-x']],
    ['[^a-c]x', '', ['dx'], ['ax', '/x']],
    ['a\\*b', 'a', ['a*b'], ['axb']],
    ['[\\]]', '', [']'], ['\\']],
    ['(a|b)+$.yml', '(a|b)+$.yml', ['(a|b)+$.yml'], ['a.yml']],
    ['*', '', ['a\nb', ''], ['a/b']],
  ])('%s', (pattern, prefix, fits, fitsNot) => {
    const glob = globOf(pattern)!;
    expect(glob.prefix).toBe(prefix);
    expect(glob.literal).toBe(prefix === pattern);
    for (const name of fits) expect(glob.fits(name)).toBe(true);
    for (const name of fitsNot) expect(glob.fits(name)).toBe(false);
  });

  test.each(['[', '[a', 'a\\', '[]', '[z-a]'])('%s is none', (pattern) => expect(globOf(pattern)).toBeNull());
});

test.each([
  ['/etc/a.yml', 'etc/a.yml'],
  ['./a.yml', 'a.yml'],
  ['a/b.yml', 'a/b.yml'],
  ['.//./a', 'a'],
  ['.a', '.a'],
])('the object of %s', (path, name) => expect(objectName(path)).toBe(name));
