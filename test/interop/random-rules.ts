/** Rules of relabelling by chance, valid ones, of all eleven actions; the same for the same seed. */
import type { RuleText } from '../relabel/rules.ts';

export type Chance = () => number;

/** Mulberry32. */
export function fromSeed(seed: number): Chance {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const TARGET = [
  '__address__',
  'job',
  'env',
  'team',
  'port',
  '__meta_rack',
  '__tmp_x',
  'utf.8',
  'missing',
  'new',
  '__scheme__',
];
const SAMPLE = ['__name__', 'job', 'instance', 'le', 'quantile', 'code', 'mode', 'device', 'version', 'missing', 'new'];
const VALUES = [
  '(.*)',
  '(.+)',
  '',
  'prod|dev',
  't([0-9]+)\\..*',
  '(?i)TEST',
  'go_.*|process_.*',
  '(\\w+)_(\\w+)',
  '[^;]*;(.*)',
  '(?P<first>.)(.*)',
  '.*1.*',
  '\\pL+',
];
const NAMES = ['__meta_(.+)', 'te(a)m', 'e.*', '(version|code|mode)', 'new.*', 'go_(.*)', 'le', 'utf\\.(.)'];
const REPLACEMENTS = ['$1', '${1}x', 'constant', '', '$2-$1', '${first}', '$$1', 'Größe', '$0', '$1$3'];

/** One to five rules, for targets or for samples. */
export function randomRules(random: Chance, of: 'target' | 'sample'): RuleText[] {
  const labels = of === 'target' ? TARGET : SAMPLE;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const sources = (): string[] => Array.from({ length: 1 + Math.floor(random() * 2.5) }, () => pick(labels));
  // What identifies a target or a sample is not written to: what follows would be about errors.
  const into = (): string =>
    pick(labels.filter((name) => !['__address__', '__scheme__', '__name__', 'job'].includes(name)));
  const rule = (): RuleText => {
    const common = { source_labels: sources(), ...(random() < 0.3 ? { separator: pick([';', '', '-', '::']) } : {}) };
    switch (Math.floor(random() * 12)) {
      case 0:
        return { action: 'keep', ...common, regex: pick(['.+', '.*', '[^x]*', 'prod|dev|.+']) };
      case 1:
        return { action: 'drop', ...common, regex: pick(VALUES.filter((value) => !['(.*)', '(.+)'].includes(value))) };
      case 2:
        return { action: 'keepequal', source_labels: ['missing'], target_label: 'absent' };
      case 3:
        return { action: 'dropequal', source_labels: [pick(labels)], target_label: into() };
      case 4:
        return { action: 'hashmod', ...common, target_label: into(), modulus: 1 + Math.floor(random() * 1000) };
      case 5:
        // Without a group to name it after, Prometheus makes a label without a name, and Narthex none.
        return {
          action: 'labelmap',
          regex: pick(NAMES.filter((name) => name.includes('('))),
          replacement: pick(['$1', 'mapped_$1', 'm_${1}_x']),
        };
      case 6:
        return { action: 'labeldrop', regex: pick(NAMES) };
      case 7:
        return { action: 'labelkeep', regex: '__.*|job|instance|env|team|le|code|quantile|mode' };
      case 8:
        return { action: 'lowercase', ...common, target_label: into() };
      case 9:
        return { action: 'uppercase', ...common, target_label: into() };
      default:
        return {
          action: 'replace',
          ...common,
          regex: pick(VALUES),
          target_label: random() < 0.2 ? pick(['made_$1', '${1}_of', 'x$2']) : into(),
          replacement: pick(REPLACEMENTS),
        };
    }
  };
  return Array.from({ length: 1 + Math.floor(random() * 5) }, rule);
}

/** As one line of YAML, which JSON is. */
export const yaml = (rules: readonly RuleText[]): string => JSON.stringify(rules);
