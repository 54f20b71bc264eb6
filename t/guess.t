#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Guessing coupon codes: every limit at its boundary, what outsiders learn (nothing), and that nobody can lock
# out an honest buyer.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new;
my $T0 = 1_800_000_000;

$t->clock($T0);
$t->keys;
$t->campaign(id => 'c', discount => { fixed => 100 });
$t->campaign(id => 'd', discount => { fixed => 100 });
$t->campaign(id => 'own', discount => { fixed => 100 }, holder => 'required');
$t->campaign(id => 'costly', discount => { fixed => 100 }, minimum_spend => 1_000_000);

my @good = $t->coupons('c', 40);
my @good_d = $t->coupons('d', 2);
my ($theirs) = $t->coupons('own', 1, '--holder', 'owner');
my ($costly) = $t->coupons('costly', 1);

# genuine by its signature, but never minted here

mkdir $t->dir . '/elsewhere' or die "mkdir: $!\n";
my @elsewhere = ('--store', $t->dir . '/elsewhere');
$t->cli_ok(@elsewhere, 'campaign', 'put', $t->write_file('e.json', '{"v":1,"id":"c","discount":{"fixed":100},"enabled":true}'));
my ($unminted) = map { /^(\w+),c,40,/m ? $1 : () } $t->cli_ok(@elsewhere, qw(coupon mint c 41));

$t->storefront(8090);

