#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Each rule of a campaign through a real gateway, before a storefront that honours nothing but the verdict: one
# order that a coupon applies to, one that misses by as little as possible.  The boundaries themselves are in
# t/unit/test_rules.c and test_count.c.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce qw(json);

my $t = Test::NgxCommerce->new;
my $T0 = 1_800_000_000;         # 2027-01-15T16:00:00+08:00, a Friday
my $DAY = 86400;
my $MIDNIGHT = $T0 + 8 * 3600;  # in Shanghai

$t->clock($T0);
$t->keys;
$t->people(<<'CSV');
id,role,status,upline,user
rosa,koc,active,,u-rosa
lina,guide,active,,u-lina
CSV

$t->cli_ok(qw(group put g1 --leader rosa));
$t->cli_ok(qw(group put g2 --leader lina));
$t->cli_ok(qw(room put r1 --host rosa));

my %token = (g1 => $t->token(qw(- --group g1 --days 400)), g2 => $t->token(qw(- --group g2 --days 400)),
             lina => $t->token(qw(lina --days 400)));

$t->storefront(8081, '--verdict-keys', $t->write_file('verdict.keys', $t->cli_ok(qw(keys export verdict))));

sub server
{
    my ($port, $mode) = @_;

    return <<"EOC";
    server {
        listen          127.0.0.1:$port;
        commerce_shop   demo;
        commerce        $mode;
        commerce_user   \$http_x_user verified;
        commerce_touch  share \$arg_st;
        commerce_touch  live_room \$http_x_live_room attested;

        location / { proxy_pass http://127.0.0.1:8081; }

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payable=response:/data/pay_amount;
            commerce_order_line id=/sku qty=/count price=/price category=/category;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons max=4;
            commerce_coupon_facts store=\$store level=\$level new_customer=\$first;
            commerce_coupon_redeem on=paid deadline=16m;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /confirm { commerce_order_confirm id=\$arg_id; }
        location = /cancel { commerce_order_cancel id=\$arg_id; }
    }
EOC
}

# guesses are another test's: refusals here come one after the other

$t->http_conf("commerce_coupon_guess off;\n" . <<'EOC' . server(8080, 'enforce') . server(8084, 'observe'))->run;
    map $http_x_from_session $store { "~store=(?<s>\w+)" $s; }
    map $http_x_from_session $level { "~level=(?<l>\w+)" $l; }
    map $http_x_from_session $first { "~first=(?<f>\w+)" $f; }
EOC

my ($orders, $campaigns) = (0, 0);
my @refused;

sub item { my ($price, %o) = @_; return { sku => 's1', count => 1, price => $price, %o } }

# a campaign of its own and codes of it

sub codes
{
    my ($count, %campaign) = @_;
    my $id = 'c' . ++$campaigns;

    $t->campaign(id => $id, discount => { fixed => 100 }, %campaign);

    return $t->coupons($id, $count);
}

sub request
{
    my ($coupons, %o) = @_;
    my $uri = '/api/orders' . ($o{st} ? "?st=$token{$o{st}}" : '');

    return { method => 'POST', uri => $uri, port => $o{port} // 8080, type => 'application/json',
        headers => [ 'X-User' => $o{user} // 'alice', $o{session} ? ('X-From-Session' => $o{session}) : (),
                     $o{room} ? ('X-Live-Room' => $o{room}) : (), $o{test} ? ('X-Test' => $o{test}) : () ],
        body => json->encode({ client_key => $o{key} // 'k' . ++$orders, items => $o{items} // [ item($o{price} // 10000) ],
                               coupons => $coupons }) };
}

sub order { return ($t->parallel(request(@_)))[0] }

sub pays
{
    my ($coupons, $amount, $name, %o) = @_;
    my $answer = order($coupons, %o);

    is($answer->status, 200, "$name: accepted") or diag $answer->body;
    is($answer->json->{data}{pay_amount}, $amount, "$name: pays $amount");

    return $answer->json->{data}{order_no};
}

# the public answer now, the reason in the log at the end

sub refuses
{
    my ($coupons, $reason, $name, %o) = @_;
    my $answer = order($coupons, %o);

    is($answer->status, 422, "$name: refused") or diag $answer->body;
    is($answer->code, 'COUPON_NOT_USABLE', "$name: and not told why");
    push @refused, [ "k$orders", $reason, $name ];
}

sub notice
{
    my ($what, $id, $name) = @_;

    is($t->post("/$what?id=$id", '')->status, 200, "$name: $what");
}

sub state { return $t->cli_ok('coupon', 'show', $_[0]) =~ /^state\s+(\S+)/m ? $1 : 'nothing' }

# discounts

{
    my @ladder = (discount => { thresholds => [ { minimum => 10000, off => 1000 }, { minimum => 20000, off => 2500 } ] });
    my ($a, $b, $c, $d) = codes(4, @ladder);

    refuses([ $a ], 'COUPON_MIN_SPEND', 'a fen below the first threshold', price => 9999);
    pays([ $a ], 9000, 'at the first', price => 10000);
    pays([ $b ], 18999, 'a fen below the second', price => 19999);
    pays([ $c ], 17500, 'at the second', price => 20000);
    pays([ $d ], 97500, 'far above', price => 100000);

    ($a, $b, $c) = codes(3, discount => { every => { minimum => 10000, off => 1000 }, cap => 2000 });
    refuses([ $a ], 'COUPON_MIN_SPEND', 'every: a fen below', price => 9999);
    pays([ $a ], 18999, 'every: once', price => 19999);
    pays([ $b ], 18000, 'every: twice', price => 20000);
    pays([ $c ], 28000, 'every: capped', price => 30000);

    ($a, $b) = codes(2, discount => { percent => 1500, cap => 300 });
    pays([ $a ], 1701, 'percent, a fen below its cap', price => 1700 + 298 + 3);
    pays([ $b ], 9700, 'percent, capped');
}

# several coupons never make an order negative, nor are they more than there is

{
    my @codes = codes(4, discount => { fixed => 1000 });

    pays([ @codes[0, 1, 2] ], 0, 'three times 10.00 off 8.24', items => [ item(823), item(1, sku => 's2') ]);
    pays([ $codes[3] ], 1, 'one fen is left', price => 1001);
}

# what is asked of the lines

{
    my ($a) = codes(1, minimum_quantity => 3);

    refuses([ $a ], 'COUPON_MIN_QTY', 'two pieces', items => [ item(5000, count => 2) ]);
    pays([ $a ], 14900, 'three', items => [ item(5000, count => 2), item(5000, sku => 's2') ]);

    ($a) = codes(1, categories => [ 'books', 'tea' ], minimum_spend => 5000);
    refuses([ $a ], 'COUPON_SKU_NOT_ELIGIBLE', 'another category', items => [ item(9000, category => 'shoes') ]);
    refuses([ $a ], 'COUPON_SKU_NOT_ELIGIBLE', 'no category');
    refuses([ $a ], 'COUPON_MIN_SPEND', 'too little of it', items => [ item(4999, category => 'tea'), item(9000) ]);
    pays([ $a ], 13900, 'one of them', items => [ item(5000, category => 'tea'), item(9000) ]);
}

# what is asked of the buyer, by those who know him

{
    my ($a) = codes(1, levels => [ 'gold', 'black' ]);

    refuses([ $a ], 'COUPON_MEMBER_LEVEL', 'no member');
    refuses([ $a ], 'COUPON_MEMBER_LEVEL', 'a silver one', session => 'level=silver');
    pays([ $a ], 9900, 'a golden one', session => 'level=gold');

    ($a) = codes(1, stores => [ 'sh1' ]);
    refuses([ $a ], 'COUPON_STORE_NOT_ELIGIBLE', 'another store', session => 'store=sh2');
    pays([ $a ], 9900, 'its store', session => 'store=sh1');

    ($a) = codes(1, new_customers => json->decode('[true]')->[0]);
    refuses([ $a ], 'COUPON_NEW_CUSTOMER_ONLY', 'nobody says that he is new');
    refuses([ $a ], 'COUPON_NEW_CUSTOMER_ONLY', 'he is not', session => 'first=0');
    pays([ $a ], 9900, 'he is', session => 'first=1');
}

# what is asked of the winner: he is found first

{
    my ($a, $b) = codes(2, groups => [ 'g1' ]);

    refuses([ $a ], 'COUPON_GROUP_NOT_ELIGIBLE', 'nobody brought him', user => 'ga');
    refuses([ $a ], 'COUPON_GROUP_NOT_ELIGIBLE', 'another group did', user => 'gb', st => 'g2');
    pays([ $a ], 9900, 'the group did', user => 'gc', st => 'g1');
    pays([ $b ], 9900, 'as is remembered', user => 'gc');

    ($a) = codes(1, rooms => [ 'r1' ]);
    refuses([ $a ], 'COUPON_LIVE_ROOM_ONLY', 'not from the live room', user => 'ra');
    pays([ $a ], 9900, 'from the live room', user => 'ra', room => 'r1');

    ($a) = codes(1, channels => [ '7' ]);
    refuses([ $a ], 'COUPON_CHANNEL_NOT_ELIGIBLE', 'by another channel', user => 'ca');

    ($a) = codes(1, sellers => [ 'lina' ]);
    refuses([ $a ], 'COUPON_SELLER_NOT_ELIGIBLE', 'another seller', user => 'sa', st => 'g1');
    pays([ $a ], 9900, 'the seller', user => 'sb', st => 'lina');

    # its promoter is a candidate like others, and so admits the coupon

    ($a) = codes(1, sellers => [ 'lina' ], promoter => 'lina');
    pays([ $a ], 9900, 'the promoter wins, since nobody else does', user => 'sc');
}

# times: dates count whole, in their zone

{
    my ($a, $b, $c) = codes(3, zone => 'Asia/Shanghai', from => '2027-01-16', until => '2027-01-16');

    $t->clock($MIDNIGHT - 1);
    refuses([ $a ], 'COUPON_NOT_STARTED', 'the last second of the day before');
    $t->clock($MIDNIGHT);
    pays([ $a ], 9900, 'the first second of the day');
    $t->clock($MIDNIGHT + $DAY - 1);

    my $paid = pays([ $b ], 9900, 'the last');
    my $cancelled = pays([ $c ], 9900, 'and again');

    $t->clock($MIDNIGHT + $DAY);
    refuses([ ($t->coupons("c$campaigns", 1))[0] ], 'COUPON_EXPIRED', 'the first dead second');

    # reserved in time: redeemed until its deadline; what comes back stays expired

    notice('confirm', $paid, 'reserved in time');
    is(state($b), 'redeemed', 'and redeemed after the end');
    notice('cancel', $cancelled, 'reserved in time');
    is(state($c), 'issued', 'and given back after the end');
    refuses([ $c ], 'COUPON_EXPIRED', 'it is not revived');
    notice('cancel', $paid, 'redeemed');
    refuses([ $b ], 'COUPON_EXPIRED', 'nor is one that was rolled back');

    ($a, $b) = codes(2, zone => '+08:00', hours => [ { days => [ 'fri' ], from => '16:00', until => '18:00' } ]);
    $t->clock($T0 - 1);
    refuses([ $a ], 'COUPON_DAY_NOT_ELIGIBLE', 'Friday, 15:59:59');
    $t->clock($T0);
    pays([ $a ], 9900, '16:00:00');
    $t->clock($T0 + 7200);
    refuses([ $b ], 'COUPON_DAY_NOT_ELIGIBLE', '18:00:00');
    $t->clock($T0 + $DAY);
    refuses([ $b ], 'COUPON_DAY_NOT_ELIGIBLE', 'Saturday');
    $t->clock($T0);
}

# limits and budgets: one of each, by the day of Shanghai, given back to where it was taken

{
    my @zone = (zone => 'Asia/Shanghai');

    for my $case ([ limits => 'total', 'COUPON_TOTAL_LIMIT' ], [ limits => 'user', 'COUPON_CUSTOMER_LIMIT' ],
                  [ limits => 'day', 'COUPON_DAILY_LIMIT' ], [ limits => 'user_day', 'COUPON_CUSTOMER_DAILY_LIMIT' ],
                  [ limits => 'group', 'COUPON_GROUP_LIMIT' ], [ limits => 'seller', 'COUPON_SELLER_LIMIT' ],
                  map { [ budgets => $_, 'COUPON_BUDGET_EXHAUSTED' ] } qw(total user day user_day group seller))
    {
        my ($kind, $which, $reason) = @$case;
        my ($a, $b, $c, $d) = codes(4, @zone, $kind => { $which => $kind eq 'limits' ? 1 : 100 });
        my @who = (user => "by-$kind-$which", st => 'g1');
        my $id = pays([ $a ], 9900, "$kind/$which: the first", @who);

        refuses([ $b ], $reason, "$kind/$which: the second", @who);
        notice('cancel', $id, "$kind/$which");
        pays([ $c ], 9900, "$kind/$which: what came back is used", @who);

        my %other = (user => [ user => "other-$which", st => 'g1' ], group => [ user => "by-$kind-$which", st => 'g2' ],
                     seller => [ user => "other-$kind", st => 'lina' ]);

        pays([ $d ], 9900, "$kind/$which: by another", @{$other{$which}}) if $other{$which};
    }

    my ($a, $b, $c) = codes(3, @zone, limits => { day => 1 });

    $t->clock($MIDNIGHT - 1);
    my $id = pays([ $a ], 9900, 'the last second of a day');
    $t->clock($MIDNIGHT);
    pays([ $b ], 9900, 'the next day has its own');
    notice('cancel', $id, 'of yesterday');
    refuses([ $c ], 'COUPON_DAILY_LIMIT', 'makes no room today');
    $t->clock($T0);
}

# stacking, in the request's order

{
    my ($any, $any2) = codes(2);
    my ($alone) = codes(1, stacking => { class => 'exclusive' });
    my ($red, $red2) = codes(2, stacking => { class => 'red' });
    my ($two) = codes(1, stacking => { limit => 2 });
    my ($half, $half2) = codes(2, discount => { percent => 5000, cap => 100000 });
    my ($whole) = codes(1, discount => { percent => 1000, cap => 100000 }, stacking => { base => 'initial' });

    refuses([ $any, $alone ], 'COUPON_NOT_STACKABLE', 'exclusive, second');
    refuses([ $alone, $any ], 'COUPON_NOT_STACKABLE', 'exclusive, first');
    pays([ $alone ], 9900, 'exclusive, alone');
    refuses([ $red, $any, $red2 ], 'COUPON_NOT_STACKABLE', 'two of a class');
    refuses([ $two, $any, $any2 ], 'COUPON_STACK_LIMIT', 'three where one allows two');
    pays([ $any, $two ], 9800, 'two');
    pays([ $red, $any2 ], 9800, 'one of a class, and another');
    is(state($red2), 'issued', 'all or nothing: what was refused is free');
    pays([ $half, $half2 ], 2500, 'half of the half');
    pays([ ($t->coupons('c' . ($campaigns - 1), 1))[0], $whole ], 4000, '50 %, and 10 % of the whole');
}

# a coupon that falls out takes its promoter with it: whose the order is is decided again

{
    my ($out) = codes(1, promoter => 'lina', groups => [ 'g9' ]);
    my ($in) = codes(1, promoter => 'rosa', discount => { fixed => 200 });
    my ($lina) = codes(1, sellers => [ 'lina' ]);
    my %seen;

    pays([ $out ], 10000, 'observed: left out', port => 8084, user => 'oa');
    $seen{"k$orders"} = undef;
    pays([ $out, $in ], 9800, 'observed: the other stays', port => 8084, user => 'ob');
    $seen{"k$orders"} = 'rosa';
    pays([ $out, $lina ], 10000, 'observed: who wins by none of them admits none', port => 8084, user => 'oc');
    $seen{"k$orders"} = undef;
    is(state($in), 'reserved', 'the one that stayed is reserved');
    is(state($_), 'issued', 'those that fell out are free') for $out, $lina;

    my @events = $t->wait_events(sub { my %k = map { $_->{order_key} => 1 } grep { $_->{type} eq 'order' } @_;
                                       !grep { !$k{$_} } keys %seen });

    for my $key (sort keys %seen) {
        my ($event) = grep { $_->{type} eq 'order' && $_->{order_key} eq $key } @events;

        is($event->{seller}, $seen{$key}, "$key: the seller is " . ($seen{$key} // 'nobody'));
        is($event->{lines}[0]{seller}, $seen{$key}, "$key: of the line, too");
    }

    is(scalar(grep { $_->{type} eq 'bind' && $_->{buyer} && $_->{seller} eq 'lina' && $_->{source} eq 'promoter' } @events),
       0, 'nobody was bound by what fell out');
}

# the backend's amount is compared with whatever the rules gave

{
    my @forms = ({ fixed => 1000 }, { percent => 1000, cap => 5000 }, { thresholds => [ { minimum => 100, off => 1000 } ] },
                 { every => { minimum => 5000, off => 500 }, cap => 5000 });

    for my $form (@forms) {
        my ($name) = sort grep { $_ ne 'cap' } keys %$form;
        my ($right, $wrong) = codes(2, discount => $form);

        pays([ $right ], 9000, "$name: the same amount");
        pays([ $wrong ], 9001, "$name: a fen more", test => 'amount=9001');

        my $key = "k$orders";
        my @events = $t->wait_events(sub { grep { $_->{type} eq 'order' && $_->{order_key} eq $key } @_ });
        my ($event) = grep { $_->{type} eq 'order' && $_->{order_key} eq $key } @events;

        is($event->{reason}, 'AMOUNT_MISMATCH', "$name: is noticed");
        is_deeply($event->{doubt}, [ 'amount' ], "$name: the coupon is in doubt");
        is(state($wrong), 'reserved', "$name: and kept");
    }
}

# limits hold whoever comes at once

{
    my @codes = codes(12, limits => { seller => 3, user => 2 }, budgets => { group => 500 });
    my @answers = $t->parallel(map { request([ $codes[$_] ], key => 'race' . $_, user => 'racer' . $_ % 8, st => 'g1') } 0 .. 11);

    is(scalar(grep { $_->status == 200 } @answers), 3, 'three uses of a seller, of twelve at once');
    is(scalar(grep { $_->status == 422 } @answers), 9, 'the others are refused');

    @codes = codes(12, budgets => { group => 500 });
    @answers = $t->parallel(map { request([ $codes[$_] ], key => 'rush' . $_, user => 'racer' . $_ % 8, st => 'g1') } 0 .. 11);
    is(scalar(grep { $_->status == 200 } @answers), 5, 'five times 1.00 of a budget of 5.00');

    my ($one) = codes(1, discount => { fixed => 9000 });

    @answers = $t->parallel(map { request([ $one ], key => 'same' . $_, user => 'racer' . $_) } 1 .. 5);
    is(join(' ', sort map { $_->status } @answers), '200 422 422 422 422', 'five orders at once with one coupon: one has it');
    ok(!grep({ $_->status == 200 && $_->json->{data}{pay_amount} < 0 } @answers), 'and nobody is paid for buying');
}

# the log says why each was refused; the store's counters are what its coupons say

{
    $t->quit;

    my %why = map { $_->{order_key} => $_->{reason} } grep { $_->{decision} && $_->{decision} eq 'deny' } $t->events('deny');

    is($why{$_->[0]}, $_->[1], "$_->[2]: $_->[1]") for @refused;

    my ($code, $out, $err) = $t->cli('store', 'check');

    is($code, 0, 'the store agrees with itself') or diag "$out$err";
}

# facts that anybody could state are none

{
    my $conf = sub { return server(8080, 'enforce') =~ s/commerce_coupon_facts[^;]*;/commerce_coupon_facts $_[0];/r };

    $t->conf_fails($conf->($_->[0]), $_->[1], "facts: $_->[0]")
        for [ 'store=$arg_store', qr/"store=\$arg_store" in "commerce_coupon_facts".*whatever the client says/ ],
            [ 'level=x${cookie_level}', qr/whatever the client says/ ],
            [ 'new_customer=$request_body', qr/whatever the client says/ ],
            [ 'store=json:/store', qr/"json:\/store" in "commerce_coupon_facts"/ ],
            [ 'colour=$host', qr/allowed: store=, level= and new_customer=/ ],
            [ 'store=$host store=$host', qr/once each/ ],
            [ 'store=$host; commerce_coupon_facts level=$host', qr/is duplicate/ ];

    $t->http_conf($conf->('store=$http_x_store'));
    like(($t->nginx_test($t->read_file('nginx.conf')))[1], qr/\[warn\].*takes a request header: see to it that no client/,
         'a header warns');
}

$t->done_testing;
