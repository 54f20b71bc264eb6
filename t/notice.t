#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# What comes after the order: confirm and cancel calls in any order and at any time, deadlines to the second,
# orders that nobody answers for.

use strict;
use warnings;

use lib 't/lib';
use POSIX ();
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new;
my $T0 = 1_800_000_000;

$t->clock($T0);
$t->keys;
$t->campaign(id => 'c', discount => { fixed => 1000 });
$t->campaign(id => 'once', discount => { fixed => 1000 }, limits => { total => 1 });

# another day's: it ends before the deadline of an order placed in its last minute

$t->campaign(id => 'short', discount => { fixed => 1000 }, until => '2027-01-16T08:01:00Z');

my @coupons = $t->coupons('c', 60);
my @once = $t->coupons('once', 2);
my @short = $t->coupons('short', 2);

$t->storefront(8081, '--verdict-keys', $t->write_file('verdict.keys', $t->cli_ok(qw(keys export verdict))));

my $server = sub {
    my ($port, $redeem) = @_;

    return <<"EOC";
    server {
        listen          127.0.0.1:$port;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   \$session_user verified;

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payable=response:/data/pay_amount;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons;
            commerce_coupon_redeem on=paid deadline=16m $redeem;
            proxy_read_timeout 500ms;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /confirm { commerce_order_confirm id=\$arg_id; }
        location = /cancel { commerce_order_cancel id=\$arg_id; }
        location = /confirm-key { commerce_order_confirm key=\$arg_key user=\$arg_user; }
        location = /cancel-key { commerce_order_cancel key=\$arg_key user=\$arg_user; }
        location = /notify { commerce_order_confirm id=json:/order_no; }
        location = /status { commerce_status; }
    }
EOC
};

# 8080: the defaults, 8082: in_doubt=release, 8083: unpaid=hold, 8084: a patient gateway

$t->conf(<<'EOC' . $server->(8080, '') . $server->(8082, 'in_doubt=release') . $server->(8083, 'unpaid=hold')
%%TEST_GLOBALS%%

worker_processes 2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    commerce_store      lmdb:%%DIR%%/store map=1g sweep=100ms;
    commerce_keys       %%DIR%%/keys.json;
    commerce_event_log  %%DIR%%/events.jsonl flush=100ms;
    commerce_clock      %%DIR%%/clock;

    map $http_authorization $session_user {
        "~^Bearer user-(?<session_name>.+)$"  $session_name;
    }

EOC
    . $server->(8084, '') =~ s/500ms/20s/r . "}\n")->run;

my $n = 0;

