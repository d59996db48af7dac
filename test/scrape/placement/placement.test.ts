import { describe, expect, it } from 'vitest';
import { noted } from '../../../src/scrape/load.ts';
import {
  agentAt,
  agentOf,
  agentsNeeded,
  ALONE,
  changed,
  comesTo,
  gives,
  LEAD_MS,
  type Need,
} from '../../../src/scrape/placement/placement.ts';
import { keyOf } from '../../../src/scrape/target.ts';

const KEYS = Array.from({ length: 5_000 }, (_, i) => keyOf(`["job","node"] http://host-${i}:9100/metrics`));
const byAgent = (count: number): number[] => {
  const counts = Array.from({ length: count }, () => 0);
  for (const key of KEYS) counts[agentOf(key, count)]!++;
  return counts;
};

describe('which agent has a target', () => {
  it.each([1, 2, 3, 5, 14, 64])('5,000 over %i agents: each has its share', (count) => {
    const share = KEYS.length / count;
    for (const own of byAgent(count)) expect(Math.abs(own - share)).toBeLessThanOrEqual(4.5 * Math.sqrt(share));
  });

  it.each([1, 2, 4, 9, 30])('from %i agents to one more, only as many move as the new one gets, and to it', (count) => {
    const moved = KEYS.filter((key) => agentOf(key, count) !== agentOf(key, count + 1));
    expect(moved.every((key) => agentOf(key, count + 1) === count)).toBe(true);
    const share = KEYS.length / (count + 1);
    expect(Math.abs(moved.length - share)).toBeLessThanOrEqual(4.5 * Math.sqrt(share));
  });

  it.each([
    [1, 2],
    [3, 5],
    [8, 12],
    [12, 8],
    [5, 1],
  ])('from %i agents to %i, targets move between those that give and take, and no others', (before, count) => {
    const placement = changed({ ...ALONE, count: before, used: before }, count, 1_000);
    const pairs = new Set(KEYS.map((key) => `${agentOf(key, before)} ${agentOf(key, count)}`));
    for (let from = 0; from < placement.used; from++)
      for (let to = 0; to < count; to++)
        if (from !== to) expect(gives(placement, from, to), `${from} → ${to}`).toBe(pairs.has(`${from} ${to}`));
  });

  it('every slot has one agent, before and after a change', () => {
    const placement = changed({ ...ALONE, count: 3, used: 3 }, 5, 1_000);
    expect(placement).toEqual({ generation: 1, count: 5, before: 3, fromMs: 1_000 + LEAD_MS, used: 5 });
    for (const key of KEYS.slice(0, 500)) {
      expect(agentAt(placement, key, placement.fromMs - 1)).toBe(agentOf(key, 3));
      expect(agentAt(placement, key, placement.fromMs)).toBe(agentOf(key, 5));
      const takers = [0, 1, 2, 3, 4].filter((index) => comesTo(placement, key, index));
      expect(takers).toEqual(agentOf(key, 3) === agentOf(key, 5) ? [] : [agentOf(key, 5)]);
    }
  });
});

describe('how many agents there are', () => {
  const GB = 1e9;
  const need: Need = { targets: 10, bytesADay: null, logBytesMax: 8 * GB, lanes: 1, fixed: null };
  it.each<[string, Partial<Need>, now: number, count: number]>([
    ['a few targets', {}, 1, 1],
    ['as many as lanes', { lanes: 4 }, 1, 4],
    ['a thousand targets each', { targets: 1_000 }, 1, 1],
    ['a thousand and one', { targets: 1_001 }, 1, 2],
    ['five thousand', { targets: 5_000 }, 2, 5],
    // 0.8 of 8 GB in seven days: 914 MB a day.
    ['914 MB a day', { bytesADay: 0.914 * GB }, 1, 1],
    ['a little more', { bytesADay: 0.915 * GB }, 1, 2],
    ['100,000 series every 15 s, 12 GB a day', { bytesADay: 12 * GB }, 1, 14],
    ['the Free plan, 800 MB a log', { bytesADay: 0.5 * GB, logBytesMax: 0.8 * GB }, 1, 6],
    ['more than grows by itself', { targets: 200_000 }, 1, 64],
    ['never fewer by itself', { targets: 10 }, 7, 7],
    ['as many as asked for', { targets: 5_000, fixed: 2 }, 7, 2],
    ['but not fewer than lanes', { targets: 5_000, fixed: 2, lanes: 3 }, 7, 3],
  ])('%s', (_, some, now, count) => expect(agentsNeeded({ ...need, ...some }, now)).toBe(count));

  it('what a log takes in is measured over six hours, and anew after a change', () => {
    const hour = 3_600_000;
    const first = noted(null, 0, 100, 1);
    expect(first).toEqual({ sinceMs: 0, bytesIn: 100, generation: 1, bytesADay: null });
    expect(noted(first, 6 * hour - 1, 9e9, 1)).toBe(first);
    const full = noted(first, 6 * hour, 1_100, 1);
    expect(full).toEqual({ sinceMs: 6 * hour, bytesIn: 1_100, generation: 1, bytesADay: 4_000 });
    expect(noted(full, 7 * hour, 1_200, 2)).toEqual({
      sinceMs: 7 * hour,
      bytesIn: 1_200,
      generation: 2,
      bytesADay: null,
    });
  });
});
