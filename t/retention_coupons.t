#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Coupons of campaigns that ended long ago go, with claims, redemptions and counters, and none of them can ever be spent
# again: not by a later end, another import, another campaign, an older backup.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new;
my $DAY = 86400;
my $T0 = 1_800_000_000;         # 2027-01-15T08:00:00Z
my $END = '2027-01-25T08:00:00Z';
my $LATER = '2035-01-01T00:00:00Z';

my %worth = (discount => { fixed => 100 }, until => $END);
my %OLD = (%worth, id => 'old', limits => { total => 100, user => 50, day => 50 }, zone => '+08:00');

$t->clock($T0);
$t->keys;
$t->people("id,role,status,upline,user,store\nclerk,clerk,active,,u-clerk,north\n");
$t->campaign(%OLD);
$t->campaign(%worth, id => 'drop', claim => { stock => 9, user => 1 });
$t->campaign(%worth, id => 'paper', codes => 'imported');
$t->campaign(%worth, id => 'untouched');
$t->campaign(id => 'endless', discount => { fixed => 100 });
$t->campaign(id => 'next', discount => { fixed => 100 }, codes => 'imported');
$t->storefront(8081);

$t->http_conf(<<'EOC')->run;
    commerce_retention orders=forever coupons=366d every=1s;
    commerce_coupon_guess off;

    server {
        listen          127.0.0.1:8080;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   $http_x_user verified;

        location = /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons imported=on;
            commerce_coupon_redeem on=paid deadline=16m;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /api/loose {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons imported=on;
            commerce_coupon_redeem on=paid deadline=16m in_doubt=release;
            proxy_pass http://127.0.0.1:8081/api/orders;
        }

        location = /confirm  { commerce_order_confirm id=$arg_id; }
        location = /claim    { commerce_coupon_claim campaign=drop; }
        location = /mine     { commerce_coupon_list; }
        location = /redeem   { commerce_coupon_redeem_shop code=json:/code request=json:/request; }
        location = /rollback { commerce_coupon_rollback_shop request=json:/request; }
    }
EOC

my $dir = $t->dir;
my %code;

@code{qw(spent reserved doubt never)} = $t->coupons('old', 4);
@code{qw(shop back)} = $t->coupons('old', 2, '--holder', 'anna');
($code{endless}) = $t->coupons('endless', 1);
$code{paper} = 'PAPER-0001';
$t->coupons('untouched', 1);

my $paper = $t->write_file('paper.csv', "code\nPAPER-0001\nPAPER-0002\n");

$t->cli_ok('coupon', 'import', 'paper', $paper);
$t->cli_ok('store', 'backup', "$dir/early");

for my $name (qw(spent endless paper)) {
    my $order = order($name, $code{$name});

    is($t->notify('/confirm?id=' . $order->json->{data}{order_no})->status, 200, "order $name is paid");
}

is(order('reserved', $code{reserved}, test => 'status500')->status, 500, 'an order in doubt');
is(order('doubt', $code{doubt}, test => 'status500', to => '/api/loose')->status, 500, 'another, of which the deadline decides');
is(shop('redeem', 'n1', $code{shop})->status, 200, 'one is spent in a shop');
is(shop('redeem', 'n2', $code{back})->status, 200, 'and one more');
is(shop('rollback', 'n2')->status, 200, 'which is taken back');

($code{claimed}) = $t->post('/claim', '', headers => { 'X-User' => 'anna' })->json->{code};
is(order('claimed', $code{claimed})->status, 200, 'a claimed one, of an order that nobody pays');

$t->advance(17 * 60);
ok($t->wait_for(sub { !grep { state($_) ne 'issued' } qw(doubt claimed) }, 10), 'the deadline releases what it may');

# until long after the end nothing goes

my @known = qw(spent redeemed reserved reserved doubt issued shop redeemed back issued never issued endless redeemed
               paper redeemed claimed issued);

$t->advance(10 * $DAY + 365 * $DAY);
like(collect(), qr/^\d+ records, 0 orders, 0 parked notices and 0 buyers let go$/, 'nothing before its time');
is(states(), "@known", 'each is what it was');
is(campaigns(), 'drop enabled endless enabled next enabled old enabled paper enabled untouched enabled', 'and each campaign');
is(format_of(), 2, 'the store is one that the version before reads');

# the worker closes the campaigns, and lets go what no order has

$t->advance(2 * $DAY);

my @gone = @known;
@gone[5, 7, 9, 11, 17] = ('unknown') x 5;

ok($t->wait_for(sub { states() eq "@gone" }, 20), 'what nobody has goes') or diag states();
is(campaigns(), 'drop closed endless enabled next enabled old closed paper closed untouched enabled', 'of closed campaigns');
is(format_of(), 3, 'the version before stays outside from now on');
is(join(' ', sort map { $_->{campaign} } $t->wait_events('campaign_close', 3)), 'drop old paper', 'the log tells which');
checked('with orders that are kept');

is(($t->cli('order', 'confirm', 'doubt', '--user', 'anna'))[0], 0, 'an order in doubt is told to be paid, very late');
is((grep { $_->{order_key} eq 'doubt' } $t->wait_events('paid', 4))[-1]{reason}, 'COUPON_RESERVATION_LOST',
   'its coupon was released, and may have been spent since: it is lost');
is(state('doubt'), 'unknown', 'it is not spent now');

# and the rest after its orders

$t->cli_ok('store', 'backup', "$dir/late");
like(collect('--orders', 60), qr/^\d+ records, 4 orders/, 'then the orders go');
collect();
@gone[1, 15] = ('unknown') x 2;
is(states(), "@gone", 'and what they had: but the one in doubt');
like($t->cli_ok('campaign', 'list'), qr/\told\tclosed\t.*\t6\t3$/m, 'how many were used is not forgotten');
checked('with the rest');

