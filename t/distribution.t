#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Two tiers: who may join under whom, also all at once, and who is paid beside the seller.

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
E,guide,active,,u-e
K1,koc,active,,u-k1
K2,koc,active,K1,u-k2
J,koc,active,,u-j
Q,koc,active,,u-q
F,koc,active,,u-f
F2,koc,active,F,u-f2
L,koc,active,,u-l
CSV

$t->cli_ok(qw(group put g1 --leader K1));
$t->storefront(8081);

my $server = sub {
    my ($port, $tiers, $strength) = @_;

    return <<"EOC";
    server {
        listen          127.0.0.1:$port;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   \$http_x_user $strength;
        commerce_touch  share \$arg_st;
        commerce_tiers  $tiers;

        location / { proxy_pass http://127.0.0.1:8081; }
        location = /join { commerce_join token=\$arg_st; }
        location = /join/fee { commerce_join token=\$arg_st fee=\$arg_fee; }
        location = /join/id { commerce_join token=\$arg_st id=\$arg_id; }
        location = /join/body { commerce_join token=json:/token id=json:/id; }

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            proxy_pass http://127.0.0.1:8081;
        }
    }
EOC
};

$t->http_conf($server->(8080, 'strict', 'verified')
    . $server->(8082, 'pay', 'verified')
    . $server->(8083, 'pay max=1', 'verified')
    . $server->(8084, 'strict max=2', 'claimed'))->run;

my %token = map { $_ => $t->token($_) } qw(E K1 K2 J Q F F2 L);

$token{group} = $t->token(qw(- --group g1));
$token{expired} = $t->token(qw(K1 --days 1));
$token{forged} = $token{K1};
substr($token{forged}, 31, 1) = $token{K1} =~ /A$/ ? 'B' : 'A';

$t->people("id,status\nF,suspended\nL,left\n");

my ($joins, $free) = (0, 0);


