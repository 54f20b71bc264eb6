# Copyright (C) ngx_commerce authors
#
# ci/bench: instructions per request.

use strict;
use warnings;

use File::Basename qw(basename);
use List::Util qw(sum0);
use Time::HiRes qw(time);

our ($DIR, %GOAL, $profile, $WARM, $COUNT, $BUYERS, %port);


sub instructions
{
    my $start = time;
    my @c = ('-c', 16);
    my %cost;

    bare_conf();
    gateway_conf(1, undef, '256m');

    my %file = (
        view     => requests('view', map { view($_) } 0 .. $BUYERS - 1),
        off      => requests('off', map { view($_, 0, '/off') } 0 .. $BUYERS - 1),
        first    => requests('first', map { view($_, 1) } 0 .. $WARM + $COUNT - 1),
        order    => requests('order', map { order('') } 1 .. $WARM + $COUNT),
        answer   => requests('answer', map { order('/answer') } 1 .. $WARM + $COUNT),
        json     => requests('json', map { order('/json', 1) } 1 .. $WARM + $COUNT),
    );

    my $measure = sub {
        my ($server, $name, $file) = @_;

        load($port{$server}, $file, @c, '-n', $WARM, '-l');
        settle() if $server eq 'gateway';
        dump_costs($server);
        my $done = load($port{$server}, $file, @c, '-n', $COUNT, '-l', '-o', $WARM);
        fail("$name: $done->{ok} requests instead of $COUNT") if $done->{ok} != $COUNT;
        settle() if $server eq 'gateway';

        return $cost{$name} = dump_costs($server);
    };

    start('bare', 1);
    $measure->('bare', 'proxy', $file{off});
    $measure->('bare', 'post', $file{order});
    $measure->('bare', 'post_json', $file{json});
    stop('bare');

    lua_conf();
    start('lua', 1);
    load($port{lua}, $file{view}, @c);
    check_view('lua');
    $measure->('lua', "lua_$_", $file{$_}) for qw(view order);
    stop('lua');

    start('gateway', 1);
    load($port{gateway}, $file{view}, @c);                  # binds them
    check_view('gateway');
    $measure->('gateway', $_, $file{$_}) for qw(off view first order answer json);
    stop('gateway');

    instructions_table(\%cost);
    profile_table($_, $cost{$_->[1]}, $cost{$_->[2]})
        for $profile ? ([ 'a repeated page view', 'view', 'proxy' ], [ 'an order', 'order', 'post' ],
                        [ 'an order with a JSON body', 'json', 'post_json' ]) : ();
    printf "   (%.0f s)\n", time - $start;
}


# the right seller must arrive upstream, or the wrong thing is measured

sub check_view
{
    my ($server) = @_;
    my $answer = get($port{$server}, view(7));

    fail("a view without its seller: $answer") unless $answer =~ /"seller":"seller-\d{5}"/;
}


# asks callgrind to write what it counted since the last time, and reads it: threads apart

sub dump_costs
{
    my ($name) = @_;
    my ($worker) = workers($name);
    my %before = map { $_ => 1 } glob "$DIR/callgrind.$name.$worker*";

    run_all('vgdb', "--pid=$worker", 'dump', 'bench');

    my @files = grep { !$before{$_} } glob "$DIR/callgrind.$name.$worker*";
    fail("callgrind wrote nothing for $name") unless @files;

    my $costs = { self => {}, inclusive => {}, calls => {}, from => {}, object => {}, total => 0, main => 0 };

    for my $file (@files) {
        my $total = read_costs($file, $costs);

        $costs->{main} += $total if $file =~ /-0*1$/ || @files == 1;
        unlink $file;
    }

    return $costs;
}


