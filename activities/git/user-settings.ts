import path from 'node:path';
import { runGit } from './git-command.ts';

/** A setting of the user's git, and the file that has it. */
export interface UserSetting {
  /** In lower case, but for subsections. */
  key: string;
  value: string;
  file: string;
}

/** The user's settings whose keys match, in the order in which their git has them in a repository. One process. */
export async function userSettings(gitDir: string, keys: RegExp): Promise<UserSetting[]> {
  const { stdout } = await runGit(['config', '--null', '--show-origin', '--list'], {
    gitDir,
    configuration: 'user',
    config: { 'safe.directory': '*' },
  });
  const found: UserSetting[] = [];
  const fields = stdout.toString('utf8').split('\0');
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [origin = '', entry = ''] = fields.slice(at, at + 2);
    const [key = '', value = ''] = entry.split(/\n(.*)/s, 2);
    if (origin.startsWith('file:') && keys.test(key))
      found.push({ key, value, file: path.resolve(gitDir, origin.slice('file:'.length)) });
  }
  return found;
}
