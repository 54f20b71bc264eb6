#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# A drop: everyone within a second, on one campaign.  The stock is given out to the last coupon and not one
# more, nobody gets two, claimers do not get in each other's way, and whoever was answered keeps his coupon
# although workers are killed meanwhile.

use strict;
use warnings;

use lib 't/lib';
use IO::Handle;
use Test::More;
use Test::NgxCommerce qw(json);

my $t = Test::NgxCommerce->new;

$t->clock(1_800_000_000);
$t->keys;
$t->people("id,role,status,upline,user\nL1,leader,active,,u-1\nL2,leader,active,,u-2\n");
$t->cli_ok(qw(group put g1 --leader L1));
$t->cli_ok(qw(group put g2 --leader L2));

my $fixed = { fixed => 100 };

$t->campaign(id => 'hot', discount => $fixed, claim => { stock => 100, user => 1 });
$t->campaign(id => 'groups', discount => $fixed, claim => { stock => 500, user => 1, group => 30 });
$t->campaign(id => 'daily', zone => 'UTC', discount => $fixed, claim => { stock => 500, day => 70, user_day => 1 });
$t->campaign(id => 'crash', discount => $fixed, claim => { stock => 900, user => 1 });
$t->campaign(id => 'free', discount => $fixed, claim => { stock => 1_000_000 });

$t->expect_log(qr/worker process \d+ exited on signal 9/);

$t->http_conf(<<'EOC')->run;
    server {
        listen          127.0.0.1:8080;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   $http_x_user verified;
        commerce_touch  share $arg_st;

        location = /claim { commerce_coupon_claim campaign=$arg_campaign; }
        location = /status { commerce off; commerce_status; }
    }
EOC

sub claim
{
    my ($user, $campaign, %o) = @_;

    return { method => 'POST', uri => "/claim?campaign=$campaign" . ($o{token} ? "&st=$o{token}" : ''), body => '',
             timeout => 20, headers => [ 'X-User' => $user, $o{key} ? ('Idempotency-Key' => $o{key}) : () ] };
}

