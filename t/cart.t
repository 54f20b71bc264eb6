#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Storefronts with carts, through conf.d/commerce-order-cart.conf: coupons are applied and removed by earlier
# requests under the cart's id, lines, coupons and amounts (in yuan) stand in the answer that completes it.

use strict;
use warnings;

use lib 't/lib';
use POSIX ();
use Test::More;
use Test::NgxCommerce qw(json);

my $t = Test::NgxCommerce->new;
my $T0 = 1_800_000_000;

$t->clock($T0);
$t->expect_log(qr/exited on signal 9/);
$t->keys;
$t->people("id,role,status,upline,user\nR,koc,active,,u-r\nA,customer,active,R,u-a\nB,koc,active,,u-b\n");
$t->campaign(id => 'ten', discount => { fixed => 1000 }, promoter => 'B', limits => { user => 50 });
$t->campaign(id => 'big', discount => { fixed => 1000 }, minimum_spend => 15000, skus => ['s1']);
$t->campaign(id => 'percent', discount => { percent => 1250 });
$t->campaign(id => 'alone', discount => { fixed => 1000 }, stacking => { class => 'exclusive' });
$t->campaign(id => 'ladder', discount => { thresholds => [ { minimum => 100, off => 500 }, { minimum => 19800, off => 2000 },
                                                           { minimum => 19801, off => 3000 } ] });
$t->campaign(id => 'saver', discount => { percent => 1000, cap => 5000 }, budgets => { total => 7000 });
$t->campaign(id => 'grouped', discount => { fixed => 1000 }, groups => [ 'g1' ], minimum_quantity => 2);
$t->storefront(8081, '--verdict-keys', $t->write_file('verdict.keys', $t->cli_ok(qw(keys export verdict))));

my $carts = $t->read_file("$Test::NgxCommerce::ROOT/conf.d/commerce-order-cart.conf");
my $observed = $carts =~ s/enforce;/observe;/gr;

