package Model::Loop;

# Copyright (C) ngx_commerce authors
#
# One process that is all clients and the storefront at once, so that it knows what came before what.
#
#   my $loop = Model::Loop->new(listen => $port, serve => sub { my ($connection, $request) = @_; ... });
#
#   $loop->request($port, $bytes, $timeout, sub { my ($answer, $error) = @_; ... });    # hang up: timeout
#   $loop->reply($connection, $bytes);  $loop->hang_up($connection);                     # the storefront
#   $loop->after($seconds, sub { ... });
#   $loop->command([@command], {environment}, sub { my ($code, $out, $err) = @_; ... });
#   $loop->run(sub { true when it is over });
#
# The same as Test::NgxCommerce::parallel, but nobody waits for anybody.

use strict;
use warnings;

use Errno qw(EAGAIN EINPROGRESS EINTR);
use IO::Select;
use IO::Socket::INET;
use POSIX qw(:sys_wait_h);
use Socket qw(inet_aton pack_sockaddr_in);
use Time::HiRes qw(sleep time);


sub new
{
    my ($class, %option) = @_;

    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $option{listen}, Listen => 1024,
        ReuseAddr => 1, Blocking => 0) or die "cannot listen on $option{listen}: $!\n";

    return bless {
        %option,
        listener => $listener,
        reading  => IO::Select->new($listener),
        writing  => IO::Select->new,
        peers    => {},                 # fileno => what we know about it
        timers   => [],
        commands => {},
    }, $class;
}


sub after
{
    my ($self, $seconds, $code) = @_;

    @{$self->{timers}} = sort { $a->[0] <=> $b->[0] } @{$self->{timers}}, [ time + $seconds, $code ];
}


sub request
{
    my ($self, $port, $bytes, $timeout, $done) = @_;

    socket my $socket, Socket::PF_INET(), Socket::SOCK_STREAM(), 0 or die "socket: $!\n";
    IO::Handle::blocking($socket, 0);

    if (!connect($socket, pack_sockaddr_in($port, inet_aton('127.0.0.1'))) && $! != EINPROGRESS && $! != EAGAIN) {
        my $error = "$!";

        return $self->after(0.05, sub { $done->(Test::NgxCommerce::answer_parse(''), $error) });
    }

    $self->{peers}{fileno $socket} = { socket => $socket, client => 1, in => '', out => $bytes,
        until => time + $timeout, done => $done };

    $self->{writing}->add($socket);
    $self->{reading}->add($socket);
}


sub reply
{
    my ($self, $connection, $bytes) = @_;

    return if $connection->{gone};

    $connection->{out} .= $bytes;
    $self->{writing}->add($connection->{socket});
}


sub hang_up
{
    my ($self, $peer) = @_;

    return if $peer->{gone}++;

    delete $self->{peers}{fileno $peer->{socket}};
    $self->{reading}->remove($peer->{socket});
    $self->{writing}->remove($peer->{socket});
    close $peer->{socket};
}


sub command
{
    my ($self, $command, $environment, $done) = @_;
    my $base = "$self->{dir}/model." . ++$self->{number};
    my $pid = fork // die "cannot fork: $!\n";

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$base.out";
        open STDERR, '>', "$base.err";
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
        @ENV{keys %$environment} = values %$environment;
        exec { $command->[0] } @$command or POSIX::_exit(127);
    }

    $self->{commands}{$pid} = [ $base, $done ];

    return $pid;
}


sub _commands
{
    my ($self) = @_;

    for my $pid (keys %{$self->{commands}}) {
        next if waitpid($pid, WNOHANG) != $pid;

        my $code = $? >> 8 | ($? & 127 ? 256 : 0);
        my ($base, $done) = @{delete $self->{commands}{$pid}};
        my @texts;

        for my $path ("$base.out", "$base.err") {
            open my $file, '<', $path;
            push @texts, join '', <$file>;
            unlink $path;
        }

        $done->($code, @texts);
    }
}


sub run
{
    my ($self, $over) = @_;

    while (!$over->()) {
        my $now = time;

        while (@{$self->{timers}} && $self->{timers}[0][0] <= $now) {
            (shift @{$self->{timers}})->[1]->();
        }

        for my $peer (grep { $_->{client} && $_->{until} <= $now } values %{$self->{peers}}) {
            $self->_finish($peer, 'no answer in time');
        }

        $self->_commands if %{$self->{commands}};
        $self->_turn;
    }
}


sub _turn
{
    my ($self) = @_;
    my ($readable, $writable) = IO::Select->select($self->{reading}, $self->{writing}, undef, 0.01);

    for my $socket (@{$writable || []}) {
        my $peer = $self->{peers}{fileno($socket) // -1} or next;

        $self->_write($peer) if $peer->{socket} == $socket;
    }

    for my $socket (@{$readable || []}) {
        if ($socket == $self->{listener}) {
            $self->_accept;
            next;
        }

        my $peer = $self->{peers}{fileno($socket) // -1} or next;

        $self->_read($peer) if $peer->{socket} == $socket;
    }
}


sub _accept
{
    my ($self) = @_;

    while (my $socket = $self->{listener}->accept) {
        $socket->blocking(0);
        $self->{peers}{fileno $socket} = { socket => $socket, in => '', out => '' };
        $self->{reading}->add($socket);
    }
}


sub _write
{
    my ($self, $peer) = @_;
    my $sent = syswrite $peer->{socket}, $peer->{out};

    if (!defined $sent) {
        return if $! == EAGAIN || $! == EINTR;
        return $peer->{client} ? $self->{writing}->remove($peer->{socket}) : $self->hang_up($peer);
    }

    substr $peer->{out}, 0, $sent, '';
    return if length $peer->{out};

    $self->{writing}->remove($peer->{socket});
    $self->hang_up($peer) if $peer->{close};
}


sub _read
{
    my ($self, $peer) = @_;
    my $got = sysread $peer->{socket}, $peer->{in}, 65536, length $peer->{in};

    return if !defined $got && ($! == EAGAIN || $! == EINTR);

    if ($peer->{client}) {
        return $self->_finish($peer, defined $got ? 'closed' : "$!") if !$got;

        my $answer = Test::NgxCommerce::Answer->new($peer->{in});
        return $self->_finish($peer) if $answer->{complete};
    }
    elsif (!$got) {
        $peer->{lost}->() if $peer->{lost};
        $self->hang_up($peer);
    }
    elsif (my $request = _request(\$peer->{in})) {
        $self->{serve}->($peer, $request);
    }
}


sub _finish
{
    my ($self, $peer, $error) = @_;
    my $answer = Test::NgxCommerce::answer_parse($peer->{in});

    $self->hang_up($peer);
    $peer->{done}->($answer, $answer->{complete} && $answer->{status} ? undef : $error // 'broken');
}


# what nginx forwards: never chunked, the body was read

sub _request
{
    my ($in) = @_;
    my $end = index $$in, "\r\n\r\n";

    return if $end < 0;

    my ($line, @lines) = split /\r\n/, substr $$in, 0, $end;
    my ($method, $uri) = split / /, $line;
    my %headers = map { /^([^:]+):\s*(.*?)\s*$/ ? (lc $1 => $2) : () } @lines;
    my $length = $headers{'content-length'} // 0;

    return if length $$in < $end + 4 + $length;

    my $body = substr $$in, $end + 4, $length;

    substr $$in, 0, $end + 4 + $length, '';

    return { method => $method, uri => $uri, headers => \%headers, body => $body };
}


1;
