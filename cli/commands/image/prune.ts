import { parseDuration } from '../../../core/duration.ts';
import { defineCommand } from '../../framework/command.ts';
import { flag, text } from '../../framework/options.ts';

export const imagePrune = defineCommand({
  name: 'image prune',
  summary: 'Remove images that Signalbox made and that nothing has used for a while',
  description:
    'Never one that a run needs which is not over, that a container is made of, or that an image builds on which stays. Images ' +
    'that Signalbox did not make stay. What is removed is built again when it is needed, but not to the byte: a run that ' +
    'ended without success, and is resumed after that, goes on in another image, and says so.',
  options: {
    maxAge: text('--max-age <duration>', 'since the last use, such as 7d; by default SIGNALBOX_IMAGES_AGE, or 30d'),
    project: text('--project <id>', "only images that were built from this project's Dockerfile"),
    dryRun: flag('--dry-run', 'say what would be removed, and remove nothing'),
  },
  examples: [
    { command: 'signalbox image prune --dry-run', help: 'what would go' },
    { command: 'signalbox image prune --max-age 0s', help: 'all that nothing needs now' },
  ],
  run: async (context, { options: { maxAge, project, dryRun } }) => {
    const bounds = {
      ...(maxAge === undefined ? {} : { ageMs: parseDuration(maxAge) }),
      ...(project === undefined ? {} : { project }),
    };
    const { pruneImages } = await import('../../../workers/images.ts');
    const { imagePruneText } = await import('../../views/image-view.ts');
    const onProgress = (line: string): void => context.output.progress(line);
    const report = await pruneImages(context.env, { ...bounds, dryRun, onProgress });
    return { result: report, text: imagePruneText(report) };
  },
});
