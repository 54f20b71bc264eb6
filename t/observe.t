#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Observe before enforce: everything is judged and written, nothing is refused; the switch keeps the state; a
# store that fails never answers 503.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new(shuffle => 1);
my $T0 = 1_800_000_000;

$t->clock($T0);
$t->keys;

$t->people(<<'CSV');
id,role,status,upline,user
A,guide,active,,u-a
B,guide,active,,u-b
CSV

$t->campaign(id => 'open', discount => { fixed => 100 });
$t->campaign(id => 'rich', discount => { fixed => 100 }, minimum_spend => 100000);
$t->campaign(id => 'one', discount => { fixed => 100 }, limits => { total => 1 });
$t->campaign(id => 'first', discount => { fixed => 100 }, limits => { user => 1 });
$t->campaign(id => 'off', discount => { fixed => 100 }, enabled => JSON::PP::false);
$t->campaign(id => 'over', discount => { fixed => 100 }, until => '2026-01-01T00:00:00Z');

my @free = $t->coupons('open', 40);
my %codes = map { $_ => [ $t->coupons($_, 5) ] } qw(rich one first off over);
my ($others) = $t->coupons('open', 1, '--holder', 'somebody');
my $forged = shift @free;
substr($forged, -1) = $forged =~ /Z$/ ? 'Y' : 'Z';

$t->storefront(8081);

sub configure
{
    my ($mode) = @_;

    return $t->http_conf(server(8080, $mode) . server(8082, 'enforce'));
}


sub server
{
    my ($port, $mode) = @_;

    return <<"EOC";
    server {
        listen          127.0.0.1:$port;
        commerce_shop   demo;
        commerce        $mode;
        commerce_guard  on;
        commerce_user   \$http_x_user verified;
        commerce_touch  share \$arg_st;
        commerce_mini_program scene=\$arg_scene;

        location / { proxy_pass http://127.0.0.1:8081; }

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons max=2;
            commerce_coupon_redeem on=paid deadline=16m;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /confirm { commerce_order_confirm id=\$arg_id; }
        location = /cancel { commerce_order_cancel id=\$arg_id; }
        location = /share { commerce_share; }
    }
EOC
}

configure('observe')->run;

my $n = 0;


# An order; the answer, and what the storefront was told.

sub order
{
    my ($buyer, %order) = @_;
    my %option = map { exists $order{$_} ? ($_ => delete $order{$_}) : () } qw(headers uri type port);
    my $raw = delete $order{raw};

    my $body = $raw // { client_key => 'k' . ++$n, coupons => [],
        items => [ { sku => 's1', count => 1, price => 1000 } ], %order };

    my $before = $t->received;
    my $answer = $t->post($option{uri} // '/api/orders', $body, %option,
        headers => { (defined $buyer ? ('X-User' => $buyer) : ()), %{$option{headers} || {}} });
    my @received = ($t->received)[$before .. $t->received - 1];

    return { status => $answer->status, code => $answer->code // '', key => ref $body ? $body->{client_key} : undef,
        answer => $answer, id => (eval { $answer->json->{data}{order_no} }), forwarded => scalar @received,
        told(@received ? $received[-1]{headers} : {}) };
}


