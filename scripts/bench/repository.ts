import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runGit } from '../../activities/git/git-command.ts';

/** One task of a bench run. */
export interface BenchTask {
  id: string;
  /** Its doctor, if not the configuration's. */
  doctor?: string;
}

/** So many tasks, with names that sort. */
export function benchTasks(count: number, doctor?: (index: number) => string): BenchTask[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `t${String(index + 1).padStart(4, '0')}`,
    ...(doctor === undefined ? {} : { doctor: doctor(index) }),
  }));
}

/** What an agent prints first where that is wanted: the time. */
export const TELLS_TIME = 'date +%s.%N';

const AGENT = 'mkdir -p out && printf "%s\\n" "$SIGNALBOX_RUN_ID" > "out/$SIGNALBOX_TASK_ID.txt"';

/** A user's repository whose agent writes one file for each task. Its checks prove nothing and cost nothing. */
export class BenchRepository {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /**
   * @param files how many files it has, each of `bytes` bytes that no compression makes much smaller
   * @param settings lines of its configuration
   * @param first what its agent does first
   */
  static async create(
    directory: string,
    project: string,
    files: number,
    bytes: number,
    settings: readonly string[] = ['checks: { doctor: "true", integration: "true" }'],
    first: string | null = null,
  ): Promise<BenchRepository> {
    mkdirSync(directory, { recursive: true });
    const repository = new BenchRepository(directory);
    await repository.#git('init', '--quiet', '--initial-branch=main');
    await repository.#git('config', 'user.name', 'Bench');
    await repository.#git('config', 'user.email', 'bench@localhost');
    for (let index = 0; index < files; index += 1) {
      repository.#write(`src/part-${Math.floor(index / 50)}/file-${index}.txt`, textOf(index, bytes));
    }
    const config = [
      'version: 1',
      `project: ${project}`,
      `agent: { provider: command, command: ${JSON.stringify([first, AGENT].filter((part) => part !== null).join('; '))} }`,
      ...settings,
      'sandbox: { backend: local }',
    ];
    repository.#write('.signalbox/config.yaml', `${config.join('\n')}\n`);
    await repository.#commit('Begin');
    return repository;
  }

  /** Replaces the task files. */
  async setTasks(tasks: readonly BenchTask[]): Promise<void> {
    rmSync(path.join(this.directory, '.signalbox/tasks'), { recursive: true, force: true });
    for (const { id, doctor } of tasks) {
      const manifest = [
        `id: "${id}"`,
        `files: { writes: ["out/${id}.txt"] }`,
        ...(doctor === undefined ? [] : [`verify: { doctor: ${JSON.stringify(doctor)} }`]),
      ];
      this.#write(`.signalbox/tasks/${id}-write.md`, `---\n${manifest.join('\n')}\n---\nWrite your file.\n`);
    }
    await this.#commit(`Ask for ${tasks.length} tasks`);
  }

  async #commit(message: string): Promise<void> {
    await this.#git('add', '--all');
    await this.#git('commit', '--quiet', '--allow-empty', '--message', message);
  }

  #write(file: string, text: string): void {
    const target = path.join(this.directory, file);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, text);
  }

  async #git(...args: string[]): Promise<void> {
    await runGit(args, { cwd: this.directory });
  }
}

/** Text of a size, the same for the same number. */
function textOf(seed: number, bytes: number): string {
  const lines: string[] = [];
  for (let size = 0, line = 0; size < bytes; line += 1) {
    const text = createHash('sha256').update(`${seed}/${line}`).digest('base64url');
    lines.push(text);
    size += text.length + 1;
  }
  return `${lines.join('\n').slice(0, Math.max(0, bytes - 1))}\n`;
}
