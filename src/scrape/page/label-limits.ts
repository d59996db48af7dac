/** `label_limit` and its kin: over one of them the whole scrape fails (Prometheus, scrape/scrape.go, `verifyLabelLimits`). */

import { compareUtf8, METRIC_NAME } from '../../model/labels.ts';
import { PageError } from './page-error.ts';

/** 0 is no limit. */
export interface LabelLimits {
  /** Labels of a series, its name and the target's labels among them, external ones not. */
  readonly labelLimit: number;
  /** In bytes of UTF-8. */
  readonly labelNameLengthLimit: number;
  readonly labelValueLengthLimit: number;
}

const ENCODER = new TextEncoder();

/** Throws PageError, with Prometheus' words, when a label set is over a limit. Empty values are no labels. */
export function checkLabelLimits(labels: ReadonlyMap<string, string>, limits: LabelLimits): void {
  const { labelLimit, labelNameLengthLimit, labelValueLengthLimit } = limits;
  const names = [...labels.keys()].filter((name) => labels.get(name) !== '');
  const metric = cut(labels.get(METRIC_NAME) ?? '');
  if (labelLimit > 0 && names.length > labelLimit) {
    throw new PageError(
      `label_limit exceeded (metric: ${metric}, number of labels: ${names.length}, limit: ${labelLimit})`,
      'label_limit',
    );
  }
  if (labelNameLengthLimit === 0 && labelValueLengthLimit === 0) return;
  for (const name of names.sort(compareUtf8)) {
    const nameBytes = bytesOf(name);
    if (labelNameLengthLimit > 0 && nameBytes > labelNameLengthLimit) {
      throw new PageError(
        `label_name_length_limit exceeded (metric: ${metric}, label name: ${cut(name)}, length: ${nameBytes}, limit: ${labelNameLengthLimit})`,
        'label_limit',
      );
    }
    const value = labels.get(name)!;
    const valueBytes = bytesOf(value);
    if (labelValueLengthLimit > 0 && valueBytes > labelValueLengthLimit) {
      throw new PageError(
        `label_value_length_limit exceeded (metric: ${metric}, label name: ${cut(name)}, value: ${JSON.stringify(cut(value))}, length: ${valueBytes}, limit: ${labelValueLengthLimit})`,
        'label_limit',
      );
    }
  }
}

/** The first fifty characters. */
const cut = (text: string): string => Array.from(text.slice(0, 100)).slice(0, 50).join('');

const bytesOf = (text: string): number => ENCODER.encode(text).length;
