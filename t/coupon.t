#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Coupons' rules at their boundaries, through a real gateway and a storefront that honours nothing but the
# verdict; and what outsiders learn from a refusal: nothing.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new;
my $T0 = 1_800_000_000;         # 2027-01-15T16:00:00+08:00

$t->clock($T0);
$t->keys;
$t->people("id,role,status,upline,user\nC,koc,active,,u-c\n");

# Another store of the same keys makes genuine codes that this store never minted.

mkdir $t->dir . '/elsewhere' or die "mkdir: $!\n";
my @elsewhere = ('--store', $t->dir . '/elsewhere');

$t->campaign(id => 'plain', discount => { fixed => 100 });
my @plain = $t->coupons('plain', 30);

for my $id ('plain', map { "other$_" } 2 .. 30) {
    $t->cli_ok(@elsewhere, 'campaign', 'put',
               $t->write_file('elsewhere.json', qq({"v":1,"id":"$id","discount":{"fixed":100},"enabled":true})));
}

my ($unminted) = map { /^(\w+),plain,30,/m ? $1 : () } $t->cli_ok(@elsewhere, qw(coupon mint plain 31));
my ($no_campaign) = map { /^(\w+),other30,0,/m ? $1 : () } $t->cli_ok(@elsewhere, qw(coupon mint other30 1));

$t->storefront(8081, '--verdict-keys', $t->write_file('verdict.keys', $t->cli_ok(qw(keys export verdict))));

