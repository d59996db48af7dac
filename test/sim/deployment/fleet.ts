/**
 * Targets whose pages are a pure function of target and slot, so that what a remote must get is one too: series that come and go, scrapes that fail, targets
 * that vanish and come back.
 */

export interface FleetOptions {
  readonly targets: number;
  readonly series: number;
  readonly intervalMs: number;
}

/** Of each target, one of so many series lives for one scrape only; and then those of one target in twenty, twenty times as many: 1 % of all. */
const BUSY_EVERY = 20;
const BUSY_SHARE = 0.2;
/** Reports of Prometheus: up, duration, samples, post-relabelling, added. */
export const REPORTS = 5;
export const ABSENT = -1;
const SERIES_A_FAMILY = 40;

export class Fleet {
  readonly options: FleetOptions;
  readonly #busy: number;

  constructor(options: FleetOptions) {
    this.options = options;
    this.#busy = Math.ceil(options.series * BUSY_SHARE);
  }

  /** Whether the scrape of a target's slot number `slot` fails: one of two hundred does. */
  fails(target: number, slot: number): boolean {
    return mixed(target, slot) % 200 === 0;
  }

  isBusy = (target: number): boolean => target % BUSY_EVERY === 0;

  /** The label `v` of a series in a slot; ABSENT where it is not there. */
  version(target: number, series: number, slot: number): number {
    if (this.isBusy(target) && series < this.#busy) return slot;
    // One series of one target in ten is there for seven slots of ten.
    if (target % 10 === 3 && series === 7) return (slot + target) % 10 < 7 ? 0 : ABSENT;
    return 0;
  }

  present(target: number, slot: number): number {
    return this.options.series - (target % 10 === 3 && this.version(target, 7, slot) === ABSENT ? 1 : 0);
  }

  /** Markers that slot `slot` has when it and the one before succeed. */
  vanished(target: number, slot: number): number {
    if (this.isBusy(target)) return this.#busy;
    return this.present(target, slot) < this.present(target, slot - 1) ? 1 : 0;
  }

  page(target: number, slot: number): string {
    let page = '';
    for (let i = 0; i < this.options.series; i++) {
      const family = Math.floor(i / SERIES_A_FAMILY);
      if (i % SERIES_A_FAMILY === 0)
        page += `# HELP stage_${family}_requests_total What stage ${family} has done.\n# TYPE stage_${family}_requests_total counter\n`;
      const version = this.version(target, i, slot);
      if (version !== ABSENT)
        page += `stage_${family}_requests_total{code="${200 + (i % 5)}",handler="/api/v1/stage/${i % 8}",i="${i}",v="${version}"} ${slot}\n`;
    }
    return page;
  }
}

function mixed(a: number, b: number): number {
  let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}
