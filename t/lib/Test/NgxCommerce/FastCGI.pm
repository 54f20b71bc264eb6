package Test::NgxCommerce::FastCGI;

# Copyright (C) ngx_commerce authors
#
# The least FastCGI responder that nginx talks to: answers each request's parameters and body as JSON.

use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP ();

use constant { END_REQUEST => 3, PARAMS => 4, STDIN_ => 5, STDOUT_ => 6 };

my $JSON = JSON::PP->new->canonical->latin1;


sub serve
{
    my ($port) = @_;

    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port,
        Listen => 128, ReuseAddr => 1) or die "port $port: $!\n";

    while (my $client = $listener->accept) {
        eval { _answer($client) };
        close $client;
    }
}


sub _answer
{
    my ($client) = @_;
    my ($params, $body) = ('', '');

    while (1) {
        my (undef, $type, $id, $length, $padding) = unpack 'CCnnC', _read($client, 8);
        my $content = _read($client, $length);

        _read($client, $padding);

        if ($type == PARAMS) {
            $params .= $content;
        }
        elsif ($type == STDIN_) {
            $body .= $content;
            next if $length;

            my $json = $JSON->encode({ params => _params($params), body => $body });
            my $out = "Status: 200\r\nContent-Type: application/json\r\n\r\n$json";

            print {$client} _record(STDOUT_, $id, substr $out, 0, 32768, '') while length $out;
            print {$client} _record(STDOUT_, $id, ''), _record(END_REQUEST, $id, "\0" x 8);
            $client->flush;
            return;
        }
    }
}


sub _read
{
    my ($client, $length) = @_;
    my $data = '';

    while (length $data < $length) {
        read $client, $data, $length - length $data, length $data or die "closed\n";
    }

    return $data;
}


sub _record
{
    my ($type, $id, $content) = @_;

    return pack('CCnnCx', 1, $type, $id, length $content, 0) . $content;
}


sub _params
{
    my ($data) = @_;
    my %params;

    while (length $data) {
        my ($name, $value) = (_length(\$data), _length(\$data));

        $name = substr $data, 0, $name, '';
        $params{$name} = substr $data, 0, $value, '';
    }

    return \%params;
}


sub _length
{
    my ($data) = @_;
    my $length = ord $$data;

    return ord substr $$data, 0, 1, '' if $length < 128;
    return unpack('N', substr $$data, 0, 4, '') & 0x7fffffff;
}


1;
