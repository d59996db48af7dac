import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bytesFromLabels,
  compareLabelBytes,
  damagedLabelAt,
  labelsFromBytes,
  readUvarint,
  uvarintSize,
  writeUvarint,
} from '../../src/model/label-bytes.ts';
import { compareUtf8, labelsFrom, type Labels } from '../../src/model/labels.ts';

/** Few letters, so that sets share beginnings; code points whose UTF-16 order is not their UTF-8 order; lengths of two bytes. */
const text = fc.oneof(
  fc.string({
    unit: fc.constantFrom('a', 'b', '\u0000', 'é', '\uffff', '\ue000', '😀', '\u{10ffff}'),
    minLength: 1,
    maxLength: 4,
  }),
  fc.constantFrom('x'.repeat(127), 'x'.repeat(128), `${'x'.repeat(128)}a`, 'x'.repeat(300)),
);
const labelSet = fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 4 }).map(labelsFrom);

/** Go's labels.Compare, word for word on strings. */
function compareLabels(a: Labels, b: Labels): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i]!.name !== b[i]!.name) return compareUtf8(a[i]!.name, b[i]!.name);
    if (a[i]!.value !== b[i]!.value) return compareUtf8(a[i]!.value, b[i]!.value);
  }
  return a.length - b.length;
}

const compareWhole = (a: Uint8Array, b: Uint8Array): number => compareLabelBytes(a, 0, a.length, b, 0, b.length);

describe('compareLabelBytes', () => {
  test.each([
    // The bytes of the second begin with a smaller length, yet it is the greater one.
    [[['aa', '1']], [['b', '1']]],
    [[['a', 'bb']], [['a', 'c']]],
    [
      [['a', '1']],
      [
        ['a', '1'],
        ['b', '1'],
      ],
    ],
    [
      [
        ['a', '1'],
        ['c', '1'],
      ],
      [['a', '2']],
    ],
    [[['a', '\uffff']], [['a', '😀']]],
    [[['a', 'x'.repeat(128)]], [['a', 'x'.repeat(129)]]],
    [[['a', 'x'.repeat(200)]], [['a', 'y']]],
  ] as [[string, string][], [string, string][]][])('%j is before %j', (a, b) => {
    expect(compareWhole(bytesFromLabels(labelsFrom(a)), bytesFromLabels(labelsFrom(b)))).toBeLessThan(0);
    expect(compareWhole(bytesFromLabels(labelsFrom(b)), bytesFromLabels(labelsFrom(a)))).toBeGreaterThan(0);
  });

  test('orders as Go does', () => {
    fc.assert(
      fc.property(labelSet, labelSet, (a, b) => {
        const order = compareWhole(bytesFromLabels(a), bytesFromLabels(b));
        expect(Math.sign(order)).toBe(Math.sign(compareLabels(a, b)));
      }),
      { numRuns: 2000 },
    );
  });

  test('takes ranges of larger arrays', () => {
    const a = Uint8Array.of(9, 9, 1, 97, 1, 49, 9);
    const b = Uint8Array.of(1, 97, 1, 50);
    expect(compareLabelBytes(a, 2, 6, b, 0, 4)).toBeLessThan(0);
    expect(compareLabelBytes(a, 2, 6, a, 2, 6)).toBe(0);
  });

  test('ends with an error on bytes that are no labels', () => {
    expect(() => compareWhole(Uint8Array.of(0x80, 0x80), Uint8Array.of(0x80, 0x81))).toThrow(RangeError);
  });
});

describe('label bytes', () => {
  test('round trip', () => {
    fc.assert(
      fc.property(labelSet, (labels) => {
        expect(labelsFromBytes(bytesFromLabels(labels))).toEqual(labels);
      }),
    );
  });

  test('any bytes are labels or damaged at an offset within', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
        const at = damagedLabelAt(bytes, 0, bytes.length);
        if (at < 0) expect(labelsFromBytes(bytes).length).toBeGreaterThan(0);
        else {
          expect(at).toBeLessThanOrEqual(bytes.length);
          expect(() => labelsFromBytes(bytes)).toThrow(RangeError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['nothing', [], 0],
    ['a name without a value', [1, 97], 2],
    ['an empty name', [0, 1, 97], 0],
    ['a length beyond the end', [1, 97, 2, 97], 2],
    ['a length in more bytes than it needs', [0x81, 0, 97, 1, 97], 0],
  ])('%s', (_, bytes, at) => expect(damagedLabelAt(Uint8Array.from(bytes), 0, bytes.length)).toBe(at));
});

test.each([0, 1, 127, 128, 16383, 16384, 2 ** 21 - 1, 2 ** 21, 2 ** 28 - 1, 2 ** 28, 2 ** 31, 2 ** 32 - 1])(
  'uvarint %d',
  (value) => {
    const bytes = new Uint8Array(8);
    const end = writeUvarint(bytes, 1, value);
    expect(end).toBe(1 + uvarintSize(value));
    expect(readUvarint(bytes, 1, end)).toBe(value);
    expect(readUvarint(bytes, 1, end - 1)).toBe(-1);
  },
);

test('a uvarint beyond 32 bits is none', () => {
  expect(readUvarint(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x10), 0, 5)).toBe(-1);
  expect(readUvarint(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 1), 0, 6)).toBe(-1);
});
