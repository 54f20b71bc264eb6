#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Claiming: each limit and each boundary of time, retries, what a refusal says, and what a claimed coupon is
# worth afterwards.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new;
my $T0 = 1_800_000_000;         # 2027-01-15T08:00:00Z
my $DAY = 86_400;
my $count = 0;                  # coupons that were claimed

$t->clock($T0);
$t->keys;
$t->people("id,role,status,upline,user\nS,guide,active,,u-s\nR,koc,active,,u-r\n");
$t->cli_ok(qw(group put g1 --leader R));
$t->cli_ok(qw(group put g2 --leader R));
$t->cli_ok(qw(room put r1 --host R));

my $fixed = { fixed => 1000 };

$t->campaign(id => 'drop', discount => $fixed, claim => { stock => 3, user => 1 });
$t->campaign(id => 'daily', zone => 'Asia/Shanghai', discount => $fixed, claim => { stock => 100, day => 2, user_day => 1 });
$t->campaign(id => 'pair', discount => $fixed, claim => { stock => 100, user => 2 });
$t->campaign(id => 'many', discount => { percent => 1500, cap => 5000 }, minimum_spend => 9900,
             claim => { stock => 150 });
$t->campaign(id => 'groups', discount => $fixed, claim => { stock => 100, group => 2 });
$t->campaign(id => 'window', discount => $fixed, until => '2027-02-01T00:00:00Z',
             claim => { stock => 9, from => '2027-01-15T08:00:10Z', until => '2027-01-15T08:00:20Z' });
$t->campaign(id => 'week', discount => $fixed, until => '2027-01-25T00:00:00Z',
             claim => { stock => 9, valid_for => '7d' });
$t->campaign(id => 'later', discount => $fixed, from => '2027-01-20T00:00:00Z',
             claim => { stock => 9, valid_for => '1d' });
$t->campaign(id => 'dates', zone => 'Asia/Shanghai', discount => $fixed,
             claim => { stock => 9, from => '2027-01-16', until => '2027-01-16' });
$t->campaign(id => 'off', discount => $fixed, enabled => JSON::PP::false, claim => { stock => 9 });
$t->campaign(id => 'minted', discount => $fixed);

$t->storefront(8081, '--verdict-keys', $t->write_file('verdict.keys', $t->cli_ok(qw(keys export verdict))));

$t->http_conf(<<'EOC')->run;
    map $http_authorization $session_user {
        "~^Bearer user-(?<session_name>.+)$"  $session_name;
    }

    server {
        listen          127.0.0.1:8080;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   $session_user verified;
        commerce_touch  share $arg_st;
        commerce_touch  live_room $http_x_live_room attested;

        location / { proxy_pass http://127.0.0.1:8081; }
        location = /claim { commerce_coupon_claim campaign=$arg_campaign; }
        location = /claim/body { commerce_coupon_claim campaign=json:/campaign key=json:/key; }
        location = /mine { commerce_coupon_list; }
        location = /status { commerce_status; }

        location = /claimed {
            commerce_user $session_user claimed;
            commerce_coupon_claim campaign=drop;
        }

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payable=response:/data/pay_amount;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons;
            proxy_pass http://127.0.0.1:8081;
        }
    }
EOC

sub claim
{
    my ($user, $campaign, %o) = @_;
    my $st = defined $o{token} ? "&st=$o{token}" : '';

    return ($t->parallel({ method => 'POST', uri => "/claim?campaign=$campaign$st", body => '',
                           (defined $user ? (user => $user) : ()), headers => [
                               defined $o{key} ? ('Idempotency-Key' => $o{key}) : (),
                               defined $o{room} ? ('X-Live-Room' => $o{room}) : () ] }))[0];
}

sub claims
{
    my ($user, $campaign, $name, %o) = @_;

    my $answer = claim($user, $campaign, %o);

    is($answer->status, 201, "$name: claimed") or diag $answer->body;
    is($answer->json->{replay}, JSON::PP::false, "$name: for the first time");
    $count++;
    return $answer->json;
}

