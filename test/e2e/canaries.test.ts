import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Worker } from '@temporalio/worker';
import Docker from 'dockerode';
import type { Client } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import * as z from 'zod';
import { homeOf } from '../../activities/home.ts';
import { Redactor } from '../../activities/redaction/redactor.ts';
import { isEncrypted } from '../../activities/payloads/encryption-codec.ts';
import type { RunDescription } from '../../core/description.ts';
import { runWorkflowId } from '../../core/ids.ts';
import { startCodecEndpoint } from '../../workers/codec-endpoint.ts';
import { dataConverters } from '../../workers/data-converters.ts';
import { workflowBundle } from '../../workers/workflow-bundle.ts';
import { quietRuntime } from '../support/quiet-runtime.ts';
import { gatewayStatus } from '../../workers/gateway-process.ts';
import { freePort } from '../../workers/server/ports.ts';
import { openSession, type Session } from '../../workers/session.ts';
import { readHistory } from '../../workers/runs/decoded-history.ts';
import { GITHUB_TOKEN, PRIVATE_KEY, SHAPES } from '../support/canaries.ts';
import { CliWorld, type CliResult } from '../support/cli.ts';
import { describeWithDocker } from '../support/docker.ts';
import { EngineWatch } from '../support/engine-watch.ts';
import { removePins } from '../support/image-bench.ts';
import { listenersOf } from '../support/listeners.ts';
import { contentsBelow, found, needlesOf, openToOthers, textOf } from '../support/leftovers.ts';
import { until } from '../support/until.ts';

const PATIENCE = 240_000;

/** In the worker's environment; steps get the last one only. */
const ENVIRONMENT = {
  ACME_API_KEY: 'Zt7+kq/9wLmP2x"vB4nR8c\\JdF6',
  UNREMARKABLE: 'plain words, which only the configuration calls secret',
  DATABASE_URL: 'postgres://app:p%C3%A4ss-Q8w3E5r7@db.example.org/app',
  OPENAI_API_KEY: SHAPES['another model’s key'] ?? '',
  FORWARDED_TOKEN: 'fwd_H3k9Lm2Qp7Vx4Zb8Nc6Tr1Ys5Wd0',
};
const KNOWN = [
  ENVIRONMENT.ACME_API_KEY,
  ENVIRONMENT.UNREMARKABLE,
  'p%C3%A4ss-Q8w3E5r7',
  'päss-Q8w3E5r7',
  ENVIRONMENT.OPENAI_API_KEY,
  ENVIRONMENT.FORWARDED_TOKEN,
];
/** Nobody told of these: they are in files, and in the text of a task. */
const UNKNOWN = Object.values(SHAPES);
const PATTERN = 'acme-internal-4711-0815';

/**
 * What is in a step's way is printed raw, encoded, in two pieces, in an event, and on both streams; and is an argument of a
 * process that fails, and says with what.
 */
const SPILL = `
spill() {
  cat -- "no such file: $1"; sh -c 'exit 5' sh "--token=$1"
  printf '%s\\n' "$1"; printf '%s\\n' "$1" >&2
  printf '%s' "$1" | base64 | tr -d '\\n'; echo
  printf 'user:%s' "$1" | base64 | tr -d '\\n'; echo
  printf '%.9s' "$1"; case $1 in fwd*|ghp*) sleep 0.05 ;; esac; printf '%s\\n' "\${1#?????????}"
  printf '{"type":"item.completed","item":{"id":"m","type":"agent_message","text":"it is %s"}}\\n' \\
    "$(printf %s "$1" | sed 's/[\\\\"]/\\\\&/g')"
}
encode() {
  printf %s "$1" | od -An -tx1 | tr -d ' \\n'; echo
  printf %s "$1" | od -An -tx1 | tr -d '\\n' | tr ' ' '%'; echo
  printf %s "$1" | base64; printf 'xy%s' "$1" | base64
}
`;

interface Setting {
  backend: 'local' | 'docker';
  encrypted: boolean;
}

