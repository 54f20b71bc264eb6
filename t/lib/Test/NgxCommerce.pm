package Test::NgxCommerce;

# Copyright (C) ngx_commerce authors

use strict;
use warnings;

# A pid that is not known is 0 to Perl, and 0 is the whole process group: the test's runner and its shell.

BEGIN {
    no warnings 'once';

    *CORE::GLOBAL::kill = sub {
        my ($signal, @pids) = @_;
        my @known = grep { defined && /^\d+$/ && $_ > 1 } @pids;

        warn "signal $signal: no such process\n" if @known < @pids;

        return @known ? CORE::kill($signal, @known) : 0;
    };
}

use Cwd qw(abs_path);
use Errno qw(EAGAIN EINPROGRESS EINTR);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use List::Util qw(shuffle);
use POSIX qw(:sys_wait_h);
use Socket qw(SO_ERROR SOL_SOCKET inet_aton pack_sockaddr_in);
use Test::More ();
use Time::HiRes qw(sleep time);

use Exporter 'import';
our @EXPORT_OK = qw(answer_parse free_port json);

our $ROOT = abs_path(dirname(__FILE__) . '/../../..');

my $PATIENCE = length($ENV{TEST_NGINX_VALGRIND} // '') ? 10 : 1;       # everything takes so much longer

my @MODULES = qw(
    ngx_commerce_module
    ngx_http_commerce_attribution_module
    ngx_http_commerce_distribution_module
    ngx_http_commerce_coupon_module
    ngx_http_commerce_status_module
);

my $JSON = JSON::PP->new->utf8->canonical->allow_nonref;

my %live;           # object address => object, for END


# A test that dies, is stopped or forgets still stops its servers and checks its logs.

END {
    my $status = $?;

    for my $self (values %live) {
        next if $self->{owner} != $$;

        $self->{finished} ? $self->_clean : $self->_finish($status);
        $status ||= $?;
    }

    $? = $status;
}

$SIG{$_} ||= sub { exit 1 } for qw(INT TERM HUP);
$SIG{PIPE} = 'IGNORE';


sub new
{
    my ($class, %option) = @_;

    my $self = bless {
        binary   => $ENV{TEST_NGINX_BINARY} || _which('nginx'),
        modules  => abs_path($ENV{TEST_NGINX_MODULES} || "$ROOT/build"),
        load     => $option{modules} || \@MODULES,
        shuffle  => $option{shuffle},
        user     => $option{user} || 'root',
        shop     => $option{shop} || 'demo',
        owner    => $$,
        expected => [],
        ports    => {},
        locks    => [],
        children => [],
        sessions => {},
    }, $class;

    Test::More::plan(skip_all => "no nginx: $self->{binary}") unless -x $self->{binary};
    Test::More::plan(skip_all => "no modules in $self->{modules}: run ci/build")
        unless -e "$self->{modules}/ngx_commerce_module.so";

    $self->{dir} = File::Temp::tempdir('ngx-commerce-' . 'X' x 6, TMPDIR => 1);
    chmod 0755, $self->{dir};
    mkdir "$self->{dir}/store" or die "cannot make the store: $!\n";

    $self->_give_to_worker($self->{dir}, "$self->{dir}/store");

    if (defined $option{plan}) {
        $self->{planned} = 1;
        Test::More::plan(tests => $option{plan} + 2);
    }

    $live{0 + $self} = $self;

    return $self;
}


# configuration

sub dir     { return $_[0]{dir} }
sub binary  { return $_[0]{binary} }


sub port
{
    my ($self, $name) = @_;

    return $self->{ports}{$name} //= do {
        my ($port, $lock) = free_port();

        push @{$self->{locks}}, $lock;
        $port;
    };
}


# The lock is a UDP socket of the same number: parallel tests cannot be given the port, nginx can take it.

sub free_port
{
    for (1 .. 1000) {
        my $port = 10000 + int rand 20000;

        my $lock = IO::Socket::INET->new(
            Proto => 'udp', LocalAddr => '127.0.0.1', LocalPort => $port) or next;

        IO::Socket::INET->new(Proto => 'tcp', LocalAddr => '127.0.0.1', LocalPort => $port,
            Listen => 1, ReuseAddr => 1) or next;

        return wantarray ? ($port, $lock) : $port;
    }

    die "no free port\n";
}


sub expand
{
    my ($self, $text) = @_;

    my %macro = (
        DIR               => $self->{dir},
        SHOP              => $self->{shop},
        MODULES           => $self->{modules},
        TEST_GLOBALS      => $self->_globals,
        TEST_GLOBALS_HTTP => $self->_globals_http,
        COMMERCE          => $self->_commerce,
    );

    $text =~ s/%%PORT_(\w+)%%/$self->port($1)/ge;
    $text =~ s/%%(\w+)%%/$macro{$1} \/\/ die "unknown macro %%$1%%\n"/ge;
    $text =~ s/\b127\.0\.0\.1:(80\d\d)\b/'127.0.0.1:' . $self->port($1)/ge;

    return $text;
}


