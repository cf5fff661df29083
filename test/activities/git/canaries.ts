import { chmodSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { expect } from '@jest/globals';
import { gitReading, put } from './support.ts';

/** The hooks that git may run on its way. */
export const HOOKS = (
  'applypatch-msg commit-msg fsmonitor-watchman post-checkout post-commit post-index-change post-merge ' +
  'post-rewrite post-update pre-commit pre-merge-commit pre-push pre-receive prepare-commit-msg ' +
  'push-to-checkout reference-transaction update proc-receive post-receive sendemail-validate ' +
  'pre-auto-gc'
).split(' ');

/** Commands that an agent plants, each of which leaves a file where it is run. */
export class Canaries {
  readonly #root: string;
  readonly #directory: string;

  /** @param root a directory of the test, to which agents' settings lead git */
  constructor(root: string) {
    this.#root = root;
    this.#directory = path.join(root, 'canaries');
    mkdirSync(this.#directory);
  }

  /** The names of those that were run. */
  get woken(): string[] {
    return readdirSync(this.#directory).sort();
  }

  /** A shell command that shows that it was run. */
  command(name: string): string {
    return `touch '${path.join(this.#directory, name)}'; cat`;
  }

  /** A program that shows that it was run. */
  script(file: string, name: string): void {
    put(path.dirname(file), { [path.basename(file)]: `#!/bin/sh\n${this.command(name)} </dev/null\n` });
    chmodSync(file, 0o755);
  }

  /** Configuration that makes an unwary git run commands. */
  poison(gitDir: string, name: string): string {
    const canary = (of: string): string => this.command(`${name}-${of}`);
    for (const hook of HOOKS) this.script(path.join(gitDir, 'hooks', hook), `${name}-${hook}`);
    for (const program of ['url', 'gpg']) this.script(path.join(gitDir, `${program}.sh`), `${name}-${program}`);
    const settings = [
      `[core]\n\tfsmonitor = "${canary('fsmonitor')}"\n\thooksPath = ${gitDir}/hooks`,
      `\tsshCommand = "${canary('ssh')}"\n\tpager = "${canary('pager')}"\n\teditor = "${canary('editor')}"`,
      `\talternateRefsCommand = "${canary('refs')}"\n\tattributesFile = ${gitDir}/evil-attributes`,
      `[filter "evil"]\n\tclean = "${canary('clean')}"\n\tsmudge = "${canary('smudge')}"\n\trequired = true`,
      `[filter "worse"]\n\tprocess = "${canary('process')}"`,
      `[diff]\n\texternal = "${canary('external')}"`,
      `[diff "evil"]\n\ttextconv = "${canary('textconv')}"\n\tcommand = "${canary('diff')}"`,
      `[merge "evil"]\n\tdriver = "${canary('driver')}"`,
      // Whoever misses an object would fetch it from there, by ssh.
      `[remote "far"]\n\turl = ssh://127.0.0.1/far.git\n\tpromisor = true\n[remote]\n\tpushDefault = far`,
      `[uploadpack]\n\tpackObjectsHook = "${canary('pack')}"`,
      `[url "ext::sh ${gitDir}/url.sh "]\n\tinsteadOf = ${this.#root}\n\tpushInsteadOf = ${this.#root}`,
      `[protocol "ext"]\n\tallow = always\n[trailer "x"]\n\tcommand = "${canary('trailer')}"`,
      `[gpg]\n\tprogram = ${gitDir}/gpg.sh\n[commit]\n\tgpgSign = true\n[credential]\n\thelper = "!${canary('cred')}"`,
    ].join('\n');
    put(gitDir, {
      'evil-attributes': '* filter=evil diff=evil merge=evil\n',
      'info/attributes': '* filter=evil diff=evil merge=evil\n',
    });
    return `${settings}\n`;
  }

  /**
   * Sees to it that a careless git runs what is planted in a repository, which it leaves as it was. After that, nothing has
   * been run.
   */
  expectToFire(directory: string, name: string, commands = [['status'], ['diff']]): void {
    careless(directory, ...commands.map((command) => ['--no-optional-locks', ...command]));
    expect(this.woken).toContain(name);
    rmSync(this.#directory, { recursive: true });
    mkdirSync(this.#directory);
  }
}

/** Runs git as somebody does who is not on their guard; what it says, and whether it fails, is of no interest. */
export function careless(directory: string, ...commands: string[][]): void {
  for (const command of commands) carelessReading(directory, '', ...command);
}

/** Like {@link careless}, with something on the standard input. */
export function carelessReading(directory: string, input: string, ...command: string[]): void {
  try {
    gitReading(directory, input, { GIT_TERMINAL_PROMPT: '0' }, ...command);
  } catch {
    // It ran what it ran.
  }
}
