import { defineCommand } from '../../framework/command.ts';
import { flag } from '../../framework/options.ts';
import { showImageProgress } from '../../image-progress.ts';

export const imageBuild = defineCommand({
  name: 'image build',
  summary: "Build or pull the image that the project's steps run in, and say what it lacks",
  description:
    'Does nothing to an image that is there and whose inputs are the same: Dockerfile, build context, arguments, bases. ' +
    '"run start" does the same. The exit code is 3 if steps cannot work in the image. Needs no server.',
  options: {
    pull: flag(
      '--pull',
      'look for newer images first: the one that sandbox.image names, or the bases of the Dockerfile',
    ),
  },
  examples: [
    { command: 'signalbox image build', help: 'before the first run, or after a change of the Dockerfile' },
    { command: 'signalbox image build --pull', help: 'take in what was mended in the base image' },
    { command: 'signalbox image build -o json', help: 'for scripts: reference, id, digest and problems' },
  ],
  run: async (context, { options: { pull: refresh } }) => {
    const { directory, env, output, interrupted: signal } = context;
    const { buildProjectImage } = await import('../../../workers/images.ts');
    const { imageBuildText } = await import('../../views/image-view.ts');
    const made = await showImageProgress(output, { verbose: true }, (progress) =>
      buildProjectImage(directory, { ...progress, env, refresh, signal }),
    );
    const fails = made.problems.some(({ severity }) => severity === 'error');
    return { result: made, text: imageBuildText(made, output.colors), exitCode: fails ? 3 : 0 };
  },
});
