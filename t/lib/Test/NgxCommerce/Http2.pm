package Test::NgxCommerce::Http2;

# Copyright (C) ngx_commerce authors
#
# As much of an HTTP/2 client as tests of lifetimes need: prior knowledge, requests with literal headers, resets.
#
#   my $h2 = Test::NgxCommerce::Http2->new($t, 8090);
#   my $stream = $h2->request($load->order(...), part => 10);    # part: only so many bytes of the body
#   $h2->reset($stream);
#   $h2->status($stream);       # 'reset', 'closed' or 'timeout' if there is none

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::NgxCommerce;
use Time::HiRes qw(time);

my %FRAME = (data => 0, headers => 1, reset => 3, settings => 4);
my %INDEXED = (8 => 200, 9 => 204, 10 => 206, 11 => 304, 12 => 400, 13 => 404, 14 => 500);


sub new
{
    my ($class, $t, $port) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $t->port($port)) or die "connect: $!\n";

    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;

    my $self = bless { socket => $socket, in => '', next => 1, streams => {} }, $class;

    $self->_write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . _frame('settings', 0, 0, ''));

    return $self;
}


# a request as for parallel(), with a body

sub request
{
    my ($self, $request, %option) = @_;
    my $stream = $self->{next};
    my $body = Test::NgxCommerce::json()->encode($request->{body});
    my $part = $option{part} // length $body;
    my %headers = %{$request->{headers} || {}};
    my $block = _header(':method', $request->{method} // 'GET') . _header(':scheme', 'http')
                . _header(':path', $request->{uri}) . _header(':authority', 'localhost')
                . _header('content-type', 'application/json') . _header('content-length', length $body)
                . join '', map { _header(lc, $headers{$_}) } sort keys %headers;

    $self->{next} += 2;

    $self->_write(_frame('headers', 0x4, $stream, $block)
                  . _frame('data', $part == length $body ? 0x1 : 0, $stream, substr $body, 0, $part));

    return $stream;
}


sub reset
{
    my ($self, $stream) = @_;

    $self->_write(_frame('reset', 0, $stream, pack 'N', 8));
}


sub close
{
    my ($self) = @_;

    CORE::close $self->{socket};
}


sub status
{
    my ($self, $stream, $timeout) = @_;
    my $end = time + ($timeout // 8);
    my $select = IO::Select->new($self->{socket});

    while (!$self->{streams}{$stream}{end}) {
        return 'timeout' if time >= $end;

        $select->can_read($end - time) or next;
        sysread($self->{socket}, $self->{in}, 65536, length $self->{in}) or return 'closed';
        $self->_frames;
    }

    return $self->{streams}{$stream}{status};
}


sub _frames
{
    my ($self) = @_;

    while (length $self->{in} >= 9) {
        my ($high, $low, $type, $flags, $id) = unpack 'CnCCN', $self->{in};
        my $length = $high * 65536 + $low;

        last if length $self->{in} < 9 + $length;

        my $payload = substr substr($self->{in}, 0, 9 + $length, ''), 9;
        my $stream = $self->{streams}{$id} //= {};

        if ($type == $FRAME{headers}) {
            $payload =~ s/^[\x20-\x3f]+//;      # table sizes

            my $field = ord $payload;
            $stream->{status} = $field & 0x80 ? $INDEXED{$field & 0x7f} : substr $payload, 2, 3;
        }
        elsif ($type == $FRAME{reset}) {
            $stream->{status} //= 'reset';
            $stream->{end} = 1;
        }
        elsif ($type == $FRAME{settings} && !($flags & 0x1)) {
            $self->_write(_frame('settings', 0x1, 0, ''));
        }

        $stream->{end} = 1 if $flags & 0x1 && ($type == $FRAME{headers} || $type == $FRAME{data});
    }
}


sub _frame
{
    my ($type, $flags, $stream, $payload) = @_;

    return substr(pack('N', length $payload), 1) . pack('CCN', $FRAME{$type}, $flags, $stream) . $payload;
}


# literal, not indexed, not compressed

sub _header
{
    my ($name, $value) = @_;

    die "too long: $value\n" if length $value > 126;

    return "\0" . chr(length $name) . $name . chr(length $value) . $value;
}


sub _write
{
    my ($self, $bytes) = @_;

    syswrite $self->{socket}, $bytes;
}


1;
