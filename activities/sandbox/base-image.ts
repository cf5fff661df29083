import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type Docker from 'dockerode';
import { execa } from 'execa';
import { SignalboxError } from '../../core/failures.ts';
import { packageRoot } from '../package-root.ts';
import { unlessStatus } from './engine.ts';
import type { ImageProgress } from './image-progress.ts';

/** What the tags of bases begin with that were made on this machine. */
export const BASE_TAGS = 'signalbox/base:';

/** Why this machine cannot make a base image by itself, or `null` if it can. */
export function localBaseProblem(): string | null {
  if (process.platform !== 'linux') return 'a base can be made locally on Linux only';
  if (process.getuid?.() !== 0) return 'making a base locally needs root';
  if (findProgram('debootstrap') === null)
    return 'making a base locally needs debootstrap (apt-get install debootstrap)';
  return null;
}

/** Makes a minimal Debian with this machine's Node and npm, unless the engine has it already. Returns its tag. */
export async function buildLocalBase(
  engine: Docker,
  { onProgress = () => undefined, onDetail = () => undefined }: ImageProgress,
): Promise<string> {
  const script = path.join(packageRoot(), 'docker', 'base-image.sh');
  const digest = createHash('sha256').update(readFileSync(script)).update(process.version).digest('hex').slice(0, 16);
  const reference = `${BASE_TAGS}${digest}`;
  if ((await unlessStatus(engine.getImage(reference).inspect(), 404)) !== null) return reference;
  onProgress('No image registry answers: making a base on this machine instead, which takes about a minute');
  const directory = mkdtempSync(path.join(tmpdir(), 'signalbox-base-'));
  try {
    const archive = path.join(directory, 'base.tar');
    const npm = npmDirectory();
    const making = execa('sh', [script, archive, process.execPath, ...(npm === null ? [] : [npm])], { all: true });
    for await (const line of making.iterable({ from: 'all' })) onDetail(line, false);
    await making;
    onDetail('importing the base', false);
    await engine.importImage(createReadStream(archive), { repo: 'signalbox/base', tag: digest });
    return reference;
  } catch (error) {
    throw new SignalboxError('environment', `making a base image failed: ${String(error)}`, {
      hint: 'use --backend local, or name an image that the engine has in sandbox.image',
      cause: error,
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function findProgram(name: string): string | null {
  const directories = (process.env['PATH'] ?? '').split(path.delimiter);
  const found = [...directories, '/usr/sbin']
    .map((directory) => path.join(directory, name))
    .find((file) => existsSync(file));
  return found ?? null;
}

/** The directory of the npm package that `npm` on the path belongs to. */
function npmDirectory(): string | null {
  const program = findProgram('npm');
  const script = program === null ? '' : realpathSync(program);
  return script.endsWith(path.join('npm', 'bin', 'npm-cli.js')) ? path.dirname(path.dirname(script)) : null;
}
