#!/bin/sh
# Says what a step would find in an image: a line for each thing that it has and that works, as the user that steps are. Run
# in a container like theirs, without a network.

sb_works() {
  sb_name=$1
  shift
  "$@" >/dev/null 2>&1 </dev/null && echo "works $sb_name"
}

for sb_tool in cat grep head kill rm sleep timeout perl awk git node rg socat; do
  command -v "$sb_tool" >/dev/null 2>&1 && echo "has $sb_tool"
done
sb_works timeout timeout -k 1 5 /bin/sh -c :
sb_works perl perl -e 'use strict; use warnings; sysread STDIN, my $data, 1; exit 0'
sb_works awk awk 'BEGIN { exit 0 }'
sb_works git git --version
sb_works node node --version
sb_works rg rg --version
sb_works socat socat -V
for sb_tool in cat grep head kill rm sleep; do
  command -v "$sb_tool" >/dev/null 2>&1 && echo "works $sb_tool"
done
for sb_file in /etc/ssl/certs/ca-certificates.crt /etc/ssl/cert.pem /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem; do
  [ -s "$sb_file" ] && echo 'has certificates'
  [ -s "$sb_file" ] && [ -r "$sb_file" ] && echo 'works certificates'
done
echo 'works sh'
