#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Many orders at once: one coupon is spent once, a limit is never passed, one key is one order.

use strict;
use warnings;

use lib 't/lib';
use MIME::Base64 qw(decode_base64url);
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new;

$t->clock(1_800_000_000);
$t->keys;

$t->campaign(id => 'single', discount => { fixed => 1000 });
$t->campaign(id => 'seven', discount => { fixed => 1000 }, limits => { total => 7 });
$t->campaign(id => 'own', discount => { fixed => 1000 }, limits => { user => 2 });

my @single = $t->coupons('single', 10);
my @seven = $t->coupons('seven', 300);
my @own = $t->coupons('own', 60);

$t->storefront(8081, '--verdict-keys', $t->write_file('verdict.keys', $t->cli_ok(qw(keys export verdict))));

my $server = sub {
    my ($port, $on) = @_;

    return <<"EOC";
    server {
        listen          127.0.0.1:$port;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   \$session_user verified;

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payable=response:/data/pay_amount;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons;
            commerce_coupon_redeem on=$on;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /cancel { commerce_order_cancel id=\$arg_id; }
        location = /status { commerce_status; }
    }
EOC
};

$t->http_conf(<<'EOC' . $server->(8080, 'order') . $server->(8082, 'paid'))->run;
    map $http_authorization $session_user {
        "~^Bearer user-(?<session_name>.+)$"  $session_name;
    }

    # the same buyers lose again and again here
    commerce_coupon_guess off;

EOC

