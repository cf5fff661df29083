#!/bin/sh
# The entry of a step's container, mounted read-only with its input at /signalbox/stdin.
#
#   step.sh STEP SECONDS BYTES ARGUMENT...
#
# Runs the arguments, at most SECONDS long, passes on the first BYTES of each output stream, and leaves with the command's
# status. The container goes with it, so whatever is left then dies. /signalbox/once keeps a container that somebody
# starts a second time from running its command again: it leaves with 125. /signalbox/secrets/env, gone once it is read,
# exports variables that are stored nowhere, and sets sb_hidden to what is passed on as ***: a line `=TEXT` each. Where the image
# has perl, so are secrets of well-known shapes.
#
# Variables start with `sb_`, since the command's own environment came in with ours.

sb_step=$1 sb_seconds=$2 sb_bytes=$3
shift 3
unset HOSTNAME
trap : HUP INT TERM
set -C
{ : >/signalbox/once/started; } 2>/dev/null || exit 125
set +C
sb_hidden=
if [ -e /signalbox/secrets/env ]; then
  . /signalbox/secrets/env
  rm -f /signalbox/secrets/env
fi
sb_input=/dev/null
[ -e /signalbox/stdin ] && sb_input=/signalbox/stdin

# Becomes the command, as the leader of a process group. Our own processes do not carry SIGNALBOX_STEP.
sb_command() {
  SIGNALBOX_STEP=$sb_step
  export SIGNALBOX_STEP
  exec timeout -k 5 "$sb_seconds" "$@" <"$sb_input"
}

# Runs the command, says its status on 4, then kills what it left behind with our pipes open. What hides from that by
# clearing its environment is killed with everything else, and the step then counts as killed.
sb_main() {
  (sb_command "$@" 4>&- 5>&- 6>&-)
  sb_status=$?
  echo "$sb_status" >&4
  # What was ended from outside has no such file of the status that the engine tells; see `DockerStep`.
  true 2>/dev/null >"/signalbox/once/over-$sb_status"
  for sb_file in $(grep -l SIGNALBOX_STEP= /proc/[0-9]*/environ 2>/dev/null); do
    sb_pid=${sb_file#/proc/}
    kill -s KILL "${sb_pid%/environ}" 2>/dev/null
  done
  # A program of its own, since a mere subshell would keep copies of our pipes.
  sh -c 'sleep 2; true >/signalbox/once/over-137; kill -KILL -1' </dev/null >/dev/null 2>&1 4>&- 5>&- 6>&- &
}

# Passes on the first bytes of its input at once, and reads and drops the rest.
sb_keep() {
  if command -v perl >/dev/null; then
    exec perl -e 'my $left = shift; my $data;
      while (my $got = sysread(STDIN, $data, 65536)) {
        my $end = $got < $left ? $got : $left;
        for (my $at = 0; $at < $end;) { $at += syswrite(STDOUT, $data, $end - $at, $at) || exit 1 }
        $left -= $end;
      }' "$sb_bytes"
  fi
  head -c "$sb_bytes"
  exec cat >/dev/null
}

sb_record() {
  if [ -n "$sb_hidden" ] || command -v perl >/dev/null; then sb_hide | sb_keep; else sb_keep; fi
}

# Passes its input on without what is to be hidden; nothing of it where that cannot be done.
sb_hide() {
  if command -v perl >/dev/null; then
    { printf '%s\n' "$sb_hidden"; exec cat; } | exec perl /signalbox/redact.pl /signalbox/secret-rules.tsv
    return
  fi
  if ! command -v awk >/dev/null; then
    echo 'signalbox: there is no awk here to keep secrets out of this output, so it is withheld'
    exec cat >/dev/null
  fi
  { printf '%s\n' "$sb_hidden"; exec cat; } | LC_ALL=C exec awk -f /signalbox/redact.awk
}

exec 5>&1 6>&2
sb_status=$(
  {
    { sb_main "$@" 2>&3 3>&- | sb_record >&5 3>&- 4>&- 5>&- 6>&-; } 3>&1 | sb_record >&6 4>&- 5>&- 6>&-
  } 4>&1
)
exit "${sb_status:-137}"
