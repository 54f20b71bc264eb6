#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# The customer relation beside its clock: orders that extend it, customers whom nobody takes over, its history,
# what an operator changes, two names of one buyer, two policies side by side.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use JSON::PP;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new(shuffle => 1);

use constant DAY => 86400;

my $T0 = 1_800_000_000;

$t->clock($T0);
$t->keys;
$t->people("id,role,user\nA,guide,u-a\nB,guide,u-b\nC,guide,u-c\n");

my %token = map { $_ => $t->token(substr($_, 0, 1), '--days', 3000 + ord $_) } qw(A B C);

$token{A2} = $t->token('A', '--days', 4000);
$token{B2} = $t->token('B', '--days', 4000);

$t->storefront(8081);

my $server = sub {
    my ($port, $binding) = @_;

    return <<"EOC";
    server {
        listen            127.0.0.1:$port;
        commerce_shop     demo;
        commerce          enforce;
        commerce_user     \$http_x_user verified;
        commerce_touch    share \$arg_st;
        commerce_binding  $binding;
        add_header X-Seller \$commerce_seller always;
        add_header X-Reason \$commerce_reason always;

        location / { proxy_pass http://127.0.0.1:8081; }

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            proxy_pass http://127.0.0.1:8081;
        }

        location /api/paid {
            commerce_order_confirm key=json:/key user=json:/user;
            proxy_pass http://127.0.0.1:8081;
        }
    }
EOC
};

$t->http_conf(
    $server->(8080, 'validity=30d protect=0 order_extend=45d renew=off')
    . $server->(8082, 'validity=30d protect=0 new_only=on')
    . $server->(8083, 'validity=30d protect=0 order_extend=0 renew=off')
    . $server->(8084, 'validity=30d protect=0 self_purchase=house'))->run;

my $key = 0;

sub refused
{
    my ($code, $output, $error) = $t->cli(@_);

    return $code ? $error : "exit code 0: $output";
}


