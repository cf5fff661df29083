import { SignalboxError } from '../../core/failures.ts';

/** The failure that a person is told of. Adapters map foreign errors; what comes here unmapped is our mistake. */
export function failureOf(error: unknown): SignalboxError {
  if (error instanceof SignalboxError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new SignalboxError('internal', `unexpected: ${message}`, {
    cause: error,
    hint: 'Run it again with SIGNALBOX_DEBUG=1 to see where it comes from.',
  });
}
