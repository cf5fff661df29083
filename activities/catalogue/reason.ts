/** What a caught value says, in one line. */
export function reasonOf(error: unknown): string {
  // Not instanceof: an error of Node's own modules may come from another realm.
  const message = typeof error === 'object' && error !== null && 'message' in error ? error.message : error;
  return String(message).split('\n')[0] ?? '';
}
