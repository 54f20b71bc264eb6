#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Reloads and log rotation under load: no request is broken, nothing is lost, no line is missing.

use strict;
use warnings;

use lib 't/lib';
use IO::Socket::INET;
use Test::More;
use Test::NgxCommerce;
use Test::NgxCommerce::Load;
use Time::HiRes qw(sleep time);

my $t = Test::NgxCommerce->new;
my $load = Test::NgxCommerce::Load->new($t, coupons => 200);

$t->http_conf($load->server(8080))->run;

# "nginx -t" with the same configuration touches nothing

my $tested = $t->read_file('nginx.conf');
my $files = sub {
    join "\n", map({ join ' ', $_, (stat)[1, 7, 9] } sort glob "$t->{dir}/store/*"),
        map { $_->{id} } $load->events('(?!heartbeat)\w+');
};

$t->wait_events('config', 2);
ok($t->wait_for(sub { my $s = $load->status; $s->{log}{writer_pid} && $s->{store}{outbox} == 0 }), 'nothing is to be written');
my $before = $files->();
$t->conf_ok($tested, '"nginx -t" beside it');
is($files->(), $before, 'it touches neither store nor log');

(my $other = $tested) =~ s{lmdb:\S+/store}{lmdb:$t->{dir}/other};
$t->conf_ok($other, '"nginx -t" with a store that is not there');
ok(!-e "$t->{dir}/other", 'it makes no store');

# five reloads a second, "nginx -t" beside them, and the log is rotated

$load->start(clients => 8, seconds => 5);

my $master = $t->master or die "nginx does not run\n";
my ($reloads, $rotations) = (0, 0);

while ($load->running) {
    kill HUP => $master;
    $reloads++;

    if ($reloads % 6 == 3) {
        rename "$t->{dir}/events.jsonl", "$t->{dir}/events.jsonl." . ++$rotations or die "rename: $!\n";
        kill USR1 => $master;
    }

    my $next = time + 0.2;
    $t->nginx_test($tested) if $reloads % 3 == 0;
    sleep $next - time if $next > time;
}

$load->finish;

cmp_ok($reloads, '>', 4, "$reloads reloads");
cmp_ok($rotations, '>', 0, "$rotations rotations");

my @broken = grep { !$_->{complete} || $_->{status} == 0 || $_->{status} >= 500 } $load->answers;
is(scalar @broken, 0, 'no request was broken, of ' . $load->answers) or diag explain $broken[0];

$load->check('reloads');
ok($t->wait_for(sub { !$load->gaps }), 'no line is missing') or diag map { "$_\n" } $load->gaps;

my $pages = grep { $_->{kind} eq 'page' } $load->answers;
is(scalar(grep { $_->{uri} eq '/goods/1' } $load->events('visit')), $pages, "each of $pages page views is in the log");

# an old worker that is kept busy does not keep the money events: each worker has a slow request

my @workers = $t->workers;
my %busy;

for (1 .. 50) {
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $t->port(8080)) or die "connect: $!\n";

    print {$socket} "GET /slow HTTP/1.1\r\nHost: x\r\nX-Test: slow=40\r\n\r\n";
    $busy{fileno $socket} = $socket;
}

ok($t->wait_for(sub { (grep { $_->{path} eq '/slow' } $t->received) == 50 }), 'slow requests are on their way');
kill HUP => $master;
ok($t->wait_for(sub { !grep { my $pid = $_; grep { $_ == $pid } $t->workers } @workers }), 'reload');
my @left = grep { kill 0, $_ } @workers;
cmp_ok(scalar @left, '>', 0, 'an old worker is still there');

my ($code) = $load->mint(1);
is(($t->parallel($load->order('late', 'late-1', $code)))[0]->status, 200, 'an order at a new worker');
ok($t->wait_for(sub { grep { $_->{order_key} eq 'late-1' } $load->events('coupon_redeem') }, 3),
   'its money events are in the log soon');
is(scalar(grep { kill 0, $_ } @left), scalar @left, 'the old worker is still there');

close $_ for values %busy;

$t->done_testing;
