#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Money that came and went back after the backup.  Restored with the event log, each order tells the same of it as
# before, a notice that is sent again counts nothing twice, and one that comes next counts once.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce qw(json);
use Test::NgxCommerce::Schema qw(invalid);

my $t = Test::NgxCommerce->new;
my $dir = $t->dir;

$t->clock(1_800_000_000);
$t->keys;
$t->campaign(id => 'c', discount => { fixed => 1000 });

my @coupons = $t->coupons('c', 10);

$t->storefront(8081, '--verdict-keys', $t->write_file('verdict.keys', $t->cli_ok(qw(keys export verdict))));

$t->http_conf(<<'EOC')->run;
    server {
        listen          127.0.0.1:8080;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   $http_x_user verified;

        location /api/orders {
            commerce_order_freeze 7d;
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payment=response:/data/pay_no payable=response:/data/pay_amount
                           freight=response:/data/freight;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons max=2;
            commerce_coupon_redeem on=paid deadline=16m;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /paid {
            commerce_order_confirm id=json:/order payment=json:/pay transaction=json:/trade amount=json:/fen;
        }

        location = /refund {
            commerce_order_refund id=json:/order refund=json:/refund amount=json:/fen freight=json:/freight
                                  lines=json:/lines line_sku=/sku line_amount=/fen line_qty=/qty;
        }

        location = /whole { commerce_order_refund id=json:/order refund=json:/refund; }
        location = /settle { commerce_order_settle id=json:/order; }
        location = /cancel { commerce_order_cancel id=json:/order; }
        location = /status { commerce_status; }
    }
EOC

my (%id, @told);

sub order
{
    my ($key, %o) = @_;
    my $answer = $t->post('/api/orders', {
        client_key => $key, coupons => $o{coupons} || [],
        items => $o{items} || [ { sku => 's1', count => 2, price => 3000 }, { sku => 's2', count => 1, price => 4000 } ],
        $o{pay} ? (pay_no => $o{pay}) : (), $o{freight} ? (freight => $o{freight}) : (),
    }, headers => { 'X-User' => $o{user} || 'dora' });

    is($answer->status, 200, "$key: ordered") or diag $answer->body;
    $id{$key} = $answer->json->{data}{order_no};
    ok($t->wait_for(sub { ($t->cli('order', 'show', '--id', $id{$key}))[0] == 0 }), "$key: placed");
}

# a notice; what was taken is told again after the restore

sub told
{
    my ($uri, $body, $want, $name) = @_;
    my $answer = $t->post($uri, $body);

    is($answer->json->{reason} // $answer->code, $want, $name) or diag $answer->body;
    push @told, [ $uri, $body, $name ];
}

sub shown { return json()->decode($t->cli_ok('order', 'show', '--id', $id{$_[0]})) }

# what an order says of money; whose it is, and more, is another test's

sub money
{
    my $order = shown($_[0]);

    return { map { $_ => $order->{$_} } qw(state payable payment freight due received payments freeze settled
                                            refunded refunds lines in_doubt) };
}

sub state { return $t->cli_ok('coupon', 'show', $_[0]) =~ /^state\s+(\S+)/m ? $1 : undef }

sub settled
{
    return $t->wait_for(sub { my $store = $t->get('/status')->json->{store};
                              $store->{in_flight} == 0 && $store->{outbox} == 0 });
}

# before the backup: one that is to be paid in parts, one half of a payment, one that is paid in part

order('parts', coupons => [ $coupons[0] ], freight => 500);
order('half-1', pay => 'C1');
order('begun');
told('/paid', { order => $id{begun}, pay => 'B1', trade => 'B2', fen => 4000 }, 'PAYMENT_PARTIAL', 'begun');
ok(settled(), 'settled');
like($t->cli_ok('store', 'backup', "$dir/backup"), qr/records/, 'a backup');
$t->advance(1);

# after it: in parts, and a part of it back

told('/paid', { order => $id{parts}, pay => 'P1', trade => 'T1', fen => 3000 }, 'PAYMENT_PARTIAL', 'parts: the first');
told('/paid', { order => $id{parts}, pay => 'P1', trade => 'T2', fen => 3000 }, 'PAYMENT_PARTIAL', 'parts: the second');
told('/paid', { order => $id{parts}, trade => 'T3', fen => 3500 }, 'OK', 'parts: the third, of no payment');
told('/refund', { order => $id{parts}, refund => 'R1', freight => 100, lines => [ { sku => 's1', fen => 999, qty => 1 } ] },
     'OK', 'parts: some back, by line');
told('/refund', { order => $id{parts}, refund => 'R2', fen => 1001 }, 'OK', 'parts: some more, of no line');
told('/paid', { order => $id{begun}, pay => 'B1', trade => 'B3', fen => 6000 }, 'OK', 'begun: the rest');

# one payment for two orders, one of which the backup has; too little, then the rest

order('half-2', pay => 'C1', coupons => [ $coupons[1] ]);
told('/paid', { pay => 'C1', trade => 'U1', fen => 12000 }, 'PAYMENT_PARTIAL', 'halves: not all');
told('/paid', { pay => 'C1', trade => 'U2', fen => 7000 }, 'OK', 'halves: the rest');

# all of it back; in one sum, and by an SKU of two lines

order('back', coupons => [ $coupons[2] ]);
told('/paid', { order => $id{back}, trade => 'V1', fen => 9000 }, 'OK', 'back: paid');
told('/whole', { order => $id{back}, refund => 'R3' }, 'OK', 'back: all of it');
order('lines', items => [ { sku => 's1', count => 1, price => 500 }, { sku => 's1', count => 2, price => 300 },
                          { sku => 's2', count => 1, price => 77 } ]);
told('/paid', { order => $id{lines}, pay => 'L1', fen => 1177 }, 'OK', 'lines: paid, without a transaction');
told('/refund', { order => $id{lines}, refund => 'R4', lines => [ { sku => 's1', fen => 701, qty => 2 } ] }, 'OK',
     'lines: by an SKU of two');
told('/paid', { pay => 'L1', trade => 'L2', fen => 1177 }, 'ORDER_REPLAY', 'lines: its transaction');

# settled, and then some back; settled and all back; cancelled, then paid; a transaction whose payment is told later

order($_) for qw(settled late cancelled named);
told('/paid', { order => $id{$_}, trade => "S-$_", fen => 10000 }, 'OK', "$_: paid") for qw(settled late named);
told('/settle', { order => $id{$_} }, 'OK', "$_: settled") for qw(settled late);
told('/refund', { order => $id{settled}, refund => 'R5', fen => 10 }, 'REFUND_AFTER_SETTLE', 'settled: some back');
told('/whole', { order => $id{late}, refund => 'R6' }, 'REFUND_AFTER_SETTLE', 'late: all back');
told('/cancel', { order => $id{cancelled} }, 'OK', 'cancelled');
$t->post('/paid', { order => $id{cancelled}, trade => 'X1', fen => 10000 });
$t->post('/paid', { order => $id{named}, pay => 'N1', trade => 'S-named', fen => 10000 });

# whom the backup does not know; a payment that names nobody yet; one named that has brought nothing yet

order('stranger', user => 'zoe', coupons => [ $coupons[3] ]);
told('/paid', { order => $id{stranger}, pay => 'Z1', trade => 'Z2', fen => 9000 }, 'OK', 'stranger: paid');
$t->post('/paid', { pay => 'E1', trade => 'E2', fen => 10000 });
order('waits', pay => 'W1');

# notices that wait: for an order that comes, for one that does not before the restore, for an order's payment

sub next_id { return $id{$_[0]} =~ s/(\d+)$/$1 + 1/er }

my $coming = next_id('waits');

is($t->post('/paid', { order => $coming, trade => 'J1', fen => 10000 })->json->{reason}, 'ORDER_UNKNOWN', 'joined: its payment');
order('joined');
is($id{joined}, $coming, 'joined: its order');
order('unpaid');
is($t->post('/refund', { order => $id{unpaid}, refund => 'R9', lines => [ { sku => 's1', fen => 100, qty => 1 } ] })
    ->json->{reason}, 'ORDER_NOT_PAID', 'unpaid: a refund');
my $future = next_id('unpaid');
is($t->post('/paid', { order => $future, trade => 'F1', fen => 10000 })->json->{reason}, 'ORDER_UNKNOWN', 'future: its payment');
ok(settled(), 'settled');

my @keys = sort keys %id;
my %before = map { $_ => money($_) } @keys;

is($before{parts}{refunded}, 2100, 'what there is to be kept');
$t->stop;

# restored, and again

for my $time ('restored', 'restored again') {
    my $said = $t->cli_ok('store', 'restore', "$dir/backup", '--replay', "$dir/events.jsonl");

    like($said, qr/^replayed: \d+ events .* 0 failed$/m, "$time: all of the log") or diag $said;
    is_deeply(money($_), $before{$_}, "$time: $_") or diag explain [ money($_), $before{$_} ] for @keys;
    is(state($coupons[0]), 'redeemed', "$time: the coupon of an order that has some back is spent");
    is(state($coupons[1]), 'redeemed', "$time: so is that of one that was paid with another");
    is(state($coupons[2]), 'issued', "$time: that of one that has all back is free");

    my ($rc, $out, $err) = $t->cli(qw(store check));
    is($rc, 0, "$time: store check") or diag "$out$err";
}

# every notice again

ok($t->run, 'nginx starts on it');

for my $notice (@told) {
    my ($uri, $body, $name) = @$notice;
    my $answer = $t->post($uri, $body);

    is($answer->json->{reason} // $answer->code, 'ORDER_REPLAY', "again, $name") or diag $answer->body;
}

is($t->post('/paid', { order => $id{cancelled}, trade => 'X1', fen => 10000 })->json->{reason}, 'ORDER_REPLAY',
   'again, of a cancelled order');
is($t->post('/paid', { order => $id{named}, pay => 'N1', trade => 'S-named', fen => 10000 })->json->{reason},
   'ORDER_REPLAY', 'again, with its payment');
is_deeply(money($_), $before{$_}, "again: $_") for @keys;

# other content is refused, and what is new is taken

is($t->post('/refund', { order => $id{parts}, refund => 'R2', fen => 1 })->code, 'REFUND_KEY_REUSED', 'another refund');
is($t->post('/paid', { order => $id{begun}, trade => 'T1', fen => 3000 })->code, 'TRANSACTION_REUSED', 'another transaction');
is($t->post('/refund', { order => $id{parts}, refund => 'R7', fen => 7401 })->code, 'REFUND_EXCEEDS_ORDER',
   'a fen more than is left');
told('/refund', { order => $id{parts}, refund => 'R8', fen => 7400 }, 'OK', 'all that is left');
told('/paid', { pay => 'W1', trade => 'W2', fen => 10000 }, 'OK', 'the payment that an answer named');
is(shown('waits')->{freeze}, '2027-01-22T08:00:01Z', '... and its freeze date');
order('awaited');
is($id{awaited}, $future, 'an order that a notice waited for');
ok($t->wait_for(sub { shown('awaited')->{state} eq 'paid' }), '... is paid');
told('/paid', { order => $id{unpaid}, trade => 'G1', fen => 10000 }, 'OK', 'the payment that a refund waited for');
is(shown('unpaid')->{refunded}, 100, '... and the refund');
is($t->post('/paid', { order => $coming, trade => 'J1', fen => 10000 })->json->{reason}, 'ORDER_REPLAY', 'one that was joined');
order('early', pay => 'E1');
ok($t->wait_for(sub { shown('early')->{state} eq 'paid' }), 'the payment that came before its order');
order('with the free one', coupons => [ $coupons[2] ]);

ok(settled(), 'settled');
my $schema = json()->decode($t->read_file("$Test::NgxCommerce::ROOT/t/event.schema.json"));
is_deeply([ grep { defined } map { invalid($schema, $_) } $t->events ], [], 'every event is as documented');

my ($rc, $out, $err) = $t->cli(qw(store check));
is($rc, 0, 'store check') or diag "$out$err";

# a refund of which the log does not tell what its notice named is told by its name, and nothing is done

$t->stop;
my $log = $t->read_file('events.jsonl');
ok($log =~ s/("number":"R5".*?),"told":\{[^{}]*\}/$1/, 'a log without what a notice told');
$t->write_file('untold.jsonl', $log);
($rc, $out, $err) = $t->cli('store', 'restore', "$dir/backup", '--replay', "$dir/untold.jsonl");
is($rc, 1, 'untold: refused');
like($out, qr/refund was not replayed: refund "R5" of order "settled": what its notice told is not in it/, 'untold: which one');
is(shown('settled')->{refunded}, 10, 'untold: nothing was changed');

$t->done_testing;
