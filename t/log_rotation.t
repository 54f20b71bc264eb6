#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# A rotation that not every worker knows of yet: money events stay in order over the files.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;
use Test::NgxCommerce::Load;

my $t = Test::NgxCommerce->new;
my $load = Test::NgxCommerce::Load->new($t, coupons => 3);
my @codes = $load->codes;
my $dir = $t->dir;

$t->expect_log(qr/worker process \d+ exited on signal 9/);
$t->http_conf($load->server(8080))->run;

ordered('first', 'events.jsonl');

# the one that writes them has the new file, the others and the master have not

my $writer = $load->status->{log}{writer_pid};

rename "$dir/events.jsonl", "$dir/events.1" or die "rename: $!\n";
kill USR1 => $writer;
ok($t->wait_for(sub { -e "$dir/events.jsonl" }), 'a worker has the new file');
$t->advance(10);                # files are put in order by the time of their first lines

ordered('second', 'events.jsonl');

# another one takes over

kill KILL => $writer;
ok($t->wait_for(sub { !grep { $_ == $writer } $t->workers }), 'the writer is gone');

ordered('third', 'events.jsonl');
is(scalar(grep { ($_->{order_key} // '') eq 'third' && $_->{type} ne 'attribution' } $t->events(undef, 'events.1')), 0,
   'nothing of it is in the old file');

$t->reopen;
$t->stop;
my (undef, $checked) = $t->cli(qw(store check --log), "$dir/events.1", '--log', "$dir/events.jsonl");
like($checked, qr/ 0 missing, 0 with a broken chain.* 0 violations/s, 'one log in two files') or diag $checked;

$t->done_testing;


sub ordered
{
    my ($key, $file) = @_;
    my ($answer) = $t->parallel($load->order('u', $key, shift @codes));

    is($answer->status, 200, "the $key order") or diag $answer->body;
    ok($t->wait_for(sub {
        -e "$dir/$file" && grep { $_->{type} eq 'coupon_redeem' && $_->{order_key} eq $key } eval { $t->events(undef, $file) };
    }), "... is in $file");
}
