import { repositoryWorkflowId, runWorkflowId, taskWorkflowId } from '../../core/ids.ts';
import type { Decision } from '../../core/person.ts';
import { failed, FakeWorld } from '../support/fake-activities.ts';
import { runInput, startRun, untilStatus, withWorkers, type WorkflowServer } from '../support/workflow-world.ts';

/** What the recorded histories are of. Each plays on a real server and returns when its run has closed. */
export const scenarios: Record<string, (server: WorkflowServer) => Promise<void>> = {
  /** Retries, conflicts, a blocked task, several executions of one run with tasks at work between them. */
  async 'long-run'(server) {
    const tasks = Array.from({ length: 14 }, (_, index) => ({ id: `t${index}` }));
    const world = new FakeWorld([...tasks, { id: 'after', depends_on: ['t3'] }], {
      t0: { turns: ['hang'] },
      t1: { verify: ['fail', 'pass'] },
      t2: { candidate: ['conflict', 'merge'] },
      t3: { verify: ['fail'] },
    });
    await withWorkers(server, world, async () => {
      const handle = await startRun(server, runInput(world, { maxParallel: 3 }));
      await untilStatus(handle, () => world.merged.length === 12);
      world.release('t0');
      await handle.result().catch(() => undefined);
    });
  },

  /** People: pause, stop, resume, a cancelled task, one that is tried again. */
  async people(server) {
    const world = new FakeWorld([{ id: 'a' }, { id: 'b' }, { id: 'c', attempts: 1 }], {
      a: { turns: ['hang'] },
      b: { turns: ['hang'] },
      c: { verify: ['fail', 'pass'] },
    });
    await withWorkers(server, world, async () => {
      const handle = await startRun(server, runInput(world));
      await untilStatus(handle, (run) => run.tasks['c']?.status === 'failed' && world.count('turn b') === 1);
      await handle.signal('pause');
      await handle.signal('stop');
      await untilStatus(handle, (run) => run.status === 'paused');
      await handle.signal('resume');
      await handle.executeUpdate('retryTask', { args: [{ task: 'c' }] });
      await handle.executeUpdate('cancelTask', { args: [{ task: 'b' }] });
      await untilStatus(handle, (run) => run.tasks['c']?.status === 'merged' && run.tasks['b']?.status === 'cancelled');
      const releasing = setInterval(() => world.release('a'), 50);
      await handle.result().catch(() => undefined);
      clearInterval(releasing);
    });
  },

  /** What waits for people: a start, an input, a question, a limit, a merge; deadlines; locks given up meanwhile. */
  async waits(server) {
    const inputs = [{ name: 'REGION', prompt: 'Which region?', secret: false }];
    const limit = { outcome: 'limit', reason: 'it used too much.' } as const;
    const world = new FakeWorld(
      [
        { id: 'start', approval: 'start' },
        { id: 'input', inputs },
        { id: 'asks' },
        { id: 'limit' },
        { id: 'merge', approval: 'merge' },
        { id: 'late', approval: 'start', depends_on: ['start'] },
        { id: 'after', claims: { reads: [], writes: ['asks/**'] } },
      ],
      { asks: { turns: [[{ question: 'which?' }, {}]] }, limit: { turns: [[limit, {}]] } },
    );
    await withWorkers(server, world, async () => {
      const people = { deadlineMs: 20_000, outcome: 'approve' } as const;
      const handle = await startRun(server, runInput(world, { idleLocksMs: 500, people }));
      const decide = async (task: string, decision: Partial<Decision>): Promise<void> => {
        await untilStatus(handle, (run) => run.tasks[task]?.wait !== null);
        const said = { wait: 1, outcome: 'approve', text: null, inputs: {}, by: 'person', ...decision } as const;
        await handle.executeUpdate('decideTask', { args: [{ task, decision: said }] });
      };
      await untilStatus(handle, (run) => run.tasks['after']?.status === 'merged');
      await decide('asks', { outcome: 'answer', text: 'this' });
      await decide('start', {});
      await decide('input', { outcome: 'answer', inputs: { REGION: { value: 'eu' } } });
      await decide('merge', { outcome: 'retry', text: 'shorter' });
      await decide('merge', { wait: 2 }).catch(() => undefined);
      await handle.result().catch(() => undefined);
    });
  },

  /** What is undeclared, errors that are waited for, and a run that is changed while it goes on. */
  async changes(server) {
    const cut = { outcome: 'failed', error: 'rate_limit', reason: 'HTTP 429' } as const;
    const world = new FakeWorld([{ id: 'a' }, { id: 'b' }, { id: 'c' }, { id: 'd' }, { id: 'e', depends_on: ['d'] }], {
      a: { turns: [{ undeclared: ['b/x.ts'] }, {}] },
      b: { turns: [{ undeclared: ['a/x.ts'] }, {}] },
      c: { turns: ['hang'] },
      d: { turns: [[cut, {}]] },
    });
    await withWorkers(server, world, async () => {
      const handle = await startRun(server, runInput(world, { maxParallel: 3 }));
      await untilStatus(handle, () => world.count('turn c') === 1);
      await handle.executeUpdate('setRun', { args: [{ maxParallel: 5 }] });
      await handle.executeUpdate('skipTask', { args: [{ task: 'e', satisfied: true }] });
      world.add({ id: 'f', depends_on: ['e'] });
      const added = { manifest: { sha256: '1', bytes: 1 }, before: '0', tasks: ['f'] };
      await handle.executeUpdate('addTasks', { args: [added] });
      await handle.executeUpdate('setTask', { args: [{ task: 'c', priority: 3 }] });
      await untilStatus(handle, (run) => run.tasks['f']?.status === 'merged');
      world.release('c');
      await handle.result().catch(() => undefined);
    });
  },

  /** A cancelled run, a terminated one with a task left over, and a terminated lock table. */
  async ends(server) {
    const claims = { reads: [], writes: ['src/**'] };
    const world = new FakeWorld([{ id: 'a', claims }], { a: { turns: ['hang'] } });
    await withWorkers(server, world, async () => {
      const first = runInput(world);
      const handle = await startRun(server, first);
      await untilStatus(handle, () => world.count('turn a') === 1);
      await handle.terminate('by hand');
      const other = runInput(world);
      const second = { ...other, run: { ...other.run, repository: first.run.repository } };
      const next = await startRun(server, second);
      await untilStatus(next, () => world.count('turn a') === 2);
      await server.client.workflow.getHandle(repositoryWorkflowId(first.run.repository.id)).terminate('by hand');
      await server.client.workflow.getHandle(taskWorkflowId('fake', second.run.run, 'a')).signal('pause');
      await server.client.workflow.getHandle(runWorkflowId('fake', second.run.run)).cancel();
      await next.result().catch(() => undefined);
    });
  },

  /** The user's checkout refuses the work twice; then their own commits have to be joined. */
  async landing(server) {
    const refusal = {
      tip: '',
      landed: false,
      reason: 'the checkout is not clean',
      hint: 'commit or stash',
      diverged: false,
    };
    const world = new FakeWorld([{ id: 'a' }]);
    world.refusals = [refusal, { ...refusal, diverged: true }];
    await withWorkers(server, world, async () => {
      await (await startRun(server, runInput(world))).result();
    });
  },

  /** Batches with a culprit, and a canary that proves nothing. */
  async batches(server) {
    const tasks = Array.from({ length: 8 }, (_, index) => ({ id: `t${index}`, attempts: 1 }));
    const world = new FakeWorld(tasks);
    world.ride = { ...world.ride, canary: 'warn' };
    world.canaries = [false];
    world.isRed = (commit) => commit.split('-').includes('t3');
    await withWorkers(server, world, async () => {
      const handle = await startRun(server, runInput(world, { maxParallel: 8 }));
      await handle.result().catch(() => undefined);
    });
  },

  /** A tip that is red by itself, until a person says that the train may go on. */
  async halts(server) {
    const world = new FakeWorld([{ id: 'a' }]);
    world.isRed = () => true;
    world.tipChecks = [failed('integration')];
    await withWorkers(server, world, async () => {
      const handle = await startRun(server, runInput(world));
      await untilStatus(handle, (run) => run.status === 'waiting');
      world.isRed = () => false;
      await handle.signal('resume');
      await handle.result().catch(() => undefined);
    });
  },

  /** Pull requests: one is merged, one made anew on that, one closed by a person. */
  async requests(server) {
    const world = new FakeWorld([{ id: 'a' }, { id: 'b' }, { id: 'c', attempts: 1 }]);
    world.ride = { ...world.ride, push: 'pull_request' };
    await withWorkers(server, world, async () => {
      const handle = await startRun(server, runInput(world));
      // A draft is not watched yet.
      await untilStatus(handle, () => world.far.requests.filter(({ draft }) => !draft).length === 3);
      for (const task of ['a', 'b']) world.far.pass(task);
      Object.assign(world.far.requests.find(({ task }) => task === 'c') ?? {}, { state: 'closed', by: 'ada' });
      await handle.result().catch(() => undefined);
    });
  },
};
