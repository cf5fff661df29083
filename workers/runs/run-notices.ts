import type { TreeFacts } from '../../activities/git/tree-facts.ts';
import { someIds } from '../../core/catalogue-changes.ts';
import { declaresScope } from '../../core/catalogue.ts';
import { loosenedSettings } from '../../core/loosened.ts';
import type { RunManifest } from '../../core/run-manifest.ts';
import { ignoredConfigKeys, ignoredTaskKeys } from '../../core/run-settings.ts';

/** What a person should know of the tasks that are to be done, one sentence each. @param verified merged trees are checked */
export function workNotices({ config, tasks: all, reused }: RunManifest, verified: boolean): string[] {
  const tasks = all.filter(({ manifest }) => reused[manifest.id] === undefined);
  const scopeless = tasks.filter((task) => !declaresScope(task)).map((task) => task.manifest.id);
  const keys = ignoredConfigKeys(config);
  const taskKeys = new Set(tasks.flatMap((task) => ignoredTaskKeys(task.manifest)));
  const several = scopeless.length > 1;
  return [
    ...(verified ? [] : ['no integration check is configured, so results are unverified']),
    ...(scopeless.length === 0
      ? []
      : [
          `${some(scopeless)} ${several ? 'declare' : 'declares'} no scope (files or locks), so ` +
            `${several ? 'each of them' : 'it'} locks everything and runs alone`,
        ]),
    ...(keys.length === 0 ? [] : [`these keys of the configuration have no effect yet: ${keys.join(', ')}`]),
    ...(taskKeys.size === 0 ? [] : [`these keys of task files have no effect yet: ${[...taskKeys].join(', ')}`]),
  ];
}

/** What a run's configuration lets through that the default sandbox does not, one sentence each. */
export function sandboxNotices(manifest: RunManifest): string[] {
  return loosenedSettings(manifest).map((line) => `the sandbox is loosened by ${line}`);
}

/** The warning of what steps that run on this host are not kept from, if they do. */
export function protectionNotices(unprotected: readonly string[]): string[] {
  return unprotected.length === 0 ? [] : [`steps run on this host, not in containers: ${unprotected.join('; ')}`];
}

/** What a person should know of the repository, one sentence each. */
export function repositoryNotices({ submodules, largeFiles }: TreeFacts): string[] {
  const [first] = submodules;
  const several = submodules.length > 1;
  return [
    ...(largeFiles
      ? ['files in Git LFS are pointers to agents and checks, and contents that agents write for them are left out']
      : []),
    ...(first === undefined
      ? []
      : [
          (several
            ? `${submodules.length} submodules (${first}, …) are empty directories`
            : `the submodule ${first} is an empty directory`) +
            ` to agents and checks, and ${several ? 'keep their pointers' : 'keeps its pointer'}`,
        ]),
  ];
}

/**
 * What a person should know of the tasks that earlier runs merged, one sentence each.
 *
 * @param unlanded ids of tasks whose merges have not reached the user's branch
 */
export function reuseNotices({ config, tasks, reused }: RunManifest, unlanded: readonly string[]): string[] {
  const ids = Object.keys(reused);
  if (ids.length === 0) return [];
  const several = ids.length > 1;
  const { integration_branch: branch } = config.repository;
  const done =
    ids.length === tasks.length
      ? `nothing is left to do: ${some(ids)} ${several ? 'are' : 'is'} merged already`
      : `${some(ids)} ${several ? 'are' : 'is'} merged already, and not done again`;
  const waiting = unlanded.filter((id) => ids.includes(id));
  const landing =
    `the work of ${some(waiting)} has not reached ${branch} yet: it lands with the next task, ` +
    `or by "git merge refs/remotes/signalbox/${branch}"`;
  return [`${done}; --no-reuse does ${several ? 'them' : 'it'} again`, ...(waiting.length === 0 ? [] : [landing])];
}

function some(ids: readonly string[]): string {
  return `${ids.length === 1 ? 'task' : 'tasks'} ${someIds(ids)}`;
}
