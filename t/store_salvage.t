#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# A store is replaced by its backup while money events wait in its outbox that no log has: they are done again, too,
# and reach the log once, with their ids.  A store that cannot be read does not keep the backup from taking its place.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce qw(json);

my $t = Test::NgxCommerce->new;
my $dir = $t->dir;

$t->clock(1_800_000_000);
$t->keys;
$t->campaign(id => 'c', discount => { fixed => 1000 });
$t->storefront(8081);

my @coupons = $t->coupons('c', 3);

$t->http_conf(<<'EOC')->run;
    server {
        listen          127.0.0.1:8080;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   $http_x_user verified;

        location = /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons;
            commerce_coupon_redeem on=paid deadline=16m unpaid=hold;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /status { commerce off; commerce_status; }
    }
EOC

order($_) for 0 .. 2;
ok(settled(), 'settled');
like($t->cli_ok('store', 'backup', "$dir/backup"), qr/records/, 'a backup');
$t->advance(1);
$t->stop;

# nobody is there to write the log

$t->cli_ok('order', 'confirm', 'k0', '--user', 'anna');
$t->cli_ok('order', 'cancel', 'k1', '--user', 'anna');
$t->cli_ok('store', 'backup', "$dir/after");

my $last = json()->decode($t->read_file("$dir/after/manifest.json"))->{last_event};
my $before = states();

is_deeply($before, [ 'paid redeemed', 'cancelled issued', 'placed reserved' ], 'one is paid, one cancelled');
unlike($t->read_file('events.jsonl'), qr/\Q$last\E/, 'and the log does not have it');

for my $time ('restored', 'restored again') {
    my $out = restore();

    like($out, qr/^[4-9] events of what is replaced were not in the log yet: they are replayed/m, "$time: says so");
    like($out, qr/ 0 failed$/m, "$time: all of it");
    is_deeply(states(), $before, "$time: the same");
    like($t->cli_ok('store', 'check'), qr/ 0 violations/, "$time: the store agrees with itself");
}

ok($t->run, 'nginx starts');
ok(settled(), 'and writes the log');

my %count;

$count{$_->{id}}++ for $t->events;
is($count{$last}, 1, 'the last one is there, by its id');
is_deeply([ grep { $count{$_} > 1 } keys %count ], [], 'and none is there twice');
is(scalar(grep { $_->{order_key} eq 'k0' } $t->events('paid')), 1, 'one is paid once');
is(scalar($t->events('coupon_redeem')), 1, 'its coupon is spent once');
$t->stop;

# the log has it all now

unlike(restore(), qr/were not in the log yet/, 'with the whole log there is nothing to salvage');
is_deeply(states(), $before, 'and the same comes of it');

# a file that is none any more

open my $file, '+<', "$dir/store/data.mdb" or die "$!\n";
print {$file} "\xff" x 65536;
close $file;

like(restore(), qr/^what is replaced cannot be read: /m, 'a damaged store');
is_deeply(states(), $before, 'is replaced all the same');
like($t->cli_ok('store', 'check'), qr/ 0 violations/, 'the store agrees with itself');

$t->done_testing;


sub order
{
    my ($n) = @_;

    is($t->post('/api/orders', {
        client_key => "k$n",
        items      => [ { sku => 's1', count => 1, price => 5000 } ],
        coupons    => [ $coupons[$n] ],
    }, headers => { 'X-User' => 'anna' })->status, 200, "order $n");
}


sub states
{
    return [ map {
        json()->decode($t->cli_ok('order', 'show', "k$_", '--user', 'anna'))->{state} . ' '
        . ($t->cli_ok('coupon', 'show', $coupons[$_]) =~ /^state\s+(\S+)/m)[0]
    } 0 .. 2 ];
}


sub restore { return $t->cli_ok('store', 'restore', "$dir/backup", '--replay', "$dir/events.jsonl") }


sub settled
{
    return $t->wait_for(sub { my $store = $t->get('/status')->json->{store};
                              $store->{in_flight} == 0 && $store->{outbox} == 0 });
}
