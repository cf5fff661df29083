import * as z from 'zod';
import { pattern, variableName } from './fields.ts';

/** The `redact` section of the configuration. */
export const redactSchema = z.strictObject({
  names: z
    .array(variableName())
    .prefault([])
    .describe(
      "Names of variables in the worker's environment whose values are hidden. Those whose name and value look like a " +
        "key's are without being listed.",
    ),
  patterns: z
    .array(pattern())
    .prefault([])
    .describe(
      'Regular expressions; what one matches is hidden. The shapes of well-known keys are without being listed.',
    ),
});
