#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Commission: the plan as an operator keeps it, the rates that an order takes along, and amounts that finance computes
# from the log alone.

use strict;
use warnings;

use List::Util qw(sum0);

use lib 't/lib';
use Test::More;
use Test::NgxCommerce qw(json);
use Test::NgxCommerce::Schema qw(invalid);

my $t = Test::NgxCommerce->new;

$t->clock(1_800_000_000);
$t->keys;
$t->people(<<'CSV');
id,role,status,upline,user
rosa,koc,active,,u-rosa
anna,customer,active,rosa,u-anna
lina,guide,active,,u-lina
bert,koc,active,,u-bert
CSV

$t->campaign(id => 'autumn', discount => { fixed => 1000 });

my ($coupon) = $t->coupons('autumn', 1);
my $files = 0;

sub file { return $t->write_file('plan' . ++$files . '.json', $_[0]) }

# the tool's exit code and all that it said

sub tool
{
    my ($code, $out, $err) = $t->cli(@_);

    return ($code, $out . $err);
}

$t->storefront(8081);

my $server = sub {
    my ($port, $commission) = @_;

    return <<"EOC";
    server {
        listen          127.0.0.1:$port;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   \$http_x_user verified;
        commerce_touch  share \$arg_st;

        location /api/orders {
            $commission
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payable=response:/data/pay_amount;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons max=2;
            commerce_coupon_redeem on=paid deadline=16m;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /paid { commerce_order_confirm id=json:/order; }
        location = /cancel { commerce_order_cancel id=json:/order; }

        location = /refund {
            commerce_order_refund id=json:/order refund=json:/refund amount=json:/fen
                                  lines=json:/lines line_number=/line line_amount=/fen;
        }
    }
EOC
};

$t->http_conf($server->(8080, '')
    . $server->(8082, 'commerce_commission platform=json:/paid_by double_pay=deny;')
    . $server->(8083, 'commerce_commission platform=$http_x_paid_by double_pay=allow;'))->run;

my %token = map { $_ => $t->token($_) } qw(anna lina bert rosa);
my $orders = 0;


# an order by a link of this seller's; its id at the storefront

sub order
{
    my ($seller, $items, %o) = @_;
    my $key = 'k' . ++$orders;

    my $answer = $t->post('/api/orders?st=' . ($token{$seller} // ''),
        { client_key => $key, items => $items, coupons => $o{coupons} // [], %{$o{more} // {}} },
        port => $o{port} // 8080,
        headers => { 'X-User' => $o{user} // "buyer-$key", %{$o{headers} // {}} });

    is($answer->status, 200, "order $key");

    $t->wait_events(sub { grep { $_->{order_key} eq $key } grep { $_->{type} eq 'order' } @_ });

    return ($answer->json->{data}{order_no}, $key);
}


sub told
{
    my ($type, $key) = @_;

    return (grep { $_->{order_key} eq $key } $t->events($type))[-1];
}


sub wait_told
{
    my ($type, $key, $count) = @_;

    ok($t->wait_for(sub { grep({ $_->{order_key} eq $key } $t->events($type)) >= ($count // 1) }), "$type of $key");

    return told($type, $key);
}


sub rates { return join(' ', map { join('/', map { $_ // '-' } @$_{qw(seller rate1 rate2)}) } @{$_[0]{lines}}) }

sub payees { return join(' ', map { "$_->{seller}/$_->{tier}/" . ($_->{amount} // '-') } @{$_[0] // []}) }

sub paid
{
    my ($id, $key) = @_;

    is($t->post('/paid', { order => $id })->status, 200, "$key is paid");

    return wait_told('paid', $key);
}


my @lines = ({ sku => 'A', count => 1, price => 9900 }, { sku => 'B', count => 2, price => 1001 });

subtest 'no plan, no commission' => sub {
    my ($id, $key) = order('anna', \@lines);
    my $order = told('order', $key);

    is($order->{commission}, undef, 'the order says nothing of it');
    is(rates($order), 'anna/-/- anna/-/-', 'nor do its lines');
    is(paid($id, $key)->{commission}, undef, 'nor its payment');

    my ($code, $said) = tool(qw(commission get));
    is($code, 1, 'there is no plan');
    like($said, qr/shop "demo" has no commission plan: nobody gets any commission/, 'is told');
};

my $plan = '{"v":1,"rules":[{"sku":["B"],"person":["anna"],"tier1":1000,"tier2":2000},'
    . '{"campaign":["autumn"],"tier1":100,"tier2":50},{"role":["guide"],"tier1":800,"tier2":0},'
    . '{"tier1":1000,"tier2":500}]}';

subtest 'the plan' => sub {
    my ($code, $said);

    for my $bad (['{"v":1,"rules":[{"tier1":2001,"tier2":1000}]}', qr/member "rules\/0" pays tiers 1 and 2 3001 basis points together; the cap is 3000/],
        ['{"v":1,"rules":[{"tier1":1,"tier2":1,"tier3":1}]}', qr/member "rules\/0\/tier3" is unknown/],
        ['{"v":1,"rules":[{"tier1":1}]}', qr/member "rules\/0\/tier2" is missing/])
    {
        ($code, $said) = tool('commission', 'put', file($bad->[0]));
        is($code, 1, "refused: $bad->[0]");
        like($said, $bad->[1], '... with the reason');
        like($said, qr/nothing was changed, correct the file/, '... and the store is as it was');
    }

    is((tool('commission', 'lint', file($plan)))[0], 3, 'suspicious');
    like((tool('commission', 'lint', file($plan)))[1], qr/"rules\/0" pays who recruited the seller more than the seller/,
        'the recruiter gets more');

    like($t->cli_ok('commission', 'put', file($plan)), qr/^commission plan: version 1, created$/, 'put');
    like($t->cli_ok('commission', 'put', file($plan)), qr/version 1, unchanged/, 'put again');

    is($t->cli_ok('commission', 'get'), <<'END', 'one rule on a line');
{"v":1,
 "cap":3000,
 "cap_over":"tiers",
 "rules":[
  {"sku":["B"],"person":["anna"],"tier1":1000,"tier2":2000},
  {"campaign":["autumn"],"tier1":100,"tier2":50},
  {"role":["guide"],"tier1":800,"tier2":0},
  {"tier1":1000,"tier2":500}]}
END

    like($t->cli_ok('commission', 'put', file($t->cli_ok('commission', 'get'))), qr/version 1, unchanged/,
        'what get gives back is what was put');

    ($code, $said) = tool('commission', 'diff', file($plan));
    is($code, 0, 'no difference');
    is($said, '', 'says nothing');

    ($code, $said) = tool('commission', 'diff',
        file($plan =~ s/"v":1/"v":1,"cap":3500,"cap_over":"all"/r =~ s/800/900/r));
    is($code, 3, 'a difference');
    is($said, <<'END', 'the cap, and the rule that changes');
-"cap":3000
-"cap_over":"tiers"
+"cap":3500
+"cap_over":"all"
-{"role":["guide"],"tier1":800,"tier2":0}
+{"role":["guide"],"tier1":900,"tier2":0}
END

    is((tool(qw(commission put)))[0], 2, 'usage');
    is((tool(qw(commission get 0)))[0], 2, 'no version 0');
    is((tool(qw(commission get 2)))[0], 1, 'no version 2 yet');
};

my ($first, $first_key);

subtest 'an order takes its rates along' => sub {
    ($first, $first_key) = order('anna', \@lines);

    my $order = told('order', $first_key);

    is(rates($order), 'anna/1000/500 anna/1000/2000', 'the lines, without any reload');
    is_deeply($order->{commission}, { ledger => 'shop', plan => 1, cap => 3000, cap_over => 'tiers' }, 'its terms');

    like($t->cli_ok('commission', 'put', file('{"v":1,"cap":1500,"rules":[{"tier1":1500,"tier2":0}]}')),
        qr/version 2, replaced/, 'another plan');

    my ($other, $other_key) = order('anna', \@lines);

    is(rates(told('order', $other_key)), 'anna/1500/0 anna/1500/0', 'another order has its rates');

    # 9900: 990, 495.  2002: 200.2, 400.4

    is(payees(paid($first, $first_key)->{commission}{payees}), 'anna/1/1190 rosa/2/895', 'the first one its own');
    is(payees(paid($other, $other_key)->{commission}{payees}), 'anna/1/1785 rosa/2/0', 'the other one');

    my $shown = json->decode($t->cli_ok('order', 'show', $first_key));

    is(payees($shown->{commission}{payees}), 'anna/1/1190 rosa/2/895', 'order show');
    is("$shown->{lines}[1]{rate1} $shown->{lines}[1]{rate2}", '1000 2000', 'with rates');
    is($shown->{commission}{plan}, 1, 'and the plan');
    like($t->cli_ok('commission', 'get', 1), qr/"tier2":2000/, 'that can still be read');

    $t->cli_ok('commission', 'put', file($plan));
};

subtest 'whose rule it is' => sub {
    is(rates(told('order', (order('lina', \@lines))[1])), 'lina/800/0 lina/800/0', 'a role');
    is(rates(told('order', (order('bert', \@lines))[1])), 'bert/1000/500 bert/1000/500', 'none of them: the last rule');

    my ($id, $key) = order('bert', \@lines);
    is(payees(paid($id, $key)->{commission}{payees}), 'bert/1/1190', 'nobody recruited him');

    is(rates(told('order', (order('bert', \@lines, coupons => [$coupon]))[1])), 'bert/100/50 bert/100/50', 'a campaign');
    is(rates(told('order', (order('none', \@lines))[1])), '-/-/- -/-/-', 'the house');

    ($id, $key) = order('anna', \@lines, user => 'u-rosa');
    is(payees(paid($id, $key)->{commission}{payees}), 'anna/1/1190', 'the buyer recruited the seller: not paid for it');

    ($id, $key) = order('anna', \@lines, user => 'u-anna');
    is(payees(paid($id, $key)->{commission}{payees}), '', "the seller's own purchase");
};

subtest 'refunds' => sub {
    my @parts = ([1, 3333], [2, 1001], [1, 17], [2, 500], [1, 2001]);
    my ($a, $a_key) = order('anna', \@lines);
    my ($b, $b_key) = order('anna', \@lines);
    my $n = 0;

    paid($a, $a_key);
    paid($b, $b_key);

    for my $part (@parts) {
        is($t->post('/refund', { order => $a, refund => "a$n", fen => $part->[1],
            lines => [{ line => $part->[0], fen => $part->[1] }] })->status, 200, "refund $n");
        wait_told('refund', $a_key, ++$n);
    }

    $n = 0;

    for my $part (reverse @parts) {
        $t->post('/refund', { order => $b, refund => 'b' . $n++, fen => $part->[1],
            lines => [{ line => $part->[0], fen => $part->[1] }] });
    }

    wait_told('refund', $b_key, scalar @parts);

    # left: 4549 of the first line, 501 of the second: 454.9 and 50.1; 227.45 and 100.2

    my $left = 'anna/1/505 rosa/2/327';

    is(payees(told('refund', $a_key)->{commission}{payees}), $left, 'what is left of it');
    is(payees(told('refund', $b_key)->{commission}{payees}), $left, 'in any order of parts');

    for my $key ($a_key, $b_key) {
        my %sum;

        for my $event (grep { ($_->{order_key} // '') eq $key } $t->events) {
            my $change = $event->{type} eq 'paid' ? $event->{commission}{payees}
                : $event->{type} eq 'refund' ? $event->{refund}{commission} : [];

            $sum{$_->{seller}} += $_->{amount} for @$change;
        }

        is("anna/1/$sum{anna} rosa/2/$sum{rosa}", $left, "the log of $key adds up to the same");
    }

    is($t->post('/refund', { order => $a, refund => 'rest', fen => 4549 + 501 })->status, 200, 'the rest');
    is(payees(wait_told('refund', $a_key, @parts + 1)->{commission}{payees}), 'anna/1/0 rosa/2/0', 'nothing is left');
    is(payees(told('refund', $a_key)->{refund}{commission}), 'anna/1/-505 rosa/2/-327', 'what that took away');
};

subtest 'a commission that a platform pays' => sub {
    my ($id, $key) = order('anna', \@lines, port => 8082, more => { paid_by => 'wechat' });
    my $order = told('order', $key);

    is(rates($order), 'anna/0/0 anna/0/0', 'deny: ours is nothing');
    is_deeply($order->{commission}, { ledger => 'platform', platform => 'wechat', double_pay => 'deny',
        reason => 'PLATFORM_PAYS', plan => 3, cap => 3000, cap_over => 'tiers' }, 'in a ledger of its own, with the reason');
    is(payees(paid($id, $key)->{commission}{payees}), 'anna/1/0 rosa/2/0', 'nothing is earned');

    for my $none ({}, { paid_by => undef }, { paid_by => '' }, { paid_by => 0 }, { paid_by => 'false' }) {
        is(rates(told('order', (order('anna', \@lines, port => 8082, more => $none))[1])),
            'anna/1000/500 anna/1000/2000', 'no platform: ' . json->encode($none));
    }

    ($id, $key) = order('anna', \@lines, port => 8082, more => { paid_by => { name => 'x' } });
    is(told('order', $key)->{commission}{platform}, 'unknown', 'what cannot be read is not paid twice');

    ($id, $key) = order('anna', \@lines, port => 8083, headers => { 'X-Paid-By' => 'douyin' });
    $order = told('order', $key);
    is(rates($order), 'anna/1000/500 anna/1000/2000', 'allow: ours as well');
    is("$order->{commission}{ledger} $order->{commission}{platform} $order->{commission}{double_pay}",
        'shop douyin allow', 'and the platform is named');
};

subtest 'cancelled' => sub {
    my ($id, $key) = order('anna', \@lines);

    paid($id, $key);
    is($t->post('/cancel', { order => $id })->status, 200, 'cancelled');
    ok($t->wait_for(sub { (told('order', $key)->{state} // '') eq 'cancelled' }), 'is told');
    is(payees(told('order', $key)->{commission}{payees}), 'anna/1/0 rosa/2/0', 'nobody earns anything');
};

subtest 'configuration' => sub {
    my $in = sub { return $server->(8080, $_[0]) };

    $t->conf_fails($in->('commerce_commission double_pay=deny;'), qr/"commerce_commission" directive needs platform=.* in .*:\d+/,
        'no platform');
    $t->conf_fails($in->('commerce_commission platform=$http_x double_pay=maybe;'),
        qr/"double_pay=maybe".*allowed.*platform=, double_pay=deny, double_pay=allow.* in .*:\d+/, 'a wrong word');
    $t->conf_fails('commerce_commission platform=json:/x;' . $in->(''),
        qr/invalid source "json:\/x" in "commerce_commission".* in .*:\d+/, 'a body for all locations');
    $t->conf_ok('commerce_commission platform=$http_x;' . $in->(''), 'a header for all of them');
};

my $dir = $t->dir;

subtest 'the store and the log' => sub {
    my $backup = "$dir/backup";

    is((tool('store', 'check', '--log', "$dir/events.jsonl"))[0], 0, 'they agree');
    $t->cli_ok('store', 'backup', $backup);

    my ($id, $key) = order('anna', \@lines);

    paid($id, $key);
    $t->quit;

    like($t->cli_ok('store', 'restore', $backup, '--replay', "$dir/events.jsonl"), qr/\S/, 'restored');

    my $shown = json->decode($t->cli_ok('order', 'show', $key));

    is(payees($shown->{commission}{payees}), 'anna/1/1190 rosa/2/895', 'an order after the backup has its rates');
    is($shown->{commission}{plan}, 3, 'and its plan');
    is((tool('store', 'check'))[0], 0, 'nothing is wrong with the store');
};

my $schema = json->decode($t->read_file("$Test::NgxCommerce::ROOT/t/event.schema.json"));

is_deeply([ grep { defined } map { invalid($schema, $_) } $t->events ], [], 'the log is as its schema says');

$t->done_testing;
