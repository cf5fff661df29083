import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** What the first line of an `index.lock` is that a landing made. */
export function lockMarker(landing: string): string {
  return `signalbox landing ${landing}\n`;
}

/** What the hook's complaints start with. */
export const COMPLAINT = 'signalbox: ';

/**
 * The only hook of the receiving side: what git's own `updateInstead` does, command by command, on a copy of the index and
 * under an `index.lock` that names the landing. Git's own lock is an empty file that says nothing: after a crash nobody
 * could tell it from that of a command which the user runs right now. Unlike git, it does not drop a pointer of a
 * submodule that the user staged.
 *
 * `$SIGNALBOX_LANDING` is the landing's id, `$SIGNALBOX_LANDING_DIRECTORY` a directory of ours, `$SIGNALBOX_WORK_TREE` the
 * checkout: git itself looks for it in the wrong place where `core.worktree` or `--separate-git-dir` moved it. Git sets
 * `GIT_DIR`, and passes the new commit.
 */
const SCRIPT = `#!/bin/sh
set -u
if [ -z "$SIGNALBOX_WORK_TREE" ] || ! cd "$SIGNALBOX_WORK_TREE"; then
  echo "${COMPLAINT}the branch is checked out somewhere else" >&2
  exit 1
fi
lock=$GIT_DIR/index.lock
mark=$GIT_DIR/index.signalbox
export GIT_INDEX_FILE="$SIGNALBOX_LANDING_DIRECTORY/index" GIT_WORK_TREE="$SIGNALBOX_WORK_TREE"
refuse() {
  rm -f "$lock" "$mark"
  echo "${COMPLAINT}$1" >&2
  exit 1
}
printf 'signalbox landing %s\\n' "$SIGNALBOX_LANDING" >"$mark" || exit 1
# A link appears with its content, and never replaces a lock.
if ! ln "$mark" "$lock" 2>/dev/null; then
  (set -C && cat "$mark" >"$lock") 2>/dev/null || {
    rm -f "$mark"
    echo "${COMPLAINT}index.lock exists" >&2
    exit 1
  }
fi
rm -f "$GIT_INDEX_FILE" "$GIT_INDEX_FILE.lock" "$mark"
cp -p "$GIT_DIR/index" "$GIT_INDEX_FILE" || refuse 'Could not copy the index'
# Without -q it fails on every file that is not as the index says, so git's second look at them all can be left out.
git update-index --ignore-submodules --refresh >/dev/null || refuse 'Working directory has unstaged changes'
git diff-index --quiet --cached --ignore-submodules=dirty HEAD -- >&2 || refuse 'Working directory has staged changes'
git read-tree -u -m "$1" >&2 || refuse 'Could not update working tree to new HEAD'
cp -p "$GIT_INDEX_FILE" "$mark" && mv -f "$mark" "$GIT_DIR/index" || refuse 'Could not write the index'
rm -f "$lock" "$GIT_INDEX_FILE"
`;

/** Puts the hook into a directory, if it is not there, and returns that directory: a value for `core.hooksPath`. */
export function hooksIn(directory: string): string {
  const hook = path.join(directory, 'push-to-checkout');
  if (existsSync(hook) && readFileSync(hook, 'utf8') === SCRIPT) return directory;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const draft = `${hook}.${process.pid}`;
  writeFileSync(draft, SCRIPT, { mode: 0o700 });
  renameSync(draft, hook);
  return directory;
}