sub _globals
{
    my ($self) = @_;
    my @load = $self->{shuffle} ? shuffle(@{$self->{load}}) : @{$self->{load}};

    # nginx's order of directives is free, but "user" is refused with a warning without root
    my @lines = map { "load_module $self->{modules}/$_.so;" } @load;

    push @lines, "user $self->{user};" if $> == 0;
    push @lines, "pid $self->{dir}/nginx.pid;";
    push @lines, "error_log $self->{dir}/error.log " . ($ENV{TEST_NGINX_DEBUG} ? 'debug;' : 'info;');
    push @lines, 'worker_rlimit_nofile 8192;' if $PATIENCE == 1;        # valgrind keeps some for itself
    push @lines, map { "env $_;" } qw(LD_PRELOAD ASAN_OPTIONS UBSAN_OPTIONS) if _sanitized();
    push @lines, $ENV{TEST_NGINX_GLOBALS} if $ENV{TEST_NGINX_GLOBALS};

    return join "\n", @lines;
}


sub _globals_http
{
    my ($self) = @_;

    my @lines = map { "${_}_temp_path $self->{dir}/${_}_temp;" }
        qw(client_body proxy fastcgi uwsgi scgi);

    push @lines, 'access_log off;';
    push @lines, $ENV{TEST_NGINX_GLOBALS_HTTP} if $ENV{TEST_NGINX_GLOBALS_HTTP};

    return join "\n    ", @lines;
}


sub _commerce
{
    my ($self) = @_;
    my $dir = $self->{dir};

    my @lines = (
        "commerce_store lmdb:$dir/store map=1g;",
        "commerce_keys $dir/keys.json;",
        "commerce_event_log $dir/events.jsonl flush=100ms;",
        'commerce_node test;',
    );

    push @lines, "commerce_clock $dir/clock;" if -e "$dir/clock";

    return join "\n    ", @lines;
}


sub conf
{
    my ($self, $text) = @_;

    $self->write_file('nginx.conf', $self->expand($text));

    return $self;
}


sub http_conf
{
    my ($self, $http) = @_;

    return $self->conf(_wrap($http));
}


sub _wrap
{
    my ($http) = @_;

    return <<"CONF";
%%TEST_GLOBALS%%

worker_processes 2;

events {
    worker_connections 4096;
}

http {
    %%TEST_GLOBALS_HTTP%%
    %%COMMERCE%%

$http
}
CONF
}


sub write_file
{
    my ($self, $name, $content) = @_;
    my $path = $name =~ m{^/} ? $name : "$self->{dir}/$name";

    make_path(dirname($path));

    open my $file, '>:raw', "$path.new" or die "cannot write $path: $!\n";
    print {$file} $content;
    close $file or die "cannot write $path: $!\n";
    rename "$path.new", $path or die "cannot write $path: $!\n";

    return $path;
}


sub read_file
{
    my ($self, $name) = @_;
    my $path = $name =~ m{^/} ? $name : "$self->{dir}/$name";

    open my $file, '<:raw', $path or return '';
    local $/;

    return scalar <$file> // '';
}


sub nginx_test
{
    my ($self, $text) = @_;

    my $path = $self->write_file('test.conf', $self->expand($text));

    return $self->_command([$self->{binary}, '-t', '-p', "$self->{dir}/", '-c', $path],
        _nginx_environment($self));
}