sub again
{
    my ($coupon, $user, $campaign, $name, %o) = @_;

    my $answer = claim($user, $campaign, %o);

    is($answer->status, 200, "$name: 200");
    is_deeply($answer->json, { %$coupon, replay => JSON::PP::true }, "$name: the same coupon");
}

sub refused
{
    my ($user, $campaign, $status, $code, $name, %o) = @_;
    my $answer = claim($user, $campaign, %o);

    is_deeply([ $answer->status, $answer->code ], [ $status, $code ], "$name: $code") or diag $answer->body;
}

sub shown
{
    my ($coupon) = @_;

    return { map { /^(\S.*?)\s{2,}(.*)$/ ? ($1 => $2) : () } split /\n/, $t->cli_ok('coupon', 'show', $coupon->{code}) };
}

sub order
{
    my ($key, $user, $code) = @_;

    return $t->post('/api/orders', { client_key => $key, coupons => [ $code ],
                                     items => [ { sku => 's1', count => 1, price => 9900 } ] }, user => $user);
}


# one each, until the stock is gone

my $first = claims('ann', 'drop', 'ann');

like($first->{code}, qr/^[0-9A-HJKMNP-TV-Z]{20}$/, 'a code');
is_deeply({ %$first, code => undef },
          { code => undef, campaign => 'drop', discount => $fixed, from => undef, until => undef,
            replay => JSON::PP::false }, 'what it is');

my $shown = shown($first);
is($shown->{holder}, 'ann', 'it is hers');
is($shown->{state}, 'issued', 'to be used');
is($shown->{claimed}, '2027-01-15T08:00:00Z', 'claimed now');

again($first, 'ann', 'drop', 'once more');
claims('ben', 'drop', 'ben');
claims('cyd', 'drop', 'cyd', key => 'k1');
refused('dan', 'drop', 409, 'COUPON_STOCK_EMPTY', 'the fourth');
again($first, 'ann', 'drop', 'hers when the stock is gone');
refused('cyd', 'drop', 422, 'COUPON_CUSTOMER_LIMIT', 'with a key another try is another claim', key => 'k2');

# only its holder can use it, once

is(order('o1', 'ben', $first->{code})->code, 'COUPON_NOT_USABLE', "ben has no use of ann's");
is(order('o2', 'ann', $first->{code})->status, 200, 'ann has');
ok($t->wait_for(sub { shown($first)->{state} eq 'redeemed' }), 'it is spent');
again($first, 'ann', 'drop', 'a claim is answered with it all the same');
is(order('o3', 'ann', $first->{code})->code, 'COUPON_NOT_USABLE', '... which does not make it new');

# by key

my $one = claims('eve', 'pair', 'key one', key => 'one');
my $two = claims('eve', 'pair', 'key two', key => 'two');

isnt($one->{code}, $two->{code}, 'two keys, two coupons');
again($one, 'eve', 'pair', 'key one again', key => 'one');
again($two, 'eve', 'pair', 'key two again', key => 'two');
refused('eve', 'pair', 422, 'COUPON_CUSTOMER_LIMIT', 'a third', key => 'three');
refused('eve', 'many', 409, 'COUPON_KEY_MISMATCH', "another campaign's key", key => 'one');
claims('fay', 'pair', "another user's key", key => 'one');
refused('eve', 'pair', 422, 'ORDER_KEY_MALFORMED', 'a key that is too long', key => 'k' x 129);

my $answer = $t->post('/claim/body', { campaign => 'pair', key => 'b1' }, user => 'gus');
is($answer->status, 201, 'campaign and key in the body');
$count++;
my $code = $answer->json->{code};
$answer = $t->post('/claim/body', { campaign => 'pair', key => 'b1' }, user => 'gus');
is_deeply([ $answer->status, $answer->json->{code} ], [ 200, $code ], '... the same twice');
is($t->post('/claim/body', { campaign => 'pair', key => [] }, user => 'gus')->code, 'BODY_MALFORMED', '... or none');