sub order
{
    my ($key, $user, $code, %o) = @_;

    return { method => 'POST', uri => '/api/orders', user => $user, timeout => 30, %o,
             body => { client_key => $key, coupons => [ $code ],
                       items => [ { sku => 's1', count => 1, price => $o{price} // 9900 } ] } };
}

sub count
{
    my %count;

    $count{$_->status == 200 ? 200 : $_->status . ' ' . ($_->code // '-')}++ for @_;

    return \%count;
}

# uses that the store counts

sub used
{
    my ($campaign) = @_;

    return $t->cli_ok('campaign', 'list') =~ /^\d+\t$campaign\t.*\t(\d+)$/m ? $1 : undef;
}


# one coupon, n buyers, n keys

for my $case ([ 5, 8080 ], [ 5, 8082 ], [ 500, 8080 ], [ 500, 8082 ]) {
    my ($n, $port) = @$case;
    my $name = "$n orders, " . ($port == 8080 ? 'on=order' : 'on=paid');
    my $code = shift @single;

    my @answers = $t->parallel(map { order("$n-$port-$_", "buyer$_", $code, port => $port) } 1 .. $n);

    is_deeply(count(@answers), { 200 => 1, '422 COUPON_NOT_USABLE' => $n - 1 }, "$name: one coupon, once");

    my ($won) = grep { $_->status == 200 } @answers;
    is($won->json->{data}{pay_amount}, 8900, "$name: the one order has the discount");

    my $state = $port == 8080 ? 'redeemed' : 'reserved';
    ok($t->wait_for(sub { $t->cli_ok('coupon', 'show', $code) =~ /^state\s+$state/m }), "$name: $state");
}

is(scalar(grep { $_->{path} eq '/api/orders' } $t->received), 4, 'the backend saw no other order');


# the same at a total limit

my @answers = $t->parallel(map { order("limit$_", "buyer$_", $seven[$_ - 1]) } 1 .. 300);

is_deeply(count(@answers), { 200 => 7, '422 COUPON_NOT_USABLE' => 293 }, '300 orders, a total limit of 7: 7');

my ($id) = map { $_->json->{data}{order_no} } grep { $_->status == 200 } @answers;

ok($t->wait_for(sub { ($t->cli('order', 'show', '--id', $id))[0] == 0 }), 'one of them');
is($t->post("/cancel?id=$id", '')->json->{state}, 'cancelled', '... is cancelled');

@answers = $t->parallel(map { order("next$_", "buyer$_", $seven[$_ - 1]) } 1 .. 300);
is(count(@answers)->{200}, 1, 'one more of 300, and not two');


# and at a user's limit, through both gateways' workers

@answers = $t->parallel(map { order("own$_", 'dora', $own[$_ - 1], port => $_ % 2 ? 8080 : 8082) } 1 .. 60);
is_deeply(count(@answers), { 200 => 2, '422 COUPON_NOT_USABLE' => 58 }, "60 orders, a user's limit of 2: 2");


# one key, sent ten times at once

my $code = shift @single;

@answers = $t->parallel(map { order('same', 'erna', $code, headers => { 'X-Test' => 'slow=0.5' }) } 1 .. 10);

my $count = count(@answers);
is($count->{200}, 1, 'one key ten times at once: one reaches the backend');
is($count->{'409 ORDER_IN_FLIGHT'}, 9, '... nine are told that it is on its way');
is((grep { $_->status == 409 } @answers)[0]->header('Retry-After'), '2', '... and when to ask again');
is(scalar(grep { $_->header('Retry-After') } grep { $_->status == 200 } @answers), 0, '... the one is not');

my ($first) = grep { $_->status == 200 } @answers;

ok($t->wait_for(sub { $t->cli_ok('coupon', 'show', $code) =~ /^state\s+redeemed/m }), 'its coupon is redeemed');

# then its retries, the last four at once

@answers = ((map { $t->parallel($_) } (order('same', 'erna', $code)) x 2),
            $t->parallel((order('same', 'erna', $code)) x 4));

is_deeply(count(@answers), { 200 => 6 }, 'retries are forwarded');
is($_->body, $first->body, 'a retry has the same answer') for @answers;

my @sent = grep { $_->{body} =~ /"client_key":"same"/ } $t->received;
my @verdicts = map { Test::NgxCommerce::json()->decode(
                         decode_base64url((split /\./, $_->{headers}{'x-commerce-verdict'})[1])) } @sent;

is(scalar(@sent), 7, 'seven times at the backend');
is_deeply([ map { $_->{headers}{'idempotency-key'} } @sent ], [ ('same') x 7 ], '... with one Idempotency-Key');
is_deeply([ map { $_->{replay} ? 1 : 0 } @verdicts ], [ 0, (1) x 6 ], '... the verdict tells retries');
is_deeply([ map { $_->{coupons} } @verdicts ],
          [ ([ { campaign => 'single', code => $code, discount => 1000 } ]) x 7 ],
          '... coupon and discount are the same');
is(scalar(keys %{{ map { $_->{jti} => 1 } @verdicts }}), 7, '... each with an id of its own');

my @told = grep { ($_->{order_key} // '') eq 'same' && $_->{type} !~ /^(?:deny|attribution)$/ } $t->wait_events(sub {
    grep { $_->{type} eq 'order' && $_->{order_key} eq 'same' } @_ });
is_deeply([ map { $_->{type} } @told ], [ qw(coupon_reserve coupon_redeem order) ],
          'one reservation, one redemption, one order');


# the same key for something else

for my $case ([ 'another amount', order('same', 'erna', $code, price => 9901) ],
              [ 'another coupon', order('same', 'erna', $single[0]) ],
              [ 'no coupon', order('same', 'erna', '') ])
{
    my ($name, $request) = @$case;
    my ($answer) = $t->parallel($request);

    is($answer->status, 409, "the same key, $name: refused");
    is($answer->code, 'ORDER_KEY_REUSED', "the same key, $name: code");
    is($answer->header('Retry-After'), undef, "the same key, $name: no use in waiting");
}

my ($other) = $t->parallel(order('same', 'fritz', $single[0]));
is($other->status, 200, "another buyer's key of the same name is another order");
isnt($other->json->{data}{order_no}, $first->json->{data}{order_no}, '... with a number of its own');


# two carts race for one key: one of them has it

@answers = $t->parallel(map { order('carts', 'gerda', '', price => 1000 + $_ % 2,
                                    headers => { 'X-Test' => 'slow=0.3' }) } 1 .. 20);
$count = count(@answers);
is($count->{200}, 1, 'two carts under one key: one order');
is(($count->{'409 ORDER_KEY_REUSED'} // 0) + ($count->{'409 ORDER_IN_FLIGHT'} // 0), 19, '... and no other answer');
is($count->{'409 ORDER_KEY_REUSED'}, 10, '... the other cart is told so, every time');


# nothing is left over

ok($t->wait_for(sub { my $status = $t->get('/status')->json;
                      $status->{store}{in_flight} == 0 && $status->{store}{outbox} == 0 }), 'all is written');

my $status = $t->get('/status')->json;
is($status->{shops}{demo}{in_doubt}, 0, 'nothing is in doubt');
is($status->{log}{errors}, 0, 'no event was lost');

my %life;
$life{"$_->{campaign}/$_->{serial}"} .= { coupon_reserve => '+', coupon_redeem => '=', coupon_release => '-',
                                          coupon_rollback => '-' }->{$_->{type}}
    for grep { $_->{type} =~ /^coupon_/ } $t->events;

is_deeply([ grep { $life{$_} !~ /^(?:\+=?-)*(?:\+=?)?$/ } keys %life ], [], 'every coupon lived one life at a time');
is(used('seven'), 7, 'seven uses are counted against the total limit');
is(used('own'), 2, "two against a user's");
is(used('single'), 6, 'six without a limit');

my ($rc, $out, $err) = $t->cli(qw(store check));
is($rc, 0, 'store check') or diag "$out$err";

$t->done_testing;
