import type { google } from '@temporalio/proto';

/** Milliseconds since the epoch; 0 for a time that the server left out. */
export function toMilliseconds(time: google.protobuf.ITimestamp | null | undefined): number {
  return Number(time?.seconds ?? 0) * 1000 + Math.floor((time?.nanos ?? 0) / 1_000_000);
}
