import type { Client } from '@temporalio/client';
import { defaultPayloadConverter, type Payload, type PayloadCodec } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { isEncrypted } from '../../activities/payloads/encryption-codec.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;
type Fields = Record<string, unknown>;

/** The history of a workflow's execution, by default the newest, as the client's keys can read it. */
export async function readHistory(client: Client, workflowId: string, runId?: string): Promise<HistoryEvent[]> {
  const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  return await decodedHistory(events ?? [], client.options.loadedDataConverter.payloadCodecs);
}

/** Decrypts a history's payloads, and the messages of failures, in place. */
export async function decodedHistory(events: HistoryEvent[], codecs: readonly PayloadCodec[]): Promise<HistoryEvent[]> {
  const found = encryptedIn(events);
  let payloads = found.map(({ payload }) => payload);
  for (const codec of [...codecs].reverse()) payloads = await codec.decode(payloads);
  for (const [index, { holder, key }] of found.entries()) {
    const payload = payloads[index];
    holder[key] = payload;
    if (key === 'encodedAttributes' && payload !== undefined) tellFailure(holder, payload);
  }
  return events;
}

interface Found {
  holder: Fields;
  key: string;
  payload: Payload;
}

function encryptedIn(value: object): Found[] {
  return Object.entries(value).flatMap(([key, field]: [string, unknown]) => {
    if (typeof field !== 'object' || field === null || field instanceof Uint8Array) return [];
    if (isPayload(field)) return isEncrypted(field) ? [{ holder: value as Fields, key, payload: field }] : [];
    return encryptedIn(field);
  });
}

function isPayload(value: object): value is Payload {
  return 'metadata' in value && 'data' in value && value.data instanceof Uint8Array;
}

/** What `DefaultFailureConverter` put into the payload. */
function tellFailure(failure: Fields, attributes: Payload): void {
  const told: unknown = defaultPayloadConverter.fromPayload(attributes);
  if (typeof told !== 'object' || told === null) return;
  if ('message' in told && typeof told.message === 'string') failure['message'] = told.message;
  if ('stack_trace' in told && typeof told.stack_trace === 'string') failure['stackTrace'] = told.stack_trace;
}
