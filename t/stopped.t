#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# A worker that is stopped in the middle of a write, of the store and of the log: the others refuse money at
# once, or go on with it, and serve pages; when it goes on or dies everything is as if it had not been.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;
use Test::NgxCommerce::Load;
use Test::NgxCommerce::Stopper;
use Time::HiRes qw(sleep time);

my $t = Test::NgxCommerce->new;
my $stopper = Test::NgxCommerce::Stopper->new($t) or plan(skip_all => 'no compiler');
my $load = Test::NgxCommerce::Load->new($t, coupons => 120);
my @codes = $load->codes;
my $n = 0;

$t->expect_log(qr/\[crit\].*commerce: (?:a batch is running|transactions wait) longer than the deadline/,
               qr/\[crit\].*commerce: money events wait/,
               qr/worker process \d+ exited on signal 9/);

(my $conf = $t->expand("%%TEST_GLOBALS%%\n" . $stopper->globals . "worker_processes 2;\n"
    . "events { worker_connections 4096; }\nhttp {\n%%TEST_GLOBALS_HTTP%%\n%%COMMERCE%%\n" . $load->server(8080) . "}\n"))
    =~ s/(commerce_store [^;]*)/$1 deadline=2s/;

$t->conf($conf);
$stopper->run;


# an order whose commit, or whose event, stops its worker; nobody waits for its answer

sub stop_worker
{
    my ($what) = @_;

    $stopper->arm($what);

    my $pid = fork // die "fork: $!\n";
    my ($key, $code) = ('stop-' . ++$n, shift @codes);

    if ($pid == 0) {
        $t->parallel($load->order('stopper', $key, $code, timeout => 60));
        POSIX::_exit(0);
    }

    my $stopped;

    ok($t->wait_for(sub { $stopped = $stopper->stopped }, 10), "a worker is stopped while it writes the $what");

    return ($stopped, $pid, $key, $code);
}


sub wake
{
    my ($signal, $stopped, $pid) = @_;

    kill $signal => $stopped;
    waitpid $pid, 0;
    $stopper->disarm;
}


sub shows
{
    my ($code) = @_;

    return { $t->cli_ok('coupon', 'show', $code) =~ /^(\w+) +(\S+)/mg };
}


for my $signal (qw(CONT KILL)) {
    my ($stopped, $pid, $key, $code) = stop_worker('store');

    # orders in the batch of the other worker, then those that find it hanging

    my @first = $t->parallel(map { $load->order("u$_", "first-$signal$_", $codes[$_]) } 0 .. 5);
    is(scalar(grep { $_->status == 503 && $_->header('retry-after') } @first), 6, "store, $signal: money is refused: 503")
        or diag join ' ', map { $_->status . ' ' . ($_->code // '') } @first;

    my $started = time;
    my @later = $t->parallel(map { $load->order("u$_", "later-$signal$_", $codes[10 + $_]) } 0 .. 11);
    my $took = time - $started;

    is(scalar(grep { $_->status == 503 && $_->code eq 'STORE_UNAVAILABLE' } @later), 12, '... later ones, too')
        or diag join ' ', map { $_->status . ' ' . ($_->code // '') } @later;
    cmp_ok($took, '<', 2, sprintf '... at once, not at the deadline (%.3f s)', $took);

    my $notice = $t->post('/confirm?id=N1', '');
    is($notice->status . ' ' . ($notice->code // ''), '503 STORE_UNAVAILABLE', '... so is a notice, which comes again');

    $started = time;
    my @pages = $t->parallel(map { $load->page("p$_") } 1 .. 20);
    $took = time - $started;

    is(scalar(grep { $_->status == 200 } @pages), 20, '... pages are served');
    cmp_ok($took, '<', 2, sprintf '... without waiting (%.3f s)', $took);
    is(scalar(grep { $_->header('x-pid') == $stopped } @pages, @first, @later), 0, '... all by the other worker');
    is(($t->parallel($load->order('plain', "plain-$signal", undef)))[0]->status, 200, '... and orders without coupons');

    wake($signal, $stopped, $pid);
    ok($load->settled, "store, $signal: all is settled");

    my @again = $t->parallel(map { $load->order("u$_", "later-$signal$_", $codes[10 + $_]) } 0 .. 11);
    is(scalar(grep { $_->status == 200 } @again), 12, '... the same keys work')
        or diag join ' ', map { $_->status . ' ' . ($_->code // '') } @again;

    is(shows($codes[$_])->{state}, 'issued', "... coupon $_ of the refused orders is free") for 0 .. 5;

    # whoever stopped it has the coupon, or may have it under the same key

    $t->advance(100);
    is(($t->parallel($load->order('stopper', $key, $code)))[0]->status, 200, '... so does the key of whoever stopped it');
    ok($t->wait_for(sub { shows($code)->{state} eq 'redeemed' && shows($code)->{order} eq $key }), '... with its coupon');

    splice @codes, 0, 30;
}


for my $signal (qw(CONT KILL)) {
    my ($stopped, $pid, $key, $code) = stop_worker('log');
    my $before = grep { $_->{order_key} =~ /^meanwhile-$signal/ } $load->events('order');

    # who came to the stopped worker waits for it; the others go on, and their events wait in the store

    my $orders = 0;
    my @answers = $t->parallel(map { $load->order("u$_", "meanwhile-$signal$_", $codes[$_]) } 0 .. 9);

    is(scalar(grep { $_->status == 200 } @answers), 10, "log, $signal: money goes on at the other worker")
        or diag join ' ', map { $_->status . ' ' . ($_->code // '') } @answers;
    is($before, 0, '... nothing of it was in the log');
    is($t->get('/goods/1')->status, 200, '... pages are served');
    cmp_ok($load->status->{store}{outbox}, '>', 0, '... the events wait in the store');
    is(scalar(grep { $_->{order_key} =~ /^meanwhile-$signal/ } $load->events('order')), 0, '... and not in the log');

    wake($signal, $stopped, $pid);
    ok($load->settled, "log, $signal: they arrive");

    my %told;
    $told{$_->{order_key}}{$_->{id}} = 1
        for grep { $_->{order_key} =~ /^meanwhile-$signal/ && $_->{state} eq 'placed' } $load->events('order');

    is(join(' ', map { scalar keys %{$told{"meanwhile-$signal$_"} || {}} } 0 .. 9), join(' ', (1) x 10),
       '... each order once');

    $t->advance(100);
    is(($t->parallel($load->order('stopper', $key, $code)))[0]->status, 200, '... the order that was stopped, too');
    ok($load->settled, '... settled');

    splice @codes, 0, 10;
}

$load->check_spent('in the end');
$load->check_log('in the end', $load->states);
$load->check_store('in the end');

$t->done_testing;
