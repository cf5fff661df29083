import { type Connection } from '@temporalio/client';
import proto from '@temporalio/proto';

import { SEARCH_ATTRIBUTES } from '../../core/search-attributes.ts';

const DAY_SECONDS = 24 * 3600;

/** How long the embedded server keeps closed workflows. */
export const RETENTION_DAYS = 90;

/** Whether the search attributes can be used. */
export type Registration = { registered: true } | { registered: false; reason: string };

/**
 * Sees to it that a namespace has our search attributes; says why it does not, where the server refuses (managed servers
 * often let only administrators add them) or another application uses a name with another type. Workflows must then be
 * started without them.
 */
export async function registerSearchAttributes(connection: Connection, namespace: string): Promise<Registration> {
  const keyword = proto.temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD;
  let missing: string[] = [];
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    const other = SEARCH_ATTRIBUTES.find((name) => (customAttributes[name] ?? keyword) !== keyword);
    if (other !== undefined) return { registered: false, reason: `${other} is there, but is no Keyword` };
    missing = SEARCH_ATTRIBUTES.filter((name) => customAttributes[name] === undefined);
    if (missing.length > 0) {
      await connection.operatorService.addSearchAttributes({
        namespace,
        searchAttributes: Object.fromEntries(missing.map((name) => [name, keyword])),
      });
    }
    return { registered: true };
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return {
      registered: false,
      reason: missing.length === 0 ? said : `${missing.join(', ')} cannot be added: ${said}`,
    };
  }
}

/** Raises a namespace's retention to at least so many days; never lowers it. Returns the days that hold then. */
export async function raiseRetention(connection: Connection, namespace: string, days: number): Promise<number> {
  const { config } = await connection.workflowService.describeNamespace({ namespace });
  const current = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) / DAY_SECONDS;
  if (current >= days) return current;
  const next = proto.temporal.api.namespace.v1.NamespaceConfig.fromObject({
    workflowExecutionRetentionTtl: { seconds: days * DAY_SECONDS },
  });
  await connection.workflowService.updateNamespace({ namespace, config: next });
  return days;
}
