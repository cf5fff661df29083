import { expect, test } from '@jest/globals';
import { ServiceError, WorkflowNotFoundError } from '@temporalio/client';
import { askUntilHeard } from '../../../workers/runs/update-run.ts';

/** The server's word to an update that met its run while it continued as new. */
const aborted = new WorkflowNotFoundError('workflow update was aborted by closing workflow', 'run', undefined);

/** Its word to one whose workflow task it had done again. */
const dropped = new ServiceError('Workflow Update failed', {
  cause: Object.assign(new Error('unexpected workflow task failure'), { code: 9, details: '', metadata: {} }),
});

/** Fails with these errors, one each time it is asked, then answers. */
function answering(...errors: Error[]) {
  const asked = { times: 0 };
  const ask = (): Promise<string> => {
    asked.times += 1;
    const error = errors[asked.times - 1];
    return error === undefined ? Promise.resolve('heard') : Promise.reject(error);
  };
  return { asked, ask };
}

test('what is asked while a run continues as new is asked again', async () => {
  const { asked, ask } = answering(aborted, dropped);
  expect(await askUntilHeard(ask, () => Promise.resolve(true))).toBe('heard');
  expect(asked.times).toBe(3);
});

test('a run that has ended is not asked again, nor one that answered with a refusal', async () => {
  const ended = answering(aborted);
  await expect(askUntilHeard(ended.ask, () => Promise.resolve(false))).rejects.toBe(aborted);
  const refused = answering(new Error('no'));
  await expect(askUntilHeard(refused.ask, () => Promise.resolve(true))).rejects.toThrow('no');
  expect([ended.asked.times, refused.asked.times]).toEqual([1, 1]);
});
