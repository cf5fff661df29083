import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import { buildSchema } from 'graphql';
import type { Recording } from '../../scripts/github/recordings.ts';

type Schema = Readonly<Record<string, unknown>>;

interface Operation {
  parameters: { name: string; in: 'path' | 'query'; required: boolean; schema: Schema }[];
  body?: Schema;
  responses: Record<string, { schema?: Schema; examples?: unknown[] }>;
}

const HERE = path.join(import.meta.dirname, 'github');
const read = (name: string): string => readFileSync(path.join(HERE, name), 'utf8');

const openapi = JSON.parse(read('openapi.json')) as { operations: Record<string, Operation>; schemas: Schema };
const recorded = JSON.parse(read('recordings.json')) as Record<string, Recording>;

/** Statuses that GitHub describes for its API as a whole, not for each operation: tokens, rights, limits, outages. */
const ANYWHERE = [401, 403, 404, 429, 500, 502, 503, 504];

const ajv = new Ajv({ strict: false, allErrors: true });
// What is in a URL is text.
const urlAjv = new Ajv({ strict: false, allErrors: true, coerceTypes: true });
for (const one of [ajv, urlAjv]) {
  addFormats.default(one);
  one.addFormat('repo.nwo', /^[\w.-]+\/[\w.-]+$/);
  one.addSchema({ ...openapi, $id: 'github' });
}
const compiled = new Map<string, ValidateFunction>();

/** Every operation that GitHub's description is held of here, as `GET /repos/{owner}/{repo}`. */
export const routes: readonly string[] = Object.keys(openapi.operations);

/** The part of GitHub's GraphQL schema that is held here. */
export const graphqlSchema = buildSchema(read('schema.graphql'));

/** An answer as it was recorded. */
export function recording(name: string): Recording {
  const found = recorded[name];
  if (found === undefined) throw new Error(`there is no recording ${name}`);
  return structuredClone(found);
}

/** Names of all recordings. */
export const recordingNames: readonly string[] = Object.keys(recorded);

/** GitHub's own examples of an answer. */
export function examples(route: string, status: number): unknown[] {
  return structuredClone(openapi.operations[route]?.responses[String(status)]?.examples ?? []);
}

/** An operation, and what its path names. */
export interface Called {
  route: string;
  named: Readonly<Record<string, string>>;
}

/** The values that a property of a schema may have besides `null`. */
export function valuesOf(schema: string, property: string): string[] {
  const { properties } = openapi.schemas[schema] as {
    properties: Record<string, { enum?: string[]; anyOf?: Schema[] }>;
  };
  const parts = [properties[property], ...(properties[property]?.anyOf ?? [])] as { enum?: string[] }[];
  return parts.flatMap((part) => part.enum ?? []);
}

/** The operation of a request, or `null`. @param pathname as it was sent: what is encoded in it is no separator */
export function called(method: string, pathname: string): Called | null {
  for (const route of routes) {
    const found = patternOf(route).exec(`${method} ${pathname}`);
    if (found === null) continue;
    const named = Object.entries(found.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)]);
    return { route, named: Object.fromEntries(named) as Record<string, string> };
  }
  return null;
}

function patternOf(route: string): RegExp {
  return new RegExp(`^${route.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);
}

/** What is wrong with a request by GitHub's description of its operation: one sentence each. */
export function problemsOfRequest({ route, named }: Called, query: URLSearchParams, body: unknown): string[] {
  const operation = openapi.operations[route];
  if (operation === undefined) return [`${route} is not held here`];
  const given = { path: { ...named }, query: Object.fromEntries(query) };
  const wrong = (['path', 'query'] as const).flatMap((place) => {
    const own = operation.parameters.filter((parameter) => parameter.in === place);
    const schema = {
      type: 'object',
      properties: Object.fromEntries(own.map(({ name, schema }) => [name, absolute(schema)])),
      required: own.flatMap(({ name, required }) => (required ? [name] : [])),
      additionalProperties: false,
    };
    return problems(urlAjv, `${route} ${place}`, () => schema, given[place]);
  });
  if (operation.body === undefined) return body === null ? wrong : [...wrong, `${route} takes no body`];
  const known = namesIn(operation.body);
  const unknown = Object.keys(body ?? {}).filter((name) => !known.has(name));
  return [
    ...wrong,
    ...problems(ajv, `${route} body`, () => ({ $ref: `github#/operations/${pointer(route)}/body` }), body ?? {}),
    ...unknown.map((name) => `${route}: its body has no ${name}`),
  ];
}

/** What is wrong with an answer by GitHub's description of its operation and status: one sentence each. */
export function problemsOfAnswer(route: string, status: number, data: unknown): string[] {
  const described = openapi.operations[route]?.responses[String(status)];
  if (described === undefined && !ANYWHERE.includes(status)) return [`${route} never answers ${status}`];
  if (described !== undefined && described.schema === undefined) return [];
  const place =
    described === undefined ? 'schemas/basic-error' : `operations/${pointer(route)}/responses/${status}/schema`;
  return problems(ajv, `${route} ${status}`, () => ({ $ref: `github#/${place}` }), data);
}

function problems(by: Ajv, what: string, schemaOf: () => Schema, value: unknown): string[] {
  const validate = compiled.get(what) ?? by.compile(schemaOf());
  compiled.set(what, validate);
  if (validate(value)) return [];
  return (validate.errors ?? []).map((error) => `${what}: ${said(error)}`);
}

function said({ instancePath, message, params }: ErrorObject): string {
  return `${instancePath} ${message ?? ''} ${JSON.stringify(params)}`.trim();
}

/** The names of properties that an object of this schema may have. */
function namesIn(schema: Schema): Set<string> {
  const parts = ['anyOf', 'oneOf', 'allOf'].flatMap((key) => (schema[key] as Schema[] | undefined) ?? []);
  return new Set([...Object.keys(schema['properties'] ?? {}), ...parts.flatMap((part) => [...namesIn(part)])]);
}

function pointer(route: string): string {
  return encodeURIComponent(route.replaceAll('~', '~0').replaceAll('/', '~1'));
}

/** A schema whose references are to be read from elsewhere. */
function absolute(schema: Schema): Schema {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"github#/')) as Schema;
}

/**
 * A recorded value with some of its parts in place of what they were. @throws if one of them has a name that the recording
 * has not, or another type
 */
export function like(was: unknown, ours: unknown, place = ''): unknown {
  if (ours === undefined) return was;
  if (was === null || was === undefined || ours === null) return ours;
  if (Array.isArray(ours) && Array.isArray(was)) return ours.map((item) => like(was[0], item, `${place}[]`));
  if (typeof ours !== typeof was || Array.isArray(ours) !== Array.isArray(was))
    throw new Error(`GitHub’s ${place} is ${JSON.stringify(was)}, not ${JSON.stringify(ours)}`);
  if (typeof ours !== 'object') return ours;
  const whole = { ...(was as Record<string, unknown>) };
  for (const [name, value] of Object.entries(ours)) {
    if (!(name in whole)) throw new Error(`GitHub’s ${place === '' ? 'answer' : place} has no ${name}`);
    whole[name] = like(whole[name], value, `${place}.${name}`);
  }
  return whole;
}
