# Puts *** in the place of secrets, line by line, as activities/redaction/redactor.ts does.
#
#   perl redact.pl RULES
#
# The first lines of the input, up to an empty one, say what is known: `=` and a text to hide, or `~` and a pattern. The
# rest is passed on. RULES is secret-rules.tsv: the shapes of secrets that nobody told us.

use strict;
use warnings;
no warnings 'regexp';

# Of a line longer than this, the beginning is passed on; as many bytes as a secret may have are held back.
my ($LONGEST, $OVERLAP) = (4_000_000, 64_000);
# A private key that never ends must not hide everything after it.
my $LONGEST_KEY = 200;

binmode STDIN;
binmode STDOUT;
my $input = '';
my $over = 0;

sub more {
  my $got = sysread STDIN, $input, 262_144, length $input;
  $over = 1 unless $got;
  return $got;
}

sub show {
  my ($text) = @_;
  for (my $at = 0; $at < length $text;) { $at += syswrite(STDOUT, $text, length($text) - $at, $at) || exit 1 }
}

# Passes nothing on, and does not break the pipe that somebody writes to.
sub withhold {
  my ($why) = @_;
  show("signalbox: $why, so this output is withheld\n");
  1 while sysread STDIN, $input, 262_144;
  exit;
}

sub pattern {
  my ($text) = @_;
  return eval { qr/$text/ } // withhold("the pattern $text of redact.patterns is none that perl takes");
}

1 while index("\n$input", "\n\n") < 0 && more();
my $header = index("\n$input", "\n\n");
exit 1 if $header < 0;
my @told = split /\n/, substr($input, 0, $header);
$input = substr $input, $header + 1;
my @texts = sort { length $b <=> length $a } map { /^=(.+)/s ? $1 : () } @told;
my $known = @texts ? join('|', map quotemeta, @texts) : '(?!)';
$known = qr/$known/;
my @patterns = map { /^~(.+)/s ? pattern($1) : () } @told;

# Read before the command can touch it, taken apart when there is something to look at: most streams stay empty.
open my $file, '<', $ARGV[0] or withhold("$ARGV[0] cannot be read");
my $rules = do { local $/; <$file> };
close $file;
my (@rules, $keyword);

sub prepare {
  my %keywords;
  for (split /\n/, $rules) {
    next if /^#/;
    my (undef, $entropy, $words, $pattern) = split /\t/;
    my @words = split /,/, $words;
    $keywords{$_} = 1 for @words;
    push @rules, { entropy => $entropy, words => \@words, pattern => $pattern };
  }
  my $any = join '|', map quotemeta, keys %keywords;
  return qr/$any/;
}

# Bits a character.
sub entropy {
  my ($text) = @_;
  my %count;
  $count{$_}++ for split //, $text;
  my $bits = 0;
  $bits -= $_ / length($text) * log($_ / length $text) / log 2 for values %count;
  return $bits;
}

# Where secrets of a known shape are. Escapes before one would look like a part of it.
sub shapes {
  my ($text) = @_;
  my @found;
  my $lower = lc $text;
  $keyword //= prepare();
  return () unless $lower =~ $keyword;
  $text =~ s/(\\u001b\[[0-9;]*m)/' ' x length $1/ge if index($lower, 'u001b') >= 0;
  $text =~ s/(\e\[[0-9;]*[A-Za-z])/' ' x length $1/ge if index($text, "\e") >= 0;
  $text =~ s/\\[nrtbf]/  /g;
  $text =~ s/%[0-9A-Fa-f]{2}/   /g;
  for my $rule (@rules) {
    next unless grep { index($lower, $_) >= 0 } @{ $rule->{words} };
    my $pattern = $rule->{compiled} //= qr/$rule->{pattern}/;
    while ($text =~ /$pattern/g) {
      my ($from, $to) = defined $1 ? ($-[1], $+[1]) : ($-[0], $+[0]);
      next if $rule->{entropy} > 0 && entropy(substr $text, $from, $to - $from) <= $rule->{entropy};
      push @found, [$from, $to];
    }
  }
  return @found;
}

sub decoded {
  my ($run) = @_;
  $run =~ tr{-_}{+/};
  $run =~ tr{A-Za-z0-9+/}{ -_};
  $run = substr $run, 0, length($run) - 1 if length($run) % 4 == 1;
  return join '', map { unpack 'u', chr(32 + int(length($_) * 3 / 4)) . $_ } $run =~ /(.{1,60})/gs;
}

sub spans {
  my ($text) = @_;
  my @found;
  push @found, [$-[0], $+[0]] while $text =~ /$known/g;
  for my $pattern (@patterns) {
    while ($text =~ /$pattern/g) { push @found, [$-[0], $+[0]] if $+[0] > $-[0] }
  }
  push @found, shapes($text);
  while ($text =~ m{[A-Za-z0-9+/_-]{24,}}g) {
    my ($from, $to) = ($-[0], $+[0]);
    push @found, [$from, $to] if shapes(decoded(substr $text, $from, $to - $from));
  }
  my @merged;
  for my $span (sort { $a->[0] <=> $b->[0] } @found) {
    if (@merged && $span->[0] <= $merged[-1][1]) {
      $merged[-1][1] = $span->[1] if $span->[1] > $merged[-1][1];
    } else {
      push @merged, [@$span];
    }
  }
  return @merged;
}

sub hidden {
  my ($text, @spans) = @_;
  my ($out, $at) = ('', 0);
  for my $span (@spans) {
    $out .= substr($text, $at, $span->[0] - $at) . '***';
    $at = $span->[1];
  }
  return $out . substr $text, $at;
}

# Lines of a private key that are still to be hidden.
my $key = 0;

sub pass {
  my ($line) = @_;
  if ($key > 0) {
    $key = $line =~ /-----END / ? 0 : $key - 1;
    return;
  }
  my @spans = spans($line);
  $key = $LONGEST_KEY if $line =~ /-----BEGIN[ A-Z0-9_-]{0,100}PRIVATE KEY/ && $line !~ /PRIVATE KEY.*-----END /s;
  show(@spans ? hidden($line, @spans) : $line);
}

while (1) {
  my $at = 0;
  while ((my $end = index $input, "\n", $at) >= 0) {
    pass(substr $input, $at, $end + 1 - $at);
    $at = $end + 1;
  }
  $input = substr $input, $at if $at > 0;
  last if $over;
  if (length $input > $LONGEST) {
    my $cut = length($input) - $OVERLAP;
    my @before = ();
    for my $span (spans($input)) {
      last if $span->[0] >= $cut;
      push @before, $span;
      $cut = $span->[1] if $span->[1] > $cut;
    }
    show(hidden(substr($input, 0, $cut), @before));
    $input = substr $input, $cut;
  }
  more();
}
pass($input) if length $input;