# without key and limit each request is a claim

isnt(claims('hal', 'many', 'without limit')->{code}, claims('hal', 'many', '... again')->{code}, 'two coupons');
is_deeply({ map { $_ => claims('hal', 'many', 'a third')->{$_} } qw(discount minimum_spend) },
          { discount => { percent => 1500, cap => 5000 }, minimum_spend => 9900 }, 'what it is worth');

# the day, by the campaign's zone

claims('ann', 'daily', 'of the day');
my $daily = claims('ben', 'daily', 'of the day');
refused('cyd', 'daily', 422, 'COUPON_DAILY_LIMIT', 'two a day');
again($daily, 'ben', 'daily', 'ben again');
refused('ben', 'daily', 422, 'COUPON_CUSTOMER_DAILY_LIMIT', 'not two for ben', key => 'k');

$t->clock(1_800_028_799);             # 23:59:59 there
refused('cyd', 'daily', 422, 'COUPON_DAILY_LIMIT', 'until the last second');
again($daily, 'ben', 'daily', 'ben, in the last second');
$t->clock(1_800_028_800);
my $next = claims('ben', 'daily', 'ben, in the first second of the next day');
isnt($next->{code}, $daily->{code}, 'is another coupon');
claims('cyd', 'daily', 'the second of that day');
refused('ann', 'daily', 422, 'COUPON_DAILY_LIMIT', 'the third of that day');
$t->clock($T0);

# when it is open

$t->clock($T0 + 9);
refused('ann', 'window', 422, 'COUPON_NOT_STARTED', 'one second early');
$t->clock($T0 + 10);
my $early = claims('ann', 'window', 'in the first second', key => 'w');
$t->clock($T0 + 19);
claims('ben', 'window', 'in the last');
$t->clock($T0 + 20);
refused('cyd', 'window', 422, 'COUPON_EXPIRED', 'one second late');
again($early, 'ann', 'window', 'a retry then', key => 'w');
is($early->{until}, '2027-02-01T00:00:00Z', 'what was claimed lives on');
$t->clock($T0);

$t->clock(1_800_028_799);
refused('ann', 'dates', 422, 'COUPON_NOT_STARTED', 'the day before, there');
$t->clock(1_800_028_800);
claims('ann', 'dates', 'the day begins');
$t->clock(1_800_028_800 + $DAY - 1);
claims('ben', 'dates', 'its last second');
$t->clock(1_800_028_800 + $DAY);
refused('cyd', 'dates', 422, 'COUPON_EXPIRED', 'the day after');
like($t->cli_ok(qw(campaign get dates)), qr/"from":\s*"2027-01-16",\s*"until":\s*"2027-01-16"/, 'shown as dates');
$t->clock($T0);

refused('ann', 'off', 422, 'COUPON_DISABLED', 'a campaign that is off');
refused('ann', 'later', 422, 'COUPON_EXPIRED', 'a coupon that would die unused');
$t->clock(1_800_403_200 - $DAY);
refused('ann', 'later', 422, 'COUPON_EXPIRED', '... by a second');
$t->clock(1_800_403_200 - $DAY + 1);
claims('ann', 'later', 'one that lives a second');
$t->clock($T0);

# how long it lives

my $week = claims('ann', 'week', 'seven days');
my $short = do { $t->clock($T0 + 5 * $DAY); claims('ben', 'week', 'the campaign ends first') };

is($week->{until}, '2027-01-22T08:00:00Z', 'seven days from the claim');
is($short->{until}, '2027-01-25T00:00:00Z', "not beyond the campaign's end");

$t->clock($T0 + 7 * $DAY - 1);
is((grep { $_->{code} eq $week->{code} } @{$t->get('/mine', user => 'ann')->json->{coupons}})[0]{usable},
   JSON::PP::true, 'usable in its last second');
