import { SignalboxError } from '../../core/failures.ts';
import type { RunManifest } from '../../core/run-manifest.ts';
import type { Redactor } from '../../activities/redaction/redactor.ts';

/**
 * What a run is pinned to, without secrets: texts for agents and people are cleaned; a setting or a command that holds one
 * cannot work without it, and would be stored with it.
 *
 * @throws SignalboxError `config` or `task_files` that names the place, not the secret
 */
export function cleanManifest(manifest: RunManifest, redactor: Redactor): RunManifest {
  // What secrets look like is no secret, though it may look like one.
  refuseSecrets({ ...manifest.config, redact: null }, 'the configuration', 'config', redactor);
  const tasks = manifest.tasks.map((task) => {
    const { verify, agent, ...texts } = task.manifest;
    refuseSecrets({ verify, agent }, task.file, 'task_files', redactor);
    return { ...task, body: redactor.text(task.body), manifest: { ...redactor.value(texts), verify, agent } };
  });
  return { ...manifest, tasks, prompts: redactor.value(manifest.prompts) };
}

function refuseSecrets(value: object, what: string, code: 'config' | 'task_files', redactor: Redactor): void {
  const place = placeOfSecret(value, redactor);
  if (place === null) return;
  throw new SignalboxError(code, `${what} holds a secret at ${place.join('.')}`, {
    hint: 'Name its variable in sandbox.env and let the command read it, or make it a secret input of the task.',
  });
}

function placeOfSecret(value: unknown, redactor: Redactor): string[] | null {
  if (typeof value === 'string') return redactor.text(value) === value ? null : [];
  if (typeof value !== 'object' || value === null) return null;
  for (const [key, field] of Object.entries(value)) {
    const place = placeOfSecret(field, redactor);
    if (place !== null) return [key, ...place];
  }
  return null;
}