sub configure
{
    my ($guess) = @_;

    my $order = <<'EOC';
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons max=2;
            commerce_coupon_redeem on=paid;
            proxy_pass http://127.0.0.1:8090;
EOC

    return $t->http_conf(<<"EOC");
    $guess

    map \$http_authorization \$session_user {
        "~^Bearer user-(?<session_name>.+)\$"  \$session_name;
    }

    commerce_user \$session_user verified;

    server {
        listen          127.0.0.1:8080;
        listen          [::1]:@{[ $t->port(8080) ]};
        commerce_shop   demo;
        commerce        enforce;

        # a proxy of ours stands before this one: it may be believed
        set_real_ip_from  127.0.0.1;
        real_ip_header    X-Forwarded-For;

        location /api/orders {
$order
        }
        location /api/page { error_page 429 /slow.html;
$order
        }
        location = /slow.html { internal; return 429 "slowly\n"; }
        location /api/observed { commerce observe;
$order
        }
        location /api/claimed { commerce_user \$session_user claimed;
$order
        }
        location = /status { commerce_status; }

        location ~ ^/store/carts/(?<cart>[^/]+)/promotions\$ {
            commerce_order key=\$cart scope=shop;
            commerce_cart apply=POST remove=DELETE coupons=response:/cart/promotions/*/code;
            commerce_coupon_code json:/promo_codes max=2;
            commerce_coupon_redeem on=paid;
            proxy_pass http://127.0.0.1:8090;
        }
    }

    server {
        listen          127.0.0.1:8081;
        commerce_shop   demo;
        commerce        enforce;

        location /api/orders {
$order
        }
    }
EOC
}

configure('commerce_coupon_guess session_key=$cookie_sid;')->run;

my ($n, $forgeries) = (0, 0);

sub request
{
    my ($user, $codes, %o) = @_;

    $o{headers}{'X-Forwarded-For'} = delete $o{from} if $o{from};
    $o{headers}{Cookie} = 'sid=' . delete $o{sid} if $o{sid};

    return {
        method => 'POST', uri => delete $o{uri} // '/api/orders', user => $user,
        body => Test::NgxCommerce::json()->encode({
            client_key => delete $o{key} // 'k' . ++$n, items => [ { sku => 's', count => 1, price => 1000 } ],
            coupons => $codes,
        }), %o
    };
}

sub order { return ($t->parallel(request(@_)))[0] }

# another signature of a real code, never the same twice

sub forged
{
    my ($code) = @_;
    my $tail = sprintf '%05d', ++$forgeries;

    substr $code, 15, 5, $tail;

    return $code;
}

sub tries
{
    my ($user, $code, $status, $name, %o) = @_;
    my $answer = order($user, ref $code ? $code : [ $code ], %o);

    is($answer->status, $status, $name) or diag $answer->body;

    return $answer;
}

sub wrong { return tries($_[0], forged($good[0]), 422, $_[1], @_[2 .. $#_]) }
sub bytes { my $bytes = $_[0]{raw}; $bytes =~ s/^Date: [^\r]+\r\n//m or die 'no date'; return $bytes }
sub status { return $t->get('/status')->json }

# a part of the test does not see what another left behind

sub later { $t->advance(3600) }

sub denials { my ($key) = @_; return grep { ($_->{order_key} // '') eq $key } $t->events('deny') }
sub denied { return map { $_->{reason} } denials(@_) }
sub logged { my ($key) = @_; return $t->wait_events(sub { grep { $_->{type} eq 'deny' && ($_->{order_key} // '') eq $key } @_ }) }


# the sixth wrong code in a minute; one answer for all that is wrong, and one for all that is too much

{
    my $key = 'first';
    tries('alice', $good[1], 200, 'an order with a coupon', key => $key);
    tries('other', $good[2], 200, "another buyer's order");

    my %answers = (
        'forged' => tries('alice', forged($good[0]), 422, '1st wrong code: forged'),
        'unknown' => tries('alice', $unminted, 422, '2nd: unknown'),
        "somebody else's" => tries('alice', $theirs, 422, "3rd: somebody else's"),
        'held by another' => tries('alice', $good[2], 422, '4th: held by another order'),
    );

    tries('alice', $good[1], 422, 'a coupon in another order of his own is no guess') for 1 .. 3;
    $t->advance(10);
    $answers{'forged again'} = tries('alice', forged($good[0]), 422, '5th wrong code');

    my $one = bytes($answers{forged});
    like($one, qr/"code":"COUPON_NOT_USABLE"/, 'the answer to a wrong code');
    is(bytes($answers{$_}), $one, "$_: the same bytes") for sort keys %answers;

    my $sixth = tries('alice', forged($good[0]), 429, '6th wrong code in a minute', key => 'sixth');

    is($sixth->header('Retry-After'), 50, 'until the first one is a minute old');
    is($sixth->header('Content-Type'), 'application/problem+json', 'a problem');
    is($sixth->code, 'TOO_MANY_TRIES', 'public code');
    is(bytes(tries('alice', $good[3], 429, 'a good code, too')), bytes($sixth), '... the same bytes');
    is(bytes(tries('alice', $unminted, 429, 'an unknown one, too')), bytes($sixth), '... the same bytes');
    is(bytes(tries('alice', 'rubbish', 429, 'and what is no code')), bytes($sixth), '... the same bytes');

    my $page = tries('alice', $good[3], 429, "the operator's page", uri => '/api/page');
    is($page->body, "slowly\n", '... his own words');
    is($page->header('Retry-After'), 50, '... and when');

    tries('alice', [], 200, 'an order without a coupon is not asked');
    tries('alice', $good[1], 200, 'nor is a retry of the order that has its coupon', key => $key);
    tries('bob', $good[4], 200, 'nor is another buyer');
    tries('alice', [ $good[3], $good[5] ], 429, 'several codes at once');

    my ($seen) = $t->cli_ok('coupon', 'show', $good[3]) =~ /^state\s+(\S+)/m;
    is($seen, 'issued', 'nothing of that was reserved');

    $t->clock($T0 + 59);
    tries('alice', $good[3], 429, 'the last second of the minute');
    $t->clock($T0 + 60);
    tries('alice', $good[3], 200, 'a minute after the first four');

    logged('sixth');
    is_deeply([ denied('sixth') ], [ 'RATE_USER' ], 'the log knows');
    is(status()->{counters}{RATE_USER}, 7, 'so do the counters');
}


# a coupon that the cart has already may be applied again, and removed

{
    later();

    my $cart = sub {
        my ($method, $code) = @_;

        return ($t->parallel({ method => $method, uri => '/store/carts/cart_1/promotions', user => 'cart',
                               body => Test::NgxCommerce::json()->encode({ promo_codes => [ $code ] }) }))[0]->status;
    };

    is($cart->('POST', $good[30]), 200, 'a coupon is applied to a cart');
    is($cart->('POST', forged($good[0])), 422, "wrong code $_") for 1 .. 5;
    is($cart->('POST', $good[31]), 429, 'another coupon is one too many');
    is($cart->('POST', $good[30]), 200, 'the one that it has is applied again');
    is($cart->('DELETE', $good[30]), 200, 'and removed');
    ok($t->wait_for(sub { $t->cli_ok('coupon', 'show', $good[30]) =~ /^state\s+issued/m }), '... it is free');
    is($cart->('POST', $good[30]), 429, 'then it is one too many as well');
}


# as many at once as there are connections: exactly five learn that theirs is wrong

{
    later();

    my %seen;
    $seen{$_->status}++ for $t->parallel(map { request('crowd', [ forged($good[0]) ]) } 1 .. 30);
    is_deeply(\%seen, { 422 => 5, 429 => 25 }, 'thirty at once') or diag explain \%seen;
}


# two codes in one order are two tries

{
    later();

    tries('pair', [ forged($good[0]), forged($good[0]) ], 422, "two wrong codes, order $_") for 1 .. 2;
    wrong('pair', 'a fifth');
    tries('pair', $good[6], 429, 'then no more');
}


# kept over a reload; begun anew with another limit

{
    later();

    wrong('reloaded', "before the reload, $_") for 1 .. 5;
    ok($t->reload(wait => 1), 'reload');
    tries('reloaded', $good[6], 429, 'after the reload');

    my $workers = () = $t->workers;
    is($workers, 2, 'two workers');
    is(status()->{guessing}{lost}, 0, 'nothing was lost');
}


# typing errors and rules that refuse have an allowance of their own first

{
    later();

    my @typing = ('rubbish', substr($good[0], 1), 'U' . substr($good[0], 1), $costly);
    my $before = status()->{guessing};

    tries('typist', $typing[$_ % 4], 422, "typing error $_") for 1 .. 20;
    is(status()->{guessing}{typing} - $before->{typing}, 20, 'counted as such');
    is(status()->{guessing}{wrong}, $before->{wrong}, 'and not as wrong codes');
    tries('typist', $typing[$_ % 4], 422, "typing error 20 and $_") for 1 .. 5;
    tries('typist', 'rubbish', 429, 'one more');
    tries('typist', $good[6], 429, 'and no code at all');
    $t->advance(60);
    tries('typist', $good[6], 200, 'a minute later');
}


# who cannot use a coupon learns nothing about one, and is not counted

{
    later();

    my $expected;

    for my $code ($good[7], forged($good[7]), $unminted, 'rubbish') {
        for my $who ([ undef, '/api/orders' ], [ 'claimant', '/api/claimed' ]) {
            my $answer = tries($who->[0], $code, 401, 'nobody in particular', uri => $who->[1]);
            $expected //= bytes($answer);
            is(bytes($answer), $expected, '... the same bytes');
        }
    }

    tries(undef, forged($good[7]), 401, "try $_ of nobody") for 1 .. 10;
    tries('claimant', $good[7], 200, 'the same buyer, verified');
}


# a session: whoever the user says he is

{
    later();

    wrong("s$_", "user $_ of one session", sid => 'abc') for 1 .. 5;
    my $answer = tries('s6', $good[8], 429, 'the sixth user of this session', sid => 'abc', key => 'session');
    is($answer->code, 'TOO_MANY_TRIES', 'public code');
    tries('s6', $good[8], 200, 'the same user in another', sid => 'abd');

    logged('session');
    is_deeply([ denied('session') ], [ 'RATE_SESSION' ], 'the log knows');
}


# an address has many users: a carrier's gateway

{
    later();

    for my $user (1 .. 12) {
        wrong("nat$user", "user $user behind one address: wrong code $_", from => '198.51.100.7') for 1 .. 5;
    }

    tries("clean$_", $good[10 + $_], 200, "clean user $_ there passes", from => '198.51.100.7') for 1 .. 5;
    wrong('late', 'his first wrong code', from => '198.51.100.7');
    tries('late', $good[9], 429, 'who has tried a wrong one does not', from => '198.51.100.7', key => 'address');
    tries('late', $good[9], 200, 'but from another address', from => '198.51.100.8');

    logged('address');
    is_deeply([ denied('address') ], [ 'RATE_IP' ], 'the log knows');

    $t->advance(66);
    wrong('late', 'a minute and a slot later', from => '198.51.100.7');

    # one code that a live room showed to all of them: everybody is too late, nobody guesses

    later();

    tries('room0', $good[22], 200, 'the one who is in time', from => '198.51.100.9');

    my %seen;
    $seen{$_->status}++ for $t->parallel(map { request("room$_", [ $good[22] ], from => '198.51.100.9') } 1 .. 80);
    is_deeply(\%seen, { 422 => 80 }, 'eighty users are too late for one coupon') or diag explain \%seen;
    wrong('room1', 'one of them mistypes another', from => '198.51.100.9');
    tries('room1', $good[21], 200, '... and gets it right', from => '198.51.100.9');
    tries('room2', $good[22], 422, 'too late', from => '198.51.100.9') for 2 .. 5;
    tries('room2', $good[22], 429, 'too late too often', from => '198.51.100.9');

    # a header that anybody can send is no address

    later();

    for my $user (1 .. 12) {
        wrong("xff$user", "user $user with a header of his own: wrong code $_", port => 8081,
              from => "203.0.113.$user") for 1 .. 5;
    }

    wrong('xff', 'one more user', port => 8081, from => '203.0.113.200');
    tries('xff', $good[16], 429, 'is at the same address', port => 8081, from => '203.0.113.201');
    wrong('ff', 'where the header counts, it does', from => '203.0.113.201') for 1 .. 2;

    # of IPv6 a whole network is one

    later();

    for my $user (1 .. 12) {
        wrong("six$user", "user $user of one network: wrong code $_", from => "2001:db8::$user:$_") for 1 .. 5;
    }

    wrong('six', 'a first wrong code in this network', from => '2001:db8::ffff');
    tries('six', $good[16], 429, 'is one too many', from => '2001:db8::fffe');
    tries('six', $good[16], 200, 'the next network', from => '2001:db8:0:1::1');
}


# a campaign, from many users and addresses; the shop's breaker, from many campaigns

ok(configure('commerce_coupon_guess campaign=40/1m breaker=91/2m address=30/1m soft=off;') && $t->reload(wait => 1),
   'lower limits');

{
    later();

    my $since = $t->clock;

    for my $user (1 .. 8) {
        wrong("c$user", "campaign, user $user: wrong code $_", from => "192.0.2.$user") for 1 .. 5;
    }

    wrong('cx', "a clean user's first wrong code", from => '192.0.2.100');
    tries('cx', $good[17], 429, 'is his last for this campaign', from => '192.0.2.100', key => 'campaign');
    tries('cx', $good_d[0], 200, 'other campaigns are not concerned', from => '192.0.2.100');
    tries('cy', $good[17], 200, 'nor are clean users', from => '192.0.2.1');

    logged('campaign');
    my ($event) = denials('campaign');
    is($event->{reason}, 'RATE_PREFIX', 'the log knows');
    is($event->{detail}, '1', '... which campaign');

    is_deeply(status()->{shops}{demo}{guessing}, {wrong => 41, breaker => Test::NgxCommerce::json()->decode('false')},
              'the breaker has seen all of them');

    # its codes name campaigns that do not exist: one each

    my $campaign = 4;

    for my $user (1 .. 10) {
        my $code = $good[0];
        substr $code, 3, 1, substr '0123456789ABCDEFGHJKMNPQRSTVWXYZ', ++$campaign, 1;

        tries("b$user", forged($code), 422, "breaker, user $user: wrong code $_", from => "192.0.2.$user") for 1 .. 5;
    }

    my $tripped = status()->{shops}{demo}{guessing};

    is($tripped->{wrong}, 91, 'the shop has seen enough');
    ok($tripped->{breaker}, 'the breaker has tripped');
    is($tripped->{since}, $since, '... since when');

    tries('b1', $good[18], 429, 'limits of his own come first', from => '192.0.2.200');
    $t->advance(60);
    tries('b1', $good_d[1], 429, 'then the breaker', from => '192.0.2.200', key => 'breaker');
    tries('b0', $good[18], 200, 'a clean user passes', from => '192.0.2.200');
    tries('b1', [], 200, 'without a coupon nobody is stopped', from => '192.0.2.200');

    logged('breaker');
    is_deeply([ denied('breaker') ], [ 'GLOBAL_BREAKER' ], 'the log knows');

    $t->advance(71);
    ok(!status()->{shops}{demo}{guessing}{breaker}, 'two minutes and a slot later it has closed');
    tries('b1', $good_d[1], 200, 'and he passes', from => '192.0.2.200');
}


# observed: noted, left out, not refused

{
    later();

    tries('watched', forged($good[0]), 200, "observed: wrong code $_", uri => '/api/observed') for 1 .. 5;
    tries('watched', $good[19], 200, 'observed: one more', uri => '/api/observed', key => 'observed');

    logged('observed');
    is_deeply([ map { "$_->{decision} $_->{reason}" } denials('observed') ], [ 'would_deny RATE_USER' ],
              'the log knows');

    my ($got) = grep { $_->{body} =~ /"client_key":"observed"/ } $t->received;
    is($got->{headers}{'x-commerce-coupon'}, undef, 'the backend is told of no coupon');
    is($got->{headers}{'x-commerce-decision'}, 'would_deny', '... but of the doubt');
}


# a full zone forgets who has been quiet longest, and nothing else happens

ok(configure('commerce_coupon_guess zone=64k campaign=off;') && $t->reload(wait => 1), 'the smallest zone');

{
    later();

    my @requests = map { request("z$_", [ forged($good[0]) ], from => '10.1.' . int($_ / 250) . '.' . $_ % 250) } 1 .. 600;
    my %seen;

    $seen{$_->status}++ for map { $t->parallel(splice @requests, 0, 100) } 1 .. 6;
    is_deeply(\%seen, { 422 => 600 }, 'six hundred users');

    my $guessing = status()->{guessing};
    my $entries = 0;
    $entries += $_ for values %{$guessing->{entries}};

    cmp_ok($guessing->{evicted}, '>', 500, 'more than fit');
    cmp_ok($entries, '>', 100, 'it is full');
    cmp_ok($entries, '<', 600, '... and no fuller');
    is($guessing->{lost}, 0, 'every failure was counted');
    is($guessing->{bytes}, 65536, 'its size');
    is($guessing->{entries}{breaker}, 1, 'what is counted all the time is not forgotten');

    wrong('z600', "the latest is still known: wrong code $_", from => '10.2.0.1') for 2 .. 5;
    tries('z600', $good[20], 429, '... and stopped', from => '10.2.0.1');

    # entries that are over make room before any is evicted

    later();
    my $evicted = status()->{guessing}{evicted};
    wrong("y$_", "after an hour: user $_", from => '10.2.0.2') for 1 .. 5;
    is(status()->{guessing}{evicted}, $evicted, 'nothing has to be evicted');
}


# off; and words that are none

ok(configure('commerce_coupon_guess off;') && $t->reload(wait => 1), 'off');
wrong('free', "wrong code $_") for 1 .. 8;
ok(!exists status()->{guessing}, 'nothing in the status');

my $server = 'server { commerce_shop demo; listen 127.0.0.1:8080; }';

$t->conf_ok("commerce_coupon_guess zone=1m user=10/30s address=off session=7/1h session_key=\$cookie_a campaign=1000000/1d "
            . "breaker=5000/10m soft=50/1m; $server", 'all words');

for my $bad ('user=0/1m', 'user=1000001/1m', 'user=5', 'user=5/', 'user=/1m', 'user=5/0', 'user=5/2d', 'user=x/1m',
             'user=-1/1m', 'soft=', 'breaker=on') {
    $t->conf_fails("commerce_coupon_guess $bad; $server", qr/invalid parameter "\Q$bad\E".*rate such as 5\/1m.* in .*:\d+/s);
}

$t->conf_fails("commerce_coupon_guess zone=63k; $server", qr/"zone=63k".*64k\.\.16g.* in .*:\d+/s);
$t->conf_fails("commerce_coupon_guess usr=5/1m; $server", qr/"usr=5\/1m".*user=.* in .*:\d+/s);
$t->conf_fails("commerce_coupon_guess off user=5/1m; $server", qr/"off".* in .*:\d+/s);
$t->conf_fails("commerce_coupon_guess off; commerce_coupon_guess off; $server", qr/is duplicate.* in .*:\d+/s);
$t->conf_fails("commerce_coupon_guess session_key=json:/a; $server", qr/json:.* in .*:\d+/s);


# what was tried stands nowhere

my $log = $t->read_file('events.jsonl') . $t->read_file('error.log');

ok(!(grep { index($log, $_) >= 0 } @good, $unminted, $theirs, $costly), 'no code stands in a log');

$t->done_testing;
