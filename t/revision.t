#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# A platform tells of an order that was made already who brought its buyer: until the freeze date it may win the
# order's lines, by the order of classes as if it had come with the order; after it, it is only told of.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use JSON::PP;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new;

use constant { HOUR => 3600, DAY => 86400 };

my $T0 = 1_800_000_000;

$t->clock($T0);
$t->keys;
$t->people("id,role,upline,user\nR,koc,,\nA,guide,,u-a\nB,koc,R,openid-b\nC,guide,,openid-c\n");
$t->cli_ok(qw(room put live1 --host C));
$t->cli_ok('commission', 'put', $t->write_file('plan.json', encode_json({ v => 1, cap => 3000,
    rules => [ { person => ['B'], tier1 => 1000, tier2 => 500 }, { tier1 => 200, tier2 => 0 } ] })));
my $share = $t->token('A', '--days', 400);

$t->storefront(8081);

my $server = sub {
    my ($port, $priority) = @_;

    return <<"EOC";
    server {
        listen            127.0.0.1:$port;
        commerce_shop     demo;
        commerce          enforce;
        commerce_priority $priority;

        location /api/orders {
            commerce_user    \$http_x_user verified;
            commerce_touch   share \$arg_st;
            commerce_binding validity=30d protect=15d;
            commerce_order_freeze 7d;
            commerce_order   key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            proxy_pass       http://127.0.0.1:8081;
        }

        location = /paid { commerce_order_confirm id=json:/order; }
        location = /status { commerce_status; }
        location = /settle { commerce_order_settle id=json:/order; }

        location = /platform {
            commerce_user         \$http_x_user verified;
            commerce_touch        sharer json:/sharer attested;
            commerce_touch        live_room json:/room attested;
            commerce_order_revise id=json:/order;
        }
    }
EOC
};

$t->http_conf($server->(8080, 'touch_first') . $server->(8082, 'protect_first'))->run;

my ($key, %id) = (0);

