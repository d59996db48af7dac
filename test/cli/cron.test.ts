import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { driveCrons } from '../../src/cli/cron-driver.ts';
import { parseCron } from '../../src/cli/cron.ts';

const at = (text: string): number => Date.parse(`2026-11-22T${text}Z`);

describe('which minutes a cron means', () => {
  test.each([
    ['* * * * *', '13:07:00', true],
    ['*/1 * * * *', '13:07:59.999', true],
    ['35 * * * *', '13:35:10', true],
    ['35 * * * *', '13:36:00', false],
    ['*/15 * * * *', '13:45:00', true],
    ['*/15 * * * *', '13:50:00', false],
    ['0-29 * * * *', '13:29:00', true],
    ['0-29 * * * *', '13:30:00', false],
    ['10-20/5 13 * * *', '13:15:00', true],
    ['10-20/5 13 * * *', '13:16:00', false],
    ['5/20 * * * *', '13:45:00', true],
    ['1,7,9-11 * * * *', '13:10:00', true],
    ['1,7,9-11 * * * *', '13:08:00', false],
    ['0 3 * * *', '13:00:00', false],
    ['* * 22 11 *', '13:00:00', true],
    ['* * 21 * *', '13:00:00', false],
    ['* * * 1-10,12 *', '13:00:00', false],
  ])('%s at %s: %s', (text, time, expected) => {
    expect(parseCron(text).matches(at(time))).toBe(expected);
  });

  test('every minute, however it is written', () => {
    const everyMinute = (text: string): boolean => parseCron(text).everyMinute;
    expect(['* * * * *', '*/1 * * * *', '0-59 * * * *', '0-30,31-59 */1 1-31 * *'].every(everyMinute)).toBe(true);
    expect(['35 * * * *', '*/2 * * * *', '* 0-22 * * *', '* * * 1 *'].some(everyMinute)).toBe(false);
  });

  test.each([
    ['* * * *', 'expected 5 fields, got 4'],
    ['60 * * * *', '"60" is no minute'],
    ['* * 0 * *', '"0" is no day of the month'],
    ['20-10 * * * *', '"20-10" is no minute'],
    ['*/0 * * * *', '"*/0" is no minute'],
    ['* * L * *', '"L" is no day of the month'],
    ['* * * JAN *', '"JAN" is no month'],
    ['* * * * MON', 'only * as the weekday'],
    ['* * * 1, *', '"" is no month'],
  ])('%s is refused', (text, reason) => {
    expect(() => parseCron(text)).toThrow(reason);
  });
});

describe('the driver', () => {
  beforeEach(() => void vi.useFakeTimers({ now: at('13:34:10.500') }));
  afterEach(() => void vi.useRealTimers());

  test('fires what means a minute once, at its beginning, without waiting for what runs', () => {
    const fired: string[] = [];
    const crons = ['* * * * *', '*/1 * * * *', '35 * * * *'].map(parseCron);
    const driver = driveCrons(crons, ({ text }, ms) =>
      fired.push(`${text} ${new Date(ms).toISOString().slice(14, 19)}`),
    );
    expect(fired).toEqual([]);
    driver.fireNow();
    expect(fired.splice(0)).toEqual(['* * * * * 34:00', '*/1 * * * * 34:00']);
    vi.advanceTimersByTime(49_400);
    expect(fired).toEqual([]);
    vi.advanceTimersByTime(200);
    expect(fired.splice(0)).toEqual(['* * * * * 35:00', '*/1 * * * * 35:00', '35 * * * * 35:00']);
    vi.advanceTimersByTime(60_000);
    expect(fired.splice(0)).toEqual(['* * * * * 36:00', '*/1 * * * * 36:00']);
    driver.stop();
    vi.advanceTimersByTime(600_000);
    expect(fired).toEqual([]);
  });

  test('a minute that was slept through is left out', () => {
    const fired: string[] = [];
    const driver = driveCrons([parseCron('* * * * *')], (_, ms) =>
      fired.push(new Date(ms).toISOString().slice(14, 19)),
    );
    vi.setSystemTime(at('13:40:20'));
    vi.advanceTimersByTime(60_000);
    driver.stop();
    expect(fired).toEqual(['41:00']);
  });
});
