#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# What the backend gets: the signed verdict, checked here without any code of ours; the plain headers, which
# no client can write; everything else as the client sent it.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(hmac_sha256 sha256_hex);
use IO::Socket::INET;
use MIME::Base64 qw(decode_base64url encode_base64url);
use Test::More;
use Test::NgxCommerce qw(json);

my $t = Test::NgxCommerce->new(shuffle => 1);
my $T0 = 1_800_000_000;

$t->clock($T0);
$t->keys;

$t->people(<<'CSV');
id,role,status,upline,user
R,koc,active,,u-r
A,customer,active,R,u-a
CSV

$t->cli_ok(qw(group put g1 --leader R));
$t->campaign(id => 'autumn', discount => { fixed => 1000 });

my $token = $t->token('A', '--group', 'g1');
my ($code, $other) = $t->coupons('autumn', 2);

my %keys = map { my $key = json->decode($_); ($key->{kid} => decode_base64url($key->{key})) }
           split /\n/, $t->cli_ok(qw(keys export verdict));

$t->daemon($t->port(8081), \&backend);
$t->fastcgi(8082);

my $order = <<'EOC';
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payable=response:/data/pay_amount;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons;
            commerce_coupon_redeem on=order;
EOC

my $http = sub {
    my ($port, $mode, @more) = @_;

    return <<"EOC";
    server {
        listen          127.0.0.1:$port;
        @more
        large_client_header_buffers 4 32k;
        commerce_shop   demo;
        commerce        $mode;
        commerce_user   \$session_user verified;
        commerce_touch  share \$arg_st;

        auth_request      /session;
        auth_request_set  \$session_user \$upstream_http_x_user;

        location / { proxy_pass http://127.0.0.1:8081; }

        location = /session {
            internal;
            commerce off;
            auth_request off;
            proxy_pass http://127.0.0.1:8081;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }

        location /api/orders {
$order
            gzip on;
            gzip_min_length 1;
            gzip_types application/json;
            error_page 502 = \@late;
            proxy_pass http://127.0.0.1:8081;
        }

        location /api/header {
            commerce_order key=\$http_idempotency_key;
            commerce_order_success status=200 json=/code:0;
            proxy_pass http://127.0.0.1:8081;
        }

        location /api/fcgi {
$order
            fastcgi_pass 127.0.0.1:8082;
            fastcgi_param REQUEST_METHOD \$request_method;
        }

        location /fcgi {
            fastcgi_pass 127.0.0.1:8082;
            fastcgi_param REQUEST_METHOD \$request_method;
        }

        location /plain { commerce off; proxy_pass http://127.0.0.1:8081; }

        location /mirrored { mirror /copy; proxy_pass http://127.0.0.1:8081; }
        location = /copy {
            internal;
            auth_request off;
            proxy_pass http://127.0.0.1:8081/copy;
        }

        location /try/ { try_files /nowhere \@named; }
        location \@named { proxy_pass http://127.0.0.1:8081; }
        location /missing {
            proxy_intercept_errors on;
            error_page 404 = \@named;
            proxy_pass http://127.0.0.1:8081;
        }
        location /moved { try_files /nowhere /target; }
        location /target { proxy_pass http://127.0.0.1:8081; }
        location \@late { proxy_pass http://127.0.0.1:8081; }
        location /refuses { error_page 405 = \@named; commerce off; return 405; }
        error_page 400 = \@bad;
        location \@bad { auth_request off; commerce off; proxy_pass http://127.0.0.1:8081; }
    }
EOC
};

$t->http_conf($http->(8080, 'enforce')
              . $http->(8083, 'observe', 'underscores_in_headers on; ignore_invalid_headers off;'))->run;


# the verdict of an order: all of it

my $n = 0;

{
    my $body = order(key => 'k1', coupons => [ $code ]);
    my $answer = $t->post("/api/orders?st=$token&x=%20y", $body, user => 'b1');
    is($answer->status, 200, 'order') or diag $answer->body;

    my ($request) = backend_got('/api/orders');
    my %headers = headers($request);
    my $jws = $headers{'x-commerce-verdict'}[0];

    like($jws, qr/^[\w-]+\.[\w-]+\.[\w-]+$/, 'a compact JWS');

    my ($header, $verdict) = map { json->decode(decode_base64url($_)) } (split /\./, $jws)[0, 1];

    is_deeply($header, { alg => 'HS256', kid => (sort keys %keys)[0], typ => 'commerce-verdict+jwt' },
              'JWS header');

    like(delete $verdict->{jti}, qr/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
         'jti');
    is_deeply($verdict, {
        v => 1, iss => 'test', shop => 'demo', iat => $T0, exp => $T0 + 60, mode => 'enforce',
        key => 'k1', replay => JSON::PP::false, method => 'POST', path => '/api/orders',
        query_sha256 => sha256_hex("st=$token&x=%20y"), body_sha256 => sha256_hex($body),
        sub => 'b1', seller => 'A', tier2 => 'R', group => 'g1', reason => 'BIND_NEW',
        coupons => [ { code => $code, campaign => 'autumn', discount => 1000 } ],
    }, 'all members') or diag explain $verdict;

    my %plain = (decision => 'pass', reason => 'BIND_NEW', seller => 'A', tier2 => 'R', group => 'g1',
                 'order-key' => 'k1', coupon => $code);

    is_deeply({ map { $_ => $headers{"x-commerce-$_"} } keys %plain },
              { map { $_ => [ $plain{$_} ] } keys %plain }, 'the plain headers say the same, once each');
    is(scalar(grep { /^x-commerce-/ } keys %headers), keys(%plain) + 1, 'and there are no others');
    is_deeply($headers{'idempotency-key'}, [ 'k1' ], 'Idempotency-Key');

    # it fits this request once, and no other

    my %this = (method => 'POST', path => '/api/orders', query => "st=$token&x=%20y", body => $body,
                now => $T0 + 5);
    my %used;

    is(check($jws, %this, used => \%used), 'good', 'it holds');
    is(check($jws, %this, used => \%used), 'used before', 'once');
    is(check($jws, %this, now => $T0 + 59), 'good', 'up to the last second');
    is(check($jws, %this, now => $T0 + 60), 'expired', 'exp');
    is(check($jws, %this, path => '/api/orders/'), 'path', 'another path');
    is(check($jws, %this, path => '/API/orders'), 'path', 'another case');
    is(check($jws, %this, query => "st=$token&x= y"), 'query', 'another spelling of the query');
    is(check($jws, %this, query => ''), 'query', 'no query');
    is(check($jws, %this, method => 'PUT'), 'method', 'another method');
    is(check($jws, %this, body => "$body "), 'body', 'another body');
    is(check($jws, %this, body => ''), 'body', 'no body');

    my @accepted;

    for my $at (0 .. length($jws) - 1) {
        my $altered = $jws;
        my $char = substr $altered, $at, 1;

        substr $altered, $at, 1, $char eq 'A' ? 'B' : 'A';
        push @accepted, $at if check($altered, %this) eq 'good';
    }

    is("@accepted", '', 'no byte of it can be changed');

    my ($head, $payload, $signature) = split /\./, $jws;
    my $none = encode_base64url('{"alg":"none","kid":"' . $header->{kid} . '","typ":"commerce-verdict+jwt"}');

    isnt(check("$none.$payload.", %this), 'good', 'unsigned');
    isnt(check("$none.$payload.$signature", %this), 'good', 'another algorithm');

    # a retry says so, and has a verdict of its own

    $t->wait_for(sub { grep { $_->{order_key} eq 'k1' && $_->{state} eq 'placed' } $t->events('order') });
    $t->advance(10);
    is($t->post("/api/orders?st=$token&x=%20y", $body, user => 'b1')->status, 200, 'retry');

    my (undef, $again) = backend_got('/api/orders');
    my $second = verdict($again);

    is(json->encode([ @$second{qw(replay key seller tier2 group sub)} ]), '[true,"k1","A","R","g1","b1"]',
       'replay');
    is($second->{iat}, $T0 + 10, 'iat');
    is($second->{reason}, 'ORDER_REPLAY', 'reason');
    is($second->{coupons}[0]{discount}, 1000, 'the coupon is still honoured');
    is(check((map { my %h = headers($_); $h{'x-commerce-verdict'}[0] } $again)[0], %this, now => $T0 + 11,
             used => \%used), 'good', 'another jti');
}

# what is absent is left out; text is escaped; the path is nginx's

{
    my $key = "k\"\\\xc3\xa9";
    my $body = order(key => $key);
    is($t->post('/api/./orders//%41%20b?', $body, user => 'b2')->status, 200, 'order with an odd path and key');

    my ($request) = backend_got('/api/./orders//%41%20b');
    my $verdict = verdict($request);
    my $text = $key;

    utf8::decode($text);

    is($verdict->{path}, '/api/orders/A b', 'path is normalised');
    is($verdict->{query_sha256}, sha256_hex(''), 'no query');
    is($verdict->{key}, $text, 'key');
    is_deeply($verdict->{coupons}, [], 'no coupons');
    is_deeply([ grep { exists $verdict->{$_} } qw(seller tier2 group room channel) ], [], 'nobody credited');
    is($verdict->{reason}, 'ATTR_DIRECT', 'reason');

    my %headers = headers($request);
    is_deeply($headers{'x-commerce-order-key'}, [ $key ], 'X-Commerce-Order-Key');
}

# a body that nothing reads is vouched for all the same

{
    my $body = 'not even JSON';
    my $answer = $t->post('/api/header', $body, user => 'b3', type => 'text/plain',
                          headers => [ 'Idempotency-Key' => 'h1', 'idempotency-key' => 'h1' ]);
    is($answer->status, 200, 'key from a header') or diag $answer->body;

    my ($request) = backend_got('/api/header');
    my %headers = headers($request);

    is(verdict($request)->{body_sha256}, sha256_hex($body), 'hash of a body that no source reads');
    is_deeply($headers{'idempotency-key'}, [ 'h1' ], 'Idempotency-Key, doubled by the client');
}

# observe mode signs what it saw; a coupon that it would refuse is not honoured

{
    my $body = order(key => 'o1', coupons => [ 'AAAA-AAAA-AAAA-AAAA-AAAA' ]);
    is($t->post('/api/orders', $body, user => 'b4', port => 8083)->status, 200, 'observed order');

    my ($request) = grep { $_->{head} =~ /would_deny/ } backend_got('/api/orders');
    my $verdict = verdict($request);

    is($verdict->{mode}, 'observe', 'mode');
    is_deeply($verdict->{coupons}, [], 'a bad coupon is not in the verdict');
}


# forged headers, in every spelling, between others that must survive

my @names = qw(Verdict Decision Reason Seller Tier2 Group Room Channel Order-Key Coupon Degraded);

my @spellings = map {
    my $dashed = "X-Commerce-$_";
    ($dashed, lc $dashed, uc $dashed, ucfirst lc $dashed)
} @names;

push @spellings, qw(X-Commerce X-Commerce-New X-Commerce-);

my @odd = map {
    my $dashed = "X-Commerce-$_";
    my $folded = $dashed =~ tr/-/_/r;
    my $dotted = $dashed =~ tr/-/./r;
    ($folded, lc $folded, uc $folded, $dashed =~ s/-/_/r, $dashed =~ s/-([^-]+)$/_$1/r, $dotted, lc $dotted,
     $dashed =~ s/-/./r, $dashed =~ s/-/~/r)
} @names;

my @other = map { [ sprintf('X-Other-%02d', $_), "v$_" ] } 1 .. 45;

push @other, [ 'X-Commercex' => '1' ], [ 'XCommerce-Seller' => '2' ], [ 'X-Commerces-Seller' => '3' ],
             [ Cookie => 'a=b' ], [ 'X-Other-01' => 'again' ], [ 'X-Forwarded-For' => '192.0.2.1' ];

sub mixed
{
    my @forged = map { [ $_, 'forged' ] } @_;
    my @mix;

    # each other header is followed by some forged ones: whole parts of nginx's list are of one kind

    for my $i (0 .. $#other) {
        push @mix, $other[$i];
        push @mix, splice @forged, 0, $i == 20 ? 41 : 1;
    }

    return map { @$_ } @mix, @forged;
}

for my $case ([ 8080, 'strict', \@spellings ], [ 8083, 'lenient', [ @spellings, @odd ] ]) {
    my ($port, $name, $spellings) = @$case;
    my @doubled = (@$spellings, @$spellings);
    my @headers = mixed(@doubled);

    for my $path ('/page', '/plain', '/mirrored', '/try/x', '/missing', '/moved', '/refuses') {
        backend_forget();
        my $answer = $t->get("$path?st=$token", user => "f$port", port => $port, headers => \@headers);
        is($answer->status, 200, "$name: $path") or diag $answer->{raw};

        # the copy is sent beside the answer, not before it
        $t->wait_for(sub { grep { $_->{head} =~ /^\S+ \/copy/ } backend_got() }) if $path eq '/mirrored';

        my @all = backend_got();
        is(scalar(grep { $_->{head} =~ /forged/ } @all), 0, "$name: $path: nothing forged came through")
            or diag grep { /forged/ } map { $_->{head} =~ /(.*)/g } @all;

        ok((grep { $_->{head} =~ /^\S+ \/session/ } @all) > 0, "$name: $path: session was asked");
        ok((grep { $_->{head} =~ /^\S+ \/copy/ } @all) == 1, "$name: $path: copied") if $path eq '/mirrored';

        for my $request (grep { $_->{head} !~ /^\S+ \/copy/ } @all) {
            my %wanted = map { lc $_->[0] => 1 } @other;
            my @got = grep { $wanted{lc $_->[0]} } lines($request);

            is_deeply(\@got, \@other, "$name: $path: the client's other headers, in order")
                or diag explain \@got;
        }

        my %headers = headers($all[-1]{head} =~ /copy/ ? $all[-2] : $all[-1]);
        my @ours = grep { /^x[-_.~]commerce(?![a-z])/ } CORE::keys %headers;

        if ($path eq '/plain') {
            is("@ours", '', "$name: $path: no verdict where commerce is off");
            next;
        }

        is(join(' ', sort @ours), join(' ', map { "x-commerce-$_" } qw(decision group reason seller tier2)),
           "$name: $path: our headers");
        is_deeply([ grep { @{$headers{$_}} != 1 } @ours ], [], "$name: $path: once each");
        is($headers{'x-commerce-seller'}[0], 'A', "$name: $path: and ours");
    }

    # orders

    my $key = "spoof$port";
    backend_forget();
    my $answer = $t->post('/api/orders', order(key => $key), user => "f$port", port => $port,
        headers => [ @headers, 'Idempotency-Key' => 'forged', 'IDEMPOTENCY-KEY' => 'forged',
                     $port == 8083 ? ('Idempotency_Key' => 'forged') : () ]);
    is($answer->status, 200, "$name: order") or diag $answer->body;

    my ($request) = backend_got('/api/orders');
    my %headers = headers($request);

    unlike($request->{head}, qr/forged/, "$name: order: nothing forged");
    is_deeply($headers{'idempotency-key'}, [ $key ], "$name: order: Idempotency-Key is replaced");
    is(verdict($request)->{key}, $key, "$name: order: one verdict, ours");

    # FastCGI

    for my $path ('/fcgi', '/api/fcgi') {
        $answer = $path eq '/fcgi'
            ? $t->get("$path?st=$token", user => "f$port", port => $port, headers => \@headers)
            : $t->post($path, order(key => "fcgi$port"), user => "f$port", port => $port, headers => \@headers);

        is($answer->status, 200, "$name: $path") or diag $answer->body;
        unlike($answer->body, qr/forged/, "$name: $path: nothing forged");
        is($answer->json->{params}{HTTP_X_COMMERCE_SELLER}, 'A', "$name: $path: our seller");
        is($answer->json->{params}{HTTP_X_OTHER_45}, 'v45', "$name: $path: other headers");
    }

    is(verdict_of($answer->json->{params}{HTTP_X_COMMERCE_VERDICT})->{key}, "fcgi$port",
       "$name: FastCGI gets the verdict");
    is($answer->json->{params}{HTTP_IDEMPOTENCY_KEY}, "fcgi$port", "$name: and the Idempotency-Key");

    # one connection, several requests; HTTP/1.0; a request that nginx itself finds bad

    backend_forget();
    my @answers = $t->keep_alive(map { { uri => "/page?n=$_", user => "f$port", port => $port,
        headers => [ 'X-Commerce-Seller' => "forged$_", @headers ] } } 1 .. 3);

    is(join(' ', map { $_->status } @answers), '200 200 200', "$name: keep-alive");
    is(scalar(backend_got('/page')), 3, "$name: keep-alive: three requests");
    is(scalar(grep { $_->{head} =~ /forged/ } backend_got()), 0, "$name: keep-alive: nothing forged");

    backend_forget();
    $answer = $t->raw("GET /page HTTP/1.0\r\nAuthorization: Bearer user-f$port\r\nX-Commerce-Seller: forged\r\n"
                      . "X-COMMERCE-VERDICT: forged\r\n\r\n", port => $port);
    is($answer->status, 200, "$name: HTTP/1.0");
    is(scalar(backend_got('/page')), 1, "$name: HTTP/1.0: one request");
    is(scalar(grep { $_->{head} =~ /forged/ } backend_got()), 0, "$name: HTTP/1.0: nothing forged");

    backend_forget();
    $t->raw("GET /page HTTP/1.1\r\nX-Commerce-Seller: forged\r\nConnection: close\r\n\r\n", port => $port);
    is(scalar(grep { $_->{head} =~ /forged/ } backend_got()), 0,
       "$name: nothing forged by a request without Host");
}

# encodings: the answer is read as it is, the client still gets it as it asked

{
    backend_forget();
    my $answer = $t->post('/api/orders', order(key => 'gz'), user => 'g', headers => [ 'Accept-Encoding' => 'gzip' ]);
    is($answer->header('Content-Encoding'), 'gzip', 'the client gets gzip');

    my ($request) = backend_got('/api/orders');
    unlike($request->{head}, qr/accept-encoding/i, 'and the backend is not asked for it');

    $t->get('/page', user => 'g', headers => [ 'Accept-Encoding' => 'gzip, br' ]);
    ($request) = backend_got('/page');
    like($request->{head}, qr/^Accept-Encoding: gzip, br\r?$/m, 'elsewhere it is');

    $t->get('/api/orders', user => 'g', headers => [ 'Accept-Encoding' => 'gzip' ]);
    ($request) = grep { $_->{head} =~ /^GET/ } backend_got('/api/orders');
    like($request->{head}, qr/^Accept-Encoding: gzip\r?$/m, 'also for pages below an order location');
}

# an order whose backend fails goes on to another location: the same headers, once

{
    backend_forget();
    my $answer = $t->post('/api/orders', order(key => 'late'), user => 'b5',
                          headers => [ 'X-Test' => 'close' ]);

    my @requests = backend_got('/api/orders');
    is(scalar @requests, 2, 'error_page tries another location') or diag $answer->{raw};

    for my $request (@requests) {
        my %headers = headers($request);

        is(scalar(grep { @{$headers{$_}} != 1 } grep { /^x-commerce|^idempotency/ } CORE::keys %headers), 0,
           'each header once');
        is_deeply($headers{'idempotency-key'}, [ 'late' ], 'the same key');
    }
}

$t->done_testing;


sub order
{
    my (%order) = @_;

    utf8::decode($order{key});

    return json->encode({ client_key => $order{key}, items => [ { sku => 's1', count => 2, price => 9900 } ],
                          coupons => $order{coupons} // [] });
}


# an independent checker

sub check
{
    my ($jws, %request) = @_;
    my ($head, $payload, $signature) = $jws =~ /^([\w-]+)\.([\w-]+)\.([\w-]+)$/ or return 'malformed';

    my $header = eval { json->decode(decode_base64url($head)) } // return 'header';
    my $key = $keys{$header->{kid} // ''} // return 'unknown key';

    return 'algorithm' if ($header->{alg} // '') ne 'HS256' || ($header->{typ} // '') ne 'commerce-verdict+jwt';
    return 'forged' if encode_base64url(hmac_sha256("$head.$payload", $key)) ne $signature;

    my $verdict = eval { json->decode(decode_base64url($payload)) } // return 'payload';

    return 'expired' if $verdict->{exp} <= $request{now} || $verdict->{exp} - $verdict->{iat} > 60;
    return 'method' if $verdict->{method} ne $request{method};
    return 'path' if $verdict->{path} ne $request{path};
    return 'query' if $verdict->{query_sha256} ne sha256_hex($request{query});
    return 'body' if $verdict->{body_sha256} ne sha256_hex($request{body});
    return 'used before' if $request{used}{$verdict->{jti}}++;

    return 'good';
}


# the one verdict of a request, its signature checked

sub verdict
{
    my ($request) = @_;
    my %headers = headers($request // { head => '' });
    my $verdicts = $headers{'x-commerce-verdict'} || [];

    return { error => scalar(@$verdicts) . ' verdicts' } if @$verdicts != 1;
    return verdict_of($verdicts->[0]);
}


sub verdict_of
{
    my ($head, $payload, $signature) = split /\./, $_[0] // '';
    my $key = $keys{json->decode(decode_base64url($head // return {}))->{kid}} // return {};

    return {} if encode_base64url(hmac_sha256("$head.$payload", $key)) ne $signature;
    return json->decode(decode_base64url($payload));
}


# a backend that keeps every byte of the heads: one request per connection, as nginx does by default

sub backend
{
    my ($port) = @_;
    my ($orders, $missing, $closed) = (0, 0, 0);

    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 128,
        ReuseAddr => 1) or die "port $port: $!\n";

    while (my $client = $listener->accept) {
        my $in = '';

        while ($in !~ /\r\n\r\n/ && sysread $client, $in, 65536, length $in) { }

        my ($head, $body) = split /\r\n\r\n/, $in, 2;
        next unless defined $body;

        my ($length) = $head =~ /^Content-Length: (\d+)/mi;

        while (length $body < ($length // 0) && sysread $client, $body, 65536, length $body) { }

        open my $log, '>>:raw', $t->dir . '/heads' or die "heads: $!\n";
        syswrite $log, json->encode({ head => $head, body => $body }) . "\n";
        close $log;

        next if $head =~ m{^POST .*^X-Test: close}ms && $closed++ == 0;

        my ($user) = $head =~ /^Authorization: Bearer user-(\S+)/m;
        my $status = $head =~ m{^\S+ /missing} && $missing++ % 2 == 0 ? 404 : 200;
        my $answer = json->encode({ code => 0, padding => 'x' x 200,
            data => { order_no => 'N' . ++$orders, pay_amount => $body =~ /"coupons":\["/ ? 18800 : 19800 } });

        print {$client} "HTTP/1.1 $status Answer\r\nContent-Type: application/json\r\nConnection: close\r\n"
            . (defined $user ? "X-User: $user\r\n" : '')
            . 'Content-Length: ' . length($answer) . "\r\n\r\n$answer";
    }
    continue {
        close $client if $client;
    }
}


sub backend_got
{
    my ($path) = @_;
    my @all = map { json->decode($_) } split /\n/, $t->read_file('heads');

    return @all unless defined $path;
    return grep { $_->{head} =~ m{^\S+ \Q$path\E[? ]} } @all;
}


sub backend_forget
{
    unlink $t->dir . '/heads';
}


sub lines
{
    my ($request) = @_;
    my (undef, @lines) = split /\r\n/, $request->{head};

    return map { [ /^([^:]*): ?(.*)$/ ] } @lines;
}


sub headers
{
    my %headers;

    push @{$headers{lc $_->[0]}}, $_->[1] for lines($_[0]);

    return %headers;
}
