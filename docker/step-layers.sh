#!/bin/sh
# Lays directories over others for one step on the host, then becomes its supervisor. Runs in a mount namespace of its own:
# nobody else sees the mounts, and they go with the step's last process.
#
#   step-layers.sh COUNT (OPTIONS TARGET)... SCRIPT ARGUMENT...
#
# OPTIONS are those of an overlay, TARGET is the directory that it covers.

sb_count=$1
shift
while [ "$sb_count" -gt 0 ]; do
  mount -t overlay -o "$1" overlay "$2" || exit 1
  shift 2
  sb_count=$((sb_count - 1))
done
unset sb_count
exec /bin/sh "$@"
