# Lets a step without a network reach one socket of the host, as a port of its loopback.
#
#   perl step-forward.pl PORT SOCKET COMMAND ARGUMENT...
#
# Listens on 127.0.0.1:PORT, then becomes the command. A process of its own carries each connection to the Unix socket,
# which is looked up anew each time: whoever listens there may be replaced.
use strict;
use warnings;
use Socket;

my ($port, $path) = splice @ARGV, 0, 2;
socket(my $listener, PF_INET, SOCK_STREAM, 0) or die "signalbox: socket: $!\n";
setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1);
bind($listener, pack_sockaddr_in($port, INADDR_LOOPBACK)) or die "signalbox: port $port: $!\n";
listen($listener, 128) or die "signalbox: listen: $!\n";
my $pid = fork;
die "signalbox: fork: $!\n" unless defined $pid;
if ($pid) {
  close $listener;
  exec { $ARGV[0] } @ARGV or die "signalbox: $ARGV[0]: $!\n";
}

open STDIN, '<', '/dev/null';
open STDOUT, '>', '/dev/null';
open STDERR, '>', '/dev/null';
# The command's end must not be asked of us first: we end with it.
$SIG{$_} = 'IGNORE' for qw(INT TERM HUP PIPE CHLD);
while (1) {
  accept(my $inside, $listener) or next;
  next if fork;
  close $listener;
  socket(my $outside, PF_UNIX, SOCK_STREAM, 0) or exit 1;
  connect($outside, pack_sockaddr_un($path)) or exit 1;
  carry($inside, $outside);
  exit 0;
}

# Copies both ways until both have ended; one that ends is told to the other side at once.
sub carry {
  my %to = (fileno $_[0] => $_[1], fileno $_[1] => $_[0]);
  my %from = map { fileno $_ => $_ } @_;
  while (%from) {
    my $ready = '';
    vec($ready, $_, 1) = 1 for keys %from;
    next if select($ready, undef, undef, undef) <= 0;
    for my $number (grep { vec $ready, $_, 1 } keys %from) {
      my $got = sysread $from{$number}, my $data, 65536;
      if (!$got) {
        shutdown $to{$number}, 1;
        delete $from{$number};
        next;
      }
      for (my $at = 0; $at < $got;) {
        my $written = syswrite $to{$number}, $data, $got - $at, $at;
        return unless $written;
        $at += $written;
      }
    }
  }
}
