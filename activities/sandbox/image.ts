import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type Docker from 'dockerode';
import { SignalboxError } from '../../core/failures.ts';
import { packageRoot } from '../package-root.ts';
import { buildLocalBase, localBaseProblem } from './base-image.ts';
import { engineFailure, unlessStatus } from './engine.ts';

/** The base where a registry can be reached. */
const REGISTRY_BASE = 'node:24-bookworm-slim';

/** What {@link ensureImage} needs. */
export interface ImageOptions {
  engine: Docker;
  /** A base image instead of the default one. */
  base?: string;
  /** Called with what is begun; building may take a minute or two. */
  onProgress?: (line: string) => void;
  /** Called with each line that the tools print meanwhile. */
  onDetail?: (line: string) => void;
}

/** An image that steps can run in. */
export interface WorkerImage {
  /** Its tag, `signalbox/worker:<digest of its inputs>`. */
  reference: string;
  /** Its content digest. */
  id: string;
  /** Whether this call built it. */
  built: boolean;
}

/**
 * Makes sure that the engine has the image of `docker/Dockerfile` as it is now, building it if its inputs changed.
 *
 * @throws SignalboxError `environment`, with what to do, if there is no base to build it from
 */
export async function ensureImage(options: ImageOptions): Promise<WorkerImage> {
  const { engine, onProgress = () => undefined, onDetail = () => undefined } = options;
  const context = path.join(packageRoot(), 'docker');
  const inputs = [readFileSync(path.join(context, 'Dockerfile')), options.base ?? REGISTRY_BASE];
  const hash = createHash('sha256');
  for (const input of inputs) hash.update(input).update('\0');
  const digest = hash.digest('hex').slice(0, 16);
  const reference = `signalbox/worker:${digest}`;
  try {
    const found = await unlessStatus(engine.getImage(reference).inspect(), 404);
    if (found !== null) return { reference, id: found.Id, built: false };
    const base = options.base ?? (await chooseBase(engine, onProgress, onDetail));
    onProgress(`Building the image of steps from ${base}`);
    const stream = await engine.buildImage(
      { context, src: ['Dockerfile'] },
      { t: reference, buildargs: { BASE: base }, labels: { 'signalbox.inputs': digest } },
    );
    await followProgress(engine, stream, onDetail);
    const { Id } = await engine.getImage(reference).inspect();
    return { reference, id: Id, built: true };
  } catch (error) {
    throw engineFailure(error, 'building the image of steps');
  }
}

/** The default base if the engine has it or can pull it, else one made on this machine. */
async function chooseBase(
  engine: Docker,
  onProgress: (line: string) => void,
  onDetail: (line: string) => void,
): Promise<string> {
  if ((await unlessStatus(engine.getImage(REGISTRY_BASE).inspect(), 404)) !== null) return REGISTRY_BASE;
  try {
    onProgress(`Pulling ${REGISTRY_BASE}, the base of the image of steps`);
    await followProgress(engine, await engine.pull(REGISTRY_BASE), onDetail);
    return REGISTRY_BASE;
  } catch (error) {
    const problem = localBaseProblem();
    if (problem !== null) {
      throw new SignalboxError('environment', `cannot pull ${REGISTRY_BASE} (${oneLine(error)}), and ${problem}`, {
        hint: 'use --backend local, or name an image that the engine has in sandbox.image',
        cause: error,
      });
    }
    return await buildLocalBase(engine, onProgress, onDetail);
  }
}

interface Progress {
  status?: string;
  stream?: string;
}

/** Waits for the end of a build or a pull, and hands its lines on. @throws what the engine reports in between */
async function followProgress(
  engine: Docker,
  stream: NodeJS.ReadableStream,
  onDetail: (line: string) => void,
): Promise<void> {
  const modem = engine.modem as Pick<Docker['modem'], 'followProgress'>;
  await new Promise<void>((resolve, reject) => {
    modem.followProgress(
      stream,
      (error: Error | null) => {
        if (error) reject(error);
        else resolve();
      },
      ({ status, stream: text }: Progress) => {
        const line = (text ?? status ?? '').trim();
        if (line !== '') onDetail(line);
      },
    );
  });
}

function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trim().split('\n')[0] ?? '';
}
