import { sharedQueue } from '../../core/ids.ts';

/** The queue that hosts share where a test makes its workers itself. */
export const TEST_QUEUE = sharedQueue('of-tests');
