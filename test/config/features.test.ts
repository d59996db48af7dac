import { expect, test } from 'vitest';
import { NO_FEATURES, parseFeatures, startTimestampsOf } from '../../src/config/features.ts';
import { loadConfig } from '../../src/config/load.ts';

test('features are named as Prometheus names them', () => {
  expect(parseFeatures('')).toEqual(NO_FEATURES);
  expect(parseFeatures(' st-storage ,created-timestamp-zero-ingestion,,st-storage')).toEqual({
    enabled: ['created-timestamp-zero-ingestion', 'st-storage'],
    problems: [],
  });
  expect(startTimestampsOf(parseFeatures('st-storage'))).toEqual({ store: true, zero: false });
  expect(startTimestampsOf(parseFeatures('created-timestamp-zero-ingestion'))).toEqual({ store: false, zero: true });
  expect(startTimestampsOf(NO_FEATURES)).toBe(null);
});

test('a name that is none says which there are, and the others hold', () => {
  expect(parseFeatures('st-synthesis,st-storage')).toEqual({
    enabled: ['st-storage'],
    problems: [
      'NARTHEX_ENABLE_FEATURE: "st-synthesis" is no feature here, and enables nothing: there are created-timestamp-zero-ingestion and st-storage',
    ],
  });
});

test('targets are asked for protobuf first, unless the configuration says what they are asked for', () => {
  const text = (more: string): string => `
scrape_configs:
  - job_name: j
    ${more}
    static_configs: [{ targets: ['a.example.com'] }]
`;
  const scrape = (more: string, features: string) => {
    const loaded = loadConfig(text(more), null, [], parseFeatures(features));
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
    return loaded.config.scrapeConfigs[0]!;
  };
  for (const feature of ['st-storage', 'created-timestamp-zero-ingestion']) {
    expect(scrape('', feature).scrapeProtocols[0]).toBe('PrometheusProto');
    expect(scrape('scrape_protocols: [PrometheusText0.0.4]', feature).scrapeProtocols).toEqual(['PrometheusText0.0.4']);
  }
  expect(scrape('', 'st-storage').startTimestamps).toEqual({ store: true, zero: false });
  expect(scrape('', 'nothing').scrapeProtocols[0]).toBe('OpenMetricsText1.0.0');
  expect(scrape('', 'nothing')).not.toHaveProperty('startTimestamps');
});
