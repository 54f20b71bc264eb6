# Copyright (C) ngx_commerce authors
#
# ci/bench: what a redemption costs as the store grows; disk and memory for each coupon and order.

use strict;
use warnings;

use File::Path qw(remove_tree);
use Text::Wrap qw(wrap);
use Time::HiRes qw(time);

our ($DIR, %GOAL, $quick, $BUYERS, %port, $code);


sub growth
{
    my $start = time;
    my @sizes = map { 10 ** $_ } 4 .. ($quick ? 5 : 7);
    my @rows = map { growth_row($_) } @sizes;

    print "\n5. A redemption in a store of many: order opened, coupon reserved, order accepted, coupon redeemed\n\n";
    printf "%-14s %12s %8s %8s %12s %12s %12s %12s %10s\n", 'spent coupons', 'instructions', 'gets', 'depth',
        'us', 'KB written', 'bytes/coupon', 'bytes/order', 'file MB';

    for my $row (@rows) {
        printf "10^%-11d %12.0f %8.1f %8d %12.1f %12.1f %12.0f %12.0f %10.0f\n", $row->{exponent}, $row->{instructions},
            $row->{gets}, $row->{depth}, $row->{us}, $row->{written} / 1024, $row->{coupon}, $row->{order},
            $row->{file} / 1048576;
    }

    print "\nledger, store and log without nginx; every coupon with its order, ten orders a buyer; instructions by\n",
        "callgrind, us and KB of 1024 orders all over the store, 256 under one commit, with the log's part;\n",
        "gets: descents that look a record up; depth: pages from the root to a record; KB written: pages (each\n",
        "changed one and those above it, at both commits) and log lines; a coupon that was only minted takes nothing\n\n";

    memory();
    paper(@rows);
    printf "   (%.0f s)\n", time - $start;
}


