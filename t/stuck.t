#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# A process holds the store's writer lock and does not let go: stopped in the middle of a write, or a tool
# that hangs.  Money is refused within the deadline, pages go on, and afterwards everything is resolved.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;
use Test::NgxCommerce::Holder;
use Test::NgxCommerce::Load;
use Time::HiRes qw(sleep time);

my $t = Test::NgxCommerce->new;
my $holder = Test::NgxCommerce::Holder->new($t) or plan(skip_all => 'no compiler, or no LMDB to compile with');
my $deadline = 0.6;

my $load = Test::NgxCommerce::Load->new($t, coupons => 200);
my @codes = $load->codes;

$t->expect_log(qr/\[crit\].*commerce: (?:a batch is running|transactions wait) longer than the deadline/);

(my $conf = $t->expand("%%TEST_GLOBALS%%\nworker_processes 2;\nevents { worker_connections 4096; }\n"
    . "http {\n%%TEST_GLOBALS_HTTP%%\n%%COMMERCE%%\n" . $load->server(8080) . "}\n"))
    =~ s/(commerce_store [^;]*)/$1 deadline=600ms/;

$t->conf($conf)->run;

# every worker has met the store

ok($t->wait_for(sub {
    my %pids = map { ($_->header('x-pid') // '') => 1 } $t->parallel(map { $load->page("p$_") } 1 .. 8);
    return !grep { !$pids{$_} } $t->workers;
}), 'two workers serve');

# held: the first orders are in a batch that hangs, those after them wait, later ones do not even that

my ($lock, $held) = hold();
my $started = time;
my @first = $t->parallel(map { $load->order("u$_", 'first', $codes[$_]) } 0 .. 11);
my $took = time - $started;

is(scalar(grep { $_->status == 503 && $_->header('retry-after') } @first), 12, 'orders with coupons are refused: 503')
    or diag join ' ', map { $_->status . ' ' . ($_->code // '') } @first;
cmp_ok($took, '<', $deadline + 5, sprintf 'soon after the deadline (%.1f s)', $took);

my @unknown = grep { ($first[$_]->code // '') eq 'STORE_UNKNOWN' } 0 .. 11;
my @definite = grep { ($first[$_]->code // '') eq 'STORE_UNAVAILABLE' } 0 .. 11;

cmp_ok(scalar @unknown, '>=', 1, 'what was in a batch is unknown (' . @unknown . ')');
is(@unknown + @definite, 12, 'what waited was not applied (' . @definite . ')');

# keep both workers' batches overdue (one of them may have taken all that came so far): then nobody waits

my %overdue;

ok($t->wait_for(sub {
    my @answers = $t->parallel(map { $load->order('v', "warm-$_", $codes[20]) } 1 .. 12);
    $overdue{$_->header('x-pid')} = 1 for grep { $_->status == 503 } @answers;
    return !grep { !$overdue{$_} } $t->workers;
}, 20), 'each worker has a batch that hangs');

$started = time;
my @shed = $t->parallel(map { $load->order("u$_", 'shed', $codes[20 + $_]) } 0 .. 7);
$took = time - $started;

is(scalar(grep { $_->status == 503 && $_->code eq 'STORE_UNAVAILABLE' } @shed), 8, 'later orders are shed')
    or diag join ' ', map { $_->status . ' ' . ($_->code // '') } @shed;
cmp_ok($took, '<', 5, sprintf 'at once (%.2f s)', $took);

$started = time;
my @pages = $t->parallel(map { $load->page("p$_") } 1 .. 8);
$took = time - $started;

is(scalar(grep { $_->status == 200 } @pages), 8, 'pages go on');
cmp_ok($took, '<', 5, sprintf 'without waiting (%.2f s)', $took);

my $plain = ($t->parallel($load->order('plain', 'plain', undef)))[0];
is($plain->status, 200, 'an order without coupons goes on') or diag $plain->body;

cmp_ok($load->status->{store}{shed}, '>=', 8, 'the status counts what was shed');
is(scalar(grep { $_->{path} eq '/api/orders' } $t->received), 1, 'the storefront saw no other order');

# let go: what the batch held is applied, and since nobody forwarded it, let go of

release($lock, $held);

ok($load->settled, 'the batches are through');

my $states = $load->states;
is(scalar(grep { $states->{$codes[$_]}{state} eq 'issued' } 0 .. 30), 31, 'no coupon is held by an order nobody forwarded')
    or diag map { "$_: $states->{$_}{state} $states->{$_}{order}\n" } grep { $states->{$_}{state} ne 'issued' } keys %$states;

my %reserved = map { $_->{serial} => 1 } $load->events('coupon_reserve');
my %released = map { $_->{serial} => 1 } $load->events('coupon_release');
cmp_ok(scalar keys %reserved, '>=', 1, 'a reservation became durable after its answer (' . keys(%reserved) . ')');
is_deeply(\%released, \%reserved, 'and was released');

my @retry = $t->parallel(map { $load->order("u$_", 'first', $codes[$_]) } 0 .. 11);
is(scalar(grep { $_->status == 200 } @retry), 12, 'the same keys work')
    or diag join ' ', map { $_->status . ' ' . ($_->code // '') } @retry;

# an order without coupons that goes on while its batch hangs: the storefront has it, it did not fail

# (if the step of an earlier order was in that batch, it had to wait: then once more)

my $key = 'plain-';
my $reason = '';

for (2 .. 9) {
    $key = "plain-$_";

    ($lock, $held) = hold();
    $plain = ($t->parallel($load->order('plain', $key, undef)))[0];
    release($lock, $held);

    $load->settled;
    $reason = ($t->received)[-1]{headers}{'x-commerce-reason'};
    last if $reason eq 'STORE_UNKNOWN';
}

is($plain->status, 200, 'an order without coupons goes on from a batch') or diag $plain->body;
is($reason, 'STORE_UNKNOWN', 'the storefront is told why');
is(scalar(grep { $_->{state} eq 'failed' && $_->{order_key} eq $key } $load->events('order')), 0,
   'the order is not told to have failed');
$t->advance(100);
is(($t->parallel($load->order('plain', $key, undef)))[0]->status, 200, 'the same key');
ok($load->settled, 'nothing is in doubt');

# a try that fails does not let go of what a later try of the same order has taken to the storefront

my $slow = in_background('twice', $codes[45], 'status404,slow=1');
ok($t->wait_for(sub { grep { $_->{body} =~ /"twice"/ } $t->received }), 'a first try is with the storefront');
$t->advance(100);
my $second = in_background('twice', $codes[45], 'slow=2');
is(finished($slow), 404, 'the first try fails');
ok($t->wait_for(sub { $load->status->{store}{in_flight} == 0 }), 'that is written');
is(($t->parallel($load->order('other', 'other', $codes[45])))[0]->status, 422, 'the coupon is not free');
is(finished($second), 200, 'the second try succeeds');

# the holder is killed instead

($lock, $held) = hold();
my $one = in_background('killed', $codes[40]);
sleep 0.2;
kill KILL => $held;
release($lock, $held);
is(finished($one), 200, 'when the holder dies an order within the deadline goes through');

# a client that left does not keep its coupon

($lock, $held) = hold();
$t->parallel(map { $load->order('gone', "gone-$_", $codes[50 + $_], timeout => 0.2) } 0 .. 3);
release($lock, $held);
ok($load->settled, 'the batches are through');
$states = $load->states;
is(scalar(grep { $states->{$codes[$_]}{state} eq 'issued' } 50 .. 53), 4, 'orders whose clients left are let go');

# workers that are stopped at any moment, under load

splice @{$load->{fresh}}, 0, 60;
$load->start(clients => 8, seconds => 5);

while ($load->running) {
    my $worker = $load->status->{pid} or next;        # one that takes requests now

    kill STOP => $worker;
    sleep 0.3 + rand 0.6;
    kill CONT => $worker;
    sleep 0.2;
}

$load->finish;

my ($slowest) = sort { $b->{took} <=> $a->{took} } $load->answers;
note(sprintf 'the slowest answer took %.1f s: whether a client meets a stopped worker is chance', $slowest->{took});
cmp_ok($slowest->{took}, '<', 10, 'none waited for ever');
is(scalar(grep { !$_->{complete} } $load->answers), 0, 'all were answered');
$load->check('stopped workers');

$t->done_testing;


sub hold    { return $holder->hold }
sub release { return $holder->release(@_) }


sub in_background
{
    my ($key, $code, $test) = @_;
    my $pid = fork // die "fork: $!\n";

    return $pid if $pid;

    my ($answer) = $t->parallel($load->order('u', $key, $code, headers => { 'X-Test' => $test // '' }));

    POSIX::_exit($answer->status - 200);
}


sub finished
{
    my ($pid) = @_;

    waitpid $pid, 0;

    return 200 + ($? >> 8);
}
