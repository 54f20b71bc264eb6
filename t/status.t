#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# commerce_status: what it tells, and whom.  And a server without commerce_shop, which is as if there were no
# modules: the same bytes to its backend, the same answers.

use strict;
use warnings;

use lib 't/lib';
use IO::Socket::INET;
use IO::Socket::UNIX;
use Test::More;
use Test::NgxCommerce qw(answer_parse json);

my $t = Test::NgxCommerce->new(shuffle => 1);
my $dir = $t->dir;

$t->clock(1_800_000_000);
$t->keys;
$t->campaign(id => 'c', discount => { fixed => 100 });
$t->storefront(8081);
$t->daemon($t->port(8089), \&backend);
$t->write_file('www/page.html', join "\n", 1 .. 100);

my $untouched = <<"EOC";
    server {
        listen 127.0.0.1:8088;
        underscores_in_headers on;
        root $dir/www;
        gzip on;
        gzip_types *;
        gzip_min_length 1;
        add_header X-Seen \$http_x_commerce_seller:\$http_idempotency_key:\$arg__method;

        location / { proxy_pass http://127.0.0.1:8089; }
        location /page { }
        location /kept { proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://127.0.0.1:8089; }
        location /authorized {
            auth_request /check;
            auth_request_set \$u \$upstream_http_x_user;
            proxy_set_header X-User \$u;
            mirror /copy;
            proxy_pass http://127.0.0.1:8089;
        }
        location = /check { internal; proxy_pass http://127.0.0.1:8089; proxy_pass_request_body off; }
        location = /copy { internal; proxy_pass http://127.0.0.1:8089; }
        location /try { try_files /nowhere \@fallback; }
        location \@fallback { proxy_pass http://127.0.0.1:8089; }
        location /small { client_max_body_size 10; error_page 413 = \@fallback; proxy_pass http://127.0.0.1:8089; }
        location /gone { return 410 "gone\\n"; }
    }
EOC

# the same requests without the modules, and beside a shop

my @before = run_without();

$t->http_conf(<<"EOC" . $untouched)->run;
    server {
        listen          127.0.0.1:8080;
        listen          unix:$dir/status.sock;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   \$http_x_user verified;

        set_real_ip_from  127.0.0.1;
        set_real_ip_from  unix:;
        real_ip_header    X-Forwarded-For;

        location / { proxy_pass http://127.0.0.1:8081; }

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons;
            commerce_coupon_redeem on=paid;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /status { commerce_status; }
        location = /public { commerce_status public; }
        location = /guarded { commerce_guard on; commerce_status; }
        location = /enforced { commerce_status; }
    }

    server {
        listen          127.0.0.1:8083;
        commerce_shop   other;
        location / { return 204; }
    }

    server {
        listen          127.0.0.1:8084;
        location / { commerce_status; }
        location /variables { return 200 "[\$commerce_decision\$commerce_seller\$commerce_reason]"; }
    }
EOC

$t->wait_for(sub { $t->workers == 2 });

my @after = untouched_requests();

is(scalar @after, scalar @before, 'untouched: as many requests');

for my $i (0 .. $#after) {
    is_deeply($after[$i], $before[$i], "untouched: $after[$i]{name}") or diag explain [ $before[$i], $after[$i] ];
    is(scalar @{$after[$i]{backend}}, $after[$i]{wanted}, "untouched: $after[$i]{name}: all that the backend got");
}

is($t->get('/variables', port => 8084)->body, '[]', 'variables are empty in a server without a shop');
is_deeply(status()->{counters}, { requests => 0 }, 'and none of that is counted') or diag explain status();
is(scalar(grep { $_->{type} !~ /^(?:config|heartbeat)$/ } $t->events), 0, 'nor logged');

# a view, a refusal, an order in doubt

my ($code) = $t->coupons('c', 1);
my $order = sub { { client_key => $_[0], items => [ { sku => 's', count => 1, price => 500 } ], @_[1 .. $#_] } };

is($t->get('/', headers => { 'X-User' => 'b' })->status, 200, 'a view');
is($t->post('/api/orders', $order->('k1'), headers => { 'X-User' => 'b', 'X-Test' => 'status500' })->status, 500,
   'an order that fails, nobody knows how');
is($t->post('/api/orders', $order->('k2', coupons => [ $code ]), headers => { 'X-User' => 'b' })->status, 200,
   'an order');
is($t->post('/api/orders', 'k=3', type => 'text/plain', headers => { 'X-User' => 'b' })->status, 415, 'a refusal');

ok($t->wait_for(sub { status()->{shops}{demo}{in_doubt} == 1 && status()->{store}{outbox} == 0 }),
   'one order in doubt, the outbox is empty') or diag explain status();

{
    my $before = status();
    my $status = status();
    my %workers = map { $_ => 1 } $t->workers;

    is_deeply([ sort keys %$status ], [ sort qw(build node epoch worker pid config store log shops guessing conduct counters) ],
              'members');

    like($status->{build}{version}, qr/^\d+\.\d+\.\d+$/, 'build: version');
    ok(defined $status->{build}{abi} && $status->{build}{abi} =~ /^\d+$/, 'build: ABI');
    like(nginx_version(), qr/^nginx version: nginx\/\Q$status->{build}{nginx}\E\b/, 'build: nginx');
    is($status->{node}, 'test', 'node');
    ok($workers{$status->{pid}}, 'pid is a worker');
    like($status->{config}, qr/^[0-9a-f]{16}$/, 'hash of the configuration');
    like($status->{epoch}, qr/^\d{13}$/, 'epoch in milliseconds');

    is($status->{store}{state}, 'ok', 'store: state');
    like($status->{store}{id_space}, qr/^[0-9a-f-]{36}$/, 'store: id space');
    cmp_ok($status->{store}{format}, '>=', 1, 'store: format');
    is($status->{store}{held_back}, 0, 'store: nothing is kept back');
    cmp_ok($status->{store}{records}, '>', 3, 'store: records');
    cmp_ok($status->{store}{bytes_used}, '>=', 4096, 'store: bytes used');
    is($status->{store}{bytes_map}, 1 << 30, 'store: size of the map, as configured');
    is($status->{store}{in_flight}, 0, 'store: nothing in flight');
    cmp_ok($status->{store}{transactions}, '>=', 4, 'store: transactions');
    ok(!exists $status->{store}{error}, 'store: no error');

    cmp_ok($status->{log}{written}, '>=', 5, 'log: lines');
    cmp_ok($status->{log}{bytes}, '>', 1000, 'log: bytes');
    is("$status->{log}{dropped} $status->{log}{errors}", '0 0', 'log: nothing lost');
    ok($workers{$status->{log}{writer_pid}}, 'log: the writer is a worker');

    like(delete $status->{shops}{demo}{in_doubt_oldest}, qr/^\d+$/, 'the age of the oldest order in doubt');

    my %quiet = (guessing => { wrong => 0, breaker => json()->decode('false') });
    is_deeply($status->{shops}, { demo => { in_doubt => 1, %quiet }, other => { in_doubt => 0, %quiet } },
              'orders in doubt and wrong codes, by shop');
    is_deeply($status->{guessing}{entries}, { map { $_ => 0 } qw(user session address campaign breaker soft) },
              'guessing: nobody has tried a wrong code');
    is($status->{counters}{BODY_TYPE}, 1, 'counters: by reason');
    ok($status->{counters}{ATTR_DIRECT} >= 3, 'counters: passed ones, too');
    is($status->{counters}{requests}, $before->{counters}{requests}, 'counters: a status is no request of a shop');
}

# who may ask, and how

my @local = ('127.0.0.1', '127.255.0.9', '::1', '::ffff:127.0.0.1');
my @foreign = ('192.0.2.1', '128.0.0.1', '126.255.255.255', '0.0.0.0', '10.0.0.1', '2001:db8::1', '::',
               '::ffff:192.0.2.1', '::2');

for my $address (@local, @foreign) {
    my $wanted = (grep { $_ eq $address } @local) ? 200 : 403;

    is(from($address, '/status')->status, $wanted, "$address: $wanted");
    is(over_socket($address)->status, $wanted, "$address over a unix socket: $wanted");
    is(from($address, '/public')->status, 200, "$address: public");
}

is(over_socket()->status, 200, 'a unix socket');
is(over_socket()->json->{node}, 'test', 'tells it');
unlike(from('192.0.2.1', '/status')->body, qr/node|counters/, 'a refusal tells nothing');

for my $method (qw(POST PUT DELETE PATCH OPTIONS FOO)) {
    my ($answer) = $t->parallel({ method => $method, uri => '/status', $method eq 'POST' ? (body => 'x') : () });

    is($answer->status, 405, "$method: 405");
}

{
    my $get = $t->get('/status');
    my ($head) = $t->parallel({ method => 'HEAD', uri => '/status' });

    is($get->header('Content-Type'), 'application/json', 'type');
    is($head->status, 200, 'HEAD');
    is($head->header('Content-Type'), 'application/json', 'HEAD: type');
    like($head->header('Content-Length'), qr/^\d{3,}$/, 'HEAD: length');
    is((split /\r\n\r\n/, $head->{raw}, 2)[1], '', 'HEAD: no body');
}

is($t->get('/status?x=y')->status, 200, 'with a query');
is($t->get('/guarded')->status, 200, 'below a guard');
is($t->get('/enforced')->status, 200, 'where everything is evaluated');
is($t->get('/any', port => 8084)->json->{node}, 'test', 'in a server without a shop');

$t->stop;

$t->http_conf(<<'EOC')->run;
    server { listen 127.0.0.1:8080; location / { commerce_status; } }
EOC

is($t->get('/')->status, 503, 'no shop at all: nothing to tell');

$t->conf_fails('server { listen 127.0.0.1:8080; location / { commerce_status everybody; } }',
               qr/\[emerg\].*"everybody" in "commerce_status", allowed: public in .*:\d+/, 'another parameter');
$t->conf_fails('server { listen 127.0.0.1:8080; commerce_status; }', qr/not allowed here/, 'outside a location');

$t->done_testing;


sub status
{
    return $t->get('/status')->json;
}


sub from
{
    my ($address, $uri) = @_;

    return $t->get($uri, headers => { 'X-Forwarded-For' => $address });
}


sub over_socket
{
    my ($address) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => "$dir/status.sock") or die "no socket: $!\n";

    print {$socket} "GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        . (defined $address ? "X-Forwarded-For: $address\r\n" : '') . "\r\n";

    local $/;
    return answer_parse(scalar <$socket>);
}


sub nginx_version
{
    open my $nginx, '-|', $t->binary . ' -v 2>&1' or die "nginx: $!\n";

    return scalar <$nginx>;
}


# the server alone, no module of ours loaded

sub run_without
{
    my $globals = join "\n", grep { !/^load_module/ } split /\n/, $t->expand('%%TEST_GLOBALS%%');

    $t->conf(<<"CONF")->run;
$globals

worker_processes 2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

$untouched
}
CONF

    my @done = untouched_requests();

    $t->stop;

    return @done;
}


# what the backend gets and the client is answered

sub untouched_requests
{
    my @forged = ('X-Commerce-Verdict' => 'a.b.c', 'x-commerce-seller' => 'me', 'X_Commerce_Seller' => 'me too',
                  'Idempotency-Key' => 'k', 'Accept-Encoding' => 'gzip', 'X-HTTP-Method-Override' => 'PUT');
    my @many = map { ("X-Commerce-$_" => $_, "X-Other-$_" => $_) } 1 .. 30;

    my @requests = (
        [ 'forged headers', { uri => '/a?st=x&_method=PUT', headers => \@forged } ],
        [ 'many headers', { uri => '/a', headers => \@many } ],
        [ 'POST', { method => 'POST', uri => '/api/orders', headers => \@forged,
                    body => '{"client_key":"k","client_key":"k"}' } ],
        [ 'chunked', { method => 'PUT', uri => '/api/orders', body => "5\r\nabcde\r\n0\r\n\r\n",
                       headers => [ 'Transfer-Encoding' => 'chunked' ] } ],
        [ 'large body', { method => 'POST', uri => '/b', body => 'x' x 100_000, type => 'text/plain' } ],
        [ 'too large body', { method => 'POST', uri => '/small', body => 'x' x 100, type => 'text/plain' } ],
        [ 'file', { uri => '/page.html', headers => \@forged } ],
        [ 'range', { uri => '/page.html', headers => [ Range => 'bytes=5-20' ] } ],
        [ 'kept', { uri => '/kept', headers => \@forged } ],
        [ 'auth_request and mirror', { uri => '/authorized', headers => \@forged } ],
        [ 'try_files', { method => 'DELETE', uri => '/try/x', headers => \@many } ],
        [ 'return', { uri => '/gone' } ],
        [ 'HEAD', { method => 'HEAD', uri => '/a', headers => \@forged } ],
        [ 'no Host', { raw => "GET / HTTP/1.1\r\nConnection: close\r\n\r\n" } ],
        [ 'HTTP/1.0', { raw => "GET /a HTTP/1.0\r\nX-Commerce-Seller: me\r\n\r\n" } ],
    );

    my @done;

    for my $case (@requests) {
        my ($name, $request) = @$case;
        my ($answer) = $t->parallel({ %$request, port => 8088 });
        my $raw = $answer->{raw};

        $raw =~ s/^(?:Date|ETag|Last-Modified): [^\n]*\n//mg;

        # a mirror comes when it comes
        my $wanted = $name eq 'auth_request and mirror' ? 3 : $name =~ /file$|range|return|no Host/ ? 0 : 1;

        $t->wait_for(sub { (() = heads()) >= $wanted }, 2);
        push @done, { name => $name, wanted => $wanted, answer => $raw, backend => [ sort(heads()) ] };
        unlink "$dir/heads";
    }

    return @done;
}


sub heads
{
    return map { json->decode($_) } grep { /"$/ } split /\n/, $t->read_file('heads');
}


sub backend
{
    my ($port) = @_;

    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 128,
        ReuseAddr => 1) or die "port $port: $!\n";

    while (my $client = $listener->accept) {
        my ($in, $all) = ('', 0);

        while ($in !~ /\r\n\r\n/ && sysread $client, $in, 65536, length $in) { }

        my ($length) = $in =~ /^Content-Length: (\d+)/mi;

        $all = index($in, "\r\n\r\n") + 4 + ($length // 0);

        while (length $in < $all && sysread $client, $in, 65536, length $in) { }

        next if $in !~ /\r\n\r\n/;

        open my $log, '>>:raw', "$dir/heads" or die "heads: $!\n";
        syswrite $log, json->encode($in) . "\n";
        close $log;

        my $answer = $in =~ /^HEAD/ ? '' : 'answer ' x 30;

        print {$client} "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-User: u\r\nConnection: close\r\n"
            . "X-Commerce-Seller: backend\r\nContent-Length: " . length($answer) . "\r\n\r\n$answer";
    }
    continue {
        close $client if $client;
    }
}
