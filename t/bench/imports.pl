# Copyright (C) ngx_commerce authors
#
# ci/bench: what an import of codes made elsewhere takes, and what orders notice of it.

use strict;
use warnings;

use List::Util qw(max);
use POSIX qw(WNOHANG);
use Time::HiRes qw(time);

our ($DIR, $SHOP, $quick, $BUYERS, %port);


sub imports
{
    my $start = time;
    my $count = $quick ? 200_000 : 10_000_000;
    my ($rate, $seconds) = (200, $quick ? 0.7 : 2);
    my (@alone, @beside);

    store_make();
    write_file('imported.json', '{"v":2,"id":"imported","discount":{"fixed":1000},"codes":"imported","enabled":true}');
    commerce('campaign', 'put', "$DIR/imported.json");
    imports_file($count);

    gateway_conf(1, undef, '4g');
    start('gateway');
    load($port{gateway}, requests('view', map { view($_) } 0 .. $BUYERS - 1), '-c', 16);

    my $burst = sub {
        my $file = requests('order', map { order('') } 1 .. int($rate * $seconds));

        return load($port{gateway}, $file, '-c', 32, '-r', $rate, '-t', $seconds + 1);
    };

    my $size = sub { settle(); return -s "$DIR/store/data.mdb" };
    my $empty = $size->();

    push @alone, $burst->() for 1 .. 3;

    my $file = $size->();
    my $pid = imports_start();
    my ($memory, $ended) = (0);

    until ($ended) {
        push @beside, $burst->();
        $memory = max($memory, slurp("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m ? $1 : 0);
        $ended = waitpid($pid, WNOHANG) == $pid;
    }

    my $log = slurp("$DIR/import.log");
    fail("the import failed: $log") unless $log =~ /^imported $count, not imported 0/m;

    my ($read) = $log =~ /^reading: 100 %.* ([\d.]+) s$/m;
    my ($written) = $log =~ /^writing: 100 %.* ([\d.]+) s$/m;
    my $bytes = $size->() - $file - ($file - $empty) * @beside / @alone;     # without those of the orders

    stop('gateway');

    printf "\n6. %d codes made elsewhere are imported while %d orders a second are made\n\n", $count, $rate;
    printf "%-44s %s\n", @$_ for
        [ 'read and sorted, s', $read ], [ 'written in pieces of 1000 records, s', $written ],
        [ 'bytes of the store for each code', sprintf '%.1f', $bytes / $count ],
        [ 'memory of its own, MB at most', sprintf '%.0f', $memory / 1024 ],
        map({ my $which = $_;
              map { my $n = $_;
                    [ "an order's $n, ms, " . ($which == \@alone ? 'before' : 'meanwhile'),
                      spread('%.1f', map { $_->{$n} / 1000 } @$which) ] } qw(p50 p99) } \@alone, \@beside);

    printf "\nan order's time: median of bursts of %.1f s (least..most), from when it was due until its coupon is durable\n",
        $seconds;
    printf "   (%.0f s)\n", time - $start;
}


# twelve characters each, as random as it gets

sub imports_file
{
    my ($count) = @_;
    my $map = join '', ('A' .. 'Z', 2 .. 7) x 8;

    open my $random, '<:raw', '/dev/urandom' or fail("cannot read random bytes: $!");
    open my $out, '>:raw', "$DIR/imported.csv" or fail("cannot write $DIR/imported.csv: $!");
    print {$out} "code\n";

    while ($count > 0) {
        my $n = $count < 65536 ? $count : 65536;

        read($random, my $bytes, 12 * $n) == 12 * $n or fail("cannot read random bytes: $!");
        eval "\$bytes =~ tr/\\0-\\xff/$map/; 1" or fail($@);
        print {$out} map { "$_\n" } unpack '(A12)*', $bytes;
        $count -= $n;
    }

    close $out or fail("cannot write $DIR/imported.csv: $!");
}


sub imports_start
{
    my $pid = fork // fail("cannot fork: $!");

    return $pid if $pid;

    open STDIN, '<', '/dev/null';
    open STDOUT, '>', "$DIR/import.log";
    open STDERR, '>&', \*STDOUT;
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
    %ENV = (%ENV, COMMERCE_KEYS => "$DIR/keys.json", COMMERCE_STORE => "$DIR/store", COMMERCE_SHOP => $SHOP);
    exec "$DIR/commerce", 'coupon', 'import', 'imported', "$DIR/imported.csv" or POSIX::_exit(127);
}

1;
