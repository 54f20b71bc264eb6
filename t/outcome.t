#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Whatever the backend answers, or fails to: what becomes of the order, of its coupon, and of whoever comes
# back with the same key or with the same coupon.

use strict;
use warnings;

use lib 't/lib';
use IO::Socket::INET;
use MIME::Base64 qw(decode_base64url);
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new;

$t->clock(1_800_000_000);
$t->keys;
$t->campaign(id => 'c', discount => { fixed => 1000 });

my @coupons = $t->coupons('c', 100);

$t->storefront(8081, '--verdict-keys', $t->write_file('verdict.keys', $t->cli_ok(qw(keys export verdict))));
$t->storefront(8091);           # believes whatever it is sent: where copies and fallbacks go

$t->write_file('html/sorry.html', 'sorry');
$t->write_file('html/files/done.json', '{"code":0,"data":{"order_no":"X1"}}');
$t->write_file('html/page.html', 'page <!--# include virtual="/api/orders" --> end');

# answers with raw bytes: what HTTP leaves a backend to get wrong

my $good = '{"code":0,"data":{"order_no":"R%d","pay_amount":8900}}';

my %raw = (
    chunked => sub { sprintf "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n",
                     substr($_[0], 0, 7), length($_[0]) - 7, substr($_[0], 7) },
    chunks  => sub { sprintf "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", length $_[0], $_[0] },
    short   => sub { "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n$_[0]" },
    closed  => sub { "HTTP/1.1 200 OK\r\n\r\n$_[0]" },
    half    => sub { "HTTP/1.1 200 OK\r\n\r\n" . substr $_[0], 0, 20 },
    garbage => sub { "HELLO\r\n" },
    header  => sub { "HTTP/1.1 200 OK\r\nNo colon\0\r\n\r\n$_[0]" },
);

sub raw_backend
{
    my ($port) = @_;
    my $number = 0;
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 64, ReuseAddr => 1)
        or die "cannot listen: $!\n";

    while (my $client = $listener->accept) {
        my $request = '';

        while ($request !~ /\r\n\r\n/) {
            sysread $client, $request, 65536, length $request or last;
        }

        my ($case) = $request =~ /^X-Test: (\w+)/mi or next;
        my ($length) = $request =~ /^Content-Length: (\d+)/mi;

        while (length($request) - index($request, "\r\n\r\n") - 4 < $length) {
            sysread $client, $request, 65536, length $request or last;
        }

        syswrite $client, $raw{$case}->(sprintf $good, ++$number);
        shutdown $client, 2;
    }
}

$t->daemon($t->port(8075), \&raw_backend);

