#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# A backup beside load; then the store is lost.  Restored with the event log, what was spent after the backup is
# spent, what was reserved is reserved and in doubt, and doing it twice changes nothing.

use strict;
use warnings;

use lib 't/lib';
use IO::Compress::Gzip ();
use Test::More;
use Test::NgxCommerce;
use Test::NgxCommerce::Load;

my $t = Test::NgxCommerce->new;
my $load = Test::NgxCommerce::Load->new($t, coupons => 10);
my $dir = $t->dir;

$t->http_conf($load->server(8080) . <<'EOC')->run;
    server {
        listen          127.0.0.1:8082;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   $http_x_user verified;

        location = /claim { commerce_coupon_claim campaign=$arg_campaign; }

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons;
            commerce_coupon_redeem on=paid deadline=16m;
            proxy_pass http://127.0.0.1:8081;
        }
    }
EOC

my @mine = $load->codes;
$t->campaign(id => 'drop', discount => { fixed => 100 }, claim => { stock => 2, user => 1 });
$load->mint(50);

is(order('anna', 'k0', $mine[9])->status, 200, 'a buyer whom the backup will know');

# a backup while orders come in

$load->start(clients => 4, seconds => 2, rate => 20);
ok($t->wait_for(sub { $t->events('coupon_redeem') > 3 }, 5), 'orders come in');

my $out = $t->cli_ok('store', 'backup', "$dir/backup");
like($out, qr/^\S+backup: \d+ records, \d+ events for the log, format \d+, \d+ KiB, \S+Z$/m, 'a backup beside them');
$load->finish;

is((stat "$dir/backup")[2] & 07777, 0700, 'the folder is for its owner only');
is((stat "$dir/backup/$_")[2] & 07777, 0600, "so is $_") for qw(data.mdb manifest.json);

my $manifest = Test::NgxCommerce::json()->decode($t->read_file("$dir/backup/manifest.json"));
like($manifest->{last_event}, qr/^[0-9a-f]{8}-/, 'it knows its last event');
is($manifest->{time}, 1_800_000_000, 'and its time');
cmp_ok($manifest->{bytes}, '==', -s "$dir/backup/data.mdb", 'and size');

fails(qr/exists.*nothing is overwritten/, 'store', 'backup', "$dir/backup");
fails(qr/cannot make the folder/, 'store', 'backup', "$dir/none/backup");

# onto a full disk: refused, and nothing stays

mkdir "$dir/small" or die "mkdir: $!\n";

SKIP: {
    skip 'tmpfs cannot be mounted here', 3 if system("mount -t tmpfs -o size=16k commerce-test $dir/small 2>/dev/null") != 0;

    fails(qr/No space left|Input\/output error/, 'store', 'backup', "$dir/small/backup");
    is(join(' ', glob "$dir/small/*"), '', 'a backup onto a full disk leaves nothing');
    system "umount $dir/small";
}

# beside a worker that is stopped, be it with the writer's lock

my ($stopped) = $t->workers;
kill STOP => $stopped;
like($t->cli_ok('store', 'backup', "$dir/second"), qr/records/, 'a backup beside a stopped worker');
kill CONT => $stopped;

# after it: spent; refused by the backend; reserved until paid; paid; cancelled; another buyer's

$t->advance(1);

is(order('anna', 'k1', $mine[0])->status, 200, 'after the backup: one is spent');
is(order('anna', 'k2', $mine[1], 'code4001')->status, 200, 'one is refused and free again');
is(order('anna', 'k3', $mine[2], '', 8082)->status, 200, 'one is reserved until paid');

my $paid = order('anna', 'k4', $mine[3], '', 8082);
is($t->notify('/confirm?id=' . id($paid))->status, 200, 'one is paid');

my $stranger = order('stranger', 'k5', $mine[4]);
is($stranger->status, 200, 'one is spent by somebody whom the backup does not know');

my @late = $t->coupons('load', 5);
is(order('anna', 'k6', $late[0])->status, 200, 'one that was minted after the backup is spent');