sub count
{
    my %count;

    $count{$_->status < 300 ? $_->status : $_->status . ' ' . ($_->code // '-')}++ for @_;

    return \%count;
}

sub codes { my %codes = map { $_->json->{code} => 1 } grep { $_->status < 300 } @_; return scalar keys %codes }

sub store { return $t->get('/status')->json->{store} }


# four times as many as there are coupons, at once

my @answers = $t->parallel(map { claim("user$_", 'hot') } 1 .. 400);

is_deeply(count(@answers), { 201 => 100, '409 COUPON_STOCK_EMPTY' => 300 }, '400 users, 100 coupons');
is(codes(@answers), 100, 'each has one of his own');
is(store()->{conflicts}, 0, 'and nobody had to be decided again');

my @winners = map { "user$_" } grep { $answers[$_ - 1]->status == 201 } 1 .. 400;
my @again = $t->parallel(map { claim($_, 'hot') } @winners);

is_deeply(count(@again), { 200 => 100 }, 'they ask once more, all at once');
is_deeply([ map { $_->json->{code} } @again ], [ map { $_->json->{code} } grep { $_->status == 201 } @answers ],
          '... and are given the same');

# by groups, with a binding for each

my %token = map { $_ => $t->token('-', '--group', $_) } qw(g1 g2);

@answers = $t->parallel(map { claim("member$_", 'groups', token => $token{$_ % 2 ? 'g1' : 'g2'}) } 1 .. 200);

is_deeply(count(@answers), { 201 => 60, '422 COUPON_GROUP_LIMIT' => 140 }, 'two groups of 100, 30 coupons each');
is(scalar(grep { $answers[2 * $_]->status == 201 } 0 .. 99), 30, '... 30 each');
is(store()->{conflicts}, 0, 'without a conflict');

@answers = $t->parallel(map { claim("day$_", 'daily') } 1 .. 200);
is_deeply(count(@answers), { 201 => 70, '422 COUPON_DAILY_LIMIT' => 130 }, '70 a day');
is(store()->{conflicts}, 0, 'without a conflict');

# one user with many fingers

@answers = $t->parallel(map { claim('fingers', 'crash') } 1 .. 60);
is_deeply(count(@answers), { 201 => 1, 200 => 59 }, 'sixty requests of one user: one claim');
is(codes(@answers), 1, '... one coupon');

@answers = $t->parallel(map { claim('fingers', 'free', key => 'k' . $_ % 3) } 1 .. 60);
is_deeply(count(@answers), { 201 => 3, 200 => 57 }, 'sixty under three keys: three');
is(codes(@answers), 3, '... three coupons');

# workers are killed while everybody claims: after each wave one, and the next wave is on its way

my @waves = map { my $wave = $_; [ map { "w$wave-$_" } 1 .. 60 ] } 1 .. 15;

pipe(my $read, my $write) or die "pipe: $!\n";
my $pid = fork // die "fork: $!\n";

if ($pid == 0) {
    close $read;
    $write->autoflush(1);

    for my $wave (@waves) {
        my @got = $t->parallel(map { claim($_, 'crash') } @$wave);

        print $write json()->encode([ map { [ $wave->[$_], $got[$_]->status,
            $got[$_]->status =~ /^20[01]$/ ? $got[$_]->json->{code} : undef ] } 0 .. $#got ]), "\n";
    }

    close $write;
    POSIX::_exit(0);
}

close $write;

my (%acknowledged, $kills);

while (my $line = <$read>) {
    for my $got (@{json()->decode($line)}) {
        my ($user, $status, $code) = @$got;
        $acknowledged{$user} = $code if defined $code;
    }

    my @workers = $t->workers or next;
    kill KILL => $workers[rand @workers];
    $kills++;
}

waitpid $pid, 0;
is($?, 0, 'the claimers have done');

cmp_ok($kills, '>', 5, "$kills workers were killed");
cmp_ok(scalar keys %acknowledged, '>', 100, scalar(keys %acknowledged) . ' were answered meanwhile');

ok($t->wait_for(sub { $t->workers == 2 && $t->get('/status')->status == 200 }), 'two workers are there');

my @users = map { @$_ } @waves;
@again = $t->parallel(map { claim($_, 'crash') } @users);

my %now = map { $users[$_] => $again[$_] } 0 .. $#users;

is(scalar(grep { $now{$_}->status == 200 && $now{$_}->json->{code} eq $acknowledged{$_} } keys %acknowledged),
   scalar keys %acknowledged, 'whoever was answered has the coupon that he was told');
is_deeply([ sort keys %{count(@again)} ], [ grep { count(@again)->{$_} } 200, 201, '409 COUPON_STOCK_EMPTY' ],
          'the others have one now, or had one, or the stock is empty');

# 900 with the one of the many fingers

is(count(@again)->{'409 COUPON_STOCK_EMPTY'}, 1, 'of 901 who asked one goes without');
is(codes(@again), 899, 'no coupon is two users\'');
is_deeply(count($t->parallel(map { claim("late$_", 'crash') } 1 .. 20)), { '409 COUPON_STOCK_EMPTY' => 20 },
          'and the stock is empty');

# nothing is left over, and the log tells of each

ok($t->wait_for(sub { my $store = store(); $store->{in_flight} == 0 && $store->{outbox} == 0 }), 'all is written');

my %told;
$told{$_->{campaign}}{$_->{serial}} = 1 for $t->events('coupon_claim');

is_deeply({ map { $_ => scalar keys %{$told{$_}} } keys %told },
          { hot => 100, groups => 60, daily => 70, crash => 900, free => 3 }, 'events');

my ($rc, $out, $err) = $t->cli(qw(store check));
is($rc, 0, 'store check') or diag "$out$err";

$t->done_testing;
