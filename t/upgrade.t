#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# USR2, as Debian's package does at every upgrade of nginx: for a while two generations serve, and orders
# fight for the same coupons through both.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;
use Test::NgxCommerce::Load;
use Time::HiRes qw(sleep time);

my $t = Test::NgxCommerce->new;
my $load = Test::NgxCommerce::Load->new($t, coupons => 250);

$t->http_conf($load->server(8080))->run;

my @first = $t->workers;

$load->start(clients => 8, seconds => 6);
sleep 1;

my $old = $t->upgrade(overlap => 1);
my $from = time;

ok($old, 'a second generation beside the first') or BAIL_OUT('no upgrade');

my @second = $t->workers;
is(scalar(grep { kill 0, $_ } @first), 2, 'the first one serves on');

$t->wait_for(sub { time > $from + 2.5 }, 5);

my $until = time;
kill QUIT => $old;
ok($t->wait_for(sub { !kill 0, $old }, 20), 'the first generation has left');

$load->finish;

# which generation answered whom

my %generation = ((map { $_ => 'old' } @first), map { $_ => 'new' } @second);
my (%tried, %answered);

for my $answer (grep { $_->{kind} eq 'order' } $load->answers) {
    my $generation = $generation{$answer->{pid} // 0} or next;

    $answered{$generation}++ if $answer->{status} == 200;
    $tried{$answer->{coupon}}{$generation} = 1 if $answer->{time} > $from && $answer->{time} < $until;
}

my $both = grep { keys %$_ == 2 } values %tried;

cmp_ok($answered{old} // 0, '>', 0, "orders were placed through the old generation ($answered{old})");
cmp_ok($answered{new} // 0, '>', 0, "and through the new one ($answered{new})");
cmp_ok($both, '>', 0, "$both of " . keys(%tried) . ' coupons were tried through both at a time');

my @broken = grep { !$_->{complete} || $_->{status} == 0 || $_->{status} >= 500 } $load->answers;
is(scalar @broken, 0, 'no request was broken, of ' . $load->answers) or diag explain $broken[0];

$load->check('upgrade');
ok($t->wait_for(sub { !$load->gaps }), 'no line is missing') or diag map { "$_\n" } $load->gaps;

my $pages = grep { $_->{kind} eq 'page' } $load->answers;
is(scalar(grep { $_->{uri} eq '/goods/1' } $load->events('visit')), $pages, "each of $pages page views is in the log");

cmp_ok(scalar(keys %{{ map { $_->{epoch} => 1 } $load->events('coupon_\w+') }}), '>', 1,
       'money lines of both generations');

ok($t->quit, 'the second generation leaves too');

$t->done_testing;