sub read_costs
{
    my ($file, $costs) = @_;
    my ($object, $function, $called_object, $called, $calls) = ('?', '?');
    my $total = 0;

    local $_;
    open my $in, '<', $file or fail("cannot read $file: $!");

    while (<$in>) {
        if (/^ob=(.*)/) {
            $object = basename($1);

        } elsif (/^fn=(.*)/) {
            $function = "$object:$1";
            undef $called_object;

        } elsif (/^cob=(.*)/) {
            $called_object = basename($1);

        } elsif (/^cfn=(.*)/) {
            $called = ($called_object // $object) . ":$1";

        } elsif (/^calls=(\d+)/) {
            $calls = $1;
            my ($cost) = (scalar <$in>) =~ /^\S+ (\d+)/;

            if ($called ne $function) {
                $costs->{inclusive}{$called} += $cost // 0;
                $costs->{calls}{$called} += $calls;
                $costs->{from}{$called}{$function} += $cost // 0;
            }

            undef $called_object;

        } elsif (/^[+\d*-]\S* (\d+)$/) {
            $costs->{self}{$function} += $1;
            $costs->{object}{$object} += $1;
            $total += $1;
        }
    }

    $costs->{total} += $total;

    return $total;
}


# per request: inclusive cost of a function of ours, in whichever module it was linked

sub inclusive
{
    my ($costs, $name, $what) = @_;
    my $of = $costs->{$what || 'inclusive'};

    return sum0(map { $of->{$_} } grep { /:\Q$name\E$/ } keys %$of) / $COUNT;
}


sub inclusive_from
{
    my ($costs, $name, $caller) = @_;

    return sum0(map { my $f = $costs->{from}{$_}; map { $f->{$_} } grep { /:$caller$/ } keys %$f }
        grep { /:\Q$name\E$/ } keys %{$costs->{from}}) / $COUNT;
}


sub object
{
    my ($costs, $pattern) = @_;

    return sum0(map { $costs->{object}{$_} } grep { /$pattern/ } keys %{$costs->{object}}) / $COUNT;
}


sub instructions_table
{
    my ($cost) = @_;
    my @rows = (
        [ 'bare proxy, GET', 'proxy' ],
        [ 'modules loaded, commerce off', 'off', 'proxy' ],
        [ 'page view, known buyer and token', 'view', 'proxy' ],
        [ 'page view, first sight: bind', 'first', 'proxy' ],
        [ 'the same in Lua', 'lua_view', 'proxy' ],
        [ 'bare proxy, POST', 'post' ],
        [ 'order, coupon redeemed', 'order', 'post' ],
        [ 'the same in Lua, not durable', 'lua_order', 'post' ],
        [ 'order, JSON answer read', 'answer', 'post' ],
        [ 'bare proxy, POST 1 KB', 'post_json' ],
        [ 'order, JSON body of 1 KB', 'json', 'post_json' ],
    );

    printf "\n1. User instructions per request (callgrind, %d requests after %d, 16 connections)\n\n",
        $COUNT, $WARM;
    printf "%-34s %8s %8s %9s %8s %8s %8s %8s %6s %8s\n", '', 'all', 'added', 'libcrypto', 'LMDB',
        'libc', 'cJSON', 'nginx', 'reads', 'pool';

    for my $row (@rows) {
        my ($title, $name, $base) = @$row;
        my $c = $cost->{$name};
        my $b = $base ? $cost->{$base} : undef;
        my $over = sub { object($c, $_[0]) - ($b ? object($b, $_[0]) : 0) };

        printf "%-34s %8.0f %8s %9.0f %8.0f %8.0f %8.0f %8.0f %6.1f %8.0f\n", $title, $c->{total} / $COUNT,
            $b ? sprintf('%+.0f', ($c->{total} - $b->{total}) / $COUNT) : '',
            $over->('^libcrypto'), $over->('^liblmdb'), $over->('^libc[.-]'), $over->('^libcjson'),
            $over->('^nginx$'), inclusive($c, 'commerce_view_get', 'calls'), ($c->{total} - $c->{main}) / $COUNT;
    }

    print "\nadded: over the bare proxy of the same method and body; the columns behind it are parts of it\n",
        "reads: records got inline; pool: on pool threads (batches of what is in flight, log), in \"all\" too\n\n";

    goals_instructions($cost);
}


sub goals_instructions
{
    my ($cost) = @_;
    my $view = $cost->{view};
    my $added = ($view->{total} - $cost->{proxy}{total}) / $COUNT;
    my $gets = inclusive($view, 'commerce_view_get', 'calls');
    my $reads = inclusive($view, 'commerce_view_get') + inclusive($view, 'commerce_view_begin')
        + inclusive($view, 'commerce_view_end');

    goal(1, 'page view, added, store reads apart', '<=', $GOAL{view}, $added - $reads);
    note(sprintf 'evaluation %.0f (its reads %.0f), headers %.0f, event %.0f',
        inclusive($view, 'ngx_commerce_evaluate'), $reads,
        inclusive($view, 'ngx_commerce_headers_push') + inclusive($view, 'ngx_commerce_headers_strip_handler'),
        inclusive($view, 'ngx_commerce_log_visit'));
    goal(1, 'page view, store reads', '<=', $GOAL{reads}, $gets, '%.1f');
    goal(1, 'page view, one store read', '<=', $GOAL{read}, $gets ? $reads / $gets : 0);

    my $order = $cost->{order};
    my $jws_mac = inclusive_from($order, 'commerce_keyring_mac', 'commerce_verdict_sign');
    my $hashes = inclusive_from($order, 'commerce_keyring_sha256', 'ngx_commerce_(verdict_sign|headers_push)');

    $added = ($order->{total} - $cost->{post}{total}) / $COUNT;

    my $lua = ($cost->{lua_order}{total} - $cost->{post}{total}) / $COUNT;

    goal(2, 'order, coupon redeemed, no body, of the Lua job', '<=', $GOAL{order}, ($added - $jws_mac - $hashes) / $lua,
        '%.2f');
    note(sprintf 'ours %.0f, durable, without MAC of the JWS and hashes; Lua %.0f, not durable', $added - $jws_mac
        - $hashes, $lua);
    note(sprintf 'evaluation %.0f, outcome step %.0f; on pool threads: commit %.0f, log %.0f',
        map { inclusive($order, $_) } qw(ngx_commerce_evaluate ngx_commerce_order_step commerce_store_apply
            commerce_log_drain));
    note(sprintf 'apart: MAC of the JWS %.0f, query and body hash %.0f; the whole JWS %.0f, its text included',
        $jws_mac, $hashes, inclusive($order, 'commerce_verdict_sign'));

    goal(3, 'page view, outside hashing and store reads', '<=', $GOAL{outside},
        ($view->{total} - $cost->{proxy}{total}) / $COUNT - $reads - object($view, '^libcrypto'));
    note(sprintf 'first sight: token MAC %.0f, pseudonym %.0f', inclusive($cost->{first}, 'commerce_token_verify'),
        inclusive($cost->{first}, 'commerce_keyring_pseudonym'));

    my $json = $cost->{json};
    my $parse = inclusive($json, 'cJSON_ParseWithLengthOpts') || inclusive($json, 'cJSON_ParseWithOpts');
    my $mac = inclusive_from($json, 'commerce_keyring_mac', 'commerce_verdict_sign')
        + inclusive_from($json, 'commerce_keyring_sha256', 'ngx_commerce_(verdict_sign|headers_push)');
    my $rest = ($json->{total} - $cost->{post_json}{total}) / $COUNT - $parse - $mac - ($added - $jws_mac - $hashes);

    goal(9, 'order, 1 KB JSON: all but parse and redemption', '<=', $GOAL{json}, $parse ? $rest / $parse : 0, '%.2f');
    note(sprintf "cJSON's parse %.0f, the rest %.0f; apart: MAC of the JWS and hashes %.0f", $parse, $rest, $mac);
    print "\n";
}


# functions by what they spend over the bare proxy

sub profile_table
{
    my ($what, $costs, $base) = @_;
    my %delta;

    $delta{$_} += $costs->{self}{$_} / $COUNT for keys %{$costs->{self}};
    $delta{$_} -= $base->{self}{$_} / $COUNT for keys %{$base->{self}};

    my @top = (sort { $delta{$b} <=> $delta{$a} } keys %delta)[0 .. 44];

    print "Profile of $what->[0]: instructions over bare proxy, self\n\n";
    printf "%9.0f  %8.0f calls/1000  %s\n", $delta{$_}, 1000 * ($costs->{calls}{$_} // 0) / $COUNT, $_
        for grep { defined && $delta{$_} >= 10 } @top;

    my @inclusive = grep { /:(ngx_(http_)?commerce|commerce_|mdb_|cJSON|EVP_|ngx_commerce)/ } keys %{$costs->{inclusive}};

    @inclusive = (sort { $costs->{inclusive}{$b} <=> $costs->{inclusive}{$a} } @inclusive)[0 .. 59];

    print "\ninclusive\n\n";
    printf "%9.0f  %8.0f calls/1000  %s\n", $costs->{inclusive}{$_} / $COUNT, 1000 * $costs->{calls}{$_} / $COUNT, $_
        for grep { defined } @inclusive;
    print "\n";
}


1;
