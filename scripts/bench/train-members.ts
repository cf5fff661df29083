import path from 'node:path';
import { BareRepository } from '../../activities/git/bare-repository.ts';
import { inspectUserRepository } from '../../activities/git/inspect-user-repository.ts';
import { rideOf } from '../../activities/merge/ride.ts';
import { attemptRef } from '../../core/ids.ts';
import type { Ride, TrainMember } from '../../core/train.ts';
import type { PinnedRun } from './world.ts';

/** Makes what tasks finished: a commit each on the accepted tip, with a file of its own; of those that fail, a bad one. */
export async function finishedMembers(
  { home, run, manifest }: PinnedRun,
  failing: readonly boolean[],
  ride: Partial<Ride> = {},
): Promise<{ bare: BareRepository; members: TrainMember[] }> {
  const { id, path: directory, branch } = run.repository;
  const bare = await BareRepository.open(path.join(home.repositories, `${id}.git`));
  const base = await bare.importBranch(await inspectUserRepository(directory), branch);
  const refs = failing.map((_, index) => attemptRef(run.run, manifest.tasks[index]?.manifest.id ?? '', 1));
  const stream = failing.map((fails, index) => {
    const file = `out/${run.run}-${index}.${fails ? 'bad' : 'txt'}`;
    return [
      `commit ${refs[index] ?? ''}`,
      'committer Bench <bench@localhost> 1700000000 +0000',
      'data 4',
      'work',
      `from ${base}`,
      `M 100644 inline ${file}`,
      `data ${file.length}`,
      file,
      '',
    ].join('\n');
  });
  // Loose objects, as snapshots of agents' work are.
  const config = { 'fastimport.unpackLimit': '1000000' };
  await bare.git(['fast-import', '--quiet', '--done'], { config, input: `${stream.join('')}done\n` });
  const members = manifest.tasks.slice(0, failing.length).map((task, index): TrainMember => {
    const commit = bare.ref(refs[index] ?? '') ?? '';
    const how = { ...rideOf(manifest, task, [`out/${index}.txt`]), ...ride };
    return { run, task: task.manifest.id, name: task.manifest.name, attempt: 1, commit, base, ride: how };
  });
  return { bare, members };
}