my $server = sub {
    my ($port, %o) = @_;

    return <<"EOC";
    server {
        listen          127.0.0.1:$port;
        commerce_shop   demo;
        commerce        @{[ $o{mode} // 'enforce' ]};
        commerce_user   \$session_user @{[ $o{user} // 'verified' ]};

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payable=response:/data/pay_amount;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons max=@{[ $o{max} // 1 ]};
            commerce_coupon_redeem on=@{[ $o{on} // 'paid' ]};
            proxy_pass http://127.0.0.1:8081;
        }

        location = /confirm { commerce_order_confirm id=\$arg_id; }
        location = /cancel { commerce_order_cancel id=\$arg_id; }
        location = /status { commerce_status; }
    }
EOC
};

# 8080: paid, 8082: on=order, 8083: two coupons, 8084: observe, 8085: claimed user

$t->http_conf(<<'EOC' . $server->(8080) . $server->(8082, on => 'order') . $server->(8083, max => 2)
    map $http_authorization $session_user {
        "~^Bearer user-(?<session_name>.+)$"  $session_name;
    }

    # a handful of buyers try everything here; t/guess.t has the limits
    commerce_coupon_guess off;

EOC
    . $server->(8084, mode => 'observe') . $server->(8085, user => 'claimed'))->run;

my $n = 0;
my (@refused, @used);

sub item { return { sku => $_[0], count => 1, price => $_[1] } }

# posts an order under a key of its own; coupons and items as lists

sub order
{
    my ($coupons, %o) = @_;

    push @used, grep { defined && !ref } @$coupons;

    return $t->post('/api/orders', {
        client_key => $o{key} // 'k' . ++$n,
        items => $o{items} // [ item('s1', $o{price} // 10000) ],
        coupons => $coupons,
    }, user => exists $o{user} ? $o{user} : 'alice', port => $o{port} // 8080);
}

sub pays
{
    my ($coupons, $amount, $name, %o) = @_;
    my $answer = order($coupons, %o);

    is($answer->status, 200, "$name: accepted") or diag $answer->body;
    is($answer->json->{data}{pay_amount}, $amount, "$name: pays $amount") or diag $answer->body;

    return $answer->json->{data}{order_no};
}

# the public answer now, the reason in the log at the end

sub refuses
{
    my ($coupons, $reason, $name, %o) = @_;
    my $answer = order($coupons, %o);

    is($answer->status, $o{status} // 422, "$name: refused") or diag $answer->body;
    is($answer->code, $o{code} // 'COUPON_NOT_USABLE', "$name: public code") or diag $answer->body;
    push @refused, [ $o{key} // "k$n", $reason, $name ];

    return $answer;
}

sub shown
{
    my ($code, $what) = @_;

    return $t->cli_ok('coupon', 'show', $code) =~ /^$what\s+(\S+)/m ? $1 : undef;
}

sub becomes
{
    my ($code, $state, $name) = @_;

    my $seen;

    $t->wait_for(sub { ($seen = shown($code, 'state')) eq $state });
    is($seen, $state, $name);
}

sub notice
{
    my ($what, $id, $state, $name) = @_;
    my $answer = $t->post("/$what?id=$id", '');

    is($answer->status, 200, "$name: $what") or diag $answer->body;
    is($answer->json->{state}, $state, "$name: $state");
}

sub settled
{
    my ($id) = @_;

    $t->wait_for(sub { ($t->cli('order', 'show', '--id', $id))[0] == 0 })
        or diag "order $id is not settled";
}


# the window, half open

$t->campaign(id => 'window', discount => { fixed => 100 }, from => '2027-01-15T16:00:10+08:00',
             until => '2027-01-15T09:00:00Z');
my @window = $t->coupons('window', 2);

$t->clock($T0 + 9);
refuses([ $window[0] ], 'COUPON_NOT_STARTED', 'a second before the window');
$t->clock($T0 + 10);
pays([ $window[0] ], 9900, 'first second of the window');
$t->clock($T0 + 3600);
refuses([ $window[1] ], 'COUPON_EXPIRED', 'first second after the window');
$t->clock($T0 + 3599);
pays([ $window[1] ], 9900, 'last second of the window');


# minimum spend, measured on what the campaign admits

$t->campaign(id => 'minimum', discount => { fixed => 1000 }, minimum_spend => 5000);
my @minimum = $t->coupons('minimum', 2);

refuses([ $minimum[0] ], 'COUPON_MIN_SPEND', 'one fen below the minimum', price => 4999);
pays([ $minimum[0] ], 4000, 'the minimum', price => 5000);
refuses([ $minimum[1] ], 'COUPON_MIN_SPEND', 'lines of one fen below in sum',
        items => [ item('s1', 4998), item('s2', 1) ]);
pays([ $minimum[1] ], 4000, 'lines of the minimum in sum', items => [ item('s1', 4998), item('s2', 2) ]);

$t->campaign(id => 'sku', discount => { fixed => 1000 }, minimum_spend => 5000, skus => [ 'a1', 'a2' ]);
my @sku = $t->coupons('sku', 2);

refuses([ $sku[0] ], 'COUPON_SKU_NOT_ELIGIBLE', 'none of its SKUs', items => [ item('b1', 9000) ]);
refuses([ $sku[0] ], 'COUPON_SKU_NOT_ELIGIBLE', 'a SKU in another case', items => [ item('A1', 9000) ]);
refuses([ $sku[0] ], 'COUPON_SKU_NOT_ELIGIBLE', 'no lines at all', items => []);
refuses([ $sku[0] ], 'COUPON_MIN_SPEND', 'other SKUs do not help to the minimum',
        items => [ item('a1', 4999), item('b1', 9000) ]);
pays([ $sku[0] ], 8000, 'its SKU', items => [ item('a2', 5000), item('b1', 4000) ]);

$t->campaign(id => 'small', discount => { fixed => 1000 });
my @small = $t->coupons('small', 1);

pays([ $small[0] ], 0, 'a discount never goes below zero', price => 999);


# percentages round half up, then the cap

$t->campaign(id => 'percent', discount => { percent => 1500, cap => 5000 });
my @percent = $t->coupons('percent', 6);

for my $case ([ 3, 0 ], [ 4, 1 ], [ 33329, 4999 ], [ 33330, 5000 ], [ 33337, 5000 ], [ 999999, 5000 ]) {
    my ($price, $discount) = @$case;

    pays([ shift @percent ], $price - $discount, "15% of $price, 50.00 at most", price => $price);
}


# holder: the owner's only; a refused coupon's promoter wins nothing

$t->campaign(id => 'holder', discount => { fixed => 1000 }, promoter => 'C', holder => 'required');
my @holder = $t->coupons('holder', 2, '--holder', 'alice');

my $theirs = refuses([ $holder[0] ], 'COUPON_HOLDER_MISMATCH', "another buyer's coupon", user => 'bob');
is(shown($holder[0], 'state'), 'issued', "another buyer's coupon is untouched");

my $bob = pays([], 10000, 'the same key without it', user => 'bob', key => "k$n");
my $watched = order([ $holder[0] ], user => 'bob', port => 8084);
is($watched->status, 200, "another buyer's coupon, observed: the order goes on") or diag $watched->body;
is($watched->json->{data}{pay_amount}, 10000, '... at its full price');
my $observed = "k$n";

my $alice = pays([ $holder[0] ], 9000, "the holder's own");
my %seller = ($bob => undef, $watched->json->{data}{order_no} => undef, $alice => 'C');

$t->wait_events(sub { 3 == grep { $_->{type} eq 'order' && exists $seller{$_->{order_id} // ''} } @_ });

for my $event (grep { exists $seller{$_->{order_id} // ''} } $t->events('order')) {
    my $seller = delete $seller{$event->{order_id}};

    is($event->{seller}, $seller, $seller ? "an honoured coupon's promoter is credited"
                                          : "a refused coupon's promoter is not");
}

is(keys %seller, 0, 'three orders were told');

ok(!(grep { ($_->{headers}{'x-commerce-seller'} // '') eq 'C' && $_->{body} =~ /"client_key":"$observed"/ }
     $t->received), 'nor named to the backend');

my ($would) = grep { $_->{decision} eq 'would_deny' } $t->wait_events('deny',
    1 + grep { $_->[1] } @refused);
is($would->{reason}, 'COUPON_HOLDER_MISMATCH', 'observed: logged as such');


# limits; reservations count, releases give back

$t->campaign(id => 'total', discount => { fixed => 100 }, limits => { total => 2 });
my @total = $t->coupons('total', 4);

my @ids = map { pays([ $total[$_] ], 9900, "use $_ of 2 in total", user => "t$_") } 0, 1;
refuses([ $total[2] ], 'COUPON_TOTAL_LIMIT', 'one use more than in total', user => 't2');
is(shown($total[2], 'state'), 'issued', 'refused by the limit: untouched');
settled($ids[0]);
notice('cancel', $ids[0], 'cancelled', 'total limit');
pays([ $total[2] ], 9900, 'a release gives the use back', user => 't2');
refuses([ $total[3] ], 'COUPON_TOTAL_LIMIT', 'and only that one', user => 't3');

$t->campaign(id => 'user', discount => { fixed => 100 }, limits => { user => 2 });
my @user = $t->coupons('user', 6);

@ids = map { pays([ $user[$_] ], 9900, "use $_ of 2 by one user") } 0, 1;
refuses([ $user[2] ], 'COUPON_CUSTOMER_LIMIT', 'one use more than a user has');
pays([ $user[2] ], 9900, "another user's first", user => 'bob');
settled($ids[1]);
notice('confirm', $ids[1], 'paid', 'user limit');
refuses([ $user[3] ], 'COUPON_CUSTOMER_LIMIT', 'a redeemed use counts as well');
notice('cancel', $ids[1], 'cancelled', 'user limit');
pays([ $user[3] ], 9900, 'a rollback gives the use back');
refuses([ $user[4] ], 'COUPON_CUSTOMER_LIMIT', 'and only that one');


# disabled, and on again

$t->campaign(id => 'switch', discount => { fixed => 100 }, enabled => JSON::PP::false);
my @switch = $t->coupons('switch', 1);

refuses([ $switch[0] ], 'COUPON_DISABLED', 'disabled');
$t->campaign(id => 'switch', discount => { fixed => 100 });
pays([ $switch[0] ], 9900, 'enabled');


# codes that are none, and spellings of those that are

my $forged = $plain[0];
$forged =~ s/(.)$/$1 eq 'A' ? 'B' : 'A'/e;
my $moved = $plain[0];
substr $moved, 9, 1, substr($moved, 9, 1) eq '7' ? '8' : '7';

my @nobody = (
    [ $unminted, 'COUPON_NOT_FOUND', 'a genuine code that was not minted' ],
    [ $no_campaign, 'COUPON_NOT_FOUND', 'a genuine code of no campaign' ],
    [ $forged, 'COUPON_BAD_SIGNATURE', 'the last character changed' ],
    [ $moved, 'COUPON_BAD_SIGNATURE', 'another serial' ],
    [ substr($plain[0], 0, 19), 'COUPON_MALFORMED', '19 characters' ],
    [ "$plain[0]0", 'COUPON_MALFORMED', '21 characters' ],
    [ 'U' . substr($plain[0], 1), 'COUPON_MALFORMED', 'a U' ],
    [ substr($plain[0], 0, 19) . '!', 'COUPON_MALFORMED', 'a sign' ],
    [ substr($plain[0], 0, 19) . "\x{ff21}", 'COUPON_MALFORMED', 'a full-width letter' ],
    [ '0' x 65, 'COUPON_MALFORMED', '65 characters' ],
    [ 'x' x 5000, 'COUPON_MALFORMED', '5000 characters' ],
    [ '-', 'COUPON_MALFORMED', 'a dash' ],
    [ "$plain[0]\t", 'COUPON_MALFORMED', 'a tab behind it' ],
);

my %answers = ("another's" => $theirs);

for my $case (@nobody) {
    my ($code, $reason, $name) = @$case;

    $answers{$name} = refuses([ $code ], $reason, $name);
}

is(shown($plain[0], 'state'), 'issued', 'guesses touched nothing');

my ($marked) = grep { /0/ && /1.*1/ } @plain[1 .. $#plain];
my @rest = grep { $_ ne $plain[0] && $_ ne ($marked // '') } @plain;

SKIP: {
    skip 'no code has a 0 and two 1', 2 unless $marked;

    (my $typed = $marked) =~ s/0/O/;
    $typed =~ s/1/I/;
    $typed =~ s/1/l/;
    pays([ $typed ], 9900, 'O, I and l for 0, 1 and 1');
}

pays([ lc shift @rest ], 9900, 'lower case');
pays([ join '-', (shift @rest) =~ /(....)/g ], 9900, 'in fours, with dashes');


# whom to ask about an order without a buyer or a key

refuses([ $rest[0] ], 'COUPON_CUSTOMER_REQUIRED', 'nobody', user => undef, status => 401,
        code => 'COUPON_CUSTOMER_REQUIRED');
refuses([ $rest[0] ], 'COUPON_CUSTOMER_REQUIRED', 'a claimed user', port => 8085, status => 401,
        code => 'COUPON_CUSTOMER_REQUIRED');

my $keyless = $t->post('/api/orders', { items => [ item('s1', 10000) ], coupons => [ $rest[0] ] },
                       user => 'alice');
is($keyless->status, 422, 'a coupon without an order key');
is($keyless->code, 'COUPON_ORDER_REQUIRED', '... says what is missing');
is(shown($rest[0], 'state'), 'issued', 'and stays as it was');


# what is in use, by whom, and what cancelling gives back

my ($first, $second) = splice @rest, 0, 2;

my $one = pays([ $first ], 9900, 'one of two');
my $two = pays([ $second ], 9900, 'the other', user => 'bob');
settled($_) for $one, $two;

is(shown($first, 'state'), 'reserved', 'on=paid: reserved by the order');
$answers{reserved} = refuses([ $first ], 'COUPON_HELD_BY_OTHER_ORDER', 'reserved, by its own buyer');
refuses([ $first ], 'COUPON_HELD_BY_OTHER_ORDER', "reserved, by somebody else", user => 'bob');

notice('cancel', $one, 'cancelled', 'first order');
is(shown($first, 'state'), 'issued', 'cancelled: exactly this coupon is free');
is(shown($second, 'state'), 'reserved', '... the other is still reserved');
is(shown($first, 'cycles'), 0, '... by a release, no rollback');

$one = pays([ $first ], 9900, 'free: taken by another', user => 'carol');
settled($one);
notice('confirm', $one, 'paid', 'next order');
is(shown($first, 'state'), 'redeemed', 'paid: redeemed');
is(shown($first, 'user'), 'carol', '... by whom');
$answers{redeemed} = refuses([ $first ], 'COUPON_ALREADY_REDEEMED', 'redeemed', user => 'bob');

notice('cancel', $one, 'cancelled', 'paid order');
is(shown($first, 'state'), 'issued', 'cancelled after payment: rolled back');
is(shown($first, 'cycles'), 1, '... once');
is(shown($second, 'state'), 'reserved', '... and nothing else');

my $direct = pays([ $first ], 9900, 'on=order', port => 8082);
becomes($first, 'redeemed', 'on=order: redeemed by the answer');
refuses([ $first ], 'COUPON_ALREADY_REDEEMED', 'on=order: again', port => 8082);
notice('confirm', $direct, 'paid', 'on=order');
is(shown($first, 'state'), 'redeemed', 'on=order: payment changes nothing');
notice('cancel', $direct, 'cancelled', 'on=order');
is(shown($first, 'state'), 'issued', 'on=order: cancelled: rolled back');
is(shown($first, 'cycles'), 2, '... twice by now');


# several coupons in one order: all or nothing

$t->campaign(id => 'share', discount => { percent => 1500, cap => 1300 });
my @share = $t->coupons('share', 3);

refuses([ $first, $share[0] ], 'COUPON_STACK_LIMIT', 'two where one is allowed');
refuses([ $first, $share[0], $share[1] ], 'COUPON_STACK_LIMIT', 'three where two are allowed', port => 8083);
refuses([ $first, lc $first ], 'COUPON_DUPLICATE', 'one coupon twice', port => 8083);
refuses([ $first, $holder[1] ], 'COUPON_HOLDER_MISMATCH', "a good one and another's", port => 8083,
        user => 'bob');
refuses([ $first, $unminted ], 'COUPON_NOT_FOUND', 'a good one and none', port => 8083);
refuses([ $second, $first ], 'COUPON_HELD_BY_OTHER_ORDER', 'a reserved one and a good one', port => 8083);
is(shown($_, 'state'), 'issued', 'nothing of a refused order is reserved') for $first, $share[0];

# 100.01 - 1.00 = 99.01, of which 15% are 14.85, capped to 13.00

my $both = pays([ $first, $share[0] ], 8601, 'two coupons', port => 8083, price => 10001);
settled($both);
is(shown($_, 'state'), 'reserved', 'both are reserved') for $first, $share[0];

# 8.00 - 1.00 = 7.00, of which 15% are 1.05; the other order: 1.20 of 8.00, then 1.00

notice('cancel', $both, 'cancelled', 'two coupons');
is(shown($_, 'state'), 'issued', 'both are free again') for $first, $share[0];
pays([ $first, $share[0] ], 595, 'the second takes what the first left', port => 8083, price => 800);

my ($verdict) = map { $_->{headers}{'x-commerce-coupon'} } grep { $_->{body} =~ /"client_key":"k$n"/ } $t->received;
is($verdict, "$first,$share[0]", 'both are named to the backend');


# an outsider cannot tell one refusal from another

my $plain_bytes = sub { my $bytes = $_[0]{raw}; $bytes =~ s/^Date: [^\r]+\r\n//m or die 'no date'; $bytes };
my $expected = $plain_bytes->($answers{"another's"});

like($expected, qr/^HTTP\/1\.1 422 .*^Content-Type: application\/problem\+json\r\n.*"code":"COUPON_NOT_USABLE"/ms,
     'the one answer');
is($plain_bytes->($answers{$_}), $expected, "$_: the same bytes") for sort keys %answers;


# what the log knows, and what it does not

$t->wait_events(sub { my @deny = grep { $_->{type} eq 'deny' && $_->{decision} eq 'deny' } @_;
                      @deny >= @refused + 1 });

my %reasons;
push @{$reasons{$_->{order_key}}}, $_->{reason}
    for grep { $_->{decision} eq 'deny' && $_->{order_key} } $t->events('deny');

is_deeply($reasons{$_->[0]}, [ $_->[1] ], "$_->[2]: $_->[1] in the log") for @refused;

my $log = uc($t->read_file('events.jsonl') . $t->read_file('error.log'));
my %spelled;

for my $code (grep { length() > 12 && length() < 64 } @used) {
    $spelled{uc $code} = 1;
    $spelled{uc $code =~ tr/-//dr} = 1;
}

is(join(' ', grep { index($log, $_) >= 0 } sort keys %spelled), '', 'no code stands in a log');
ok(keys %spelled > 30, 'and there were many');

my ($code, $out, $err) = $t->cli(qw(store check));
is($code, 0, 'store check') or diag "$out$err";

$t->done_testing;
