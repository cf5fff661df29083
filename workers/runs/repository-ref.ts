import type { Project } from '../../activities/catalogue/project.ts';
import { repositoryIdentity, type UserRepository } from '../../activities/git/user-repository.ts';
import { hostId, type Home } from '../../activities/home.ts';
import type { RepositoryRef } from '../../core/run-ref.ts';

/** What runs of a project know its repository by. Gives this host its id, if it has none yet. */
export function repositoryRef(home: Home, { config }: Pick<Project, 'config'>, user: UserRepository): RepositoryRef {
  const host = hostId(home);
  return {
    // Two clones of one remote are two repositories for as long as nothing is pushed: each has a branch of its own to land on.
    id: repositoryIdentity({ hostId: host, commonDir: user.commonDir, remoteUrl: null }),
    path: user.topLevel ?? user.commonDir,
    branch: config.repository.integration_branch,
    host,
  };
}