sub growth_row
{
    my ($coupons) = @_;
    my $dir = "$DIR/grow.store";
    my ($few, $many, $first) = (32, 288, 0);
    my %row = (exponent => int(log($coupons) / log(10) + 0.5));
    my @counted;

    remove_tree($dir);
    mkdir $dir, 0700 or fail("cannot make $dir: $!");

    %row = (%row, run("$DIR/grow", 'load', $dir, $coupons) =~ /(\w+)=([\d.]+)/g);

    # the first ones read what loading left in no cache, and are not counted

    my %spent = run("$DIR/grow", 'spend', $dir, $coupons, $first, 1024, 256) =~ /(\w+)=([\d.]+)/g;

    $first += 1024;
    %row = (%row, %spent);

    for my $count ($few, $many) {
        my $costs = { self => {}, inclusive => {}, calls => {}, from => {}, object => {}, total => 0, main => 0 };
        my $file = "$DIR/callgrind.grow";

        run(qw(valgrind -q --tool=callgrind --compress-strings=no --compress-pos=no --dump-line=no),
            "--callgrind-out-file=$file", "--log-file=$DIR/valgrind.log", "$DIR/grow", 'spend', $dir, $coupons, $first, $count, 32);
        read_costs($file, $costs);
        unlink $file;

        $first += $count;
        push @counted, $costs;
    }

    my $per = sub { my ($of) = @_; return ($of->($counted[1]) - $of->($counted[0])) / ($many - $few) };

    $row{instructions} = $per->(sub { $_[0]{total} });
    $row{gets} = $per->(sub { $_[0]{calls}{'liblmdb.so.0.0.0:mdb_get'} // 0 });

    remove_tree($dir);

    return \%row;
}


# what an order takes elsewhere: the log, the worker, and the peers, which hold in memory what they know

sub memory
{
    my ($warm, $orders) = $quick ? (50_000, 10_000) : (80_000, 30_000);
    my %rate;

    store_make();
    gateway_conf(1, undef, '4g');
    start('gateway');

    load($port{gateway}, requests('view', map { view($_) } 0 .. $BUYERS - 1), '-c', 16);

    # until its pools and LMDB's list of pages have what the largest batch needed

    load($port{gateway}, requests('order', map { order('') } 1 .. $warm), '-c', 64);
    settle();

    my ($before, $log) = (private_memory('gateway'), -s "$DIR/events.jsonl");

    load($port{gateway}, requests('order', map { order('') } 1 .. $orders), '-c', 64);
    settle();
    my ($after, $grown) = (private_memory('gateway'), -s "$DIR/events.jsonl");
    stop('gateway');

    lua_conf();
    start('lua');
    my $file = requests('order', map { order('') } 1 .. $orders);

    load($port{lua}, requests('warm', map { order('') } 1 .. 2000), '-c', 64);
    my %lua = lua_stat();
    load($port{lua}, $file, '-c', 64);
    my %then = lua_stat();
    stop('lua');

    my $redis = redis(\%rate, 64);
    my $aof = 0;

    $aof += -s $_ // 0 for glob "$DIR/redis.data/appendonlydir/*.aof";
    stop('redis', 'TERM');

    printf "%-34s %s\n", 'Memory and log of an order, bytes:', '';
    printf "%-34s %s\n", @$_ for
        [ 'gateway, private memory', sprintf('%.0f (the worker has %.1f MB; the store is page cache)',
            ($after - $before) / $orders, $after / 1048576) ],
        [ 'gateway, lines in the event log', sprintf('%.0f', ($grown - $log) / $orders) ],
        [ 'Lua, shared dictionaries', sprintf('%.0f a coupon, %.0f an order', map { ($then{$_} - $lua{$_}) / $orders }
            qw(coupons orders)) ],
        [ 'Redis, coupon and order', sprintf('%.0f of memory, %.0f in its append-only file', $redis->{memory},
            $aof / $redis->{orders}) ];
    print "\n";
}


sub lua_stat
{
    my ($line) = get($port{lua}, request('GET', '/stat', '')) =~ /(coupons=.*)/;

    return ($line // fail('no figures of the dictionaries')) =~ /(\w+)=(\d+)/g;
}


sub private_memory
{
    my ($worker) = workers($_[0]);

    return (slurp("/proc/$worker/status") =~ /^RssAnon:\s+(\d+)/m)[0] * 1024;
}


# 10^9 spent coupons, from what was measured

sub paper
{
    local $Text::Wrap::columns = 110;

    my ($small, $large) = @_[0, -1];
    my $decades = $large->{exponent} - $small->{exponent};
    my $step = ($large->{instructions} - $small->{instructions}) / $decades;
    my $more = ($large->{written} - $small->{written}) / $decades;
    my $far = 9 - $large->{exponent};
    my $bytes = $large->{coupon} + $large->{order};
    my $fanout = ($bytes * 10 ** $large->{exponent} / 4096) ** (1 / ($large->{depth} - 1));
    my $depth = 1 + log($bytes * 1e9 / 4096) / log($fanout);

    print wrap('', '', sprintf(
        "On paper, 10^9 spent coupons with their orders: %.0f GB (coupons alone %.0f GB), about %.0f pages "
        . "deep at the measured fan-out of %.0f, so some %.0f instructions a redemption (%+.0f a decade), and "
        . "%.0f KB written (%+.0f).  Nothing of it is a worker's own memory; what counts is how much stays in "
        . "the page cache.  The branch pages, %.1f GB, do; of the leaves a redemption needs about seven "
        . "(order, its due time and number, coupon, two counters, outbox), of which the outbox and a new "
        . "order's neighbours are warm: four or five random reads of 4 KB, 0.1 ms each on flash, that other "
        . "requests wait for while LMDB has its one writer.  A batch of 64 would then take some 30 ms instead "
        . "of 2: so at 10^9 either the machine has memory for the leaves that are in use (recent orders and "
        . "one campaign's serials are neighbours), or old orders leave the store by retention, or shops get "
        . "stores of their own.",
        $bytes, $large->{coupon}, $depth, $fanout, $large->{instructions} + $far * $step, $step,
        ($large->{written} + $far * $more) / 1024, $more / 1024,
        $bytes * 1e9 / $fanout / 1e9)), "\n\n";
}


1;
