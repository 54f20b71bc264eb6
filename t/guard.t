#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# commerce_guard: whatever could carry an order reaches the backend through an order location, with a verdict,
# or not at all.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce qw(json);

my $t = Test::NgxCommerce->new(shuffle => 1);

$t->clock(1_800_000_000);
$t->keys;
$t->campaign(id => 'c', discount => { fixed => 100 });
$t->storefront(8081);

my $server = sub {
    my ($port, $mode, $more) = @_;

    return <<"EOC";
    server {
        listen          127.0.0.1:$port;
        $more
        commerce_shop   demo;
        commerce        $mode;
        commerce_user   \$http_x_user verified;
        commerce_guard  on;

        location / { proxy_pass http://127.0.0.1:8081; }

        location ~* ^/api/orders/*\$ {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons;
            commerce_coupon_redeem on=order;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /cancel { commerce_order_cancel key=\$arg_key; }

        location /upload { commerce_guard off; proxy_pass http://127.0.0.1:8081; }
        location /off { commerce off; proxy_pass http://127.0.0.1:8081; }
        location /bare { commerce off; commerce_guard off; proxy_pass http://127.0.0.1:8081; }
        location /halforder {
            commerce off;
            commerce_order key=\$http_idempotency_key;
            proxy_pass http://127.0.0.1:8081;
        }

        location /leads/ { commerce_guard off; try_files /nowhere /legacy; }
        location /bareleads/ { commerce off; commerce_guard off; try_files /nowhere /legacy; }
        location /legacy { proxy_pass http://127.0.0.1:8081; }

        location /fails {
            commerce_guard off;
            proxy_intercept_errors on;
            error_page 502 503 /sorry;
            proxy_pass http://127.0.0.1:8081;
        }
        location = /sorry { return 200 "sorry\\n"; }

        location /jumps { error_page 418 = \@named; return 418; }
        location \@named { proxy_pass http://127.0.0.1:8081; }
    }
EOC
};

$t->http_conf($server->(8080, 'enforce', '')
              . $server->(8082, 'enforce', 'underscores_in_headers on; ignore_invalid_headers off;')
              . $server->(8083, 'observe', ''))->run;

$t->wait_for(sub { $t->workers == 2 });
my %workers = map { $_ => 1 } $t->workers;
my $n = 0;

# methods

for my $method (qw(POST PUT PATCH DELETE PROPFIND MKCOL FOO)) {
    my $answer = request(method => $method, uri => "/x?m=$method", body => order());

    is($answer->status, 403, "$method is refused");
    is($answer->code, 'GUARD_REFUSED', "$method: code");
}

is($t->post('/off', order())->code, 'GUARD_REFUSED', 'also where commerce is off');
is($t->post('/halforder', order())->code, 'GUARD_REFUSED', 'and where an order location is switched off');
is($t->post('/x', '')->code, 'GUARD_REFUSED', 'an empty POST');
is(scalar($t->received), 0, 'nothing of it came through');

for my $method (qw(GET HEAD OPTIONS)) {
    is(request(method => $method, uri => '/page')->status, 200, "$method passes");
    is(request(method => $method, uri => '/page', headers => [ 'Content-Length' => 0 ])->status, 200,
       "$method with a body of no bytes passes");
    is(request(method => $method, uri => '/body', body => order())->status, 403, "$method with a body is refused");
    is(request(method => $method, uri => '/body', headers => [ 'Transfer-Encoding' => 'chunked' ],
               body => "1\r\nx\r\n0\r\n\r\n")->status, 403, "$method with a chunked body is refused");
}

is(scalar(grep { $_->{path} eq '/body' } $t->received), 0, 'none of the bodies came through');

# where it is off, and where a location has its own way

for my $uri (qw(/upload /bare)) {
    is($t->post($uri, 'picture', type => 'image/png')->status, 200, "$uri passes with the guard off");
    is(request(uri => $uri, headers => [ 'X-HTTP-Method-Override' => 'PUT' ])->status, 200, "$uri: override too");
}

is($t->post('/cancel?key=none', '')->code, 'ORDER_NOT_FOUND', 'an action is no side door');
is($t->post('/api/orders', order(), headers => [ 'X-User' => 'b' ])->status, 200, 'an order passes');
is($t->post('/leads/x', order())->code, 'GUARD_REFUSED', 'a redirect does not lead around the guard');
is($t->post('/bareleads/x', order())->code, 'GUARD_REFUSED', 'nor from where commerce is off');
is(scalar(grep { $_->{path} =~ /lead|legacy/ } $t->received), 0, 'neither came through');

{
    my $answer = $t->post('/fails', 'x', headers => [ 'X-Test' => 'status503' ]);
    is($answer->status, 503, 'an error page of a POST is served');
    is($answer->body, "sorry\n", 'as the operator wrote it');
}

is(request(uri => '/jumps')->status, 200, 'a page by way of a named location passes');
is(request(uri => '/jumps/x', body => order())->code, 'GUARD_REFUSED', 'a body on that way does not');
is($t->post('/jumps/x', order())->code, 'GUARD_REFUSED', 'nor a POST');
is(scalar(grep { $_->{path} eq '/jumps/x' } $t->received), 0, 'neither came through');

# methods within methods

my @names = qw(X-HTTP-Method-Override X-HTTP-Method X-Method-Override);

for my $name (map { ($_, lc, uc) } @names) {
    for my $method (qw(GET POST)) {
        my $uri = $method eq 'GET' ? '/override' : '/api/orders';

        is(request(method => $method, uri => $uri, headers => [ $name => 'POST', 'X-User' => 'b' ],
                   $method eq 'POST' ? (body => order()) : ())->code, 'GUARD_REFUSED', "$method with $name");
    }
}

for my $name (map { (tr/-/_/r, s/-/_/r, tr/-/./r) } @names) {
    is(request(uri => '/override', port => 8082, headers => [ $name => 'POST' ])->code, 'GUARD_REFUSED',
       "spelled $name");
}

for my $query ('_method=POST', '_METHOD=post', 'a=b&_method=PUT', '%5Fmethod=POST', '_%6Dethod=POST',
               '%5f%6d%65%74%68%6f%64=POST', 'a=b;_method=POST', 'a&_method=POST&b', '_method=', '_method',
               '_method&a', 'a=b#&_method=POST', 'a=b#;_method=POST', '#?_method=POST')
{
    is(request(uri => '/override' . ($query =~ /^#/ ? '' : '?') . $query)->code, 'GUARD_REFUSED', "query $query");
}

is(scalar(grep { $_->{path} eq '/override' } $t->received), 0, 'none came through');

for my $query ('method=POST', 'a_method=POST', '_methods=x', 'a=_method', 'a=%26_method%3DPOST', '', '%', '%5',
               '&&;=;&', 'a' x 200, '_metho', '%5fmetho%')
{
    is(request(uri => "/fine?$query")->status, 200, 'passes: ' . substr $query, 0, 30);
}

# spellings of an order's path: an order with its verdict, or nothing

my @paths = (
    '/API/ORDERS', '/Api/Orders', '/api//orders', '//api/orders', '/api/orders/', '/api/orders//',
    '/api/orders///', '/api/%6Frders', '/%61%70%69/orders', '/api%2Forders', '/api/%2e/orders', '/api/./orders',
    '/api/x/../orders', '/x/..//api/orders', '/api/orders/.', '/api/orders/x/..', '/api/orders/x', '/api/orders;v=1',
    '/api/orders.json', '/api/orders%20', '/api/orders%00', '/api/orders%0a', '/api/orders%3F', '/api/orders%23x',
    '/api/orders%2f', '/api\\orders', '/api/orders%5c', '/api/%25%36%46rders', '/api/orders#x', '/api/orders?',
    '/api/orders?a=b', '/v1/api/orders', '/api/order', "/api/ord\xc3\xa9rs", '/api/orders/../orders',
    'http://localhost/api/orders', 'http://localhost//api/./orders', '/../api/orders', '/./api/orders',
);

for my $port (8080, 8082) {
    for my $path (@paths) {
        truncate $t->dir . '/storefront.jsonl', 0;      # the storefront appends

        my $answer = request(method => 'POST', uri => $path, body => order(), port => $port,
                             headers => [ 'X-User' => 'b' ]);
        my @got = $t->received;

        ok($answer->status =~ /^(?:200|400|403|404)$/, "$path: a clear answer") or diag $answer->{raw};
        is(scalar(grep { !$_->{headers}{'x-commerce-verdict'} } @got), 0, "$path: no write without a verdict")
            or diag explain \@got;
        is(scalar @got, $answer->status == 200 ? 1 : 0, "$path: reached the backend only if it was answered");
    }
}

for my $path ('/API/ORDERS', '/api//orders', '/api/orders/', '/api/%6Frders', '/api/./orders') {
    is(request(method => 'POST', uri => $path, body => order(), headers => [ 'X-User' => 'b' ])->status, 200,
       "$path is an order");
}

my ($code) = $t->coupons('c', 1);

is(request(method => 'POST', uri => '/API/%6Frders/', headers => [ 'X-User' => 'b' ],
           body => order(coupons => [ $code ]))->status, 200, 'a coupon by one spelling');

my $spent = request(method => 'POST', uri => '/api/./orders', headers => [ 'X-User' => 'b' ],
                    body => order(coupons => [ $code ]));
is($spent->code, 'COUPON_NOT_USABLE', 'is spent for every other') or diag $spent->{raw};

# observed: everything passes, and is told

{
    my $answer = $t->post('/x?observed', order(), port => 8083);

    is($answer->status, 200, 'observe: it passes');
    is($answer->json->{headers}{'x-commerce-decision'}, 'would_deny', 'observe: the backend is told');
    is($answer->json->{headers}{'x-commerce-reason'}, 'GUARD_REFUSED', 'observe: and why');
    is(request(uri => '/y?_method=PUT', port => 8083)->status, 200, 'observe: an override passes');
    is(request(uri => '/page', port => 8083)->json->{headers}{'x-commerce-decision'}, 'pass',
       'observe: a page is a page');

    my $observed = sub { grep { $_->{type} eq 'deny' && $_->{decision} eq 'would_deny' } @_ };

    my @denied = sort { $a->{ts} <=> $b->{ts} } $observed->($t->wait_events(sub { $observed->(@_) >= 2 }));

    is_deeply([ map { [ @$_{qw(reason shop method uri)} ] } @denied ],
              [ [ 'GUARD_REFUSED', 'demo', 'POST', '/x' ], [ 'GUARD_REFUSED', 'demo', 'GET', '/y' ] ],
              'observe: logged')
        or diag explain \@denied;
}

# the log has every refusal

{
    my $refused = sub { grep { $_->{type} eq 'deny' && $_->{decision} eq 'deny' && $_->{uri} eq '/override' } @_ };

    my @refused = $refused->($t->wait_events(sub { $refused->(@_) >= 9 + 9 + 14 }));

    is(scalar @refused, 9 + 9 + 14, 'each refused override is in the log');
    is(scalar(grep { $_->{reason} eq 'GUARD_REFUSED' } @refused), 9 + 9 + 14, 'with its reason');
}

is_deeply({ map { $_ => 1 } $t->workers }, \%workers, 'the same workers');

$t->done_testing;


sub request
{
    return ($t->parallel({ uri => '/', @_ }))[0];
}


sub order
{
    my (%more) = @_;

    return json->encode({ client_key => 'k' . ++$n, items => [ { sku => 's', count => 1, price => 500 } ], %more });
}
