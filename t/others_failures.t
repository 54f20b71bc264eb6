#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# What went wrong in other shops' software, each as a story from outside: it must not be possible here.

use strict;
use warnings;

use lib 't/lib';
use MIME::Base64 qw(decode_base64url);
use Test::More;
use Test::NgxCommerce;

my $T0 = 1_800_000_000;         # 2027-01-15T08:00:00Z
my $t = Test::NgxCommerce->new;

$t->clock($T0);
$t->keys;
$t->campaign(id => 'plain', discount => { fixed => 1000 });
$t->campaign(id => 'big', discount => { fixed => 90000 });
$t->campaign(id => 'half', discount => { percent => 5000 });
$t->campaign(id => 'ends', discount => { fixed => 1000 }, until => '2027-01-15T09:00:00Z');
$t->campaign(id => 'limited', discount => { fixed => 1000 }, limits => { total => 20, user => 20 });

my %coupons = map { $_ => [ $t->coupons($_, 60) ] } qw(plain big half ends limited);

$t->storefront(8081, '--verdict-keys', $t->write_file('verdict.keys', $t->cli_ok(qw(keys export verdict))));

my $server = sub {
    my ($port, $on) = @_;

    return <<"EOC";
    server {
        listen          127.0.0.1:$port;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   \$http_x_user verified;

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payable=response:/data/pay_amount;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons max=4;
            commerce_coupon_redeem on=$on deadline=16m;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /paid      { commerce_order_confirm id=\$arg_id; }
        location = /cancelled { commerce_order_cancel id=\$arg_id; }
        location = /status    { commerce_status; }
    }
EOC
};

$t->http_conf($server->(8080, 'order') . $server->(8082, 'paid'))->run;

my $keys = 0;


sub order
{
    my ($user, $coupons, %o) = @_;

    return {
        method  => 'POST',
        uri     => '/api/orders',
        port    => $o{port} // 8080,
        headers => { 'X-User' => $user },
        timeout => 30,
        body    => {
            client_key => $o{key} // 'k' . ++$keys,
            coupons    => $coupons,
            items      => [ map { { sku => "s$_", count => 1, price => $_ } } @{$o{prices} || [ 9900 ]} ],
        },
    };
}

sub one
{
    my ($answer) = $t->parallel(order(@_));

    return $answer;
}