sub order
{
    my ($user, %o) = @_;
    my $answer = $t->post('/api/orders' . ($o{share} ? "?st=$share" : ''),
        { client_key => 'k' . ++$key, items => [ { sku => 's1', count => 1, price => 1000 }, { sku => 's2', count => 1, price => 500 } ] },
        port => $o{port} // 8080, headers => { 'X-User' => $user });

    $id{"k$key"} = $answer->json->{data}{order_no};
    $t->wait_for(sub { ($t->cli('order', 'show', '--id', $id{"k$key"}))[0] == 0 });

    return "k$key";
}


sub revise
{
    my ($order, $told, %o) = @_;
    my $answer = $t->post('/platform', { order => $id{$order} // $order, %$told }, port => $o{port} // 8080,
        headers => { 'X-User' => 'whoever' });
    my $said = eval { $answer->json } || {};

    return join ' ', $answer->status, map { $_ // '-' } @{$said}{qw(reason seller source revision)};
}


sub payee { return "$_[0]{seller} $_[0]{amount}" }

sub shown { return decode_json($t->cli_ok('order', 'show', '--id', $id{$_[0]})) }

# the house's, an hour later B's

my $order = order('reader');
$t->cli_ok('store', 'backup', $t->dir . '/backup');
$t->advance(HOUR);
is(revise($order, { sharer => 'openid-b' }), '200 ATTR_LATE_REVISION B live_room 1', 'it was B\'s');
is(revise($order, { sharer => 'openid-b' }), '200 ORDER_REPLAY B live_room 1', 'told again: nothing new');
is_deeply([ map { $_->{seller} } @{shown($order)->{lines}} ], [ 'B', 'B' ], 'both lines');

$t->post('/paid', { order => $id{$order} });
$t->wait_events('paid', 1);

my ($event) = grep { $_->{order_key} eq $order } $t->events('attr_revision');
is_deeply([ @{$event}{qw(seller tier2 source revision reason)} ], [ qw(B R live_room 1 ATTR_LATE_REVISION) ], 'in the log');
ok($event->{effective}, 'effective');
is($event->{told}{seller}, 'B', 'what was told');
my ($paid) = grep { $_->{order_key} eq $order } $t->events('paid');
is_deeply([ $paid->{revision}, $paid->{seller}, map { payee($_) } @{$paid->{commission}{payees} || []} ],
    [ 1, 'B', 'B 150', 'R 75' ], 'the payment pays them, by the plan of the order') or diag explain $paid->{commission};

# of one class the later; a class that stands before wins, one behind rides along

$t->advance(HOUR);
is(revise($order, { room => 'live1' }), '200 ATTR_LATE_REVISION C live_room 2', 'a later one of the same class');
is_deeply([ map { "$_->{seller} " . ($_->{contributor} ? 1 : 0) } @{shown($order)->{credits}} ], [ 'B 1', 'C 0' ],
    'who had it contributes');

$order = order('shared', share => 1);
$t->advance(HOUR);
is(revise($order, { sharer => 'openid-b' }), '200 ATTR_LATE_REVISION B live_room 1', 'touch_first: before a share');

$order = order('bound', share => 1, port => 8082);
$t->advance(HOUR);
is(revise($order, { sharer => 'openid-b' }, port => 8082), '200 ATTR_ASSIST_ONLY A protected 1',
    'protect_first: behind a protected binding');
is_deeply([ map { $_->{seller} } @{shown($order)->{lines}} ], [ 'A', 'A' ], 'the lines stay');

# nobody's, the buyer's own, and what is wrong

is(revise($order, { sharer => 'nobody' }), '422 - - - -', 'nobody of that name');
is(revise($order, { }), '422 - - - -', 'nobody at all');
is(revise('N-unknown', { sharer => 'openid-b' }), '404 - - - -', 'no such order');
is(revise(order('openid-c'), { room => 'live1' }), '200 SELF_PURCHASE - house 0', 'a host who bought himself');
ok(!grep({ ($_->{buyer} // '') ne '' && ($_->{source} // '') eq 'live_room' } $t->events('bind')), 'nobody is bound by it');

# the freeze date

$order = order('late');
$t->post('/paid', { order => $id{$order} });
$t->advance(7 * DAY - 1);
is(revise($order, { sharer => 'openid-b' }), '200 ATTR_LATE_REVISION B live_room 1', 'the last second');
$t->advance(1);
is(revise($order, { room => 'live1' }), '200 ATTR_AFTER_FREEZE B live_room 1', 'from the freeze date on it is only told');

$t->wait_events(sub { grep { ($_->{reason} // '') eq 'ATTR_AFTER_FREEZE' } @_ });
($event) = grep { $_->{reason} eq 'ATTR_AFTER_FREEZE' } $t->events('attr_revision');
ok(!$event->{effective}, 'not effective');
is_deeply([ $event->{seller}, $event->{told}{seller} ], [ qw(B C) ], 'who is paid, and who was told');
$t->post('/settle', { order => $id{$order} });
is(revise($order, { room => 'live1' }), '200 ATTR_AFTER_FREEZE B live_room 1', 'after-sale time is over');

$t->cli_ok(qw(store check));
$t->conf_fails('    server { listen 127.0.0.1:8090; commerce_shop demo; location = /x { commerce_order_revise number=json:/n; } }',
    qr/invalid parameter "number=json:\/n" in "commerce_order_revise", allowed: id=SOURCE, or key=SOURCE user=SOURCE/, 'a word');
$t->conf_fails('    server { listen 127.0.0.1:8090; commerce_shop demo; location = /x { commerce_order_revise user=json:/n; } }',
    qr/needs id=, or key= with user=/, 'no order');

# a restore makes revisions again

my %before = map { $_ => [ shown($_)->{revision}, map { ($_->{seller} // q()) } @{shown($_)->{lines}} ] } grep { $_ ne 'k4' } keys %id;

ok($t->wait_for(sub { $t->get('/status')->json->{store}{outbox} == 0 }), 'all is in the log');
$t->stop;
like($t->cli_ok('store', 'restore', $t->dir . '/backup', '--replay', $t->dir . '/events.jsonl'), qr/ 0 failed$/m, 'restored');
is_deeply([ shown($_)->{revision}, map { ($_->{seller} // q()) } @{shown($_)->{lines}} ], $before{$_}, "$_: as it was")
    for sort keys %before;
$t->done_testing;