my $claimed = claim('anna', 'k');
is($claimed->status, 201, 'one is claimed');
my $gift = $claimed->json->{code} // $claimed->json->{coupon}{code};
is(order('anna', 'k7', $gift)->status, 200, 'and spent');

ok($load->settled, 'all events are in the log');
my $before = $load->states;

# with nginx running nothing is touched

fails(qr/is in use: stop nginx/, 'store', 'restore', "$dir/backup", '--replay', "$dir/events.jsonl");
fails(qr/is in use: stop nginx/, 'store', 'compact');
$t->stop;

# without a log the coupon would be free: said

like($t->cli_ok('store', 'restore', "$dir/backup"), qr/no log was replayed: what was spent since/, 'restored without a log');
is(state($mine[0])->{state}, 'issued', 'the spent one would be free');

# in two files, the older one compressed and torn at its end; the newer one with a line torn by a full disk

my @lines = split /^/, $t->read_file('events.jsonl');
my ($half) = grep { $lines[$_] =~ /"k2"/ } 0 .. $#lines;
my $old = join('', @lines[0 .. $half]);
my $new = join('', @lines[$half + 1 .. $#lines]);

IO::Compress::Gzip::gzip(\$old => "$dir/events.jsonl.1.gz") or die 'gzip';
$t->write_file('events.jsonl', $new . substr($lines[-1], 0, 50));

$out = $t->cli_ok('store', 'restore', "$dir/backup", '--replay', "$dir/events.jsonl", '--replay', "$dir/events.jsonl.1.gz");
like($out, qr/^log: \d+ lines, \d+ money events, 0 repeated, 1 torn, 0 missing, 0 with a broken chain$/m, 'the log is sound');
like($out, qr/^replayed: \d+ events \(\d+ coupons, \d+ orders\).* 0 failed$/m, 'replayed');
like($out, qr/^what was there is kept as \S+data\.mdb\.before-/m, 'the old files are kept');
note($out);

is_deeply(diff($before), [], 'every coupon is as it was');
like($t->cli_ok('store', 'check'), qr/ 0 violations/, 'the store agrees with itself');

is(state($mine[2])->{state}, 'reserved', 'the reserved one is reserved');
is(state($mine[3])->{state}, 'redeemed', 'the paid one is spent');
is(state($mine[1])->{state}, 'issued', 'the refused one is free');
like(state($mine[4])->{user}, qr/^pseudonym/, "the stranger's is a pseudonym's");

my $order = Test::NgxCommerce::json()->decode($t->cli_ok('order', 'show', '--id', id($stranger)));
is($order->{state}, 'placed', "the stranger's order is found by its id");

# again, with one file twice: nothing else comes of it

my $again = $t->cli_ok('store', 'restore', "$dir/backup", map { ('--replay', "$dir/$_") }
    qw(events.jsonl.1.gz events.jsonl events.jsonl.1.gz));
like($again, qr/ 0 failed$/m, 'replayed with one file twice');
is_deeply(diff($before), [], 'the same comes of it');
like($t->cli_ok('store', 'check'), qr/ 0 violations/, 'and it agrees with itself');

# nginx again

$t->write_file('events.jsonl', $t->read_file('events.jsonl') . "\n");
$t->advance(60);
ok($t->run, 'nginx starts on it');

is(order('zoe', "z$_", $mine[$_])->code, 'COUPON_NOT_USABLE', "coupon $_ cannot be spent again") for 0, 2, 3, 4;
is(order('zoe', 'z1', $mine[1])->status, 200, 'the free one can');
is(order('zoe', 'z6', $late[0])->code, 'COUPON_NOT_USABLE', 'the one minted later cannot be spent again');

is(order('anna', 'z7', $gift)->code, 'COUPON_NOT_USABLE', 'nor can the claimed one');
is(claim('anna', 'k')->json->{replay}, JSON::PP::true, 'claiming again under its key gives the same one');
is(claim('zoe')->status, 201, 'another buyer claims the last one');
is(claim('kim')->code, 'COUPON_STOCK_EMPTY', 'the stock is counted on');

my ($fresh) = $t->coupons('load', 1);
ok(!(grep { $_ eq $fresh } @late), 'its serials are not minted again');

is($t->post('/confirm?id=' . id($stranger), '')->status, 200, "a notice finds the stranger's order");
ok($t->wait_for(sub { scalar $load->events('restore') }), 'the log tells of the restore');
ok($load->settled, 'settled');
like($t->cli_ok('store', 'check'), qr/ 0 violations/, 'the store agrees with itself');
$t->stop;

# what is refused

fails(qr/holds no whole backup/, 'store', 'restore', $dir);
fails(qr/cannot open/, 'store', 'restore', "$dir/backup", '--replay', "$dir/nothing");
$t->cli_ok('--keys', "$dir/other.json", 'keys', 'init');
fails(qr/belongs to id space/, '--keys', "$dir/other.json", 'store', 'restore', "$dir/backup");

system('cp', '-r', "$dir/backup", "$dir/spoiled") == 0 or die 'cp';
open my $file, '+<', "$dir/spoiled/data.mdb" or die "$!\n";
seek $file, 5000, 0;
print {$file} 'spoiled';
close $file;
fails(qr/is not what was written/, 'store', 'restore', "$dir/spoiled");

# a log that begins too late: nothing is done but by force

my @end = grep { /"chain"/ } split /^/, $t->read_file('events.jsonl');
$t->write_file('late.jsonl', join '', @end[-3 .. -1]);
my $was = (stat "$dir/store/data.mdb")[1];
my ($code, $said, $error) = $t->cli('store', 'restore', "$dir/backup", '--replay', "$dir/late.jsonl");
is($code, 1, 'a log that begins too late');
like($said, qr/after the backup's last event/, 'says so');
like($error, qr/nothing was changed/, 'and changes nothing');
is((stat "$dir/store/data.mdb")[1], $was, 'indeed nothing');
$t->cli_ok('store', 'restore', "$dir/backup", '--incomplete', '--replay', "$dir/late.jsonl");

# a line that was changed

my $changed = $t->read_file('events.jsonl');
$changed =~ s/"type":"coupon_redeem"(.*?)"serial":(\d+)/"type":"coupon_redeem"$1"serial":9$2/;
$t->write_file('changed.jsonl', $changed);
($code, $said) = $t->cli('store', 'restore', "$dir/backup", '--replay', "$dir/events.jsonl.1.gz", '--replay', "$dir/changed.jsonl");
like($said, qr/, [1-9]\d* with a broken chain/, 'a line that was changed is found');

$t->done_testing;


sub order
{
    my ($user, $key, $code, $test, $port) = @_;

    return ($t->parallel($load->order($user, $key, $code, port => $port // 8080,
        $test ? (headers => { 'X-Test' => $test }) : ())))[0];
}


sub claim
{
    my ($user, $key) = @_;

    return $t->post('/claim?campaign=drop', '', port => 8082,
                    headers => { 'X-User' => $user, $key ? ('Idempotency-Key' => $key) : () });
}


sub id { return $_[0]->json->{data}{order_no} }


sub state
{
    my ($code) = @_;

    return { $t->cli_ok('coupon', 'show', $code) =~ /^(\w+) +(.+?) *$/mg };
}


# coupons that are not as they were; those of unknown buyers only by state and order

sub diff
{
    my ($was) = @_;
    my $is = $load->states;

    return [ grep { $is->{$_}{state} ne $was->{$_}{state} || $is->{$_}{order} ne $was->{$_}{order} } sort keys %$was ];
}


sub fails
{
    my ($pattern, @command) = @_;
    my ($code, $output, $error) = $t->cli(@command);

    is($code, 1, "refused: @command[0, 1]");
    like($error, $pattern, "says why");
}
