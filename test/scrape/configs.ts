import type { ScrapeConfig } from '../../src/config/model.ts';

/** A scrape configuration of defaults. */
export const scrapeConfig = (config: Partial<ScrapeConfig> = {}): ScrapeConfig => ({
  jobName: 'j',
  scrapeIntervalMs: 15_000,
  scrapeTimeoutMs: 10_000,
  metricsPath: '/metrics',
  scheme: 'http',
  params: [],
  honorLabels: false,
  honorTimestamps: true,
  enableCompression: true,
  scrapeProtocols: ['OpenMetricsText1.0.0', 'OpenMetricsText0.0.1', 'PrometheusText1.0.0', 'PrometheusText0.0.4'],
  fallbackScrapeProtocol: null,
  metricNameValidationScheme: 'utf8',
  metricNameEscapingScheme: 'allow-utf-8',
  bodySizeLimit: 0,
  sampleLimit: 0,
  staticConfigs: [],
  relabelConfigs: [],
  metricRelabelConfigs: [],
  ...config,
});
