import { status } from '@grpc/grpc-js';
import { type Client, type Connection, isGrpcServiceError } from '@temporalio/client';
import proto from '@temporalio/proto';

import { SignalboxError } from '../../core/failures.ts';
import { sharedQueue } from '../../core/ids.ts';
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

/**
 * The id that a server gave a namespace when it was made; `null` if it has none of that name. It outlives restarts, and no
 * other server has it.
 */
export async function namespaceId(
  connection: Pick<Connection, 'workflowService'>,
  namespace: string,
): Promise<string | null> {
  try {
    return (await connection.workflowService.describeNamespace({ namespace })).namespaceInfo?.id || null;
  } catch (error) {
    if (isGrpcServiceError(error) && error.code === status.NOT_FOUND) return null;
    throw error;
  }
}

/** Like {@link namespaceId}. @throws SignalboxError `environment` where there is no such namespace */
export async function requireNamespaceId(
  connection: Pick<Connection, 'workflowService'>,
  namespace: string,
): Promise<string> {
  const id = await namespaceId(connection, namespace);
  if (id !== null) return id;
  throw new SignalboxError('environment', `the Temporal server has no namespace ${namespace}`, {
    hint: 'Make it there, or name another one (TEMPORAL_NAMESPACE or the profile in Temporal’s configuration).',
  });
}

/** The task queue that all workers of the server poll that a client talks to. */
export async function sharedQueueOf(client: Client): Promise<string> {
  return sharedQueue(await requireNamespaceId(client.connection, client.options.namespace));
}
