import { homeOf } from '../activities/home.ts';
import { PayloadKeys } from '../activities/payloads/payload-keys.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** The keys of payloads, by their names. */
export interface PayloadKeyList {
  /** The file, or the variable, that they are in. */
  source: string;
  /** The oldest first; the last one encrypts. */
  ids: string[];
}

/** Makes a key. @throws SignalboxError `refused` where the environment gives the keys */
export function addPayloadKey(env: Env): PayloadKeyList & { added: string } {
  const keys = new PayloadKeys(homeOf(env), env);
  const added = keys.add(new Date());
  return { ...listPayloadKeys(env), added };
}

/** The keys that this host knows. */
export function listPayloadKeys(env: Env): PayloadKeyList {
  const keys = new PayloadKeys(homeOf(env), env);
  return { source: keys.source, ids: keys.all().map(({ id }) => id) };
}