/** A run in which everything spills, and what it leaves. */
function leavesNothing({ backend, encrypted }: Setting): void {
  let world: CliWorld;
  let session: Session;
  let planted: string;
  let run: RunDescription;
  let serverPid: number;
  const said: string[] = [];
  let engine: EngineWatch | null = null;

  const signalbox = async (...argv: string[]): Promise<CliResult> => {
    const result = await world.signalbox(...argv);
    said.push(result.stdout, result.stderr);
    return result;
  };

  beforeAll(async () => {
    world = new CliWorld().init();
    Object.assign(world.env, ENVIRONMENT);
    planted = path.join(world.root, 'planted');
    mkdirSync(planted);
    KNOWN.forEach((secret, index) => writeFileSync(path.join(planted, `known-${index}`), secret));
    [...UNKNOWN, PATTERN].forEach((secret, index) => writeFileSync(path.join(planted, `file-${index}`), secret));
    writeFileSync(path.join(planted, 'id_rsa'), PRIVATE_KEY);
    // What has a shape of its own is printed in containers too, where no planted file is: put together from halves.
    const halves = UNKNOWN.map((secret) => `spill "${secret.slice(0, 12)}""${secret.slice(12)}"`).join('\n');
    world.write(
      'spill.sh',
      `${SPILL}
spill "$FORWARDED_TOKEN"; encode "$FORWARDED_TOKEN"
${halves}
for file in ${planted}/known-* ${planted}/file-*; do test -e "$file" && spill "$(cat "$file")"; done
for file in ${planted}/known-*; do test -e "$file" && encode "$(cat "$file")"; done
test -e ${planted}/id_rsa && { cat ${planted}/id_rsa; cat ${planted}/id_rsa >&2; }
env
true\n`,
    );
    world.write(
      'agent.sh',
      `cat; . ./spill.sh
case $SIGNALBOX_TASK_ID/$SIGNALBOX_ATTEMPT in
  001/1) . ./spill.sh >&2; exit 7 ;;
  002/1) if test "$SIGNALBOX_TURN" = 1; then
      mkdir -p .signalbox; echo "Is it $FORWARDED_TOKEN, or ${GITHUB_TOKEN.slice(0, 9)}""${GITHUB_TOKEN.slice(9)}?" > .signalbox/question.md
    fi ;;
esac
echo "$SIGNALBOX_ATTEMPT" > "$SIGNALBOX_TASK_ID.txt"\n`,
    );
    world.write(
      'check.sh',
      `. ./spill.sh; case $SIGNALBOX_TASK_ID/$SIGNALBOX_ATTEMPT in 001/2) exit 3 ;; esac; true\n`,
    );
    world.config(
      [
        'agent: { provider: command, command: sh agent.sh "$FORWARDED_TOKEN" }',
        'checks: { doctor: sh check.sh "$FORWARDED_TOKEN" }',
        'sandbox: { env: [FORWARDED_TOKEN], bubblewrap: off }',
        `redact: { names: [UNREMARKABLE], patterns: ["acme-internal-[0-9-]+"] }\n`,
      ].join('\n'),
    );
    world.commit('scripts');
    world.task('001', 'files: { writes: [001.txt] }');
    world.task('002', `description: Bring marmalade, with ${GITHUB_TOKEN}\nfiles: { writes: [002.txt] }`);
    world.env['SIGNALBOX_HOOK'] = `cat >> ${world.root}/hook.jsonl; echo "$ACME_API_KEY"; exit 1`;
    if (backend === 'docker') engine = await EngineWatch.start(world.home);
    if (encrypted) await signalbox('key', 'add');
    const started = await signalbox('server', 'start', '--detach', '-o', 'json');
    serverPid = z.object({ pid: z.number() }).parse(started.json?.result).pid;
    const { env, repository: directory } = world;
    session = await openSession({ directory, env, startServer: false, onProgress: () => undefined });
    const start = ['run', 'start', '--run-id', 'spilt', '--backend', backend, '-o', 'json'];
    expect((await signalbox(...start)).code).toBe(4);
    // What began under the first key goes on under another.
    if (encrypted) await signalbox('key', 'add');
    // A hook that was not called before the answer is not called any more.
    await until(() => existsSync(path.join(world.root, 'hook.jsonl')));
    await signalbox('task', 'describe', '002');
    await signalbox('task', 'answer', '002', `Neither: ${ENVIRONMENT.ACME_API_KEY} and ${GITHUB_TOKEN}`);
    const done = await signalbox('run', 'watch', '-o', 'json');
    run = done.json?.result as RunDescription;
    for (const task of ['001', '002']) {
      await signalbox('task', 'describe', task);
      await signalbox('task', 'logs', task);
    }
  }, PATIENCE);

  afterAll(async () => {
    engine?.stop();
    await session.close();
    world.killWorkers();
    await world.signalbox('server', 'stop');
    await removePins(world.home);
    world.remove();
  });

  const needles = (): string[] => [
    ...KNOWN.flatMap(needlesOf),
    ...UNKNOWN.flatMap((secret) =>
      needlesOf(secret).filter((text) => text !== Buffer.from(secret.slice(3, -3)).toString('hex')),
    ),
    PATTERN,
    ...PRIVATE_KEY.split('\n').filter((line) => line !== '' && !line.startsWith('-----')),
  ];

  test('does its work all the same', () => {
    const { tasks, status } = run;
    expect([status, tasks['001']?.attempts, tasks['002']?.attempts]).toEqual(['completed', 3, 1]);
    const steps = path.join(world.home, 'steps');
    const output = readFileSync(path.join(steps, 'demo..spilt..001..1..turn-1', 'stdout'), 'utf8');
    expect(output.match(/\*\*\*/g)?.length).toBeGreaterThan(30);
  });

  test('leaves none of the secrets in its home, the server’s database included, nor in the repository', () => {
    const places = [world.home, world.repository].flatMap((place) => [
      ...contentsBelow(place, [path.join(world.repository, '.signalbox', 'tasks')]),
    ]);
    expect(places.length).toBeGreaterThan(50);
    expect(places.some(([name]) => name.includes('.db'))).toBe(true);
    // The search finds what is there.
    expect(found(['it is ***'], places).length).toBeGreaterThan(5);
    expect(found([...needles(), 'sbx1.'], places)).toEqual([]);
  });

  test('leaves none in the histories, as they are when they are decoded', async () => {
    const histories: [string, Buffer][] = [];
    for await (const { workflowId, runId } of session.client.workflow.list()) {
      const events = await readHistory(session.client, workflowId, runId);
      const text = textOf(events);
      histories.push([workflowId, Buffer.from(text)], [workflowId, Buffer.from(text.replaceAll('\\', ''))]);
    }
    const all = Buffer.concat(histories.map(([, text]) => text)).toString();
    expect(all).toContain('***');
    expect(all).toContain('it is ***');
    expect(found(needles(), histories)).toEqual([]);
  });

  test('tells none to people, hooks and logs', () => {
    const hook = path.join(world.root, 'hook.jsonl');
    expect(existsSync(hook)).toBe(true);
    expect(
      found(needles(), [
        ['hook', readFileSync(hook)],
        ['the command line', Buffer.from(said.join('\n'))],
      ]),
    ).toEqual([]);
    expect(said.join('\n')).toContain('Is it ***, or ***?');
  });

  if (backend === 'docker') {
    test('tells the engine none, but in the environment of steps what the configuration gives them', async () => {
      const given = needlesOf(ENVIRONMENT.FORWARDED_TOKEN);
      const containers = (await engine?.inspected()) ?? [];
      const asFile = (container: object): [string, Buffer] => ['container', Buffer.from(JSON.stringify(container))];
      const others = needles().filter((needle) => !given.includes(needle));
      expect(containers.length).toBeGreaterThanOrEqual(8);
      expect(found(others, containers.map(asFile))).toEqual([]);
      const withoutEnv = containers.map(({ Config, ...rest }) => ({ ...rest, Config: { ...Config, Env: [] } }));
      expect(found(given, withoutEnv.map(asFile))).toEqual([]);
      expect(found(given, containers.map(asFile))).not.toEqual([]);
    });

    test('leaves no container, with a log of its own', async () => {
      const filters = { label: [`signalbox.home=${world.home}`] };
      expect(await new Docker().listContainers({ all: true, filters })).toEqual([]);
    });
  }
  test('keeps all files from others, and listens to this machine only', async () => {
    expect(openToOthers(world.home)).toEqual([]);
    const pids = [...world.workerPids, serverPid, ...(await gatewayPids(world.home))];
    expect(pids.length).toBeGreaterThanOrEqual(backend === 'docker' ? 3 : 2);
    const addresses = pids.flatMap(listenersOf).map((listener) => listener.replace(/:\d+$/, ''));
    expect([...new Set(addresses)]).toEqual(['127.0.0.1']);
  });

  // Where steps run changes nothing of this.
  if (encrypted && backend === 'local') {
    test('is replayed from its encrypted histories', async () => {
      quietRuntime();
      const { worker: dataConverter } = dataConverters(homeOf(world.env), world.env, new Redactor());
      const bundle = await workflowBundle(process.env, { encrypts: true });
      const types = new Set<string>();
      for await (const { workflowId, runId, type } of session.client.workflow.list()) {
        const history = await session.client.workflow.getHandle(workflowId, runId).fetchHistory();
        await Worker.runReplayHistory({ workflowBundle: bundle, dataConverter, replayName: type }, history, workflowId);
        types.add(type);
      }
      expect([...types].sort()).toEqual(['repository', 'run', 'task', 'train']);
    });

    test('is shown by the Web UI, which asks the endpoint of this host, under both keys', async () => {
      const { env } = world;
      const endpoint = await startCodecEndpoint({
        env,
        port: await freePort(),
        origins: [],
        onProgress: () => undefined,
      });
      try {
        const payloads = (await rawPayloads(session.client)).filter(isEncrypted);
        const keyIds = payloads.map(({ metadata }) => Buffer.from(metadata?.['encryption-key-id'] ?? []).toString());
        expect(new Set(keyIds).size).toBe(2);
        const ask = (origin: string): Promise<Response> =>
          fetch(`${endpoint.url}/decode`, {
            method: 'POST',
            headers: { origin, 'content-type': 'application/json' },
            body: JSON.stringify({ payloads: payloads.map(asJson) }),
          });
        const answer = z.object({ payloads: z.array(z.object({ data: z.string() })) });
        const told = answer.parse(await (await ask(endpoint.origins[0] ?? '')).json()).payloads;
        expect(told.map(({ data }) => Buffer.from(data, 'base64').toString()).join('\n')).toContain(
          'Is it ***, or ***?',
        );
        expect((await ask('http://127.0.0.1:1')).status).toBe(403);
      } finally {
        await endpoint.close();
      }
    });
  }

  test(`its database ${encrypted ? 'says nothing' : 'tells'} what the run is about`, () => {
    const files = [...contentsBelow(path.join(world.home, 'server'))];
    const texts = ['marmalade', 'Is it ***', 'Neither: ***', 'exit code 7', 'ended with exit code 3'];
    for (const text of texts) expect([text, found([text], files).length > 0]).toEqual([text, !encrypted]);
  });
}

