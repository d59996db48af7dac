/** "Did you mean …?": the known word that is fewest typing errors away. */

/** Longer words are not compared: a typing error does not make a key this long. */
const WORD_MAX = 64;

/** The candidate nearest to `word`, if it is near enough to be what was meant; the first of equals. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > WORD_MAX) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  const plain = fold(word);
  for (const candidate of candidates) {
    const distance = fold(candidate) === plain ? 0 : editDistance(word, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `scrapeInterval`, `scrape-interval` and `scrape_interval` are the same mistake. */
function fold(word: string): string {
  return word.toLowerCase().replaceAll(/[_-]/g, '');
}

/** How many insertions, deletions, replacements and swaps of neighbours turn `a` into `b` (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    before = above;
    above = row;
  }
  return above[b.length]!;
}
