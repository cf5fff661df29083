import { humanSize } from '../../core/size.ts';
import type { BuiltImage, ImagePruneReport, ImageView } from '../../workers/images.ts';
import type { Output } from '../framework/output.ts';
import { table } from './table.ts';
import { displayText, plural } from './text.ts';
import { localTime } from './waiting-view.ts';

/** What an image of steps is, and what it lacks, for people. */
export function imageBuildText(
  { reference, id, digest, built, problems }: BuiltImage,
  colors: Output['colors'],
): string {
  const marks = { error: colors.red('error:'), warning: colors.yellow('warning:') };
  return [
    `${built ? 'built' : 'have'} ${colors.bold(reference)}`,
    digest ?? id,
    ...problems.flatMap(({ severity, message, hint }) => [`${marks[severity]} ${message}`, `  ${hint}`]),
    ...(problems.length === 0 ? ['It has all that steps need.'] : []),
  ].join('\n');
}

/** The images of a host, for people. */
export function imageListText(images: readonly ImageView[]): string {
  if (images.length === 0) return 'there are no images that Signalbox made or that runs use';
  return [rows(images), `${plural(images.length, 'image')}, ${humanSize(sizeOf(images))}`].join('\n\n');
}

/** What was removed, what stays all the same, and what is left, for people. */
export function imagePruneText({ removed, kept, bytes, dry_run: dryRun }: ImagePruneReport): string {
  const verb = dryRun ? 'would remove' : 'removed';
  return [
    ...(removed.length === 0 ? [] : [`${rows(removed)}\n`]),
    ...kept.map(({ id, tags, reason }) => `kept ${tags[0] ?? shortId(id)}: ${displayText(reason)}`),
    `${verb} ${plural(removed.length, 'image')}, ${humanSize(sizeOf(removed))}; ${humanSize(bytes)} ${dryRun ? 'would be' : 'are'} left`,
  ].join('\n');
}

function rows(images: readonly ImageView[]): string {
  return table(
    [
      { head: 'IMAGE', cut: 24 },
      { head: 'ID' },
      { head: 'MADE FOR' },
      { head: 'SIZE', align: 'right' },
      { head: 'MADE' },
      { head: 'LAST USED' },
      { head: 'USED BY', cut: 12 },
    ],
    images.map((image) => [
      image.tags[0] ?? '(no name)',
      shortId(image.id),
      MADE_FOR[image.kind],
      humanSize(image.bytes),
      localTime(image.created_at),
      localTime(image.last_used_at),
      users(image).join(', '),
    ]),
  );
}

const MADE_FOR: Readonly<Record<ImageView['kind'], string>> = {
  worker: 'steps',
  base: 'base',
  project: 'project',
  named: '(not ours)',
};

function users({ runs, used_elsewhere: elsewhere, containers }: ImageView): string[] {
  return [
    ...runs.map(({ project, run }) => `${project}/${run}`),
    ...(elsewhere.length === 0 ? [] : ['another home']),
    ...(containers.length === 0 ? [] : [plural(containers.length, 'container')]),
  ];
}

function sizeOf(images: readonly ImageView[]): number {
  return images.reduce((sum, image) => sum + image.bytes, 0);
}

function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}
