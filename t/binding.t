#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Binding, to the second: protection, validity, renewal, theft; what never binds; late touches; lookback.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new(shuffle => 1);

use constant { HOUR => 3600, DAY => 86400 };

my $T0 = 1_800_000_000;
my ($V, $P) = (30 * DAY, 15 * DAY);

$t->clock($T0);
$t->keys;

my $people = <<'CSV';
id,role,status,upline,user
A,guide,active,,u-a
B,guide,active,,u-b
C,koc,active,,u-c
G,leader,active,,u-g
F,guide,active,,
L,guide,active,,
CSV

$t->people($people);
$t->cli_ok(qw(group put g1 --leader G));
$t->cli_ok(qw(room put live1 --host B));
$t->cli_ok(qw(room put live2 --host C));

$t->storefront(8081);

my $server = sub {
    my ($port, $binding, $more) = @_;

    return <<"EOC";
    server {
        listen            127.0.0.1:$port;
        commerce_shop     demo;
        commerce          enforce;
        commerce_user     \$http_x_user verified;
        commerce_touch    share \$arg_st;
        commerce_touch    live_room \$http_x_live_room attested;
        commerce_touch    group \$http_x_group attested;
        commerce_binding  $binding;
        $more

        location / { proxy_pass http://127.0.0.1:8081; }

        location /short {
            commerce_touch share \$arg_st lookback=1h;
            proxy_pass http://127.0.0.1:8081;
        }

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            add_header X-Seller \$commerce_seller always;
            add_header X-Reason \$commerce_reason always;
            proxy_pass http://127.0.0.1:8081;
        }
    }
EOC
};

$t->http_conf($server->(8080, 'validity=30d protect=15d renew=on', '')
    . $server->(8082, 'validity=30d protect=0', '')
    . $server->(8083, 'validity=forever protect=forever', '')
    . $server->(8084, 'validity=30d protect=15d renew=off', '')
    . $server->(8086, 'validity=forever protect=forever', 'commerce_priority touch_first;')
    . $server->(8087, 'validity=30d protect=15d', 'commerce_priority touch_first;')
    . $server->(8088, 'validity=20d protect=20d', '')
    . ($server->(8085, 'validity=30d protect=15d', '') =~ s/ verified;/ claimed;/r))->run;


# One token per name: "A1" and "A2" are two tokens of A's; a name with "/" is in a group or room.

my %tokens;

sub token
{
    my ($name) = @_;

    return $tokens{$name} //= do {
        my ($seller) = $name =~ /^([A-Z-]+)/;
        $t->token($seller, '--days', 3000 + CORE::keys %tokens);
    };
}


