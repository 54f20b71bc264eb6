#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Payments: one for several orders, several for one order, in parts, too much, twice, in every shape and at any
# time; and what that does to deadlines, coupons and the freeze date.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce qw(json);

my $t = Test::NgxCommerce->new;
my $T0 = 1_800_000_000;

$t->clock($T0);
$t->keys;
$t->campaign(id => 'c', discount => { fixed => 1000 });

my @coupons = $t->coupons('c', 60);

$t->storefront(8081, '--verdict-keys', $t->write_file('verdict.keys', $t->cli_ok(qw(keys export verdict))));

$t->conf(<<'EOC')->run;
%%TEST_GLOBALS%%

worker_processes 2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    commerce_store      lmdb:%%DIR%%/store map=1g sweep=100ms deadline=60s;
    commerce_keys       %%DIR%%/keys.json;
    commerce_event_log  %%DIR%%/events.jsonl flush=100ms;
    commerce_clock      %%DIR%%/clock;

    map $http_authorization $session_user {
        "~^Bearer user-(?<session_name>.+)$"  $session_name;
    }

    server {
        listen          127.0.0.1:8080;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   $session_user verified;

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payment=response:/data/pay_no payable=response:/data/pay_amount
                           freight=response:/data/freight;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons max=2;
            commerce_coupon_redeem on=paid deadline=16m;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /api/orders/ {
            commerce_order_freeze 7d;
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payment=response:/data/pay_no payable=response:/data/pay_amount;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /paid {
            commerce_order_confirm id=form:order payment=form:pay transaction=form:trade amount=form:fen;
        }

        location = /paid-yuan {
            commerce_order_confirm payment=json:/pay transaction=json:/trade amount=json:/yuan unit=yuan;
        }

        location = /paid-key {
            commerce_order_confirm key=form:key user=form:user payment=form:pay transaction=form:trade;
        }

        location = /confirm { commerce_order_confirm id=$arg_id; }
        location = /cancel { commerce_order_cancel id=form:order payment=form:pay transaction=form:trade; }
        location = /settle { commerce_order_settle id=form:order payment=form:pay transaction=form:trade; }
        location = /refund { commerce_order_refund id=form:order payment=form:pay transaction=form:trade
                                                   refund=form:refund amount=form:fen; }
        location = /status { commerce_status; }
    }
}
EOC

my $n = 0;

sub form
{
    my ($uri, %field) = @_;
    my $body = join '&', map { "$_=$field{$_}" } sort keys %field;

    return $t->post($uri, $body, type => 'application/x-www-form-urlencoded');
}

sub told
{
    my ($uri, $field, $status, $want, $name) = @_;
    my $answer = form($uri, %$field);

    is($answer->status, $status, "$name: $status") or diag $answer->body;
    is_deeply($answer->json, $want, "$name: answer") or diag $answer->body;
}

