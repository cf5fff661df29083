import { initProject, type InitResult } from '../activities/catalogue/init.ts';

/** Writes a first configuration and task into the repository that holds a directory. */
export async function initialise(directory: string, force: boolean): Promise<InitResult> {
  return await initProject(directory, { force });
}