sub id      { return $_[0]->json->{data}{order_no} }
sub pays    { return $_[0]->json->{data}{pay_amount} }
sub notice  { return $t->post("/$_[0]?id=$_[1]", '', port => $_[2] // 8080)->json }

# the outcome of an order is written when the client may have its answer already

sub settled
{
    return $t->wait_for(sub { my $store = $t->get('/status')->json->{store};
                              $store->{in_flight} == 0 && $store->{outbox} == 0; });
}

sub shown
{
    my ($code, $what) = @_;

    return $t->cli_ok('coupon', 'show', $code) =~ /^$what\s+(\S+)/m ? $1 : undef;
}

sub used
{
    my ($campaign) = @_;

    return $t->cli_ok('campaign', 'list') =~ /^\d+\t$campaign\t.*\t(\d+)$/m ? $1 : undef;
}

sub verdict
{
    my ($request) = @_;

    return Test::NgxCommerce::json()->decode(
        decode_base64url((split /\./, $request->{headers}{'x-commerce-verdict'})[1]));
}

# money events of an order, each id once: a crash may write a line twice

sub told
{
    my ($id, $type) = @_;
    my %seen;

    my ($key) = map { $_->{order_key} } grep { ($_->{order_id} // '') eq $id } $t->events;

    return grep { $_->{type} eq $type && $_->{order_key} eq $key && !$seen{$_->{id}}++ } $t->events;
}


# macrozheng/mall#1003: five orders at once were placed on one coupon

subtest 'five orders on one coupon' => sub {
    for my $port (8080, 8082) {
        my $code = shift @{$coupons{plain}};
        my $before = used('plain');
        my @answers = $t->parallel(map { order('anna', [ $code ], port => $port, prices => [ 1000 + $_ ]) } 1 .. 5);
        my @placed = grep { $_->status == 200 } @answers;

        is(scalar @placed, 1, "port $port: one order has it");
        is(scalar(grep { $_->status == 422 && $_->code eq 'COUPON_NOT_USABLE' } @answers), 4, '... four do not');
        cmp_ok(pays($placed[0]), '<=', 5, '... which is the only one that pays less');
        ok(settled(), '... it is settled');
        is(used('plain'), $before + 1, '... and counted once');
    }
};


# the same report: the final amount was -824

subtest 'no final amount below nothing' => sub {
    my ($big, $second, $third) = splice @{$coupons{big}}, 0, 3;
    my $half = shift @{$coupons{half}};

    my $answer = one('bert', [ $big ], prices => [ 176 ]);

    is($answer->status, 200, 'a coupon worth more than the goods') or diag $answer->body;
    is(pays($answer), 0, '... makes them free, and no more');
    is(verdict(($t->received)[-1])->{coupons}[0]{discount}, 176, '... the discount is what there was');

    $answer = one('bert', [ $second, $half, $third ], prices => [ 500, 3, 0 ]);

    is($answer->status, 200, 'three of them, stacked') or diag $answer->body;
    is(pays($answer), 0, '... nothing is left');
    is_deeply([ map { $_->{discount} } @{verdict(($t->received)[-1])->{coupons}} ], [ 503, 0, 0 ],
              '... the first took all, the others find nothing');

    ok(settled(), 'settled');

    my @told = grep { $_->{type} eq 'order' && $_->{claimed} <= 503 && $_->{discount} } $t->events;

    is(scalar @told, 2, 'both are told');

    for my $order (@told) {
        is(scalar(grep { $_->{discount} < 0 || $_->{discount} > $_->{amount} } @{$order->{lines}}), 0,
           "$order->{order_key}: no line goes below nothing");
        cmp_ok($order->{discount}, '<=', $order->{claimed}, "$order->{order_key}: nor does the order");
    }
};


# CRMEB, recoverCoupon: giving back made any coupon usable, an expired one, too

subtest 'an expired coupon is not revived' => sub {
    my ($spent, $reserved) = splice @{$coupons{ends}}, 0, 2;

    my $first = one('carl', [ $spent ]);
    my $second = one('carl', [ $reserved ], port => 8082);

    is($first->status . $second->status, '200200', 'two orders, in time');
    ok(settled(), 'settled');
    is(shown($spent, 'state') . shown($reserved, 'state'), 'redeemedreserved', 'one is spent, one reserved');

    $t->clock($T0 + 3600);

    is(notice('cancelled', id($first))->{state}, 'cancelled', 'the campaign has ended: the first is cancelled');
    is(notice('cancelled', id($second))->{state}, 'cancelled', '... and the second');

    for my $code ($spent, $reserved) {
        is(shown($code, 'state'), 'issued', 'the coupon is nobody\'s');
        is(shown($code, 'reason'), 'COUPON_EXPIRED:', '... and expired, as it was');
        is(one('carl', [ $code ])->status, 422, '... no order gets it');
    }

    $t->advance(86400);
    is(one('carl', [ $spent ])->status, 422, 'nor a day later');
    is(used('ends'), 0, 'nothing is counted');
};


# mall, updateCouponStatus: a cancelled order gave back the first used coupon of the kind that was found

subtest 'the exact coupon is released, and not its sibling' => sub {
    for my $port (8080, 8082) {
        my ($x, $y, $z) = splice @{$coupons{plain}}, 0, 3;
        my $held = $port == 8080 ? 'redeemed' : 'reserved';
        my @orders = map { one('dora', [ $_ ], port => $port) } $x, $y, $z;

        ok(settled(), "port $port: three orders of one buyer, three coupons of one kind");
        is(notice('cancelled', id($orders[1]))->{state}, 'cancelled', '... the second is cancelled');

        is(shown($y, 'state'), 'issued', '... its coupon is free');
        is(shown($x, 'state') . shown($z, 'state'), "$held$held", '... its siblings are not');
        is(one('dora', [ $x ])->status, 422, '... the first is not to be had');
        is(one('dora', [ $z ])->status, 422, '... nor the third');
        is(one('dora', [ $y ])->status, 200, '... the second is');
    }
};


# medusajs/medusa#16595: uses were counted by read and write back, so that returns at once got lost

subtest 'uses that come back at once are all counted' => sub {
    my @codes = splice @{$coupons{limited}}, 0, 20;
    my @orders = $t->parallel(map { order('emma', [ $_ ], port => $keys % 2 ? 8080 : 8082) } @codes);

    is(scalar(grep { $_->status == 200 } @orders), 20, 'twenty orders, up to the limit');
    ok(settled(), 'settled');
    is(used('limited'), 20, 'twenty uses');
    is(one('emma', [ $coupons{limited}[0] ])->status, 422, 'no order beyond');

    # each of twelve three times, all at once

    my @answers = $t->parallel(map { { method => 'POST', uri => '/cancelled?id=' . id($_), body => '' } }
                               (@orders[0 .. 11]) x 3);

    is(scalar(grep { $_->status == 200 && $_->json->{reason} eq 'OK' } @answers), 12, 'twelve are cancelled at once');
    is(scalar(grep { $_->status == 200 && $_->json->{reason} eq 'ORDER_REPLAY' } @answers), 24, '... each only once');
    is(used('limited'), 8, 'eight uses are left');

    @answers = $t->parallel(map { order('emma', [ $_ ]) } splice @{$coupons{limited}}, 0, 30);
    is(scalar(grep { $_->status == 200 } @answers), 12, 'of thirty more orders twelve fit: no use leaked, none came twice');
    ok(settled(), 'settled');
    is(used('limited'), 20, 'twenty uses again');
};


# SSPanel-UIM#2388 and others: a payment notice that came again paid again

subtest 'a notice that comes again pays once' => sub {
    my $code = shift @{$coupons{plain}};
    my $id = id(one('fritz', [ $code ], port => 8082));

    ok(settled(), 'an order waits for its payment');

    my @answers = $t->parallel(map { { method => 'POST', uri => "/paid?id=$id", body => '' } } 1 .. 10);

    is(scalar(grep { $_->status == 200 } @answers), 10, 'ten notices at once are all taken');
    is(scalar(grep { $_->json->{reason} eq 'OK' } @answers), 1, 'one pays');
    is(scalar(grep { $_->json->{reason} eq 'ORDER_REPLAY' } @answers), 9, 'nine are told that it was done');

    $t->reload(wait => 1);
    $t->advance(7 * 86400);
    is(notice('paid', $id)->{reason}, 'ORDER_REPLAY', 'so is one that comes a week later');

    ok(settled(), 'settled');
    is(scalar(told($id, 'paid')), 1, 'the log tells one payment');
    is(scalar(told($id, 'coupon_redeem')), 1, '... and one redemption');
    is(shown($code, 'state'), 'redeemed', 'the coupon is spent');
};

$t->advance(100);
is(($t->cli(qw(store check)))[0], 0, 'store check');

$t->done_testing;
