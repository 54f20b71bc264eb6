#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Why a sale is whose it is: one line of the log about each new order, and what the tool says of it.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use JSON::PP;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new;

use constant DAY => 86400;

my $T0 = 1_800_000_000;

$t->clock($T0);
$t->keys;
$t->people("id,role,user\nA,guide,u-a\nB,guide,u-b\nF,guide,u-f\n");
$t->cli_ok(qw(room put live1 --host B));

my %token = map { $_ => $t->token($_, '--days', 900) } qw(A B F);

$t->storefront(8081);

my $server = sub {
    my ($port, $more) = @_;

    return <<"EOC";
    server {
        listen            127.0.0.1:$port;
        commerce_shop     demo;
        commerce          enforce;
        commerce_user     \$http_x_user verified;
        commerce_touch    share \$arg_st;
        commerce_touch    live_room \$http_x_live_room attested;
        commerce_binding  validity=30d protect=15d;
        $more

        location / { proxy_pass http://127.0.0.1:8081; }
        location = /status { commerce_status; }

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            proxy_pass http://127.0.0.1:8081;
        }
    }
EOC
};

$t->http_conf('commerce_explain_recent 64k;' . $server->(8080, '') . $server->(8082, 'commerce_priority group share;')
    . $server->(8083, 'commerce_explain off;'))->run;

my $key = 0;

sub view { $t->get("/?st=$token{$_[1]}", headers => { 'X-User' => $_[0] }) }

sub order
{
    my ($buyer, %o) = @_;

    $t->post('/api/orders' . ($o{token} ? "?st=$token{$o{token}}" : ''),
        { client_key => 'k' . ++$key, items => [ { sku => 's', count => 1, price => 100 } ] }, port => $o{port} // 8080,
        headers => { 'X-User' => $buyer, $o{room} ? ('X-Live-Room' => $o{room}) : () });

    # the one that writes money events, and the one that had the request: each in its time

    my @wanted = ('order', ($o{port} // 8080) == 8083 ? () : 'attribution');
    my %came;

    $t->wait_events(sub {
        %came = map { $_->{type} => 1 } grep { ($_->{order_key} // '') eq "k$key" } @_;
        return !grep { !$came{$_} } @wanted;
    });

    return "k$key";
}


sub explained { return $t->cli_ok('explain', @_, '--log', $t->dir . '/events.jsonl') }

# a protected binding before a rival's live room

view('anna', 'A');
$t->advance(DAY);
my $order = order('anna', room => 'live1');

is(explained('order', $order), <<'END', 'what a rival would have needed');
Order k1: the sale is A's, by protected (ATTR_OK).
The buyer's binding: A's, protected, since 2027-01-15T08:00:00Z; protected until 2027-01-30T08:00:00Z, valid until 2027-02-14T08:00:00Z.
Who wins, first to last: protected > live_room > share > promoter > group > open > channel > plain
- A, protected: won.
- B, live_room 2027-01-16T08:00:00Z: stands behind the protected binding. It needed a first sight after the protection (2027-01-30T08:00:00Z), or no binding.
- A, share 2027-01-15T08:00:00Z: stands behind the protected binding. It needed a first sight after the protection (2027-01-30T08:00:00Z), or no binding.
END

my ($event) = grep { $_->{order_key} eq $order } $t->events('order');
is(explained('event', $event->{id}), explained('order', $order), 'the same by an event of the order');
is(decode_json(explained('order', $order, '--json'))->{seller}, 'A', 'as JSON');
like(explained('order', $order, '--language', 'zh'), qr/^订单 k1：归属 A，依据 protected（ATTR_OK）。$/m, 'in Chinese');

# the status says the same, without what only the log's line has

sub recent { return $t->get("/status?order=$_[0]")->json->{shops}{demo}{explanation} }

my %line = %{decode_json(explained('order', $order, '--json'))};
delete @line{qw(node epoch worker seq config)};
is_deeply(recent($order), \%line, 'as the status has it');
is(recent('k%32'), undef, 'an order that is none');
is_deeply(recent('%6B1'), \%line, 'escaped');
ok(!exists $t->get('/status')->json->{shops}{demo}{explanation}, 'not asked for');
ok($t->reload(wait => 1), 'reload');
is_deeply(recent($order), \%line, 'is kept');

my $early = $order;

# late, too old, frozen, nobody's, himself, a class that is not ranked

$t->advance(20 * DAY);
like(explained('order', order('anna', token => 'B')), qr/^- B, share 2027-02-05T08:00:00Z: came less than 10 seconds before the order and from a rival \(LATE_TOUCH\). It needed a first sight before 2027-02-05T07:59:50Z.$/m, 'late');
like(explained('order', order('anna')), qr/^- B, live_room 2027-01-16T08:00:00Z: could win until 2027-01-17T08:00:00Z \(ATTR_LOOKBACK_EXCEEDED\)/m, 'too old');

view('fred', 'F');
$t->people("id,status\nF,suspended\n");
$t->advance(60);
$order = order('fred');
like(explained('order', $order), qr/^Order \w+: the sale is the house's \(ATTR_DIRECT\).$/m, 'the house\'s');
like(explained('order', $order), qr/^- F, share .*: cannot be credited \(OWNER_FROZEN\). It needed an active seller.$/m, 'suspended');

like(explained('order', order('nobody')), qr/^Order \w+: the sale is the house's \(ATTR_DIRECT\).\nThe buyer was bound to nobody.\nWho wins[^\n]*\n\z/, 'nobody\'s');
like(explained('order', order('u-a', token => 'A')), qr/^- A, share .*: the buyer is a seller himself/m, 'himself');
like(explained('order', order('other', port => 8082, room => 'live1')), qr/^- B, live_room .*: its class wins nothing here. It needed to be named in commerce_priority.$/m, 'not ranked');

# what there is nothing to say about

$order = order('quiet', port => 8083);
is(recent($order), undef, 'explain is off: the status has none');

# the zone forgets the oldest

$t->post('/api/orders', { client_key => 'k' . ++$key, items => [ { sku => 's', count => 1, price => 100 } ] },
         headers => { 'X-User' => 'many' }) for 1 .. 200;
is(recent($early), undef, 'forgotten');
is(recent("k$key")->{order_key}, "k$key", 'the last one is there');
is(recent('k' . ($key - 15))->{order_key}, 'k' . ($key - 15), '... and some before it');

my ($code, undef, $error) = $t->cli('explain', 'order', $order, '--log', $t->dir . '/events.jsonl');
is($code, 1, 'explain is off');
like($error, qr/the logs do not tell why order "$order" is whose it is/, '... says so');
($code, undef, $error) = $t->cli('explain', 'event', 'no-such-event', '--log', $t->dir . '/events.jsonl');
like($error, qr/there is no event "no-such-event" of an order in these logs/, 'no such event');
is(($t->cli('explain', 'order', 'k1'))[0], 2, 'no log');
like(($t->cli('explain', 'order', 'k1', '--log', '/nonexistent'))[2], qr/cannot be read/, 'no such log');
like(($t->cli('explain', 'order', 'k1', '--log', '/dev/null', '--language', 'xx'))[2], qr/"xx" is no language/, 'no language');

$t->conf_fails("commerce_explain_recent $_; server { listen 127.0.0.1:8080; }",
               qr/invalid parameter "$_" in "commerce_explain_recent", allowed: off, or a size of at least 64k in .*test\.conf:\d+/,
               "commerce_explain_recent $_") for qw(63k -1 x);
$t->conf_ok('commerce_explain_recent off; server { listen 127.0.0.1:8080; }', 'off');

$t->done_testing;
