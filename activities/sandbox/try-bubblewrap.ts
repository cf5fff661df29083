import { existsSync, mkdirSync, mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { headAndTail } from '../../core/failures.ts';
import { removeAll } from '../git/remove-tree.ts';
import { bubblewrapped, forwarded, type BubblewrapHost } from './bubblewrap.ts';

/** What bubblewrap does on this host. */
export interface BubblewrapProbe {
  /** `null`: it works; otherwise why it does not, in a few words. */
  problem: string | null;
  /** Can a step have a network of its own, without anything in it? */
  offline: boolean;
  /** Can such a step reach one socket of the host all the same? */
  forwarding: boolean;
}

/** What a step must and must not be able to do. Its arguments are a directory that is not its own, and a process outside. */
const TEST = 'echo 1 >inside && { ! echo 1 >"$1/outside"; } 2>/dev/null; test -e inside && test ! -e "/proc/$2/status"';

/** Tries bubblewrap for real: it may be there and not start, as in most containers. */
export async function tryBubblewrap(host: BubblewrapHost): Promise<BubblewrapProbe> {
  if (process.platform !== 'linux') return none('there is none for this system');
  const [online, offline, forwarding] = await Promise.all([
    attempt(host, false),
    attempt(host, true),
    attempt(host, true, (command) => forwarded({ port: 8790, socket: '/nowhere' }, command)),
  ]);
  if (online !== null) return none(online);
  return { problem: null, offline: offline === null, forwarding: forwarding === null };
}

/** What is known of it where it is not used. */
export function none(problem: string): BubblewrapProbe {
  return { problem, offline: false, forwarding: false };
}

/** @returns why it does not work, or `null` */
async function attempt(
  host: BubblewrapHost,
  offline: boolean,
  around: (command: string[]) => string[] = (command) => command,
): Promise<string | null> {
  // With others' temporary files, in what is hidden.
  const directory = realpathSync(mkdtempSync(path.join(tmpdir(), 'signalbox-bubblewrap-')));
  const workTree = path.join(directory, 'tree');
  try {
    mkdirSync(workTree, { mode: 0o700 });
    // No process inside has our number: there are two or three of them.
    const command = around(['/bin/sh', '-c', TEST, 'sh', directory, String(process.pid)]);
    const view = { workTree, writable: [], readable: [], offline };
    const [program = '', ...args] = bubblewrapped(host, view, command);
    const { failed, stderr, shortMessage, code } = await execa(program, args, {
      env: { PATH: host.searchPath ?? '/usr/bin:/bin' },
      extendEnv: false,
      stdin: 'ignore',
      timeout: 10_000,
      reject: false,
    });
    if (code === 'ENOENT') return 'it is not installed';
    if (failed) return headAndTail(stderr.trim() || (shortMessage ?? 'it does not start'), 300);
    if (!existsSync(path.join(workTree, 'inside'))) return 'what is written in it does not arrive';
    return existsSync(path.join(directory, 'outside')) ? 'it lets through what is written elsewhere' : null;
  } finally {
    removeAll(directory);
  }
}