sub join_request
{
    my ($user, $token, %option) = @_;
    my $id = delete $option{id};

    return { method => 'POST', body => '', uri => (defined $id ? '/join/id?' : '/join?') . join('&',
            defined $token ? 'st=' . ($token{$token} // $token) : (), defined $id ? "id=$id" : ()),
        %option, headers => { defined $user ? ('X-User' => $user) : () } };
}


sub joins
{
    my ($user, $token, $seller, $depth, $name, %option) = @_;

    my ($answer) = $t->parallel(join_request($user, $token, %option));

    is($answer->status, 201, "$name: 201") or diag $answer->body;
    is_deeply($answer->json, { seller => $seller, upline => $token, depth => $depth }, "$name: depth $depth");
    is($answer->header('content-type'), 'application/json', "$name: as JSON");

    $joins++;
    return $token{$seller} = $t->token($seller);
}


sub refused
{
    my ($user, $token, $status, $code, $name, %option) = @_;

    my ($answer) = $t->parallel(join_request($user, $token, %option));

    is_deeply([ $answer->status, $answer->code ], [ $status, $code ], "$name: $code")
        or diag $answer->body;
}


sub credited
{
    my ($user, $token, %option) = @_;

    my $headers = $t->get($token ? "/?st=$token{$token}" : '/', %option,
        headers => { 'X-User' => $user })->json->{headers};

    return join ' ', map { $headers->{"x-commerce-$_"} // '-' } qw(seller tier2);
}


# who has to pay for it buys a place in a pyramid

for my $fee (qw(99 0.01 true 1e-9 x fee=0&fee=99)) {
    my $answer = $t->post("/join/fee?st=$token{K1}&" . ($fee =~ /=/ ? $fee : "fee=$fee"), '', headers => { 'X-User' => 'u-fee' });

    is(join(' ', $answer->status, $answer->code // ''), '403 ENTRY_FEE', "an entry fee: $fee");
}

# strict: two deep

joins('u-n1', 'K1', 'u-n1', 2, 'a new person');
joins('u-n2', 'K1', 'N2', 2, 'a new person with an id', id => 'N2');
joins('u-n3', 'E', 'u-n3', 2, 'under a salaried root');

for my $fee ('', '0', '0.00', 'none', 'false') {
    my $user = 'u-free' . ++$free;

    is($t->post("/join/fee?st=$token{E}&fee=$fee", '', headers => { 'X-User' => $user })->status, 201, "no fee: \"$fee\"");
    $joins++;
}
joins('u-j', 'K1', 'J', 2, 'a person who is known');

refused('u-n4', 'K2', 403, 'TIER_DEPTH_EXCEEDED', 'a third tier');
refused('u-n4', 'u-n1', 403, 'TIER_DEPTH_EXCEEDED', 'a third tier under one who has just joined');
refused('u-k1', 'E', 403, 'TIER_DEPTH_EXCEEDED', 'with people of one\'s own');
refused('u-k1', 'K1', 403, 'TIER_SELF', 'oneself');
refused('u-k1', 'K2', 403, 'LINEAGE_LOOP', 'under one\'s own recruit');
refused('u-k2', 'E', 409, 'ALREADY_JOINED', 'a second recruiter');
refused('u-k2', 'K1', 409, 'ALREADY_JOINED', 'the same recruiter again');
refused('u-n1', 'K1', 409, 'ALREADY_JOINED', 'again after joining');
refused('u-e', 'K1', 409, 'ALREADY_JOINED', 'the salaried');
refused('u-n4', 'K1', 409, 'ALREADY_JOINED', 'another person\'s id', id => 'Q');
refused('u-n4', 'K1', 422, 'ORDER_MALFORMED', 'no id', id => '');
refused('u-n4', 'K1', 422, 'ORDER_MALFORMED', 'too long an id', id => 'x' x 129);
refused('u-n4', 'F', 403, 'LINEAGE_UNKNOWN', 'a suspended recruiter');
refused('u-n4', 'L', 403, 'LINEAGE_UNKNOWN', 'a recruiter who left');
refused('u-n4', 'group', 403, 'LINEAGE_UNKNOWN', 'a token without a seller');
refused('u-n4', 'forged', 403, 'LINEAGE_UNKNOWN', 'a forged token');
refused('u-n4', 'nonsense', 403, 'LINEAGE_UNKNOWN', 'no token');
refused('u-n4', undef, 403, 'LINEAGE_UNKNOWN', 'nothing');
refused('u-n4', "$token{K1}&st=$token{E}", 403, 'LINEAGE_UNKNOWN', 'two tokens');
refused(undef, 'K1', 401, 'USER_NOT_VERIFIED', 'nobody');
refused('u-n4', 'K1', 401, 'USER_NOT_VERIFIED', 'one who only says so', port => 8084);

$t->advance(3 * 86400);
refused('u-n4', 'expired', 403, 'LINEAGE_UNKNOWN', 'an expired token');
$t->clock($T0);

is($t->get("/join?st=$token{K1}", headers => { 'X-User' => 'u-n4' })->status, 405, 'a link recruits nobody');

# facts in the body

my $answer = $t->post('/join/body', { token => $token{K1}, id => 'N5' }, headers => { 'X-User' => 'u-n5' });
is_deeply([ $answer->status, $answer->json ], [ 201, { seller => 'N5', upline => 'K1', depth => 2 } ],
    'from the body');
$joins++;

for my $bad ([ 'form', "token=$token{K1}", 'application/x-www-form-urlencoded', 415, 'BODY_TYPE' ],
             [ 'half', "{\"token\":\"$token{K1}\"", 'application/json', 422, 'BODY_MALFORMED' ],
             [ 'double', "{\"token\":\"x\",\"token\":\"$token{K1}\"}", 'application/json', 422,
               'BODY_DUPLICATE_MEMBER' ])
{
    my ($name, $body, $type, $status, $code) = @$bad;

    $answer = $t->post('/join/body', $body, type => $type, headers => { 'X-User' => 'u-n4' });
    is_deeply([ $answer->status, $answer->code ], [ $status, $code ], "$name body: $code");
}

my ($rc, $out, $err) = $t->cli(qw(people show u-n4));
is($rc, 1, 'whoever was refused is nobody');

($rc, $out, $err) = $t->cli(qw(store check));
is($rc, 0, 'strict: store check') or diag "$out$err";

# pay: as deep as one likes, two are paid

joins('u-p3', 'K2', 'u-p3', 3, 'pay: a third', port => 8082);
joins('u-p4', 'u-p3', 'u-p4', 4, 'pay: a fourth', port => 8082);
joins('u-k1', 'Q', 'K1', 2, 'pay: with people of one\'s own', port => 8082);
refused('u-q', 'u-p4', 403, 'LINEAGE_LOOP', 'pay: under a great-great-grandchild', port => 8082);
refused('u-q', 'Q', 403, 'TIER_SELF', 'pay: oneself', port => 8082);
refused('u-n4', 'u-p4', 403, 'TIER_DEPTH_EXCEEDED', 'strict: deeper than ever');

is(credited('b1', 'K2', port => 8080), 'K2 K1', 'a seller and who recruited him');
is(credited('b2', 'u-p4', port => 8082), 'u-p4 u-p3', 'pay: nobody further up');
is(credited('b3', 'u-p4', port => 8083), 'u-p4 -', 'max=1: the seller only');
is(credited('b4', 'E', port => 8080), 'E -', 'a root');
is(credited('b5', 'u-n3', port => 8080), 'u-n3 E', 'under the salaried');
is(credited('b6', 'F2', port => 8080), 'F2 -', 'a suspended recruiter is not paid');
is(credited('u-k1', 'K2', port => 8080), 'K2 -', 'the recruiter who buys is not paid');
is(credited('u-k1', '', port => 8080), 'K2 -', 'nor later');
is(credited('u-p3', 'u-p4', port => 8082), 'u-p4 -', 'however deep');
is(credited('u-k2', 'u-p4', port => 8082), 'u-p4 u-p3', 'whoever is further up is any buyer');

# all at once

my @answers = $t->parallel(map { join_request('u-one', 'E') } 1 .. 20);
my %statuses;
$statuses{$_->status}++ for @answers;
is_deeply(\%statuses, { 201 => 1, 409 => 19 }, '20 times at once: once');
is(scalar(grep { ($_->code // '') eq 'ALREADY_JOINED' } @answers), 19, 'the others are told so');
$joins++;

@answers = $t->parallel(map { join_request('u-two', $_ % 2 ? 'E' : 'Q') } 1 .. 20);
%statuses = ();
$statuses{$_->status}++ for @answers;
is($statuses{201}, 1, 'by two recruiters at once: one has him');
$joins++;

@answers = $t->parallel(map { join_request("u-many$_", 'E') } 1 .. 20);
%statuses = ();
$statuses{$_->status}++ for @answers;
is(($statuses{201} // 0) + ($statuses{503} // 0), 20, '20 people at once: joined, or asked to come again')
    or diag explain \%statuses;
cmp_ok($statuses{201} // 0, '>', 0, 'some at once');
$joins += $statuses{201};

is_deeply([ grep { $_->status == 503 && !$_->header('retry-after') } @answers ], [], '503 says when to come again');

for my $i (grep { $answers[$_ - 1]->status == 503 } 1 .. 20) {
    my ($answer) = $t->parallel(join_request("u-many$i", 'E'));
    is($answer->status, 201, "u-many$i came again");
    $joins++;
}

# circles: everybody joins the next one in the same moment

for my $n (2, 3) {
    my @ring = map { "ring$n-$_" } 1 .. $n;

    $t->people(join "\n", 'id,role,user', map { "$_,koc,u-$_" } @ring);
    $token{$_} = $t->token($_) for @ring;

    @answers = $t->parallel(map { join_request("u-$ring[$_]", $ring[($_ + 1) % $n], port => 8082) } 0 .. $n - 1);
    my $joined = grep { $_->status == 201 } @answers;

    cmp_ok($joined, '<', $n, "a circle of $n does not close");
    $joins += $joined;
}

# ... also where the two new edges have no person in common

for my $round (1 .. 5) {
    my ($x, $a, $r, $b) = map { "$_$round" } qw(X A R B);

    $t->people("id,role,upline,user\n$x,koc,,u-$x\n$r,koc,,u-$r\n$a,koc,$r,\n$b,koc,$x,\n");
    $token{$_} = $t->token($_) for $a, $b;

    @answers = $t->parallel(join_request("u-$x", $a, port => 8082), join_request("u-$r", $b, port => 8082));
    my $joined = grep { $_->status == 201 } @answers;

    is($joined, 1, "round $round: one of two edges that would close a circle");
    $joins += $joined;
}

# the directory changes while serving

is(credited('b7', 'N2'), 'N2 K1', 'before the import');
$t->people("id,upline\nN2,E\n");
is(credited('b7', ''), 'N2 E', 'another recruiter, without reload');
$t->people("id,status\nE,suspended\n");
is(credited('b7', ''), 'N2 -', 'who is suspended');
$t->people("id,status\nN2,suspended\nE,active\n");
is(credited('b7', ''), '- -', 'a suspended seller: the house');
$t->people("id,status\nN2,active\n");
is(credited('b7', ''), 'N2 E', 'back again');
$t->people("id,role,user\nfresh,koc,u-fresh\n");
$token{fresh} = $t->token('fresh');
is(credited('b8', 'fresh'), 'fresh -', 'somebody new, without reload');

# an order keeps what it was placed with

my $order = $t->post('/api/orders', { client_key => 'snap',
    items => [ { sku => 's', count => 1, price => 100 } ] }, headers => { 'X-User' => 'b7' });
is($order->status, 200, 'an order');
my $id = $order->json->{data}{order_no};
ok($t->wait_for(sub { ($t->cli(qw(order show --id), $id))[1] =~ /placed/ }), 'placed');
$t->people("id,upline\nN2,fresh\n");
like($t->cli_ok(qw(order show --id), $id), qr/"tier2":\s*"E"/, 'its second tier stays');

# what is in the log

my @events = $t->wait_events('join', $joins);
is(scalar @events, $joins, 'one event per person who joined');
is_deeply([ @{$events[0]}{qw(seller upline depth)} ], [ 'u-n1', 'K1', 2 ], 'says who, under whom, how deep');
ok(!grep({ $_->{buyer} !~ /^\d+:/ } @events), 'the buyer is a pseudonym');

my %denied = map { $_->{reason} => 1 } grep { $_->{type} eq 'deny' }
    $t->wait_events(sub { grep { ($_->{reason} // '') eq 'LINEAGE_LOOP' } @_ });
ok($denied{$_}, "a denial tells of $_")
    for qw(TIER_DEPTH_EXCEEDED TIER_SELF LINEAGE_LOOP LINEAGE_UNKNOWN ALREADY_JOINED USER_NOT_VERIFIED);

($rc, $out, $err) = $t->cli(qw(store check));
is(join("\n", grep { !/deep, 2 are allowed unless/ } split /\n/, $err), '', 'store check');

$t->done_testing;
