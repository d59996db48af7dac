/** Who imports whom: a folder of src/ uses those above it in the map of ARCHITECTURE.md, and src/ knows nothing of durable/ but in its Worker. */

import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

/** Arrows that point down the map, each with its reason. */
const EXCEPTIONS: Record<string, string> = {
  'config → relabel': 'expressions and names of rules are checked when the file is read',
};

const MAP = /## The map\n[^]*?```\n([^]*?)```/.exec(readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8'))![1]!;
const ORDER = [...MAP.slice(0, MAP.indexOf('\ndurable/')).matchAll(/^ {2}([a-z]+)\//gm)].map(([, folder]) => folder!);

/** The folder of src/ that a path lies in; `durable`, or `src` for what lies beside the folders. */
const folderOf = (path: string): string => {
  const [top, folder, ...rest] = path.split('/');
  return top === 'src' && rest.length > 0 ? folder! : top!;
};

/** Each arrow between two folders, with the first import that makes it. */
function arrows(): Map<string, string> {
  const found = new Map<string, string>();
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).toSorted();
  for (const name of files.filter((file) => /\.tsx?$/.test(file))) {
    const file = posix.join('src', name.replaceAll('\\', '/'));
    for (const [, to] of readFileSync(join(ROOT, file), 'utf8').matchAll(/^(?:import|export|\}) [^;]*?'(\.[^']+)'/gm)) {
      const target = posix.join(posix.dirname(file), to!);
      const arrow = `${folderOf(file)} → ${folderOf(target)}`;
      if (folderOf(file) !== folderOf(target) && !found.has(arrow)) found.set(arrow, `${file} imports ${target}`);
    }
  }
  return found;
}

test('the map has every folder, in an order', () => {
  const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(ORDER.toSorted()).toEqual(folders.map(({ name }) => name).toSorted());
});

test('arrows point up the map, and exceptions are still needed', () => {
  const found = arrows();
  const wrong = [...found].filter(([arrow]) => {
    const [from, to] = arrow.split(' → ') as [string, string];
    // The Worker puts everything together; nobody but the command asks for what lies beside the folders.
    if (from === 'src') return false;
    if (to === 'src') return from !== 'cli';
    return ORDER.indexOf(to) === -1 || ORDER.indexOf(to) > ORDER.indexOf(from);
  });
  const unexpected = wrong.filter(([arrow]) => EXCEPTIONS[arrow] === undefined);
  const sentences = unexpected.map(
    ([arrow, why]) => `${arrow}: ${why}. Move what both need into the upper folder, or reorder the map.`,
  );
  expect(sentences).toEqual([]);
  expect(Object.keys(EXCEPTIONS).filter((arrow) => !wrong.some(([known]) => known === arrow))).toEqual([]);
});
