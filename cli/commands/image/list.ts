import { defineCommand } from '../../framework/command.ts';

export const imageList = defineCommand({
  name: 'image list',
  summary: "List the images on this host's engine that Signalbox made or that runs use",
  description:
    'The last used first: its size, with the layers that it shares with others, its age, and the runs that are pinned to it. ' +
    'Of all projects. Needs no server.',
  examples: [
    { command: 'signalbox image list', help: 'what takes room?' },
    { command: 'signalbox image list -o json', help: 'for scripts: also digests and containers' },
  ],
  run: async (context) => {
    const { listImages } = await import('../../../workers/images.ts');
    const { imageListText } = await import('../../views/image-view.ts');
    const images = await listImages(context.env);
    const bytes = images.reduce((sum, image) => sum + image.bytes, 0);
    return { result: { images, bytes }, text: imageListText(images) };
  },
});
