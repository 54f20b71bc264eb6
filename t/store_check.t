#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# What store check finds: one thing of each kind is broken in a copy of a sound store, and named.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new;
my $dir = $t->dir;
my $break = "$dir/store_break";

system($ENV{CC} // 'gcc', '-o', $break, "$Test::NgxCommerce::ROOT/t/store_break.c", '-llmdb') == 0 or die "store_break\n";

$t->clock(1_800_000_000);
$t->keys->people("id,role,status,upline,user\nA,guide,active,,u-a\nB,customer,active,A,u-b\n");
$t->cli_ok('group', 'put', 'g1', '--leader', 'A');
$t->campaign(id => 'c', discount => { fixed => 100 });
$t->campaign(id => 'drop', discount => { fixed => 100 }, claim => { stock => 5, user => 1 });
$t->storefront(8081);

my @codes = $t->coupons('c', 3);

$t->http_conf(<<'EOC')->run;
    server {
        listen          127.0.0.1:8080;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   $http_x_user verified;

        location = /claim { commerce_coupon_claim campaign=$arg_campaign; }

        location = /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons;
            commerce_coupon_redeem on=paid deadline=16m;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /confirm { commerce_order_confirm id=$arg_id; }
        location = /status  { commerce off; commerce_status; }
    }
EOC

$t->wait_events('config', 2);
$t->advance(10);                # what happens in the second of the log's first line may be older than it

my $paid = order('k1', $codes[0])->json->{data}{order_no};
my $open = order('k2', $codes[1])->json->{data}{order_no};

is($t->notify("/confirm?id=$paid")->status, 200, 'paid');
is($t->post('/claim?campaign=drop', '', headers => { 'X-User' => 'anna' })->status, 201, 'claimed');
is(order('k3', undef, 'status500')->status, 500, 'in doubt');
is($t->post('/confirm?id=unheard', '')->status, 202, 'parked');

ok($t->wait_for(sub {
    my $status = $t->get('/status')->json;
    return $status->{shops}{demo}{in_doubt} == 1 && $status->{store}{outbox} == 0 && $status->{store}{in_flight} == 0;
}, 10), 'settled');

$t->stop;

my ($code, $out) = check("$dir/store", '--log', "$dir/events.jsonl");
is($code, 0, 'the store is sound');
like($out, qr/ 0 violations/, 'and says so');
like($out, qr/^log: \d+ lines, [1-9]\d* money events of \d+ coupons, 0 torn, 0 missing, 0 with a broken chain$/m, 'with its log');

my $coupon = 'demo/c/0001/00000000';
my $other = 'demo/c/0001/00000001';
my $due = sprintf 'demo/d/%016x/anna\x1fk2', 1_800_000_010 + 16 * 60;

# what is broken, and what is said of it

broken('a spent coupon is gone', qr/order "anna.k1": has serial 0 of campaign number 1 redeemed, but that coupon is not its own so/,
    del => $coupon);
broken('a coupon says what its key does not', qr/coupon 0001\/00000001: says that it is serial 0/, copy => $coupon, $other);
broken('an order is gone', qr/coupon 0001\/00000000: redeemed by an order that is not there/, del => 'demo/o/anna\x1fk1');
broken('an order under another key', qr/order "anna.kx": says that its key is "k1"/, copy => 'demo/o/anna\x1fk1', 'demo/o/anna\x1fkx');
broken('uses of a campaign', qr/counter "t\/0001": 7 where there are 2/, counter => 'demo/n/t/0001', 7);
broken("a user's uses", qr/counter "v\/0001\/anna": 1 where there are 2/, counter => 'demo/n/v/0001/anna', 1);
broken('a counter of nothing', qr/counter "zz": nothing is counted under this name/, counter => 'demo/n/zz', 1);
broken('orders in doubt', qr/counter "doubt": 3 where there are 1/, counter => 'demo/n/doubt', 3);
broken('claims', qr/counter of claims of campaign number 2: 4 where there are 1/, counter => 'demo/n/yt/0002', 4);
broken('recruits', qr/counter of downlines of person number 1: 9 where there are 1/, counter => 'demo/r/0000000001', 9);
broken('an order is not found by its id', qr/order "anna.k1": the index of order ids does not lead here/, del => "demo/i/$paid");
broken('an id leads to nothing', qr/index of order ids, entry "N0": leads to no such order/, copy => "demo/i/$paid", 'demo/i/N0');
broken('an order that is due is not in the index', qr/order "anna.k2": due, but not in the index/, del => $due);
broken('a due entry without its order', qr/index of due orders, entry "0000000000000001.*": no order is due so/,
    copy => $due, 'demo/d/0000000000000001/anna\x1fk2');
broken('an entry of an order that is not in doubt', qr/index of orders in doubt, entry .*: no order is in doubt so/,
    copy => $due, 'demo/e/0000000000000001/anna\x1fk1');
broken("a shop's key without an order", qr/index of the shop's keys, entry "cart": leads to no such order/,
    copy => "demo/i/$paid", 'demo/h/cart');
broken('a notice waits for an order that is there', qr/parked notice "\Q$paid\E": its order is there, but was not told/,
    copy => 'demo/q/unheard', "demo/q/$paid");
broken('a number would be given out again', qr/next number of kind "campaign": 1, but 2 is given out already/,
    put => 'demo/s/campaign', '0000000000000001' . '0101');
broken('a record of a later format', qr/campaign 0001: unreadable/, format => 'demo/k/0001');
broken("a campaign's id", qr/campaign 0001: the index of ids does not lead here/, del => 'demo/K/c');
broken("a person's id", qr/person "A": the index of ids does not lead here/, del => 'demo/P/A');
broken("a person's user", qr/index of users, entry "u-x": leads to no such person/, copy => 'demo/u/u-a', 'demo/u/u-x');
broken("a group's id", qr/index of groups, entry "g2": leads to no such group/, copy => 'demo/G/g1', 'demo/G/g2');
broken('a claim of a coupon that is not there', qr/claim "anna.x": serial 0 of campaign number 1 is not this user's/,
    put => 'demo/y/anna\x1fx', '0000000000000001' . '02010000');
broken('an event that is none', qr/event 99 of the outbox: is none/, put => '\xff\x00\x00\x00\x00\x00\x00\x00\x63',
    '0000000000000001' . unpack('H*', '{"junk":1}'));

# the log: a step that the store does not know, and one that the log does not

my $log = $t->read_file('events.jsonl');
my ($last) = $log =~ /^(\{[^\n]*"type":"coupon_redeem"[^\n]*)\n/m;

$t->write_file('short.jsonl', $log =~ s/^[^\n]*"type":"coupon_redeem"[^\n]*\n//mr);
($code, $out) = check("$dir/store", '--log', "$dir/short.jsonl");
is($code, 1, 'a line is taken out of the log');
like($out, qr/demo: coupon 0 of campaign "c": the log tells another state than it has/, 'the coupon is named');
like($out, qr/1 missing, 1 with a broken chain/, 'and the gap');

# ... and what the store knows alone

$t->write_file('silent.jsonl', $log =~ s/^[^\n]*"type":"coupon_(?:reserve|redeem)"[^\n]*\n//mgr);
($code, $out) = check("$dir/store", '--log', "$dir/silent.jsonl");
is($code, 1, 'no step of a coupon is told');
like($out, qr/demo: coupon 0 of campaign "c": it is redeemed, and the log does not tell of that/, 'a redeemed one is missing');
like($out, qr/demo: coupon 1 of campaign "c": it is reserved, and the log does not tell of that/, 'a reserved one is missing');

my ($later) = $log =~ /\A(?:[^\n]*\n)*?([^\n]*"type":"coupon_claim".*)\z/s;

$t->write_file('later.jsonl', $later);
($code, $out) = check("$dir/store", '--log', "$dir/later.jsonl");
like($out, qr/^log: 2 coupons were reserved or redeemed before the log begins: not compared$/m, 'a log that begins later');
unlike($out, qr/does not tell of that/, 'is not asked about them');

$t->done_testing;


sub broken
{
    my ($name, $pattern, $how, @what) = @_;
    my $copy = "$dir/copy." . ++$t->{copies};

    mkdir $copy, 0700 or die "$copy: $!\n";
    system('cp', "$dir/store/data.mdb", "$copy/data.mdb") == 0 or die "cp\n";

    if ($how eq 'copy') {
        raw($copy, 'put', $what[1], raw($copy, 'get', $what[0]));
    }
    elsif ($how eq 'counter') {
        raw($copy, 'put', $what[0], '0000000000000001' . unpack 'H*', pack 'Q<', $what[1]);
    }
    elsif ($how eq 'format') {
        raw($copy, 'put', $what[0], raw($copy, 'get', $what[0]) =~ s/^(.{16})../${1}63/r);
    }
    else {
        raw($copy, $how, @what);
    }

    my ($code, $out, $error) = check($copy);

    is($code, 1, "$name: found");
    like($out, $pattern, "$name: named");
    system 'rm', '-rf', $copy;
}


sub raw
{
    my ($path, @command) = @_;

    open my $pipe, '-|', $break, $path, @command or die "store_break: $!\n";
    my $answer = join '', <$pipe>;
    close $pipe or die "store_break @command failed\n";

    return $answer;
}


sub check
{
    my ($path, @more) = @_;

    return $t->cli('--store', $path, 'store', 'check', @more);
}


sub order
{
    my ($key, $coupon, $test) = @_;

    return $t->post('/api/orders', {
        client_key => $key,
        items      => [ { sku => 's1', count => 1, price => 5000 } ],
        coupons    => [ $coupon // () ],
    }, headers => { 'X-User' => 'anna', $test ? ('X-Test' => $test) : () });
}
