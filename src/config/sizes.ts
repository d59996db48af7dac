/** Sizes as Prometheus writes them in its configuration: `10MB`, `1.5GiB`, `512B`, `0`. Bytes inside. */

const PREFIXES = 'KMGTPE';

/** One more than an int64 can hold. */
const SIZE_MAX = 2 ** 63;

/**
 * Bytes of a size, by the rules of units.ParseBase2Bytes, which Prometheus uses: `KB` and `KiB` are both 1024 bytes, but not
 * mixed in one size; a unit is required except for `0`; `kB` is refused. Unlike there, a size is never negative.
 *
 * @throws Error whose message says what is wrong, without repeating the text.
 */
export function parseSize(text: string): number {
  const unsigned = text.replace(/^\+/, '');
  if (unsigned === '0') return 0;
  if (unsigned.startsWith('-')) throw new Error('it must not be negative');
  if (/^[0-9]+$/.test(unsigned)) throw new Error(`a number needs a unit: did you mean "${unsigned.slice(0, 20)}B"?`);
  if (!/^((\d+(\.\d*)?|\.\d+)[^\d.]+)+$/.test(unsigned)) throw new Error('it must be a number with a unit');
  let total = 0;
  let binary: boolean | undefined;
  for (const [, number = '', name = ''] of unsigned.matchAll(/([\d.]+)([^\d.]+)/g)) {
    const match = /^([KMGTPE])?(i)?B$/.exec(name);
    const isBinary = match?.[2] !== undefined;
    const prefixed = match?.[1] !== undefined;
    if (match === null || (isBinary && !prefixed)) {
      throw new Error(`the units are B, KB, MB, GB, TB, PB and EB, not ${JSON.stringify(name.slice(0, 20))}`);
    }
    if (prefixed) {
      if (binary !== undefined && binary !== isBinary) throw new Error('units like MB and MiB do not mix');
      binary = isBinary;
    }
    total += Number(number) * 1024 ** (prefixed ? PREFIXES.indexOf(match[1]!) + 1 : 0);
    if (total >= SIZE_MAX) throw new Error('it is 8 EB or more');
  }
  return Math.trunc(total);
}
