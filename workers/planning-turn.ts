import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Planner, PlanRequest } from '../activities/agent/planner.ts';
import type { Project } from '../activities/catalogue/project.ts';
import { BareRepository } from '../activities/git/bare-repository.ts';
import { removeAll } from '../activities/git/remove-tree.ts';
import { inspectUserRepository } from '../activities/git/inspect-user-repository.ts';
import { createWorkspace } from '../activities/git/workspace.ts';
import { makePrivateDirectory, type Home } from '../activities/home.ts';
import { createSandbox } from '../activities/sandbox/create-sandbox.ts';
import { LocalSandbox } from '../activities/sandbox/local-sandbox.ts';
import { stepName } from '../core/ids.ts';
import { agentNetwork } from '../core/step-network.ts';
import { chooseBackend } from './backend.ts';
import { ensureGateway } from './gateway-process.ts';
import { prepareImage } from './sandbox-image.ts';
import { sandboxOptions } from './sandbox-options.ts';
import { repositoryRef } from './runs/repository-ref.ts';

/** The turn in which a planner works, and how it is put away. */
export interface PlanningTurn {
  request: PlanRequest['turn'];
  close: () => Promise<void>;
}

/**
 * Makes what a planning needs: for an agent a clone of the repository that nobody keeps, in a sandbox; nothing for a
 * planner that only reads the plan.
 */
export async function openPlanningTurn(options: {
  project: Project;
  home: Home;
  env: Readonly<Record<string, string | undefined>>;
  provider: Planner['provider'];
  /** Names the planning. */
  id: string;
  onProgress: (text: string) => void;
}): Promise<PlanningTurn> {
  const { project, home, env, provider, id, onProgress } = options;
  const { config } = project;
  const owner = { project: config.project, run: id, task: 'plan', attempt: 1 };
  const common = {
    step: { name: stepName(owner, 'turn-1'), owner, execution: id },
    model: config.planner.model,
    env: { SIGNALBOX_PROJECT: config.project },
    timeoutMs: config.limits.task_time,
    network: agentNetwork(config.sandbox),
  };
  if (provider === 'mock') {
    const { root } = project;
    const places = { workTree: root, agentHome: root, gitObjects: root };
    const sandbox = new LocalSandbox({ home, env, gatewayUrl: '' });
    return { request: { ...common, ...places, sandbox }, close: () => Promise.resolve() };
  }
  const user = await inspectUserRepository(project.repository);
  const choice = await chooseBackend({ asked: undefined, sandbox: config.sandbox, env });
  if (choice.notice !== null) onProgress(choice.notice);
  const repository = repositoryRef(home, project, user);
  makePrivateDirectory(home.repositories);
  const bare = await BareRepository.open(path.join(home.repositories, `${repository.id}.git`));
  const commit = await bare.importBranch(user, repository.branch);
  const gateway = await ensureGateway({ home, env, onProgress });
  const { signal } = new AbortController();
  const pinned = choice.backend === 'docker' ? await prepareImage({ project, config, env, onProgress, signal }) : null;
  const sandbox = await createSandbox(
    sandboxOptions({ config, backend: choice.backend, pinned, home, env, gateway, onProgress }),
  );
  const directory = path.join(home.workspaces, repository.id, config.project, id, 'plan', '1');
  const agentHome = path.join(directory, 'agent-home');
  const workspace = await createWorkspace({
    bare,
    directory,
    commit,
    branch: `signalbox/plan-${id}`,
    ...(sandbox.fileOwner === undefined ? {} : { owner: sandbox.fileOwner }),
  });
  mkdirSync(agentHome, { recursive: true, mode: 0o700 });
  return {
    request: { ...common, sandbox, workTree: workspace.tree, agentHome, gitObjects: bare.objectStore },
    close: async () => {
      await sandbox.end(common.step.name);
      await sandbox.closeAttempt(owner);
      removeAll(path.dirname(path.dirname(directory)));
    },
  };
}
