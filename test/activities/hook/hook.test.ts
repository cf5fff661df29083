import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CommandHook } from '../../../activities/hook/command-hook.ts';
import { createHook } from '../../../activities/hook/create-hook.ts';
import { hookMessage, type HookMessage } from '../../../activities/hook/hook.ts';
import { UrlHook } from '../../../activities/hook/url-hook.ts';
import { SignalboxError } from '../../../core/failures.ts';
import type { PersonWait } from '../../../core/person.ts';
import { until } from '../../support/until.ts';

const WAIT: PersonWait = {
  kind: 'merge',
  id: 2,
  question: 'May it be merged?',
  since: 0,
  deadline: Date.parse('2026-11-21T12:00:00Z'),
  report: 3,
  inputs: [],
};
const RUN = {
  project: 'shop',
  run: 'r1',
  repository: { id: 'abc', path: '/repo', branch: 'main', host: 'h' },
  manifest: { sha256: '00', bytes: 2 },
};
const MESSAGE: HookMessage = hookMessage({ run: RUN, task: '003', name: 'add-login', wait: WAIT }, 'http://ui/1');
const never = new AbortController().signal;

async function failureOf(call: Promise<void>): Promise<SignalboxError> {
  const error = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof SignalboxError)) throw new SignalboxError('internal', `no failure of ours: ${String(error)}`);
  return error;
}

describe('the message of a hook', () => {
  it('says who waits for what, until when, and what to type', () => {
    expect(MESSAGE).toEqual({
      event: 'waiting',
      project: 'shop',
      run: 'r1',
      task: '003',
      name: 'add-login',
      wait: 2,
      kind: 'merge',
      question: 'May it be merged?',
      deadline: '2026-11-21T12:00:00.000Z',
      commands: [
        'signalbox task approve 003 --run r1',
        'signalbox task retry 003 --with "…" --run r1',
        'signalbox task reject 003 --reason "…" --run r1',
      ],
      web_ui: 'http://ui/1',
    });
  });
});

describe('createHook', () => {
  it('takes a URL, a command or nothing, and refuses a broken URL without repeating it', () => {
    expect(createHook({}, () => undefined)).toBeNull();
    expect(createHook({ SIGNALBOX_HOOK: ' ' }, () => undefined)).toBeNull();
    expect(createHook({ SIGNALBOX_HOOK: 'https://example.org/x' }, () => undefined)).toBeInstanceOf(UrlHook);
    expect(createHook({ SIGNALBOX_HOOK: 'notify-send https://' }, () => undefined)).toBeInstanceOf(CommandHook);
    const broken = () => createHook({ SIGNALBOX_HOOK: 'http://[s3cret' }, () => undefined);
    expect(broken).toThrow('SIGNALBOX_HOOK begins like a URL, but is none');
    expect(broken).not.toThrow('s3cret');
  });
});

