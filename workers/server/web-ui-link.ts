import type { TemporalTarget } from './target.ts';

/**
 * The address of a workflow's newest execution in the Web UI of the server in use, or `null` where that has no known
 * one. Ids may hold slashes.
 */
export function webUiLink(
  { webUi, namespace }: Pick<TemporalTarget, 'webUi' | 'namespace'>,
  workflowId: string,
): string | null {
  if (webUi === null) return null;
  const parts = ['namespaces', namespace, 'workflows', workflowId];
  return `${webUi.replace(/\/+$/, '')}/${parts.map(encodeURIComponent).join('/')}`;
}
