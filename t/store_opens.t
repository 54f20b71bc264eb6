#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# A store that cannot be opened at start: pages go on, money is refused, and all is well by itself once it can be.

use strict;
use warnings;

use Fcntl qw(F_UNLCK F_WRLCK SEEK_SET);

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new;

$t->keys->people("id,role,status,upline,user\nA,guide,active,,u-a\n");
$t->campaign(id => 'c', discount => { fixed => 100 });

my ($code) = $t->coupons('c', 1);
my $token = $t->token('A');

$t->storefront(8081);

# somebody restores: he has the store to himself

open my $lock, '+>>', $t->dir . '/store/store.lock' or die "store.lock: $!\n";
lock_all(F_WRLCK);

$t->expect_log(qr/restored or compacted/);

$t->http_conf(<<'EOC')->run;
    server {
        listen 127.0.0.1:8080;
        commerce_shop demo;
        commerce enforce;
        commerce_user $http_x_test_user verified;
        commerce_touch share $arg_st;

        location / { proxy_pass http://127.0.0.1:8081; }
        location = /status { commerce off; commerce_status; }

        location = /api/orders {
            commerce_order key=$http_x_key;
            commerce_coupon_code $http_x_coupon;
            proxy_pass http://127.0.0.1:8081;
        }
    }
EOC

my %buyer = (headers => { 'X-Test-User' => 'dora', 'X-Key' => 'k1', 'X-Coupon' => $code });

my $view = $t->get("/item?st=$token", %buyer);
is($view->status, 200, 'a page is served');
is($view->json->{headers}{'x-commerce-degraded'}, 'store', 'and says that the store was not asked');

my $order = $t->post('/api/orders', '', %buyer);
is($order->status . ' ' . $order->code, '503 STORE_UNAVAILABLE', 'a coupon is refused');
is($t->get('/status')->json->{store}{state}, 'unavailable', 'the status tells');

# he is ready

lock_all(F_UNLCK);

ok($t->wait_for(sub { @{[ $t->log_lines(qr/the store is open again/) ]} == 2 }), 'both workers open it by themselves');

$view = $t->get("/item?st=$token", %buyer);
is($view->json->{headers}{'x-commerce-seller'}, 'A', 'the view has its seller');
is($view->json->{headers}{'x-commerce-reason'}, 'BIND_NEW', 'who is bound');
is($t->post('/api/orders', { client_key => 'k1', items => [] }, %buyer)->status, 200, 'the coupon is taken');
is($t->get('/status')->json->{store}{state}, 'ok', 'the status tells that, too');

$t->done_testing;


# every byte of it, a lock of the open file

sub lock_all
{
    my ($type) = @_;
    my $F_OFD_SETLK = 37;

    fcntl $lock, $F_OFD_SETLK, pack('s s x4 q q l x4', $type, SEEK_SET, 0, 0, 0) or die "fcntl: $!\n";
}
