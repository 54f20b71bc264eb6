#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Workers that are killed while orders fight for the same coupons, and a master that is killed: its orphans
# serve on beside a second master's workers.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;
use Test::NgxCommerce::Load;
use Time::HiRes qw(sleep time);

my $t = Test::NgxCommerce->new;
my $load = Test::NgxCommerce::Load->new($t, coupons => 250);

$t->expect_log(qr/worker process \d+ exited on signal 9/);
$t->http_conf($load->server(8080, listen => 'reuseport'))->run;

# kill -9, every 300 ms

$load->start(clients => 8, seconds => 5);

my $kills = 0;

while ($load->running) {
    sleep 0.3;

    my @workers = $t->workers or next;

    kill KILL => $workers[rand @workers] if $load->running;
    $kills++;
}

$load->finish;

cmp_ok($kills, '>', 2, "$kills workers were killed");
$load->check('kill -9 of workers');

# the master: orphans go on, and a second master's workers serve beside them

my @orphans = $t->kill_master(keep_workers => 1);

is(scalar @orphans, 2, 'two orphans');
is(scalar(grep { kill 0, $_ } @orphans), 2, 'they live on');
is($t->get('/goods/1')->status, 200, 'they serve');

$t->run;
is(scalar(grep { kill 0, $_ } @orphans), 2, 'a second master beside them');

$load->mint(150);

$load->start(clients => 8, seconds => 3)->finish;

my %pids = map { $_->{pid} => 1 } grep { $_->{pid} } $load->answers;

cmp_ok(scalar(grep { $pids{$_} } @orphans), '>', 0, 'orphans answered');
cmp_ok(scalar(grep { $pids{$_} } $t->workers), '>', 0, 'the new workers answered');

$load->check('two masters');

kill KILL => @orphans;
ok($t->wait_for(sub { !grep { kill 0, $_ } @orphans }), 'the orphans are gone');

$t->done_testing;