$t->clock($T0 + 7 * $DAY);
is(order('w1', 'ann', $week->{code})->code, 'COUPON_NOT_USABLE', 'dead in the next');
is((grep { $_->{code} eq $week->{code} } @{$t->get('/mine', user => 'ann')->json->{coupons}})[0]{usable},
   JSON::PP::false, '... and listed as that');
like(shown($week)->{reason}, qr/^COUPON_EXPIRED: its time after the claim is over/, '... and shown');
is(order('w2', 'ben', $short->{code})->status, 200, 'the other is alive');
$t->clock($T0);

# by groups

my %token = (g1 => $t->token(qw(- --group g1)), g2 => $t->token(qw(- --group g2)), S => $t->token('S'));

claims("g$_", 'groups', "g1, $_", token => $token{g1}) for 1 .. 2;
refused('g3', 'groups', 422, 'COUPON_GROUP_LIMIT', 'the third of g1', token => $token{g1});
claims('g4', 'groups', 'g2', token => $token{g2});
claims("n$_", 'groups', "no group, $_") for 1 .. 2;
refused('n3', 'groups', 422, 'COUPON_GROUP_LIMIT', 'those without a group are one group');

$t->get("/?st=$token{g2}", user => 'g5');
claims('g5', 'groups', 'who came by g2 a while ago');
refused('g6', 'groups', 422, 'COUPON_GROUP_LIMIT', '... was its second', token => $token{g2});

claims('r1', 'pair', 'from a live room', room => 'r1', key => 'r');
claims('s1', 'pair', "by a seller's link", token => $token{S});

# who may not

refused(undef, 'drop', 401, 'COUPON_CUSTOMER_REQUIRED', 'nobody');
is($t->post('/claimed', '', user => 'ann')->code, 'COUPON_CUSTOMER_REQUIRED', 'somebody who only says so');
refused('ann', $_, 422, 'COUPON_NOT_USABLE', "no campaign to claim from: \"$_\"") for 'nothing', 'minted', '', 'x' x 200;
is($t->post('/claim?campaign=drop&campaign=many', '', user => 'zoe')->code, 'COUPON_NOT_USABLE', 'two campaigns at once');
is($t->get('/claim?campaign=many', user => 'ann')->status, 405, 'GET claims nothing');

# a code of the upper half is nothing without its record

mkdir $t->dir . '/elsewhere' or die "mkdir: $!\n";

my @elsewhere = ('--store', $t->dir . '/elsewhere');

$t->cli_ok(@elsewhere, 'campaign', 'put', $t->write_file('drop.json',
    '{"v":1,"id":"drop","discount":{"fixed":100}}'));

is($t->post('/claim?campaign=drop', '', user => 'ann')->status, 200, 'ann, once more');
my ($low) = map { /^(\w+),drop,0,/m ? $1 : () } $t->cli_ok(@elsewhere, qw(coupon mint drop 1));
is(order('e1', 'ann', $low)->code, 'COUPON_NOT_USABLE', 'nor is one of the lower half that was not minted');

# the list

is_deeply($t->get('/mine', user => 'nobody')->json, { coupons => [], more => JSON::PP::false }, 'an empty list');
is($t->get('/mine')->code, 'COUPON_CUSTOMER_REQUIRED', 'the list of nobody');

my $list = $t->get('/mine', user => 'eve')->json->{coupons};
is_deeply([ sort map { $_->{code} } @$list ], [ sort $one->{code}, $two->{code} ], "eve's coupons");
is_deeply({ %{$list->[0]}, code => undef }, { code => undef, campaign => 'pair', discount => $fixed, from => undef,
          until => undef, state => 'issued', usable => JSON::PP::true }, 'what is told of each');

my @given = $t->coupons('minted', 2, '--holder', 'eve');
is_deeply([ sort map { $_->{code} } @{$t->get('/mine', user => 'eve')->json->{coupons}} ],
          [ sort $one->{code}, $two->{code}, @given ], 'with those that she was given');

