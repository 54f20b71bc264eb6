#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Lifetimes: clients that leave in any phase, pipelined orders, HTTP/2 streams, reloads while requests wait for the
# store; error pages, limit_except and maps that meet the pipeline half way.

use strict;
use warnings;

use lib 't/lib';
use IO::Select;
use IO::Socket::INET;
use Test::More;
use Test::NgxCommerce;
use Test::NgxCommerce::Holder;
use Test::NgxCommerce::Http2;
use Test::NgxCommerce::Load;
use Time::HiRes qw(sleep time);

my $t = Test::NgxCommerce->new;
my $holder = Test::NgxCommerce::Holder->new($t)
    or plan(skip_all => 'no compiler, or no LMDB to compile with');

my $load = Test::NgxCommerce::Load->new($t, coupons => 60);
my @codes = $load->codes;
my $n = 0;

(my $more = $load->server(8080)) =~ s/(location \/ \{)/<<'EOC' . "        $1"/e;
error_page 400 413 415 422 =200 /sorry;
        location = /limited {
            commerce_order_confirm id=$arg_id;
            limit_except GET { allow all; }
        }

        location = /if {
            commerce_order_confirm id=$arg_id;
            if ($http_x_if) { set $x 1; }
        }

        location /mapped {
            commerce_mini_program;
            commerce_touch  share $token_argument;
            proxy_pass      http://127.0.0.1:8081;
        }

EOC

$t->conf($t->expand("%%TEST_GLOBALS%%\nworker_processes 1;\nevents { worker_connections 1024; }\n"
    . "http {\n%%TEST_GLOBALS_HTTP%%\n%%COMMERCE%%\n"
    . "map \$commerce_platform \$token_argument { default \$arg_st; wechat \$arg_scene; }\n"
    . "client_max_body_size 100k;\n" . $more . $load->server(8090, listen => 'http2') . "}\n"))->run;


# a body that nginx refuses while it is read: the error page must come, not silence

my $head = "POST /api/orders HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-User: u\r\n"
           . "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

my $large = $t->raw($head . sprintf("%x\r\n%s\r\n0\r\n\r\n", 200_000, 'x' x 200_000), timeout => 5);
is($large->status, 200, 'chunks above client_max_body_size: error_page');

my $broken = $t->raw("${head}zzz\r\n", timeout => 5);
is($broken->status, 200, 'a broken chunk: error_page');
is($broken->json && $broken->json->{method}, 'GET', 'a broken chunk: the page is no order') or diag $broken->body;


# blocks without a name are their location's

is($t->post('/limited?id=1', '')->status, 202, 'an action with limit_except answers');
is($t->post('/if?id=2', '', headers => { 'X-If' => 1 })->status, 202, 'an action with "if" answers');


# a source that asks for what is being evaluated

my $token = $t->token('A');

for my $buyer (qw(m1 m2)) {
    my $mapped = $t->get("/mapped?st=$token", headers => { 'X-User' => $buyer });
    is($mapped->status, 200, 'a touch through a map of $commerce_platform') or next;
    is($mapped->json->{headers}{'x-commerce-reason'}, 'BIND_NEW', '... binds');
}

is(($t->parallel($load->order('u', 'after', $codes[$n++])))[0]->status, 200, '... and the store is still there');


# requests that wait for the store: pipelined, as streams, left by their clients

my ($lock, $pid) = $holder->hold;
my %kept = map { $_ => $n++ } qw(h1 h2 p0 p1 p2);
my %left = map { $_ => $n++ } qw(r1 r2 c1 c2 k1);

my $h2 = Test::NgxCommerce::Http2->new($t, 8090);
my %stream = map { $_ => $h2->request($load->order($_, $_, $codes[$kept{$_} // $left{$_}])) } qw(r1 h1 r2 h2);

my $closed = Test::NgxCommerce::Http2->new($t, 8090);
$closed->request($load->order($_, $_, $codes[$left{$_}])) for qw(c1 c2);

my $pipelined = connection();
syswrite $pipelined, join '', map { bytes($_, $kept{$_}) } qw(p0 p1 p2);

my $gone = connection();
syswrite $gone, bytes('k1', $left{k1});

ok($t->wait_for(sub { ($load->status->{store}{in_flight} // 0) >= 8 }), 'they wait');

$h2->reset($stream{$_}) for qw(r1 r2);
$closed->close;
close $gone;
$load->status;                                  # the worker has seen them go

$holder->release($lock, $pid);

is($h2->status($stream{$_}), 200, "HTTP/2: the others are answered ($_)") for qw(h1 h2);
is(answers($pipelined, 3), 3, 'three pipelined orders: three answers');
ok($load->settled, 'nothing is in flight');

my $states = $load->states;
is_deeply({ map { $_ => $states->{$codes[$left{$_}]}{state} } keys %left }, { map { $_ => 'issued' } keys %left },
          'orders whose clients left are let go');
is_deeply({ map { $_ => $states->{$codes[$kept{$_}]}{state} } keys %kept }, { map { $_ => 'redeemed' } keys %kept },
          'the others have their coupons');


# streams that end while the body is read, or while the backend works

$h2 = Test::NgxCommerce::Http2->new($t, 8090);

my $reading = $h2->request($load->order('b1', 'b1', $codes[$n]), part => 10);
my %slow = map { $_ => $h2->request($load->order($_, $_, $codes[$n++], headers => { 'X-Test' => 'slow=1' })) } qw(z1 z2);

ok($t->wait_for(sub { 2 == grep { $_->{body} =~ /"z[12]"/ } $t->received }), 'two are with the backend');

$h2->reset($_) for $reading, $slow{z1};
is($h2->status($slow{z2}), 200, 'HTTP/2: a reset stream does not disturb the other');
is($load->status->{shops}{demo}{in_doubt}, 1, 'the one that left is in doubt');
is(($t->parallel($load->order('z1', 'z1', $codes[$n - 2])))[0]->status, 200, '... and the same key resolves it');


# a reload: the old worker stays for those who wait

($lock, $pid) = $holder->hold;

$h2 = Test::NgxCommerce::Http2->new($t, 8090);
my @waiting = map { $h2->request($load->order("w$_", "w$_", $codes[$n++])) } 1 .. 3;
$pipelined = connection();
syswrite $pipelined, bytes('w4', $n++);

ok($t->wait_for(sub { ($load->status->{store}{in_flight} // 0) >= 4 }), 'four wait');

my ($old) = $t->workers;
$t->reload;
ok($t->wait_for(sub { !grep { $_ == $old } $t->workers }), 'reloaded');
$holder->release($lock, $pid);

is($h2->status($_), 200, 'HTTP/2: answered over a reload') for @waiting;
is(answers($pipelined, 1), 1, 'HTTP/1: answered over a reload');

$h2->close;
close $pipelined;
ok($t->wait_for(sub { !kill 0, $old }), 'then the old worker leaves');
ok($load->settled, 'nothing is in doubt');

$t->done_testing;


sub connection
{
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $t->port(8080)) || die "connect: $!\n";
}


sub bytes
{
    my ($key, $i) = @_;

    return $t->_request('POST', { %{$load->order($key, $key, $codes[$i])}, keep_alive => 1 });
}


# how many accepted orders come

sub answers
{
    my ($socket, $want) = @_;
    my $select = IO::Select->new($socket);
    my $end = time + 8;
    my $in = '';
    my $got = 0;

    while ($got < $want && time < $end) {
        $select->can_read(0.5) or next;
        sysread($socket, $in, 65536, length $in) or last;
        $got = () = $in =~ /"code":0/g;
    }

    return $got;
}
