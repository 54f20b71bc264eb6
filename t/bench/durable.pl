# Copyright (C) ngx_commerce authors
#
# ci/bench: durable orders and redemptions per second.

use strict;
use warnings;

use File::Path qw(remove_tree);
use IO::Socket::UNIX;
use List::Util qw(max min);
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

our ($DIR, %GOAL, $BURSTS, $BURST_TIME, $BUYERS, $quick, %port, %master, $code, @codes);


sub orders
{
    my $start = time;
    my %rate;

    store_make();

    for my $round (1 .. $BURSTS) {
        replay(\%rate, 0);
        redis(\%rate, $_) for 1, 64, 512;

        for my $workers (1, 2) {
            gateway_conf($workers, undef, '4g');
            start('gateway');

            my $views = requests('view', map { view($_) } 0 .. $BUYERS - 1);
            load($port{gateway}, $views, '-c', 16);
            settle();

            for my $flight (64, 512) {
                my $raw = replay(\%rate, $flight / 2);
                my $done = burst(\%rate, $workers, $flight);
                my $raw_claims = replay(\%rate, $flight, 'claims');
                my $claims = burst(\%rate, $workers, $flight, 'claims');

                push @{$rate{"claims ratio $workers $flight"}}, $claims / $raw_claims;

                push @{$rate{"ratio $workers $flight"}}, $done / $raw;
                push @{$rate{'one'}}, $done / $rate{'raw 0'}[-1] if $workers == 1 && $flight == 64;
                push @{$rate{"redis one $workers $flight"}}, $done / $rate{'redis 1'}[-1];
                push @{$rate{"redis $workers $flight"}}, $done / $rate{"redis $flight"}[-1];
            }

            stop('gateway');
        }
    }

    stop('redis', 'TERM');

    printf "\n4. Durable orders per second: coupon reserved, order, coupon redeemed; %d round%s of %.1f s\n\n",
        $BURSTS, $BURSTS == 1 ? '' : 's', $BURST_TIME;

    printf "%-44s %-30s %s\n", '', 'per second', 'CPU us each';
    printf "%-44s %-30s %s\n", $_->[0], spread('%.0f', @{$rate{$_->[1]}}),
        spread('%.1f', @{$rate{$_->[1] =~ s/ / cpu /r}}) for
        [ 'LMDB raw, one commit per transaction', 'raw 0' ],
        [ 'LMDB raw, batches of 32 + 32 steps', 'raw 32' ],
        [ 'LMDB raw, batches of 256 + 256 steps', 'raw 256' ],
        [ 'store and log alone, batches of 32 + 32', 'store 32' ],
        [ 'store and log alone, batches of 256 + 256', 'store 256' ],
        [ 'claims: LMDB raw, batches of 64', 'raw claims 64' ],
        [ 'claims: LMDB raw, batches of 512', 'raw claims 512' ],
        [ 'Redis, appendfsync always, one at a time', 'redis 1' ],
        [ 'Redis, appendfsync always, 64 in flight', 'redis 64' ],
        [ 'Redis, appendfsync always, 512 in flight', 'redis 512' ];

    printf "\n%-32s %-24s %-22s %-6s %-12s %-13s %s\n", '', 'acknowledged/s', 'settled/s', 'batch', 'p50/p99 ms', 'log behind s', 'CPU us each';

    for my $what ('', 'claims ') {
        for my $workers (1, 2) {
            rate_row(\%rate, "$what$workers $_", ($what ? 'claims, ' : '') . "$workers worker"
                . ($workers > 1 ? 's' : '') . ", $_ in flight") for 64, 512;
        }
    }

    print "\nacknowledged: answered, so reserved for good; settled: also redeemed for good; log behind: until the\n",
        "last money event was in the log, after that; batch: transactions under one commit; CPU: of the workers and\n",
        "their threads, nginx's own work as a proxy and the log included\n",
        "Redis: two scripts per order over one pipelined connection, no nginx and no log before it\n\n";

    for my $flight (64, 512) {
        for my $workers (1, 2) {
            goal(7, "$flight in flight, $workers worker" . ($workers > 1 ? 's' : '') . ', settled, of raw LMDB',
                '>=', $GOAL{raw}, median(@{$rate{"ratio $workers $flight"}}), '%.2f');
        }
    }

    for my $flight (64, 512) {
        goal(7, "$flight claims in flight, 1 worker, of raw LMDB", '>=', $GOAL{raw},
            median(@{$rate{"claims ratio 1 $flight"}}), '%.2f');
    }

    goal(7, "$_ in flight, 1 worker, times Redis one at a time", '>=', $GOAL{redis}, median(@{$rate{"redis one 1 $_"}}),
        '%.1f') for 64, 512;
    note(sprintf 'of Redis with as many in flight: %.2f at 64, %.2f at 512', map { median(@{$rate{"redis 1 $_"}}) }
        64, 512);
    goal(7, '64 in flight, 1 worker, times one sync each', '>=', $GOAL{one}, median(@{$rate{one}}), '%.1f');
    printf "   (%.0f s)\n", time - $start;
}