my $server = sub {
    my ($port, %o) = @_;

    return <<"EOC";
    server {
        listen          127.0.0.1:$port;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   \$session_user verified;
        root            %%DIR%%/html;

        @{[ $o{server} // '' ]}

        location @{[ $o{location} // '/api/orders' ]} {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payable=response:/data/pay_amount;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons;
            commerce_coupon_redeem on=order;
            @{[ $o{inside} // '' ]}
            @{[ $o{pass} // 'proxy_pass http://127.0.0.1:8081;' ]}
        }

        location = /confirm { commerce_order_confirm id=\$arg_id; }
        location = /cancel { commerce_order_cancel id=\$arg_id; }
        location = /status { commerce_status; }
    }
EOC
};

$t->http_conf(<<'EOC'
    map $http_authorization $session_user {
        "~^Bearer user-(?<session_name>.+)$"  $session_name;
    }

    proxy_read_timeout 300ms;

    upstream second_works  { server 127.0.0.1:8071; server 127.0.0.1:8081; }
    upstream none_works    { server 127.0.0.1:8071; server 127.0.0.1:8072; }
    upstream first_fails   { server 127.0.0.1:8073; server 127.0.0.1:8081 backup; }
    upstream first_has_it  { server 127.0.0.1:8073; server 127.0.0.1:8071 backup; }

    server {
        listen 127.0.0.1:8073;
        return 500;
    }

    server {
        listen 127.0.0.1:8074;
        add_header X-Accel-Redirect /files/done.json;
        return 200 '{"code":0,"data":{"order_no":"X2"}}';
    }
EOC
    . $server->(8080)
    . $server->(8001, inside => 'proxy_intercept_errors on; error_page 404 500 /sorry.html;')
    . $server->(8002, inside => 'proxy_intercept_errors on; error_page 404 500 502 504 = @fallback;',
                server => 'location @fallback { proxy_set_header X-Test ""; proxy_pass http://127.0.0.1:8091; }')
    . $server->(8003, pass => 'proxy_pass http://127.0.0.1:8071;')
    . $server->(8015, pass => 'proxy_pass http://127.0.0.1:8071;', inside => 'error_page 502 = @fallback;',
                server => 'location @fallback { proxy_pass http://127.0.0.1:8081; }')
    . $server->(8004, inside => 'proxy_ignore_client_abort on; proxy_read_timeout 5s;')
    . $server->(8005, pass => 'proxy_pass http://127.0.0.1:8074;',
                server => 'location /files/ { internal; }')
    . $server->(8006, pass => 'proxy_pass http://second_works;')
    . $server->(8007, pass => 'proxy_pass http://none_works;')
    . $server->(8008, pass => 'proxy_pass http://first_fails;',
                inside => 'proxy_next_upstream error http_500 non_idempotent;')
    . $server->(8009, pass => 'proxy_pass http://first_has_it;',
                inside => 'proxy_next_upstream error http_500 non_idempotent;')
    . $server->(8014, pass => 'proxy_pass http://127.0.0.1:8075;')
    . $server->(8010, inside => 'gzip on; gzip_types application/json; gzip_min_length 1;')
    . $server->(8011, inside => q(sub_filter '"code":0' '"code":7'; sub_filter_types application/json;))
    . $server->(8012, inside => 'proxy_buffering off;')
    . $server->(8013, inside => 'proxy_read_timeout 5s;')
    . $server->(8020, inside => 'mirror /copy; mirror_request_body on;',
                server => 'location = /copy { internal; proxy_pass http://127.0.0.1:8091; }')
    . $server->(8021, inside => 'mirror /api/orders/copy;')
    . $server->(8022, server => 'location = /page.html { ssi on; }')
    . $server->(8023, inside => 'ssi on; ssi_types *; proxy_read_timeout 5s;')
    . $server->(8024, location => '@orders',
                server => 'location /api/ { try_files $uri @orders; }')
    . $server->(8025, inside => 'try_files /none @plain;', pass => '',
                server => 'location @plain { proxy_pass http://127.0.0.1:8081; }')
    . $server->(8026, inside => 'if ($request_method = POST) { set $posted 1; }')
    . $server->(8027, inside => 'limit_except GET { allow all; }')
    . $server->(8028, server => 'rewrite ^/shop(/.*)$ $1;')
)->run;

my $n = 0;
my $in_doubt = 0;
my %want_events;

sub verdict
{
    my ($request) = @_;

    return Test::NgxCommerce::json()->decode(
        decode_base64url((split /\./, $request->{headers}{'x-commerce-verdict'})[1]));
}

sub cart
{
    my ($key, $coupon, %o) = @_;

    return { client_key => $key, items => [ { sku => 's1', count => 1, price => $o{price} // 9900 } ],
             coupons => $coupon ? [ $coupon ] : [] };
}

sub send_order
{
    my ($key, $coupon, %o) = @_;

    return $t->post($o{uri} // '/api/orders', cart($key, $coupon, %o), user => $o{user} // 'anna',
                    port => $o{port} // 8080, exists $o{abort} ? (abort => $o{abort}) : (),
                    headers => { $o{test} ? ('X-Test' => $o{test}) : (), %{$o{headers} || {}} });
}

sub coupon
{
    my ($code, $what) = @_;

    return $t->cli_ok('coupon', 'show', $code) =~ /^$what\s+(\S+)/m ? $1 : undef;
}

# the order as the tool shows it; nothing if the key is free

sub shown
{
    my ($key) = @_;
    my ($code, $out) = $t->cli('order', 'show', $key, '--user', 'anna');

    return $code ? {} : Test::NgxCommerce::json()->decode($out);
}

# returns the order as well

sub is_state
{
    my ($key, $state, $name) = @_;
    my $order;

    $t->wait_for(sub { $order = shown($key); ($order->{state} // 'none') eq $state });
    is($order->{state} // 'none', $state, "$name: order is $state");

    return $order;
}

sub is_in_doubt
{
    my ($name) = @_;

    is($t->get('/status')->json->{shops}{demo}{in_doubt}, $in_doubt, "$name: $in_doubt in doubt");
}

# how it ends, by itself and for those who come back

sub ends
{
    my ($outcome, $name, %o) = @_;
    my $coupon = shift @coupons;
    my $key = 'k' . ++$n;

    my $answer = send_order($key, $coupon, %o);
    is($answer->status, $o{status} // 200, "$name: client sees " . ($o{status} // 200)) or diag $answer->body;
    is($answer->body, $o{body}, "$name: ... and the answer") if defined $o{body};

    if ($outcome eq 'accepted') {
        accepted($key, $coupon, $name);
    }
    elsif ($outcome eq 'refused') {
        refused($key, $coupon, $name);
    }
    else {
        unknown($key, $coupon, $name);
    }

    return $answer;
}

sub accepted
{
    my ($key, $coupon, $name) = @_;

    is_state($key, 'placed', $name);
    is(coupon($coupon, 'state'), 'redeemed', "$name: coupon is redeemed");
    is_in_doubt($name);

    is(send_order("other-$key", $coupon)->status, 422, "$name: another key does not get the coupon");
    is(send_order($key, $coupon)->status, 200, "$name: the same key may ask again");
    is(verdict(($t->received)[-1])->{replay}, Test::NgxCommerce::json()->true, "$name: ... as a retry");

    $want_events{$key} = [ $name, 'coupon_reserve', 'coupon_redeem', 'order placed' ];
}

# the key is as free as the coupon

sub refused
{
    my ($key, $coupon, $name) = @_;

    is_state($key, 'none', $name);
    is(coupon($coupon, 'state'), 'issued', "$name: coupon is free");
    is_in_doubt($name);

    is(send_order($key, undef, price => 5000)->status, 200, "$name: the key is free for another cart");
    is(send_order("other-$key", $coupon)->status, 200, "$name: and the coupon for another key");

    $want_events{$key} = [ $name, 'coupon_reserve', 'coupon_release COUPON_UPSTREAM_REJECTED', 'order failed',
                           'order placed' ];
}

# kept for the same key, which finds out

sub unknown
{
    my ($key, $coupon, $name) = @_;

    is_state($key, 'unknown', $name);
    is(coupon($coupon, 'state'), 'reserved', "$name: coupon is kept");
    $in_doubt++;
    is_in_doubt($name);

    is(send_order("other-$key", $coupon)->status, 409, "$name: another key does not get the coupon");
    is(send_order($key, $coupon, price => 5000)->code, 'ORDER_KEY_REUSED', "$name: the key is not for another cart");

    my $again = send_order($key, $coupon);
    is($again->status, 200, "$name: the same key and cart pass") or diag $again->body;
    is($again->json->{data}{pay_amount}, 8900, "$name: ... with the discount") or diag $again->body;
    is(verdict(($t->received)[-1])->{replay}, Test::NgxCommerce::json()->true, "$name: ... as a retry");

    my $order = is_state($key, 'placed', "$name: after the retry");
    is($order->{coupons}[0]{use}, 'redeemed', "$name: after the retry: coupon is redeemed");
    $in_doubt--;
    is_in_doubt("$name: after the retry");

    $want_events{$key} = [ $name, 'coupon_reserve', 'order unknown COUPON_UNKNOWN_RESULT', 'coupon_redeem',
                           'order placed' ];
}


# what the backend says

ends('accepted', 'code 0');
ends('refused', 'code 4001 in a 200', test => 'code4001');
ends('refused', "a $_", test => "status$_", status => $_) for 302, 400, 403, 404, 422;
ends('unknown', "a $_", test => "status$_", status => $_) for 201, 408, 409, 425, 429, 500, 503;
ends('unknown', 'no answer in time', test => 'hang', status => 504);
ends('unknown', 'closed before an answer', test => 'close_early', status => 502);
ends('unknown', 'a JSON that ends early', test => 'broken', body => '{"code":0,"data":{"order_no":');
ends('refused', 'a JSON without the member', test => 'echo');

my $big = ends('unknown', 'a big answer', test => 'big');
is(length $big->body, 1_000_000 + length '{"code":0,"padding":""}', 'a big answer: the client gets all of it');

$big = ends('unknown', 'a big answer, unbuffered', test => 'big', port => 8012);
is(length $big->body, 1_000_000 + length '{"code":0,"padding":""}', 'a big answer, unbuffered: the client too');

my $packed = ends('unknown', 'an answer that is gzipped in spite of all', test => 'gzip');
is($packed->header('Content-Encoding'), 'gzip', 'an answer that is gzipped: so it goes to the client');


# the whole answer, or a part of it

ends('accepted', 'in chunks', port => 8014, test => 'chunked', body => sprintf $good, 1);
ends('unknown', 'chunks without an end', port => 8014, test => 'chunks');
ends('unknown', 'shorter than its length', port => 8014, test => 'short');
ends('accepted', 'up to the end of the connection', port => 8014, test => 'closed', body => sprintf $good, 4);
ends('unknown', 'half of it up to the end of the connection', port => 8014, test => 'half');
ends('unknown', 'no HTTP', port => 8014, test => 'garbage', status => 0);
ends('unknown', 'a broken header', port => 8014, test => 'header', status => 502);


# what the gateway itself makes of the answer does not count

$packed = ends('accepted', 'gzipped by the gateway', port => 8010, headers => { 'Accept-Encoding' => 'gzip' });
is($packed->header('Content-Encoding'), 'gzip', 'gzipped by the gateway: for the client');
ok(!exists(($t->received)[-1]{headers}{'accept-encoding'}), 'gzipped by the gateway: the backend is not asked to');

my $rewritten = ends('accepted', 'rewritten by the gateway', port => 8011);
is($rewritten->json->{code}, 7, 'rewritten by the gateway: for the client');

ends('refused', 'a 404 behind a page', port => 8001, test => 'status404', status => 404, body => 'sorry');
ends('unknown', 'a 500 behind a page', port => 8001, test => 'status500', status => 500, body => 'sorry');
ends('accepted', 'nothing to put a page before', port => 8001);

ends('unknown', 'a 404 and a fallback that accepts', port => 8002, test => 'status404');
ends('unknown', 'a 500 and a fallback that accepts', port => 8002, test => 'status500');
ends('unknown', 'a time-out and a fallback that accepts', port => 8002, test => 'hang');
ends('accepted', 'no need of a fallback', port => 8002);
ends('accepted', 'nobody there and a fallback that accepts', port => 8015);

ends('unknown', 'X-Accel-Redirect to a file', port => 8005, body => '{"code":0,"data":{"order_no":"X1"}}');


# backends that are not there

ends('refused', 'connection refused', port => 8003, status => 502);
ends('accepted', 'the first of two is not there', port => 8006);
ends('refused', 'both are not there', port => 8007, status => 502);
ends('refused', 'nobody is left to ask', port => 8007, status => 502);

# a retry that was never sent says nothing about the first try, which was

{
    my $name = 'a retry that was never sent';
    my $coupon = shift @coupons;
    my $key = 'k' . ++$n;

    is(send_order($key, $coupon, test => 'close_early')->status, 502, "$name: the first try has no answer");
    is_state($key, 'unknown', $name);
    $in_doubt++;

    is(send_order($key, $coupon, port => 8003)->status, 502, "$name: nobody is there");
    ok($t->wait_for(sub { $t->get('/status')->json->{store}{in_flight} == 0 }), "$name: that is written");
    is_state($key, 'unknown', "$name: then");
    is(coupon($coupon, 'state'), 'reserved', "$name: the coupon is kept");
    is_in_doubt("$name: then");
    is(send_order("other-$key", $coupon)->code, 'COUPON_IN_DOUBT', "$name: for this order");

    is(send_order($key, $coupon)->json->{data}{pay_amount}, 8900, "$name: the next one reaches the backend");
    is_state($key, 'placed', "$name: in the end");
    $in_doubt--;
    is_in_doubt("$name: in the end");
}

is(scalar(() = $t->log_lines(qr/next_upstream allows non_idempotent/)), 0, 'next_upstream is harmless so far');
ends('accepted', 'the second accepts what the first failed', port => 8008);
ends('unknown', 'the first failed, the second is not there', port => 8009, status => 502);
ends('accepted', 'the second accepts again', port => 8008);

my $warned = () = $t->log_lines(qr/\[warn\].*next_upstream allows non_idempotent/);
cmp_ok($warned, '>=', 1, 'next_upstream with non_idempotent: warned');
cmp_ok($warned, '<=', 2, '... once per worker');


# clients that do not wait

sub aborts
{
    my ($outcome, $name, %o) = @_;
    my $coupon = shift @coupons;
    my $key = 'k' . ++$n;

    my $answer = send_order($key, $coupon, abort => 0.6, %o);
    is($answer->status, 0, "$name: client is gone");
    ok($t->wait_for(sub { grep { $_->{body} =~ /"client_key":"$key"/ } $t->received }), "$name: backend has it");

    $outcome eq 'accepted' ? accepted($key, $coupon, $name) : unknown($key, $coupon, $name);
}

aborts('unknown', 'client leaves a slow backend', test => 'slow=1.5', port => 8013);
aborts('unknown', 'client leaves a hanging backend', test => 'hang', port => 8013);
aborts('accepted', 'client leaves, the gateway waits', test => 'slow=1.5', port => 8004);


# one order, however the location is made

for my $case ([ 8020, 'mirror' ], [ 8021, 'mirror into an order location' ], [ 8023, 'ssi on' ],
              [ 8024, 'try_files before' ], [ 8025, 'try_files inside' ], [ 8026, 'if' ], [ 8027, 'limit_except' ])
{
    my ($port, $name) = @$case;

    ends('accepted', $name, port => $port);

    my @seen = grep { $_->{path} eq '/api/orders' && $_->{headers}{host} eq '127.0.0.1:' . $t->port(8081)
                      && $_->{body} =~ /"client_key":"k$n"/ } $t->received;
    is(scalar(@seen), 2, "$name: the order and its retry at the backend");
}

# a copy is sent beside the answer, not before it
$t->wait_for(sub { 2 <= grep { $_->{path} =~ m{/copy$} } $t->received });

is(scalar(grep { $_->{path} eq '/copy' } $t->received), 1, 'mirror: its copy elsewhere');
is(scalar(grep { $_->{path} eq '/api/orders/copy' } $t->received), 1, 'mirror into an order location: its copy');

ends('accepted', 'rewrite', port => 8028, uri => '/shop/api/orders');

my $before = grep { $_->{path} eq '/api/orders' } $t->received;
my $page = $t->get('/page.html', port => 8022, user => 'anna');
is($page->status, 200, 'SSI: the page');
like($page->body, qr/^page .*403 Forbidden.* end$/s, 'SSI: no way into an order location');
is(scalar(grep { $_->{path} eq '/api/orders' } $t->received), $before, 'SSI: the backend saw nothing');
is(scalar($t->log_lines(qr/\[error\].*sub-request into an order or split location is refused/)), 1, 'SSI: told in the log');


# an amount that differs

for my $amount (8899, 8901, 9900, 0) {
    my $name = "pays $amount for 8900";
    my $coupon = shift @coupons;
    my $key = 'k' . ++$n;

    my $answer = send_order($key, $coupon, test => "amount=$amount");
    is($answer->status, 200, "$name: the order stands");
    is_state($key, 'placed', $name);
    is(coupon($coupon, 'state'), 'reserved', "$name: coupon is kept");
    $in_doubt++;
    is_in_doubt($name);
    like($t->cli_ok(qw(order list --in-doubt)), qr/^$key\tanna\tN\d+\t.*amount/m, "$name: listed");
    is(scalar($t->log_lines(qr/\[error\].*AMOUNT_MISMATCH: order key "$key"/)), 1, "$name: an error in the log");

    is(send_order($key, $coupon)->body, $answer->body, "$name: the same key, the same answer");
    is(send_order("other-$key", $coupon)->status, 409, "$name: another key does not get the coupon");
    is_in_doubt("$name: after the retry");

    my $id = $answer->json->{data}{order_no};

    if ($amount == 0) {
        is($t->post("/cancel?id=$id", '')->json->{state}, 'cancelled', "$name: cancelled");
        is(coupon($coupon, 'state'), 'issued', "$name: cancelled: coupon is free");
        $in_doubt--;
    }
    else {
        my $paid = $t->post("/confirm?id=$id", '');
        is($paid->json->{state}, 'paid', "$name: paid");
        is($paid->json->{reason}, 'AMOUNT_MISMATCH', "$name: paid, and still flagged");
        is(coupon($coupon, 'state'), 'reserved', "$name: a payment does not settle it");
    }

    is_in_doubt("$name: then");

    my ($event) = $t->wait_events(sub { grep { $_->{type} eq 'order' && $_->{order_key} eq $key } @_ });
    ($event) = grep { $_->{type} eq 'order' && $_->{order_key} eq $key && $_->{state} eq 'placed' } $t->events;
    is_deeply([ @$event{qw(reason claimed discount payable)} ], [ 'AMOUNT_MISMATCH', 9900, 1000, $amount ],
              "$name: event");
    is_deeply($event->{doubt}, [ 'amount' ], "$name: event tells the doubt");
}

my $free = 'k' . ++$n;
is(send_order($free, undef, test => 'amount=1')->status, 200, 'another amount without a coupon');
is_state($free, 'placed', 'another amount without a coupon');
is_in_doubt('another amount without a coupon');


# the log's account of each

$t->wait_events(sub { my %last = map { $_->{order_key} => 1 } grep { $_->{type} eq 'order' } @_;
                      !grep { !$last{$_} } keys %want_events, $free });

my %steps;

for my $event ($t->events) {
    next unless $event->{type} =~ /^(?:order|paid|coupon_\w+)$/;
    push @{$steps{$event->{order_key}}},
        join ' ', grep { defined } $event->{type}, @$event{qw(state reason)};
}

for my $key (sort keys %want_events) {
    my ($name, @want) = @{$want_events{$key}};

    is_deeply($steps{$key}, \@want, "$name: events") or diag explain $steps{$key};
}

is_deeply($steps{$free}, [ 'order placed AMOUNT_MISMATCH' ], 'another amount without a coupon: flagged');

my ($rc, $out, $err) = $t->cli(qw(store check));
is($rc, 0, 'store check') or diag "$out$err";

$t->done_testing;
