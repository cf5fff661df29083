import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import type { Place } from './place.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** The product's own command line, as a user would call it. */
export class Signalbox {
  readonly #program: string;
  readonly #env: Env;

  constructor(place: Place, env: Env) {
    this.#program = join(place.root, 'cli/signalbox.js');
    this.#env = env;
  }

  /** Runs a command on the terminal. Returns its exit code. */
  async show(...args: string[]): Promise<number> {
    const { exitCode } = await this.#run(args, 'inherit', 'inherit');
    return exitCode ?? 1;
  }

  /** The result of a command; undefined when it failed. What it says beside that is not shown. */
  async ask<Schema extends z.ZodType>(schema: Schema, ...args: string[]): Promise<z.infer<Schema> | undefined> {
    const { stdout } = await this.#run([...args, '-o', 'json'], 'pipe', 'ignore');
    const answer = z.object({ ok: z.literal(true), result: z.unknown() }).safeParse(parseJson(stdout)).data;
    return schema.safeParse(answer?.result).data;
  }

  #run(args: string[], stdout: 'inherit' | 'pipe', stderr: 'inherit' | 'ignore') {
    return execa(process.execPath, [this.#program, ...args], {
      env: this.#env,
      stdin: 'ignore',
      stdout,
      stderr,
      reject: false,
    });
  }
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
