import type { TrainActivities } from '../../core/activities.ts';
import type { ProjectHost } from '../project-host.ts';
import { attended } from '../step-control.ts';
import { accept } from './accept.ts';
import { blame } from './blame.ts';
import { checkCanary, checkCommit, checkTip } from './integration-check.ts';
import { landTip } from './land-tip.ts';
import { makeCandidates } from './merge-members.ts';

/** The train's activities on the repository's home host. */
export function createTrainActivities(host: ProjectHost): TrainActivities {
  return {
    candidates: (input) => attended((control) => makeCandidates(host, input, control)),
    check: (input) => attended((control) => checkCommit(host, input, control)),
    checkTip: (input) => attended((control) => checkTip(host, input, control)),
    canary: (input) => attended((control) => checkCanary(host, input, control)),
    blame: (input) => attended((control) => blame(host, input, control)),
    accept: (input) => attended((control) => accept(host, input, control)),
    land: ({ repository }) => attended(() => landTip(host, repository)),
  };
}
