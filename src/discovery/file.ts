/**
 * `file_sd_configs`: target groups in files, which are objects under `files/` in the bucket. A file that cannot be read keeps its last
 * groups; one that is gone loses them. Source: Prometheus 3.14, discovery/file/file.go.
 */

import type { FileDiscovery } from '../config/model.ts';
import { readTree } from '../config/tree.ts';
import { textOf } from '../encoding/utf8.ts';
import { globOf, objectName } from '../model/glob.ts';
import type { TargetGroup } from './group.ts';
import { parseJson } from './http-get.ts';
import { type DiscoveryDoors, DiscoveryError, type Kind } from './kind.ts';
import { readGroups } from './read-groups.ts';
import { messageOf } from '../model/error.ts';

const FILE_BYTES_MAX = 8_000_000;
const FILES_MAX = 1000;

export const file: Kind<FileDiscovery> = {
  where: ({ files }) => files.map((name) => `files/${objectName(name)}`).join(', '),
  refresh: async ({ files }, doors, last) => {
    const groups: TargetGroup[] = [];
    const errors: string[] = [];
    for (const name of await namesOf(files, doors)) {
      try {
        groups.push(...(await readFile(name, doors)));
      } catch (error) {
        errors.push(`${name}: ${messageOf(error)}`);
        groups.push(
          ...last.filter(({ source }) => source.startsWith(`${name}:`) && /^\d+$/.test(source.slice(name.length + 1))),
        );
      }
    }
    return { groups, error: errors.length === 0 ? null : errors.join('; ') };
  },
};

/** All names that the patterns mean, each once, in the order of the patterns. */
async function namesOf(patterns: readonly string[], { files }: DiscoveryDoors): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  for (const pattern of patterns.map(objectName)) {
    const glob = globOf(pattern);
    if (glob === null) throw new DiscoveryError(`${pattern} is not a pattern: a "[" or a backslash ends too early`);
    const listed = await files.list(glob.prefix, glob.literal ? 1 : FILES_MAX);
    if (listed.length === FILES_MAX) throw new DiscoveryError(`${pattern} means more than ${FILES_MAX} files`);
    for (const name of listed) if (glob.fits(name)) names.add(name);
  }
  return names;
}

async function readFile(name: string, { files }: DiscoveryDoors): Promise<TargetGroup[]> {
  const found = await files.read(name);
  if (found === null) return [];
  if (found.size > FILE_BYTES_MAX)
    throw new DiscoveryError(`it has ${found.size} bytes, at most ${FILE_BYTES_MAX} are read`);
  const text = textOf(await found.bytes());
  if (text === null) throw new DiscoveryError('it is not UTF-8');
  const value = /\.json$/i.test(name) ? parseJson(text) : parseYaml(text);
  return readGroups(value, (i) => `${name}:${i}`, { __meta_filepath: name });
}

/** Every scalar stays the text it was, as in the configuration: a label `1.10` is "1.10". Keys stand once. */
function parseYaml(text: string): unknown {
  const read = readTree(text);
  const problem = read.ok ? read.tree.problems[0] : read.problems[0];
  if (problem !== undefined) {
    const { line, column, expected, got } = problem;
    throw new DiscoveryError(`line ${line}, column ${column}: expected ${expected}, got ${got}`);
  }
  return read.ok ? read.tree.value : undefined;
}
