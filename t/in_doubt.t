#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Orders in doubt: listed with what to do, aged, and ended by each of the ways there are.  None ends silently, and
# nobody is locked out for ever.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce qw(json);

my $t = Test::NgxCommerce->new;
my $T0 = 1_800_000_000;

$t->clock($T0);
$t->keys;
$t->campaign(id => 'c', discount => { fixed => 1000 });
$t->storefront(8081, '--verdict-keys', $t->write_file('verdict.keys', $t->cli_ok(qw(keys export verdict))));

# what the backend would say about its orders: a file for each key, and a file whose presence makes it hang

my $states = $t->dir . '/states';
mkdir $states or die "mkdir: $!\n";

$t->daemon($t->port(8090), sub { backend($t->port(8090)) });

my $server = sub {
    my ($port, $policy, $query) = @_;

    return <<"EOC";
    server {
        listen          127.0.0.1:$port;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   \$http_x_user verified;

        location /api/orders {
            commerce_order          key=json:/client_key lines=json:/items id=response:/data/order_no
                                    payable=response:/data/pay_amount in_flight=10s;
            commerce_order_line     id=/sku qty=/count price=/price;
            commerce_order_success  status=200 json=/code:0;
            commerce_coupon_code    json:/coupons max=2;
            commerce_coupon_redeem  on=paid deadline=100s $policy;
            $query
            proxy_pass              http://127.0.0.1:8081;
        }

        location = /order-state {
            internal;
            proxy_read_timeout  1s;
            proxy_pass          http://127.0.0.1:8090;
        }

        location = /broken-state { internal; return 404; }
        location = /gone-state { internal; proxy_pass http://127.0.0.1:8099; }

        location = /confirm { commerce_order_confirm key=\$arg_key user=\$arg_user; }
        location = /cancel { commerce_order_cancel key=\$arg_key user=\$arg_user; }
        location = /status { commerce_status; }
    }
EOC
};

$t->http_conf($server->(8080, 'in_doubt=hold', '')
              . $server->(8082, 'in_doubt=release', '')
              . $server->(8083, 'in_doubt=hold', 'commerce_order_query /order-state;')
              . $server->(8084, 'in_doubt=hold', 'commerce_order_query /broken-state;')
              . $server->(8085, 'in_doubt=hold', 'commerce_order_query /gone-state;')
              . $server->(8086, 'in_doubt=hold',
                          'commerce_order_query /order-state json=/found:true payable=response:/asks;'))->run;

my $n = 0;


# one order in doubt, and what it looks like

my @coupons = $t->coupons('c', 60);

my ($key, $coupon) = doubtful();

is(state($coupon), 'reserved', 'its coupon is reserved');

{
    my ($line) = grep { /^$key\t/ } listed();
    my @fields = split /\t/, $line;

    is_deeply([ @fields[0 .. 2, 4] ], [ $key, 'alice', '-', 'unknown' ], 'listed: key, user, id, what');
    is($fields[3], '0m0s', 'listed: its age');
    is($fields[5], 'no certain answer to the order; 1 coupons held', 'listed: why');
    is($fields[6], 'until somebody tells', 'listed: until when');
    like($fields[7], qr/order approve, confirm .*, cancel, or refuse/, 'listed: what to do');

    $t->advance(3723);
    ($line) = grep { /^$key\t/ } listed();
    is((split /\t/, $line)[3], '1h2m', 'it ages');

    my $status = $t->get('/status')->json->{shops}{demo};
    is_deeply([ @$status{qw(in_doubt in_doubt_oldest)} ], [ 1, 3723 ], 'the status has number and age');
}


# its buyer is told that it is his own order, others are not

is(order([ $coupon ])->code, 'COUPON_IN_DOUBT', 'the buyer may know that his own order has it');
is(order([ $coupon ], user => 'bob')->code, 'COUPON_NOT_USABLE', 'nobody else');
is(order([ $coupon, $coupons[-1] ])->status, 409, 'with another one: the same');
is(state($coupons[-1]), 'issued', '... which is not reserved');


# the ways out, each an event

my $approved = resolve($key, 'placed', 'tool', sub { tool('approve', $key) }, 'order approve');
is(state($coupon), 'reserved', 'order approve: kept until it is paid');
is_deeply([ listed() ], [], 'nothing in doubt');
is($t->get('/status')->json->{shops}{demo}{in_doubt_oldest}, undef, 'and no age');
like(tool('approve', $key), qr/nothing to do, it is placed/, 'approved again');
$t->advance(99);
is(state($coupon), 'reserved', 'order approve: there is as much time to pay as there was at first');
$t->advance(2);
becomes($coupon, 'issued', 'order approve: and no more');

{
    my ($key, $coupon) = doubtful();

    is(order([ $coupon ], key => $key)->status, 200, 'the same key again');
    resolve($key, 'placed', 'answer', sub { }, 'the same key');
    is(state($coupon), 'reserved', 'the same key: kept');
}

{
    my ($key, $coupon) = doubtful();

    resolve($key, undef, 'answer', sub { is(order([ $coupon ], key => $key, test => 'code4001')->status, 200,
            'the same key, refused') }, 'a definite answer to a retry');
    becomes($coupon, 'issued', 'frees it');
}

{
    my ($key, $coupon) = doubtful();

    resolve($key, 'paid', 'notice', sub { is($t->post("/confirm?key=$key&user=alice", '')->status, 200, 'confirm') },
            'a pay notice');
    becomes($coupon, 'redeemed', 'a pay notice: spent');
}

{
    my ($key, $coupon) = doubtful();

    resolve($key, 'cancelled', 'notice', sub { is($t->post("/cancel?key=$key&user=alice", '')->status, 200, 'cancel') },
            'a cancel call');
    becomes($coupon, 'issued', 'a cancel call: free');
    is(order([ $coupon ])->status, 200, '... for another order');
}

{
    my ($key, $coupon) = doubtful();

    resolve($key, 'paid', 'tool', sub { like(tool('confirm', $key), qr/: paid$/m, 'says so') }, 'order confirm');
    becomes($coupon, 'redeemed', 'order confirm: spent');
    like(tool('confirm', $key), qr/nothing to do, it is paid/, 'order confirm again');
}

{
    my ($key, $coupon) = doubtful();

    resolve($key, 'cancelled', 'tool', sub { tool('cancel', $key, '--user', 'alice') }, 'order cancel');
    becomes($coupon, 'issued', 'order cancel: free');
}

{
    my ($key, $coupon) = doubtful();

    resolve($key, undef, 'tool', sub { like(tool('refuse', $key), qr/: failed$/m, 'says so') }, 'order refuse');
    becomes($coupon, 'issued', 'order refuse: free');
    is(($t->cli('order', 'refuse', $key))[0], 1, 'order refuse again: there is no such order');
}

{
    my ($key, $coupon) = doubtful(port => 8082);

    like((grep { /^$key\t/ } listed())[0], qr/\tuntil 2027-\S+\t/, 'in_doubt=release: listed with its deadline');
    $t->advance(101);
    becomes($coupon, 'issued', 'in_doubt=release: free at the deadline');
    is((grep { /^$key\t/ } listed()), 1, '... and listed still: the backend may have it');
    is(order([ $coupon ])->status, 200, 'another order has it');
    is($t->post("/confirm?key=$key&user=alice", '')->json->{reason}, 'COUPON_RESERVATION_LOST', 'a notice then: lost');
    is_deeply([ listed() ], [], 'and the doubt is over');
}

{
    my ($key, $coupon) = doubtful();

    $t->advance(86400 * 365);
    is(state($coupon), 'reserved', 'in_doubt=hold: a year later it is held');
    is(order([ $coupon ])->code, 'COUPON_IN_DOUBT', '... its buyer is told why');
    tool('refuse', $key);
    is(order([ $coupon ])->status, 200, '... and gets it once somebody has looked');
}


# amounts

{
    my ($coupon) = splice @coupons, 0, 1;
    my $key = 'k' . ++$n;

    order([ $coupon ], key => $key, test => 'amount=1');
    doubt_is($key, 'amount');
    like((grep { /^$key\t/ } listed())[0], qr/asks 1 fen, goods less discount are 9000; 1 coupons held.*order approve/,
         'another amount: listed with both');
    is(order([ $coupon ])->code, 'COUPON_IN_DOUBT', '... its buyer is told');
    like(tool('refuse', $key), qr/nothing to do/, '... the backend has it: not to be refused');
    resolve($key, 'placed', 'tool', sub { tool('approve', $key) }, 'order approve');
    is($t->post("/confirm?key=$key&user=alice", '')->json->{state}, 'paid', '... it can be paid then');
    becomes($coupon, 'redeemed', '... and its coupon is spent');
}


# the backend is asked when the buyer comes back

{
    my ($key, $coupon) = doubtful();

    says($key, 404, '{"code":404}');
    my $answer = order([ $coupon ], port => 8083);
    is($answer->status, 200, 'query: the backend does not have it, the new order gets the coupon') or diag $answer->{raw};
    resolve($key, undef, 'query', sub { }, 'query, refused');
    is(scalar asked($key), 1, 'query: asked once');
    is((asked($key))[0], "GET /order-state?key=$key&user=alice&id=", 'query: with key and user');

    my ($other, $second) = doubtful();
    says($other, 200, '{"code":0,"data":{"order_no":"Q1","pay_amount":9000}}');
    is(order([ $second ], port => 8083)->code, 'COUPON_NOT_USABLE', 'query: the backend has it, it is not to be had again');
    resolve($other, 'placed', 'query', sub { }, 'query, accepted');
    is(shown($other)->{id}, 'Q1', 'query: with its id');
    is(state($second), 'reserved', 'query: and its coupon');
}

{
    my ($key, $coupon) = doubtful();

    for my $case ([ 500, '{"code":500}', 'a 500' ], [ 200, '{"code":', 'broken JSON' ], [ 409, '{}', 'a 409' ],
                  [ 400, '{}', 'a 400, about the key that the buyer chose,' ], [ 401, '{}', 'a 401' ],
                  [ 403, '{}', 'a 403' ], [ 302, '{}', 'a redirect' ], [ 200, 'close', 'no answer' ], [ 200, 'hang', 'a time-out' ])
    {
        my ($status, $body, $name) = @$case;

        says($key, $status, $body);
        is(order([ $coupon ], port => 8083)->code, 'COUPON_IN_DOUBT', "query: $name leaves the doubt");
    }

    is(order([ $coupon ], port => 8084)->code, 'COUPON_IN_DOUBT', 'query: a page of nginx\'s own is no answer');
    is(order([ $coupon ], port => 8085)->code, 'COUPON_IN_DOUBT', 'query: nor is a backend that is not there');
    is(state($coupon), 'reserved', 'query: it is reserved still');
    is(shown($key)->{state}, 'unknown', 'query: and in doubt');

    says($key, 200, '{"found":false}');
    is(order([ $coupon ], port => 8086)->status, 200, 'query: success of its own, refused');
}

{
    my ($key, $coupon) = doubtful();

    says($key, 200, '{"found":true,"asks":8999}');
    is(order([ $coupon ], port => 8086)->code, 'COUPON_IN_DOUBT', 'query: an amount that differs is a doubt, too');
    doubt_is($key, 'amount');
    says($key, 200, '{"found":true,"asks":9000}');
    is(order([ $coupon ], port => 8086)->code, 'COUPON_NOT_USABLE', 'query: asked again, it agrees');
    resolve($key, 'placed', 'query', sub { }, 'query, the amount agrees');

    is(order([ $coupon ], port => 8083, user => 'bob')->code, 'COUPON_NOT_USABLE', 'query: another user asks nobody');
    is(scalar asked($key), 2, '... so there were two questions');
}

{
    my ($key, $coupon) = doubtful();

    says($key, 404, '{}');
    my @answers = $t->parallel(map { request([ $coupon ], port => 8083) } 1 .. 6);

    is(scalar(grep { $_->status == 200 } @answers), 1, 'query: six new orders at once, one has the coupon')
        or diag explain [ map { $_->body } @answers ];
    is(scalar(grep { ($_->code // '') =~ /^COUPON_(?:NOT_USABLE|IN_DOUBT)$/ } @answers), 5, 'query: five are refused');

    ($key, $coupon) = doubtful();
    says($key, 200, 'hang');
    $t->parallel({ %{request([ $coupon ], port => 8083)}, abort => 0.3 });
    is(state($coupon), 'reserved', 'query: a buyer who leaves meanwhile changes nothing');
    tool('refuse', $key);
}


# the backend's own list

{
    my @keys = map { my ($key, $coupon) = doubtful(); [ $key, $coupon ] } 1 .. 6;
    my $amount = $keys[5];
    my ($settled, $gone) = (order_key(), order_key());

    order([], key => $settled);
    doubt_is($settled, '');

    my $csv = $t->write_file('backend.csv', join '',
        "key,user,id,state,amount,coupons\n",
        "$keys[0][0],alice,R1,placed,9000,$keys[0][1]\n",
        "$keys[1][0],alice,,absent,,\n",
        "$keys[2][0],alice,R3,paid,9000,$keys[2][1]\n",
        "$keys[3][0],alice,,cancelled,,\n",
        qq("$keys[4][0]",alice,,placed,9000,"$coupons[-1]"\n),
        "$amount->[0],alice,R6,placed,8000,$amount->[1]\n",
        "$settled,alice,,placed,10000,\n",
        "$gone,alice,,placed,1,\n",
        "never,alice,,absent,,\n",
        "$settled,alice,,shipped,,\n",
        "$settled,alice,,placed,1x,\n");

    my ($rc, $dry) = $t->cli('coupon', 'reconcile', $csv, '--dry-run');
    like($dry, qr/^nothing is written, it would be: settled 4, agree 2, differ 5; still in doubt 6$/m, 'reconcile: dry run')
        or diag $dry;
    is(scalar(listed()), 6, 'reconcile: nothing was written');

    ($rc, my $said) = $t->cli('coupon', 'reconcile', $csv);
    is($rc, 1, 'reconcile: exit code 1 when something differs');

    my @want = (
        ":2: order $keys[0][0]: settled: placed",
        ":3: order $keys[1][0]: settled: failed",
        ":4: order $keys[2][0]: settled: paid",
        ":5: order $keys[3][0]: settled: cancelled",
        ":6: order $keys[4][0]: other coupons than the gateway has reserved for it: it stays in doubt",
        ":7: order $amount->[0]: its amount or coupons are not what the rules give: it stays in doubt",
        ":9: order $gone: the gateway does not know this order",
        ":11: order $settled: the backend has it shipped, the gateway placed",
        ":12: order $settled: \"1x\" is no amount",
    );

    is(join("\n", map { s/^.*?(?=:\d+: )//r } grep { /^\S+:\d+: / } split /\n/, $said), join("\n", @want),
       'reconcile: line by line') or diag $said;
    like($said, qr/^settled 4, agree 2, differ 5; still in doubt 2$/m, 'reconcile: in sum');

    becomes($keys[0][1], 'reserved', 'reconcile: placed');
    is(shown($keys[0][0])->{id}, 'R1', '... with the backend\'s id');
    becomes($keys[1][1], 'issued', 'reconcile: absent');
    becomes($keys[2][1], 'redeemed', 'reconcile: paid');
    becomes($keys[3][1], 'issued', 'reconcile: cancelled');
    becomes($keys[4][1], 'reserved', 'reconcile: other coupons');
    becomes($amount->[1], 'reserved', 'reconcile: another amount');

    ok((grep { ($_->{order_key} // '') eq $keys[$_[0] // 0][0] } $t->events('order')), 'reconcile: events');
    resolve($keys[0][0], 'placed', 'reconcile', sub { }, 'reconcile');

    ($rc, my $again) = $t->cli('coupon', 'reconcile', $csv);
    like($again, qr/^settled 0, agree 6, differ 5; still in doubt 2$/m, 'reconcile: again, nothing is settled twice') or diag $again;

    my $yuan = $t->write_file('yuan.csv', "state,amount,key,user\nplaced,90.00,$amount->[0],alice\n"
                              . "placed,90,$keys[4][0],alice\n");
    is($t->cli_ok('coupon', 'reconcile', $yuan, '--unit', 'yuan') =~ /settled 2, agree 0, differ 0; still in doubt 0/, 1,
       'reconcile: the rest, in yuan');
    is_deeply([ listed() ], [], 'nothing is in doubt');

    for my $bad ([ '', qr/is empty/ ], [ "key,state,colour\n", qr/no column "colour"/ ], [ "key,user\n", qr/must be there/ ],
                 [ "key,state\n\"a,b\n", qr/does not end/ ], [ "key,state\na\"b,c\n", qr/a quote stands/ ])
    {
        my ($code, $out, $errors) = $t->cli('coupon', 'reconcile', $t->write_file('bad.csv', $bad->[0]));

        is($code, 1, 'reconcile: a bad file');
        like($errors, $bad->[1], "reconcile: says $bad->[1]");
    }
}


# whatever was done: the store agrees with itself

like($t->cli_ok(qw(store check)), qr/\b0 violations/, 'store check');


# configuration

my $at = sub {
    return "server { listen 127.0.0.1:8080; commerce_shop demo; location / { commerce_order key=\$arg_k; @_ } }";
};

$t->conf_fails($at->('commerce_order_query state;'), qr/invalid parameter "state" in "commerce_order_query"/, 'no URI');
$t->conf_fails($at->('commerce_order_query /a?b;'), qr/without arguments/, 'a URI with arguments');
$t->conf_fails($at->('commerce_order_query /a status=404;'), qr/status=200\.\.299/, 'a status that is no success');
$t->conf_fails($at->('commerce_order_query /a colour=red;'), qr/allowed: status=/, 'another word');
$t->conf_fails('server { listen 127.0.0.1:8080; commerce_shop demo; location / { commerce_order_query /a; } }',
               qr/require "commerce_order"/, 'no order');

$t->done_testing;


sub order_key { return 'k' . ++$n }

sub request
{
    my ($coupons, %o) = @_;

    return { method => 'POST', uri => '/api/orders', port => $o{port} // 8080, type => 'application/json',
             body => json->encode({ client_key => $o{key} // order_key(),
                                    items => [ { sku => 's', count => 1, price => 10000 } ],
                                    coupons => $coupons }),
             headers => [ 'X-User' => $o{user} // 'alice', $o{test} ? ('X-Test' => $o{test}) : () ] };
}

sub order
{
    my ($coupons, %o) = @_;

    return ($t->parallel(request($coupons, %o)))[0];
}

# an order whose answer was a 500: (key, coupon)

sub doubtful
{
    my (%o) = @_;
    my ($coupon) = splice @coupons, 0, 1;
    my $key = order_key();

    is(order([ $coupon ], key => $key, test => 'status500', %o)->status, 500, "$key: no certain answer");
    doubt_is($key, 'unknown');

    return ($key, $coupon);
}

sub shown
{
    my ($key) = @_;
    my ($rc, $text) = $t->cli('order', 'show', $key, '--user', 'alice');

    return $rc == 0 ? json->decode($text) : { state => 'none', doubt => [ 'none' ] };
}

sub doubt_is
{
    my ($key, $want) = @_;
    my $seen;

    $t->wait_for(sub { ($seen = join ' ', @{shown($key)->{doubt}}) eq $want && shown($key)->{state} ne 'pending' });
    is($seen, $want, "$key: " . ($want ? "in doubt: $want" : 'not in doubt'));
}

# the doubt ends, its event says by whom; state undef: the order is forgotten

sub resolve
{
    my ($key, $state, $by, $code, $name) = @_;

    $code->();

    my $ended = sub { grep { ($_->{order_key} // '') eq $key && exists $_->{resolved} } @_ };
    my ($event) = $ended->($t->wait_events(sub { $ended->(@_) }));

    is($event->{resolved}, $by, "$name: an event says that it was the $by");
    is($event->{state}, $state // 'failed', "$name: and what became of it");
    ok(!exists $event->{doubt}, "$name: nothing in doubt");
    is(shown($key)->{state}, $state // 'none', "$name: " . ($state // 'forgotten'));

    return $event;
}

sub state
{
    my ($code) = @_;

    return $t->cli_ok('coupon', 'show', $code) =~ /^state\s+(\S+)/m ? $1 : undef;
}

sub becomes
{
    my ($code, $state, $name) = @_;
    my $seen;

    $t->wait_for(sub { ($seen = state($code)) eq $state });
    is($seen, $state, $name);
}

sub listed { return split /\n/, $t->cli_ok(qw(order list --in-doubt)) }

sub tool { return $t->cli_ok('order', @_) }

sub says
{
    my ($key, $status, $body) = @_;

    return $t->write_file("states/$key", "$status\n$body");
}

sub asked
{
    my ($key) = @_;

    return grep { /key=$key&/ } split /\n/, -e "$states/asked" ? $t->read_file('states/asked') : '';
}

# the backend's own word about an order

sub backend
{
    my ($port) = @_;

    require IO::Socket::INET;

    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 16, ReuseAddr => 1)
        or die "cannot listen on $port: $!\n";
    my @hanging;

    while (my $client = $listener->accept) {
        my $in = '';

        while ($in !~ /\r\n\r\n/) {
            sysread $client, $in, 4096, length $in or last;
        }

        my ($line, $key) = $in =~ /^((?:GET|POST) \S*key=(\w+)&\S*)/ or next;

        open my $log, '>>', "$states/asked" or die;
        print {$log} "$line\n";
        close $log;

        open my $file, '<', "$states/$key" or next;
        my ($status, $body) = split /\n/, do { local $/; <$file> }, 2;

        if ($body eq 'hang') {
            push @hanging, $client;
        }
        elsif ($body ne 'close') {
            syswrite $client, "HTTP/1.1 $status Said\r\nContent-Type: application/json\r\nContent-Length: "
                . length($body) . "\r\nConnection: close\r\n\r\n$body";
        }

        close $client unless $body eq 'hang';
    }
}
