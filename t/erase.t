#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# A buyer is forgotten: nothing in the store names him, finance data stays whole, and he starts from nothing.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new;
my $user = 'dora-4711';

$t->clock(1_800_000_000);
$t->keys->people("id,role,status,upline,user\nA,guide,active,,u-a\nB,guide,active,,u-b\n");
$t->campaign(id => 'c', discount => { fixed => 100 });
$t->campaign(id => 'drop', discount => { fixed => 100 }, claim => { stock => 5, user => 1 });
$t->storefront(8081);

my @codes = $t->coupons('c', 4);
my ($held) = $t->coupons('c', 1, '--holder', $user);
my %token = map { $_ => $t->token($_) } qw(A B);

$t->http_conf(<<'EOC')->run;
    server {
        listen          127.0.0.1:8080;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   $http_x_user verified;
        commerce_touch  share $arg_st;

        location / { proxy_pass http://127.0.0.1:8081; }
        location = /claim { commerce_coupon_claim campaign=$arg_campaign; }

        location = /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payment=response:/data/pay_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons;
            commerce_coupon_redeem on=paid deadline=16m;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /confirm { commerce_order_confirm id=$arg_id; }
        location = /paid    { commerce_order_confirm id=json:/order payment=json:/pay transaction=json:/trade amount=json:/fen; }
        location = /refund  { commerce_order_refund id=json:/order refund=json:/refund amount=json:/fen; }
        location = /by-key  { commerce_order_refund key=json:/key user=json:/user refund=json:/refund amount=json:/fen; }
        location = /status  { commerce off; commerce_status; }
    }
EOC

is(view('A')->json->{headers}{'x-commerce-seller'}, 'A', 'bound to A');
is(claim()->status, 201, 'a coupon is claimed');

my $order = order('k1', $codes[0]);
my $other = order('k2', $codes[1], 'dora-471');
is($order->status, 200, 'an order');
ok(settled(), 'settled');

my ($code, $out, $error) = $t->cli('buyer', 'erase', $user);
is($code, 1, 'while the order is open nothing is erased');
like($error, qr/order "k1" of this user is open .*nothing was erased/, 'says why');
is($t->post('/confirm?id=' . id($_), '')->status, 200, 'paid') for $order, $other;
ok(settled(), 'settled');

my %before = figures();
cmp_ok(scalar(named()), '>', 4, 'the store names the user: ' . named());

$out = $t->cli_ok('buyer', 'erase', $user);
like($out, qr/^1 orders and 3 coupons without their buyer, \d+ other records deleted$/m, "erased: $out");

is(scalar(named()), 0, 'nothing in the store names the user') or diag named();
is_deeply({ figures() }, \%before, 'the figures are as they were');
like($t->cli_ok('store', 'check'), qr/ 0 violations/, 'the store agrees with itself');

my $shown = Test::NgxCommerce::json()->decode($t->cli_ok('order', 'show', '--id', id($order)));
is($shown->{state}, 'paid', 'the order is found by its id');
like($t->cli_ok('coupon', 'show', $codes[0]), qr/^state +redeemed/m, 'its coupon is spent');
like($t->cli_ok('coupon', 'show', $codes[1]), qr/dora-471\b/, "another user's is his");

my ($told) = $t->wait_events('erase', 1);
like($told->{buyer}, qr/^\d+:/, 'the log tells it, by the pseudonym');
unlike($t->read_file('events.jsonl'), qr/\Q$user\E/, 'and never by name');

like($t->cli_ok('buyer', 'erase', $user), qr/^0 orders and 0 coupons/, 'again: nothing is left');

# from nothing

is(view('B')->json->{headers}{'x-commerce-seller'}, 'B', 'another seller may bind at once');
is(claim()->status, 201, 'a coupon can be claimed');
is(order('k9', $codes[2])->status, 200, 'an order is as good as any');
is(order('k3', $held)->code, 'COUPON_NOT_USABLE', 'what was held is nobody\'s');
is($t->post('/confirm?id=' . id($order), '')->status, 200, "a repeated notice about the old order is no one's harm");
like($t->cli_ok('store', 'check'), qr/ 0 violations/, 'the store agrees with itself');

# whose id ends like another one's, behind what looks like a day

my ($short, $long) = ('ed', '00000001/ed');

is(claim($_)->status, 201, "$_ claims") for $short, $long;
is(order('k7', $codes[3], $long)->status, 200, "$long orders");
$t->cli_ok('buyer', 'erase', $short);
is(claim($long)->json->{replay}, Test::NgxCommerce::json()->true, "$long has claimed still");
like($t->cli_ok('store', 'check'), qr/ 0 violations/, 'and is counted still');

# money that came, went back, is awaited: all of it stays and is found, and none of it has his name

my $frida = 'frida-0815';
my %of = map { $_ => id(order("f$_", undef, $frida, $_ < 3 ? 'F1' : undef)) } 1 .. 3;

ok(settled(), 'settled');
is(told('/paid', pay => 'F1', trade => 'F2', fen => 6000), 'PAYMENT_PARTIAL', 'one is paid, the other in part');
is(told('/by-key', key => 'f2', user => $frida, refund => 'F3', fen => 5000), 'ORDER_NOT_PAID', 'a refund by key waits');
is(told('/paid', order => $of{3}, trade => 'F4', fen => 5000), 'OK', 'the third is paid');
is(told('/refund', order => $of{3}, refund => 'F5', fen => 4000), 'OK', 'and some of it given back');
cmp_ok(scalar(named($frida)), '>', 8, 'the store names the user: ' . named($frida));

my %sums = map { $_ => sums($of{$_}) } keys %of;

like($t->cli_ok('buyer', 'erase', $frida), qr/^3 orders and 0 coupons without their buyer/m, 'erased');
is(scalar(named($frida)), 0, 'nothing in the store names the user') or diag named($frida);
is_deeply({ map { $_ => sums($of{$_}) } keys %of }, \%sums, 'the sums are as they were');
like($t->cli_ok('store', 'check'), qr/ 0 violations/, 'the store agrees with itself');

is(told('/paid', pay => 'F1', trade => 'F2', fen => 6000), 'ORDER_REPLAY', 'its money is known');
is(told('/paid', order => $of{3}, trade => 'F4', fen => 5000), 'ORDER_REPLAY', 'by its transaction, too');
is(told('/refund', order => $of{3}, refund => 'F5', fen => 4000), 'ORDER_REPLAY', 'so is the refund');
is(told('/refund', order => $of{3}, refund => 'F5', fen => 1), 'REFUND_KEY_REUSED', '... by its number');
is(told('/paid', pay => 'F1', trade => 'F6', fen => 4000), 'OK', 'the rest comes');
is_deeply(sums($of{2}), [ 'refunded', 5000, 5000 ], 'and the refund that waited is joined');
ok(settled(), 'settled');
is(scalar(named($frida)), 0, 'nothing names the user now');
like($t->cli_ok('store', 'check'), qr/ 0 violations/, 'the store agrees with itself');

# a backup from before knows him: restored, it says so

is(order('h1', undef, 'hugo')->status, 200, 'one orders');
ok(settled(), 'settled');
like($t->cli_ok('store', 'backup', $t->dir . '/before'), qr/records/, 'a backup');
$t->advance(1);
is($t->get("/item?st=$token{A}", headers => { 'X-User' => 'ivan' })->status, 200, 'another one is bound');
is(order('g1', undef, 'gina')->status, 200, 'one whom it does not know orders');
$t->cli_ok('buyer', 'erase', $_) for 'hugo', 'gina';
ok(settled(), 'settled');
$t->stop;

$out = $t->cli_ok('store', 'restore', $t->dir . '/before', '--replay', $t->dir . '/events.jsonl');
like($out, qr/^buyer "hugo" of shop "demo" was erased after the backup, which has him: run "commerce buyer erase" again$/m,
     'a restored backup names whom it names again');
unlike($out, qr/frida|gina/, '... and nobody else');
like($out, qr/^not made again: 1 bindings of buyers, 0 people who joined$/m, 'and what the log does not make again');
like($t->cli_ok('store', 'check'), qr/ 0 violations/, 'the store agrees with itself');

# a seller is more than a buyer

($code, $out, $error) = $t->cli('buyer', 'erase', 'u-a');
is($code, 1, 'a seller');
like($error, qr/is person "A"/, 'says who');

$t->done_testing;


sub view  { return $t->get("/item?st=$token{$_[0]}", headers => { 'X-User' => $user }) }
sub claim { return $t->post('/claim?campaign=drop', '', headers => { 'X-User' => $_[0] // $user }) }
sub id    { return $_[0]->json->{data}{order_no} }


sub order
{
    my ($key, $coupon, $who, $pay) = @_;

    return $t->post('/api/orders', {
        client_key => $key,
        items      => [ { sku => 's1', count => 1, price => 5000 } ],
        coupons    => [ $coupon // () ],
        $pay ? (pay_no => $pay) : (),
    }, headers => { 'X-User' => $who // $user });
}


# records that name the user: what is free in a live file may still hold old bytes, a backup does not

sub named
{
    my ($who) = @_;
    my $name = $who // $user;
    my $copy = $t->dir . '/copy.' . ++$t->{copies};

    $t->cli_ok('store', 'backup', $copy);

    return () = $t->read_file("$copy/data.mdb") =~ /\Q$name\E/g;
}


sub figures
{
    return map { /^(\S+)\s+\S+\s+\S+\s+\S+\s+\S+\s+(\d+)\s+(\d+)/ ? ($1 => "$2 $3") : () }
        split /\n/, $t->cli_ok('campaign', 'list');
}


sub settled
{
    return $t->wait_for(sub {
        my $status = $t->get('/status')->json;

        return $status->{shops}{demo}{in_doubt} == 0 && $status->{store}{outbox} == 0
            && $status->{store}{in_flight} == 0;
    }, 10);
}


sub told
{
    my ($uri, %notice) = @_;
    my $answer = $t->post($uri, \%notice);

    return $answer->json->{reason} // $answer->code;
}


sub sums
{
    my $shown = Test::NgxCommerce::json()->decode($t->cli_ok('order', 'show', '--id', $_[0]));

    return [ @$shown{qw(state received refunded)} ];
}
