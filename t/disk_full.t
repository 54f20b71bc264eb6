#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# No room for the store: coupons are refused with a reason, pages go on.  No room for the event log: money
# goes on, its events wait in the store.  Once there is room everything works again and nothing is missing.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;
use Test::NgxCommerce::Load;
use Time::HiRes qw(sleep);

plan(skip_all => 'needs root, to mount small file systems') if $> != 0;

my $t = Test::NgxCommerce->new;
my $dir = $t->dir;
my $owner = $$;
my @mounts;

END { release() if $owner == $$ }

mkdir "$dir/log" or die "mkdir: $!\n";

for my $mount ([ "$dir/store", '2m', '0700' ], [ "$dir/log", '2m', '0755' ]) {
    my ($path, $size, $mode) = @$mount;

    if (system("mount -t tmpfs -o size=$size,mode=$mode commerce-test $path 2>/dev/null") != 0) {
        release();
        plan(skip_all => 'tmpfs cannot be mounted here');
    }

    push @mounts, $path;
}

symlink "$dir/log/events.jsonl", "$dir/events.jsonl" or die "symlink: $!\n";

my $load = Test::NgxCommerce::Load->new($t, coupons => 60);
my @codes = $load->codes;
my $token = $t->token('A');
my $orders = 0;

# a write that fits in part is an input/output error to LMDB

my $full = qr/No space left|Input\/output error/;

$t->expect_log(qr/\[crit\].*commerce: cannot write to the store.*$full/,
               qr/\[crit\].*commerce: (?:the event log cannot be written|money events wait)/);
$t->http_conf($load->server(8080))->run;

# the store

is(order($codes[0])->status, 200, 'an order');
ok($load->settled, 'its events are in the log');

# this one is with the storefront while the disk fills up: perhaps its outcome cannot be written

my $slow = in_background('slow', $codes[1], 'slow=2');

ok($t->wait_for(sub { grep { $_->{body} =~ /"slow"/ } $t->received }), 'an order is with the storefront');

fill("$dir/store");

# pages of the store that were freed before are used again without room: buyers are bound until they run out

my ($buyer, $bound) = ('buyer', 1);
my @pages;

for (my ($rounds, $all) = (0, 0); $rounds < 5 && $all < 200; $rounds = $bound ? 0 : $rounds + 1, $all++) {
    @pages = $t->parallel(map { { uri => "/goods/1?st=$token", headers => { 'X-User' => ++$buyer } } } 1 .. 10);
    $bound = grep { !defined $_->json->{headers}{'x-commerce-degraded'} } @pages;
    sleep 0.05;
}

is(scalar(grep { $_->status == 200 } @pages), 10, 'without room pages go on');
is(scalar(grep { $_->json->{headers}{'x-commerce-seller'} eq 'A' } @pages), 10, 'attributed');
is(scalar(grep { $_->json->{headers}{'x-commerce-degraded'} eq 'store' } @pages), 10,
   'degraded, since the binding was not written');

my @refused;

for my $code (@codes[2 .. 11]) {
    my $answer = order($code);

    push @refused, [ $code, "k$orders", $answer ] if $answer->status != 200;
}

is(scalar @refused, 10, 'orders with coupons are refused');
is(scalar(grep { $_->[2]->status == 503 && $_->[2]->code eq 'STORE_UNAVAILABLE' && $_->[2]->header('retry-after') }
          @refused), 10, '503 STORE_UNAVAILABLE, with Retry-After');

is($t->get('/goods/1')->status, 200, 'without a token too');

# each worker tells what it met itself: this one answered last

my $status = $load->status;

