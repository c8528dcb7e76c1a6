#!/usr/bin/perl
# The same in Perl (see function.c).
use strict;
use warnings;
use IO::Socket::INET;
use JSON::PP;

$| = 1;
binmode STDIN;
binmode STDOUT;
my ($shape, $more) = @ARGV;

# One request from a handle, answered on another; false: there is none.
sub answer {
  my ($in, $out) = @_;
  defined(my $first = <$in>) or return 0;
  my ($length, $body) = (0, '');
  while (defined(my $line = <$in>)) {
    last if $line eq "\r\n";
    $length = $1 if $line =~ /^content-length:\s*(\d+)/i;
  }
  read $in, $body, $length if $length;
  $first =~ s/\r\n//;
  $body = "$first\n$body";
  print $out "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ", length $body, "\r\n\r\n", $body;
  return 1;
}

sub serve {
  my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $more, Listen => 64, ReuseAddr => 1)
    or die "listen: $!\n";
  $SIG{CHLD} = 'IGNORE';
  while (my $peer = $listener->accept) {
    next if fork;
    $peer->autoflush;
    1 while answer($peer, $peer);
    exit;
  }
}

sub whole { local $/; my $all = <STDIN>; return defined $all ? $all : '' }

my %shapes = (
  upper => sub { print uc whole() },
  invert => sub { print ~whole() },
  greet => sub { print encode_json({hello => decode_json(whole())->{name}}) },
  ignore => sub { print "not read\n" },
  env => sub { print exists $ENV{$more} ? $ENV{$more} : '(none)', "\n" },
  lines => sub { while (my $line = <STDIN>) { print "$. $line" } },
  http => \&serve,
  burn => sub { 1 while answer(\*STDIN, \*STDOUT) },
);
$shapes{$shape}->();
