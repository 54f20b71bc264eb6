#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# What nobody needs any more goes after its time; what is open, in doubt or spent stays.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new;
my $DAY = 86400;

$t->clock(1_800_000_000);
$t->keys->people("id,role,status,upline,user\nA,guide,active,,u-a\n");
$t->campaign(id => 'c', discount => { fixed => 100 });
$t->storefront(8081);

my @codes = $t->coupons('c', 5);
my $token = $t->token('A');
my $retention = 'orders=60d parked=30d buyers=400d every=1s';

my $server = <<'EOC';
    server {
        listen          127.0.0.1:8080;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   $http_x_user verified;
        commerce_touch  share $arg_st;

        location / { proxy_pass http://127.0.0.1:8081; }

        location = /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons;
            commerce_coupon_redeem on=paid deadline=16m unpaid=hold;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /confirm { commerce_order_confirm id=$arg_id; }
        location = /cancel  { commerce_order_cancel id=$arg_id; }
        location = /status  { commerce off; commerce_status; }
    }
EOC

for my $wrong ('orders=29d', 'parked=1h', 'buyers=399d', 'orders=', 'every=0', 'coupons=1d', 'off orders=60d') {
    $t->conf_fails("commerce_retention $wrong;\n$server", qr/commerce_retention.*in .*:\d+/, "refused: $wrong");
}

$t->conf_ok("commerce_retention $_;\n$server", "accepted: $_")
    for 'off', 'orders=forever parked=1d buyers=forever', 'orders=30d every=1h';

$t->http_conf("    commerce_retention $retention;\n$server")->run;

is($t->get("/item?st=$token", headers => { 'X-User' => 'bob' })->status, 200, 'a buyer is bound');

my $paid = order('paid', $codes[0]);
my $open = order('open', $codes[1]);
my $cancelled = order('cancelled', $codes[2]);
my $doubt = order('doubt', $codes[3], 'status500');

is($t->notify('/confirm?id=' . id($paid))->status, 200, 'one is paid');
is($t->notify('/cancel?id=' . id($cancelled))->status, 200, 'one is cancelled');
is($doubt->status, 500, 'one is in doubt');
is($t->post('/confirm?id=unheard', '')->status, 202, 'a notice for an order that never comes');
ok(settled(1), 'settled, one in doubt');

# before their time nothing goes

$t->advance(29 * $DAY);
is(collect(), '0 orders, 0 parked notices and 0 buyers', 'the tool finds nothing before the time');

$t->advance(2 * $DAY);
ok($t->wait_for(sub { collected() == 1 }, 10), 'the worker lets the notice go');

# a new order is young

my $young = order('young', undef);
is($young->status, 200, 'a young order');

$t->advance(30 * $DAY);
ok($t->wait_for(sub { collected() == 3 }, 10), 'and then two orders');

is(found('paid'), 0, 'the paid one has gone');
is(found('cancelled'), 0, 'and the cancelled one');
is(found($_), 1, "not the one that is $_") for qw(open doubt young);

like($t->cli_ok('coupon', 'show', $codes[0]), qr/^state +redeemed/m, 'the coupon that was spent stays spent');
is(order('thief', $codes[0])->code, 'COUPON_NOT_USABLE', 'and cannot be spent again');
like($t->cli_ok('coupon', 'show', $codes[1]), qr/^state +reserved/m, 'the reserved one stays reserved');
like($t->cli_ok('store', 'check'), qr/ 0 violations/, 'the store agrees with itself');

my @told = $t->wait_events('collect', 2);
is("@told[0, 1]" && join(' ', map { "$_->{orders} $_->{parked} $_->{buyers}" } @told), '0 1 0 2 0 0', 'the log tells both');

# the buyer, when nothing of him is left to remember: the binding ended, the link is forgotten

$t->advance(500 * $DAY);
ok($t->wait_for(sub { collected() >= 5 }, 10), 'the young order and the buyer go, too');
like($t->cli_ok('store', 'check'), qr/ 0 violations/, 'the store agrees with itself');
is(found($_), 1, "never the one that is $_") for qw(open doubt);

# by the tool

$t->stop;
like($t->cli_ok('store', 'collect', '--orders', 30, '--buyers', 'forever'), qr/^\d+ records, /, 'the tool does it, too');
my ($code, undef, $error) = $t->cli('store', 'collect', '--orders', 5);
is($code, 1, 'too short a time');
like($error, qr/"5" is no retention: days, at least 30/, 'says what is allowed');

$t->done_testing;


sub order
{
    my ($key, $coupon, $test) = @_;

    return $t->post('/api/orders', {
        client_key => $key,
        items      => [ { sku => 's1', count => 1, price => 5000 } ],
        coupons    => [ $coupon // () ],
    }, headers => { 'X-User' => 'anna', $test ? ('X-Test' => $test) : () });
}


sub id { return $_[0]->json->{data}{order_no} }


sub found
{
    my ($key) = @_;

    return ($t->cli('order', 'show', $key, '--user', 'anna'))[0] == 0 ? 1 : 0;
}


sub collect
{
    return ($t->cli_ok('store', 'collect', '--orders', 60) =~ /records, (.*) let go$/m)[0];
}


sub collected { return $t->get('/status')->json->{store}{collected} }


sub settled
{
    my ($doubt) = @_;

    return $t->wait_for(sub {
        my $status = $t->get('/status')->json;

        return $status->{shops}{demo}{in_doubt} == $doubt && $status->{store}{outbox} == 0;
    }, 10);
}
