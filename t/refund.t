#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Refunds.  100 random histories, each arriving in several ways (shuffled, repeated, before the payment, all at
# once), end in the same ledger to the fen: folded from the event log by a small ledger of this test's own,
# computed from the facts by this test's own rule, and as the store has it.  Then single cases: what is refused,
# which coupons come back, and what is not lost when everything comes at once.

use strict;
use warnings;

use List::Util qw(shuffle sum0);

use lib 't/lib';
use Test::More;
use Test::NgxCommerce qw(json);
use Test::NgxCommerce::Schema qw(invalid);

my $seed = $ENV{TEST_SEED} || 20261126;
srand $seed;

my $t = Test::NgxCommerce->new;
my $T0 = 1_800_000_000;

$t->clock($T0);
$t->keys;
$t->people("id,role,status,upline,user\nrosa,guide,active,,u-rosa\nanna,koc,active,rosa,u-anna\nbert,koc,active,,u-bert\n");

# whose coupon admits a line gets the line

$t->campaign(id => 'anna', discount => { percent => 15 }, skus => [ 'a1', 'a2' ], promoter => 'anna');
$t->campaign(id => 'bert', discount => { fixed => 333 }, skus => [ 'b1', 'b2' ], promoter => 'bert');
$t->campaign(id => 'c', discount => { fixed => 1000 });
$t->campaign(id => 'end', discount => { fixed => 1000 }, until => '2027-01-15T09:00:00Z');

my %codes = map { $_ => [ $t->coupons($_, 420) ] } qw(anna bert);
my @codes = $t->coupons('c', 20);
my @ending = $t->coupons('end', 1);

$t->storefront(8081, '--verdict-keys', $t->write_file('verdict.keys', $t->cli_ok(qw(keys export verdict))));

# nothing here is about deadlines: whoever waits, waits

$t->conf(<<'EOC')->run;
%%TEST_GLOBALS%%

worker_processes 2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    commerce_store      lmdb:%%DIR%%/store map=1g deadline=60s;
    commerce_keys       %%DIR%%/keys.json;
    commerce_event_log  %%DIR%%/events.jsonl flush=100ms;
    commerce_clock      %%DIR%%/clock;

    map $http_authorization $session_user {
        "~^Bearer user-(?<session_name>.+)$"  $session_name;
    }

    server {
        listen          127.0.0.1:8080;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   $session_user verified;

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payment=response:/data/pay_no payable=response:/data/pay_amount
                           freight=response:/data/freight;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons max=2;
            commerce_coupon_redeem on=paid deadline=16m;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /paid { commerce_order_confirm id=json:/order transaction=json:/trade amount=json:/fen; }
        location = /confirm { commerce_order_confirm id=json:/order; }
        location = /cancel { commerce_order_cancel id=json:/order; }

        location = /by-sku {
            commerce_order_refund id=json:/order refund=json:/refund amount=json:/fen freight=json:/freight
                                  lines=json:/lines line_sku=/sku line_amount=/fen line_qty=/qty;
        }

        location = /by-line {
            commerce_order_refund id=json:/order refund=json:/refund amount=json:/fen freight=json:/freight
                                  lines=json:/lines line_number=/line line_amount=/fen line_qty=/qty;
        }

        location = /whole { commerce_order_refund id=json:/order refund=json:/refund; }
        location = /status { commerce_status; }
    }
}
EOC

my $n = 0;

sub shown
{
    my ($key) = @_;
    my ($code, $out) = $t->cli('order', 'show', $key, '--user', 'dora');

    return $code ? {} : json()->decode($out);
}

sub coupon
{
    my ($code, $what) = @_;

    return $t->cli_ok('coupon', 'show', $code) =~ /^$what\s+(\S+)/m ? $1 : undef;
}

sub request
{
    my ($uri, $body) = @_;

    return { method => 'POST', uri => $uri, body => json()->encode($body), type => 'application/json' };
}

