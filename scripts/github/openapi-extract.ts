type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Dict = Record<string, Json>;

/** A part of GitHub's description of its REST API (OpenAPI 3.0). */
export interface OpenApi {
  paths: Record<string, Record<string, Dict>>;
  components: Record<string, Dict>;
}

/** What a schema does not need to judge a value. */
const PROSE = ['description', 'title', 'example', 'examples', 'default', 'deprecated', 'readOnly', 'externalDocs'];
const COMPONENT = '#/components/schemas/';

/**
 * The operations with these routes (`GET /repos/{owner}/{repo}`), each with its parameters, the schema of its body, and of
 * each status the schema and GitHub's own examples; and all schemas that they refer to, as plain JSON Schema.
 */
export function openApiExtract(whole: OpenApi, routes: readonly string[]): { operations: Dict; schemas: Dict } {
  const needed = new Set<string>();
  const schemaOf = (schema: Json | undefined): Json => plain(schema ?? {}, needed);
  const content = (holder: Dict): Dict | null => {
    const media = (holder['content'] as Dict | undefined)?.['application/json'];
    return media === undefined ? null : resolved(whole, media);
  };
  const operations: Dict = {};
  for (const route of routes) {
    const [method = '', template = ''] = route.split(' ');
    const operation = whole.paths[template]?.[method.toLowerCase()];
    if (operation === undefined) throw new Error(`GitHub describes no ${route}`);
    const parameters = (operation['parameters'] as Json[]).map((parameter) => {
      const { name, in: place, required, schema } = resolved(whole, parameter);
      return { name, in: place, required: required === true, schema: schemaOf(schema) } as Dict;
    });
    const body = operation['requestBody'];
    const asked = body === undefined ? null : content(resolved(whole, body));
    const responses: Dict = {};
    for (const [status, response] of Object.entries(operation['responses'] as Dict)) {
      const answer = content(resolved(whole, response));
      const examples = Object.values((answer?.['examples'] ?? {}) as Dict).map(
        (one) => resolved(whole, one)['value'] ?? null,
      );
      responses[status] = answer === null ? {} : { schema: schemaOf(answer['schema']), examples };
    }
    operations[route] = {
      parameters,
      ...(asked === null ? {} : { body: schemaOf(asked['schema']) }),
      responses,
    };
  }
  const schemas: Dict = {};
  // Those that are added while it goes on are visited, too.
  for (const name of needed) schemas[name] = schemaOf(whole.components['schemas']?.[name]);
  return { operations, schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))) };
}

function resolved(whole: OpenApi, node: Json): Dict {
  const reference = (node as Dict)['$ref'];
  if (typeof reference !== 'string') return node as Dict;
  const [, kind = '', name = ''] = /^#\/components\/([^/]+)\/([^/]+)$/.exec(reference) ?? [];
  const found = whole.components[kind]?.[name];
  if (found === undefined) throw new Error(`nothing at ${reference}`);
  return resolved(whole, found);
}

/** A schema of OpenAPI 3.0 as JSON Schema, which has no `nullable`. @param needed takes the names of what it refers to */
function plain(schema: Json, needed: Set<string>): Json {
  if (Array.isArray(schema)) return schema.map((part) => plain(part, needed));
  if (schema === null || typeof schema !== 'object') return schema;
  const reference = schema['$ref'];
  if (typeof reference === 'string') {
    const name = reference.slice(COMPONENT.length);
    needed.add(name);
    return { $ref: `#/schemas/${name}` };
  }
  const out: Dict = {};
  for (const [key, value] of Object.entries(schema)) {
    if (PROSE.includes(key) || key.startsWith('x-') || key === 'nullable') continue;
    if (key === 'enum' || key === 'required') out[key] = value;
    else if (key === 'properties')
      out[key] = Object.fromEntries(Object.entries(value as Dict).map(([name, one]) => [name, plain(one, needed)]));
    else out[key] = plain(value, needed);
  }
  return schema['nullable'] === true ? { anyOf: [out, { type: 'null' }] } : out;
}
