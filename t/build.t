#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# The .so files: what they export, that load order does not matter, and what a missing core says.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new;
my $modules = $ENV{TEST_NGINX_MODULES} || "$Test::NgxCommerce::ROOT/build";

my @names = qw(ngx_commerce_module
    ngx_http_commerce_attribution_module ngx_http_commerce_distribution_module
    ngx_http_commerce_coupon_module ngx_http_commerce_status_module);

# symbols

for my $name (@names) {
    my @symbols = symbols("$modules/$name.so");
    my @exported = sort map { $_->[1] } grep { $_->[0] =~ /^[A-TV-Z]$/ } @symbols;
    my @missing = grep { /^(?:ngx_http_)?(?:ngx_)?commerce_/ } map { $_->[1] } grep { $_->[0] eq 'U' } @symbols;

    # what a sanitizer adds is not ours
    @exported = grep { !/^_|asan|ubsan|odr/ } @exported;

    is("@exported", 'ngx_module_names ngx_module_order ngx_modules', "$name exports nginx's tables only");
    is("@missing", '', "$name has all of its own code");
}

# load order

my @features = grep { $_ ne 'ngx_commerce_module' } @names;

for my $order ([sort @names], [reverse sort @names], ['ngx_commerce_module', @features],
    [@features, 'ngx_commerce_module'])
{
    $t->conf_ok(conf(@$order), 'order: ' . join ' ', map { /commerce_(?!module)(\w+)_module/ ? $1 : 'core' } @$order);
}

$t->conf_ok(conf('ngx_commerce_module', $_), "core and $_ alone") for @features;
$t->conf_ok(conf('ngx_commerce_module'), 'core alone');

# no core

for my $name (@features) {
    $t->conf_fails(conf($name),
        qr/\[emerg\] .*"$name" requires ngx_commerce_module.* in \S+:\d+\n/, "$name without the core");
}

$t->done_testing;


sub conf
{
    my (@load) = @_;
    my $load = join "\n", map { "load_module $modules/$_.so;" } @load;
    my $globals = join "\n", grep { !/^load_module/ } split /\n/, $t->expand('%%TEST_GLOBALS%%');

    return <<"CONF";
$load
$globals

events {
}

http {
    %%TEST_GLOBALS_HTTP%%
    server {
        listen 127.0.0.1:8080;
    }
}
CONF
}


sub symbols
{
    my ($file) = @_;

    open my $nm, '-|', 'nm', '-D', $file or die "nm: $!\n";

    return map { /([A-Za-z]) (\S+)$/ ? [$1, $2] : () } <$nm>;
}
