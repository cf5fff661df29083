import {
  buildASTSchema,
  Kind,
  parse,
  print,
  TypeInfo,
  validate,
  visit,
  visitWithTypeInfo,
  type DefinitionNode,
  type FieldDefinitionNode,
  type TypeNode,
} from 'graphql';

/** GraphQL's own, which a schema does not define. */
const BUILT_IN = ['String', 'ID', 'Int', 'Float', 'Boolean'];

/**
 * The part of a schema that these documents touch: the types that they go through, with the fields that they ask for and all
 * others that are plain values. @throws where a document is not valid by the whole schema
 */
export function graphqlExtract(sdl: string, documents: readonly string[]): string {
  const { definitions } = parse(sdl);
  // GitHub defines some fields twice.
  const schema = buildASTSchema({ kind: Kind.DOCUMENT, definitions }, { assumeValidSDL: true });
  const touched = new Set(['Query']);
  const asked = new Set<string>();
  for (const document of documents.map((text) => parse(text))) {
    const [problem] = validate(schema, document);
    if (problem !== undefined) throw problem;
    const info = new TypeInfo(schema);
    // `[Name!]!` is of the type Name.
    const touch = (type = ''): unknown => touched.add(type.replaceAll(/\W/g, ''));
    const enter = (): void => {
      touch(info.getParentType()?.toString());
      touch(info.getType()?.toString());
      touch(info.getInputType()?.toString());
      asked.add(`${info.getParentType()?.name ?? ''}.${info.getFieldDef()?.name ?? ''}`);
    };
    visit(document, visitWithTypeInfo(info, { enter }));
  }

  const byName = new Map(definitions.flatMap((one) => ('name' in one ? [[one.name.value, one] as const] : [])));
  const isPlain = (field: FieldDefinitionNode): boolean => {
    const name = nameOf(field.type);
    const { kind } = byName.get(name) ?? {};
    const isLeaf =
      BUILT_IN.includes(name) || kind === Kind.SCALAR_TYPE_DEFINITION || kind === Kind.ENUM_TYPE_DEFINITION;
    return isLeaf && (field.arguments ?? []).length === 0;
  };
  const kept: DefinitionNode[] = [];
  // Those that are added while it goes on are visited, too.
  for (const name of touched) {
    const definition = byName.get(name);
    if (definition?.kind === Kind.OBJECT_TYPE_DEFINITION) {
      const fields = (definition.fields ?? []).filter(
        (field) => asked.has(`${name}.${field.name.value}`) || isPlain(field),
      );
      for (const field of fields) touched.add(nameOf(field.type));
      kept.push({ ...definition, interfaces: [], fields });
    } else if (definition !== undefined) {
      if (definition.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION)
        for (const field of definition.fields ?? []) touched.add(nameOf(field.type));
      kept.push(definition);
    }
  }
  const bare = visit({ kind: Kind.DOCUMENT, definitions: kept }, { StringValue: () => null, Directive: () => null });
  return `${print(bare)}\n`;
}

function nameOf(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : nameOf(type.type);
}