unusable('now');

# whoever tries to open it again

for my $put ([ 'a later end', until => $LATER ], [ 'no end', until => undef ], [ 'a limit', limits => { total => 5 } ]) {
    my ($what, %change) = @$put;
    my ($rc, $said) = put(%OLD, %change);

    is($rc, 1, "a closed campaign with $what");
    like($said, qr/campaign "old" is closed since 2028-\S+: .*make another/, 'is refused, with the reason');
}

is((put(%OLD))[0], 0, 'as it is, it may be put');
is((put(%worth, id => 'untouched', until => $LATER))[0], 0, 'one that gave out nothing is opened again');
is(order('untouched', ($t->coupons('untouched', 1))[0])->status, 200, 'and works');

like(refused('coupon', 'mint', 'old', 1), qr/"old" is closed/, 'no more codes');
like(refused('coupon', 'import', 'paper', $t->write_file('more.csv', "code\nPAPER-0003\n")), qr/"paper" is closed/,
     'by no other file, either');
like($t->cli_ok('coupon', 'import', 'paper', $paper), qr/^imported 0 /, 'nothing by the same one');
like(refused('coupon', 'import', 'next', $paper), qr/in campaign number \d+ already/, 'or into another campaign');
unusable('after that');

# older copies of the store, with what the log knows

for my $backup (qw(early late)) {
    $t->stop;
    like($t->cli_ok('store', 'restore', "$dir/$backup", '--replay', "$dir/events.jsonl"), qr/ 0 failed$/m, "$backup backup");
    like(campaigns(), qr/drop closed .*old closed paper closed/, 'what was closed is closed');
    is((put(%OLD, until => $LATER))[0], 1, 'and stays so');
    $t->run;
    unusable("after the restore of the $backup backup");
    ok($t->wait_for(sub { state('shop') eq 'unknown' }, 20), 'what had gone goes again');
    checked("after the restore of the $backup backup");
}

for my $wrong ('coupons=365d', 'coupons=soon') {
    $t->conf_fails("commerce_retention $wrong;", qr/"\Q$wrong\E" in "commerce_retention".*coupons=forever or at least 366d/,
                   "refused: $wrong");
}

$t->done_testing;


sub order
{
    my ($key, $coupon, %option) = @_;

    return $t->post($option{to} // '/api/orders', {
        client_key => $key,
        items      => [ { sku => 's1', count => 1, price => 5000 } ],
        coupons    => [ $coupon // () ],
    }, headers => { 'X-User' => 'anna', $option{test} ? ('X-Test' => $option{test}) : () });
}


sub shop
{
    my ($what, $request, $code) = @_;

    return $t->post("/$what", { request => $request, code => $code // '' }, headers => { 'X-User' => 'u-clerk' });
}


sub state { return ($t->cli_ok('coupon', 'show', $code{$_[0]}) =~ /^state +(\w+)/m)[0] }
sub states { return join ' ', map { $known[$_], state($known[$_]) } map { 2 * $_ } 0 .. $#known / 2 }
sub collect { return join '', $t->cli_ok('store', 'collect', '--coupons', 366, '--orders', 'forever', @_) }
sub format_of { return ($t->cli_ok('store', 'stat') =~ /^format +(\d+)/m)[0] }


sub campaigns
{
    my %state = map { (split /\t/)[1, 2] } split /\n/, $t->cli_ok('campaign', 'list');

    return join ' ', map { "$_ $state{$_}" } sort keys %state;
}


sub put
{
    my (%campaign) = @_;

    delete $campaign{until} unless defined $campaign{until};

    my ($rc, undef, $error) = $t->cli('campaign', 'put', $t->write_file('put.json',
        Test::NgxCommerce::json()->encode({ v => 2, enabled => JSON::PP::true, %campaign })));

    return ($rc, $error);
}


sub refused
{
    my ($rc, undef, $error) = $t->cli(@_);

    return $rc == 1 ? $error : "exit code $rc";
}


sub checked
{
    my ($when) = @_;

    ok($t->wait_for(sub { $t->cli_ok('store', 'stat') =~ /^outbox +0/m }, 10), "$when: the log is written");

    my ($rc, $out) = $t->cli('store', 'check', '--log', "$dir/events.jsonl");
    like($out, qr/ 0 violations/, "$when: store and log agree") or diag $out;
}


sub unusable
{
    my ($when) = @_;
    my $try = 0;

    for my $name (grep { $_ ne 'endless' } sort keys %code) {
        $try++;
        my $answer = order("thief-$try-$when" =~ tr/ /-/r, $code{$name});

        is($answer->status . ' ' . $answer->code, '422 COUPON_NOT_USABLE', "$when: $name buys nothing");
        isnt(shop('redeem', "thief-$try", $code{$name})->status, 200, "$when: nor in a shop");
    }

    my $mine = "-$when" =~ tr/ /-/r;
    my $denied = sub { grep { $_->{type} eq 'deny' && ($_->{order_key} // '') =~ /^thief-\d+\Q$mine\E$/ } @_ };

    is(join(' ', map { $_->{reason} } $denied->($t->wait_events(sub { $denied->(@_) == $try }))),
       join(' ', ('COUPON_EXPIRED') x $try), "$when: the log says why");
    is($t->post('/claim', '', headers => { 'X-User' => 'anna' })->code, 'COUPON_EXPIRED', "$when: nor is one claimed again");
    is(shop('rollback', 'n1')->status == 200, '', "$when: nothing is taken back");
}