claims('hoarder', 'many', "hoard $_") for 1 .. 3;
$count += grep { $_->status == 201 }
    $t->parallel(map { { method => 'POST', uri => '/claim?campaign=many', user => 'hoarder', body => '' } } 1 .. 100);
$list = $t->get('/mine', user => 'hoarder')->json;
is_deeply([ scalar @{$list->{coupons}}, $list->{more} ], [ 100, JSON::PP::true ], 'a hundred, and that there are more');

is(scalar(split /\n/, $t->cli_ok(qw(coupon list --user hoarder))), 103, 'the tool lists all of them');
like($t->cli_ok(qw(coupon list --user ben)), qr/^week\/\d+\tredeemed\t2027-01-20T08:00:00Z\t2027-01-25T00:00:00Z$/m,
     '... with state, time and end');
is(($t->cli(qw(coupon list)))[0], 2, '... of a user');

# the log tells of each, and of no code

my @told = $t->wait_events('coupon_claim', $count);

is(scalar @told, $count, 'an event for each');

my ($by_group) = grep { $_->{campaign} eq 'groups' && ($_->{group} // '') eq 'g1' } @told;
is((grep { ($_->{key} // '') eq 'one' } @told), 2, 'the key, where there was one');
is($by_group->{seller}, 'R', 'a group is a dimension, its leader the seller');
is(scalar(grep { ($_->{group} // '') eq 'g2' } @told), 2, 'also a group of before');
is(scalar(grep { ($_->{room} // '') eq 'r1' && $_->{seller} eq 'R' } @told), 1, 'and the live room');
is(scalar(grep { ($_->{seller} // '') eq 'S' } @told), 1, 'and the seller');
is((grep { $_->{campaign} eq 'week' } @told)[0]{until}, $T0 + 7 * $DAY, 'the end');

my %serials;
$serials{"$_->{campaign}/$_->{serial}"}++ for @told;
is(scalar(grep { $_ > 1 } values %serials), 0, 'no coupon twice');

unlike($t->read_file($t->dir . '/events.jsonl'), qr/$first->{code}/, 'no code in the log');

# campaigns as files

for my $case ([ '{}', qr/member "claim\/stock" is missing/, 'no stock' ],
              [ '{"stock":0}', qr/member "claim\/stock" is 0; allowed is a whole number of claims from 1/, 'an empty stock' ],
              [ '{"stock":1,"valid_for":"0d"}', qr/"claim\/valid_for" is .*0d.*allowed is a time like/, 'no time' ],
              [ '{"stock":1,"valid_for":"7w"}', qr/"claim\/valid_for" is .*7w/, 'weeks' ],
              [ '{"stock":1,"valid_for":7}', qr/"claim\/valid_for" is 7;/, 'a number' ],
              [ '{"stock":1,"stoc":1}', qr/"claim\/stoc" is unknown/, 'misspelt' ],
              [ '{"stock":1,"from":"2027-01-01T00:00:00Z","until":"2027-01-01T00:00:00Z"}',
                qr/"claim\/until" must be after "claim\/from"/, 'no time between' ],
              [ '7', qr/member "claim" is 7; allowed is an object/, 'a number for an object' ])
{
    my ($json, $error, $name) = @$case;
    my ($rc, $out, $err) = $t->cli('campaign', 'put', $t->write_file('wrong.json',
        qq({"v":2,"id":"wrong","discount":{"fixed":1},"claim":$json})));

    is($rc, 1, "$name: refused");
    like($err, $error, "$name: and why");
}

my ($rc, $out, $err) = $t->cli('campaign', 'put', $t->write_file('again.json', $t->cli_ok(qw(campaign get window))));
is($rc, 0, 'what get shows, put takes') or diag $err;
like($out, qr/unchanged/, '... as the same');

($rc, $out, $err) = $t->cli(qw(store check));
is($rc, 0, 'store check') or diag "$out$err";

$t->done_testing;
