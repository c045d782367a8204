#!/usr/bin/perl
# httpd PORT TEXT: answers every request with 200 and TEXT. perl-base has all of it.
use strict;
use warnings;
use IO::Socket::INET;

my ($port, $text) = @ARGV;
$SIG{TERM} = sub { exit 0 };
my $server = IO::Socket::INET->new(LocalPort => $port, Listen => 16, ReuseAddr => 1)
    or die "listen on port $port: $!\n";
print STDERR "listening on port $port\n";
while (my $client = $server->accept) {
    $client->timeout(5);
    while (defined(my $line = <$client>)) { last if $line =~ /^\r?$/ }
    my $body = "$text\n";
    print $client "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: "
        . length($body) . "\r\nConnection: close\r\n\r\n$body";
    close $client;
}
