#!/bin/sh
# Builds the example repository in DIR, which must not exist or be empty: the patches of history/ in order, then
# .signalbox/ as the last commit, on the branch main. The same commits every time, whatever git is configured to do.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
dir=${1:?usage: create.sh DIR}
mkdir -p "$dir"
if [ -n "$(ls -A "$dir")" ]; then
  echo "create.sh: $dir is not empty" >&2
  exit 2
fi
cd "$dir"

unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
export GIT_COMMITTER_NAME='Ada Hollis' GIT_COMMITTER_EMAIL=ada@branchline.example
git init -q -b main --template=
git am -q --committer-date-is-author-date "$here"/history/*.patch

cp -R "$here/.signalbox" .
git add .signalbox
GIT_AUTHOR_NAME=$GIT_COMMITTER_NAME GIT_AUTHOR_EMAIL=$GIT_COMMITTER_EMAIL \
  GIT_AUTHOR_DATE=2026-04-11T09:30:00+0200 GIT_COMMITTER_DATE=2026-04-11T09:30:00+0200 \
  git commit -q -m 'Plan version 0.5 as tasks for Signalbox'
