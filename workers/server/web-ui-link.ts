/**
 * The address of a workflow in Temporal's Web UI; without a run id that of its newest run. Ids may hold slashes.
 *
 * @param base the Web UI's own address, such as `http://127.0.0.1:8233`
 */
export function webUiLink(base: string, namespace: string, workflowId: string, runId?: string): string {
  const parts = ['namespaces', namespace, 'workflows', workflowId, ...(runId === undefined ? [] : [runId, 'history'])];
  return `${base.replace(/\/+$/, '')}/${parts.map(encodeURIComponent).join('/')}`;
}
