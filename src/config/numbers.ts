/** Numbers as YAML spells them for Prometheus' parser (go-yaml v2, resolve.go): `1_000`, `0x10`, `0b11`, `0o17`, `017` (octal), `1e6`. */

const BASES: readonly (readonly [pattern: RegExp, base: number])[] = [
  [/^0x([0-9a-f]+)$/i, 16],
  [/^0b([01]+)$/i, 2],
  [/^0o?([0-7]+)$/i, 8],
  [/^([0-9]+)$/, 10],
];

/** The number that a text spells; null when it spells none. Neither infinite nor NaN. */
export function yamlNumber(text: string): number | null {
  const [, sign = '', plain = ''] = /^([-+]?)([0-9.][\w.+-]*)$/.exec(text.replaceAll('_', '')) ?? [];
  for (const [pattern, base] of BASES) {
    const digits = pattern.exec(plain)?.[1];
    if (digits !== undefined) return signed(sign, parseInt(digits, base));
  }
  return /^(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(plain) ? signed(sign, Number(plain)) : null;
}

const signed = (sign: string, value: number): number | null =>
  Number.isFinite(value) ? (sign === '-' ? -value : value) : null;
