/** Paths inside a work tree are byte strings (`latin1`, joined by `/`) in this folder; these turn them for people and the file system. */
export function shownPath(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}

// eslint-disable-next-line no-control-regex -- all of ASCII
const ASCII = /^[\x00-\x7f]*$/;

/** A path below `root` (an ordinary string) for Node's file functions: bytes where a string could not say it. */
export function onDisk(root: string, path: string): string | Buffer {
  if (path === '') return root;
  if (ASCII.test(path)) return `${root}/${path}`;
  return Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')]);
}

// What HFS+ ignores in names: U+200C–F, U+202A–E, U+206A–F, U+FEFF, as UTF-8 bytes.
const HFS_IGNORED = /\xe2\x80[\x8c-\x8f\xaa-\xae]|\xe2\x81[\xaa-\xaf]|\xef\xbb\xbf/g;

/**
 * Is this file name, on some file system, the name of a git directory? The rules of git's own `core.protectNTFS` and
 * `core.protectHFS`: any case, `git~1`, trailing dots and spaces, streams after a colon, backslashes, ignored characters.
 */
export function isGitDirectoryName(name: string): boolean {
  return name
    .replaceAll(HFS_IGNORED, '')
    .split('\\')
    .some((part) => /^(?:\.git|git~1)[. ]*(?::.*)?$/is.test(part));
}

/** Would git refuse a symbolic link of this name, since it stands for `.gitmodules` on some file system? */
export function isGitmodulesName(name: string): boolean {
  const short = /^(?:\.gitmodules|gitmod~[1-4]|gi7eb[0-9a-f]~\d|gi7eba~\d)[. ]*(?::.*)?$/is;
  return name
    .replaceAll(HFS_IGNORED, '')
    .split('\\')
    .some((part) => short.test(part));
}
