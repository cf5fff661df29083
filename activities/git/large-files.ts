import { closeSync, constants, lstatSync, mkdirSync, openSync, readSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { BareRepository } from './bare-repository.ts';
import { runGit } from './git-command.ts';
import { onDisk } from './paths.ts';

/** Bytes of a pointer file, at most, as Git LFS has it. */
const POINTER_SIZE = 1024;
/** Bytes of a `.gitattributes` that are looked at. */
const ATTRIBUTES_SIZE = 1024 * 1024;

/**
 * Which of some files in a work tree belong into Git LFS by their attributes, and yet hold contents of their own instead
 * of a pointer. No filter runs here, so they would be committed as they are, and the user's checkout, where one does,
 * would never be clean again. At most one process, and none where no `.gitattributes` speaks of LFS.
 *
 * @param paths as byte strings
 */
export async function misplacedContents(
  bare: BareRepository,
  workTree: string,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<Set<string>> {
  const rules = new Map<string, boolean>();
  const ruled = (directory: string): boolean => {
    const known = rules.get(directory);
    if (known !== undefined) return known;
    const name = directory === '' ? '.gitattributes' : `${directory}/.gitattributes`;
    const here = beginning(onDisk(workTree, name), ATTRIBUTES_SIZE)?.includes('filter=lfs') ?? false;
    const found = here || (directory !== '' && ruled(parentOf(directory)));
    rules.set(directory, found);
    return found;
  };
  const suspects = paths.filter((name) => {
    if (!ruled(parentOf(name))) return false;
    const bytes = beginning(onDisk(workTree, name), POINTER_SIZE + 1);
    return bytes !== null && bytes.length > 0 && !isPointer(bytes);
  });
  if (suspects.length === 0) return new Set();
  const { stdout } = await runGit(['check-attr', '-z', '--stdin', 'filter'], {
    gitDir: emptyRepository(bare),
    workTree,
    input: Buffer.from(suspects.map((name) => `${name}\0`).join(''), 'latin1'),
    signal,
  });
  const fields = stdout.toString('latin1').split('\0');
  return new Set(fields.filter((_, at) => at % 3 === 0 && fields[at + 2] === 'lfs'));
}

function parentOf(name: string): string {
  return name.includes('/') ? name.slice(0, name.lastIndexOf('/')) : '';
}

function isPointer(bytes: Buffer): boolean {
  return (
    bytes.length <= POINTER_SIZE && bytes.toString('latin1').startsWith('version https://git-lfs.github.com/spec/')
  );
}

/** The first bytes of a regular file, `null` for anything else: no link of an agent's is followed. */
function beginning(file: string | Buffer, size: number): Buffer | null {
  if (lstatSync(file, { throwIfNoEntry: false })?.isFile() !== true) return null;
  const handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const bytes = Buffer.alloc(size);
    return bytes.subarray(0, readSync(handle, bytes, 0, size, 0));
  } finally {
    closeSync(handle);
  }
}

/** A repository whose own attributes override none of the project's; ours switch all filters off. */
function emptyRepository(bare: BareRepository): string {
  const directory = path.join(bare.gitDir, 'attributes.git');
  for (const name of ['objects', 'refs']) mkdirSync(path.join(directory, name), { recursive: true });
  writeFileSync(path.join(directory, 'HEAD'), 'ref: refs/heads/main\n');
  return directory;
}
