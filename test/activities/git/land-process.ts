import { BareRepository } from '../../../activities/git/bare-repository.ts';
import { land } from '../../../activities/git/landing.ts';
import { inspectUserRepository } from '../../../activities/git/inspect-user-repository.ts';

// A worker of its own, that tests can kill: lands a commit on `main`, and prints the outcome.
const [gitDir = '', directory = '', commit = ''] = process.argv.slice(2);
const bare = await BareRepository.open(gitDir);
const user = await inspectUserRepository(directory);
const { outcome } = await land({ bare, user, branch: 'main', commit });
process.stdout.write(outcome);
