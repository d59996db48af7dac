/** Which names of metrics and labels a scrape takes, and what it asks the target to make of others: Prometheus' defaults (config/config.go). */

import type { EscapingScheme, ScrapeConfig, ValidationScheme } from './model.ts';

interface Section {
  readonly [key: string]: unknown;
}

/**
 * A scrape configuration's own scheme wins over the global one. An escaping scheme that is not set follows the validation scheme of
 * the section that sets one, so that `legacy` alone is enough. Values that are not known pass as they are: others report them.
 */
export function namesOf(
  scrape: Section,
  global: Section,
): Pick<ScrapeConfig, 'metricNameValidationScheme' | 'metricNameEscapingScheme'> {
  const own = scrape['metric_name_validation_scheme'] as ValidationScheme | '' | undefined;
  const general = (global['metric_name_validation_scheme'] || 'utf8') as ValidationScheme;
  const inherited = own ? undefined : global['metric_name_escaping_scheme'];
  return {
    metricNameValidationScheme: own || general,
    metricNameEscapingScheme: (scrape['metric_name_escaping_scheme'] ||
      inherited ||
      ((own || general) === 'legacy' ? 'underscores' : 'allow-utf-8')) as EscapingScheme,
  };
}
