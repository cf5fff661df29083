import { mergeSettings, type Config } from './config.ts';
import type { Manifest } from './task-file.ts';

/** What Codex itself writes into commits of its own. */
const CODEX = 'Codex <noreply@openai.com>';

/** Whom the commit that merges a task names as co-author, as `Name <email>`; `null` for nobody. */
export function coAuthorOf(config: Config, { agent }: Pick<Manifest, 'agent'>): string | null {
  const { co_author: coAuthor } = mergeSettings(config);
  if (typeof coAuthor === 'string') return coAuthor;
  return coAuthor && (agent.provider ?? config.agent.provider) === 'codex' ? CODEX : null;
}