my $server = sub {
    my ($port, $locations) = @_;

    return <<"EOC";
    server {
        listen              127.0.0.1:$port;
        commerce_shop       demo;
        auth_request_set    \$commerce_uid \$upstream_http_x_user;
        commerce_user       \$commerce_uid verified;
        commerce_touch      share \$arg_st;
        commerce_strip_args st;
        commerce_guard      on;

        location = /session {
            internal;
            proxy_pass              http://storefront;
            proxy_pass_request_body off;
            proxy_set_header        Content-Length "";
            proxy_set_header        X-Test "";
        }

        location / { auth_request /session; commerce enforce; proxy_pass http://storefront; }
        location /off { proxy_pass http://storefront; }
        location /lost { return 404; }

        location = /api/orders {
            auth_request            /session;
            commerce                enforce;
            commerce_order          key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line     id=/sku qty=/count price=/price;
            commerce_order_success  status=200 json=/code:0;
            commerce_coupon_code    json:/coupons;
            commerce_coupon_redeem  on=paid;
            proxy_pass              http://storefront;
        }

        location = /cancel { commerce_order_cancel key=\$arg_key user=\$arg_user; }

        $locations
    }
EOC
};

$t->http_conf("    upstream storefront { server 127.0.0.1:8081; }\n" . $server->(8080, $carts)
              . $server->(8082, $observed))->run;

my $ids = 0;

sub cart { return sprintf 'cart_%03d', ++$ids }

sub apply
{
    my ($cart, $codes, %o) = @_;

    return request('POST', "/store/carts/$cart/promotions", { promo_codes => $codes }, %o);
}

sub remove
{
    my ($cart, $codes, %o) = @_;

    return request('DELETE', "/store/carts/$cart/promotions", { promo_codes => $codes }, %o);
}

sub complete
{
    my ($cart, %o) = @_;

    return request('POST', "/store/carts/$cart/complete", undef, %o);
}

sub request
{
    my ($method, $uri, $body, %o) = @_;

    return ($t->parallel(make($method, $uri, $body, %o)))[0];
}

sub make
{
    my ($method, $uri, $body, %o) = @_;

    return { method => $method, uri => $uri . ($o{query} // ''), user => $o{user} // 'alice', port => $o{port} // 8080,
             $o{abort} ? (abort => $o{abort}) : (),
             defined $body ? (body => json->encode($body), type => 'application/json') : (),
             headers => [ $o{test} ? ('X-Test' => $o{test}) : () ] };
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

sub order
{
    my ($cart, $user) = @_;
    my ($rc, $text) = $t->cli('order', 'show', $cart, '--user', $user // 'alice');

    return $rc == 0 ? json->decode($text) : { state => 'none', doubt => [], coupons => [] };
}

sub order_becomes
{
    my ($cart, $what, $name, $user) = @_;
    my $seen;

    $t->wait_for(sub { ($seen = join ' ', (order($cart, $user)->{state}, sort @{order($cart, $user)->{doubt}})) eq $what });
    is($seen, $what, $name);
}

sub in_background
{
    my (@requests) = @_;
    my $child = fork // die "fork: $!";

    return $child if $child;

    $t->parallel(@requests);
    POSIX::_exit(0);
}

# kilobytes of all workers

sub memory
{
    my $sum = 0;

    for my $worker ($t->workers) {
        $sum += $1 if $t->read_file("/proc/$worker/status") =~ /^VmRSS:\s+(\d+)/m;
    }

    return $sum;
}

sub codes { return join ' ', map { $_->{code} } @{$_[0]->json->{cart}{promotions}} }

sub verdict
{
    my ($uri) = @_;
    my ($last) = reverse grep { $_->{path} eq $uri && $_->{headers}{'x-commerce-verdict'} } $t->received;

    return unless $last;

    my (undef, $payload) = split /\./, $last->{headers}{'x-commerce-verdict'};

    require MIME::Base64;
    return json->decode(MIME::Base64::decode_base64url($payload));
}


# rules of a cart: stacking when a coupon is applied, what depends on lines and winner in the answer that completes it

{
    my ($cart, $other) = (cart(), cart());
    my ($ten) = $t->coupons('ten', 1);
    my ($alone) = $t->coupons('alone', 1);
    my @ladder = $t->coupons('ladder', 2);
    my ($grouped) = $t->coupons('grouped', 1);

    is(apply($cart, [ $ten ])->status, 200, 'one that goes with others');
    is(apply($cart, [ $alone ])->status, 422, 'an exclusive one does not join it');
    is(state($alone), 'issued', '... and stays free');
    is(apply($other, [ $alone ])->status, 200, 'alone it may');
    is(apply($other, [ ($t->coupons('ten', 1))[0] ])->status, 422, 'and nothing joins it');

    for my $case ([ $ladder[0], 'worth=20', 'placed', 'a threshold that the lines reach' ],
                  [ $ladder[1], 'worth=30', 'placed amount', 'one that they miss by a fen' ],
                  [ $grouped, 'worth=10', 'placed amount', 'another group\'s coupon' ])
    {
        my ($code, $test, $state, $name) = @$case;
        my $id = cart();

        is(apply($id, [ $code ], test => $test)->status, 200, "$name: applied");
        is(complete($id, test => $test)->status, 200, "$name: completed");
        order_becomes($id, $state, "$name: $state");
    }
}

# a cart in doubt that is completed later: the store still agrees with itself

{
    my $cart = cart();
    my ($code) = $t->coupons('ten', 1);

    apply($cart, [ $code ], test => 'close_early');
    order_becomes($cart, 'cart unknown', 'in doubt: nobody knows whether the cart has the coupon');
    $t->advance(10);
    is(complete($cart)->status, 200, 'in doubt: completed');
    order_becomes($cart, 'placed', 'in doubt: no longer');
    is(($t->cli(qw(store check)))[0], 0, 'in doubt: the store agrees with itself');
}


# a budget counts the most that a cart's coupon can be, and what it was when the cart is completed

{
    my ($first, $second) = (cart(), cart());
    my @savers = $t->coupons('saver', 2);

    is(apply($first, [ $savers[0] ], test => 'worth=19.80')->status, 200, '50.00 of 70.00');
    is(apply($second, [ $savers[1] ])->status, 422, '50.00 more are too many');
    is(complete($first, test => 'worth=19.80')->status, 200, 'it was 19.80');
    order_becomes($first, 'placed', 'placed');
    is(apply($second, [ $savers[1] ])->status, 200, 'so that 50.00 fit');

    my ($rc, $out, $err) = $t->cli('store', 'check');
    is($rc, 0, 'and the counters are what the coupons say') or diag "$out$err";
}

# the whole life: two coupons, one of them removed, completed, paid

{
    my $cart = cart();
    my ($one, $two) = $t->coupons('ten', 2);
    my $token = $t->token('A');

    $t->get("/goods?%73t=$token&page=2&ST=x&st&star=1", user => 'alice');

    my $answer = apply($cart, [ $one ]);
    is($answer->status, 200, 'applied') or diag $answer->{raw};
    is(codes($answer), $one, 'the backend has it');
    is_deeply([ map { @$_{qw(code campaign discount)} } @{verdict("/store/carts/$cart/promotions")->{coupons}} ],
              [ $one, 'ten', undef ], 'the verdict named it, without an amount');
    is(state($one), 'reserved', 'reserved');

    $answer = apply($cart, [ $two ]);
    is(codes($answer), "$one $two", 'a second one');

    is(codes(apply($cart, [ $two ])), "$one $two", 'applied again: nothing new');
    is(state($two), 'reserved', '... still reserved');

    is(remove($cart, [ $one ])->status, 200, 'the first is removed');
    becomes($one, 'issued', '... and free');
    is(state($two), 'reserved', 'the second is not');

    $answer = complete($cart);
    is($answer->status, 200, 'completed') or diag $answer->{raw};

    my $id = $answer->json->{order}{id};
    my $verdict = verdict("/store/carts/$cart/complete");

    is_deeply([ map { $_->{code} } @{$verdict->{coupons}} ], [ $two ], 'the verdict names what the cart carries');
    is($verdict->{key}, $cart, 'under the cart as its key');

    order_becomes($cart, 'placed', 'an order');

    my $order = order($cart);
    is($order->{id}, $id, 'with the answer\'s id');
    is_deeply([ @$order{qw(claimed discount payable)} ], [ 19800, 1000, 18800 ], 'amounts of the answer, in fen');
    is_deeply([ map { @$_{qw(sku quantity amount discount seller)} } @{$order->{lines}} ],
              [ 's1', 2, 19800, 1000, 'B' ], 'lines of the answer, the coupon\'s promoter credited')
        or diag explain $order;

    $answer = complete($cart);
    is($answer->status, 200, 'completed again');
    is($answer->json->{order}{id}, $id, 'the same order');
    ok(verdict("/store/carts/$cart/complete")->{replay}, 'the verdict says replay');

    is(apply($cart, [ $one ])->code, 'ORDER_KEY_REUSED', 'nothing can be applied to what is an order');
    is(state($one), 'issued', 'nor is it reserved');

    is($t->post('/commerce/cart-order-paid', { id => $id })->json->{state}, 'paid', 'paid');
    becomes($two, 'redeemed', 'spent');

    my @steps = map { $_->{type} } grep { ($_->{order_key} // '') eq $cart && $_->{type} ne 'deny' }
        $t->wait_events('paid', 1) ? $t->events : ();
    is(join(' ', @steps), 'coupon_reserve coupon_reserve coupon_release order coupon_redeem paid',
       'each step is in the log once')
        or diag join ' ', @steps;
}


# who gets the sale is decided when the cart is completed

{
    my $cart = cart();
    my $token = $t->token('A');
    my ($code) = $t->coupons('percent', 1);

    is(apply($cart, [ $code ], user => 'bea', query => "?st=$token")->status, 200, 'applied by a buyer of A\'s');
    is(complete($cart, user => 'bea', test => 'lines=s1:3:19.99,worth=7.50')->status, 200, 'completed');

    order_becomes($cart, 'placed', 'decimals agree to the fen: 59.97 less 12.5 %', 'bea');

    my $order = order($cart, 'bea');
    is_deeply([ @$order{qw(claimed discount payable)} ], [ 5997, 750, 5247 ], 'in fen');
    is_deeply([ @{$order->{lines}[0]}{qw(seller tier2)} ], [ 'A', 'R' ], 'A sold it, R recruited A');

    my @queries = map { $_->{query} } grep { $_->{path} =~ /$cart|goods/ } $t->received;
    is_deeply(\@queries, [ 'page=2&star=1', '', '' ], 'the share token does not reach the backend');
}


# a code that the backend does not take

{
    my $cart = cart();
    my ($one, $two) = $t->coupons('ten', 2);

    is(apply($cart, [ $one ], test => 'ignore')->status, 200, 'the backend answers 200 without the code');
    becomes($one, 'issued', 'which is free then');
    order_becomes($cart, 'none', 'and the cart forgotten');

    is(apply($cart, [ $one, $two ], test => 'status422')->status, 422, 'a definite failure');
    becomes($one, 'issued', 'frees both');
    becomes($two, 'issued', '...');

    is(apply($cart, [ $one ])->status, 200, 'one is in');
    is(apply($cart, [ $one, $two ], test => 'status422')->status, 422, 'again, with another that is refused');
    becomes($two, 'issued', 'the other is free');
    is(state($one), 'reserved', 'the one that was in, is');

    is(remove($cart, [ $one ], test => 'ignore')->status, 200, 'a removal that the backend ignores');
    is(remove($cart, [ $one ], test => 'status500')->status, 500, 'one that fails');
    order_becomes($cart, 'cart unknown', 'leaves a doubt');
    is(state($one), 'reserved', 'and the coupon where it was');
    is(remove($cart, [ $one ])->status, 200, 'one that works');
    becomes($one, 'issued', 'frees it');

    my $other = cart();
    is(apply($other, [ $one ])->status, 200, 'another cart takes it');
    is(apply($cart, [ $one ])->code, 'COUPON_NOT_USABLE', 'and the first cannot have it back');
    is(complete($other)->status, 200, 'it is completed');
    order_becomes($other, 'placed', 'placed');
}


# other users

{
    my $cart = cart();
    my ($one, $two) = $t->coupons('ten', 2);

    is(apply($cart, [ $one ])->status, 200, 'alice\'s cart');
    is(apply($cart, [ $two ], user => 'mallory')->code, 'ORDER_KEY_REUSED', 'is not mallory\'s');
    is(complete($cart, user => 'mallory')->status, 409, 'nor is it his to complete');
    is(remove($cart, [ $one ], user => 'mallory')->status, 409, 'nor to take something out');
    is(state($one), 'reserved', 'alice\'s coupon is still in');
    is(state($two), 'issued', 'mallory\'s is not');
    is(scalar(grep { $_->{path} =~ /$cart/ && $_->{headers}{authorization} =~ /mallory/ } $t->received), 0,
       'the backend saw nothing of it');
    is(complete($cart)->status, 200, 'alice completes it');
    order_becomes($cart, 'placed', 'placed');
}


# rules about lines and money run on what is really bought

{
    for my $case ([ 's1:1:149.99', 'below the minimum' ], [ 's2:2:99.00', 'another SKU' ],
                  [ 's1:2:99.00', 'the backend took more off', 'worth=20' ],
                  [ 's1:2:99.00', 'the total differs by a fen', 'total=187.99' ])
    {
        my ($lines, $name, $more) = @$case;
        my $cart = cart();
        my ($code) = $t->coupons('big', 1);

        is(apply($cart, [ $code ])->status, 200, "$name: applied");

        my $answer = complete($cart, test => join ',', "lines=$lines", $more // ());
        is($answer->status, 200, "$name: completed");
        order_becomes($cart, 'placed amount', "$name: in doubt");
        is(state($code), 'reserved', "$name: not spent");

        is($t->post('/commerce/cart-order-paid', { id => $answer->json->{order}{id} })->json->{reason},
           'AMOUNT_MISMATCH', "$name: a payment does not change that");
        is(state($code), 'reserved', "$name: ...");
    }

    my $cart = cart();
    my ($code) = $t->coupons('big', 1);

    apply($cart, [ $code ]);
    complete($cart, test => 'lines=s1:1:150.00');
    order_becomes($cart, 'placed', 'at the minimum all is well');
}


# whoever asks the backend once more, without its lines, does not make the doubt go away, nor the lines

{
    my $cart = cart();
    my ($code) = $t->coupons('ten', 1);

    apply($cart, [ $code ]);
    my $id = complete($cart, test => 'lines=s1:2:99.00,total=187.99')->json->{order}{id};
    order_becomes($cart, 'placed amount', 'a fen is missing');

    my $lines = order($cart)->{lines};
    is(scalar @$lines, 1, 'its lines are known');

    my $list = $t->write_file('list.csv', "key,user,id,state,amount\n$cart,alice,$id,placed,187.99\n");
    my ($rc, $out) = $t->cli('coupon', 'reconcile', '--unit', 'yuan', $list);
    is($rc, 1, 'the backend says again what it said');
    like($out, qr/$cart: its amount or coupons are not what the rules give: it stays in doubt/, 'it stays in doubt');
    order_becomes($cart, 'placed amount', 'really');
    is_deeply(order($cart)->{lines}, $lines, 'with its lines');

    $t->write_file('list.csv', "key,user,id,state,amount\n$cart,alice,$id,placed,188.00\n");
    $t->cli_ok('coupon', 'reconcile', '--unit', 'yuan', $list);
    order_becomes($cart, 'placed', 'until the amount agrees');
    is_deeply(order($cart)->{lines}, $lines, 'with its lines');
}


# coupons that the backend honours although nobody applied them at the edge

{
    my ($cart, $other) = (cart(), cart());
    my ($applied, $extra, $taken) = $t->coupons('ten', 3);

    apply($cart, [ $applied ]);
    is(complete($cart, test => "extra=$extra")->status, 200, 'a coupon that came past the edge');
    order_becomes($cart, 'placed amount', '... puts the order in doubt');
    becomes($extra, 'reserved', '... and is nobody else\'s to spend');
    is(state($applied), 'reserved', '... the other one waits, too');
    $t->cli_ok('order', 'approve', $cart);
    is($t->post('/commerce/cart-order-paid', { id => order($cart)->{id} })->json->{state}, 'paid', '... until somebody looked');
    becomes($extra, 'redeemed', '... then both are spent');

    apply($other, [ $taken ]);
    $cart = cart();
    is(complete($cart, test => "extra=$taken")->status, 200, 'one that another cart has');
    order_becomes($cart, 'placed', '... is an alarm: there is nothing to hold');
    is(order($cart)->{coupons}[0]{use}, 'lost', '... the order is told that it has not got it');
    is(state($taken), 'reserved', '... the other cart has it');
    ok((grep { /AMOUNT_MISMATCH: order key "$cart"/ } $t->log_lines(qr/\[error\]/)), '... and the error log has it');

    $cart = cart();
    is(complete($cart, test => 'extra=THEIRSALE')->status, 200, 'a promotion of the backend\'s own');
    order_becomes($cart, 'placed', '... is none of ours');

    $t->campaign(v => 2, id => 'old', discount => { fixed => 1000 }, codes => 'imported');
    $t->cli_ok('coupon', 'import', 'old', $t->write_file('old.csv', "code\nOLD-1\n"));
    $cart = cart();
    is(complete($cart, test => 'extra=old1')->status, 200, 'a code made elsewhere');
    order_becomes($cart, 'placed amount', '... is a coupon like any other');
}


# a completion that fails leaves the coupons in the cart

{
    my $cart = cart();
    my ($code) = $t->coupons('ten', 1);

    apply($cart, [ $code ]);
    is(complete($cart, test => 'declined')->json->{type}, 'cart', 'declined with 200');
    order_becomes($cart, 'cart', 'a cart again');
    is(state($code), 'reserved', 'with its coupon');
    is(complete($cart, test => 'status402')->status, 402, 'declined with 402');
    order_becomes($cart, 'cart', 'the same');

    is(complete($cart, test => 'status500')->status, 500, 'no certain answer');
    order_becomes($cart, 'unknown unknown', 'in doubt');
    is(apply($cart, [ $code ])->code, 'ORDER_IN_FLIGHT', 'nothing else until that is known');
    is(complete($cart)->status, 200, 'the same again');
    order_becomes($cart, 'placed', 'and it is known');

    my $bare = cart();
    is(complete($bare, test => 'declined')->status, 200, 'a cart without coupons: declined');
    order_becomes($bare, 'none', 'forgotten');
    is(complete($bare)->status, 200, 'completed');
    order_becomes($bare, 'placed', 'an order');
    is(complete($bare, user => 'mallory')->code, 'ORDER_KEY_REUSED', 'of its user');
}


# at once

{
    my $cart = cart();
    my @codes = $t->coupons('ten', 4);
    my $same = [ $t->coupons('ten', 1) ];
    my @other = map { cart() } 1 .. 8;

    my @answers = $t->parallel(map { make('POST', "/store/carts/$cart/promotions", { promo_codes => [ $_ ] }) } @codes);
    is(join(' ', map { $_->status } @answers), join(' ', (200) x 4), 'four at once wait for each other');
    is(scalar(grep { state($_) eq 'reserved' } @codes), 4, 'all are in');

    @answers = $t->parallel(map { make('POST', "/store/carts/$_/promotions", { promo_codes => $same }) } @other);
    is(scalar(grep { $_->status == 200 } @answers), 1, 'one coupon into eight carts: one has it');
    is(scalar(grep { ($_->code // '') eq 'COUPON_NOT_USABLE' } @answers), 7, 'seven are told that they cannot');

    @answers = $t->parallel(map { make('POST', "/store/carts/$cart/complete", undef, test => 'slow=0.1') } 1 .. 6);
    is(join(' ', map { $_->status } @answers), join(' ', (200) x 6), 'six completions at once');

    my %ids = map { $_->json->{order}{id} => 1 } @answers;
    is(scalar keys %ids, 1, 'are one order');
    order_becomes($cart, 'placed', 'placed');
    $t->wait_events(sub { grep { $_->{type} eq 'order' && $_->{order_key} eq $cart } @_ });
    is(scalar(grep { $_->{type} eq 'order' && $_->{order_key} eq $cart } $t->events), 1, 'told once');
    is(order($cart)->{discount}, 4000, 'four coupons');
}


# answers that are lost: time-out, a client who left, a worker that is killed

{
    my $cart = cart();
    my ($one, $two, $three) = $t->coupons('ten', 3);

    apply($cart, [ $one ], test => 'slow=1', abort => 0.2);
    order_becomes($cart, 'cart unknown', 'the client left: in doubt');
    is(state($one), 'reserved', 'and reserved');
    is(apply($cart, [ $one ])->status, 200, 'applied once more');
    order_becomes($cart, 'cart', 'known');

    my ($request) = make('POST', "/store/carts/$cart/promotions", { promo_codes => [ $two ] }, test => 'hang');
    my @before = $t->workers;

    $t->parallel({ %$request, abort => 0.3 }, map { { uri => '/off' } } 1);
    becomes($two, 'reserved', 'one more is being applied');

    my ($hanging) = make('POST', "/store/carts/$cart/promotions", { promo_codes => [ $three ] }, test => 'hang');
    my $pid = fork // die;

    if ($pid == 0) {
        $t->parallel({ %$hanging, timeout => 20 });
        POSIX::_exit(0);
    }

    becomes($three, 'reserved', 'a third is with the backend');
    $t->kill_worker('KILL', $_) for $t->workers;
    waitpid $pid, 0;
    $t->wait_for(sub { my @now = $t->workers; @now == 2 && !grep { my $w = $_; grep { $_ == $w } @before } @now });

    is(state($three), 'reserved', 'it is reserved after all workers were killed');
    is(order($cart)->{state}, 'cart', 'and the cart remembers');

    $t->advance(76);
    order_becomes($cart, 'cart unknown', 'when its time is over it is in doubt');
    is(remove($cart, [ $two, $three ])->status, 200, 'both are removed');
    order_becomes($cart, 'cart', 'nothing in doubt');
    becomes($two, 'issued', 'free');
    becomes($three, 'issued', 'free');
    is(complete($cart)->status, 200, 'the cart is completed');
    order_becomes($cart, 'placed', 'with the first');
    is(order($cart)->{discount}, 1000, '...');
}


# the deadline

{
    my ($cart, $other) = (cart(), cart());
    my ($one, $two) = $t->coupons('ten', 2);

    apply($cart, [ $one, $two ]);
    $t->advance(7199);
    is(remove($cart, [ $two ])->status, 200, 'a request of the cart');
    becomes($two, 'issued', '...');
    $t->advance(7199);
    is(state($one), 'reserved', 'starts its time again');
    $t->advance(2);
    becomes($one, 'issued', 'two hours later its coupon is free');

    is(apply($other, [ $one ])->status, 200, 'another cart takes it');
    is(complete($cart)->code, 'COUPON_NOT_USABLE', 'the first carries it still: it cannot be completed');
    is(remove($cart, [ $one ])->status, 200, 'until it is removed there');
    is(complete($cart)->status, 200, 'then it can');
    order_becomes($cart, 'placed', 'without a coupon');
    is(order($cart)->{discount}, 0, '...');
    is(complete($other)->status, 200, 'the other has it');

    my ($third) = $t->coupons('ten', 1);
    my $late = cart();

    apply($late, [ $third ]);
    $t->advance(7201);
    becomes($third, 'issued', 'once more too late');
    is(complete($late)->status, 200, 'but nobody has taken it: it is taken again');
    order_becomes($late, 'placed', 'placed');
    is(order($late)->{coupons}[0]{use}, 'reserved', 'with its coupon');
}


# what a cart location does not take

{
    my $cart = cart();
    my ($code) = $t->coupons('ten', 1);
    my $codes = { promo_codes => [ $code ] };

    is(request('PUT', "/store/carts/$cart/promotions", $codes)->code, 'METHOD_NOT_ALLOWED', 'another method');
    is(request('PUT', "/store/carts/$cart/promotions", $codes)->header('Allow'), 'POST, DELETE', '... than these');
    is(request('POST', "/store/carts/$cart/complete", $codes)->code, 'BODY_MALFORMED', 'a completion that names coupons');
    is(request('POST', "/store/carts/$cart/complete", {})->status, 200, 'an empty object is no body');
    is(request('POST', "/store/carts/$cart/items", $codes)->code, 'GUARD_REFUSED', 'another path');
    is(apply(cart(), [ $code, $code ])->code, 'COUPON_NOT_USABLE', 'one coupon twice');
    is(request('POST', '/store/carts/' . ('x' x 129) . '/promotions', $codes)->code, 'ORDER_KEY_MALFORMED',
       'a cart whose id is too long');
    is(state($code), 'issued', 'nothing of it reserved anything');
    is(remove(cart(), [ 'their-own-code' ])->status, 200, 'removing a code that is not ours is the backend\'s business');
    is(apply(cart(), [ 'their-own-code' ])->code, 'COUPON_NOT_USABLE', 'applying it is not');
}


# a cart that is cancelled

{
    my $cart = cart();
    my ($code) = $t->coupons('ten', 1);

    apply($cart, [ $code ]);
    is($t->post("/cancel?key=$cart&user=alice", '')->json->{state}, 'cancelled', 'cancelled by the backend');
    becomes($code, 'issued', 'its coupon is free');
}


# observe: everything goes on, what is legal is written

{
    my $cart = cart();
    my ($code, $spent) = $t->coupons('ten', 2);
    my $first = cart();

    apply($first, [ $spent ]);
    is(apply($cart, [ $spent ], port => 8082)->status, 200, 'observe: a coupon that another cart has passes');
    is(apply($cart, [ $code ], port => 8082)->status, 200, 'observe: a good one, too');
    is(state($code), 'reserved', 'and is reserved');

    my @answers = $t->parallel(map { make('POST', "/store/carts/$cart/complete", undef, port => 8082,
                                          test => 'slow=0.1') } 1 .. 3);
    is(join(' ', map { $_->status } @answers), '200 200 200', 'observe: completed, one after the other');
    order_becomes($cart, 'placed', 'observe: placed');
    ok(!(grep { $_->{type} eq 'deny' && ($_->{reason} // '') eq 'ORDER_IN_FLIGHT' && ($_->{order_key} // '') eq $cart }
         $t->events), 'observe: none of them would have been refused');
}


# whoever waits for a cart takes no more memory the longer he waits

{
    my $cart = cart();
    my ($code, @others) = $t->coupons('ten', 61);
    my $path = "/store/carts/$cart/promotions";
    my @children = (in_background(make('POST', $path, { promo_codes => [ $code ] }, test => 'slow=4')));

    $t->wait_for(sub { state($code) eq 'reserved' });

    my ($before, $most) = (memory(), 0);

    push @children, in_background(map { make('POST', $path, { promo_codes => [ $_ ] }) } @others);

    for (1 .. 30) {
        my $now = memory();

        $most = $now if $now > $most;
        select undef, undef, undef, 0.1;
    }

    waitpid $_, 0 for @children;
    cmp_ok($most - $before, '<', 60 * 400, '60 requests wait for 2 s: less than 400k each');
}


# an order that is made in one request is no cart, whatever key its buyer chose for it, nor the other way round

{
    my ($cart, $other) = (cart(), cart());
    my ($code, $second) = $t->coupons('ten', 2);
    my $order = sub { request('POST', '/api/orders', { client_key => $_[0], items => $_[1], coupons => [ $_[2] ] }, @_[3 .. $#_]) };

    is($order->($cart, [ { sku => 's1', count => 1, price => 5000 } ], $code, test => 'status500')->status, 500,
       'an order without an answer');
    order_becomes($cart, 'unknown unknown', 'in doubt');
    is(complete($cart)->code, 'ORDER_KEY_REUSED', 'a cart of the same key cannot end that doubt');
    order_becomes($cart, 'unknown unknown', 'in doubt still');
    is(state($code), 'reserved', 'with its coupon');

    is(apply($other, [ $second ])->status, 200, 'a cart');
    order_becomes($other, 'cart', 'is written');
    is($order->($other, [], $second)->code, 'ORDER_KEY_REUSED', 'an order without lines cannot take its coupon');
}


# a cart that nobody came back to is not kept for ever, nor does it keep its buyer from being forgotten

{
    my ($mine, $his) = (cart(), cart());
    my ($code, $other) = $t->coupons('ten', 2);

    is(apply($mine, [ $code ], user => 'ghost')->status, 200, 'a cart');
    is(apply($his, [ $other ], user => 'spirit')->status, 200, 'and another one');
    order_becomes($_->[0], 'cart', 'is written', $_->[1]) for [ $mine, 'ghost' ], [ $his, 'spirit' ];

    my ($rc, undef, $error) = $t->cli('buyer', 'erase', 'ghost');
    is($rc, 1, 'while it holds a coupon its buyer is not erased');
    like($error, qr/order "$mine" of this user is open/, 'which is said');

    $t->advance(7201);
    becomes($_, 'issued', 'nobody comes') for $code, $other;
    order_becomes($mine, 'cart', 'a cart still', 'ghost');

    like($t->cli_ok('buyer', 'erase', 'ghost'), qr/^0 orders and 0 coupons without their buyer/, 'then he is');
    is(order($mine, 'ghost')->{state}, 'none', 'and his cart with him');
    is(apply($mine, [ $code ], user => 'ghost')->status, 200, 'should he come back, it is a new one');

    $t->advance(401 * 86400);
    $t->cli_ok('store', 'collect');
    is(order($his, 'spirit')->{state}, 'none', 'long after that the other one goes, too');
    like($t->cli_ok('store', 'check'), qr/ 0 violations/, 'the store agrees with itself');
}


# configuration

my $at = sub {
    return "server { listen 127.0.0.1:8080; commerce_shop demo; location / { @_ } }";
};

$t->conf_fails($at->('commerce_order key=$arg_k; commerce_cart apply=GET;'),
               qr/invalid parameter "apply=GET" in "commerce_cart", allowed: apply=.* in .*:\d+/, 'a method that reads');
$t->conf_fails($at->('commerce_order key=$arg_k; commerce_cart coupons=response:/a;'),
               qr/"commerce_cart" directive needs apply=, remove= or complete=/, 'no step');
$t->conf_fails($at->('commerce_order key=$arg_k; commerce_cart apply=POST remove=POST;'),
               qr/one method for one step/, 'two steps by one method');
$t->conf_fails($at->('commerce_order key=$arg_k; commerce_cart complete=POST code=/a;'),
               qr/needs coupons=response/, 'code= without coupons=');
$t->conf_fails($at->('commerce_cart complete=POST;'), qr/"commerce_cart".* require "commerce_order"/, 'no order');
$t->conf_fails($at->('commerce_order key=$arg_k lines=response:/a; commerce_order_line id=/a;'),
               qr/lines=response: requires "commerce_cart complete=POST"/, 'lines of an answer without a cart');
$t->conf_fails($at->('commerce_order key=$arg_k scope=world;'), qr/scope=user\|shop/, 'a scope that is none');
$t->conf_fails($at->('commerce_strip_args a%62;'), qr/names of arguments/, 'a name that is none');

$t->done_testing;
