import { Context } from '@temporalio/activity';
import type { RemoteActivities, RemoteRefusal, RequestView } from '../../core/remote.ts';

/** A remote without files: pull requests that do what a script says. Numbers are given from 1 on. */
export class FakeRemote {
  readonly calls: string[] = [];
  readonly requests: (RequestView & { task: string })[] = [];
  /** Where its integration branch is; `null`: with the accepted tip. */
  tip: string | null = null;
  /** Why requests cannot be looked at, and how often a look was begun. */
  blindness: RemoteRefusal | null = null;
  looks = 0;
  /** Refuses the next pushes of tasks. */
  refusals = 0;
  /** Tasks whose branch holds what somebody else pushed. */
  readonly foreign = new Set<string>();
  /** What a merge waits for. */
  beforeMerge: () => Promise<void> = () => Promise.resolve();

  /** @param accepted tells the accepted tip of the train */
  activities(accepted: () => string): RemoteActivities {
    const refused = { outcome: 'refused', reason: 'the line is cut', hint: null, passing: true } as const;
    return {
      pushTask: ({ task, commit }) => {
        this.calls.push(`push ${task} ${commit}`);
        if (this.refusals > 0) {
          this.refusals -= 1;
          return Promise.resolve(refused);
        }
        if (this.foreign.has(task)) return Promise.resolve({ ...refused, foreign: true });
        for (const request of this.requests) if (request.task === task) request.head = commit;
        return Promise.resolve({ outcome: 'pushed', branch: task, commit });
      },
      pushIntegration: () => {
        this.calls.push('push integration');
        return Promise.resolve({ outcome: 'pushed', branch: 'main', commit: accepted() });
      },
      openRequest: ({ member, ready }) => {
        this.calls.push(`open ${member.task} ${ready ? 'ready' : 'draft'}`);
        const known = this.requests.find(({ task, state }) => task === member.task && state === 'open');
        const head = this.calls.findLast((call) => call.startsWith(`push ${member.task} `))?.split(' ')[2] ?? '';
        const request = known ?? {
          ...{ task: member.task, number: this.requests.length + 1, url: 'https://example.org/1', head, by: null },
          ...{ state: 'open', draft: !ready, mergeCommit: null, mergeable: 'yes' },
          checks: { total: 1, pending: ['ci'], failed: [] },
        };
        if (known === undefined) this.requests.push(request);
        if (ready) request.draft = false;
        const { number, url, draft } = request;
        return Promise.resolve({ outcome: known === undefined ? 'opened' : 'updated', number, url, draft, graceMs: 0 });
      },
      watchRequests: async ({ requests }) => {
        const { cancellationSignal } = Context.current();
        this.looks += 1;
        for (;;) {
          Context.current().heartbeat();
          cancellationSignal.throwIfAborted();
          if (this.blindness !== null) return { views: [], refusal: this.blindness };
          const views = requests.flatMap(({ number, task, run, seen }) => {
            const request = this.requests.find((other) => other.number === number);
            if (request === undefined) return [];
            const view: RequestView = { ...request };
            const stamp = JSON.stringify(view);
            return stamp === seen ? [] : [{ task, run: run.run, view, stamp }];
          });
          if (views.length > 0) return { views, refusal: null };
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      },
      mergeRequest: async ({ member, number, base }) => {
        this.calls.push(`merge ${member.task}`);
        await this.beforeMerge();
        const now = this.tip ?? accepted();
        if (base !== now) return { outcome: 'moved', what: 'base', now };
        return { outcome: 'merged', commit: this.merge(number) };
      },
      followRemote: () => {
        this.calls.push('follow');
        const tip = accepted();
        if (this.tip === null || this.tip === tip) return Promise.resolve({ outcome: 'same', tip });
        return Promise.resolve({ outcome: 'ahead', commit: this.tip, tip });
      },
    };
  }

  /** Merges a request, as the train or a person does. @returns what the branch is then */
  merge(number: number): string {
    const request = this.requests.find((other) => other.number === number);
    if (request === undefined) throw new Error(`no request ${number}`);
    const commit = `remote-merge-${request.task}`;
    Object.assign(request, { state: 'merged', mergeCommit: commit });
    this.tip = commit;
    return commit;
  }

  /** The checks of a task's request are green. */
  pass(task: string): void {
    for (const request of this.requests)
      if (request.task === task) request.checks = { total: 1, pending: [], failed: [] };
  }
}
