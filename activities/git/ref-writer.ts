import { startGit } from './git-command.ts';
import { LineProcess } from './line-process.ts';

const ZERO = '0'.repeat(40);

/**
 * Moves the refs of one repository by native git, all by one process for as long as there is work. Git holds its locks
 * only within a transaction, and gives them up when its input ends, so a worker that is killed leaves none behind.
 */
export class RefWriter {
  readonly #git: LineProcess;

  constructor(gitDir: string) {
    // It ends at the first update that it refuses.
    this.#git = new LineProcess(() => startGit(['update-ref', '--stdin'], { gitDir }), 'git update-ref');
  }

  /**
   * Makes a ref point to a commit, if it is at `expected` (`null`: it must not exist).
   *
   * @throws CommandFailedError if it is elsewhere, or locked, or not writable
   */
  async move(name: string, commit: string, expected: string | null): Promise<void> {
    const update = `start\nupdate ${name} ${commit} ${expected ?? ZERO}\ncommit\n`;
    await this.#git.ask(update, [(line) => line === 'start: ok', (line) => line === 'commit: ok']);
  }
}