async function rawPayloads(client: Client): Promise<Payload[]> {
  const { events } = await client.workflow.getHandle(runWorkflowId('demo', 'spilt')).fetchHistory();
  return (events ?? []).flatMap((event) => [
    ...(event.workflowExecutionStartedEventAttributes?.input?.payloads ?? []),
    ...(event.activityTaskCompletedEventAttributes?.result?.payloads ?? []),
    ...(event.workflowExecutionSignaledEventAttributes?.input?.payloads ?? []),
    ...(event.markerRecordedEventAttributes?.details?.['result']?.payloads ?? []),
  ]);
}

function asJson({ metadata, data }: Payload): object {
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]);
  return { metadata: Object.fromEntries(entries) as object, data: Buffer.from(data ?? []).toString('base64') };
}

async function gatewayPids(home: string): Promise<number[]> {
  const gateway = await gatewayStatus(homeOf({ SIGNALBOX_HOME: home }));
  return gateway === null ? [] : [gateway.pid];
}

describe('a run on the host, full of secrets', () => leavesNothing({ backend: 'local', encrypted: false }));
describe('a run on the host with encrypted payloads', () => leavesNothing({ backend: 'local', encrypted: true }));
describeWithDocker('a run in containers with encrypted payloads', () =>
  leavesNothing({ backend: 'docker', encrypted: true }),
);
