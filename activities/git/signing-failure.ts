import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { headAndTail, SignalboxError } from '../../core/failures.ts';
import { identityText, type Identity } from '../../core/identity.ts';
import type { Signer } from './signed-commit.ts';

/** What the programs say when somebody would have to type a passphrase or a PIN. */
const WANTS_A_PERSON = /ioctl for device|pinentry|passphrase|cancelled|agent refused|timeout|not unlocked|\bPIN\b/i;

/** The failure for what a program said that could not sign. */
export function signingFailure(said: string, cause: unknown): SignalboxError {
  const lines = said
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('[GNUPG:]'))
    .map((line) => line.trim())
    .join('; ');
  const locked = WANTS_A_PERSON.test(said);
  const why = locked ? 'its key waits for somebody to unlock it' : 'git could not sign it';
  const hint = locked
    ? 'Unlock it where the worker runs (ssh-add, or sign anything once with gpg), or set merge.sign: off.'
    : 'See whether "git commit -S" works there, or set merge.sign: off.';
  return new SignalboxError('environment', `a commit cannot be signed: ${why} (${headAndTail(lines, 400)})`, {
    hint,
    retryable: locked,
    cause,
  });
}

/**
 * What GnuPG says when it is asked to sign, which git before 2.42 keeps to itself.
 *
 * @param said what git said
 * @param who whose key git asked for where none is configured
 */
export async function askForReason(said: string, { config, env }: Signer, who: Identity): Promise<string> {
  if (!said.includes('gpg failed to sign') || config['gpg.format'] === 'ssh' || /^gpg(?:sm)?: /m.test(said))
    return said;
  const x509 = config['gpg.format'] === 'x509';
  const program = x509
    ? (config['gpg.x509.program'] ?? 'gpgsm')
    : (config['gpg.openpgp.program'] ?? config['gpg.program'] ?? 'gpg');
  const key = config['user.signingkey'] ?? identityText(who);
  const asked = spawn(program, ['--status-fd=2', '-bsau', key], {
    cwd: '/',
    env: { ...env, PATH: process.env['PATH'], LC_ALL: 'C' },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
    timeout: 10_000,
  });
  let reason = said;
  asked.stderr.on('data', (chunk: Buffer) => (reason = headAndTail(reason + chunk.toString('utf8'))));
  asked.once('error', (error) => (reason += error.message));
  await once(asked, 'close').catch(() => undefined);
  return reason;
}
