import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalBound, parseValue } from '../../../src/scrape/exposition/number.ts';

function bits(text: string): string | null {
  const bytes = new TextEncoder().encode(text);
  const out = { hi: 0, lo: 0 };
  if (parseValue(bytes, 0, bytes.length, out) !== null) return null;
  return out.hi.toString(16).padStart(8, '0') + out.lo.toString(16).padStart(8, '0');
}

const bitsOf = (value: number): string => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0).toString(16).padStart(16, '0');
};

/** Go's strconv.ParseFloat gives these. */
test.each([
  ['0', '0000000000000000'],
  ['-0', '8000000000000000'],
  ['-0e5', '8000000000000000'],
  ['1', '3ff0000000000000'],
  ['+1.5E1', '402e000000000000'],
  ['0.1', '3fb999999999999a'],
  ['8.3835e-05', '3f15fa12554226c1'],
  ['9007199254740993', '4340000000000000'],
  ['9007199254740993.0000000000000000000000000001', '4340000000000001'],
  ['1e22', '4480f0cf064dd592'],
  ['1e23', '44b52d02c7e14af6'],
  ['2.2250738585072011e-308', '000fffffffffffff'],
  ['4.9e-324', '0000000000000001'],
  ['2e-324', '0000000000000000'],
  ['1.7976931348623157e308', '7fefffffffffffff'],
  ['0.000000000000000000000000000000000000000000000001e48', '3ff0000000000000'],
  ['1e00000000000000000000001', '4024000000000000'],
  ['NaN', '7ff8000000000001'],
  ['nAn', '7ff8000000000001'],
  ['Inf', '7ff0000000000000'],
  ['+infinity', '7ff0000000000000'],
  ['-INF', 'fff0000000000000'],
])('%s', (text, expected) => {
  expect(bits(text)).toBe(expected);
});

test.each([
  '.',
  '+',
  '-',
  'e5',
  '.e5',
  '1e',
  '1e+',
  '1.2.3',
  '1 ',
  '0x1',
  '0x1p1',
  '1_0',
  '+nan',
  'infin',
  'true',
  '1e309',
  '1f',
  '٣',
])('%s is not a value', (text) => {
  expect(bits(text)).toBeNull();
});

test('every float64 that is written out comes back', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true }), (value) => {
      const text = Object.is(value, -0) ? '-0' : String(value);
      expect(bits(text)).toBe(bitsOf(value));
    }),
    { numRuns: 2000 },
  );
});

test('decimals round as Number does', () => {
  const digits = fc.stringMatching(/^[0-9]{1,22}$/);
  fc.assert(
    fc.property(digits, digits, fc.integer({ min: -60, max: 60 }), (whole, fraction, exponent) => {
      for (const text of [`${whole}.${fraction}e${exponent}`, `${whole}e${exponent}`, `-${whole}.${fraction}`]) {
        expect(bits(text)).toBe(bitsOf(Number(text)));
      }
    }),
    { numRuns: 2000 },
  );
});

/** labels.FormatOpenMetricsFloat of Prometheus gives these. */
test.each([
  ['1', '1.0'],
  ['-0', '0.0'],
  ['0.50', '0.5'],
  ['100000', '100000.0'],
  ['1234567', '1.234567e+06'],
  ['2.5e6', '2.5e+06'],
  ['1e21', '1e+21'],
  ['0.0001', '0.0001'],
  ['0.00001', '1e-05'],
  ['inf', '+Inf'],
  ['-Infinity', '-Inf'],
  ['nan', 'NaN'],
  ['1e999', '1e999'],
  ['x', 'x'],
  ['', ''],
])('the bound %s is %s', (text, expected) => {
  expect(canonicalBound(text)).toBe(expected);
});
