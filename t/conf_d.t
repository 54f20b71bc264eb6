#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Every file in conf.d/ loads, in the place that it names for itself.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new(shuffle => 1);
my $conf_d = "$Test::NgxCommerce::ROOT/conf.d";

$t->keys;

# what a file needs beside commerce-http.conf and commerce-server.conf
my %in_place = (
    'commerce-http.conf'         => [],
    'commerce-server.conf'       => [],
    'commerce-order-paid.conf'   => ['commerce-order-paid'],
    'commerce-after-sale.conf'   => ['commerce-order-paid', 'commerce-after-sale'],
    'commerce-order-simple.conf' => ['commerce-order-simple'],
    'commerce-order-cart.conf'   => ['commerce-order-cart'],
    'commerce-status.conf'       => ['commerce-status'],
    'commerce-admin.conf'        => ['commerce-admin'],
    'commerce-share.conf'        => ['commerce-share'],
    'commerce-split.conf'        => ['commerce-split'],
    'commerce-join.conf'         => ['commerce-join'],
    'commerce-conduct.conf'      => ['commerce-conduct'],
    'commerce-live-room.conf'    => ['commerce-live-room'],
    'commerce-claim.conf'        => ['commerce-claim'],
    'commerce-counter.conf'      => ['commerce-counter'],
    'commerce-guard.conf'        => ['commerce-order-paid', 'commerce-guard'],
);

my @files = map { s{.*/}{}r } glob "$conf_d/*";

is_deeply([sort @files], [sort CORE::keys %in_place], 'every file has its test');

for my $file (sort CORE::keys %in_place) {
    $t->conf_ok(wrap('commerce-server', @{$in_place{$file}}), "$file loads");
}

$t->conf_ok(wrap(map { "commerce-$_" } qw(server order-paid after-sale order-cart status share split join live-room claim counter conduct
                                          guard)),
    'all of them together');

$t->done_testing;


sub wrap
{
    my (@server) = @_;
    my $http = file('commerce-http');
    my $server = join "\n", map { file($_) } @server;

    return <<"CONF";
%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    $http

    geo \$commerce_live_hop { default 0; 192.0.2.0/24 1; }
    map \$commerce_live_hop \$commerce_live_room { 1 \$http_x_live_room; default ""; }

    upstream storefront { server 127.0.0.1:8081; }

    server {
        listen 127.0.0.1:8080;

        $server
    }
}
CONF
}


# the paths of an installation become those of the test

sub file
{
    my ($name) = @_;
    my $text = $t->read_file("$conf_d/$name.conf");
    my $dir = $t->dir;

    $text =~ s{/var/lib/nginx/commerce\b}{$dir/store}g;
    $text =~ s{/etc/nginx/commerce/keys\.json}{$dir/keys.json}g;
    $text =~ s{/var/log/nginx/commerce\.jsonl}{$dir/events.jsonl}g;

    return $text;
}
