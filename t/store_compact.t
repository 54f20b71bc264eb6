#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# The store is compacted while nginx is stopped: smaller, and as good as before.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;
use Test::NgxCommerce::Load;

my $t = Test::NgxCommerce->new;
my $load = Test::NgxCommerce::Load->new($t, coupons => 20);
my $dir = $t->dir;

$t->http_conf($load->server(8080))->run;

# coupons that were made for somebody and are forgotten leave free pages behind

$t->cli_ok('coupon', 'mint', 'load', 20000, '--holder', 'u');
my @codes = $load->codes;
is(($t->parallel($load->order('u', 'k1', $codes[0])))[0]->status, 200, 'an order');
ok($load->settled, 'settled');

my ($code, $out, $error) = $t->cli('store', 'compact');
is($code, 1, 'refused while nginx runs');
like($error, qr/is in use: stop nginx/, 'says why');

$t->stop;

my $size = -s "$dir/store/data.mdb";
my $stat = figures();

like($t->cli_ok('store', 'compact'), qr/^\S+data\.mdb: \d+ KiB before, \d+ KiB now$/, 'compacted');
cmp_ok(-s "$dir/store/data.mdb", '<', $size, "smaller: $size bytes before, " . -s "$dir/store/data.mdb");
is((stat "$dir/store/data.mdb")[2] & 07777, 0600, 'its mode is as before');
ok(!-e "$dir/store/data.mdb.compact", 'nothing is left beside it');
is(figures(), $stat, 'every record is there');
like($t->cli_ok('store', 'check'), qr/ 0 violations/, 'the store agrees with itself');

# twice changes nothing more; and it serves

$size = -s "$dir/store/data.mdb";
$t->cli_ok('store', 'compact');
cmp_ok(-s "$dir/store/data.mdb", '<=', $size, 'a second time');

ok($t->run, 'nginx starts on it');
is(($t->parallel($load->order('v', 'k2', $codes[0])))[0]->code, 'COUPON_NOT_USABLE', 'what is spent is spent');
is(($t->parallel($load->order('v', 'k3', $codes[1])))[0]->status, 200, 'what is not is not');
ok($load->settled, 'settled');
$load->check_store('in the end');

# a remainder of a run that was killed is no obstacle

$t->stop;
$t->write_file('store/data.mdb.compact', 'half');
$t->cli_ok('store', 'compact');
$load->check_store('after a killed run');

$t->done_testing;


sub figures
{
    my ($records) = $t->cli_ok('store', 'stat') =~ /^(records.*\noutbox.*)$/m;

    return $records;
}
