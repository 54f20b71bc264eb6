#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# One order end to end, computed by hand to the fen: A's share in a group, B's live room, C's coupon, payment.
# Under each preset another of the three gets it; everything else stays the same.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new(shuffle => 1);
my $T0 = 1_800_000_000;

$t->clock($T0);
$t->keys;

# R recruited A: A's second tier.  A and B lead and host, C's campaign is his own.

$t->people(<<'CSV');
id,role,status,upline,user
R,koc,active,,u-r
A,customer,active,R,u-a
B,guide,active,,u-b
C,koc,active,,u-c
CSV

$t->cli_ok(qw(group put g1 --leader R));
$t->cli_ok(qw(room put live7 --host B));

$t->campaign(id => 'autumn', discount => { fixed => 1000 }, minimum_spend => 15000,
             promoter => 'C', limits => { total => 10, user => 3 });

$t->storefront(8081, '--verdict-keys', $t->write_file('verdict.keys', $t->cli_ok(qw(keys export verdict))));

my $server = sub {
    my ($port, $shop, $priority) = @_;

    return <<"EOC";
    server {
        listen          127.0.0.1:$port;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   \$session_user verified;
        commerce_touch  share \$arg_st;
        commerce_touch  live_room \$http_x_live_room attested;
        commerce_priority $priority;
        commerce_binding validity=30d protect=15d renew=on self_purchase=house;

        auth_request      /session;
        auth_request_set  \$session_user \$upstream_http_x_user;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location = /session {
            internal;
            commerce off;
            auth_request off;
            proxy_pass http://127.0.0.1:8081;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payable=response:/data/pay_amount;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons;
            commerce_coupon_redeem on=paid deadline=16m;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /share { commerce_share group=\$arg_group room=\$arg_room; }
        location = /confirm { auth_request off; commerce_order_confirm id=\$arg_id; }
        location = /cancel { auth_request off; commerce_order_cancel id=\$arg_id; }
        location = /status { auth_request off; commerce_status; }
    }
EOC
};

$t->http_conf($server->(8080, 'demo', 'protect_first') . $server->(8082, 'demo', 'touch_first')
              . $server->(8083, 'demo', 'live_first'))->run;

# preset, who wins and as what, contributors in order

my @presets = (
    [ 8080, 'protect_first', 'A', 'protected', 'R', [ [ 'B', 'live_room' ], [ 'C', 'promoter' ] ] ],
    [ 8082, 'touch_first',   'B', 'live_room', undef, [ [ 'A', 'share' ], [ 'C', 'promoter' ] ] ],
    [ 8083, 'live_first',    'B', 'live_room', undef, [ [ 'A', 'protected' ], [ 'C', 'promoter' ] ] ],
);

my @codes = $t->coupons('autumn', 3);
my $n = 0;

for my $preset (@presets) {
    my ($port, $name, $winner, $source, $tier2, $contributors) = @$preset;
    my $buyer = "buyer$n";

    $t->clock($T0 + 1000 * ++$n);

    # A shares in the group, the buyer follows, is bound to A

    my $share = $t->get('/share?group=g1', user => 'u-a', port => $port);
    is($share->status, 200, "$name: share token issued") or diag $share->body;
    my $token = $share->json->{token};
    is(length $token, 32, "$name: 32 characters");
    is($share->json->{group}, 'g1', "$name: in the group");

    my $view = $t->get("/item?st=$token", user => $buyer, port => $port);
    is($view->status, 200, "$name: view");
    is($view->json->{headers}{'x-commerce-seller'}, 'A', "$name: the view is A's") or diag $view->body;
    is($view->json->{headers}{'x-commerce-tier2'}, 'R', "$name: R recruited A");
    is($view->json->{headers}{'x-commerce-group'}, 'g1', "$name: group rides along");
    is($view->json->{headers}{'x-commerce-reason'}, 'BIND_NEW', "$name: bound");

    # B's live room, attested

    $t->advance(100);
    $view = $t->get('/live', user => $buyer, port => $port, headers => { 'X-Live-Room' => 'live7' });
    is($view->json->{headers}{'x-commerce-seller'}, $winner, "$name: live room") or diag $view->body;
    is($view->json->{headers}{'x-commerce-reason'}, 'PROTECT_HOLD', "$name: A keeps the buyer");

    # an order of 2 x 59.90 and 1 x 80.00 = 199.80 with C's coupon: 10.00 off, spread 5.99:4.01

    $t->advance(100);
    my $order = {
        client_key => "k$n",
        items => [ { sku => 's1', count => 2, price => 5990 }, { sku => 's2', count => 1, price => 8000 } ],
        coupons => [ $codes[$n - 1] ],
    };

    my $answer = $t->post('/api/orders', $order, user => $buyer, port => $port);
    is($answer->status, 200, "$name: order") or diag $answer->body;
    is($answer->json->{data}{pay_amount}, 18980, "$name: payable 189.80") or diag $answer->body;
    my $id = $answer->json->{data}{order_no};

    $t->wait_for(sub { my (undef, $shown) = $t->cli('order', 'show', '--id', $id); $shown =~ /placed/ });

    $t->advance(60);
    my $paid = $t->post("/confirm?id=$id", '', port => $port);
    is($paid->status, 200, "$name: confirm") or diag $paid->body;
    is($paid->json->{state}, 'paid', "$name: paid");

    $paid = $t->post("/confirm?id=$id", '', port => $port);
    is($paid->json->{reason}, 'ORDER_REPLAY', "$name: confirmed once");
}

# what finance reads

$t->wait_events('paid', 3);

for my $preset (@presets) {
    my ($port, $name, $winner, $source, $tier2, $contributors) = @$preset;
    my $key = 'k' . ($port == 8080 ? 1 : $port - 8080);

    my ($placed) = grep { $_->{order_key} eq $key && $_->{state} eq 'placed' } $t->events('order');
    my ($paid) = grep { $_->{order_key} eq $key } $t->events('paid');

    for my $event ($placed, $paid) {
        is($event->{seller}, $winner, "$name: $event->{type}: seller");
        is($event->{source}, $source, "$name: $event->{type}: source");
        is($event->{tier2}, $tier2, "$name: $event->{type}: second tier");
        is($event->{claimed}, 19980, "$name: $event->{type}: claimed");
        is($event->{discount}, 1000, "$name: $event->{type}: discount");
        is($event->{payable}, 18980, "$name: $event->{type}: payable");
        is_deeply([ map { [ $_->{sku}, $_->{amount}, $_->{discount}, $_->{seller} ] } @{$event->{lines}} ],
                  [ [ 's1', 11980, 600, $winner ], [ 's2', 8000, 400, $winner ] ],
                  "$name: $event->{type}: lines, the discount spread by largest remainder");
        is_deeply([ map { [ $_->{seller}, $_->{source} ] } @{$event->{contributors}} ], $contributors,
                  "$name: $event->{type}: contributors");
    }

    my @steps = map { [ $_->{type}, $_->{from}, $_->{to} ] }
                grep { ($_->{order_key} // '') eq $key } map { $t->events("coupon_$_") } qw(reserve redeem release);

    is_deeply(\@steps, [ [ 'coupon_reserve', 'issued', 'reserved' ], [ 'coupon_redeem', 'reserved', 'redeemed' ] ],
              "$name: the coupon's life");
}

is(scalar(grep { $_->{reason} eq 'BIND_NEW' } $t->events('bind')), 3, 'three buyers bound');
is(scalar($t->events('bind')), 3, 'and nothing else');

my ($code, $out, $err) = $t->cli(qw(store check));
is($code, 0, 'store check') or diag "$out$err";

$t->done_testing;