sub told
{
    my ($headers) = @_;

    return map { $_ => $headers->{"x-commerce-$_"} // '' } qw(decision reason coupon degraded seller);
}


sub state_is
{
    my ($key, $buyer, $pattern, $name) = @_;

    ok($t->wait_for(sub { ($t->cli(qw(order show), $key, '--user', $buyer))[1] =~ /"state":\s*"$pattern"/ }), $name)
        or diag(($t->cli(qw(order show), $key, '--user', $buyer))[1]);
}


# what is legal is written

my $token = $t->token('A');
my $page = $t->get("/?st=$token", headers => { 'X-User' => 'b1' });
is($page->json->{headers}{'x-commerce-reason'}, 'BIND_NEW', 'a page binds');
is($page->json->{headers}{'x-commerce-decision'}, 'pass', 'and passes');

my $kept = shift @free;
my $first = order('b1', coupons => [ $kept ]);
is_deeply([ @$first{qw(status decision reason coupon seller)} ], [ 200, 'pass', 'ATTR_OK', $kept, 'A' ],
    'a legal order');
state_is($first->{key}, 'b1', 'placed', 'is written');
like($t->cli_ok(qw(coupon show), $kept), qr/reserved/, 'its coupon is reserved');

my $paid = order('b1', coupons => [ my $spent = shift @free ]);
state_is($paid->{key}, 'b1', 'placed', 'another one');
is($t->post("/confirm?id=$paid->{id}", '')->json->{state}, 'paid', 'is paid');
like($t->cli_ok(qw(coupon show), $spent), qr/redeemed/, 'its coupon is redeemed');

my $cancelled = order('b1', coupons => [ my $returned = shift @free ]);
state_is($cancelled->{key}, 'b1', 'placed', 'a third');
is($t->post("/cancel?id=$cancelled->{id}", '')->status, 200, 'is cancelled');
like($t->cli_ok(qw(coupon show), $returned), qr/issued|released|free/, 'its coupon is free again');

is(scalar $t->wait_events('bind', 1), 1, 'a bind event');
is(scalar $t->wait_events('coupon_reserve', 3), 3, 'three reservations');
is(scalar $t->wait_events('coupon_redeem', 1), 1, 'a redemption');
is(scalar $t->events('deny'), 0, 'and nothing to object to');

# what is not: it passes, with the reason for the backend and one line in the log

my $big = '{"client_key":"big","items":[],"padding":"' . 'x' x 70000 . '"}';
my $json = '{"client_key":"raw","items":[{"sku":"s1","count":1,"price":1000}]}';

is(order('b1', coupons => [ $codes{one}[0] ])->{decision}, 'pass', 'the first of one');
is(order('b1', coupons => [ $codes{first}[0] ])->{decision}, 'pass', 'the first of one each');

my @objections = (
    [ 'somebody else\'s coupon',  'b1', { coupons => [ $others ] }, 'COUPON_HOLDER_MISMATCH' ],
    [ 'a forged coupon',          'b1', { coupons => [ $forged ] }, 'COUPON_BAD_SIGNATURE' ],
    [ 'no coupon at all',         'b1', { coupons => [ 'XYZ' ] }, 'COUPON_MALFORMED' ],
    [ 'a reserved coupon',        'b2', { coupons => [ $kept ] }, 'COUPON_HELD_BY_OTHER_ORDER' ],
    [ 'a spent coupon',           'b2', { coupons => [ $spent ] }, 'COUPON_ALREADY_REDEEMED' ],
    [ 'a coupon by nobody',       undef, { coupons => [ $free[0] ] }, 'COUPON_CUSTOMER_REQUIRED' ],
    [ 'a coupon without a key',   'b1', { client_key => '', coupons => [ $free[0] ] }, 'COUPON_ORDER_REQUIRED' ],
    [ 'too small an order',       'b1', { coupons => [ $codes{rich}[0] ] }, 'COUPON_MIN_SPEND' ],
    [ 'a limit',                  'b2', { coupons => [ $codes{one}[1] ] }, 'COUPON_TOTAL_LIMIT' ],
    [ 'a limit of one\'s own',    'b1', { coupons => [ $codes{first}[1] ] }, 'COUPON_CUSTOMER_LIMIT' ],
    [ 'a disabled campaign',      'b1', { coupons => [ $codes{off}[0] ] }, 'COUPON_DISABLED' ],
    [ 'a campaign that is over',  'b1', { coupons => [ $codes{over}[0] ] }, 'COUPON_EXPIRED' ],
    [ 'the same coupon twice',    'b1', { coupons => [ ($free[0]) x 2 ] }, 'COUPON_DUPLICATE' ],
    [ 'three coupons',            'b1', { coupons => [ @free[0 .. 2] ] }, 'COUPON_STACK_LIMIT' ],
    [ 'another order\'s key',     'b1', { client_key => $first->{key}, items => [ { sku => 'x', count => 1,
      price => 5 } ] }, 'ORDER_KEY_REUSED' ],
    [ 'a malformed key',          'b1', { client_key => 'x' x 200 }, 'ORDER_KEY_MALFORMED' ],
    [ 'malformed lines',          'b1', { items => [ { sku => 's1', count => -1, price => 1 } ] },
      'ORDER_MALFORMED' ],
    [ 'a malformed body',         'b1', { raw => '{"client_key":' }, 'BODY_MALFORMED' ],
    [ 'a member twice',           'b1', { raw => '{"client_key":"a","client_key":"b","items":[]}' },
      'BODY_DUPLICATE_MEMBER' ],
    [ 'a form',                   'b1', { raw => 'client_key=a', type => 'application/x-www-form-urlencoded' },
      'BODY_TYPE' ],
    [ 'no type',                  'b1', { raw => $json, type => 'text/plain' }, 'BODY_TYPE' ],
    [ 'an encoded body',          'b1', { raw => $json, headers => { 'Content-Encoding' => 'gzip' } },
      'BODY_TYPE' ],
    [ 'too large a body',         'b1', { raw => $big }, 'BODY_TOO_LARGE' ],
    [ 'a method in disguise',     'b1', { uri => '/api/orders?_method=PUT' }, 'GUARD_REFUSED' ],
    [ 'a way around',             'b1', { uri => '/other/orders' }, 'GUARD_REFUSED' ],
);

my @expected;

for my $objection (@objections) {
    my ($name, $buyer, $order, $reason) = @$objection;
    my $told = order($buyer, %$order);

    is($told->{forwarded}, 1, "$name passes");
    isnt($told->{answer}->header('content-type') // '', 'application/problem+json', "$name is not refused");
    is_deeply([ @$told{qw(decision reason coupon)} ], [ 'would_deny', $reason, '' ], "$name: $reason");
    push @expected, $reason;
}

my @denied = $t->wait_events('deny', scalar @expected);

is_deeply([ sort map { $_->{reason} } @denied ], [ sort @expected ], 'one line in the log for each');
is_deeply([ grep { $_->{decision} ne 'would_deny' || $_->{shop} ne 'demo' } @denied ], [],
    'each would have been denied');

my %decided;
$decided{$_->{buyer} ? 'known' : 'unknown'}++ for grep { $_->{reason} eq 'ORDER_KEY_REUSED' } @denied;
is_deeply(\%decided, { known => 1 }, 'with the buyer');

# a request that could not be read binds as any other, or does not

for my $scene ('', 1129) {
    order("form$scene", raw => 'client_key=a', type => 'text/plain', uri => "/api/orders?st=$token&scene=$scene");
    is($t->get('/', headers => { 'X-User' => "form$scene" })->json->{headers}{'x-commerce-seller'},
        $scene ? undef : 'A', $scene ? 'an unreadable request of a crawler' : 'an unreadable request binds');
}

# what passed in spite of it changed nothing that was not its own

like($t->cli_ok(qw(coupon show), $_), qr/issued|free/, "$_ is untouched") for $free[0], $others, $codes{one}[1];
like($t->cli_ok(qw(coupon show), $kept), qr/\bb1\b.*\Q$first->{key}\E|\Q$first->{key}\E/s,
    'the reserved coupon is still the first order\'s');
like($t->cli_ok(qw(order show), $first->{key}, '--user', 'b1'), qr/s1/, 'the reused key still names its order');

my $mixed = order('b1', coupons => [ $forged, my $good = shift @free ]);
is_deeply([ @$mixed{qw(decision reason coupon)} ], [ 'would_deny', 'COUPON_BAD_SIGNATURE', $good ],
    'of two coupons the good one is honoured');
like($t->cli_ok(qw(coupon show), $good), qr/reserved/, 'and reserved');

# a coupon that nobody could have honoured does not keep the order from being followed

my $followed = order('b1', coupons => [ $forged ]);
state_is($followed->{key}, 'b1', 'placed', 'an order with a forged coupon is followed without it');

# two in flight

my $slow = { client_key => 'slow', items => [ { sku => 's1', count => 1, price => 1000 } ] };
my @answers = $t->parallel(map({ { method => 'POST', uri => '/api/orders', body => $slow,
    headers => { 'X-User' => 'b1', 'X-Test' => 'slow=0.5' } } } 1 .. 2));
is_deeply([ map { $_->status } @answers ], [ 200, 200 ], 'both pass');
ok($t->wait_for(sub { grep { $_->{reason} eq 'ORDER_IN_FLIGHT' } $t->events('deny') }), 'one with a line');

# the switch

configure('enforce');
ok($t->reload(wait => 1), 'enforce');

is($t->get('/', headers => { 'X-User' => 'b1' })->json->{headers}{'x-commerce-seller'}, 'A', 'the binding is kept');

my $refused = order('b2', coupons => [ $kept ]);
is_deeply([ @$refused{qw(status code forwarded)} ], [ 422, 'COUPON_NOT_USABLE', 0 ],
    'a coupon that was reserved before is refused');
is(order('b2', coupons => [ $spent ])->{status}, 422, 'one that was spent, too');
is(order('b2', coupons => [ $codes{one}[1] ])->{status}, 422, 'a limit that was reached, too');
is(order('b1', client_key => $first->{key})->{code}, 'ORDER_KEY_REUSED', 'a key of an order placed before');

my $again = order('b1', client_key => $first->{key}, coupons => [ $kept ]);
is_deeply([ @$again{qw(status decision coupon)} ], [ 200, 'pass', $kept ], 'its retry passes with its coupon');
is($t->post("/confirm?id=$first->{id}", '')->json->{state}, 'paid', 'it is paid');
like($t->cli_ok(qw(coupon show), $kept), qr/redeemed/, 'and its coupon redeemed');

is(order('b1', %{$_->[2]})->{forwarded}, 0, "$_->[0] is refused now")
    for grep { $_->[3] =~ /^(?:BODY|GUARD)/ } @objections;

my ($code, $out, $err) = $t->cli(qw(store check));
is($code, 0, 'store check') or diag "$out$err";

# a store that goes away: pages and orders go on, in observe mode also those with coupons

configure('observe');
ok($t->reload(wait => 1), 'observe again');
$t->expect_log(qr/\[crit\].*commerce/);

my $dir = $t->dir;
rename "$dir/store", "$dir/gone" or die "rename: $!";

# by his number, as soon as a worker has seen that nobody can tell his name
my $named = qr/^(?:A|#1)$/;

for my $round (1 .. 3) {
    for my $case ([ 'an order' ], [ 'an order with a coupon', coupons => [ $free[$round] ] ],
                  [ 'a forged coupon', coupons => [ $forged ] ])
    {
        my ($name, @order) = @$case;
        my $order = order('b3', @order, uri => "/api/orders?st=$token");

        is_deeply([ @$order{qw(status forwarded degraded coupon)} ], [ 200, 1, 'store', '' ],
            "$name, without a store");
        like($order->{seller}, $named, "$name: attributed by its token");
    }

    $page = $t->get("/?st=$token", headers => { 'X-User' => "new$round" });
    is($page->status, 200, 'a page, without a store');
    like($page->json->{headers}{'x-commerce-seller'}, $named, 'attributed by its token');
}

is(order('b3', port => 8082)->{status}, 200, 'enforced: a plain order passes');

my $unavailable = order('b3', port => 8082, coupons => [ $free[0] ]);
is_deeply([ @$unavailable{qw(status code forwarded)} ], [ 503, 'STORE_UNAVAILABLE', 0 ],
    'enforced: a coupon waits');
ok($unavailable->{answer}->header('retry-after'), 'for a time that is told');

$t->stop;
rename "$dir/gone", "$dir/store" or die "rename: $!";

# a store of other keys is as good as none

rename "$dir/keys.json", "$dir/own.json";
$t->cli_ok('keys', 'init');
configure('observe')->run;

is_deeply([ @{order('b4', @$_)}{qw(status forwarded degraded)} ], [ 200, 1, 'store' ],
    'a foreign store: ' . (@$_ ? 'with a coupon' : 'an order')) for [], [ coupons => [ $free[0] ] ];
is($t->get('/', headers => { 'X-User' => 'b1' })->status, 200, 'a foreign store: a page');

$t->stop;
rename "$dir/own.json", "$dir/keys.json";
$t->run;

my $back = order('b5', coupons => [ shift @free ]);
is_deeply([ @$back{qw(status decision degraded)} ], [ 200, 'pass', '' ], 'all is well again');

$t->done_testing;
