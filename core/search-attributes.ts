/**
 * The custom search attributes of our workflows: all of type Keyword, never encrypted. A server that cannot register
 * them is used without: everything but the Web UI's filters works.
 */
export const SEARCH_ATTRIBUTES = [
  'SignalboxProject',
  'SignalboxRepository',
  'SignalboxRun',
  'SignalboxTask',
  'SignalboxStatus',
  'SignalboxWaiting',
] as const;

/** The name of one of our search attributes. */
export type SearchAttributeName = (typeof SEARCH_ATTRIBUTES)[number];

/** The key of a search attribute, as Temporal's typed search attributes take it. */
export function attributeKey<Name extends SearchAttributeName>(name: Name): { name: Name; type: 'KEYWORD' } {
  return { name, type: 'KEYWORD' };
}

/** A run's status, kept up to date by its workflow. */
export const STATUS_ATTRIBUTE = attributeKey('SignalboxStatus');

/** On a run, for whom one of its tasks waits: `person` or `nobody`. Kept up to date by its workflow. */
export const WAITING_ATTRIBUTE = attributeKey('SignalboxWaiting');