sub conf_ok
{
    my ($self, $text, $name) = @_;
    my ($code, $output) = $self->nginx_test($text =~ /\bevents\b/ ? $text : _wrap($text));

    return Test::More::ok($code == 0, $name // 'configuration is accepted')
        || Test::More::diag($output);
}


sub conf_fails
{
    my ($self, $text, $pattern, $name) = @_;
    my ($code, $output) = $self->nginx_test($text =~ /\bevents\b/ ? $text : _wrap($text));

    $name //= "configuration is refused: $pattern";

    return Test::More::fail($name) && 0 if $code == 0;
    return Test::More::like($output, $pattern, $name);
}


# tool, keys, clock

sub cli
{
    my ($self, @args) = @_;
    my %option = ref $args[-1] eq 'HASH' ? %{pop @args} : ();

    my %environment = (
        COMMERCE_KEYS  => "$self->{dir}/keys.json",
        COMMERCE_STORE => "$self->{dir}/store",
        COMMERCE_SHOP  => $self->{shop},
        COMMERCE_CLOCK => -e "$self->{dir}/clock" ? "$self->{dir}/clock" : undef,
    );

    return $self->_command(["$self->{modules}/commerce", @args], \%environment, $option{stdin});
}


sub cli_ok
{
    my ($self, @args) = @_;
    my ($code, $output, $error) = $self->cli(@args);

    if ($code) {
        @args = grep { !ref } @args;
        die "commerce @args: exit code $code: $error\n";
    }

    my @doubled = json_doubled($output);
    die "commerce @args: members that stand there twice: @doubled\n" if @doubled;

    return $output;
}


# names of members that stand twice in one object of a JSON text: readers differ on which they take

sub json_doubled
{
    my ($text) = @_;
    my (@objects, @doubled);

    return unless $text =~ /^[{\[]/;

    while ($text =~ /\G [^"{}]* (?: ([{}]) | ("(?:[^"\\]|\\.)*") (\s*:)? )/gcsx) {
        if (defined $1) {
            $1 eq '{' ? push @objects, {} : pop @objects;
        } elsif (defined $3 && @objects && $objects[-1]{$2}++) {
            push @doubled, $2;
        }
    }

    return @doubled;
}


sub keys
{
    my ($self) = @_;

    $self->cli_ok('keys', 'init');
    $self->_give_to_worker("$self->{dir}/keys.json");

    return $self;
}


sub people
{
    my ($self, $csv) = @_;

    return $self->cli_ok('people', 'import', $self->write_file('people.csv', $csv));
}


sub campaign
{
    my ($self, %campaign) = @_;

    return $self->cli_ok('campaign', 'put',
        $self->write_file('campaign.json', $JSON->encode({ v => 2, enabled => JSON::PP::true, %campaign })));
}


sub coupons
{
    my ($self, $campaign, $count, @more) = @_;
    my @lines = split /\n/, $self->cli_ok('coupon', 'mint', $campaign, $count, @more);

    shift @lines if @lines && $lines[0] =~ /^code,/;

    return map { (split /,/)[0] } @lines;
}


sub token
{
    my ($self, @args) = @_;
    my $token = $self->cli_ok('token', 'issue', @args);

    chomp $token;

    return $token;
}


sub clock
{
    my ($self, $now) = @_;

    if (defined $now) {
        $self->{now} = $now;
        $self->write_file('clock', "$now\n");
    }

    return $self->{now} // int time;
}


sub advance
{
    my ($self, $seconds) = @_;

    return $self->clock($self->clock + $seconds);
}


# processes

sub run
{
    my ($self) = @_;

    my ($code, $output, $error) = $self->_command(
        [$self->{binary}, '-p', "$self->{dir}/", '-c', "$self->{dir}/nginx.conf"],
        _nginx_environment($self), undef, 1);

    if ($code) {
        die "nginx does not start (exit code $code): $output" . $self->read_file('error.log') . "\n";
    }

    _wait(sub { $self->master }, 10) or die "nginx wrote no pid file\n";

    # Debian's nginx writes the pid file before the master has left our session

    my $workers = _wait(sub { $self->_manned }, 10);

    $self->{sessions}{_stat($self->master)->{session}} = 1;
    die "nginx has no workers\n" if !$workers;

    return $self;
}


sub try_run
{
    my ($self) = @_;

    return 1 if eval { $self->run };
    chomp(my $error = $@);

    return wantarray ? (0, $error) : 0;
}


sub master
{
    my ($self) = @_;
    my ($pid) = $self->read_file('nginx.pid') =~ /^(\d+)/;

    return $pid && kill(0, $pid) ? $pid : undef;
}


sub workers
{
    my ($self, $master) = @_;

    $master //= $self->master // return;

    return grep { _title($_) =~ /^nginx: worker process(?! is shutting)/ } _children($master);
}


# all workers that the configuration asks for are there; they are made one after the other

sub _manned
{
    my ($self) = @_;
    my ($wanted) = $self->read_file('nginx.conf') =~ /^\s*worker_processes\s+(\d+);/m;

    return $self->workers >= ($wanted // 1);
}


sub reload
{
    my ($self, %option) = @_;
    my $master = $self->master or die "nginx does not run\n";
    my %old = map { $_ => 1 } $self->workers;

    kill HUP => $master;

    my $done = _wait(sub {
        my @now = $self->workers;

        return $self->_manned && !grep { $old{$_} } @now;
    }, $option{timeout} // 15);

    _wait(sub { !grep { kill 0, $_ } CORE::keys %old }, $option{timeout} // 15)
        if $done && $option{wait};

    return $done;
}


sub reopen
{
    my ($self) = @_;

    kill USR1 => $self->master or die "nginx does not run\n";
    sleep 0.3;

    return 1;
}


# After upgrade() the new generation serves beside the old one; its master's pid is returned.

sub upgrade
{
    my ($self, %option) = @_;
    my $old = $self->master or die "nginx does not run\n";

    kill USR2 => $old;

    _wait(sub {
        my $new = $self->master;

        return $new && $new != $old && -e "$self->{dir}/nginx.pid.oldbin" && $self->_manned;
    }, 15) or return;

    $self->{old_master} = $old;

    return $old if $option{overlap};

    kill QUIT => $old;

    return _wait(sub { !kill 0, $old }, $option{timeout} // 20) ? $self->master : undef;
}


sub quit
{
    my ($self, $timeout) = @_;

    return $self->_end('QUIT', $timeout // 20);
}


sub stop
{
    my ($self) = @_;

    return $self->_end('TERM', 10);
}


sub _end
{
    my ($self, $signal, $timeout) = @_;
    my @masters = $self->_masters;

    kill $signal => $_ for @masters;

    my $done = _wait(sub { !$self->_processes }, $timeout);

    if (!$done) {
        push @{$self->{problems}}, "nginx did not end by $signal in $timeout s";
        kill KILL => $_ for $self->_processes;
        _wait(sub { !$self->_processes }, 5);
    }

    unlink map { "$self->{dir}/$_" } 'nginx.pid', 'nginx.pid.oldbin';

    return $done;
}


sub kill_worker
{
    my ($self, $signal, $pid) = @_;

    $pid //= ($self->workers)[0] // die "nginx has no workers\n";

    kill $signal // 'KILL', $pid;

    return _wait(sub { !kill(0, $pid) && $self->workers }, 10) ? $pid : undef;
}


# Takes the orphaned workers along unless they are asked for.

sub kill_master
{
    my ($self, %option) = @_;
    my $master = $self->master or die "nginx does not run\n";
    my @workers = _children($master);

    kill KILL => $master;
    _wait(sub { !kill 0, $master }, 5);
    unlink "$self->{dir}/nginx.pid";

    return @workers if $option{keep_workers};

    kill KILL => $_ for @workers;
    _wait(sub { !$self->_processes }, 5);

    return @workers;
}


sub _masters
{
    my ($self) = @_;

    return grep { _title($_) =~ /^nginx: master/ } $self->_processes;
}


# nginx makes a session of its own, which an upgraded generation stays in.  The number of a session that has
# ended is given out again, so that the process must also have a file of ours open: its error log, at least.

sub _processes
{
    my ($self) = @_;

    return grep {
        my $stat = _stat($_);

        $stat && $self->{sessions}{$stat->{session}} && $stat->{state} ne 'Z' && $self->_has_open($_);
    } _pids();
}


sub _has_open
{
    my ($self, $pid) = @_;

    return scalar grep { (readlink // '') =~ m{^\Q$self->{dir}\E/} } glob "/proc/$pid/fd/*";
}


sub _pids
{
    opendir my $proc, '/proc' or die "no /proc: $!\n";

    return grep { /^\d+$/ } readdir $proc;
}


sub _children
{
    my ($parent) = @_;

    return sort { $a <=> $b } grep {
        my $stat = _stat($_);

        $stat && $stat->{parent} == $parent && $stat->{state} ne 'Z';
    } _pids();
}


sub _stat
{
    my ($pid) = @_;

    open my $file, '<', "/proc/$pid/stat" or return;
    my $line = <$file> // return;

    $line =~ s/^.*\) // or return;
    my ($state, $parent, undef, $session) = split / /, $line;

    return { state => $state, parent => $parent, session => $session };
}


sub _title
{
    my ($pid) = @_;

    open my $file, '<', "/proc/$pid/cmdline" or return '';
    my $title = <$file> // '';

    $title =~ tr/\0/ /;

    return $title =~ /valgrind/ ? _valgrind_title($pid) : $title;
}


# Under valgrind nginx cannot change its title: pid files tell who is master, the error log who is leaving.

sub _valgrind_title
{
    my ($pid) = @_;

    my $stat = _stat($pid) // return '';

    # a worker is known by its master, too: while nginx starts, its session is not

    my ($self) = grep { $_->{sessions}{$stat->{session}} || _is_master($_, $pid) || _is_master($_, $stat->{parent}) }
        values %live;

    return '' if !$self;
    return 'nginx: master process' if _is_master($self, $pid);
    return 'nginx: worker process is shutting down' if $self->log_lines(qr/ $pid#\d+: gracefully shutting down/);
    return 'nginx: worker process' if $self->log_lines(qr/: start worker process $pid$/);
    return 'nginx: cache manager process';
}


sub _is_master
{
    my ($self, $pid) = @_;

    return scalar grep { $self->read_file($_) =~ /^$pid$/m } 'nginx.pid', 'nginx.pid.oldbin';
}


# A server in Perl beside nginx: code gets the port; it ends with the test.

sub daemon
{
    my ($self, $port, @command) = @_;
    my $pid = fork // die "cannot fork: $!\n";

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{dir}/daemon.log";
        open STDERR, '>>', "$self->{dir}/daemon.log";
        %live = ();
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);

        if (ref $command[0]) {
            eval { $command[0]->($port) };
            warn $@ if $@;
            POSIX::_exit($@ ? 1 : 0);
        }

        exec { $command[0] } @command or POSIX::_exit(127);
    }

    push @{$self->{children}}, $pid;

    _wait(sub {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
    }, 10) or die "no server on port $port: " . $self->read_file('daemon.log') . "\n";

    return $pid;
}


sub storefront
{
    my ($self, $name, @args) = @_;
    my $port = $self->port($name // 8081);

    my @options = ('--port', $port, '--log', "$self->{dir}/storefront.jsonl");

    push @options, '--clock', "$self->{dir}/clock" if -e "$self->{dir}/clock";

    return $self->daemon($port, $^X, "$ROOT/t/storefront", @options, @args);
}


# what reached the storefront, oldest first; session checks are left out unless asked for

sub received
{
    my ($self, %option) = @_;
    my @all = map { $JSON->decode($_) } grep { /\}$/ } split /\n/, $self->read_file('storefront.jsonl');

    return @all if $option{all};
    return grep { $_->{path} ne '/session' } @all;
}


sub fastcgi
{
    my ($self, $name) = @_;

    require Test::NgxCommerce::FastCGI;

    return $self->daemon($self->port($name), \&Test::NgxCommerce::FastCGI::serve);
}


# requests

sub get
{
    my ($self, $uri, %option) = @_;

    return ($self->parallel({ %option, uri => $uri }))[0];
}


sub post
{
    my ($self, $uri, $body, %option) = @_;

    if (ref $body) {
        $body = $JSON->encode($body);
        $option{type} //= 'application/json';
    }

    return ($self->parallel({ %option, method => 'POST', uri => $uri, body => $body // '' }))[0];
}


# A notice, as payment services send it: again while it is only kept, for what the answer to an order says is
# written just after the client has it.

sub notify
{
    my ($self, $uri) = @_;
    my $answer;

    _wait(sub { ($answer = $self->post($uri, ''))->status != 202 }, 10);

    return $answer;
}


sub raw
{
    my ($self, $bytes, %option) = @_;

    return ($self->parallel({ %option, raw => $bytes }))[0];
}


# Requests one after another on one connection.

sub keep_alive
{
    my ($self, @requests) = @_;
    my $socket;
    my @answers;

    for my $request (@requests) {
        my ($answer) = $self->parallel({ %$request, keep_alive => 1, socket => $socket });

        push @answers, $answer;
        $socket = delete $answer->{socket} or last;
    }

    return @answers;
}


# All requests at once, through one loop; the answers in the order of the requests.

sub parallel
{
    my ($self, @requests) = @_;
    my ($reading, $writing) = (IO::Select->new, IO::Select->new);
    my %state;
    my @answers;

    for my $i (0 .. $#requests) {
        my $state = $self->_start($requests[$i]);

        $state->{index} = $i;
        $answers[$i] = Test::NgxCommerce::Answer->new('', $state->{head_only}, 1);

        next unless $state->{socket};

        $state{fileno $state->{socket}} = $state;
        $writing->add($state->{socket});
        $reading->add($state->{socket});
    }

    my $finish = sub {
        my ($state, $error) = @_;
        my $answer = Test::NgxCommerce::Answer->new($state->{in}, $state->{head_only}, 1);

        $answer->{error} = $error if $error;
        $answer->{time} = time - $state->{started};
        $answers[$state->{index}] = $answer;

        delete $state{fileno $state->{socket}};
        $reading->remove($state->{socket});
        $writing->remove($state->{socket});

        if ($state->{keep_alive} && !$error && $answer->{complete} && !$answer->{closes}) {
            $answer->{socket} = $state->{socket};
        }
        else {
            close $state->{socket};
        }
    };

    while (%state) {
        my ($now, $wait) = (time, 1);

        for my $state (values %state) {
            if ($state->{deadline} <= $now) {
                $finish->($state, 'timeout');
                next;
            }

            if ($state->{resume} && $state->{resume} <= $now) {
                delete $state->{resume};
                $writing->add($state->{socket});
            }

            for my $at ($state->{deadline}, $state->{resume} // ()) {
                $wait = $at - $now if $at - $now < $wait;
            }
        }

        my ($readable, $writable) = IO::Select->select($reading, $writing, undef, $wait);

        for my $socket (@{$writable || []}) {
            my $state = $state{fileno($socket) // -1} or next;

            _send($state, $writing, $finish);
        }

        for my $socket (@{$readable || []}) {
            my $state = $state{fileno($socket) // -1} or next;

            _receive($state, $finish);
        }
    }

    return @answers;
}


sub _start
{
    my ($self, $request) = @_;
    my $method = $request->{method} // 'GET';
    my $port = $self->port($request->{port} // 8080);

    my $state = {
        in         => '',
        out        => $request->{raw},
        pieces     => $request->{pieces} ? [@{$request->{pieces}}] : [],
        pause      => $request->{pause} // 0.05,
        abort      => $request->{abort},
        head_only  => $method eq 'HEAD',
        keep_alive => $request->{keep_alive},
        started    => time,
        deadline   => time + ($request->{timeout} // 15),
        socket     => $request->{socket},
    };

    $state->{out} //= $self->_request($method, $request);

    return $state if $state->{socket};

    socket my $socket, Socket::PF_INET(), Socket::SOCK_STREAM(), 0 or die "socket: $!\n";
    IO::Handle::blocking($socket, 0);

    if (!connect($socket, pack_sockaddr_in($port, inet_aton('127.0.0.1')))
        && $! != EINPROGRESS && $! != EAGAIN)
    {
        return $state;
    }

    $state->{socket} = $socket;

    return $state;
}


sub _request
{
    my ($self, $method, $request) = @_;
    my $body = $request->{body};

    if (ref $body) {
        $body = $JSON->encode($body);
        $request = { type => 'application/json', %$request };
    }

    my @headers = ref $request->{headers} eq 'HASH' ? %{$request->{headers}} : @{$request->{headers} || []};
    my %given = map { lc $headers[$_] => 1 } grep { $_ % 2 == 0 } 0 .. $#headers;

    push @headers, Host => 'localhost' unless $given{host};
    push @headers, Connection => 'close' unless $given{connection} || $request->{keep_alive};
    push @headers, Authorization => "Bearer user-$request->{user}" if defined $request->{user};
    push @headers, 'Content-Type' => $request->{type} // 'application/json'
        if defined $body && !$given{'content-type'};
    push @headers, 'Content-Length' => length $body
        if defined $body && !$given{'content-length'} && !$given{'transfer-encoding'};

    my $out = "$method $request->{uri} HTTP/1.1\r\n";

    while (my ($name, $value) = splice @headers, 0, 2) {
        $out .= "$name: $value\r\n";
    }

    return "$out\r\n" . ($body // '');
}


sub _send
{
    my ($state, $writing, $finish) = @_;
    my $sent = syswrite $state->{socket}, $state->{out};

    if (!defined $sent) {
        return if $! == EAGAIN || $! == EINTR;

        # an answer may have come before the peer closed
        $writing->remove($state->{socket});
        return;
    }

    substr $state->{out}, 0, $sent, '';
    return if length $state->{out};

    $writing->remove($state->{socket});

    if (@{$state->{pieces}}) {
        $state->{out} = shift @{$state->{pieces}};
        $state->{resume} = time + $state->{pause};
    }
    elsif (defined $state->{abort}) {
        $state->{deadline} = time + $state->{abort};
    }
}


sub _receive
{
    my ($state, $finish) = @_;
    my $got = sysread $state->{socket}, $state->{in}, 65536, length $state->{in};

    if (!defined $got) {
        return if $! == EAGAIN || $! == EINTR;
        return $finish->($state, "$!");
    }

    return $finish->($state) if $got == 0;

    my $answer = Test::NgxCommerce::Answer->new($state->{in}, $state->{head_only});

    $finish->($state) if $answer->{complete};
}


sub answer_parse
{
    return Test::NgxCommerce::Answer->new($_[0], 0, 1);
}


sub json
{
    return $JSON;
}


# event log

sub events
{
    my ($self, $type, $name) = @_;
    my @events = map { $JSON->decode($_) } grep { length }
        split /\n/, $self->read_file($name // 'events.jsonl');

    return @events unless defined $type;
    return grep { $_->{type} eq $type } @events;
}


# Waits until code says yes, or at least n events of a type have come; returns them all.

sub wait_events
{
    my ($self, $what, $count, $timeout) = @_;

    my $enough = ref $what
        ? $what
        : sub { my $type = $what; grep({ $_->{type} eq $type } @_) >= ($count // 1) };

    my $done = _wait(sub {
        my @events = eval { $self->events };       # the last line may be half written

        return $enough->(@events);
    }, $timeout // 5);

    Test::More::diag('the awaited events did not come: ' . (ref $what ? 'code' : $what)) unless $done;

    return ref $what ? $self->events : $self->events($what);
}


sub wait_for
{
    my ($self, $code, $timeout) = @_;

    return _wait($code, $timeout // 5);
}


# the end

sub expect_log
{
    my ($self, @patterns) = @_;

    push @{$self->{expected}}, @patterns;

    return $self;
}


sub log_lines
{
    my ($self, $pattern) = @_;

    return grep { /$pattern/ } split /\n/, $self->read_file('error.log');
}


sub done_testing
{
    my ($self) = @_;

    $self->_finish(0);

    return 1;
}


sub _finish
{
    my ($self, $status) = @_;

    return if $self->{finished}++;

    $self->stop if $self->_processes;
    $self->_stop_children;

    if (Test::More->builder->has_plan && !$self->{planned}) {
        # skip_all: nothing was promised
    }
    elsif ($status == 0 || $self->{planned}) {
        $self->_check_log;
        $self->_check_sanitizer;
        Test::More::done_testing() unless $self->{planned};
    }

    $self->_clean;
}


sub _check_log
{
    my ($self) = @_;
    my @bad = @{$self->{problems} || []};

    for my $line ($self->log_lines(qr/\[(?:alert|emerg|crit)\]|open socket|Sanitizer|runtime error:/)) {
        next if grep { $line =~ $_ } @{$self->{expected}};
        push @bad, $line;
    }

    Test::More::ok(!@bad, 'nothing alarming in the error log');
    Test::More::diag($_) for @bad > 20 ? (@bad[0 .. 19], '...') : @bad;
}


sub _check_sanitizer
{
    my ($self) = @_;
    my @reports = glob "$self->{dir}/sanitizer.*";

    Test::More::ok(!@reports, 'no sanitizer report');
    Test::More::diag(substr $self->read_file($_), 0, 6000) for @reports;
}


sub _stop_children
{
    my ($self) = @_;

    for my $pid (splice @{$self->{children}}) {
        kill TERM => $pid;
        next if _wait(sub { waitpid($pid, WNOHANG) != 0 }, 3);
        kill KILL => $pid;
        waitpid $pid, 0;
    }
}


sub _clean
{
    my ($self) = @_;

    if ($ENV{TEST_NGINX_LEAVE}) {
        Test::More::diag("left: $self->{dir}") if -d $self->{dir};
    }
    else {
        remove_tree($self->{dir});
    }

    delete $live{0 + $self};
}


# small things

sub _wait
{
    my ($code, $timeout) = @_;
    my $deadline = time + $timeout * $PATIENCE;

    while (1) {
        my $result = $code->();

        return $result if $result;
        return if time >= $deadline;
        sleep 0.02;
    }
}


sub _which
{
    my ($name) = @_;

    for my $dir (split(/:/, $ENV{PATH} // ''), '/usr/sbin', '/usr/local/sbin') {
        return "$dir/$name" if -x "$dir/$name";
    }

    return "/usr/sbin/$name";
}


sub _sanitized
{
    return length($ENV{TEST_NGINX_PRELOAD} // '');
}


sub _nginx_environment
{
    my ($self) = @_;
    my $log = "log_path=$self->{dir}/sanitizer";

    return {} unless _sanitized();

    return {
        LD_PRELOAD    => $ENV{TEST_NGINX_PRELOAD},
        ASAN_OPTIONS  => "detect_leaks=0:detect_odr_violation=0:abort_on_error=1:$log",
        UBSAN_OPTIONS => "print_stacktrace=1:$log",
    };
}


sub _give_to_worker
{
    my ($self, @paths) = @_;

    return if $> != 0 || $self->{user} eq 'root';

    my (undef, undef, $uid, $gid) = getpwnam $self->{user} or die "no user $self->{user}\n";

    chown $uid, $gid, @paths;
}


# Runs a program to its end: exit code (256 and more: a signal), output with errors (or both apart in
# list context).  A program that turns into a daemon keeps the files, so they are files and not pipes.

sub _command
{
    my ($self, $command, $environment, $stdin, $daemon) = @_;
    my $base = "$self->{dir}/command." . ++$self->{commands};
    my $pid = fork // die "cannot fork: $!\n";

    if ($pid == 0) {
        _exec($command, $environment, $stdin, $base);
        POSIX::_exit(127);
    }

    my $deadline = $daemon || _sanitized() ? 60 : 30;

    if (!_wait(sub { waitpid($pid, WNOHANG) == $pid }, $deadline)) {
        kill KILL => $pid;
        waitpid $pid, 0;
        die "$command->[0] does not end\n";
    }

    my $status = $?;
    my $code = $status & 127 ? 256 + ($status & 127) : $status >> 8;
    my ($output, $error) = map { $self->read_file("$base.$_") } qw(out err);

    unlink "$base.out", "$base.err", "$base.in";

    return $environment && $environment->{COMMERCE_STORE}
        ? ($code, $output, $error)
        : ($code, $output . $error, $error);
}


sub _exec
{
    my ($command, $environment, $stdin, $base) = @_;

    %live = ();

    if (defined $stdin) {
        open my $in, '>:raw', "$base.in" or return;
        print {$in} $stdin;
        close $in;
    }

    open STDIN, '<', defined $stdin ? "$base.in" : '/dev/null' or return;
    open STDOUT, '>', "$base.out" or return;
    open STDERR, '>', "$base.err" or return;

    while (my ($name, $value) = each %{$environment || {}}) {
        defined $value ? ($ENV{$name} = $value) : delete $ENV{$name};
    }

    delete $ENV{NGINX};         # nginx would take it for inherited sockets
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);

    exec { $command->[0] } @$command;
}


package Test::NgxCommerce::Answer;


# An answer, complete or not: {complete status reason head headers body error time closes}.

sub new
{
    my ($class, $bytes, $head_only, $at_end) = @_;
    my $self = bless { raw => $bytes, status => 0, headers => {}, body => '' }, $class;

    # interim answers
    $bytes =~ s/^HTTP\/1\.1 1\d\d .*?\r\n\r\n//s;

    my $end = index $bytes, "\r\n\r\n";
    return $self if $end < 0;

    $self->{head} = substr $bytes, 0, $end;
    my $rest = substr $bytes, $end + 4;

    my ($line, @lines) = split /\r\n/, $self->{head};

    ($self->{status}, $self->{reason}) = $line =~ /^HTTP\/1\.[01] (\d+) ?(.*)$/ or return $self;

    for (@lines) {
        my ($name, $value) = /^([^:]+):\s*(.*?)\s*$/ or next;
        push @{$self->{headers}{lc $name}}, $value;
    }

    $self->{closes} = lc($self->header('connection') // '') eq 'close';
    $self->_body($rest, $head_only, $at_end);

    return $self;
}


sub _body
{
    my ($self, $rest, $head_only, $at_end) = @_;

    if ($head_only || $self->{status} =~ /^(?:204|304)$/) {
        $self->{complete} = 1;
    }
    elsif (lc($self->header('transfer-encoding') // '') eq 'chunked') {
        $self->_chunks($rest);
    }
    elsif (defined(my $length = $self->header('content-length'))) {
        $self->{body} = substr $rest, 0, $length;
        $self->{complete} = length $rest >= $length;
    }
    else {
        $self->{body} = $rest;
        $self->{complete} = $at_end;
        $self->{closes} = 1;
    }
}


sub _chunks
{
    my ($self, $rest) = @_;

    while ($rest =~ /\G([0-9a-fA-F]+)[^\r\n]*\r\n/gc) {
        my $size = hex $1;

        if ($size == 0) {
            $self->{complete} = $rest =~ /\G(?:[^\r\n]+\r\n)*\r\n/gc;
            return;
        }

        return if length($rest) < pos($rest) + $size + 2;

        $self->{body} .= substr $rest, pos $rest, $size;
        pos($rest) += $size + 2;
    }
}


sub status   { return $_[0]{status} }
sub body     { return $_[0]{body} }
sub error    { return $_[0]{error} }


sub header
{
    my ($self, $name) = @_;
    my $values = $self->{headers}{lc $name} or return;

    return join ', ', @$values;
}


sub json
{
    my ($self) = @_;

    return eval { $JSON->decode($self->{body}) };
}


# the public code of a denial

sub code
{
    my ($self) = @_;
    my $json = $self->json;

    return ref $json eq 'HASH' ? $json->{code} : undef;
}


1;

__END__

=encoding utf-8

=head1 NAME

Test::NgxCommerce - a real nginx with the commerce modules, for one test file

=head1 SYNOPSIS

    use lib 't/lib';
    use Test::More;
    use Test::NgxCommerce;

    my $t = Test::NgxCommerce->new;

    $t->clock(1_800_000_000);
    $t->keys->people("id,role,status,upline,user\nA,guide,active,,u-a\n");
    $t->storefront(8081);

    $t->http_conf(<<'EOC')->run;
        server {
            listen 127.0.0.1:8080;
            commerce_shop demo;
            location / { commerce observe; proxy_pass http://127.0.0.1:8081; }
        }
    EOC

    is($t->get('/', user => 'b')->status, 200, 'served');
    is(scalar $t->wait_events('bind', 1), 1, 'one binding');

    $t->done_testing;

=head1 THE LIFE OF A TEST

C<new(plan =E<gt> n, shuffle =E<gt> 1, user =E<gt> 'www-data', shop =E<gt> 'demo', modules =E<gt> [...])> makes a
temporary folder (C<dir>) with C<store/>.  Without C<plan>, end with C<< $t->done_testing >> in place of
Test::More's.  The end stops every server, and adds two tests: no C<alert>, C<emerg>, C<crit>, C<open socket> or
sanitizer line in the error log but those matched by C<expect_log(qr/.../)>, and no sanitizer report.

=head1 CONFIGURATION

C<conf($text)> writes nginx.conf; C<http_conf($text)> puts the text into a whole configuration with two
workers and C<%%COMMERCE%%>.  Both return the object.  Replaced are C<%%TEST_GLOBALS%%> (load_module, user,
pid, error_log: must come first), C<%%TEST_GLOBALS_HTTP%%> (temp paths), C<%%COMMERCE%%> (store, keys, log,
node and, after C<clock()>, clock), C<%%DIR%%>, C<%%SHOP%%>, C<%%PORT_8080%%>, and each 127.0.0.1:80xx by a
free port, the one C<port(80xx)> returns.

C<conf_ok($text, $name)>, C<conf_fails($text, qr/... in .*:\d+/, $name)>: tests by C<nginx -t>; a text without
C<events> is wrapped as by C<http_conf>.  C<nginx_test($text)> returns (exit code, output).

=head1 TOOL AND CLOCK

C<cli(@args)> returns (exit code, output, errors); C<cli_ok(@args)> returns the output or dies.  A last argument
C<{ stdin =E<gt> $text }> is its input.  Shortcuts: C<keys> (keys init; returns the object), C<people($csv)>,
C<campaign(id =E<gt> ..., discount =E<gt> {...})>, C<coupons($campaign, $count, @more)> (the codes),
C<token($seller, @options)>.

C<clock($seconds)> sets and C<advance($seconds)> moves the time that nginx, tool and storefront see.  Call
C<clock> before C<http_conf>.

=head1 PROCESSES

C<run>, C<try_run> (false, or (0, error)), C<reload(wait =E<gt> 1)> (wait: until the old workers are gone), C<reopen>,
C<upgrade(overlap =E<gt> 1)> (overlap: the old generation goes on; its master is returned), C<quit>, C<stop>,
C<kill_worker($signal, $pid)>, C<kill_master(keep_workers =E<gt> 1)>, C<master>, C<workers>.

C<storefront($name, @options)> runs t/storefront on C<port($name)>; C<received> returns what reached it.
C<fastcgi($name)> runs a FastCGI responder that answers its parameters as JSON.
C<daemon($port, @command or sub)> runs anything else that listens.

=head1 REQUESTS

C<get($uri, %o)>, C<post($uri, $body, %o)> (a reference becomes JSON), C<notify($uri)> (a notice, until it is not
only kept), C<raw($bytes, %o)>, C<keep_alive(@requests)> (one connection), C<parallel(@requests)> (all at once;
hundreds are fine).  A request is a hash of C<method>, C<uri>,
C<headers> (hash or list), C<user> (adds "Authorization: Bearer user-..."), C<body>, C<type>, C<port> (a name;
default 8080), C<timeout>, C<raw>, C<pieces> and C<pause> (more bytes, sent one by one), C<abort> (seconds after
which to hang up).

An answer has C<status> (0: none), C<header($name)>, C<body>, C<json>, C<code> (a denial's), C<error>, and the fields
C<raw>, C<complete>, C<time>.

=head1 EVENTS

C<events($type)> reads the event log; C<wait_events($type, $count, $timeout)> or C<wait_events(sub { @_ })> waits
for it (5 s).  C<wait_for(sub, $timeout)> waits for anything.  C<log_lines(qr/.../)> greps the error log.

=head1 ENVIRONMENT

TEST_NGINX_BINARY, TEST_NGINX_MODULES (default build/: the .so files and the tool), TEST_NGINX_GLOBALS,
TEST_NGINX_GLOBALS_HTTP, TEST_NGINX_DEBUG (debug log), TEST_NGINX_LEAVE (keep the folder), TEST_NGINX_PRELOAD
(sanitizer libraries for nginx), TEST_NGINX_VALGRIND (where valgrind writes its reports; see t/valgrind).

=cut