describe('a command as hook', () => {
  let directory: string;
  const said: string[] = [];
  const hook = (command: string, limitMs?: number) =>
    new CommandHook({
      command,
      env: { PATH: process.env['PATH'], OUT: directory },
      onOutput: (text) => said.push(text),
      ...(limitMs === undefined ? {} : { limitMs }),
    });

  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'signalbox-hook-'));
    said.length = 0;
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('finds the message on its standard input', async () => {
    await hook('cat > "$OUT/message.json"').call(MESSAGE, never);
    expect(JSON.parse(readFileSync(path.join(directory, 'message.json'), 'utf8'))).toEqual(MESSAGE);
    expect(said).toEqual([]);
  });

  it('is not to be seen in the arguments of the shell that runs it', async () => {
    await hook('ps -o args= -p $$ > "$OUT/seen"; : s3cret').call(MESSAGE, never);
    const seen = readFileSync(path.join(directory, 'seen'), 'utf8');
    expect(seen).toContain('sh -c');
    expect(seen).not.toContain('s3cret');
  });

  it('that reads nothing and prints much succeeds', async () => {
    await hook('head -c 3000000 /dev/zero').call(MESSAGE, never);
  });

  it('that fails is worth another try; the log is told what it said, bounded, and the failure is not', async () => {
    const failure = await failureOf(hook('yes s3cret | head -c 100000; exit 3').call(MESSAGE, never));
    expect(failure.retryable).toBe(true);
    expect(failure.message).toContain('exit code 3');
    expect(failure.message).not.toContain('s3cret');
    expect(said).toHaveLength(1);
    expect(said[0]).toContain('s3cret');
    expect(said[0]?.length).toBeLessThan(5000);
  });

  it('that does not exist is not tried again', async () => {
    const failure = await failureOf(hook('/no/such/command').call(MESSAGE, never));
    expect(failure.retryable).toBe(false);
  });

  it('that takes too long is killed with all that it started', async () => {
    const failure = await failureOf(hook('sleep 600 & echo $! > "$OUT/pid"; wait', 1000).call(MESSAGE, never));
    expect(failure.message).toContain('took longer than 1 s');
    const pid = Number(readFileSync(path.join(directory, 'pid'), 'utf8'));
    await until(() => !isAlive(pid));
  });

  it('is killed when the activity is cancelled', async () => {
    const cancel = new AbortController();
    const call = hook('echo started > "$OUT/started"; sleep 600').call(MESSAGE, cancel.signal);
    const failure = call.then(
      () => 'none',
      (error: unknown) => error,
    );
    await until(() => {
      try {
        return readFileSync(path.join(directory, 'started'), 'utf8') !== '';
      } catch {
        return false;
      }
    });
    cancel.abort(new SignalboxError('internal', 'cancelled'));
    expect(await failure).toMatchObject({ message: 'cancelled' });
  });
});

describe('a URL as hook', () => {
  let server: Server;
  let address: string;
  let status = 200;
  const requests: { method: string; url: string; headers: IncomingHttpHeaders; body: string }[] = [];

  beforeEach(async () => {
    status = 200;
    requests.length = 0;
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
        if (status === 0) return;
        response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end('thanks');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('gets the message as the body of a POST, with the credentials of the URL as a header', async () => {
    await new UrlHook(`http://ada:pass%20word@${address}/hooks/1?x=2`).call(MESSAGE, never);
    expect(requests).toHaveLength(1);
    const [request] = requests;
    expect(request).toMatchObject({ method: 'POST', url: '/hooks/1?x=2' });
    expect(JSON.parse(request?.body ?? '')).toEqual(MESSAGE);
    expect(request?.headers['content-type']).toBe('application/json');
    expect(request?.headers.authorization).toBe(`Basic ${Buffer.from('ada:pass word').toString('base64')}`);
  });

  it.each([
    [400, false],
    [404, false],
    [408, true],
    [429, true],
    [302, false],
    [500, true],
    [503, true],
  ])('that answers %d is worth another try: %p', async (answer, retryable) => {
    status = answer;
    const failure = await failureOf(new UrlHook(`http://${address}/s3cret`).call(MESSAGE, never));
    expect(failure.retryable).toBe(retryable);
    expect(failure.message).toBe(`the hook at ${address} answered ${answer}`);
    expect(requests).toHaveLength(1);
  });

  it('that is not there, or does not answer, is worth another try', async () => {
    status = 0;
    const silent = await failureOf(new UrlHook(`http://${address}/s3cret`, 200).call(MESSAGE, never));
    expect(silent).toMatchObject({ retryable: true, message: `the hook at ${address} did not answer within 0.2 s` });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const gone = await failureOf(new UrlHook(`http://${address}/s3cret`).call(MESSAGE, never));
    expect(gone).toMatchObject({
      retryable: true,
      message: `the hook at ${address} could not be reached (ECONNREFUSED)`,
    });
    server = createServer().listen(0);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\S+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