sub view
{
    my ($buyer, $token, $port) = @_;
    my $answer = $t->get('/' . ($token ? "?st=$token{$token}" : ''), port => $port // 8080,
        headers => { 'X-User' => $buyer });

    return join ' ', map { $answer->header($_) // '-' } qw(x-reason x-seller);
}


sub order
{
    my ($buyer, $port) = @_;
    my $answer = $t->post('/api/orders', { client_key => 'k' . ++$key, items => [ { sku => 's', count => 1, price => 100 } ] },
        port => $port // 8080, headers => { 'X-User' => $buyer });

    return $answer->header('x-seller') // '-';
}


sub paid
{
    my ($buyer, $order, $port) = @_;

    return $t->post('/api/paid', { key => "k$order", user => $buyer }, port => $port // 8080)->status;
}


sub shown
{
    my ($buyer) = @_;

    return decode_json($t->cli_ok('buyer', 'show', $buyer));
}


sub binds
{
    my ($of) = @_;

    return grep { $_->{buyer} eq $of } $t->events('bind');
}

# order_extend: from when the order was placed, while the owner is the order's

is(view('extend', 'A'), 'BIND_NEW A', 'bound to A');
$t->advance(20 * DAY);
is(order('extend'), 'A', 'an order of A\'s');
my $placed = $key;
$t->advance(5 * DAY);
is(paid('extend', $placed), 200, 'paid');
is(paid('extend', $placed), 200, 'told twice');
$t->clock($T0 + 65 * DAY - 1);
is(view('extend', ''), 'ATTR_OK A', 'valid for 45 days from the order');
$t->clock($T0 + 65 * DAY);
is(view('extend', ''), 'ATTR_DIRECT -', '... to the second');

$t->wait_events(sub { grep { ($_->{reason} // '') eq 'BIND_ORDER_EXTEND' } @_ });
my @extended = grep { $_->{reason} eq 'BIND_ORDER_EXTEND' } $t->events('bind');
is(scalar @extended, 1, 'told once');
is_deeply([ @{$extended[0]}{qw(seller from start end)} ], [ 'A', 'open', $T0, $T0 + 65 * DAY ], 'what was extended');

$t->clock($T0);
is(view('stolen', 'A'), 'BIND_NEW A', 'bound to A');
$t->advance(DAY);
order('stolen');
$placed = $key;
$t->advance(DAY);
is(view('stolen', 'B'), 'BIND_STOLEN B', 'stolen before the order is paid');
paid('stolen', $placed);
is(shown('stolen')->{binding}{extended_until}, undef, 'A\'s order extends nothing of B\'s');

$t->clock($T0);
view('never', 'A', 8083);
$t->advance(DAY);
order('never', 8083);
paid('never', $key, 8083);
is(shown('never')->{binding}{extended_until}, undef, 'bound without order_extend: nothing is extended');

# new_only

$t->clock($T0);
is(view('fresh', 'A', 8082), 'BIND_NEW A', 'new_only: who never ordered is bound');
is(view('fresh', 'B', 8082), 'BIND_STOLEN B', '... and taken over');
order('fresh', 8082);
is(view('fresh', 'A2', 8082), 'NEW_USERS_ONLY A', 'a customer is not, though the sale is A\'s');
is(shown('fresh')->{binding}{owner}, 'B', 'he stays B\'s');
order('known', 8082);
is(view('known', 'A', 8082), 'NEW_USERS_ONLY A', 'a customer is not bound either');
is(shown('known')->{binding}{state}, 'none', 'nobody\'s');

# history

$t->clock($T0);
view('history', 'A');
$t->advance(DAY);
view('history', 'B');
$t->advance(DAY);
view('history', 'A2');
$t->advance(40 * DAY);
view('history', 'C');

my $shown = shown('history');

is_deeply([ map { [ @{$_}{qw(owner previous reason source)} ] } @{$shown->{history}} ],
    [ [ 'A', undef, 'BIND_NEW', 'share' ], [ 'B', 'A', 'BIND_STOLEN', 'share' ], [ 'A', 'B', 'BIND_STOLEN', 'share' ],
        [ 'C', 'A', 'BIND_NEW_AFTER_EXPIRY', 'share' ] ], 'who had him, and how');
is($shown->{binding}{origin}, 'A', 'who was first');
is($shown->{touches}[0]{seller}, 'C', 'the last touch');

# an operator's rebind

order('history');
is($t->cli_ok(qw(buyer rebind history B --validity 10 --protect 5)) =~ /^history is B's until/ ? 1 : 0, 1, 'rebound');
is(view('history', ''), 'ATTR_OK B', 'at once');
is(order('history'), 'B', '... also the next order');
is(view('history', 'A'), 'ATTR_LOOKBACK_EXCEEDED B', 'an old link steals nothing');
$shown = shown('history');
is($shown->{history}[-1]{reason}, 'BIND_ADMIN', 'in the history');
is($shown->{binding}{origin}, 'A', 'the origin stays');

$t->wait_events(sub { grep { ($_->{reason} // '') eq 'BIND_ADMIN' } @_ });
my ($admin) = grep { $_->{reason} eq 'BIND_ADMIN' } $t->events('bind');
is_deeply([ @{$admin}{qw(type seller previous)} ], [ qw(bind B C) ], 'in the log');

$t->advance(8 * DAY);
$t->cli_ok(qw(buyer rebind history -));
is(view('history', ''), 'ATTR_DIRECT -', 'the house\'s');

for my $case ([ 'nobody', qr/no person "nobody"/ ], [ 'D', qr/is suspended/ ], [ 'A', qr/bound to himself/, 'u-a' ]) {
    my ($seller, $says, $user) = @$case;

    $t->people("id,status\nD,suspended\n");
    like(refused('buyer', 'rebind', $user // 'history', $seller), $says, "rebind to $seller: refused");
}

like(refused(qw(buyer rebind history B --validity 5 --protect 6)), qr/must not be above/, 'protected longer than valid');

# two names of one buyer

$t->clock($T0);
view('name-1', 'B');
$t->clock($T0 - DAY);
view('name-2', 'A');
$t->clock($T0 + DAY);
is(order('name-2'), 'A', 'his own, before');

like($t->cli_ok(qw(buyer merge name-1 name-2)), qr/name-1, who is A's.*MERGE_CONFLICT/s, 'the older binding stays');
$t->advance(8 * DAY);
is(view('name-1', ''), 'ATTR_OK A', 'one buyer');
is(view('name-2', ''), 'ATTR_OK A', 'under both names');
is(view('name-2', 'C'), 'BIND_STOLEN C', 'taken over under one');
is(view('name-1', ''), 'ATTR_OK C', '... under both');
$t->advance(60);
is(order('name-2'), 'C', 'an order');
is(shown('name-2')->{canonical}, 'name-1', 'who he is');

$t->wait_events(sub { grep { $_->{type} eq 'order' && $_->{order_key} eq "k$key" } @_ });
my ($first) = grep { $_->{order_key} eq "k$key" } $t->events('order');
my ($conflict) = grep { $_->{reason} eq 'MERGE_CONFLICT' } $t->events('bind');
is($first->{buyer}, $conflict->{buyer}, 'the log knows one buyer');
is_deeply([ @{$conflict}{qw(seller previous)} ], [ qw(A B) ], 'and who lost him');

like(refused(qw(buyer merge name-2 name-1)), qr/one buyer already/, 'not twice');
like($t->cli_ok(qw(buyer merge third name-1)), qr/third, who is C's/, 'a name more');
is(view('name-2', ''), 'ATTR_OK C', 'through both');

# a seller who buys under another name

$t->cli_ok(qw(buyer merge u-a shopper-a));
is(view('shopper-a', 'A', 8084), 'SELF_BIND -', 'his own link binds nobody');
is(order('shopper-a', 8084), '-', 'nor does it win');

# two policies side by side: each binding keeps its own

$t->clock($T0);
view('policy-1', 'A', 8080);
view('policy-2', 'A', 8083);
$t->advance(DAY);
order('policy-1', 8083);
my $one = $key;
order('policy-2', 8080);
my $two = $key;
paid('policy-1', $one, 8083);
paid('policy-2', $two, 8080);
is(shown('policy-1')->{binding}{extended_until}, '2027-03-02T08:00:00Z', 'bound with order_extend')
    or diag explain shown('policy-1');
is(shown('policy-2')->{binding}{extended_until}, undef, 'bound without');

# a buyer who is erased leaves no history

$t->cli_ok(qw(buyer erase never));
is_deeply(shown('never')->{history}, [], 'forgotten');
like(refused(qw(buyer erase u-c)), qr/is person "C"/, 'a seller is not');
$t->cli_ok(qw(buyer merge lone lone-2));
like(refused(qw(buyer erase lone)), qr/"lone-2" is another name of this user/, 'the first of two names is not');
$t->cli_ok(qw(buyer erase lone-2));
$t->cli_ok(qw(buyer erase lone));

$t->cli_ok(qw(store check));
$t->stop;
$t->done_testing;
