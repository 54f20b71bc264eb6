#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# The demo's tour ends well, and what can stop it is said in a sentence.

use strict;
use warnings;

use IO::Socket::INET;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce qw(free_port);

plan(skip_all => 'the demo runs what ci/build made, not a sanitizer build') if $ENV{TEST_NGINX_PRELOAD};

my ($port, $lock) = free_port();

my ($code, $output) = demo("PORT=$port", '--once');

is($code, 0, 'the tour ends well') or diag(substr $output, -2000);
like($output, qr/"token":"[\w-]{32}"/, 'a token of 32 characters');
like($output, qr/"pay_amount":18800/, 'the coupon was honoured');
like($output, qr/"state":"paid"/, 'the payment was confirmed');
like($output, qr/"state":"refunded"/, 'and given back');
is(() = $output =~ /"code":"COUPON_NOT_USABLE"/g, 2, 'the spent and the forged coupon look alike');
like($output, qr/"code":"TIER_DEPTH_EXCEEDED"/, 'no third tier');
unlike($output, qr/\e\[/, 'no colours in a file');

my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1, ReuseAddr => 1);

ok($taken, 'nothing is left on the port') or diag($!);

($code, $output) = demo("PORT=$port", '--once');

is($code, 1, 'a port in use stops it');
like($output, qr/^ci\/demo: port $port is in use; .*PORT=/m, 'in a sentence');

($code, $output) = demo('PORT=http', '--once');
like($output, qr/^ci\/demo: PORT is a number/m, 'so does a port that is none');

($code, $output) = demo('UPSTREAM=storefront', '--once');
like($output, qr/^ci\/demo: UPSTREAM is host:port/m, 'and an upstream without a port');

done_testing();


sub demo
{
    my ($setting, @args) = @_;

    my $output = qx(env $setting timeout 120 $Test::NgxCommerce::ROOT/ci/demo @args 2>&1 </dev/null);

    return ($? >> 8, $output);
}
