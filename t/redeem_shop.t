#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# The counter of a shop: checks, dynamic QR tokens second by second, who may redeem where, retries under one
# number, taking back within its window and not a second later.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new;
my $T0 = 1_800_000_000;         # the first second of a step of 30
my $DAY = 86_400;

$t->clock($T0);
$t->keys;
$t->people(<<'CSV');
id,role,status,upline,user,store
clerk,clerk,active,,u-clerk,north
guide,guide,active,,u-guide,
staff,staff,active,,u-staff,south
boss,employee,active,,u-boss,north
gone,clerk,left,,u-gone,north
frozen,clerk,suspended,,u-frozen,north
koc,koc,active,,u-koc,north
CSV

my $fixed = { fixed => 1000 };
my $claim = { stock => 1000 };

$t->campaign(id => 'plain', discount => $fixed, claim => $claim);
$t->campaign(id => 'qr', discount => $fixed, claim => $claim, redeem => { qr => 'required' });
$t->campaign(id => 'short', discount => $fixed, claim => { stock => 9, valid_for => '10m' });
$t->campaign(id => 'rich', discount => { percent => 1000 }, minimum_spend => 9900, skus => [ 'A-1' ], claim => $claim);
$t->campaign(id => 'led', discount => $fixed, claim => $claim, promoter => 'clerk');
$t->campaign(id => 'twice', discount => $fixed, claim => $claim, limits => { total => 2 });
$t->campaign(id => 'north', discount => $fixed, claim => $claim, stores => [ 'north' ]);
$t->campaign(id => 'evening', discount => $fixed, claim => $claim, zone => '+08:00',
             hours => [ { from => '18:00', until => '20:00' } ]);
$t->campaign(id => 'bearer', discount => $fixed);
$t->campaign(id => 'bearer1', discount => $fixed, limits => { user => 1 });
$t->campaign(id => 'held', discount => $fixed, holder => 'required');

$t->storefront(8081);

$t->http_conf(<<'EOC')->run;
    server {
        listen          127.0.0.1:8080;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   $http_x_user verified;

        location = /claim { commerce_coupon_claim campaign=$arg_campaign; }
        location = /check { commerce_coupon_check code=$arg_code; }
        location = /qr { commerce_coupon_qr code=json:/code; }
        location = /status { commerce off; commerce_status; }

        location = /redeem {
            commerce_coupon_redeem_shop code=json:/code request=json:/request store=$http_x_store
                                        amount=json:/amount sku=json:/sku unit=yuan;
        }

        location = /rollback {
            commerce_coupon_rollback_shop request=json:/request store=$http_x_store;
        }

        location = /rollback/short {
            commerce_coupon_rollback_shop request=json:/request window=60s;
        }

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons;
            commerce_coupon_redeem on=paid;
            proxy_pass http://127.0.0.1:8081;
        }
    }
EOC

my $requests = 0;