$t->wait_for(sub { $status = $load->status; $status->{store}{error} && $status->{store}{state} ne 'ok' });
is($status->{store}{state}, 'unavailable', 'the status says so');
like($status->{store}{error} // '', qr/cannot write to the store.*$full/, 'and why');
cmp_ok(scalar($t->log_lines(qr/\[crit\].*cannot write to the store/)), '<=', 2, 'the log says it once a worker');

is(finished($slow), 200, 'the slow order was accepted');

unlink "$dir/store/filler" or die "unlink: $!\n";

# the same keys now

my @again = map { scalar order($_->[0], $_->[1]) } @refused;
is(scalar(grep { $_->status == 200 } @again), 10, 'with room the same keys work') or diag $again[0]->body;
is($load->status->{store}{state}, 'ok', 'the store is well');

my $page = $t->get("/goods/1?st=$token", headers => { 'X-User' => $buyer });
is($page->json->{headers}{'x-commerce-reason'}, 'BIND_NEW', 'and the buyer is bound') or diag $page->body;

# the slow order is found by the sweep

$t->advance(100);
ok($t->wait_for(sub { !grep { pending($_) } $load->answers }), 'no order is in flight');
is(order($codes[1], 'slow')->status, 200, 'the same key resolves what was not written');
ok($load->settled, 'nothing is in doubt');
is($load->states->{$codes[1]}{state}, 'redeemed', 'its coupon is spent');
$load->check_log('store', $load->states);

# the log

my $before = $load->status->{log};
fill("$dir/log");

my @answers = map { order($_) } @codes[51 .. 55];
is(scalar(grep { $_->status == 200 } @answers), 5, 'without room for the log orders go on');

# the last page of the file takes some more lines

ok($t->wait_for(sub {
    $t->parallel(map { { uri => "/goods/$_" } } 1 .. 10);
    $status = $load->status;
    return $status->{log}{errors} > $before->{errors} + 1 && $status->{log}{dropped} >= $before->{dropped} + 5;
}), 'errors and dropped lines are counted') or diag explain $status->{log};

cmp_ok($status->{store}{outbox}, '>=', 1, "money events wait in the store ($status->{store}{outbox})");
is($status->{store}{state}, 'ok', 'the store is well');

unlink "$dir/log/filler" or die "unlink: $!\n";

ok($load->settled, 'with room they arrive');
cmp_ok($load->status->{log}{written}, '>=', $before->{written} + 1, 'and are counted');

is(scalar(keys %{{ map { $_->{order_key} => 1 } grep { $_->{state} eq 'placed' } $load->events('order') }}),
   scalar(keys %{$load->spent}), 'each order is in the log');

# each worker tells of its own when it writes again

my $checked;

ok($t->wait_for(sub {
    $t->parallel(map { { uri => "/goods/$_" } } 1 .. 10);
    (undef, $checked) = $t->cli(qw(store check --log), "$dir/log/events.jsonl");
    return $checked =~ / 0 missing/;
}, 10), 'the log tells of all that it lacks') or diag $checked;

cmp_ok(scalar(grep { $_->{reason} eq 'unwritten' } $load->events('lost')), '>=', 1, 'lines that found no room');

$load->check_spent('in the end');
$load->check_log('in the end', $load->states);
$load->check_store('in the end');

$t->stop;
release();

$t->done_testing;


sub order
{
    my ($code, $key) = @_;

    $key //= 'k' . ++$orders;

    my ($answer) = $t->parallel($load->order('u', $key, $code));

    push @{$load->{answers}}, { user => 'u', key => $key, coupon => $code, test => '' } if $answer->status == 200;

    return $answer;
}


sub pending
{
    my ($order) = @_;

    return $t->cli_ok('order', 'show', $order->{key}, '--user', 'u') =~ /\bpending\b/;
}


sub in_background
{
    my ($key, $code, $test) = @_;
    my $pid = fork // die "fork: $!\n";

    return $pid if $pid;

    my ($answer) = $t->parallel($load->order('u', $key, $code, headers => { 'X-Test' => $test }));

    POSIX::_exit($answer->status == 200 ? 0 : 1);
}


sub finished
{
    my ($pid) = @_;

    waitpid $pid, 0;

    return $? == 0 ? 200 : 0;
}


sub fill
{
    my ($path) = @_;

    open my $file, '>', "$path/filler" or die "open: $!\n";

    for my $size (4096, 1) {
        1 while syswrite $file, 'x' x $size;
    }
}


sub release
{
    my $status = $?;

    for my $path (splice @mounts) {
        system('umount', $path) == 0 or system('umount', '-l', $path);
    }

    $? = $status;
}
