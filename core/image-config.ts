import * as z from 'zod';
import { variableName } from './fields.ts';

/** What a Dockerfile's `ARG`s are set to. */
export const buildArgsSchema = z.record(variableName(), z.string());

/** Says which keys about the image say nothing beside the others. */
export function checkImageKeys(
  sandbox: { image?: unknown; dockerfile?: unknown; build_context?: unknown; build_args?: unknown },
  context: z.RefinementCtx,
): void {
  const refuse = (key: string, message: string): void => {
    context.addIssue({ code: 'custom', path: [key], message });
  };
  const { image, dockerfile, build_context: directory, build_args: args } = sandbox;
  if (directory !== undefined && dockerfile === undefined) refuse('build_context', 'says nothing without dockerfile');
  if (image === undefined) return;
  if (dockerfile !== undefined) refuse('dockerfile', 'says nothing beside image: one of them names what steps run in');
  if (args !== undefined) refuse('build_args', 'says nothing beside image: nothing is built');
}
