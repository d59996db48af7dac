/** The section `otlp`, with Prometheus' defaults. */

import type { OtlpConfig } from './model.ts';
import type { ParsedConfig } from './schema.ts';

export function toOtlpConfig(parsed: NonNullable<ParsedConfig['otlp']>): OtlpConfig {
  return {
    translationStrategy: parsed.translation_strategy ?? 'UnderscoreEscapingWithSuffixes',
    promoteResourceAttributes: parsed.promote_resource_attributes ?? [],
    promoteAllResourceAttributes: parsed.promote_all_resource_attributes ?? false,
    ignoreResourceAttributes: parsed.ignore_resource_attributes ?? [],
    keepIdentifyingResourceAttributes: parsed.keep_identifying_resource_attributes ?? false,
    promoteScopeMetadata: parsed.promote_scope_metadata ?? false,
    convertHistogramsToNhcb: parsed.convert_histograms_to_nhcb ?? false,
    labelNameUnderscoreSanitization: parsed.label_name_underscore_sanitization ?? true,
    labelNamePreserveMultipleUnderscores: parsed.label_name_preserve_multiple_underscores ?? true,
  };
}
