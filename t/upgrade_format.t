#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# USR2 from an older version that knows record format 1 only: both read what either writes, what needs format 2
# waits for the older one's end, and afterwards the older one cannot open the store.
#
# TEST_NGINX_OLDER: the folder of a real older version's modules and tool, instead of ci/build --older.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;
use Test::NgxCommerce::Load;
use Time::HiRes qw(sleep time);

my $root = $Test::NgxCommerce::ROOT;

my $older = $ENV{TEST_NGINX_OLDER} // '';

$older || system("$root/ci/build", '--older') == 0 or die "ci/build --older failed\n";

my $t = Test::NgxCommerce->new;
my $new = $t->{modules};
my $old = $older || "$root/build/older";
my $load = Test::NgxCommerce::Load->new($t, coupons => 200);
my $server = $load->server(8080);

# directives that a real one does not know are left out

$t->{modules} = $old;
$t->http_conf($older ? $server =~ s/commerce_coupon_guess \w+;//gr : $server)->run;

is(format_of(), 1, 'the older version runs');
my @first = $t->workers;

$load->start(clients => 6, seconds => 4);
ok($t->wait_for(sub { $t->events('coupon_redeem') > 5 }, 5), 'orders come in');

# the new files, as a package brings them

$t->{modules} = $new;
$t->http_conf($server . <<'EOC');
    server {
        listen          127.0.0.1:8083;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   $http_x_user verified;

        location /api/orders {
            commerce_order key=json:/client_key scope=shop lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons;
            commerce_coupon_redeem on=order deadline=16m;
            proxy_pass http://127.0.0.1:8081;
        }
    }
EOC

my $master = $t->upgrade(overlap => 1);
my $from = time;

ok($master, 'a second generation beside the first') or BAIL_OUT('no upgrade');
my @second = $t->workers;

# an order of a kind that the older one does not know

my ($fresh) = $t->coupons('load', 1);
my $order = $load->order('anna', 'shared', $fresh, port => 8083);
my ($answer) = $t->parallel($order);

is($answer->status . ' ' . ($answer->code // ''), '503 STORE_UPGRADING', 'a request that needs format 2 is refused');
ok($answer->header('retry-after'), 'for a while');
like($t->cli_ok('coupon', 'show', $fresh), qr/^state +issued/m, 'nothing of it is done');
is(($t->parallel({ %$order, port => 8080 }))[0]->status, 200, 'the same by a way that needs format 1 only is not');

# what the older one could not read is refused, and nothing of it is written

my %limited = (v => 2, id => 'limited', discount => { fixed => 100 }, claim => { stock => 10 });
my ($code, $out, $error) = put(%limited);

is($code, 1, 'a campaign with a rule that the older version does not know');
like($error, qr/process of an older version has the store .* open/, 'is refused, with the reason');
isnt(($t->cli('campaign', 'get', 'limited'))[0], 0, 'it is not there');
is(format_of(), 1, 'the format is as it was');

($code) = put(id => 'plain', discount => { fixed => 100 });
is($code, 0, 'one that it knows is not');
is((run_old('campaign', 'get', 'plain'))[0], 0, 'and it reads it');

$t->wait_for(sub { time > $from + 1.5 }, 5);
kill QUIT => $master;
ok($t->wait_for(sub { !kill 0, $master }, 20), 'the older generation has left');
$load->finish;

my %generation = ((map { $_ => 'old' } @first), map { $_ => 'new' } @second);
my %answered;

$answered{$generation{$_->{pid} // 0} // '?'}++ for grep { $_->{kind} eq 'order' && $_->{status} == 200 } $load->answers;
cmp_ok($answered{old} // 0, '>', 0, "orders were placed through the older generation ($answered{old})");
cmp_ok($answered{new} // 0, '>', 0, "and through the new one ($answered{new})");

my @broken = grep { !$_->{complete} || $_->{status} == 0 || $_->{status} >= 500 } $load->answers;
is(scalar @broken, 0, 'no request was broken, of ' . $load->answers) or diag explain $broken[0];

is(format_of(), 1, 'nothing needed the new format yet: going back would be possible');
is((run_old('store', 'check'))[0], 0, 'the older version finds everything in order');

# now it works

($fresh) = $t->coupons('load', 1);
is(($t->parallel($load->order('anna', 'shared-2', $fresh, port => 8083)))[0]->status, 200, 'the request is served');
is(format_of(), 2, 'and has raised the format');

($code, $out, $error) = put(%limited);
is($code, 0, 'the campaign is written, too') or diag $error;

my ($coupon) = $t->coupons('limited', 1);
is(($t->parallel($load->order('anna', 'limited-1', $coupon)))[0]->status, 200, 'its coupon is spent');
is(($t->parallel($load->order('zoe', 'limited-2', $coupon)))[0]->code, 'COUPON_NOT_USABLE', 'once');

# and the older version stays outside

($code, $out, $error) = run_old('store', 'stat');
is($code, 1, 'the older version cannot open it');
like($error, qr/has format 2, this program knows 1: use the version that wrote it/, 'and says what to do');

$load->check('upgrade');
ok($t->wait_for(sub { !$load->gaps }), 'no line is missing') or diag map { "$_\n" } $load->gaps;

$t->done_testing;


sub put
{
    my (%campaign) = @_;
    my $file = $t->write_file('campaign.json', Test::NgxCommerce::json()->encode({
        v => $campaign{claim} ? 2 : 1, enabled => JSON::PP::true, %campaign }));

    return $t->cli('campaign', 'put', $file);
}


sub run_old
{
    my (@command) = @_;
    local $t->{modules} = $old;

    return $t->cli(@command);
}


sub format_of
{
    return ($t->cli_ok('store', 'stat') =~ /^format +(\d+)/m)[0];
}
