# Copyright (C) ngx_commerce authors
#
# ci/bench: CPU per request, latency.

use strict;
use warnings;

use IO::Handle ();
use POSIX ();
use List::Util qw(min sum0);
use Time::HiRes qw(time);

our ($DIR, %GOAL, $ROUNDS, $ROUND_TIME, $BUYERS, $CPUS, %port, %master, $code, @codes, $quick);


sub cpu
{
    my $start = time;
    my %file = (
        proxy => requests('view', map { view($_) } 0 .. $BUYERS - 1),
        view  => "$DIR/view.requests",
    );
    my %rounds;

    bare_conf(0);
    gateway_conf(1, 0, '4g');
    lua_conf(0);
    start($_) for qw(bare gateway lua);

    load($port{$_}, $file{view}, '-c', 32, '-n', 5000, '-l') for qw(bare gateway lua);

    my $each = int(40_000 * $ROUND_TIME);

    $each = min($each, int((@codes - $code) / $ROUNDS * 0.3));

    for my $round (1 .. $ROUNDS) {
        $file{$_} = requests($_, map { order('') } 1 .. $each) for qw(order lua_order);
        $file{lua_view} = $file{view};

        for my $name (qw(proxy view lua_view order lua_order)) {
            my $server = $name eq 'proxy' ? 'bare' : $name =~ /^lua/ ? 'lua' : 'gateway';
            my $before = worker_ns($server);
            my $result = load($port{$server}, $file{$name}, '-c', 32, '-t', $ROUND_TIME, $name =~ /order/ ? () : '-l');

            settle() if $name eq 'order';
            push @{$rounds{$name}}, (worker_ns($server) - $before) / 1000 / $result->{ok};
        }
    }

    stop($_) for qw(bare gateway lua);

    printf "\n2. CPU of the worker, %d paired rounds of %.1f s, 32 connections\n\n", $ROUNDS, $ROUND_TIME;
    printf "%-34s %-22s %-24s %s\n", '', 'us/request', 'added us', 'throughput per CPU-second vs proxy';

    for my $row ([ 'bare proxy', 'proxy' ], [ 'page view', 'view' ], [ 'the same in Lua', 'lua_view' ],
        [ 'order, settled', 'order' ], [ 'the same in Lua, not durable', 'lua_order' ])
    {
        my ($title, $name) = @$row;
        my @us = @{$rounds{$name}};
        my @added = map { $us[$_] - $rounds{proxy}[$_] } 0 .. $#us;
        my @ratio = map { $rounds{proxy}[$_] / $us[$_] } 0 .. $#us;

        printf "%-34s %-22s %-24s %s\n", $title, spread('%.1f', @us),
            $name eq 'proxy' ? '' : spread('%+.1f', @added), $name eq 'proxy' ? '' : spread('%.3f', @ratio);
    }

    print "\n";
    goal(4, 'page views per CPU-second, of bare proxy', '>=', $GOAL{throughput},
        median(map { $rounds{proxy}[$_] / $rounds{view}[$_] } 0 .. $ROUNDS - 1), '%.3f');

    my @lua = map { $rounds{lua_view}[$_] - $rounds{proxy}[$_] } 0 .. $ROUNDS - 1;
    my @ours = map { $rounds{view}[$_] - $rounds{proxy}[$_] } 0 .. $ROUNDS - 1;

    goal(5, 'CPU that Lua adds to a page view, times ours', '>=', $GOAL{lua}, median(@lua) / (median(@ours) || 0.01),
        '%.1f');
    printf "   (%.0f s)\n", time - $start;
}


# the worker's threads included

sub worker_ns
{
    my ($name) = @_;

    return sum0(map { cpu_ns($_) } workers($name));
}


sub cpu_ns { return sum0(map { (split / /, slurp($_))[0] } glob "/proc/$_[0]/task/*/schedstat") }


# 3. what readers feel of a writer.  "Another" is the same writing to a store of its own, on the same disk and
# processors: what stands between it and "this" is the store.

sub latency
{
    my $start = time;
    my @states = ([ 'the store idle', '-' ], [ 'another store written', '=' ], [ 'this store written', '+' ]);
    my ($rate, $seconds) = (1500, $quick ? 0.8 : 1.5);
    my (%p50, %p99, %orders);

    store_make();
    gateway_conf(1, 0, '4g');
    start('gateway');

    my $file = requests('view', map { view($_) } 0 .. $BUYERS - 1);

    load($port{gateway}, $file, '-c', 32, '-n', 2000, '-l');
    settle();
    stop('gateway');

    my $churn = churn_start();

    start('gateway');
    load($port{gateway}, $file, '-c', 32, '-n', 2000, '-l');

    for my $round (1 .. $ROUNDS) {
        for my $state (@states) {
            my $begun = time;
            churn_tell($churn, $state->[1]);
            my $result = load($port{gateway}, $file, '-c', 64, '-t', $seconds, '-r', $rate, '-l');
            my $orders = churn_tell($churn, '-');

            push @{$p50{$state->[1]}}, $result->{p50};
            push @{$p99{$state->[1]}}, $result->{p99};
            push @{$orders{$state->[1]}}, $orders / (time - $begun);
        }
    }

    stop('gateway');
    close $churn->{in};
    waitpid $churn->{pid}, 0;

    printf "\n3. Latency of a page view at %d a second, %d rounds of %.1f s, from when it was due\n\n", $rate, $ROUNDS,
        $seconds;
    printf "%-34s %-24s %-24s %s\n", '', 'p50 us', 'p99 us', 'orders/s written';

    for my $state (@states) {
        my ($title, $name) = @$state;

        printf "%-34s %-24s %-24s %s\n", $title, spread('%.0f', @{$p50{$name}}), spread('%.0f', @{$p99{$name}}),
            $name eq '-' ? '' : spread('%.0f', @{$orders{$name}});
    }

    my $ratio = sub { my ($of) = @_; return median(map { $p99{'+'}[$_] / $p99{$of}[$_] } 0 .. $ROUNDS - 1) };

    print "\nanother: the same orders written to a store that the gateway does not have open, so that disk and\n",
        "processors are as busy: what differs from it is the store's part\n\n";
    goal(10, 'page view, p99 while written, of another written', '<=', $GOAL{latency}, $ratio->('='), '%.2f');
    note(sprintf 'of the idle machine, which has both processors to itself: %.2f', $ratio->('-'));
    printf "   (%.0f s)\n", time - $start;
}


sub churn_start
{
    my $other = "$DIR/other.store";
    my $churn = {};

    mkdir $other, 0700 or fail("cannot make $other: $!");

    pipe my $in, $churn->{in} or fail("pipe: $!");
    pipe $churn->{out}, my $out or fail("pipe: $!");
    $churn->{pid} = fork // fail("cannot fork: $!");

    if ($churn->{pid} == 0) {
        open STDIN, '<&', $in;
        open STDOUT, '>&', $out;
        close $churn->{in};
        exec "$DIR/churn", "$DIR/store", $other or POSIX::_exit(127);
    }

    close $in;
    close $out;
    $churn->{in}->autoflush;
    defined readline $churn->{out} or fail('churn does not start');

    return $churn;
}


# what it is to do now; how many orders it has written since the last time

sub churn_tell
{
    my ($churn, $what) = @_;

    print { $churn->{in} } "$what\n";
    my $orders = readline($churn->{out}) // fail('churn has ended');

    return $orders + 0;
}


1;