sub claim
{
    my ($campaign, $user) = @_;
    my $answer = $t->post("/claim?campaign=$campaign", '', headers => [ 'X-User' => $user // 'ann' ]);

    $answer->status == 201 or die "claim: " . $answer->body . "\n";
    return $answer->json->{code};
}

sub as
{
    my ($user, $uri, $body, %o) = @_;

    return $t->post($uri, $body, headers => [ defined $user ? ('X-User' => $user) : (),
                                              defined $o{store} ? ('X-Store' => $o{store}) : () ]);
}

sub redeem
{
    my ($user, $code, %o) = @_;

    return as($user, '/redeem', { code => $code, request => $o{request} // 'n' . ++$requests,
        (defined $o{amount} ? (amount => $o{amount}) : ()), (defined $o{sku} ? (sku => $o{sku}) : ()) }, %o);
}

sub rollback
{
    my ($user, $request, %o) = @_;

    return as($user, $o{uri} // '/rollback', { request => $request }, %o);
}

sub token
{
    my ($user, $code) = @_;

    return as($user, '/qr', { code => $code });
}

sub check { return $t->get("/check?code=$_[1]", headers => [ 'X-User' => $_[0] ]) }

sub accepted
{
    my ($answer, $name, %want) = @_;

    is($answer->status, 200, "$name: 200") or diag $answer->body;
    my $json = $answer->json // {};
    is_deeply({ map { $_ => $json->{$_} } keys %want }, \%want, "$name: answer") if %want;
    return $json;
}

sub refused
{
    my ($answer, $status, $code, $name) = @_;

    is_deeply([ $answer->status, $answer->code ], [ $status, $code ], "$name: $code") or diag $answer->body;
}

sub shown
{
    my ($code) = @_;

    return { map { /^(\S.*?)\s{2,}(.*)$/ ? ($1 => $2) : () } split /\n/, $t->cli_ok('coupon', 'show', $code) };
}

sub uses { return $t->cli_ok('campaign', 'list') =~ /^\d+\t$_[0]\t.*\t(\d+)$/m ? $1 : undef }


# a static code

my $code = claim('plain');
my $first = redeem('u-clerk', $code, request => 'till 4/1');

is_deeply(accepted($first, 'redeemed'), { request => 'till 4/1', state => 'redeemed', campaign => 'plain',
          verifier => 'clerk', store => 'north', discount => undef, time => '2027-01-15T08:00:00Z',
          replay => JSON::PP::false }, 'what the app is told');

is(shown($code)->{state}, 'redeemed', 'it is spent');
is(shown($code)->{'in shop'}, 'till 4/1', '... under its number');
is(uses('plain'), 1, '... and counted');

$t->advance(3600);
accepted(redeem('u-clerk', $code, request => 'till 4/1'), 'the same number', replay => JSON::PP::true,
         state => 'redeemed', time => '2027-01-15T08:00:00Z');
accepted(redeem('u-guide', $code, request => 'till 4/1'), 'from a colleague', replay => JSON::PP::true,
         verifier => 'clerk');
is(uses('plain'), 1, 'counted once');
refused(redeem('u-clerk', $code), 422, 'COUPON_ALREADY_REDEEMED', 'another number');
refused(redeem('u-clerk', claim('plain'), request => 'till 4/1'), 409, 'COUPON_KEY_MISMATCH', 'another coupon');
$t->clock($T0);

# twenty tills at once

$code = claim('plain');
my @answers = $t->parallel(map { { method => 'POST', uri => '/redeem', headers => { 'X-User' => 'u-clerk' },
                                   body => { code => $code, request => "race $_" } } } 1 .. 20);
is(scalar(grep { $_->status == 200 } @answers), 1, 'twenty tills: one redeems');
is(scalar(grep { $_->status == 422 && $_->code eq 'COUPON_ALREADY_REDEEMED' } @answers), 19, '... the others do not');

@answers = $t->parallel(map { { method => 'POST', uri => '/redeem', headers => { 'X-User' => 'u-clerk' },
                                body => { code => claim('plain', "r$_"), request => 'one' } } } 1 .. 5);
is(scalar(grep { $_->status == 200 } @answers), 1, 'one number, five coupons: one is redeemed');
is(scalar(grep { $_->status == 409 } @answers), 4, '... the others are told');

# who may, and where

$code = claim('plain');
refused(redeem(undef, $code), 401, 'USER_NOT_VERIFIED', 'nobody');
refused(redeem($_, $code), 403, 'COUPON_VERIFIER_NOT_ALLOWED', $_) for qw(ann u-gone u-frozen u-koc);
refused(redeem('u-clerk', $code, store => 'south'), 403, 'COUPON_VERIFIER_STORE_MISMATCH', "another store's clerk");
accepted(redeem('u-clerk', $code, store => 'north'), 'at home', store => 'north');
accepted(redeem('u-guide', claim('plain'), store => 'south'), 'who belongs to no store', store => 'south');
is(redeem('u-guide', claim('plain'))->json->{store}, undef, '... nowhere');
refused(redeem('u-clerk', claim('plain'), request => ''), 422, 'ORDER_KEY_MALFORMED', 'no number');
refused(redeem('u-clerk', claim('plain'), request => 'x' x 129), 422, 'ORDER_KEY_MALFORMED', 'a long number');
is($t->get('/redeem')->status, 405, 'GET redeems nothing');

# rules: staff are told which one

refused(redeem('u-clerk', claim('rich')), 422, 'COUPON_SKU_NOT_ELIGIBLE', 'nothing told of the goods');
refused(redeem('u-clerk', claim('rich'), sku => 'B-1', amount => '99.00'), 422, 'COUPON_SKU_NOT_ELIGIBLE', 'other goods');
refused(redeem('u-clerk', claim('rich'), sku => 'A-1', amount => '98.99'), 422, 'COUPON_MIN_SPEND', 'a fen too little');
refused(redeem('u-clerk', claim('rich'), sku => 'A-1', amount => 'free'), 422, 'ORDER_MALFORMED', 'no amount');
accepted(redeem('u-clerk', claim('rich'), sku => 'A-1', amount => '99.00'), 'the minimum', discount => 990);

refused(redeem('u-staff', claim('north')), 422, 'COUPON_STORE_NOT_ELIGIBLE', "another store's campaign");
refused(redeem('u-guide', claim('north')), 422, 'COUPON_STORE_NOT_ELIGIBLE', 'a store that nobody knows');
accepted(redeem('u-guide', claim('north'), store => 'north'), 'the right one');

$code = claim('evening');
refused(check('ann', $code), 422, 'COUPON_DAY_NOT_ELIGIBLE', 'a check before its hours');
refused(redeem('u-clerk', $code), 422, 'COUPON_DAY_NOT_ELIGIBLE', 'a till, too');
$t->clock($T0 + 2 * 3600);
accepted(check('ann', $code), 'a check within them');
accepted(redeem('u-clerk', $code), 'and the till');
$t->clock($T0);

accepted(redeem('u-clerk', claim('twice')), 'one of two') for 1 .. 2;
refused(redeem('u-clerk', claim('twice')), 422, 'COUPON_TOTAL_LIMIT', 'the third');

my ($bearer) = $t->coupons('bearer', 1);
my ($bearer1) = $t->coupons('bearer1', 1);
my ($held) = $t->coupons('held', 1, '--holder', 'ann');

accepted(redeem('u-clerk', $bearer), "a coupon that is nobody's");
refused(redeem('u-clerk', $bearer1), 422, 'COUPON_HOLDER_MISMATCH', '... where users have a limit');
accepted(redeem('u-clerk', $held), 'one that was given to somebody');

$code = claim('short');
$t->clock($T0 + 599);
accepted(check('ann', $code), 'in its last second', usable => JSON::PP::true);
$t->clock($T0 + 600);
refused(redeem('u-clerk', $code), 422, 'COUPON_EXPIRED', 'a second later');
$t->clock($T0);

# orders and shops do not take each other's

$code = claim('plain');
my $order = as('ann', '/api/orders', { client_key => 'o1', coupons => [ $code ],
                                       items => [ { sku => 's1', count => 1, price => 9900 } ] });
is($order->status, 200, 'an order has it');
refused(redeem('u-clerk', $code), 422, 'COUPON_HELD_BY_OTHER_ORDER', 'the shop cannot');
$code = claim('plain');
accepted(redeem('u-clerk', $code), 'the shop has it');
refused(as('ann', '/api/orders', { client_key => 'o2', coupons => [ $code ],
                                   items => [ { sku => 's1', count => 1, price => 9900 } ] }),
        422, 'COUPON_NOT_USABLE', 'an order cannot');

# forged codes: staff, too, have limits on guessing

my $bad = claim('plain');
substr($bad, 19, 1) = substr($bad, 19, 1) eq 'A' ? 'B' : 'A';
refused(redeem('u-boss', $bad), 422, 'COUPON_BAD_SIGNATURE', "forged, $_") for 1 .. 5;
refused(redeem('u-boss', $bad), 429, 'RATE_USER', 'the sixth within a minute');
refused(redeem('u-staff', 'hello', store => 'south'), 422, 'COUPON_MALFORMED', 'no code');
accepted(redeem('u-staff', claim('plain')), 'a typing error is no crime', store => 'south');

# dynamic QR: made for a step of 30 s, good in that and the next

$code = claim('qr');
refused(redeem('u-clerk', $code), 422, 'COUPON_QR_REQUIRED', 'the static code');

$t->clock($T0 + 29);
my $qr = accepted(token('ann', $code), 'a token', until => '2027-01-15T08:01:00Z', refresh => 1)->{qr};
like($qr, qr/^[0-9A-Z]{26}$/, 'alphanumeric');

$t->clock($T0 + 30);
my $next = accepted(token('ann', $code), 'a second later', refresh => 30)->{qr};
isnt($next, $qr, 'is another token');

$t->clock($T0 + 60);
refused(redeem('u-clerk', $qr), 422, 'COUPON_QR_EXPIRED', 'after a minute');
$t->clock($T0 - 1);
accepted(check('ann', $code), 'the coupon itself is untouched');
refused(redeem('u-clerk', $next), 422, 'COUPON_QR_EXPIRED', 'two steps early');
$t->clock($T0 + 59);
accepted(redeem('u-clerk', $qr, request => 'q1'), 'in its last second', state => 'redeemed', replay => JSON::PP::false);
$t->clock($T0 + 60);
accepted(redeem('u-clerk', $qr, request => 'q1'), 'a retry when the token is over', replay => JSON::PP::true);
refused(redeem('u-clerk', $next), 422, 'COUPON_ALREADY_REDEEMED', 'another token of that coupon');
$t->clock($T0);

$code = claim('qr');
$next = token('ann', $code)->json->{qr};
$t->clock($T0 - 30);
accepted(redeem('u-clerk', $next), 'a clock that is a step behind', state => 'redeemed');
$t->clock($T0);

refused(token('ben', claim('qr')), 422, 'COUPON_NOT_USABLE', "a token of somebody else's");
refused(token('ann', $code), 422, 'COUPON_ALREADY_REDEEMED', 'a token of a spent one');
refused(token(undef, $code), 401, 'COUPON_CUSTOMER_REQUIRED', 'a token for nobody');
refused(check('ann', $next), 422, 'COUPON_NOT_USABLE', 'a token is for the counter alone');

my $changed = accepted(token('ann', claim('qr')), 'another')->{qr};
substr($changed, 20, 1) = substr($changed, 20, 1) eq '7' ? '8' : '7';
refused(redeem('u-guide', $changed), 422, 'COUPON_BAD_SIGNATURE', 'a changed token');

# checks tell, and use nothing

$code = claim('plain', 'cleo');
my $before = shown($code);
is_deeply(accepted(check('cleo', $code), 'a check'), { usable => JSON::PP::true, code => $code, campaign => 'plain',
          discount => $fixed, from => undef, until => undef }, 'what it tells');
accepted(check('cleo', lc $code), 'a check, as it was typed', usable => JSON::PP::true);
is_deeply(shown($code), $before, 'nothing has changed');
refused(check('dora', $code), 422, 'COUPON_NOT_USABLE', "somebody else's");
my $other = check('dora', $code);
my $forged = check('dora', $bad);
is($other->body, $forged->body, 'is told as a forged one is');
refused(check('dora', ''), 422, 'COUPON_NOT_USABLE', 'no code');
accepted(redeem('u-clerk', $code), 'redeemed');
refused(check('cleo', $code), 422, 'COUPON_ALREADY_REDEEMED', 'of his own he is told why');
refused(check('dan', (claim('plain', 'x'))[0]), 422, 'COUPON_NOT_USABLE', "a stranger's, $_") for 1 .. 5;
refused(check('dan', $code), 429, 'TOO_MANY_TRIES', 'the sixth');
accepted(check('ann', ($t->coupons('bearer', 1))[0]), 'whoever has the code', usable => JSON::PP::true);
refused(check('twoer', claim('twice', 'twoer')), 422, 'COUPON_TOTAL_LIMIT', 'used up');

ok($t->wait_events(sub { grep { $_->{type} eq 'coupon_check' && $_->{campaign} eq 'short'
                                && $_->{reason} eq 'COUPON_OK' } @_ }), 'a check is logged');

# taking back: an hour, and no second more

my $seller = claim('led');
accepted(redeem('u-clerk', $seller, request => 'back'), 'redeemed');
is(uses('led'), 1, 'counted');
refused(rollback('ann', 'back'), 403, 'COUPON_VERIFIER_NOT_ALLOWED', 'by the holder');
refused(rollback('u-staff', 'back'), 403, 'COUPON_VERIFIER_STORE_MISMATCH', 'by another store');
refused(rollback('u-clerk', 'nothing'), 422, 'COUPON_NOT_FOUND', 'what was not redeemed');
$t->clock($T0 + 3600);
refused(rollback('u-clerk', 'back'), 409, 'COUPON_ROLLBACK_WINDOW', 'after an hour');
$t->clock($T0 + 3599);
accepted(rollback('u-boss', 'back'), 'a second before, by a colleague', state => 'rolled_back', replay => JSON::PP::false);
is(uses('led'), 0, 'the use is given back');
is(shown($seller)->{state}, 'issued', 'the coupon is free');
is(shown($seller)->{cycles}, 1, 'once');
accepted(rollback('u-clerk', 'back'), 'taken back again', state => 'rolled_back', replay => JSON::PP::true);
refused(redeem('u-clerk', $seller, request => 'back'), 409, 'COUPON_ALREADY_ROLLED_BACK', 'the number is used');
accepted(redeem('u-clerk', $seller, request => 'back 2'), 'another number');
accepted(rollback('u-clerk', 'back 2', uri => '/rollback/short'), 'at once');
accepted(redeem('u-clerk', $seller, request => 'back 3'), 'and again');
$t->advance(60);
refused(rollback('u-clerk', 'back 3', uri => '/rollback/short'), 409, 'COUPON_ROLLBACK_WINDOW', 'a window of a minute');
$t->clock($T0);

# an expired coupon stays expired

$code = claim('short', 'ben');
$t->clock($T0 + 599);
accepted(redeem('u-clerk', $code, request => 'late'), 'in its last second');
$t->clock($T0 + 600);
accepted(rollback('u-clerk', 'late'), 'taken back when it is over');
refused(redeem('u-clerk', $code), 422, 'COUPON_EXPIRED', 'is over');
$t->clock($T0);

# ten times and no more

$code = claim('plain');

for (1 .. 10) {
    is(redeem('u-clerk', $code, request => "cycle $_")->status, 200, "cycle $_");
    is(rollback('u-clerk', "cycle $_")->status, 200, "cycle $_ back");
}

accepted(redeem('u-clerk', $code, request => 'cycle 11'), 'the eleventh');
refused(rollback('u-clerk', 'cycle 11'), 409, 'COUPON_ROLLBACK_CYCLES', '... is for good');

# what the log tells

my @redeemed = grep { $_->{type} eq 'coupon_redeem' } $t->wait_events(sub {
    grep { $_->{type} eq 'coupon_redeem' && $_->{request} eq 'cycle 11' } @_ });

my ($event) = grep { $_->{request} eq 'back' } @redeemed;
is_deeply({ map { $_ => $event->{$_} } qw(campaign verifier store seller discount from to reason) },
          { campaign => 'led', verifier => 'clerk', store => 'north', seller => 'clerk', discount => undef,
            from => 'issued', to => 'redeemed', reason => 'COUPON_VERIFIER_IS_SELLER' },
          'who redeemed it where, and that he is paid for it');
like($event->{buyer}, qr/^0:/, 'the holder is a pseudonym');

($event) = grep { $_->{type} eq 'coupon_rollback' && $_->{request} eq 'back' } $t->events;
is_deeply({ map { $_ => $event->{$_} } qw(verifier from to) }, { verifier => 'boss', from => 'redeemed', to => 'issued' },
          'who took it back');
is((grep { ($_->{amount} // 0) == 9900 } @redeemed)[0]{discount}, 990, 'the amount, where it was told');

my $counters = $t->get('/status')->json->{counters};
is($counters->{COUPON_VERIFIER_IS_SELLER}, 3, 'the status counts staff who redeem for themselves');

unlike(join('', map { $_->body // '' } $first, @answers), qr/ann|r[1-5]\b/, 'no answer tells who the holder is');

my ($rc, $out, $err) = $t->cli(qw(store check));
is($rc, 0, 'store check') or diag "$out$err";

$t->done_testing;
