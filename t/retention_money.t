#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Payments, transactions, refunds and what waits go with their orders, never before; a payment of several orders goes
# with the last of them.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce qw(json);

my $t = Test::NgxCommerce->new;
my $DAY = 86400;

$t->clock(1_800_000_000);
$t->keys;
$t->storefront(8081);

$t->http_conf(<<'EOC')->run;
    commerce_retention off;

    server {
        listen          127.0.0.1:8080;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   $http_x_user verified;

        location = /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payment=response:/data/pay_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /paid   { commerce_order_confirm id=json:/order payment=json:/pay transaction=json:/trade amount=json:/fen; }
        location = /refund { commerce_order_refund id=json:/order payment=json:/pay refund=json:/refund amount=json:/fen; }
        location = /status { commerce off; commerce_status; }
    }
EOC

my %id;

# five orders of one payment; two of another, the second much later; one by a transaction, with some back; one that
# is not paid, and whose refund waits; money that nobody ever asks for, and notices for what never comes

order("five$_", 'PAY-FIVE') for 1 .. 5;
order('old', 'PAY-TWO');
order($_) for qw(alone waits);
ok(settled(), 'settled');

is(told('/paid', pay => 'PAY-FIVE', trade => 'TRADE-FIVE', fen => 25000), 'OK', 'five are paid');
is(told('/paid', pay => 'PAY-TWO', trade => 'TRADE-OLD', fen => 5000), 'OK', 'the first of two is');
is(told('/paid', order => $id{alone}, trade => 'TRADE-ALONE', fen => 5000), 'OK', 'one is, alone');
is(told('/refund', order => $id{alone}, refund => 'BACK-ALONE', fen => 700), 'OK', 'some of it goes back');
is(told('/refund', order => $id{waits}, refund => 'BACK-WAITS', fen => 700), 'ORDER_NOT_PAID', 'a refund waits');
is(told('/paid', pay => 'PAY-NOBODY', trade => 'TRADE-NOBODY', fen => 5000), 'ORDER_UNKNOWN', "nobody's money");
is(told('/refund', pay => 'PAY-NEVER', refund => 'BACK-NEVER', fen => 5000), 'ORDER_UNKNOWN', 'a refund of no payment');

my @old = qw(PAY-FIVE TRADE-FIVE TRADE-ALONE BACK-ALONE BACK-WAITS);
my @waiting = qw(PAY-NOBODY TRADE-NOBODY PAY-NEVER BACK-NEVER);
my @two = qw(PAY-TWO TRADE-OLD);

$t->advance(29 * $DAY);
is(collect(), '0 orders, 0 parked notices and 0 buyers', 'before its time nothing goes');
is_deeply([ named(@old, @waiting, @two) ], [ @old, @waiting, @two ], 'indeed nothing');

$t->advance(11 * $DAY);
order('young', 'PAY-TWO');
ok(settled(), 'settled');
is(told('/paid', pay => 'PAY-TWO', trade => 'TRADE-YOUNG', fen => 3000), 'PAYMENT_PARTIAL', 'the second of two, in part');
is(collect(), '0 orders, 2 parked notices and 0 buyers', 'what waits for nobody goes first');
collect();
is_deeply([ named(@old, @waiting, @two) ], [ @old, @two ], 'and nothing else');
check('the store agrees with itself');

$t->advance(21 * $DAY);
is(collect(), '8 orders, 0 parked notices and 0 buyers', 'then the old orders');
is_deeply([ named(@old, @two) ], [ @two ], 'with all of their money');
ok(backup() !~ /five|waits/, 'nothing names them');
check('the store agrees with itself');

# the payment that has an order left knows its money, and goes on

is(told('/paid', pay => 'PAY-TWO', trade => 'TRADE-OLD', fen => 5000), 'ORDER_REPLAY', 'its first transaction is known');
is(sums('young'), 'placed 3000', 'what it gave to the old one is not the young one\'s');
is(told('/paid', pay => 'PAY-TWO', trade => 'TRADE-REST', fen => 2000), 'OK', 'the rest comes');
is(sums('young'), 'paid 5000', 'the young one is paid');
ok(settled(), 'settled');
check('the store agrees with itself');

$t->advance(61 * $DAY);
is(collect(), '1 orders, 0 parked notices and 0 buyers', 'then it goes');
ok(backup() !~ m{TRADE-|BACK-|demo/m/}, 'with its payment');
check('the store agrees with itself');

$t->done_testing;


sub order
{
    my ($key, $pay) = @_;
    my $answer = $t->post('/api/orders', {
        client_key => $key,
        items      => [ { sku => 's1', count => 1, price => 5000 } ],
        coupons    => [],
        $pay ? (pay_no => $pay) : (),
    }, headers => { 'X-User' => 'anna' });

    is($answer->status, 200, "$key: ordered");
    $id{$key} = $answer->json->{data}{order_no};
}


sub told
{
    my ($uri, %notice) = @_;
    my $answer = $t->post($uri, \%notice);

    return $answer->json->{reason} // $answer->code;
}


sub sums
{
    return join ' ', @{json()->decode($t->cli_ok('order', 'show', '--id', $id{$_[0]}))}{qw(state received)};
}


sub collect
{
    return ($t->cli_ok('store', 'collect', '--orders', 60, '--parked', 30) =~ /records, (.*) let go$/m)[0];
}


sub check { like($t->cli_ok('store', 'check'), qr/ 0 violations/, $_[0]) }


# what is free in a live file may still hold old bytes, a backup does not

sub backup
{
    my $copy = $t->dir . '/copy.' . ++$t->{copies};

    $t->cli_ok('store', 'backup', $copy);

    return $t->read_file("$copy/data.mdb");
}


sub named
{
    my $bytes = backup();

    return grep { $bytes =~ /\Q$_\E/ } @_;
}


sub settled
{
    return $t->wait_for(sub { my $store = $t->get('/status')->json->{store};
                              $store->{in_flight} == 0 && $store->{outbox} == 0 });
}
