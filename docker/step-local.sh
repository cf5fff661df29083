#!/bin/sh
# Supervises one step on the host. Started in a session of its own, so that it outlives the worker that started it.
#
#   step-local.sh DIRECTORY SECONDS BLOCKS ARGUMENT...
#
# Runs the arguments with this script's own input, at most SECONDS long. Writes into DIRECTORY: `supervisor` (our pid
# and start time, as activities/process-identity.ts gives it; made exclusively, so that only the first of several supervisors runs the command), `group` (the
# command's process group), `stdout` and `stderr` (at most BLOCKS * 512 bytes; `.truncated` beside one that was longer,
# `.failed` beside one that could not be written), and at last `exit`, by rename. `ended`, made by somebody else, means
# that the step is not wanted any more. Secrets are recorded as ***: of well-known shapes, and those that descriptor 3 tells,
# a line `=TEXT` or `~PATTERN` each, then a `.`.
# $SIGNALBOX_SUPERVISED is the step's name: the command finds it as
# $SIGNALBOX_STEP, but our own processes must not, since whoever ends the step kills all that carry it.
#
# Variables start with `sb_`, since the command's own environment came in with ours.

sb_dir=$1 sb_seconds=$2 sb_blocks=$3
shift 3
sb_step=$SIGNALBOX_SUPERVISED
unset SIGNALBOX_SUPERVISED
sb_hidden=$(exec cat <&3)
exec 3<&-
# Whoever started us died before all was told. Nobody has taken the step yet.
case $sb_hidden in *.) sb_hidden=${sb_hidden%.} ;; *) exit 0 ;; esac
trap : HUP INT TERM
# What we write is private; the command's own files are its own business.
sb_umask=$(umask)
umask 077

# `read`s and functions instead of ps and cut: each process costs a millisecond.
sb_twentieth() {
  shift 19
  sb_started=$1
}
if [ -r /proc/self/stat ]; then
  read -r sb_stat </proc/$$/stat
  sb_twentieth ${sb_stat##*) }
  read -r sb_boot </proc/sys/kernel/random/boot_id
  sb_started=$sb_boot/$sb_started
else
  sb_started=$(LC_ALL=C ps -o lstart= -p $$)
fi
set -C
{ printf '%s %s\n' $$ "$sb_started" >"$sb_dir/supervisor"; } 2>/dev/null || exit 0
set +C
if [ -e "$sb_dir/ended" ]; then
  printf '{"status":137}\n' >"$sb_dir/exit.tmp" && exec mv -f "$sb_dir/exit.tmp" "$sb_dir/exit"
  exec rm -f "$sb_dir/exit.tmp"
fi
# Room for the exit, which is written over it: a disk that is full by then must not lose what an agent came to.
printf '%16s\n' '' >"$sb_dir/exit.tmp"

# Becomes the command, as the leader of a process group that `group` names.
sb_command() {
  SIGNALBOX_STEP=$sb_step
  export SIGNALBOX_STEP
  if [ -r /proc/self/stat ]; then
    read -r sb_pid sb_rest </proc/self/stat
    printf '%s\n' "$sb_pid" >"$sb_dir/group"
    umask "$sb_umask"
    exec timeout -k 5 "$sb_seconds" "$@"
  fi
  # A Mac has no timeout; perl's alarm outlives its exec, and ends the command with SIGALRM.
  exec perl -e 'open(F, ">", shift); print F "$$\n"; close F; umask oct shift; setpgrp; alarm(1 + int shift); exec @ARGV; exit 127' \
    "$sb_dir/group" "$sb_umask" "$sb_seconds" "$@"
}

# Runs the command, then kills what is left of its group, so that the pipes to `sb_keep` close.
sb_main() {
  (sb_command "$@")
  sb_status=$?
  read -r sb_group <"$sb_dir/group"
  kill -s KILL -- "-$sb_group" 2>/dev/null
  printf '{"status":%-5d}\n' "$sb_status" 1<>"$sb_dir/exit.tmp" || rm -f "$sb_dir/exit.tmp"
}

# Keeps the first bytes of its input: a write beyond the file size limit kills cat (a status over 128), one that fails
# (disk full) makes it give up (1). The rest is read and dropped, so that the command never blocks or breaks on it.
sb_keep() {
  ulimit -c 0
  ulimit -f "$sb_blocks"
  cat >>"$sb_dir/$1" 2>/dev/null
  sb_status=$?
  [ "$sb_status" -eq 0 ] && return
  if [ "$sb_status" -gt 128 ]; then : >"$sb_dir/$1.truncated"; else : >"$sb_dir/$1.failed"; fi
  exec cat >/dev/null
}

# Passes its input on without what is to be hidden; nothing of it where that cannot be done.
sb_hide() {
  if command -v perl >/dev/null; then
    { printf '%s\n' "$sb_hidden"; exec cat; } | exec perl "${0%/*}/redact.pl" "${0%/*}/secret-rules.tsv"
    return
  fi
  if ! command -v awk >/dev/null; then
    echo 'signalbox: there is no awk here to keep secrets out of this output, so it is withheld'
    exec cat >/dev/null
  fi
  { printf '%s\n' "$sb_hidden"; exec cat; } | LC_ALL=C exec awk -f "${0%/*}/redact.awk"
}

{ sb_main "$@" 2>&3 3>&- | sb_hide 3>&- | sb_keep stdout 3>&-; } 3>&1 | sb_hide | sb_keep stderr
[ ! -s "$sb_dir/exit.tmp" ] || exec mv -f "$sb_dir/exit.tmp" "$sb_dir/exit"
