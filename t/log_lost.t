#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# A worker is killed with page views in its memory: the log tells how many, once, and they are no gap that nobody can
# explain.  (Lines that found no room: t/disk_full.t.)

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new;
my $dir = $t->dir;

$t->expect_log(qr/worker process \d+ exited on signal 9/);

# lines stay in memory, unless somebody makes them be written

(my $conf = $t->expand(<<'EOC')) =~ s/flush=100ms/flush=1m/;
%%TEST_GLOBALS%%
worker_processes 1;
events { }
http {
    %%TEST_GLOBALS_HTTP%%
    %%COMMERCE%%

    server {
        listen        127.0.0.1:8080;
        commerce_shop demo;
        commerce_user $http_x_user verified;
        commerce      enforce;

        location / { proxy_pass http://127.0.0.1:8081; }
        location = /status { commerce off; commerce_status; }
    }
}
EOC

$t->keys;
$t->storefront(8081);
$t->conf($conf)->run;

my ($first) = $t->wait_events('config');
is(status()->{log}{written}, 1, 'its start is written at once');

# killed

views(7);
is(scalar $t->events('visit'), 0, 'seven views are in memory');
successor();

my @lost = $t->wait_events('lost');
is(scalar @lost, 1, 'the log tells of them');
is_deeply([ @{$lost[0]}{qw(writer_epoch writer_worker lines reason)} ], [ @$first{qw(epoch worker)}, 7, 'killed' ],
          'whose they were, how many, and why');
is(status()->{log}{dropped}, 7, 'the status counts them');

# killed with nothing in memory; and asked to leave

successor();
ok($t->reload(wait => 1), 'a reload');
is(scalar $t->events('lost'), 1, 'nothing was lost then');

views(3);
$t->stop;
is(scalar $t->events('visit'), 3, 'nor by an end in order');

# what is said to be lost is no gap; what is taken away is one

my @lines = split /^/, $t->read_file('events.jsonl');
my ($visit) = grep { $lines[$_] =~ /"type":"visit"/ } 0 .. $#lines;
my @rest = @lines;
my ($taken) = splice @rest, $visit, 1;

like(check(@lines), qr/ 0 missing.*7 lines that were lost/s, 'lost lines are told of, and no gap');
like(check(@rest), qr/1 of the lines \d+ to \d+ are missing.* 1 missing/s, 'a line that was taken away is one');

my ($epoch, $worker) = $taken =~ /"epoch":(\d+),"worker":(\d+)/;
s/"writer_epoch":\d+,"writer_worker":\d+,"lines":7/"writer_epoch":$epoch,"writer_worker":$worker,"lines":1/ for @rest;

like(check(@rest), qr/ 0 missing.*1 lines that were lost/s, '... unless the log tells of it');

$t->done_testing;


sub status { return $t->get('/status')->json }


sub views
{
    my ($count) = @_;

    is(scalar(grep { $_->status == 200 } map { $t->get("/goods/$_", headers => { 'X-User' => 'u' }) } 1 .. $count), $count,
       "$count views");
    status();                   # when the worker answers this, it has made the line of the last view
}


# a worker is killed, and the master starts another

sub successor
{
    my ($worker) = $t->workers;

    kill KILL => $worker;
    ok($t->wait_for(sub { my @now = $t->workers; @now == 1 && $now[0] != $worker && $t->events('config') > 1 }),
       'killed, and another one starts');
}


sub check
{
    my @file = @_;

    $t->write_file('given.jsonl', join '', @file);
    my (undef, $out, $err) = $t->cli('store', 'check', '--log', "$dir/given.jsonl");

    return "$out$err";
}
