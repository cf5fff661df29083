import path from 'node:path';
import {
  DefaultFailureConverter,
  defaultPayloadConverter,
  type DataConverter,
  type LoadedDataConverter,
  type PayloadCodec,
} from '@temporalio/common';
import type { Home } from '../activities/home.ts';
import { packageRoot } from '../activities/package-root.ts';
import { EncryptionCodec } from '../activities/payloads/encryption-codec.ts';
import { PayloadKeys } from '../activities/payloads/payload-keys.ts';
import { RedactingCodec } from '../activities/payloads/redacting-codec.ts';
import type { Redactor } from '../activities/redaction/redactor.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** How everything that goes to Temporal is written: without secrets, and encrypted where there are keys. */
export interface DataConverters {
  /** Are messages of failures kept in payloads? Decided when the process starts. */
  encrypts: boolean;
  client: LoadedDataConverter;
  worker: DataConverter;
}

/** The module that has failures' messages encrypted; workflows are bundled with it. */
export function failureConverterPath(): string {
  return path.join(packageRoot(), 'workers', 'failure-converter.cjs');
}

/** @throws SignalboxError `environment` for keys that cannot be used */
export function dataConverters(home: Home, env: Env, redactor: Redactor): DataConverters {
  const keys = new PayloadKeys(home, env);
  const encrypts = keys.newest() !== null;
  // In the order of writing; they are read backwards.
  const payloadCodecs: PayloadCodec[] = [new RedactingCodec(redactor), new EncryptionCodec(keys)];
  return {
    encrypts,
    client: {
      payloadConverter: defaultPayloadConverter,
      failureConverter: new DefaultFailureConverter({ encodeCommonAttributes: encrypts }),
      payloadCodecs,
    },
    worker: { payloadCodecs, ...(encrypts ? { failureConverterPath: failureConverterPath() } : {}) },
  };
}
