import path from 'node:path';
import { CliWorld } from './cli.ts';
import { gitHttpServer, type GitHttpServer } from './git-http-server.ts';
import { gitHubServer, type GitHubServer } from './github-server.ts';

/** A directory for command lines whose repository has a remote `origin` on a real git server, with GitHub's API over it. */
export interface GitHubCliWorld {
  cli: CliWorld;
  server: GitHttpServer;
  api: GitHubServer;
  token: string;
  /** Runs git in the remote's repository. */
  far: (...args: string[]) => string;
  close: () => Promise<void>;
}

/** What the remote's own checks say of a task's request, which shows these files; `null`: they go on. */
export type Checks = (task: string, show: (file: string) => string) => 'success' | 'failure' | null;

/** Makes a world whose token is in the environment of its command lines, with one commit on both sides. */
export async function gitHubCliWorld(token: string): Promise<GitHubCliWorld> {
  const cli = new CliWorld().init();
  const server = await gitHttpServer(path.join(cli.root, 'far'));
  server.password = token;
  const api = await gitHubServer(server.gitDir, token);
  Object.assign(cli.env, { GITHUB_SERVER_URL: server.url, GITHUB_API_URL: api.url, GH_TOKEN: token });
  cli.git('remote', 'add', 'origin', `${server.url}/team/project.git`);
  return {
    ...{ cli, server, api, token },
    far: (...args) => api.state.git(...args),
    close: async () => {
      cli.killWorkers();
      await cli.signalbox('server', 'stop');
      await Promise.all([server.close(), api.close()]);
      cli.remove();
    },
  };
}

/**
 * Checks every commit that an open request shows, as a CI service does: first they are queued, and a moment later there is
 * a verdict.
 *
 * @returns what ends it
 */
export function checkRequests({ api, far }: GitHubCliWorld, check: Checks): () => void {
  const { state } = api;
  const timer = setInterval(() => {
    for (const pull of state.pulls.filter(({ open }) => open)) {
      const head = state.tip(pull.head);
      if (head === null) continue;
      const [known] = state.runs.get(head) ?? [];
      if (known === undefined) state.report(head, { name: 'ci', status: 'queued', conclusion: null });
      else if (known.status === 'queued' && !pull.draft) {
        const conclusion = check(pull.head.replace(/^.*\//, ''), (file) => far('show', `${head}:${file}`));
        const summary = conclusion === 'failure' ? 'expected 1, got 2' : 'all is well';
        const output = { title: 'unit tests', summary, text: null };
        if (conclusion !== null) state.report(head, { name: 'ci', conclusion, output });
      }
    }
  }, 300);
  return () => clearInterval(timer);
}