sub told
{
    my ($uri, $body, $want, $name) = @_;
    my $answer = $t->post($uri, $body);
    my $json = $answer->json || {};

    is(join(' ', grep { defined } $answer->status, $json->{code} // $json->{reason}, @$json{qw(state refunded)}),
       $want, $name) or diag $answer->body;
}

# how often the log says this: it is long, and reading it as JSON takes its time

sub logged
{
    my ($text) = @_;

    return scalar(() = $t->read_file('events.jsonl') =~ /\Q$text\E/g);
}

sub placed
{
    my (%order) = @_;
    my $key = 'k' . ++$n;
    my $answer = $t->post('/api/orders', { client_key => $key, %order }, user => 'dora');

    is($answer->status, 200, "$key is ordered") or diag $answer->body;
    $t->wait_for(sub { (shown($key)->{state} // '') eq 'placed' }, 60) or diag "$key: not placed";

    return ($key, $answer->json->{data}{order_no}, $answer->json->{data}{pay_amount});
}


# all at once; what is told to come again (503: too many at one order) comes again, as any sender's would

sub parallel
{
    my (@requests) = @_;
    my @answers = $t->parallel(@requests);

    for my $round (1 .. 10) {
        my @again = grep { $answers[$_]->status == 503 } 0 .. $#answers or last;

        @answers[@again] = $t->parallel(@requests[@again]);
    }

    return @answers;
}

# largest remainder, ties to the earlier

sub spread
{
    my ($total, @weights) = @_;
    my $sum = sum0(@weights);

    return map { 0 } @weights unless $sum;

    my @parts = map { int($total * $_ / $sum) } @weights;
    my @rest = map { $total * $_ % $sum } @weights;
    my $left = $total - sum0(@parts);

    $parts[$_]++ for (sort { $rest[$b] <=> $rest[$a] || $a <=> $b } 0 .. $#weights)[0 .. $left - 1];

    return @parts;
}

# what is left of each line, from the facts alone

sub expected
{
    my ($lines, @refunds) = @_;
    my @left = map { $_->{paid} } @$lines;
    my (%by_sku, $lineless);

    for my $refund (@refunds) {
        $lineless += $refund->{fen} - ($refund->{freight} // 0) unless $refund->{lines};

        for my $line (@{$refund->{lines} || []}) {
            my @same = grep { defined $line->{line} ? $_ == $line->{line} - 1 : $lines->[$_]{sku} eq $line->{sku} }
                0 .. $#$lines;

            @same == 1 ? $left[$same[0]] -= $line->{fen} : ($by_sku{$line->{sku}} += $line->{fen});
        }
    }

    for my $sku (keys %by_sku) {
        my @parts = spread($by_sku{$sku}, map { $lines->[$_]{sku} eq $sku ? $left[$_] : 0 } 0 .. $#$lines);

        $left[$_] -= $parts[$_] for 0 .. $#$lines;
    }

    my $goods = sum0(@left);
    $goods = $lineless // 0 if ($lineless // 0) < $goods;

    my @parts = spread($goods, @left);

    return map { $left[$_] - $parts[$_] } 0 .. $#$lines;
}

# a random set of refunds that fits: each takes a part of what the others left

sub refunds
{
    my ($lines, $freight, $all) = @_;
    my @named = map { 0 } @$lines;
    my ($lineless, $rest) = (0, 0);
    my @refunds;
    my %lines_of;

    $lines_of{$_->{sku}}++ for @$lines;

    my $goods = sum0(map { $_->{paid} } @$lines);
    my $part = sub { my ($max) = @_; $max > 0 ? 1 + int rand($max) : 0 };
    my $spent = sub { sum0(@named) + $lineless };

    for my $i (1 .. 2 + int rand 5) {
        my $free = $goods - $spent->();
        my $kind = int rand 4;

        last if $free < 1;

        if ($kind == 0) {
            my $fen = $part->(int($free / 2) || 1);
            my $more = rand() < .3 ? $part->($freight - $rest) : 0;

            $lineless += $fen;
            $rest += $more;
            push @refunds, { fen => $fen + $more, $more ? (freight => $more) : () };
            next;
        }

        my @some = grep { $lines->[$_]{paid} > $named[$_] } shuffle 0 .. $#$lines;
        my @parts;

        for my $k (@some[0 .. ($#some > 1 ? 1 : $#some)]) {
            my $max = $lines->[$k]{paid} - $named[$k];
            my $room = $goods - $spent->();
            my $fen = $part->($max < $room ? $max : $room);

            next unless $fen;
            $named[$k] += $fen;

            push @parts, $kind == 1 || $lines_of{$lines->[$k]{sku}} == 1 && $kind == 2
                ? { line => $k + 1, fen => $fen } : { sku => $lines->[$k]{sku}, fen => $fen };
        }

        # one request names lines or SKUs, not both

        for my $way (qw(line sku)) {
            my @of = grep { exists $_->{$way} } @parts;
            push @refunds, { lines => \@of, fen => sum0(map { $_->{fen} } @of) } if @of;
        }
    }

    if ($all && (my $free = $goods - $spent->()) > 0) {
        push @refunds, { fen => $free };
    }

    return @refunds;
}


# the histories

my @histories;

for my $h (1 .. 100) {
    my @skus = qw(a1 a2 b1 b2 c1 c2 c3);
    my @items = map { { sku => $skus[rand @skus], count => 1 + int rand 3, price => 1 + int rand 5000 } } 0 .. int rand 6;

    my @coupons = grep { my $of = substr $_, 0, 1;
                         sum0(map { $_->{count} * $_->{price} } grep { $_->{sku} =~ /^$of/ } @items) > 400 } qw(anna bert);

    push @histories, { items => \@items, coupons => \@coupons, freight => rand() < .5 ? int rand 1500 : 0, orders => [] };
}

# each in three copies: by one user, so that the log is folded by order

my @placing;

for my $history (@histories) {
    for my $copy (0 .. 2) {
        my $key = 'k' . ++$n;
        my @used = map { shift @{$codes{$_}} } @{$history->{coupons}};
        my $request = request('/api/orders', { client_key => $key, items => $history->{items}, coupons => \@used,
                                               $history->{freight} ? (freight => $history->{freight}) : () });

        $request->{user} = 'dora';
        push @placing, [ $history, $key, \@used, $request ];
    }
}

while (my @batch = splice @placing, 0, 60) {
    my @answers = parallel(map { $_->[3] } @batch);

    for my $i (0 .. $#batch) {
        my ($history, $key, $used) = @{$batch[$i]};
        my $json = $answers[$i]->json || {};

        ok($json->{data}{order_no}, "$key is ordered") or diag $answers[$i]->body;
        push @{$history->{orders}}, { key => $key, codes => $used, id => $json->{data}{order_no},
                                      due => $json->{data}{pay_amount} };
    }
}

my %lines;      # by order: what the log says of its lines

ok($t->wait_for(sub { logged('"type":"order"') >= 300 }, 60), 'all are placed');

for my $event ($t->events('order')) {
    $lines{$event->{order_key}} = [ map { { %$_, paid => $_->{amount} - $_->{discount} } } @{$event->{lines}} ];
}

my (@now, @later, $refund_number);

for my $history (@histories) {
    my $lines = $lines{$history->{orders}[0]{key}};

    $history->{lines} = $lines;
    $history->{refunds} = [ refunds($lines, $history->{freight}, rand() < .4) ];

    for my $copy (0 .. 2) {
        my $order = $history->{orders}[$copy];
        my $pay = request('/paid', { order => $order->{id}, trade => "T$order->{key}", fen => $order->{due} });
        my $i = 0;

        my @requests = map { my $refund = $_;
            request((grep { exists $_->{line} } @{$refund->{lines} || []}) ? '/by-line' : '/by-sku',
                    { order => $order->{id}, refund => "R$order->{key}-" . ++$i, %$refund }) } @{$history->{refunds}};

        # 0: after the payment, in order; 1: shuffled with it, and repeated; 2: so, and all at once

        if ($copy == 0) {
            push @now, [ $order, $pay, @requests ];
            next;
        }

        my @all = shuffle($pay, @requests, grep { rand() < .5 } $pay, @requests, @requests);

        push @{$copy == 1 ? \@now : \@later}, [ $order, @all ];
    }
}

for my $run (@now) {
    my ($order, @requests) = @$run;

    $order->{bad} = join ' ', grep { $_ } map { $_->status =~ /^20[02]$/ ? '' : $_->status . $_->body }
        $t->keep_alive(@requests);
}

while (my @batch = splice @later, 0, 8) {
    my @requests = map { my $run = $_; map { [ $run->[0], $_ ] } @$run[1 .. $#$run] } @batch;
    my @answers = parallel(map { $_->[1] } @requests);

    for my $i (0 .. $#requests) {
        $requests[$i][0]{bad} .= $answers[$i]->status =~ /^20[02]$/ ? '' : $answers[$i]->status . $answers[$i]->body;
    }
}

ok($t->wait_for(sub { my $store = $t->get('/status')->json->{store};
                      $store->{in_flight} == 0 && $store->{outbox} == 0 }, 60), 'all is written');


# the ledger, from the log alone: what a line was paid with, less each refund's change

my (%paid, %net, %last, %refunds_told, %seen, %doubled);

my @events = $t->events;

for my $event (grep { $_->{type} =~ /^(?:paid|refund)$/ } @events) {
    my $key = $event->{order_key};

    next if $seen{$event->{id}}++;

    if ($event->{type} eq 'paid') {
        $doubled{$key}++ if $paid{$key};
        $paid{$key} = $event->{lines};
        $net{$key} = [ map { $_->{paid} } @{$event->{lines}} ];
        next;
    }

    $doubled{$key}++ if $refunds_told{$key}{$event->{refund}{number}}++;
    $net{$key}[$_] -= $event->{refund}{lines}[$_] for 0 .. $#{$event->{lines}};
    $last{$key} = $event;
}

my ($full, $moved) = (0, 0);

for my $history (@histories) {
    my $name = "history " . ++$full;
    my @want = expected($history->{lines}, @{$history->{refunds}});
    my %sellers;

    $sellers{$history->{lines}[$_]{seller} // 'house'} += $want[$_] for 0 .. $#want;
    $moved++ if @{$history->{refunds}};

    for my $order (@{$history->{orders}}) {
        my $key = $order->{key};
        my $state = sum0(@want) ? 'paid' : 'refunded';
        my %by_seller;

        $by_seller{$paid{$key}[$_]{seller} // 'house'} += $net{$key}[$_] for 0 .. $#{$net{$key}};

        is($order->{bad} // '', '', "$name, $key: every notice was taken");
        is("@{$net{$key}}", "@want", "$name, $key: the log's changes add up to what the facts say");
        is_deeply(\%by_seller, \%sellers, "$name, $key: for each seller");
        is(scalar keys %{$refunds_told{$key} || {}}, scalar @{$history->{refunds}}, "$name, $key: each refund is told");
        ok(!$doubled{$key}, "$name, $key: and once");

        if ($last{$key}) {
            is("@{[ map { $_->{net} } @{$last{$key}{lines}} ]}", "@want", "$name, $key: the last event says the same");
            is($last{$key}{state}, $state, "$name, $key: $state");
        }

        # one of the three in the store itself; store check adds up the others

        next if ($order->{key} =~ /(\d+)/)[0] % 3 != $full % 3;

        my $store = shown($key);

        is("@{[ map { $_->{net} } @{$store->{lines}} ]}", "@want", "$name, $key: so does the store");
        is($store->{state}, $state, "$name, $key: $state in the store");

        for my $coupon (@{$store->{coupons}}) {
            is($coupon->{use}, $state eq 'paid' ? 'redeemed' : 'rolled_back', "$name, $key: its coupon");
        }
    }
}

cmp_ok($moved, '>', 80, 'there was something to refund');
cmp_ok(scalar(grep { $_->{state} eq 'refunded' } values %last), '>', 30, 'some were refunded wholly');
is(scalar(grep { $_->{reason} } values %last), 0, 'and nothing was flagged');

my $schema = json()->decode($t->read_file("$Test::NgxCommerce::ROOT/t/event.schema.json"));
is_deeply([ grep { defined } map { invalid($schema, $_) } @events[-300 .. -1] ], [], 'the log is as its schema says');


# what is refused, and changes nothing

my $items = [ { sku => 'x', count => 2, price => 3000 }, { sku => 'y', count => 1, price => 4000 },
              { sku => 'y', count => 1, price => 1000 } ];
my ($key, $id, $due) = placed(items => $items, coupons => [ $codes[0] ], freight => 700);

told('/confirm', { order => $id }, '200 OK paid', 'paid');
told('/by-line', { order => $id, refund => 'E1', lines => [ { line => 1, fen => 5456 } ] }, '409 REFUND_EXCEEDS_ORDER',
     'a fen more than the line brought');
told('/by-sku', { order => $id, refund => 'E1', fen => 10701 }, '409 REFUND_EXCEEDS_ORDER', 'a fen more than the order');
told('/by-sku', { order => $id, refund => 'E1', fen => 701, freight => 701 }, '409 REFUND_EXCEEDS_ORDER',
     'a fen more than the freight');
told('/by-line', { order => $id, refund => 'E1', lines => [ { line => 4, fen => 1 } ] }, '422 ORDER_MALFORMED', 'no such line');
told('/by-sku', { order => $id, refund => 'E1', lines => [ { sku => 'z', fen => 1 } ] }, '422 ORDER_MALFORMED', 'no such SKU');
told('/by-sku', { order => $id, refund => 'E1', fen => 4, lines => [ { sku => 'x', fen => 5 } ] }, '422 ORDER_MALFORMED',
     'lines above the amount');
told('/by-line', { order => $id, refund => 'E1', lines => [ { line => 1, fen => 1, qty => 3 } ] }, '409 REFUND_EXCEEDS_ORDER',
     'more pieces than there are');
is_deeply(shown($key)->{refunds}, [], 'none of these happened');

told('/by-sku', { order => $id, refund => 'E1', lines => [ { sku => 'y', fen => 4546 } ] }, '409 REFUND_EXCEEDS_ORDER',
     'an SKU of two lines: more than both');
told('/by-sku', { order => $id, refund => 'E1', lines => [ { sku => 'y', fen => 4545 } ] }, '200 OK paid 4545', 'both');
told('/by-sku', { order => $id, refund => 'E1', lines => [ { sku => 'y', fen => 4545 } ] }, '200 ORDER_REPLAY paid 4545',
     'both, again');
told('/by-sku', { order => $id, refund => 'E1', lines => [ { sku => 'y', fen => 4544 } ] }, '409 REFUND_KEY_REUSED',
     'its number for another amount');
told('/by-line', { order => $id, refund => 'E1', lines => [ { line => 1, fen => 4545 } ] }, '409 REFUND_KEY_REUSED',
     'its number for another line');
is(coupon($codes[0], 'state'), 'redeemed', 'a partial refund returns no coupon');

my ($sibling, $sibling_id) = placed(items => $items, coupons => [ $codes[1] ]);
told('/confirm', { order => $sibling_id }, '200 OK paid', 'another order is paid');
told('/by-sku', { order => $sibling_id, refund => 'E1', lines => [ { sku => 'y', fen => 4545 } ] }, '409 REFUND_KEY_REUSED',
     'its number for another order');

told('/by-sku', { order => $id, refund => 'E2', fen => 5455 }, '200 OK refunded 10000', 'the rest of the goods');
is(coupon($codes[0], 'state'), 'issued', 'all goods are refunded: the coupon is back');
is(coupon($codes[1], 'state'), 'redeemed', '... and no other order\'s');
told('/by-sku', { order => $id, refund => 'E3', fen => 700 }, '200 OK refunded 10700', 'the freight');
told('/by-sku', { order => $id, refund => 'E4', fen => 1 }, '409 REFUND_EXCEEDS_ORDER', 'there is nothing left');
told('/cancel', { order => $id }, '200 OK cancelled 10700', 'cancelled after that');
is(coupon($codes[0], 'cycles'), 1, 'the coupon came back once');

# all of it, whatever that is; a part that was on its way is part of it

told('/whole', { order => $sibling_id, refund => 'W1' }, '200 OK refunded 10000', 'whole');
told('/whole', { order => $sibling_id, refund => 'W1' }, '200 ORDER_REPLAY refunded 10000', 'whole, again');
told('/by-sku', { order => $sibling_id, refund => 'W2', fen => 100 }, '200 OK refunded 10000', 'a part of it, late');
is("@{[ map { $_->{net} } @{shown($sibling)->{lines}} ]}", '0 0 0', 'nothing is left, and no less');

# cancelled: the sale is off at once; what is given back later takes nothing from anybody twice

($key, $id) = placed(items => $items);
told('/confirm', { order => $id }, '200 OK paid', 'paid');
told('/cancel', { order => $id }, '200 OK cancelled', 'cancelled');
is("@{[ map { $_->{net} } @{shown($key)->{lines}} ]}", '0 0 0', 'cancelled: nothing is left');
told('/by-sku', { order => $id, refund => 'C1', fen => 11000 }, '200 OK cancelled 11000', 'then refunded');
is("@{[ map { $_->{net} } @{shown($key)->{lines}} ]}", '0 0 0', 'and no less');

# the backend took another amount: that is what the lines were paid with

my $answer = $t->post('/api/orders', { client_key => 'other-amount', items => $items }, user => 'dora',
                      headers => { 'X-Test' => 'amount=10999' });
$id = $answer->json->{data}{order_no};
$t->wait_for(sub { (shown('other-amount')->{state} // '') eq 'placed' });
told('/confirm', { order => $id }, '200 OK paid', 'paid with another amount');
is("@{[ map { $_->{paid} } @{shown('other-amount')->{lines}} ]}", '5999 4000 1000', 'its lines were paid with that');
told('/by-sku', { order => $id, refund => 'A1', fen => 10999 }, '200 OK refunded 10999', 'and that is all of it');


# ten cycles, and no more

for my $cycle (1 .. 11) {
    ($key, $id) = placed(items => $items, coupons => [ $codes[2] ]);
    told('/confirm', { order => $id }, '200 OK paid', "cycle $cycle: paid");
    told('/whole', { order => $id, refund => "Y$cycle" }, '200 OK refunded 10000', "cycle $cycle: refunded");
    is(coupon($codes[2], 'state'), $cycle <= 10 ? 'issued' : 'redeemed', "cycle $cycle: coupon");
}

ok($t->wait_for(sub { logged('"from":"redeemed","to":"redeemed","reason":"COUPON_ROLLBACK_CYCLES"') == 1 }),
   'the eleventh time is flagged');
is($t->post('/api/orders', { client_key => 'twelfth', items => $items, coupons => [ $codes[2] ] }, user => 'dora')->code,
   'COUPON_NOT_USABLE', 'and the coupon is spent');

# an expired coupon stays expired

($key, $id) = placed(items => $items, coupons => [ $ending[0] ]);
told('/confirm', { order => $id }, '200 OK paid', 'in time');
$t->clock($T0 + 3600);
told('/whole', { order => $id, refund => 'X1' }, '200 OK refunded 10000', 'refunded after the coupon\'s end');
is($t->post('/api/orders', { client_key => 'revived', items => $items, coupons => [ $ending[0] ] }, user => 'dora')->code,
   'COUPON_NOT_USABLE', 'it is not revived');


# all at once: no update is lost

($key, $id) = placed(items => $items, coupons => [ $codes[3] ]);
told('/confirm', { order => $id }, '200 OK paid', 'paid');

my @answers = parallel(map { request('/by-sku', { order => $id, refund => "P$_", fen => $_ }) } 1 .. 24);

is(join(' ', map { $_->json->{reason} // $_->body } @answers), join(' ', ('OK') x 24), '24 refunds at once');
is(shown($key)->{refunded}, 300, 'and their sum');
is(scalar @{shown($key)->{refunds}}, 24, 'each of them');

@answers = parallel((map { request('/by-sku', { order => $id, refund => "P-rest", fen => 9700 }) } 1 .. 10),
                        (map { request('/cancel', { order => $id }) } 1 .. 3),
                        (map { request('/confirm', { order => $id }) } 1 .. 3));

is(scalar(grep { $_->status == 503 } @answers), 0, 'refund, cancel and confirm at once');
is(shown($key)->{state}, 'cancelled', 'cancelled in the end');
is(shown($key)->{refunded}, 10000, 'refunded, too');
is(coupon($codes[3], 'state'), 'issued', 'its coupon is back');
is(coupon($codes[3], 'cycles'), 1, '... once');


ok($t->wait_for(sub { my $store = $t->get('/status')->json->{store};
                      $store->{in_flight} == 0 && $store->{outbox} == 0 }), 'all is written');

my ($rc, $text, $err) = $t->cli(qw(store check));
is($rc, 0, 'store check') or diag "$text$err";
diag "TEST_SEED=$seed" if !Test::More->builder->is_passing;

$t->done_testing;
