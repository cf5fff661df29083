#!/bin/sh
# Makes a base for docker/Dockerfile where no image registry can be reached: a minimal Debian with the tools that a
# step needs, this machine's Node and npm copied in. Needs root, debootstrap and a Debian mirror; about a minute.
#
#   base-image.sh ARCHIVE NODE [NPM]
#
# ARCHIVE is the tar file to write, NODE the path of a Node program, NPM the directory of the npm package.

set -eu
archive=$1 node=$2 npm=${3:-}

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
chmod 755 "$root"
debootstrap --variant=minbase --include=ca-certificates,git,libstdc++6,ripgrep,socat bookworm "$root"

install -m 755 "$node" "$root/usr/local/bin/node"
if [ -n "$npm" ]; then
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -RL "$npm" "$root/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
fi
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/*
chroot "$root" /usr/local/bin/node --version

tar -C "$root" --numeric-owner --one-file-system -cf "$archive" .
