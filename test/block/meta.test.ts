import { expect, it } from 'vitest';
import { metaJson, type NewBlockMeta } from '../../src/block/meta.ts';

const block: NewBlockMeta = {
  ulid: '01HF7YAT00000000000000000A',
  minTime: 1_700_000_000_000,
  maxTime: 1_700_000_060_001,
  stats: { numSamples: 10, numFloatSamples: 10, numSeries: 2, numChunks: 3 },
  externalLabels: { tenant: 'anonymous', 'a.b': 'ü' },
  files: [
    { rel_path: 'index', size_bytes: 400 },
    { rel_path: 'chunks/000002', size_bytes: 20 },
    { rel_path: 'chunks/000001', size_bytes: 300 },
  ],
  seriesBytesMax: 64,
  chunkBytesMax: 200,
  uploadTimeMs: 1_700_000_100_000,
};

it('is what Prometheus and Thanos write', () => {
  expect(metaJson(block)).toBe(`{
	"ulid": "01HF7YAT00000000000000000A",
	"minTime": 1700000000000,
	"maxTime": 1700000060001,
	"stats": {
		"numSamples": 10,
		"numFloatSamples": 10,
		"numSeries": 2,
		"numChunks": 3
	},
	"compaction": {
		"level": 1,
		"sources": [
			"01HF7YAT00000000000000000A"
		]
	},
	"version": 1,
	"thanos": {
		"version": 1,
		"labels": {
			"a.b": "ü",
			"tenant": "anonymous"
		},
		"downsample": {
			"resolution": 0
		},
		"source": "receive",
		"files": [
			{
				"rel_path": "chunks/000001",
				"size_bytes": 300
			},
			{
				"rel_path": "chunks/000002",
				"size_bytes": 20
			},
			{
				"rel_path": "index",
				"size_bytes": 400
			},
			{
				"rel_path": "meta.json"
			}
		],
		"index_stats": {
			"series_max_size": 64,
			"chunk_max_size": 200
		},
		"upload_time": "2023-11-14T22:15:00.000Z"
	}
}
`);
});

it('lists meta.json once, without a size', () => {
  const files = [...block.files, { rel_path: 'meta.json', size_bytes: 1 }];
  expect(metaJson({ ...block, files })).toBe(metaJson(block));
});

it.each<[string, Partial<NewBlockMeta>, string]>([
  ['no external labels', { externalLabels: {} }, 'external label'],
  ['an empty range', { maxTime: block.minTime }, 'is empty'],
  ['a range of no number', { maxTime: Number.NaN }, 'is empty'],
  ['a name that is no ULID', { ulid: 'block' }, 'not a ULID'],
])('refuses %s', (_, part, message) => expect(() => metaJson({ ...block, ...part })).toThrow(message));
