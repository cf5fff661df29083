# What can a step do? Tries it, and writes a line `NAME<TAB>WHAT CAME OF IT` for each try to audit.tsv in its directory: the
# name of an error, "done" where it worked, or what was read. Then it waits, so that it can be looked at from outside. What
# to try where is told on standard input, a line `WHAT<TAB>VALUE` each. Needs perl-base and nothing else. A try that should
# not work is made so that it does no harm if it does.
use strict;
use warnings;
use Errno;
use Fcntl;
use MIME::Base64;
use POSIX ();
use Socket;

my %given;
while (<STDIN>) {
  chomp;
  my ($what, $value) = split /\t/, $_, 2;
  push @{ $given{$what} }, $value;
}
open my $report, '>', 'audit.part' or die "audit.part: $!";
select((select($report), $| = 1)[0]);

sub told { my ($name, $found) = @_; $found =~ s/[\t\n\0]+/ /g; $found =~ s/ +$//; print $report "$name\t$found\n" }
sub error_name { my ($name) = grep { $!{$_} } sort keys %!; return $name || "error " . ($! + 0) }
sub came { return $_[0] ? 'done' : error_name() }
# A try in a process of its own, so that what it changes goes with it.
sub apart {
  my ($try) = @_;
  pipe(my $reader, my $writer) or return 'no pipe';
  my $child = fork;
  return 'no fork' unless defined $child;
  if ($child == 0) { syswrite $writer, $try->(); POSIX::_exit(0) }
  close $writer;
  my $found = join '', <$reader>;
  waitpid $child, 0;
  return $found eq '' ? 'ended by signal ' . ($? & 127) : $found;
}
sub whole { my ($file) = @_; local $/; open my $in, '<', $file or return undef; return scalar <$in> }
sub status { my ($field) = @_; my ($value) = (whole('/proc/self/status') || '') =~ /^$field:\s*(.*)$/m; return $value // 'none' }

my $release = (POSIX::uname())[2];
told('kernel/release', $release);
# A runtime with a kernel of its own, such as gVisor's, has no power over the host's by what that one lets happen.
my $shared = $release eq ($given{kernel} || [''])->[0];

# user
told("user/$_", status($_)) for qw(Uid Gid Groups CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp);
told('user/setuid 0', apart(sub { came(defined POSIX::setuid(0)) }));
told('user/setgid 0', apart(sub { came(defined POSIX::setgid(0)) }));
told("namespaces/$_", readlink("/proc/self/ns/$_") // error_name()) for qw(cgroup ipc mnt net pid uts);

# system calls
my $machine = (POSIX::uname())[4];
my %number = $machine eq 'x86_64'
  ? (mount => 165, umount2 => 166, unshare => 272, setns => 308, ptrace => 101, bpf => 321, perf_event_open => 298,
    keyctl => 250, add_key => 248, kexec_load => 246, init_module => 175, finit_module => 313, delete_module => 176,
    open_by_handle_at => 304, pivot_root => 155, swapon => 167, reboot => 169, settimeofday => 164, sethostname => 170,
    userfaultfd => 323, chroot => 161, mknodat => 259, acct => 163, process_vm_readv => 310, clone => 56, syslog => 103,
    fsopen => 430, open_tree => 428, iopl => 172, quotactl => 179)
  : (mount => 40, umount2 => 39, unshare => 97, setns => 268, ptrace => 117, bpf => 280, perf_event_open => 241,
    keyctl => 219, add_key => 217, kexec_load => 104, init_module => 105, finit_module => 273, delete_module => 106,
    open_by_handle_at => 265, pivot_root => 41, swapon => 224, reboot => 142, settimeofday => 170, sethostname => 161,
    userfaultfd => 282, chroot => 51, mknodat => 33, acct => 89, process_vm_readv => 270, clone => 220, syslog => 116,
    fsopen => 430, open_tree => 428, quotactl => 60);
my $zeros = "\0" x 256;
# The kernel writes into some of them: perl must not take them for constants.
my @text = map { "$_\0" } '/tmp/audit', 'tmpfs', '/', 'none';
my ($tmp, $tmpfs, $root, $none) = @text;
mkdir '/tmp/audit';
my @now = (time, 0);
my $now = pack 'q2', @now;
my $host = (POSIX::uname())[1];
my %call = (
  'mount a tmpfs' => [mount => $none, $tmp, $tmpfs, 0, 0],
  'mount --bind' => [mount => $root, $tmp, $none, 4096, 0],
  'remount / writable' => [mount => $none, $root, $none, 32 | 4096, 0],
  'umount' => [umount2 => "/proc/keys\0", 0],
  'unshare a user namespace' => [unshare => 0x10000000],
  'unshare a mount namespace' => [unshare => 0x00020000],
  'unshare a network namespace' => [unshare => 0x40000000],
  'unshare a pid namespace' => [unshare => 0x20000000],
  'clone into a user namespace' => [clone => 0x10000000 | 17, 0, 0, 0, 0],
  'pivot_root' => [pivot_root => $root, $root],
  'chroot' => [chroot => $tmp],
  'fsopen' => [fsopen => $tmpfs, 0],
  'open_tree' => [open_tree => -100, $root, 1],
  'open_by_handle_at' => [open_by_handle_at => -100, pack('Ll', 8, 1) . $zeros, 0],
  'bpf' => [bpf => 0, pack('L4', 2, 4, 4, 1) . $zeros, 64],
  'perf_event_open' => [perf_event_open => pack('L2', 1, 112) . $zeros, 0, -1, -1, 0],
  'keyctl' => [keyctl => 0, -3, 0, 0, 0],
  'add_key' => [add_key => "user\0", "audit\0", "x\0", 1, -2],
  'kexec_load' => [kexec_load => 0, 0, 0, 0],
  'init_module' => [init_module => $zeros, 256, $zeros],
  'finit_module' => [finit_module => 0, $zeros, 0],
  'delete_module' => [delete_module => "signalbox_audit\0", 0],
  'swapon' => [swapon => $tmp, 0],
  'reboot' => [reboot => 0, 0, 0, 0],
  'settimeofday' => [settimeofday => $now, 0],
  'sethostname' => [sethostname => "$host", length $host],
  'userfaultfd' => [userfaultfd => 0],
  'mknod a disk' => [mknodat => -100, "/tmp/audit-disk\0", 0060600, 0x800],
  'acct' => [acct => 0],
  'quotactl' => [quotactl => 0x80000100, $none, 0, $zeros],
  'read the kernel log' => [syslog => 3, $zeros, 16],
  ($machine eq 'x86_64' ? ('iopl' => [iopl => 3]) : ()),
);
for my $name (sort keys %call) {
  my ($which, @args) = @{ $call{$name} };
  told("system calls/$name", apart(sub {
    my $result = syscall($number{$which}, @args);
    # Of clone, the other side.
    POSIX::_exit(0) if $which eq 'clone' && $result == 0;
    return came($result >= 0);
  }));
}
told('system calls/setns', apart(sub {
  sysopen(my $ns, '/proc/1/ns/mnt', O_RDONLY) or return error_name();
  return came(syscall($number{setns}, fileno $ns, 0) >= 0);
}));
for (['a raw IP socket', AF_INET, SOCK_RAW, 1], ['a packet socket', 17, SOCK_RAW, 0x300]) {
  my ($name, @socket) = @$_;
  told("system calls/open $name", came(socket(my $socket, $socket[0], $socket[1], $socket[2])));
}

# /proc and /sys
for my $file (@{ $given{kernel_file} || [] }) {
  told("proc and sys/write $file", came(sysopen(my $out, $file, O_WRONLY)));
}
told('proc and sys/protect itself from the OOM killer', apart(sub {
  sysopen(my $out, '/proc/self/oom_score_adj', O_WRONLY) or return error_name();
  return came(defined syswrite $out, '-1000');
}));
for my $file (@{ $given{masked} || [] }) {
  my $found = 'empty';
  if (-d $file) {
    if (opendir my $directory, $file) { my @names = grep { !/^\.\.?$/ } readdir $directory; $found = "shows @names" if @names }
  } elsif (open my $in, '<', $file) {
    my $read = sysread $in, my $data, 64;
    $found = 'shows ' . length $data if $read;
  }
  told("proc and sys/read $file", $found);
}

# files and devices
for my $directory (@{ $given{read_only} || [] }) {
  told("files/create in $directory", came(sysopen(my $out, "$directory/signalbox-audit", O_WRONLY | O_CREAT | O_EXCL)));
  unlink "$directory/signalbox-audit";
}
told("files/write $_", came(sysopen(my $out, $_, O_WRONLY))) for @{ $given{not_writable} || [] };
told("files/see $_", came(-e $_ || -l $_)) for @{ $given{absent} || [] };
my @shared = grep { / shared:\d+/ } split /\n/, whole('/proc/self/mountinfo') || '';
told('files/mounts that propagate', @shared ? "@shared" : 'none');
my (@sockets, @disks);
my @todo = ('/');
while (defined(my $directory = shift @todo)) {
  next if $directory =~ m{^/(proc|sys)$};
  opendir my $handle, $directory or next;
  for my $name (readdir $handle) {
    next if $name eq '.' || $name eq '..';
    my $path = ($directory eq '/' ? '' : $directory) . "/$name";
    my $mode = (lstat $path)[2] or next;
    push @todo, $path if POSIX::S_ISDIR($mode);
    push @sockets, $path if ($mode & 0170000) == 0140000;
    push @disks, $path if POSIX::S_ISBLK($mode);
  }
}
told('files/sockets', @sockets ? "@sockets" : 'none');
told('devices/disks', @disks ? "@disks" : 'none');
opendir my $dev, '/dev';
my %ordinary = map { $_ => 1 } qw(. .. console core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero);
my @others = sort grep { !$ordinary{$_} } readdir $dev;
told('devices/others than the ordinary', @others ? "@others" : 'none');
told("devices/open $_", came(sysopen(my $in, $_, O_RDONLY))) for @{ $given{device} || [] };

# processes
my ($mark) = @{ $given{mark} || [''] };
my @seen = grep {
  my $process = $_;
  grep { index((whole("/proc/$process/$_") || ''), $mark) >= 0 } 'cmdline', 'environ'
} map { m{^/proc/(\d+)$} ? $1 : () } glob '/proc/[0-9]*';
told('processes/others that are seen', @seen ? "@seen" : 'none');
for (@{ $given{process} || [] }) {
  my ($name, $pid) = /^(.*) (\d+)$/;
  told("processes/signal $name", came(kill 0, $pid));
  told("processes/ptrace $name", apart(sub { came(syscall($number{ptrace}, 16, $pid + 0, 0, 0) >= 0) }));
  my $vector = pack 'PQ', $zeros, 16;
  told("processes/read memory of $name", came(syscall($number{process_vm_readv}, $pid + 0, $vector, 1, $vector, 1, 0) >= 0));
}
# An orphan's end has to be noticed by the first process, or it stays in the table.
pipe(my $from, my $to);
if (fork == 0) {
  my $orphan = fork;
  if ($orphan == 0) { select undef, undef, undef, 0.1; POSIX::_exit(0) }
  syswrite $to, $orphan;
  POSIX::_exit(0);
}
close $to;
sysread $from, my $orphan, 16;
wait;
for (1 .. 30) { last unless -e "/proc/$orphan"; select undef, undef, undef, 0.1 }
told('processes/orphans', -e "/proc/$orphan" ? 'stay as ' . ((whole("/proc/$orphan/stat") || '') =~ /\) (\w)/)[0] : 'are reaped');

# network
sub connected {
  my ($address, $hello) = @_;
  socket(my $socket, sockaddr_family($address), SOCK_STREAM, 0) or return error_name();
  fcntl $socket, F_SETFL, O_NONBLOCK;
  if (!connect($socket, $address)) {
    return error_name() unless $!{EINPROGRESS};
    my $wanted = '';
    vec($wanted, fileno $socket, 1) = 1;
    return 'ETIMEDOUT' unless select undef, $wanted, undef, 2;
    $! = unpack 'i', getsockopt($socket, SOL_SOCKET, SO_ERROR);
    return error_name() if $!;
  }
  return 'done' unless defined $hello;
  syswrite $socket, $hello;
  my $wanted = '';
  vec($wanted, fileno $socket, 1) = 1;
  return 'silence' unless select $wanted, undef, undef, 3;
  sysread $socket, my $answer, 256;
  return $answer =~ m{^HTTP/1\.1 (\d+)} ? $1 : 'no HTTP';
}
sub address_of {
  my ($host, $port) = @_;
  return $host =~ /:/ ? pack_sockaddr_in6($port, Socket::inet_pton(AF_INET6, $host)) : pack_sockaddr_in($port, inet_aton($host));
}
my @interfaces = map { /^\s*([^:\s]+):/ ? $1 : () } split /\n/, whole('/proc/net/dev') || '';
told('network/interfaces', join ' ', sort @interfaces);
my @routes = grep { /^\S+\s+[0-9A-F]{8}\s/ } split /\n/, whole('/proc/net/route') || '';
told('network/routes', @routes ? scalar(@routes) . ' routes' : 'none');
for (@{ $given{connect} || [] }) {
  my ($name, $host, $port) = /^(.*) (\S+) (\d+)$/;
  told("network/connect to $name", connected(address_of($host, $port)));
}
for (@{ $given{datagram} || [] }) {
  my ($name, $host, $port) = /^(.*) (\S+) (\d+)$/;
  socket(my $socket, AF_INET, SOCK_DGRAM, 0);
  told("network/send to $name", came(defined send $socket, 'canary', 0, address_of($host, $port)));
}
for my $name (@{ $given{name} || [] }) { told("network/resolve $name", gethostbyname $name ? 'done' : 'no answer') }
for my $name (@{ $given{abstract} || [] }) {
  socket(my $socket, AF_UNIX, SOCK_STREAM, 0);
  told('network/connect to an abstract socket of the host', came(connect $socket, pack 'Sa*', AF_UNIX, "\0$name"));
}
my ($gateway) = @{ $given{gateway} || [] };
my @gateway = address_of(split / /, $gateway);
told('network/the gateway answers', connected(@gateway, "GET /v1/models HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"));
for my $target (@{ $given{proxy} || [] }) {
  my $login = ($ENV{HTTPS_PROXY} || '') =~ m{//(.*)@} ? $1 : "signalbox:$ENV{OPENAI_API_KEY}";
  my $allow = encode_base64($login, '');
  my $hello = "CONNECT $target HTTP/1.1\r\nHost: $target\r\nProxy-Authorization: Basic $allow\r\n\r\n";
  told("network/through the gateway to $target", connected(@gateway, $hello));
}

# environment
told('environment/variables', join ' ', sort keys %ENV);
my ($secret) = @{ $given{secret} || [''] };
my @leaks = grep { index((whole($_) || ''), $secret) >= 0 } glob '/proc/[0-9]*/environ /proc/[0-9]*/cmdline';
told('environment/a secret of the worker', @leaks ? "in @leaks" : 'none');

# limits
my $limits = whole('/proc/self/limits') || '';
told("limits/$_->[1]", $limits =~ /^$_->[0]\s+(\S+)\s+(\S+)/m ? "$1 $2" : 'none') for ['Max file size', 'file size'], ['Max core file size', 'core dumps'];
told('limits/write beyond the file size', apart(sub {
  $SIG{XFSZ} = 'IGNORE';
  my ($most) = @{ $given{file_size} };
  sysopen(my $out, '/tmp/audit-large', O_WRONLY | O_CREAT) or return error_name();
  unlink '/tmp/audit-large';
  sysseek $out, $most, 0;
  return came(syswrite $out, 'x');
}));
for my $place ('/tmp', $ENV{HOME}, '/dev/shm') {
  my ($options) = grep { defined } map { m{^\S+ \Q$place\E (tmpfs \S+)} ? $1 : undef } split /\n/, whole('/proc/mounts') || '';
  told("limits/$place", $options // 'no tmpfs');
}
told('limits/processes', !$shared ? 'not tried' : apart(sub {
  my ($most) = @{ $given{processes} };
  my @children;
  my $error = 'none';
  while (@children < $most + 50) {
    my $child = fork;
    if (!defined $child) { $error = error_name(); last }
    if ($child == 0) { sleep 60; POSIX::_exit(0) }
    push @children, $child;
  }
  kill 'KILL', @children;
  waitpid $_, 0 for @children;
  return "$error after " . (@children > $most ? 'more' : 'fewer') . " than $most";
}));

close $report;
rename 'audit.part', 'audit.tsv';
sleep 60;
