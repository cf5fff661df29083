import { randomUUID } from 'node:crypto';
import path from 'node:path';
import type Docker from 'dockerode';
import type { Config } from '../../core/config.ts';
import { SignalboxError } from '../../core/failures.ts';
import type { RunImage } from '../../core/run-image.ts';
import type { Home } from '../home.ts';
import { packageRoot } from '../package-root.ts';
import { hardenedHost, writablePlaces } from './container-profile.ts';
import type { ContainerUser } from './container-profile.ts';
import { engineFailure, engineStatus, unlessStatus } from './engine.ts';
import { problemsOf, type ImageProblem, type ProbedImage } from './image-needs.ts';
import { containerName, probeLabels } from './labels.ts';
import { bindMount } from './step-container.ts';

/** What {@link examineImage} needs. */
export interface ExamineOptions {
  engine: Docker;
  home: Home;
  /** The image's id. */
  id: string;
  /** Who steps are inside. */
  user: ContainerUser;
  config: Pick<Config, 'sandbox' | 'checks'>;
}

/**
 * Looks at whether steps can work in an image, in a container like theirs, without a network. Half a second.
 *
 * @returns what is missing, one entry for each thing, the worst first
 */
export async function examineImage(options: ExamineOptions): Promise<ImageProblem[]> {
  const { engine, id, config } = options;
  try {
    const [image, info] = await Promise.all([engine.getImage(id).inspect(), engine.info() as Promise<EngineInfo>]);
    if (image.Os !== 'linux') {
      return [error(`it is for ${image.Os}, and steps need Linux`, 'Name an image for Linux.')];
    }
    const own = ARCHITECTURES[info.Architecture] ?? info.Architecture;
    const foreign = image.Architecture !== own;
    const probed = await probe(options);
    if ('refused' in probed) {
      if (foreign) {
        const message = `it is for ${image.Architecture}, and the engine runs ${own}`;
        return [error(message, `Name or build an image for ${own} ("docker pull --platform linux/${own}").`)];
      }
      const message = `it has no shell that works at /bin/sh, which runs every step: ${probed.refused}`;
      return [error(message, 'Build the image from one that has a shell, such as Debian, Ubuntu or Alpine.')];
    }
    const problems = problemsOf(probed, config);
    if (foreign) {
      problems.push({
        severity: 'warning',
        message: `it is for ${image.Architecture}, which the engine only imitates on ${own}: everything is slow`,
        hint: `Name or build an image for ${own}.`,
      });
    }
    return problems.toSorted((a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning'));
  } catch (failure) {
    throw engineFailure(failure, 'looking at the image of steps');
  }
}

/** The failure of a run that cannot start in an image, with everything that it lacks. */
export function unfitImage(
  { reference }: Pick<RunImage, 'reference'>,
  problems: readonly ImageProblem[],
): SignalboxError {
  const lines = problems.map(({ message, hint }) => `  ${message}\n    ${hint}`);
  return new SignalboxError('environment', [`steps cannot work in the image ${reference}:`, ...lines].join('\n'), {
    hint: 'Mend the image; "signalbox image build" looks at it again.',
  });
}

/** The names of processors that the engine uses of itself, as images call them. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  armv7l: 'arm',
  i686: '386',
};

interface EngineInfo {
  Architecture: string;
}

/** Most bytes of what a probe may say. */
const MOST = 64 * 1024;

async function probe({ engine, home, id, user, config }: ExamineOptions): Promise<ProbedImage | { refused: string }> {
  const name = containerName(home, `image-probe-${randomUUID().slice(0, 8)}`);
  const container = engine.getContainer(name);
  const { runtime } = config.sandbox;
  try {
    await engine.createContainer({
      name,
      Image: id,
      Entrypoint: ['/bin/sh', '/signalbox/probe-image.sh'],
      Cmd: [],
      WorkingDir: '/',
      User: `${user.uid}:${user.gid}`,
      Labels: probeLabels(home, 'image'),
      HostConfig: {
        ...hardenedHost({ memory: 512 * 1024 ** 2, cpus: 1 }, MOST),
        NetworkMode: 'none',
        Tmpfs: writablePlaces(user),
        Mounts: [bindMount(path.join(packageRoot(), 'docker', 'probe-image.sh'), '/signalbox/probe-image.sh', true)],
        ...(runtime === undefined ? {} : { Runtime: runtime }),
      },
    });
    try {
      await container.start();
    } catch (failure) {
      // An answer of the engine is that it cannot; anything else is none.
      if (engineStatus(failure) === null) throw failure;
      return { refused: reasonOf(failure) };
    }
    const { StatusCode } = (await container.wait()) as { StatusCode: number };
    const said = (await container.logs({ stdout: true, stderr: false, follow: false })).toString('utf8');
    const named = (word: string): Set<string> =>
      new Set([...said.matchAll(new RegExp(`${word} (\\w+)`, 'g'))].map(([, thing = '']) => thing));
    const works = named('works');
    // The last line: without it, the shell did not come so far.
    if (!works.has('sh')) return { refused: `it ended with status ${StatusCode}` };
    return { has: named('has'), works, user: `${user.uid}:${user.gid}` };
  } finally {
    await unlessStatus(container.remove({ force: true, v: true }), 404, 409);
  }
}

/** What the engine says of a program that it could not start, without the layers that the message went through. */
function reasonOf(failure: unknown): string {
  const said = failure instanceof Error ? failure.message : String(failure);
  return said.trim().split('\n')[0]?.split(': ').slice(-2).join(': ') ?? '';
}

function error(message: string, hint: string): ImageProblem {
  return { severity: 'error', message, hint };
}
