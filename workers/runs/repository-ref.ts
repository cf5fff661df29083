import type { Project } from '../../activities/catalogue/project.ts';
import { repositoryIdentity, type UserRepository } from '../../activities/git/user-repository.ts';
import { hostId, type Home } from '../../activities/home.ts';
import type { RepositoryRef } from '../../core/run-ref.ts';

/** What runs of a project know its repository by. Gives this host its id, if it has none yet. */
export function repositoryRef(home: Home, { config }: Pick<Project, 'config'>, user: UserRepository): RepositoryRef {
  const host = hostId(home);
  const remote = config.repository.remote?.name;
  return {
    id: repositoryIdentity({
      hostId: host,
      commonDir: user.commonDir,
      // Only a repository whose results go to a remote is the same as its other clones.
      remoteUrl: remote === undefined ? null : (user.remotes[remote] ?? null),
    }),
    path: user.topLevel ?? user.commonDir,
    branch: config.repository.integration_branch,
    host,
  };
}
