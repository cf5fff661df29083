/**
 * Writes what test/support/github holds of GitHub: the description of the operations that Signalbox calls, and recorded
 * answers to them.
 *
 *   node scripts/update-github.ts DIRECTORY
 *
 * test/support/github/README.md says what is in DIRECTORY, and from where.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../activities/package-root.ts';
import { graphqlExtract } from './github/graphql-extract.ts';
import { openApiExtract, type OpenApi } from './github/openapi-extract.ts';
import { recordings } from './github/recordings.ts';

const source = process.argv[2] ?? '';
const out = path.join(packageRoot(), 'test/support/github');
const product = path.join(packageRoot(), 'activities/remotes');

const code = readdirSync(product)
  .map((name) => readFileSync(path.join(product, name), 'utf8'))
  .join('\n');
const routes = [
  ...new Set([...code.matchAll(/'((?:GET|POST|PUT|PATCH|DELETE) \/[^']+)'/g)].map(([, route = '']) => route)),
];
const queries = [...code.matchAll(/`((?:mutation|query)\b[^`]*)`/g)].map(([, query = '']) => query);

/** One entry a line, so that a change can be read. */
function lines(entries: Readonly<Record<string, unknown>>): string {
  return `{\n${Object.entries(entries)
    .map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`)
    .join(',\n')}\n}`;
}

const whole = JSON.parse(readFileSync(path.join(source, 'openapi/generated/api.github.com.json'), 'utf8')) as OpenApi;
const { operations, schemas } = openApiExtract(whole, routes.sort());
writeFileSync(
  path.join(out, 'openapi.json'),
  `{\n"operations": ${lines(operations)},\n"schemas": ${lines(schemas)}\n}\n`,
);
const sdl = readFileSync(path.join(source, 'graphql-schema/schema.graphql'), 'utf8');
writeFileSync(path.join(out, 'schema.graphql'), graphqlExtract(sdl, queries));
writeFileSync(path.join(out, 'recordings.json'), `${lines(recordings(source))}\n`);