sub refused
{
    my ($uri, $field, $want, $name) = @_;
    my $answer = form($uri, %$field);

    is($answer->status . ' ' . ($answer->code // ''), $want, $name) or diag $answer->body;
}

sub shown
{
    my ($key) = @_;
    my ($code, $out) = $t->cli('order', 'show', $key, '--user', 'dora');

    return $code ? {} : json()->decode($out);
}

sub becomes
{
    my ($key, $state, $name) = @_;
    my $seen;

    $t->wait_for(sub { ($seen = shown($key)->{state} // 'none') eq $state });
    is($seen, $state, "$name: order is $state");
}

sub coupon
{
    my ($code, $what) = @_;

    return $t->cli_ok('coupon', 'show', $code) =~ /^$what\s+(\S+)/m ? $1 : undef;
}

sub coupon_becomes
{
    my ($code, $state, $name) = @_;
    my $seen;

    $t->wait_for(sub { ($seen = coupon($code, 'state')) eq $state });
    is($seen, $state, "$name: coupon is $state");
}

# an order of 100 yuan, less the coupons

sub placed
{
    my ($name, %o) = @_;
    my $key = 'k' . ++$n;
    my $answer = $t->post($o{uri} // '/api/orders', {
        client_key => $key, coupons => $o{coupons} || [],
        items => $o{items} || [ { sku => 's1', count => 2, price => 3000 }, { sku => 's2', count => 1, price => 4000 } ],
        $o{pay} ? (pay_no => $o{pay}) : (), $o{freight} ? (freight => $o{freight}) : (),
    }, user => 'dora');

    is($answer->status, 200, "$name: ordered") or diag $answer->body;
    becomes($key, 'placed', $name) unless $o{early};

    return ($key, $answer->json->{data}{order_no});
}

# type, state and reason of what the log tells of the order; an event that a killed worker wrote twice counts once

sub steps
{
    my ($key) = @_;
    my %seen;

    return [ map { join ' ', grep { defined } $_->{type}, @$_{qw(state reason)} }
             grep { !$seen{$_->{id}}++ }
             grep { ($_->{order_key} // '') eq $key && $_->{type} =~ /^(?:order|paid|refund)$/ } $t->events ];
}

sub log_is
{
    my ($key, $want, $name) = @_;

    $t->wait_for(sub { @{(eval { steps($key) } || [])} >= @$want });
    is_deeply(steps($key), $want, "$name: events") or diag explain steps($key);
}


# deposit and balance: two payments of one order

my ($key, $id) = placed('deposit', coupons => [ $coupons[0] ]);

told('/paid', { order => $id, pay => 'P1', trade => 'T1', fen => 3000 }, 200,
     { order => $key, state => 'placed', received => 3000, due => 9000, reason => 'PAYMENT_PARTIAL' }, 'deposit');
told('/paid', { order => $id, pay => 'P1', trade => 'T1', fen => 3000 }, 200,
     { order => $key, state => 'placed', received => 3000, due => 9000, reason => 'ORDER_REPLAY' }, 'deposit again');
is(coupon($coupons[0], 'state'), 'reserved', 'deposit: coupon is reserved');
like($t->cli_ok(qw(order list --partly-paid)), qr/^$key\tdora\t$id\t3000 of 9000$/m, 'deposit: listed');

told('/paid', { order => $id, pay => 'P2', trade => 'T2', fen => 6000 }, 200,
     { order => $key, state => 'paid', received => 9000, due => 9000, reason => 'OK' }, 'balance');
is(coupon($coupons[0], 'state'), 'redeemed', 'balance: coupon is redeemed');
told('/paid', { order => $id, pay => 'P2', trade => 'T2', fen => 6000 }, 200,
     { order => $key, state => 'paid', received => 9000, due => 9000, reason => 'ORDER_REPLAY' }, 'balance again');
log_is($key, [ 'order placed', 'order placed PAYMENT_PARTIAL', 'paid paid' ], 'deposit and balance');

my ($paid) = grep { $_->{order_key} eq $key } $t->events('paid');
is_deeply($paid->{payments}, [ { payment => 'P1', transaction => 'T1', amount => 3000 },
                               { payment => 'P2', transaction => 'T2', amount => 6000 } ], 'the event names both');
is_deeply([ map { [ @$_{qw(paid refunded net)} ] } @{$paid->{lines}} ], [ [ 5400, 0, 5400 ], [ 3600, 0, 3600 ] ],
          'and what each line was paid with');
is_deeply(shown($key)->{payments}[1], { payment => 'P2', transaction => 'T2', amount => 6000,
                                        time => '2027-01-15T08:00:00Z' }, 'the tool shows them');


# no deadline takes the coupon of an order that was partly paid

($key, $id) = placed('partly paid', coupons => [ $coupons[1] ]);
my ($witness) = placed('unpaid', coupons => [ $coupons[2] ]);

told('/paid', { order => $id, trade => 'T3', fen => 1 }, 200,
     { order => $key, state => 'placed', received => 1, due => 9000, reason => 'PAYMENT_PARTIAL' }, 'a fen');
$t->advance(960);
coupon_becomes($coupons[2], 'issued', 'deadline, unpaid');
is(coupon($coupons[1], 'state'), 'reserved', 'deadline, partly paid: coupon is held');
is(shown($key)->{due}, 9000, 'it is still due');
told('/paid', { order => $id, trade => 'T4', fen => 8999 }, 200,
     { order => $key, state => 'paid', received => 9000, due => 9000, reason => 'OK' }, 'the rest');
told('/paid', { order => $id, trade => 'T5', fen => 5 }, 200,
     { order => $key, state => 'paid', received => 9005, due => 9000, reason => 'PAYMENT_EXCESS' }, 'too much');
log_is($key, [ 'order placed', 'order placed PAYMENT_PARTIAL', 'paid paid', 'order paid PAYMENT_EXCESS' ], 'too much');


# a combined payment

my ($k1, $id1) = placed('combined, 1', pay => 'C1', freight => 500);
my ($k2, $id2) = placed('combined, 2', pay => 'C1', coupons => [ $coupons[3] ]);

told('/paid', { pay => 'C1', trade => 'U1', fen => 12000 }, 200, { reason => 'PAYMENT_PARTIAL', orders => [
    { order => $k1, state => 'paid', received => 10500, due => 10500, reason => 'OK' },
    { order => $k2, state => 'placed', received => 1500, due => 9000, reason => 'PAYMENT_PARTIAL' } ] }, 'combined, not all');
my $answer = form('/paid', pay => 'C1', trade => 'U2', fen => 7500);
is_deeply([ map { "$_->{state} $_->{received}" } @{$answer->json->{orders}} ], [ 'paid 10500', 'paid 9000' ],
          'combined, the rest') or diag $answer->body;
is(coupon($coupons[3], 'state'), 'redeemed', 'combined: coupon is redeemed');
log_is($k2, [ 'order placed', 'order placed PAYMENT_PARTIAL', 'paid paid' ], 'combined');
refused('/refund', { pay => 'C1', refund => 'RC', fen => 1 }, '409 ORDER_AMBIGUOUS', 'whose refund?');

# its notice comes between the two answers

($k1, $id1) = placed('between, 1', pay => 'C2');
told('/paid', { pay => 'C2', trade => 'U3', fen => 20000 }, 200,
     { order => $k1, state => 'paid', received => 20000, due => 10000, reason => 'PAYMENT_EXCESS' }, 'between');
($k2, $id2) = placed('between, 2', pay => 'C2', early => 1);
becomes($k2, 'paid', 'between, 2');
is(shown($k1)->{received}, 10000, 'between: what was too much for the one');
is(shown($k2)->{received}, 10000, '... was for the other');

# and before both

told('/paid', { pay => 'C3', trade => 'U4', fen => 20000 }, 202, { reason => 'ORDER_UNKNOWN' }, 'before both');
told('/paid', { pay => 'C3', trade => 'U4', fen => 20000 }, 202, { reason => 'ORDER_UNKNOWN' }, 'before both, again');
($k1) = placed('before, 1', pay => 'C3', early => 1);
becomes($k1, 'paid', 'before, 1');
($k2) = placed('before, 2', pay => 'C3', early => 1);
becomes($k2, 'paid', 'before, 2');
log_is($k2, [ 'order placed', 'paid paid' ], 'before, 2');

# cancelled together

($k1) = placed('cancelled, 1', pay => 'C4');
($k2) = placed('cancelled, 2', pay => 'C4');
$answer = form('/cancel', pay => 'C4');
is_deeply([ map { $_->{state} } @{$answer->json->{orders}} ], [ qw(cancelled cancelled) ], 'cancelled by payment');
$answer = form('/paid', pay => 'C4', trade => 'U5', fen => 20000);
is($answer->status . ' ' . $answer->json->{reason}, '409 ORDER_CLOSED', 'its payment comes too late') or diag $answer->body;
is(shown($k1)->{received}, 10000, '... and is noted');


# one transaction counts once, in whatever shape, and for nothing else

($key, $id) = placed('shapes', pay => 'S1');

my $once = { order => $key, state => 'paid', received => 10000, due => 10000 };

told('/paid', { order => $id, trade => 'V1', fen => 10000 }, 200, { %$once, reason => 'OK' }, 'by id, with its transaction');
$t->advance(86400);

for my $again ([ 'the same', { order => $id, trade => 'V1', fen => 10000 } ],
               [ 'with its payment', { order => $id, pay => 'S1', trade => 'V1', fen => 10000 } ],
               [ 'by payment', { pay => 'S1', trade => 'V1', fen => 10000 } ],
               [ 'by payment alone', { pay => 'S1', fen => 10000 } ],
               [ 'by id and payment', { order => $id, pay => 'S1', fen => 10000 } ])
{
    told('/paid', $again->[1], 200, { %$once, reason => 'ORDER_REPLAY' }, "shapes: $again->[0]");
}

$answer = $t->post('/paid-yuan', { pay => 'S1', trade => 'V1', yuan => '100.00' });
is_deeply($answer->json, { %$once, reason => 'ORDER_REPLAY' }, 'shapes: in yuan, as JSON') or diag $answer->body;
told('/paid-key', { key => $key, user => 'dora', trade => 'V1' }, 200, { %$once, reason => 'ORDER_REPLAY' },
     'shapes: by key, without an amount');
is_deeply($t->post("/confirm?id=$id", '')->json, { %$once, reason => 'ORDER_REPLAY' }, 'shapes: by id alone');
log_is($key, [ 'order placed', 'paid paid' ], 'shapes');

my ($other, $other_id) = placed('another order');

refused('/paid', { order => $other_id, trade => 'V1', fen => 10000 }, '409 TRANSACTION_REUSED', 'for another order');
refused('/paid', { order => $other_id, pay => 'S2', trade => 'V1', fen => 10000 }, '409 TRANSACTION_REUSED',
        'for another payment');
refused('/paid', { pay => 'S1', trade => 'V1', fen => 9999 }, '409 TRANSACTION_REUSED', 'with another amount');
is(shown($other)->{state}, 'placed', 'the other order is not paid by it');
cmp_ok(scalar($t->log_lines(qr/\[error\].*a notice about money was refused: TRANSACTION_REUSED "V1"/)), '==', 3,
       'the error log tells');

told('/paid', { order => $other_id, trade => 'V9', fen => 10000 }, 200,
     { order => $other, state => 'paid', received => 10000, due => 10000, reason => 'OK' }, 'by its own');
refused('/paid', { pay => 'S1', trade => 'V9', fen => 9999 }, '409 TRANSACTION_REUSED', 'by its own, with another amount');

# ten at once, over two workers, on an order that has two payments

($key, $id) = placed('ten at once', pay => 'S3', coupons => [ $coupons[4] ]);

my $type = 'application/x-www-form-urlencoded';
my @answers = $t->parallel(map { { method => 'POST', uri => '/paid', type => $type,
                                   body => "order=$id&pay=S3&trade=W" . $_ % 2 . '&fen=4500' } } 1 .. 10);

is(join(' ', sort map { $_->json->{reason} // $_->body } @answers),
   join(' ', 'OK', ('ORDER_REPLAY') x 8, 'PAYMENT_PARTIAL'), 'ten at once: two count');
is(shown($key)->{received}, 9000, 'ten at once: the sum of two');
log_is($key, [ 'order placed', 'order placed PAYMENT_PARTIAL', 'paid paid' ], 'ten at once');
is(scalar(grep { ($_->{order_key} // '') eq $key } $t->events('coupon_redeem')), 1, 'ten at once: redeemed once');


# not the sibling

my ($a, $a_id) = placed('sibling, a', coupons => [ $coupons[5] ]);
my ($b, $b_id) = placed('sibling, b', coupons => [ $coupons[6] ]);
told('/cancel', { order => $b_id }, 200, { order => $b, state => 'cancelled', reason => 'OK' }, 'sibling: the second is cancelled');
is(coupon($coupons[5], 'state'), 'reserved', 'sibling: the first one\'s coupon stays');
is(coupon($coupons[6], 'state'), 'issued', 'sibling: its own is free');
($b, $b_id) = placed('cancel, then order again', coupons => [ $coupons[6] ]);
is(coupon($coupons[6], 'order'), $b, 'and is reserved for the next order');


# out of order: refund, settlement and cancellation before the payment

($key, $id) = placed('upside down', coupons => [ $coupons[7] ]);
told('/settle', { order => $id }, 202, { order => $key, state => 'placed', reason => 'ORDER_NOT_PAID' }, 'settled first');
told('/refund', { order => $id, refund => 'R1', fen => 9000 }, 202,
     { order => $key, state => 'placed', reason => 'ORDER_NOT_PAID' }, 'refunded second');
told('/refund', { order => $id, refund => 'R1', fen => 9000 }, 202,
     { order => $key, state => 'placed', reason => 'ORDER_NOT_PAID' }, 'refunded again');
refused('/refund', { order => $id, refund => 'R1', fen => 1 }, '409 REFUND_KEY_REUSED', 'refunded otherwise');
is_deeply([ map { $_->{notice} } @{shown($key)->{waiting}} ], [ qw(refunded settled) ], 'the tool shows what waits');
told('/paid', { order => $id, trade => 'X1', fen => 9000 }, 200,
     { order => $key, state => 'refunded', received => 9000, due => 9000, refunded => 9000, reason => 'OK' }, 'paid at last');
log_is($key, [ 'order placed', 'paid paid', 'refund refunded' ], 'upside down');
coupon_becomes($coupons[7], 'issued', 'upside down');
is_deeply(shown($key)->{waiting}, [], 'nothing waits any more');

# the same, before the backend has answered: by id, by payment, by transaction

my $next = 'N' . ($b_id =~ /(\d+)/ ? $1 + 2 : die);

told('/refund', { order => $next, refund => 'R2', fen => 4000 }, 202, { reason => 'ORDER_UNKNOWN' }, 'by id');
told('/settle', { pay => 'Y1' }, 202, { reason => 'ORDER_UNKNOWN' }, 'by payment');
told('/refund', { trade => 'Z1', refund => 'R3', fen => 1000 }, 202, { reason => 'ORDER_UNKNOWN' }, 'by transaction');
told('/paid', { pay => 'Y1', trade => 'Z1', fen => 10000 }, 202, { reason => 'ORDER_UNKNOWN' }, 'payment');
my (undef, undef, $why) = $t->cli('order', 'show', '--id', $next);
like($why, qr/a notice \(refunded\) is parked/, 'the tool knows of it');

($key, $id) = placed('all before', pay => 'Y1', early => 1);
is($id, $next, 'the order comes');
becomes($key, 'settled', 'all before');
is(shown($key)->{refunded}, 4000, 'all before: the refund by id');
log_is($key, [ 'order placed', 'paid paid', 'refund paid', 'order settled' ], 'all before');

# by transaction: it waits for a notice that names the transaction and one order

told('/refund', { trade => 'Z2', refund => 'R4', fen => 700 }, 202, { reason => 'ORDER_UNKNOWN' }, 'by transaction, first');
($key, $id) = placed('by transaction');
told('/paid', { order => $id, trade => 'Z2', fen => 10000 }, 200,
     { order => $key, state => 'paid', received => 10000, due => 10000, refunded => 700, reason => 'OK' }, 'by transaction');


# the freeze date

($key, $id) = placed('frozen', uri => '/api/orders/');
$t->advance(3600);
told('/paid', { order => $id, trade => 'F1', fen => 10000 }, 200,
     { order => $key, state => 'paid', received => 10000, due => 10000, reason => 'OK' }, 'frozen');
my $now = $T0 + 960 + 86400 + 3600;
$t->wait_for(sub { grep { ($_->{order_key} // '') eq $key } $t->events('paid') });
($paid) = grep { $_->{order_key} eq $key } $t->events('paid');
is($paid->{freeze}, $now + 7 * 86400, 'frozen: the date stands in the event');
$t->clock($now + 7 * 86400 - 1);
($witness) = placed('a second before', coupons => [ $coupons[8] ]);
is(shown($key)->{state}, 'paid', 'a second before: paid');
$t->advance(1);
becomes($key, 'settled', 'the freeze date');
told('/refund', { order => $id, refund => 'R5', fen => 10 }, 200,
     { order => $key, state => 'settled', received => 10000, due => 10000, refunded => 10, reason => 'REFUND_AFTER_SETTLE' },
     'after that');
told('/refund', { order => $id, refund => 'R5', fen => 10 }, 200,
     { order => $key, state => 'settled', received => 10000, due => 10000, refunded => 10, reason => 'ORDER_REPLAY' },
     'after that, again');
log_is($key, [ 'order placed', 'paid paid', 'order settled', 'refund settled REFUND_AFTER_SETTLE' ], 'frozen');


# notices that say too little or too much

for my $case ([ '/paid', { pay => 'Q1' }, '422 ORDER_MALFORMED', 'no amount' ],
              [ '/paid', { order => $id, fen => 5 }, '422 ORDER_MALFORMED', 'an amount with nothing to know it by' ],
              [ '/paid', { trade => 'Q1', fen => 5 }, '422 ORDER_KEY_MALFORMED', 'nothing to find an order by' ],
              [ '/paid', { pay => 'Q1', fen => '-5' }, '422 ORDER_MALFORMED', 'a negative amount' ],
              [ '/paid', { pay => 'Q1', fen => '1e99' }, '422 ORDER_MALFORMED', 'more than there is' ],
              [ '/paid', { pay => 'Q1', fen => '' }, '422 ORDER_MALFORMED', 'an empty amount' ],
              [ '/paid', { pay => '%1f', fen => 5 }, '422 ORDER_KEY_MALFORMED', 'a number that is none' ],
              [ '/refund', { order => $id, refund => 'R9' }, '422 ORDER_MALFORMED', 'a refund without an amount' ],
              [ '/refund', { order => $id, fen => 5 }, '422 ORDER_KEY_MALFORMED', 'a refund without a number' ],
              [ '/paid-key', { key => 'none', user => 'dora' }, '404 ORDER_NOT_FOUND', 'an unknown key' ])
{
    refused($case->[0], $case->[1], $case->[2], $case->[3]);
}

for my $case ([ 'pay=A&pay=B&fen=1', '422 BODY_DUPLICATE_MEMBER' ], [ 'pay=A&PAY=B&fen=1', '422 BODY_DUPLICATE_MEMBER' ],
              [ 'pay=A%zz&fen=1', '422 BODY_MALFORMED' ], [ 'pay=A%2&fen=1', '422 BODY_MALFORMED' ],
              [ 'pay=A%00&fen=1', '422 BODY_MALFORMED' ], [ 'pay=%ff&fen=1', '422 BODY_MALFORMED' ],
              [ 'pay=A&&fen=1', '422 BODY_MALFORMED' ], [ 'pay=A&fen=1&', '422 BODY_MALFORMED' ],
              [ '=x&pay=A&fen=1', '422 BODY_MALFORMED' ])
{
    $answer = $t->post('/paid', $case->[0], type => $type);
    is($answer->status . ' ' . $answer->code, $case->[1], "form $case->[0]");
}

is($t->post('/paid', { pay => 'A', fen => 1 })->code, 'BODY_TYPE', 'JSON where a form is expected');
is($t->post('/paid-yuan', 'pay=A&trade=B&yuan=1', type => $type)->code, 'BODY_TYPE', 'a form where JSON is');
is($t->post('/api/orders', 'client_key=k', type => $type, user => 'dora')->code, 'BODY_TYPE', 'orders are no forms');

told('/paid', { pay => 'a%20b%2Bc', trade => 'E+1', fen => 1 }, 202, { reason => 'ORDER_UNKNOWN' }, 'escapes');
($key) = placed('escapes', pay => 'a b+c');
is(shown($key)->{payments}[0]{transaction}, 'E 1', 'escapes: decoded once');


# a buyer who is erased leaves his payments and refunds behind, without his name

{
    my $eve = $t->post('/api/orders', { client_key => 'eve-1', pay_no => 'EVE', items => [ { sku => 's1', count => 1, price => 700 } ] },
                       user => 'eve');
    my $no = $eve->json->{data}{order_no};

    ok($t->wait_for(sub { ($t->cli('order', 'show', '--id', $no))[0] == 0 }), 'eve orders');
    is(form('/paid', pay => 'EVE', trade => 'EVE1', fen => 500)->json->{reason}, 'PAYMENT_PARTIAL', 'pays');
    is(form('/paid', order => $no, trade => 'EVE2', fen => 200)->json->{reason}, 'OK', 'and pays');
    is(form('/refund', order => $no, refund => 'EVE3', fen => 700)->json->{state}, 'refunded', 'and has it back');

    $t->cli_ok('buyer', 'erase', 'eve');
    isnt(($t->cli('order', 'show', 'eve-1', '--user', 'eve'))[0], 0, 'erased');

    my $left = json()->decode($t->cli_ok('order', 'show', '--id', $no));

    isnt($left->{user}, 'eve', 'the order has another name');
    is_deeply([ map { $_->{number} } @{$left->{refunds}} ], [ 'EVE3' ], 'and its refund');
    is(form('/paid', order => $no, trade => 'EVE2', fen => 200)->json->{reason}, 'ORDER_REPLAY', 'its money is still known');
    is(form('/refund', order => $no, refund => 'EVE3', fen => 700)->json->{reason}, 'ORDER_REPLAY', 'so is its refund');
}


ok($t->wait_for(sub { my $store = $t->get('/status')->json->{store};
                      $store->{in_flight} == 0 && $store->{outbox} == 0 }), 'all is written');

my ($rc, $text, $err) = $t->cli(qw(store check));
is($rc, 0, 'store check') or diag "$text$err";

$t->done_testing;
