/** The rules about where targets are and how they are reached; `rules.ts` runs them. What discovery and relabelling make of targets is judged when they do. */

import { isBareIp, parseTarget, SELF } from './addresses.ts';
import { PLACES, REGION_LABEL, regionsIn, VPC_LABEL } from './places.ts';
import type { Path } from './positions.ts';
import { quote } from './problems.ts';
import { BARE_IP, type Report } from './report.ts';
import type { Mapping, Value } from './tree.ts';
import { list, mapping } from './values.ts';

const PLACES_NAMES = [...PLACES.keys()].join(', ');

export function checkTargets(scrape: Mapping, path: Path, report: Report): void {
  const rules = list(scrape['relabel_configs']).map(mapping);
  const sets = (label: string): boolean => rules.some((rule) => rule['target_label'] === label);
  for (const [i, rule] of rules.entries()) {
    const { target_label: label, action, replacement } = rule;
    const isLiteral = typeof replacement === 'string' && !replacement.includes('$');
    if (label === REGION_LABEL && isLiteral && (action === undefined || /^replace$/i.test(String(action))))
      checkRegions(replacement, [...path, 'relabel_configs', i, 'replacement'], report);
  }
  for (const [i, value] of list(scrape['static_configs']).entries()) {
    const group = mapping(value);
    const labels = mapping(group['labels']);
    const at = [...path, 'static_configs', i];
    const [regions, vpc] = [textOf(labels[REGION_LABEL]), textOf(labels[VPC_LABEL])];
    checkRegions(regions, [...at, 'labels', REGION_LABEL], report);
    if (regions !== '' && vpc !== '') {
      report([...at, 'labels', VPC_LABEL], {
        expected: `${VPC_LABEL} or ${REGION_LABEL}`,
        got: 'both',
        hint: 'a private network has one way in',
        part: 'key',
      });
    }
    for (const [j, target] of list(group['targets']).entries()) {
      const here = [...at, 'targets', j];
      // As in Prometheus: what rules make of it is judged when they have.
      if (rules.length === 0) checkAddress(target, here, report);
      if (target === SELF && regions + vpc !== '')
        report(here, { expected: `another target than "${SELF}"`, hint: 'it is in no region and no private network' });
      // A rule may make another address of it, or have it asked through a private network.
      const elsewhere = vpc !== '' || sets(VPC_LABEL) || sets('__address__');
      const isIp = typeof target === 'string' && !target.includes('/') && isBareIp(`http://${target}/`);
      if (isIp && !elsewhere) report(here, BARE_IP);
    }
  }
}

function checkAddress(target: Value, path: Path, report: Report): void {
  if (typeof target !== 'string' || !target.isWellFormed()) return;
  try {
    parseTarget(target);
  } catch (error) {
    const hint = (error as Error).message;
    report(path, { expected: 'a target like "host:9100", or "self"', ...(hint === '' ? {} : { hint }) });
  }
}

function checkRegions(value: string, path: Path, report: Report): void {
  for (const name of regionsIn(value)) {
    const place = PLACES.get(name);
    if (place === undefined) report(path, { expected: 'regions', got: quote(name), hint: `there are ${PLACES_NAMES}` });
    else if ('hint' in place && !place.places)
      report(path, {
        expected: 'a region with a place for objects',
        got: quote(name),
        hint: 'the platform starts none there today, and takes a region nearby',
        level: 'warning',
      });
  }
}

const textOf = (value: Value): string => (typeof value === 'string' ? value : '');
