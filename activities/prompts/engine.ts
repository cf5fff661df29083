import {
  BreakTag,
  CaseTag,
  ContinueTag,
  type Context,
  type Emitter,
  ForTag,
  IfTag,
  Liquid,
  type Template,
  UnlessTag,
} from 'liquidjs';

/** Tags that read files or belong to those that do. */
export const FILE_TAGS: readonly string[] = ['include', 'render', 'layout', 'block'];
/** Filters whose result differs from call to call: a turn is found again by its prompt. */
const UNSTEADY_FILTERS = [
  'sample',
  'date',
  'date_to_xmlschema',
  'date_to_rfc822',
  'date_to_string',
  'date_to_long_string',
];

/** Templates as prompts use them: strict, and without a way to files, clock or chance. */
export function promptEngine(): Liquid {
  const engine = new Liquid({
    strictVariables: true,
    strictFilters: true,
    ownPropertyOnly: true,
    memoryLimit: 10_000_000,
    templates: {},
  });
  for (const name of FILE_TAGS) Reflect.deleteProperty(engine.tags, name);
  for (const name of UNSTEADY_FILTERS) engine.unregisterFilter(name);
  return engine;
}

/** The same engine, but every branch of a template is rendered, whatever its condition says, and all errors are told. */
export function everyBranchEngine(): Liquid {
  const engine = promptEngine();
  engine.options.catchAllErrors = true;
  engine.registerTag('if', EveryIf);
  engine.registerTag('unless', EveryUnless);
  engine.registerTag('case', EveryCase);
  engine.registerTag('for', EveryFor);
  engine.registerTag('break', NoBreak);
  engine.registerTag('continue', NoContinue);
  return engine;
}

class EveryIf extends IfTag {
  override *render(context: Context, emitter: Emitter): Generator<unknown, void, string> {
    for (const { value } of this.branches) yield value.value(context);
    yield* all(this.liquid, [...this.branches.map(({ templates }) => templates), this.elseTemplates], context, emitter);
  }
}

class EveryUnless extends UnlessTag {
  override *render(context: Context, emitter: Emitter): Generator<unknown, void> {
    for (const { value } of this.branches) yield value.value(context);
    yield* all(this.liquid, [...this.branches.map(({ templates }) => templates), this.elseTemplates], context, emitter);
  }
}

class EveryCase extends CaseTag {
  override *render(context: Context, emitter: Emitter): Generator<unknown, void> {
    yield this.value.value(context);
    yield* all(this.liquid, [...this.branches.map(({ templates }) => templates), this.elseTemplates], context, emitter);
  }
}

class EveryFor extends ForTag {
  override *render(context: Context, emitter: Emitter): Generator<unknown, undefined, Template[]> {
    const errors: unknown[] = [];
    for (const part of [super.render(context, emitter), all(this.liquid, [this.elseTemplates], context, emitter)]) {
      try {
        yield* part;
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors);
    return undefined;
  }
}

class NoBreak extends BreakTag {
  override render(): void {
    // What follows is to be looked at, too.
  }
}

class NoContinue extends ContinueTag {
  override render(): void {
    // What follows is to be looked at, too.
  }
}

/** Renders all branches; what is wrong with one hides nothing of the others. */
function* all(
  { renderer }: Liquid,
  branches: readonly (Template[] | undefined)[],
  context: Context,
  emitter: Emitter,
): Generator<unknown, void> {
  const errors: unknown[] = [];
  for (const templates of branches) {
    if (templates === undefined) continue;
    try {
      yield renderer.renderTemplates(templates, context, emitter);
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors);
}
