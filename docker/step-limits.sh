#!/bin/sh
# Becomes a command of the host with limits that it cannot lift.
#
#   step-limits.sh DIRECTORY FILE DATA PROCESSES COUNT CGROUP... COMMAND ARGUMENT...
#
# FILE is the largest file that it may write, in blocks of 512 bytes; DATA the most memory of each process, in KiB;
# PROCESSES how many processes and threads its user may have; `-` for no such limit. It joins COUNT control groups, named
# by their directories; with `own` in place of COUNT it is in its group already. DIRECTORY is the step's: the file `groups`
# there gets the directory of such a group, and a line `limited` when all limits are set, without which no command runs.
# `-`: none.
#
# Variables start with `sb_`, since the command's own environment came in with ours.

sb_fail() {
  echo "signalbox: cannot set the limit of $1" >&2
  exit 125
}

# A limit that is there already, and lower, cannot be raised and need not be. $1: the one that is wanted.
sb_lower() {
  [ "$2" != unlimited ] && [ "$2" -le "$1" ]
}

sb_dir=$1
ulimit -c 0
[ "$2" = - ] || ulimit -f "$2" 2>/dev/null || sb_lower "$2" "$(ulimit -H -f)" || sb_fail 'file sizes'
[ "$3" = - ] || ulimit -d "$3" 2>/dev/null || sb_lower "$3" "$(ulimit -H -d)" || sb_fail memory
# bash calls it -u, dash -p.
[ "$4" = - ] || ulimit -u "$4" 2>/dev/null || ulimit -p "$4" 2>/dev/null ||
  sb_lower "$4" "$(ulimit -H -u 2>/dev/null || ulimit -H -p)" || sb_fail processes
sb_count=$5
shift 5
if [ "$sb_count" = own ]; then
  sb_count=0
  IFS=: read -r sb_number sb_names sb_group </proc/self/cgroup
  [ "$sb_number$sb_names" = 0 ] && printf '%s\n' "/sys/fs/cgroup$sb_group" >>"$sb_dir/groups"
fi
while [ "$sb_count" -gt 0 ]; do
  echo 0 >"$1/cgroup.procs" || sb_fail "control group $1"
  shift
  sb_count=$((sb_count - 1))
done
[ "$sb_dir" = - ] || echo limited >>"$sb_dir/groups" || sb_fail 'this step'
unset sb_dir sb_count sb_number sb_names sb_group
exec "$@"