sub view
{
    my ($buyer, $name, %option) = @_;

    my $answer = $t->get(($option{path} // '/') . ($name ? '?st=' . token($name) : ''), %option,
        headers => { (defined $buyer ? ('X-User' => $buyer) : ()), %{$option{headers} || {}} });

    my $headers = eval { $answer->json->{headers} } || {};

    return { status => $answer->status, reason => $headers->{'x-commerce-reason'} // '',
        seller => $headers->{'x-commerce-seller'} // '', group => $headers->{'x-commerce-group'} // '',
        room => $headers->{'x-commerce-room'} // '' };
}


my $key = 0;

sub order
{
    my ($buyer, $name, %option) = @_;

    my $answer = $t->post('/api/orders' . ($name ? '?st=' . token($name) : ''),
        { client_key => 'k' . ++$key, items => [ { sku => 's1', count => 1, price => 100 } ] }, %option,
        headers => { 'X-User' => $buyer, %{$option{headers} || {}} });

    return { status => $answer->status, seller => $answer->header('x-seller') // '',
        reason => $answer->header('x-reason') // '', key => "k$key" };
}


# Each table is one buyer's life: when, with which token, what is answered, whose buyer it is, and for a
# bind event the state before it.

my ($n, @expected) = (0);

sub life
{
    my ($name, $port, @steps) = @_;
    my $buyer = 'life' . ++$n;

    for my $step (@steps) {
        my ($at, $token, $reason, $seller, $from) = @$step;

        $t->clock($T0 + $at);
        my $view = view($buyer, $token, port => $port);

        is("$view->{reason} $view->{seller}", "$reason $seller",
           "$name: " . ($token || 'nothing') . " after $at s");

        push @expected, [ $seller, $from, $reason, $T0 + $at ] if $from;
    }
}

my $hold = [ 0, 'A1', 'BIND_NEW', 'A', 'none' ];

life('protected to the last second', 8080, $hold, [ $P - 1, 'B1', 'PROTECT_HOLD', 'A' ]);
life('stolen in the next', 8080, $hold, [ $P, 'B1', 'BIND_STOLEN', 'B', 'open' ]);
life('a thief is protected', 8080, $hold, [ $P, 'B1', 'BIND_STOLEN', 'B', 'open' ],
    [ $P + $P - 1, 'A2', 'PROTECT_HOLD', 'B' ], [ $P + $P, 'A3', 'BIND_STOLEN', 'A', 'open' ]);
life('valid to the last second', 8080, $hold, [ $V - 1, '', 'ATTR_OK', 'A' ], [ $V, '', 'ATTR_DIRECT', '' ]);
life('open to the last second', 8080, $hold, [ $V - 1, 'B1', 'BIND_STOLEN', 'B', 'open' ]);
life('a rival binds in the second of the end', 8080, $hold,
    [ $V, 'B1', 'BIND_NEW_AFTER_EXPIRY', 'B', 'expired' ]);
life('the owner binds in the second of the end', 8080, $hold,
    [ $V, 'A2', 'BIND_NEW_AFTER_EXPIRY', 'A', 'expired' ], [ $V + $P - 1, 'B1', 'PROTECT_HOLD', 'A' ],
    [ $V + $V - 1, '', 'ATTR_OK', 'A' ], [ $V + $V, '', 'ATTR_DIRECT', '' ]);
life('a renewal moves the end', 8080, $hold, [ 20 * DAY, 'A2', 'BIND_RENEW', 'A', 'open' ],
    [ 50 * DAY - 1, '', 'ATTR_OK', 'A' ], [ 50 * DAY, '', 'ATTR_DIRECT', '' ]);
life('a renewal in protection moves the end', 8080, $hold, [ DAY, 'A2', 'BIND_RENEW', 'A', 'protected' ],
    [ 31 * DAY - 1, '', 'ATTR_OK', 'A' ], [ 31 * DAY, '', 'ATTR_DIRECT', '' ]);
life('a renewal does not protect', 8080, $hold, [ $P - 1, 'A2', 'BIND_RENEW', 'A', 'protected' ],
    [ $P, 'B1', 'BIND_STOLEN', 'B', 'open' ]);
life('two touches of the owner in one second renew once', 8080, $hold, [ 0, 'A2', 'ATTR_OK', 'A' ],
    [ 0, 'A3', 'ATTR_OK', 'A' ]);
life('renew=off', 8084, $hold, [ 20 * DAY, 'A2', 'ATTR_OK', 'A' ], [ $V - 1, '', 'ATTR_OK', 'A' ],
    [ $V, '', 'ATTR_DIRECT', '' ]);
life('protect=0', 8082, $hold, [ 0, 'B1', 'BIND_STOLEN', 'B', 'open' ], [ 1, 'A2', 'BIND_STOLEN', 'A', 'open' ]);
life('permanent', 8083, $hold, [ 2500 * DAY, 'B1', 'SNATCH_FORBIDDEN', 'A' ],
    [ 2501 * DAY, '', 'ATTR_OK', 'A' ]);
life('protected as long as valid', 8088, $hold, [ 20 * DAY - 1, 'B1', 'PROTECT_HOLD', 'A' ],
    [ 20 * DAY, 'B2', 'BIND_NEW_AFTER_EXPIRY', 'B', 'expired' ]);
life('a policy change binds new bindings only', 8080, $hold, [ DAY, '', 'ATTR_OK', 'A' ]);
$t->clock($T0 + DAY);
is(view("life$n", 'B1', port => 8082)->{reason}, 'PROTECT_HOLD', 'protect=0 does not open an older binding');
is(view("life$n", '', port => 8083)->{seller}, 'A', 'nor does permanent ...');
$t->clock($T0 + $V);
is(view("life$n", '', port => 8083)->{seller}, '', '... make it so');

# sending a token again is not a new touch

life('the owner\'s old token does not renew', 8080, $hold, map([ $_ * DAY, 'A1', 'ATTR_OK', 'A' ], 1, 3, 6),
    map([ $_ * DAY, 'A1', 'ATTR_LOOKBACK_EXCEEDED', 'A' ], 7, 20, 29), [ $V - 1, '', 'ATTR_OK', 'A' ],
    [ $V, 'A1', 'ATTR_LOOKBACK_EXCEEDED', '' ], [ $V, 'A2', 'BIND_NEW_AFTER_EXPIRY', 'A', 'expired' ]);
life('a rival\'s old token does not steal', 8080, $hold, [ $P - 5, 'B1', 'PROTECT_HOLD', 'A' ],
    [ $P - 4, 'B1', 'ATTR_OK', 'A' ]);
life('a rival\'s old token neither steals nor binds, ever', 8080, $hold, [ DAY, 'B1', 'PROTECT_HOLD', 'A' ],
    map([ $_, 'B1', 'ATTR_LOOKBACK_EXCEEDED', 'A' ], $P, $V - 1),
    [ $V, 'B1', 'ATTR_LOOKBACK_EXCEEDED', '' ], [ $V + 300 * DAY, 'B1', 'ATTR_LOOKBACK_EXCEEDED', '' ],
    [ $V + 300 * DAY, 'B2', 'BIND_NEW_AFTER_EXPIRY', 'B', 'expired' ]);

# ... also within its lookback, when the protection is over: then it wins the sale, but not the buyer

life('a rival\'s live old token wins, but does not bind', 8080, $hold, [ $P - 1, 'B1', 'PROTECT_HOLD', 'A' ],
    [ $P, 'B1', 'ATTR_OK', 'B' ], [ $P + 7 * DAY - 2, '', 'ATTR_OK', 'B' ], [ $P + 7 * DAY - 1, '', 'ATTR_OK', 'A' ]);

# the bind events, exactly

$t->wait_events('bind', scalar @expected);

is_deeply([ map { [ @$_{qw(seller from reason)}, int($_->{ts} / 1_000_000) ] } $t->events('bind') ],
    \@expected, 'bind events');

my ($first, $stolen) = ($t->events('bind'))[0, 2];
is_deeply([ @$first{qw(source start end protected_until)} ], [ 'share', $T0, $T0 + $V, $T0 + $P ],
    'a new binding with its end');
ok(!exists $first->{previous}, 'of nobody before');
is_deeply([ @$stolen{qw(seller previous start end protected_until)} ],
    [ 'B', 'A', $T0 + $P, $T0 + $P + $V, $T0 + 2 * $P ], 'a stolen one with the owner before');

my ($permanent) = grep { !exists $_->{end} } $t->events('bind');
ok($permanent && !exists $permanent->{protected_until}, 'a permanent one has no end');

# what a buyer did is in the log once

my @buyer = grep { $_->{buyer} eq $stolen->{buyer} } $t->wait_events('touch', 4);
is_deeply([ sort map { "$_->{seller} $_->{source} $_->{strength} $_->{reason}" } @buyer ],
    [ 'A share signed OK', 'B share signed OK' ], 'touches of one buyer');
is_deeply([ grep { !/^\d+:/ } $t->read_file('events.jsonl') =~ /"buyer":"([^"]*)"/g ], [],
    'buyers are pseudonyms');

# an unverified touch lives in its request

$t->clock($T0);
my $binds = $t->events('bind');

is_deeply(view(undef, 'A1'), { status => 200, reason => 'ATTR_OK', seller => 'A', group => '', room => '' },
    'anonymous: wins its request');
is(view(undef, '')->{seller}, '', 'and nothing more');

is_deeply([ @{view('soft', 'A1', port => 8085)}{qw(reason seller)} ], [ 'ATTR_OK', 'A' ],
    'claimed: wins its request');
is(view('soft', '', port => 8085)->{seller}, '', 'and nothing more');
is(view('soft', '')->{seller}, '', 'no binding for the verified user of that name');
is(view('soft', 'A1')->{reason}, 'BIND_NEW', 'whose own first sight binds');
is(view('soft', '', port => 8085)->{seller}, '', 'and is not for one who claims the name');
is(view('soft', '')->{seller}, 'A', 'but for the verified one');
$binds++;

# HEAD, prefetch: nobody looked

for my $case ([ 'HEAD', method => 'HEAD' ],
              [ 'prefetch', headers => { 'Sec-Purpose' => 'prefetch;prerender' } ],
              [ 'old prefetch', headers => { 'Purpose' => 'prefetch' } ],
              [ 'firefox\'s prefetch', headers => { 'X-moz' => 'prefetch' } ])
{
    my ($name, %option) = @$case;

    is(view("no-$name", 'A1', %option)->{status}, 200, "$name is served");
    is(view("no-$name", '')->{seller}, '', "$name does not bind");
    is(view("no-$name", 'A1')->{reason}, 'BIND_NEW', "$name does not use the first sight up");
    $binds++;
}

# sellers who cannot be credited: F's and L's tokens are older than their misfortune

token($_) for qw(F1 L1);
$t->people("id,status\nF,suspended\nL,left\n");

# another store of the same keys knows more people

mkdir $t->dir . '/other';
$t->cli_ok('--store', $t->dir . '/other', 'people', 'import',
    $t->write_file('other.csv', join "\n", 'id', map { "other$_" } 1 .. 30));
$tokens{Z1} = $t->cli_ok('--store', $t->dir . '/other', 'token', 'issue', 'other30') =~ s/\n//r;

for my $case ([ 'F1', 'OWNER_FROZEN' ], [ 'L1', 'OWNER_INACTIVE' ], [ 'Z1', 'OWNER_UNKNOWN' ]) {
    my ($token, $reason) = @$case;

    is_deeply([ @{view("sad-$token", $token)}{qw(reason seller)} ], [ $reason, '' ], "$reason: no binding");
    is(view("sad-$token", '')->{seller}, '', "$reason: nothing remains");
    is(view("sad-$token", 'A1')->{reason}, 'BIND_NEW', "$reason: the next seller binds");
    $binds++;
}

# a frozen owner keeps his customers and earns nothing

is(view('chilled', 'B1')->{reason}, 'BIND_NEW', 'bound to B');
$t->people("id,status\nB,suspended\n");
is(view('chilled', '')->{seller}, '', 'frozen: the house');
is_deeply([ @{view('chilled', 'A1')}{qw(reason seller)} ], [ 'OWNER_FROZEN', 'A' ],
    'frozen: a rival wins the sale, but not the buyer');
$t->people("id,status\nB,active\n");
is(view('chilled', '')->{seller}, 'B', 'thawed: as before');
$binds++;

# one's own token

is_deeply([ @{view('u-a', 'A1')}{qw(reason seller)} ], [ 'SELF_BIND', '' ], 'self: no binding');
is(view('u-a', '')->{seller}, '', 'self: nothing remains');
is(view('u-a', 'B1')->{reason}, 'BIND_NEW', 'another seller binds him');
$binds++;

is_deeply([ scalar $t->wait_events('bind', $binds) ], [ $binds ], 'nothing else has bound');

# late touches: buyers who are bound to A and open

sub open_buyer
{
    my ($name, %option) = @_;

    $t->clock($T0);
    is(view($name, 'A1', %option)->{reason}, 'BIND_NEW', "$name: bound to A");
    $t->clock($T0 + 20 * DAY);
}

open_buyer('late-order');
is_deeply([ @{order('late-order', 'B1')}{qw(status reason seller)} ], [ 200, 'LATE_TOUCH', 'A' ],
    'a rival\'s token on the order itself');
is(view('late-order', '')->{seller}, 'B', 'binds all the same');

for my $case ([ 0, 'A' ], [ 9, 'A' ], [ 10, 'B' ]) {
    my ($seconds, $seller) = @$case;

    for my $token ('', 'B1') {
        my $name = "late-$seconds" . ($token ? '-again' : '');

        open_buyer($name);
        is(view($name, 'B1')->{reason}, 'BIND_STOLEN', "$name: stolen");
        is(view($name, '')->{seller}, 'B', "$name: pages are B's");
        $t->advance($seconds);

        my $order = order($name, $token);
        is($order->{seller}, $seller, "$name: the order is ${seller}'s");
        is($order->{reason}, $seller eq 'A' ? 'LATE_TOUCH' : 'ATTR_OK', "$name: and says why");
        is(view($name, '')->{seller}, 'B', "$name: the next pages are B's");
    }
}

for my $case ([ 9, 'A' ], [ 10, 'B' ]) {
    my ($seconds, $seller) = @$case;
    my $name = "held-$seconds";

    $t->clock($T0);
    is(view($name, 'A1', port => 8087)->{reason}, 'BIND_NEW', "$name: bound to A");
    $t->advance(DAY);
    is_deeply([ @{view($name, 'B1', port => 8087)}{qw(reason seller)} ], [ 'PROTECT_HOLD', 'B' ],
        "$name: the touch goes first");
    $t->advance($seconds);
    is(order($name, 'B1', port => 8087)->{seller}, $seller, "$name: the order is ${seller}'s");
    is(order($name, '', port => 8087)->{seller}, $seller, "$name: also without the token");
}

open_buyer('room-order');
is(order('room-order', '', headers => { 'X-Live-Room' => 'live1' })->{seller}, 'B',
    'an attested room on the order itself is no late touch');
is(view('room-order', '')->{seller}, 'B', 'and binds');

open_buyer('room-5');
is(view('room-5', '', headers => { 'X-Live-Room' => 'live1' })->{reason}, 'BIND_STOLEN', 'room-5: stolen');
$t->advance(5);
is(order('room-5', '')->{seller}, 'B', 'nor 5 s before it');

open_buyer('group-5');
is(view('group-5', '', headers => { 'X-Group' => 'g1' })->{reason}, 'BIND_STOLEN', 'group-5: stolen');
$t->advance(5);
is_deeply([ @{order('group-5', '')}{qw(reason seller)} ], [ 'ATTR_OK', 'G' ], 'nor is an attested group');

open_buyer('own-order');
is_deeply([ @{order('own-order', 'A2')}{qw(reason seller)} ], [ 'BIND_RENEW', 'A' ],
    'nor is the owner\'s own new token');

$t->clock($T0);
is_deeply([ @{order('new-order', 'B1')}{qw(reason seller)} ], [ 'BIND_NEW', 'B' ],
    'nor any token of a buyer who belongs to nobody');
$t->advance(3);
is(order('new-order', '')->{seller}, 'B', 'three seconds later, too');

$t->clock($T0);
view('end-order', 'A1');
view('end-5', 'A1');
$t->clock($T0 + $V);
is_deeply([ @{order('end-order', 'B1')}{qw(reason seller)} ], [ 'BIND_NEW_AFTER_EXPIRY', 'B' ],
    'or no longer to anybody');
view('end-5', 'B1');
$t->advance(5);
my $order = order('end-5', 'B1');
is($order->{seller}, 'B', 'five seconds later, too');

my $placed = sub { grep { $_->{type} eq 'order' && $_->{order_key} eq $order->{key} } @_ };
my ($event) = $placed->($t->wait_events($placed));
is($event->{source}, 'protected', 'by the new binding');

# lookback: A's for ever, but here the touch goes first

my @lookback = (
    [ 'share',               'B1', {}, '/', 7 * DAY, 'B' ],
    [ 'share, 1 h here',     'B1', {}, '/short', HOUR, 'B' ],
    [ 'group',               'GROUP', {}, '/', 30 * DAY, 'G' ],
    [ 'room token',          'ROOM', {}, '/', 7 * DAY, 'B' ],
    [ 'attested room',       '', { 'X-Live-Room' => 'live1' }, '/', DAY, 'B' ],
    [ 'share in a group',    'B-GROUP', {}, '/', 7 * DAY, 'B' ],
);

$tokens{GROUP} = $t->token('-', qw(--group g1 --days forever));
$tokens{ROOM} = $t->token('-', qw(--room live1 --days forever));
$tokens{'B-GROUP'} = $t->token('B', qw(--group g1 --days forever));

for my $case (@lookback) {
    my ($name, $token, $headers, $path, $lookback, $seller) = @$case;

    $t->clock($T0);
    view("look $name", 'A1', port => 8086);
    $t->clock($T0 + 10 * DAY);

    my $view = view("look $name", $token, port => 8086, headers => $headers, path => $path);
    is($view->{seller}, $seller, "$name: wins");

    for my $again (0, 1) {
        my $sent = $again && !%$headers ? $token : '';

        $t->clock($T0 + 10 * DAY + $lookback - 1);
        is(view("look $name", $sent, port => 8086, path => $path)->{seller}, $seller, "$name: to the last second");
        $t->clock($T0 + 10 * DAY + $lookback);
        is(view("look $name", $sent, port => 8086, path => $path)->{seller}, 'A', "$name: not in the next");
    }
}

is(view('look attested room', '', port => 8086, headers => { 'X-Live-Room' => 'live1' })->{seller}, 'B',
    'an attested room is a new touch when its lookback is over');

# The last 16 tokens are remembered.

sub remembered
{
    my ($name, @tokens) = @_;

    $t->clock($T0);
    view($name, 'A1');
    $t->clock($T0 + DAY);
    is(view($name, 'B1')->{reason}, 'PROTECT_HOLD', "$name: held");
    view($name, $_) for @tokens;
    $t->clock($T0 + $P);

    return view($name, 'B1')->{reason};
}

my @more = map { "C$_" } 1 .. 30;

is(remembered('15 more', @more[0 .. 14]), 'ATTR_LOOKBACK_EXCEEDED', 'the 16th last token is known');
is(remembered('16 more', @more[0 .. 15]), 'BIND_STOLEN', 'the 17th last is not');
is(remembered('sent again', @more[0 .. 14], 'B1', @more[15 .. 29]), 'ATTR_LOOKBACK_EXCEEDED',
    'sending a token again keeps it among the last');

my ($code, $out, $err) = $t->cli(qw(store check));
is($code, 0, 'store check') or diag "$out$err";

$t->done_testing;
