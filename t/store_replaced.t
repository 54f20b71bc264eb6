#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# The store is taken away from under the workers: a restored backup, a clean-up.  A worker that went on with
# the deleted files would spend coupons which the new ones still hold: so it refuses money until a restart.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;
use Test::NgxCommerce::Load;

my $t = Test::NgxCommerce->new;
my $load = Test::NgxCommerce::Load->new($t, coupons => 40);
my $dir = $t->dir;

my @codes = $load->codes;
my $token = $t->token('A');
my $orders = 0;

$t->expect_log(qr/\[crit\].*were replaced or removed while in use/);
$t->http_conf($load->server(8080))->run;

my $take = sub { ($t->parallel($load->order('u', 'k' . ++$orders, $_[0])))[0] };

# directory moved away, an empty one in its place

replaced('empty directory',
    sub { rename "$dir/store", "$dir/away" or die "$!\n"; mkdir "$dir/store", 0700 or die "$!\n" },
    sub { system('rm', '-rf', "$dir/store"); rename "$dir/away", "$dir/store" or die "$!\n" });

# a backup in the place of the data file

replaced('data.mdb replaced',
    sub {
        system('cp', "$dir/store/data.mdb", "$dir/store/new") == 0 or die "cp\n";
        rename "$dir/store/new", "$dir/store/data.mdb" or die "$!\n";
    },
    sub { });

# a "stale lock file" cleaned up: two writers at once would be possible

replaced('lock.mdb removed', sub { unlink "$dir/store/lock.mdb" or die "$!\n" }, sub { });

# everything taken away

replaced('directory moved away',
    sub { rename "$dir/store", "$dir/away" or die "$!\n" },
    sub { rename "$dir/away", "$dir/store" or die "$!\n" });

ok($load->settled, 'all events are in the log');
$load->check_spent('in the end');
$load->check_log('in the end', $load->states);
$load->check_store('in the end');

$t->done_testing;


sub replaced
{
    my ($name, $replace, $back) = @_;
    my ($spent, $other) = splice @codes, 0, 2;

    is($take->($spent)->status, 200, "$name: before: an order");
    is($take->($spent)->status, 422, "$name: before: its coupon is spent");
    ok($load->settled, "$name: before: all events are in the log");

    my $lines = $t->log_lines(qr/were replaced or removed/);

    $replace->();

    # at once: a worker that has not noticed yet may still say that a coupon is spent

    ok(!(grep { !unavailable($_) && $_->status != 422 } many($name, $spent, $other)), "$name: orders are refused");

    # pages go on, and soon every worker knows

    my %unaware = map { $_ => 1 } $t->workers;
    my $broken = 0;

    $t->wait_for(sub {
        for my $page ($t->parallel(map { $load->page("p$_") } 1 .. 8)) {
            $broken++ if $page->status != 200;
            delete $unaware{$page->header('x-pid') // ''}
                if ($page->json->{headers}{'x-commerce-degraded'} // '') eq 'store';
        }

        return !%unaware;
    }, 10);

    is($broken, 0, "$name: pages go on");
    is(scalar keys %unaware, 0, "$name: degraded, whichever worker answers");

    my @wrong = grep { !unavailable($_) } many("$name-again", $spent, $other);
    is(scalar @wrong, 0, "$name: orders are refused for the store's sake") or diag $wrong[0]{raw};

    my $view = $t->get("/goods/1?st=$token", headers => { 'X-User' => "$name-buyer" });
    is($view->json->{headers}{'x-commerce-seller'}, '#1', "$name: attributed by the token alone") or diag $view->body;

    my $plain = ($t->parallel($load->order('u', "$name-plain", undef)))[0];
    is($plain->status, 200, "$name: an order without coupons goes on") or diag $plain->body;

    my $status = $load->status;
    is($status->{store}{state}, 'replaced', "$name: the status says so");
    like($status->{store}{error}, qr/were replaced or removed while in use.*restart nginx/, "$name: and what to do");

    my @lines = $t->log_lines(qr/were replaced or removed/);
    cmp_ok(@lines - $lines, '>=', 1, "$name: the log says so");
    cmp_ok(@lines - $lines, '<=', 2, "$name: once a worker");

    $back->();

    is($take->($other)->code, 'STORE_UNAVAILABLE', "$name: it stays refused, whatever comes back");

    ok($t->reload(wait => 1), "$name: new workers");

    is($take->($spent)->status, 422, "$name: after: the spent coupon is spent");
    is($take->($other)->status, 200, "$name: after: the other one is good");
    is($load->status->{store}{state}, 'ok', "$name: after: the store is well");
}


sub many
{
    my ($name, @coupons) = @_;

    return $t->parallel(map { $load->order('u', "$name-$_", $coupons[$_ % @coupons]) } 1 .. 12);
}


sub unavailable
{
    my ($answer) = @_;

    return $answer->status == 503 && ($answer->code // '') eq 'STORE_UNAVAILABLE' && $answer->header('retry-after');
}