sub rate_row
{
    my ($rate, $name, $title) = @_;

    printf "%-32s %-24s %-22s %-6.0f %-12s %-13.1f %s\n", $title, spread('%.0f', @{$rate->{"ack $name"}}),
        spread('%.0f', @{$rate->{"done $name"}}), median(@{$rate->{"batch $name"}}),
        sprintf('%.1f/%.1f', map { median(@{$rate->{"$_ $name"}}) / 1000 } 'p50', 'p99'),
        median(@{$rate->{"log $name"}}), spread('%.1f', @{$rate->{"cpu $name"}});
}


sub replay
{
    my ($rate, $batch, @claims) = @_;
    my $name = join ' ', @claims, $batch;
    my $dir = "$DIR/replay.store";

    remove_tree($dir);
    mkdir $dir or fail("cannot make $dir: $!");

    my %result = run("$DIR/replay", $dir, 40_000, $batch, $BURST_TIME * 0.7, @claims) =~ /(\w+)=([\d.]+)/g;

    push @{$rate->{"raw $name"}}, $result{raw};
    push @{$rate->{"store $name"}}, $result{store};
    push @{$rate->{"raw cpu $name"}}, $result{raw_cpu};
    push @{$rate->{"store cpu $name"}}, $result{store_cpu};
    remove_tree($dir);

    return $result{raw};
}


sub redis
{
    my ($rate, $flight) = @_;

    redis_start() unless $master{redis};

    my $before = cpu_ns($master{redis});
    my %result = run("$DIR/redis", "$DIR/redis.data/socket", $flight, $BURST_TIME * 0.7) =~ /(\w+)=([\d.]+)/g;

    push @{$rate->{"redis $flight"}}, $result{rate};
    push @{$rate->{"redis cpu $flight"}}, (cpu_ns($master{redis}) - $before) / 1000 / $result{orders};

    return \%result;
}


sub redis_start
{
    my $dir = "$DIR/redis.data";
    my $pid;

    remove_tree($dir);
    mkdir $dir or fail("cannot make $dir: $!");

    $pid = fork // fail("cannot fork: $!");

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/log";
        open STDERR, '>&', \*STDOUT;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        exec 'redis-server', '--port', 0, '--unixsocket', "$dir/socket", '--dir', $dir, '--save', '',
            '--appendonly', 'yes', '--appendfsync', 'always', '--auto-aof-rewrite-percentage', 0
            or POSIX::_exit(127);
    }

    $master{redis} = $pid;

    for (1 .. 200) {
        return if IO::Socket::UNIX->new(Peer => "$dir/socket");
        fail('Redis does not start: ' . slurp("$dir/log")) if waitpid($pid, WNOHANG) == $pid;
        sleep 0.05;
    }

    fail('Redis does not start within 10 s');
}


sub burst
{
    my ($rate, $workers, $flight, @claims) = @_;
    my $name = join ' ', @claims, $workers, $flight;
    my $steps = @claims ? 1 : 2;
    my $most = int(30_000 * $BURST_TIME);

    $most = min($most, int((@codes - $code) / 4 / ($BURSTS + 1))) unless @claims;

    my $file = requests('burst', map { @claims ? claim() : order('') } 1 .. $most);
    my ($before, $cpu) = (status(), worker_ns('gateway'));
    my $start = time;
    my $result = load($port{gateway}, $file, '-c', $flight, '-t', $BURST_TIME);
    my $until = time + 60;
    my $after;

    # two transactions per order, one per claim, whichever worker made them

    do {
        sleep 0.005;
        $after = status();
        fail('orders do not settle') if time > $until;
    } while ($after->{store}{transactions} - $before->{store}{transactions} < $steps * $result->{ok});

    my $done = time;

    settle();
    push @{$rate->{"log $name"}}, time - $done;
    push @{$rate->{"cpu $name"}}, (worker_ns('gateway') - $cpu) / 1000 / $result->{ok};

    push @{$rate->{"ack $name"}}, $result->{ok} / $result->{seconds};
    push @{$rate->{"done $name"}}, $result->{ok} / ($done - $start);
    push @{$rate->{"p50 $name"}}, $result->{p50};
    push @{$rate->{"p99 $name"}}, $result->{p99};
    push @{$rate->{"batch $name"}}, ($after->{store}{transactions} - $before->{store}{transactions})
        / max(1, $after->{store}{batches} - $before->{store}{batches});

    return $result->{ok} / ($done - $start);
}


1;
