import { rideOf } from '../../activities/merge/ride.ts';
import { attemptRef } from '../../core/ids.ts';
import type { TrainMember } from '../../core/train.ts';
import type { ProjectWorld } from './project-world.ts';

/** Makes verified work of a task's first attempt on the user's branch as it is, without an agent: files that hold `text`. */
export async function importMember(
  { host, run: { project, repository, manifest: pinned } }: Pick<ProjectWorld, 'host' | 'run'>,
  { run: id, task: name, files, text }: { run: string; task: string; files: readonly string[]; text: string },
): Promise<TrainMember> {
  const run = { project, run: id, repository, manifest: pinned };
  const bare = await host.bare(repository);
  const base = await bare.importBranch(await host.user(repository), repository.branch);
  const { manifest, task } = await host.manifests.task(run, name);
  const ref = attemptRef(id, name, 1);
  const stream = [
    `commit ${ref}\ncommitter T <t@example.com> 1700000000 +0000\ndata 4\nwork`,
    `from ${base}`,
    ...files.map((file) => `M 100644 inline ${file}\ndata ${text.length}\n${text}`),
    'done\n',
  ].join('\n');
  await bare.git(['fast-import', '--quiet', '--done'], { input: stream });
  const commit = bare.ref(ref);
  if (commit === null) throw new Error(`no work at ${ref}`);
  const ride = rideOf(manifest, task, files);
  return { run, task: name, name: task.manifest.name, attempt: 1, commit, base, ride };
}