sub order
{
    my ($key, $coupon, %o) = @_;

    return $t->post('/api/orders', {
        client_key => $key, coupons => $coupon ? [ $coupon ] : [],
        items => [ { sku => 's1', count => 1, price => $o{price} // 9900 } ],
    }, user => $o{user} // 'anna', port => $o{port} // 8080, timeout => 30,
       headers => $o{test} ? { 'X-Test' => $o{test} } : {});
}

sub coupon
{
    my ($code, $what) = @_;

    return $t->cli_ok('coupon', 'show', $code) =~ /^$what\s+(\S+)/m ? $1 : undef;
}

sub shown
{
    my ($key, $user) = @_;
    my ($code, $out) = $t->cli('order', 'show', $key, '--user', $user // 'anna');

    return $code ? {} : Test::NgxCommerce::json()->decode($out);
}

sub becomes
{
    my ($key, $state, $name) = @_;
    my $seen;

    $t->wait_for(sub { ($seen = shown($key)->{state} // 'none') eq $state });
    is($seen, $state, "$name: order is $state");
}

sub coupon_becomes
{
    my ($code, $state, $name) = @_;
    my $seen;

    $t->wait_for(sub { ($seen = coupon($code, 'state')) eq $state });
    is($seen, $state, "$name: coupon is $state");
}

sub notice
{
    my ($uri, $status, $want, $name) = @_;
    my $answer = $t->post($uri, '');

    is($answer->status, $status, "$name: $status") or diag $answer->body;
    is_deeply($answer->json, $want, "$name: answer") or diag $answer->body;
}

sub in_doubt
{
    my ($want, $name) = @_;

    is($t->get('/status')->json->{shops}{demo}{in_doubt}, $want, "$name: $want in doubt");
}

# a placed order: key, coupon and id

sub placed
{
    my ($name, %o) = @_;
    my $coupon = $o{coupon} // shift @coupons;
    my $key = 'k' . ++$n;
    my $answer = order($key, $coupon, %o);

    is($answer->status, 200, "$name: ordered") or diag $answer->body;
    becomes($key, 'placed', $name);

    return ($key, $coupon, $answer->json->{data}{order_no});
}

# an order that the backend has, and nobody knows it

sub unknown
{
    my ($name, %o) = @_;
    my $coupon = $o{coupon} // shift @coupons;
    my $key = 'k' . ++$n;

    is(order($key, $coupon, test => 'hang', %o)->status, 504, "$name: no answer");
    becomes($key, 'unknown', $name);

    return ($key, $coupon);
}

# sends the order, runs the code once the backend has it, returns what the client got

sub meanwhile
{
    my ($key, $coupon, $code, %o) = @_;
    my $file = $t->dir . "/meanwhile.$key";
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        my $answer = order($key, $coupon, port => 8084, %o);

        $t->write_file($file, $answer->status . ' ' . $answer->body);
        POSIX::_exit(0);
    }

    ok($t->wait_for(sub { grep { $_->{body} =~ /"client_key":"$key"/ } $t->received }), "$key: the backend has it");
    $code->();
    waitpid $pid, 0;

    return split / /, $t->read_file($file), 2;
}

# the sweep has been there since the clock was set: this order of another minute is its witness

sub swept
{
    my ($key) = @_;

    ok($t->wait_for(sub { (shown($key)->{coupons} || [ {} ])->[0]{use} eq 'released' }), 'the sweep was there');
}

# a worker that was killed may have written an event and not yet taken it out of the outbox: same id, told once

sub steps
{
    my ($key) = @_;
    my %seen;

    return [ map { join ' ', grep { defined } $_->{type}, @$_{qw(state reason)} }
             grep { !$seen{$_->{id}}++ }
             grep { ($_->{order_key} // '') eq $key && $_->{type} =~ /^(?:order|paid|coupon_\w+)$/ } $t->events ];
}

sub told
{
    my ($key, $want, $name) = @_;

    $t->wait_for(sub { @{(eval { steps($key) } || [])} >= @$want });
    is_deeply(steps($key), $want, "$name: events") or diag explain steps($key);
}


# confirm, again, cancel, again, and too late

my ($key, $coupon, $id) = placed('by id');

notice("/confirm?id=$id", 200, { order => $key, state => 'paid', reason => 'OK' }, 'confirm');
is(coupon($coupon, 'state'), 'redeemed', 'confirm: coupon is redeemed');
notice("/confirm?id=$id", 200, { order => $key, state => 'paid', reason => 'ORDER_REPLAY' }, 'confirm again');
notice("/cancel?id=$id", 200, { order => $key, state => 'cancelled', reason => 'OK' }, 'cancel after that');
is(coupon($coupon, 'state'), 'issued', 'cancel after that: coupon is free');
is(coupon($coupon, 'cycles'), 1, 'cancel after that: rolled back');
notice("/cancel?id=$id", 200, { order => $key, state => 'cancelled', reason => 'ORDER_REPLAY' }, 'cancel again');

for my $answer (map { $t->post("/confirm?id=$id", '') } 1, 2) {
    is($answer->status, 409, 'confirm after cancel: refused');
    like($answer->body, qr/"ORDER_CLOSED"/, 'confirm after cancel: code');
}

is(coupon($coupon, 'state'), 'issued', 'confirm after cancel: coupon stays free');
told($key, [ 'coupon_reserve', 'order placed', 'coupon_redeem', 'paid paid', 'coupon_rollback', 'order cancelled' ],
     'by id');
is(order($key, $coupon)->status, 200, 'a retry of a cancelled order is forwarded');
is(coupon($coupon, 'state'), 'issued', '... without the coupon');


# by our key, within its user

($key, $coupon, $id) = placed('by key');

for ([ "/confirm-key?key=$key", 'a key without its user' ],
     [ "/confirm-key?key=$key&user=bert", "another user's key" ],
     [ '/cancel-key?key=none&user=anna', 'an unknown key' ])
{
    my $answer = $t->post($_->[0], '');

    is($answer->status . ' ' . $answer->code, '404 ORDER_NOT_FOUND', "$_->[1] is no order, and is not parked");
}

is(coupon($coupon, 'state'), 'reserved', 'not his: nothing happened');
notice("/confirm-key?key=$key&user=anna", 200, { order => $key, state => 'paid', reason => 'OK' }, 'confirm by key');
is(coupon($coupon, 'state'), 'redeemed', 'confirm by key: coupon is redeemed');

($key, $coupon, $id) = placed('cancel by key');
notice("/cancel-key?key=$key&user=anna", 200, { order => $key, state => 'cancelled', reason => 'OK' }, 'cancel by key');
is(coupon($coupon, 'state'), 'issued', 'cancel by key: coupon is free');
told($key, [ 'coupon_reserve', 'order placed', 'coupon_release', 'order cancelled' ], 'cancel by key');

($key, $coupon, $id) = placed('id in the body');
my $answer = $t->post('/notify', { order_no => $id });
is($answer->json->{state}, 'paid', 'id in the body') or diag $answer->body;

for my $case ([ '/confirm', '' ], [ '/confirm?id=', '' ], [ '/confirm?id=' . 'x' x 200, '' ],
              [ '/confirm-key?user=anna', '' ], [ '/notify', '{}' ], [ '/notify', '{"order_no":{}}' ], [ '/notify', '' ])
{
    $answer = $t->post(@$case);
    is($answer->status, 422, "nothing to find an order by: $case->[0] $case->[1]") or diag $answer->body;
}

($key, $coupon, $id) = placed('by GET');
$answer = $t->get("/confirm?id=$id");
is($answer->status, 405, 'a confirmation is no GET');
is($answer->code, 'METHOD_NOT_ALLOWED', '... and says so');
is($answer->header('Allow'), 'POST', '... and what it is');
is(shown($key)->{state}, 'placed', '... and does nothing');


# a notice before its order

sub next_id { return 'N' . ($_[0] =~ /(\d+)/ ? $1 + 1 : die) }

my $parked = { reason => 'ORDER_UNKNOWN' };
my $next = next_id($id);

notice("/confirm?id=$next", 202, $parked, 'parked');
notice("/confirm?id=$next", 202, $parked, 'parked again');

$key = 'k' . ++$n;
$coupon = shift @coupons;
is(order($key, $coupon)->json->{data}{order_no}, $next, 'parked: its order comes');
becomes($key, 'paid', 'parked');
is(coupon($coupon, 'state'), 'redeemed', 'parked: coupon is redeemed');
told($key, [ 'coupon_reserve', 'order placed', 'coupon_redeem', 'paid paid' ], 'parked');
notice("/confirm?id=$next", 200, { order => $key, state => 'paid', reason => 'ORDER_REPLAY' }, 'parked: and once more');

for my $case ([ 'cancel' ], [ 'confirm', 'cancel' ], [ 'cancel', 'confirm' ]) {
    my $name = "parked " . join ' and ', @$case;

    $next = next_id($next);
    notice("/$_?id=$next", 202, $parked, "$name: $_") for @$case;

    $key = 'k' . ++$n;
    $coupon = shift @coupons;
    is(order($key, $coupon)->json->{data}{order_no}, $next, "$name: its order comes");
    becomes($key, 'cancelled', $name);
    is(coupon($coupon, 'state'), 'issued', "$name: coupon is free");
    told($key, [ 'coupon_reserve', 'order placed', 'coupon_release', 'order cancelled',
                 grep({ $_ eq 'confirm' } @$case) ? 'paid cancelled ORDER_CLOSED' : () ], $name);
    is(!!shown($key)->{paid}, !!grep({ $_ eq 'confirm' } @$case), "$name: the money is not forgotten");
}


# a notice while the backend is at it

$key = 'k' . ++$n;
$coupon = shift @coupons;

my ($status, $body) = meanwhile($key, $coupon, sub {
    notice("/confirm-key?key=$key&user=anna", 200, { order => $key, state => 'paid', reason => 'OK' },
           'confirm before the answer');
    is(coupon($coupon, 'state'), 'redeemed', 'confirm before the answer: coupon is redeemed');
}, test => 'slow=1');

is($status, 200, 'confirm before the answer: the client has its answer');
($id) = $body =~ /"order_no":"(\w+)"/;
ok($t->wait_for(sub { ($t->cli('order', 'show', '--id', $id))[0] == 0 }),
   'confirm before the answer: its id is taken over');
is(shown($key)->{payable}, 8900, 'confirm before the answer: and its amount');
is(shown($key)->{state}, 'paid', 'confirm before the answer: paid it stays');

$key = 'k' . ++$n;
$coupon = shift @coupons;
$next = next_id($id);

($status, $body) = meanwhile($key, $coupon, sub {
    notice("/confirm?id=$next", 202, $parked, 'confirm by id before the answer');
    is(shown($key)->{state}, 'pending', 'confirm by id before the answer: nothing yet');
}, test => 'slow=1');

becomes($key, 'paid', 'confirm by id before the answer');
is(coupon($coupon, 'state'), 'redeemed', 'confirm by id before the answer: coupon is redeemed');

$key = 'k' . ++$n;
$coupon = shift @coupons;

($status, $body) = meanwhile($key, $coupon, sub {
    notice("/cancel-key?key=$key&user=anna", 200, { order => $key, state => 'cancelled', reason => 'OK' },
           'cancel before the answer');
}, test => 'slow=0.5');

is($status, 200, 'cancel before the answer: the client has its answer');
($id) = $body =~ /"order_no":"(\w+)"/;
ok($t->wait_for(sub { ($t->cli('order', 'show', '--id', $id))[0] == 0 }),
   'cancel before the answer: its id is taken over');
is(shown($key)->{state}, 'cancelled', 'cancel before the answer: cancelled it stays');
is(coupon($coupon, 'state'), 'issued', 'cancel before the answer: coupon is free');

$key = 'k' . ++$n;
$coupon = shift @coupons;

($status, $body) = meanwhile($key, $coupon, sub {
    notice("/confirm-key?key=$key&user=anna", 200, { order => $key, state => 'paid', reason => 'OK' },
           'confirm, then no answer');
}, test => 'hang', port => 8080);

is($status, 504, 'confirm, then no answer: a time-out');
in_doubt(0, 'confirm, then no answer');
is(shown($key)->{state}, 'paid', 'confirm, then no answer: paid it stays');

$key = 'k' . ++$n;
$coupon = shift @coupons;

($status, $body) = meanwhile($key, $coupon, sub {
    notice("/confirm-key?key=$key&user=anna", 200, { order => $key, state => 'paid', reason => 'OK' },
           'confirm, then a refusal');
}, test => 'slow=0.5,code4001');

is($status, 200, 'confirm, then a refusal: the client has it');
$t->wait_for(sub { $t->get('/status')->json->{store}{in_flight} == 0 });
is(shown($key)->{state}, 'paid', 'confirm, then a refusal: paid it stays');
is(coupon($coupon, 'state'), 'redeemed', 'confirm, then a refusal: nothing is released');


# a notice settles what is in doubt

($key, $coupon) = unknown('in doubt');
in_doubt(1, 'in doubt');
notice("/confirm-key?key=$key&user=anna", 200, { order => $key, state => 'paid', reason => 'OK' }, 'in doubt: confirm');
is(coupon($coupon, 'state'), 'redeemed', 'in doubt: confirmed: coupon is redeemed');
in_doubt(0, 'in doubt: confirmed');
told($key, [ 'coupon_reserve', 'order unknown COUPON_UNKNOWN_RESULT', 'coupon_redeem', 'paid paid' ], 'in doubt');

($key, $coupon) = unknown('in doubt, 2');
notice("/cancel-key?key=$key&user=anna", 200, { order => $key, state => 'cancelled', reason => 'OK' },
       'in doubt: cancel');
is(coupon($coupon, 'state'), 'issued', 'in doubt: cancelled: coupon is free');
in_doubt(0, 'in doubt: cancelled');

($key, $coupon) = unknown('in doubt, 3');
($id) = ($t->received)[-1]{answer} =~ /"order_no":"(\w+)"/;
notice("/confirm?id=$id", 202, $parked, 'in doubt: confirm by an id that only the backend knows');
in_doubt(1, 'in doubt: parked');
is(order($key, $coupon)->json->{data}{order_no}, $id, 'in doubt: the retry names it');
becomes($key, 'paid', 'in doubt: joined');
is(coupon($coupon, 'state'), 'redeemed', 'in doubt: joined: coupon is redeemed');
in_doubt(0, 'in doubt: joined');


# the deadline of 16 minutes, to the second

my $T1 = $T0 + 86400;

$t->clock($T1 - 1);
my ($witness) = placed('a second earlier');
$t->clock($T1);
($key, $coupon, $id) = placed('deadline');
my ($held, $held_coupon) = placed('unpaid=hold', port => 8083);
my ($paid, $paid_coupon, $paid_id) = placed('paid in time');
my ($free, $free_coupon, $free_id) = placed('paid late');
my ($lost, $lost_coupon, $lost_id) = placed('paid too late');
my ($budget, undef, $budget_id) = placed('paid over the limit', coupon => $once[0]);
my ($short, undef, $short_id) = placed('paid after the window', coupon => $short[0]);
my ($doubt, $doubt_coupon) = unknown('in_doubt=hold');
my ($let, $let_coupon) = unknown('in_doubt=release', port => 8082);
my ($again, $again_coupon) = unknown('in_doubt=release, and again', port => 8082);

notice("/confirm?id=$paid_id", 200, { order => $paid, state => 'paid', reason => 'OK' }, 'paid in time');

$t->clock($T1 + 959);
swept($witness);
is(coupon($coupon, 'state'), 'reserved', 'a second before the deadline: reserved');
is(coupon($let_coupon, 'state'), 'reserved', 'a second before the deadline, in doubt: reserved');
is(order("other-$key", $coupon)->status, 422, '... for this order');

$t->clock($T1 + 960);
coupon_becomes($coupon, 'issued', 'at the deadline');
coupon_becomes($let_coupon, 'issued', 'at the deadline, in_doubt=release');
coupon_becomes($again_coupon, 'issued', 'at the deadline, in_doubt=release');
coupon_becomes($_, 'issued', 'at the deadline') for $free_coupon, $lost_coupon, $once[0], $short[0];

told($key, [ 'coupon_reserve', 'order placed', 'coupon_release ORDER_DEADLINE', 'order placed ORDER_DEADLINE' ],
     'deadline');
my ($release) = grep { $_->{order_key} eq $key } $t->events('coupon_release');
is(int($release->{ts} / 1_000_000), $T1 + 960, 'deadline: not before its time');
is(shown($key)->{state}, 'placed', 'deadline: the order itself stands');
is(coupon($held_coupon, 'state'), 'reserved', 'unpaid=hold: reserved');
is(coupon($paid_coupon, 'state'), 'redeemed', 'paid in time: redeemed');
is(coupon($doubt_coupon, 'state'), 'reserved', 'in_doubt=hold: reserved');
is(shown($let)->{state}, 'unknown', 'in_doubt=release: the order is as unknown as before');
in_doubt(3, 'after the deadline');

my $list = $t->cli_ok(qw(order list --in-doubt));
like($list, qr/^$_\tanna\t-\t\S+\tunknown\t/m, "$_ is listed") for $doubt, $let, $again;
is(scalar(() = $list =~ /\n/g), 3, 'and nothing else');

# the held one waits until somebody says what it is

$t->clock($T1 + 86400);
($witness) = placed('a day later');
$t->advance(960);
swept($witness);
is(coupon($doubt_coupon, 'state'), 'reserved', 'in_doubt=hold: a day later: reserved');
is(coupon($held_coupon, 'state'), 'reserved', 'unpaid=hold: a day later: reserved');
is(order("other-$doubt", $doubt_coupon)->status, 409, 'in_doubt=hold: for this order');
notice("/confirm-key?key=$doubt&user=anna", 200, { order => $doubt, state => 'paid', reason => 'OK' }, 'in_doubt=hold');
is(coupon($doubt_coupon, 'state'), 'redeemed', 'in_doubt=hold: redeemed');
in_doubt(2, 'in_doubt=hold: confirmed');

# the released ones

notice("/confirm-key?key=$let&user=anna", 200, { order => $let, state => 'paid', reason => 'OK' }, 'in_doubt=release');
is(coupon($let_coupon, 'state'), 'redeemed', 'in_doubt=release: taken again');
told($let, [ 'coupon_reserve', 'order unknown COUPON_UNKNOWN_RESULT', 'coupon_release ORDER_DEADLINE',
             'order unknown ORDER_DEADLINE', 'coupon_redeem', 'paid paid' ], 'in_doubt=release');
in_doubt(1, 'in_doubt=release: confirmed');

$answer = order($again, $again_coupon, port => 8082);
is($answer->status, 200, 'in_doubt=release, retry: passes');
is($answer->json->{data}{pay_amount}, 8900, 'in_doubt=release, retry: with the discount') or diag $answer->body;
becomes($again, 'placed', 'in_doubt=release, retry');
is(coupon($again_coupon, 'state'), 'reserved', 'in_doubt=release, retry: reserved anew');
in_doubt(0, 'in_doubt=release, retry');


# a payment after the release

notice("/confirm?id=$free_id", 200, { order => $free, state => 'paid', reason => 'OK' }, 'paid late');
is(coupon($free_coupon, 'state'), 'redeemed', 'paid late: the coupon was free and is taken again');
told($free, [ 'coupon_reserve', 'order placed', 'coupon_release ORDER_DEADLINE', 'order placed ORDER_DEADLINE',
              'coupon_redeem', 'paid paid' ], 'paid late');

is(order('rival', $lost_coupon, user => 'bert')->status, 200, 'paid too late: another order has the coupon');
notice("/confirm?id=$lost_id", 200, { order => $lost, state => 'paid', reason => 'COUPON_RESERVATION_LOST' },
       'paid too late');
is(coupon($lost_coupon, 'order'), 'rival', 'paid too late: the coupon stays with the other');
is(scalar($t->log_lines(qr/\[error\].*a paid order's coupon had been released and is taken: order key "$lost"/)), 1,
   'paid too late: an error in the log');
told($lost, [ 'coupon_reserve', 'order placed', 'coupon_release ORDER_DEADLINE', 'order placed ORDER_DEADLINE',
              'paid paid COUPON_RESERVATION_LOST' ], 'paid too late');
is(shown($lost)->{coupons}[0]{use}, 'lost', 'paid too late: the order tells');
notice("/confirm?id=$lost_id", 200, { order => $lost, state => 'paid', reason => 'ORDER_REPLAY' },
       'paid too late, again');
is(scalar($t->log_lines(qr/order key "$lost"/)), 1, 'paid too late, again: no second error');

is(order('last', $once[1], user => 'bert')->status, 200, 'paid over the limit: another order has the last use');
notice("/confirm?id=$budget_id", 200, { order => $budget, state => 'paid', reason => 'OK' }, 'paid over the limit');
is(coupon($once[0], 'state'), 'redeemed', 'paid over the limit: the coupon is taken again');
told($budget, [ 'coupon_reserve', 'order placed', 'coupon_release ORDER_DEADLINE', 'order placed ORDER_DEADLINE',
                'coupon_redeem BUDGET_EXCEEDED_BY_NOTICE', 'paid paid' ], 'paid over the limit');

is(order('late', $short[1])->code, 'COUPON_NOT_USABLE', 'paid after the window: no order gets such a coupon');
notice("/confirm?id=$short_id", 200, { order => $short, state => 'paid', reason => 'OK' }, 'paid after the window');
is(coupon($short[0], 'state'), 'redeemed', 'paid after the window: the coupon is taken again');
told($short, [ 'coupon_reserve', 'order placed', 'coupon_release ORDER_DEADLINE', 'order placed ORDER_DEADLINE',
               'coupon_redeem COUPON_EXPIRED', 'paid paid' ], 'paid after the window');


# nobody is left to answer for an order

my $T2 = $T1 + 5 * 86400;

$t->clock($T2);
$t->expect_log(qr/\[alert\].*worker process \d+ exited on signal 9/);

$key = 'k' . ++$n;
$coupon = shift @coupons;

($status) = meanwhile($key, $coupon, sub {
    $t->kill_worker('KILL', $_) for $t->workers;
}, test => 'hang');

is($status, 0, 'workers killed: the client is alone');
is(shown($key)->{state}, 'pending', 'workers killed: the order is in flight');
in_doubt(0, 'workers killed');

$t->clock($T2 + 74);
is(order($key, $coupon)->code, 'ORDER_IN_FLIGHT', 'a second before it ends: in flight');
$t->clock($T2 + 75);
becomes($key, 'unknown', 'in-flight time is over');
in_doubt(1, 'in-flight time is over');
is(coupon($coupon, 'state'), 'reserved', 'in-flight time is over: coupon is kept');
told($key, [ 'coupon_reserve', 'order unknown COUPON_UNKNOWN_RESULT' ], 'in-flight time is over');

is(order($key, $coupon)->json->{data}{pay_amount}, 8900, 'in-flight time is over: the same key passes');
becomes($key, 'placed', 'in-flight time is over: then');
in_doubt(0, 'in-flight time is over: then');

# slower than its in-flight time, but not dead

$key = 'k' . ++$n;
$coupon = shift @coupons;

($status, $body) = meanwhile($key, $coupon, sub {
    $t->advance(75);
    becomes($key, 'unknown', 'slower than its in-flight time');
    in_doubt(1, 'slower than its in-flight time');
}, test => 'slow=1.5');

is($status, 200, 'slower than its in-flight time: answered at last');
becomes($key, 'placed', 'slower than its in-flight time: then');
in_doubt(0, 'slower than its in-flight time: then');


ok($t->wait_for(sub { my $store = $t->get('/status')->json->{store};
                      $store->{in_flight} == 0 && $store->{outbox} == 0 }), 'all is written');

my ($rc, $out, $err) = $t->cli(qw(store check));
is($rc, 0, 'store check') or diag "$out$err";

$t->done_testing;
