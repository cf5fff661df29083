import { runCli } from './run-cli.ts';

/** The command line as a process: signals, streams and the exit code. */
export async function main(): Promise<void> {
  const interrupt = new AbortController();
  // The first Ctrl+C is a wish, the second an order.
  process.on('SIGINT', () => {
    if (interrupt.signal.aborted) process.exit(130);
    interrupt.abort();
  });
  process.on('SIGTERM', () => interrupt.abort());
  // A reader such as `head` may leave early; that is no failure of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  // There is nobody left to tell, and a worker whose log is on a full disk has better to do than to die of it.
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
  });
  const code = await runCli(process.argv.slice(2), {
    directory: process.cwd(),
    env: process.env,
    stdin: { stream: process.stdin, isTerminal: process.stdin.isTTY },
    stdout: { stream: process.stdout, isTerminal: process.stdout.isTTY },
    stderr: { stream: process.stderr, isTerminal: process.stderr.isTTY },
    interrupted: interrupt.signal,
  });
  // Connections that are still being closed must not hold the process.
  await Promise.all(
    [process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))),
  );
  process.exit(code);
}
