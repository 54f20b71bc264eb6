#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# The directory as JSON lines: commerce directory export; an import of persons that was killed goes on.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use JSON::PP;
use POSIX ();
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new(shuffle => 1);

sub export { return $t->cli_ok('directory', 'export', @_) }

# what the sentences of a failure are

sub refused
{
    my ($code, $output, $error) = $t->cli(@_);

    isnt($code, 0, "refused: @_");
    is($output, '', '... nothing on standard output');

    return $error;
}

$t->clock(1_800_000_000);
$t->keys;

like(refused(qw(directory export)), qr/there is no store/i, 'no store yet');

$t->people(<<'CSV');
id,role,status,upline,user,store,since,successor,transfer,identities
rosa,koc,active,,u-rosa,,,,,
anna,customer,active,rosa,u-anna,s1,,,,spread:77 wx-anna
lina,guide,active,,,,,,,
"quote""d",dealer,active,,,,,,,
ida,guide,left,,,,2026-10-01T00:00:00Z,lina,refused,
CSV

$t->cli_ok(qw(group put g2));
$t->cli_ok(qw(group put g1 --leader rosa));
$t->cli_ok(qw(room put live1 --host lina));
$t->cli_ok('room', 'schedule', 'live1', $t->write_file('shifts.csv',
    "start,end,host\n2027-02-01T20:00:00+08:00,2027-02-01T22:00:00+08:00,anna\n"));
$t->cli_ok(qw(channel put poster --seller anna --group g1 --field offline --origin private --platform wecom));

my $all = <<'JSON';
{"kind":"person","id":"anna","role":"customer","status":"active","upline":"rosa","user":"u-anna","identities":["spread:77","wx-anna"],"store":"s1"}
{"kind":"person","id":"ida","role":"guide","status":"left","since":"2026-10-01T00:00:00Z","successor":"lina","transfer":"refused"}
{"kind":"person","id":"lina","role":"guide","status":"active"}
{"kind":"person","id":"quote\"d","role":"dealer","status":"active"}
{"kind":"person","id":"rosa","role":"koc","status":"active","user":"u-rosa"}
{"kind":"group","id":"g1","leader":"rosa"}
{"kind":"group","id":"g2"}
{"kind":"room","id":"live1","host":"lina","schedule":[{"start":"2027-02-01T12:00:00Z","end":"2027-02-01T14:00:00Z","host":"anna"}]}
{"kind":"channel","id":"poster","seller":"anna","group":"g1","field":"offline","origin":"private","platform":"wecom"}
JSON

is(export(), $all, 'everything, by kind and id');
is(export('--kind', 'group'), join('', grep { /"kind":"group"/ } $all =~ /(.*\n)/g), 'one kind');
is(export('--kind', 'landing'), '', 'a kind without records');

is_deeply([ grep { /number/ } keys %{decode_json((split /\n/, $all)[0])} ], [], 'no numbers');

like(refused(qw(directory export --kind people)), qr/"people" is no kind: it is one of retail_store, person/, 'no kind');
like(refused(qw(directory export all)), qr/usage: commerce directory export \[--kind KIND\]/, 'no argument');

# the places' own commands

is($t->cli_ok(qw(landing put autumn --path /pages/autumn)), "landing autumn: number 1, created\n", 'a landing');
is($t->cli_ok(qw(landing put autumn)), "landing autumn: number 1, unchanged\n", '... stays as it is');
is($t->cli_ok(qw(landing show autumn)), "landing   autumn\nnumber    1\npath      /pages/autumn\n", '... shown');
is($t->cli_ok(qw(landing put autumn --path -)), "landing autumn: number 1, changed\n", '... without its path');
is($t->cli_ok(qw(retail_store put s1 --closed --name), 'Nanjing Road'), "retail_store s1: created\n", 'a retail store');
is($t->cli_ok(qw(retail_store put s1 --open)), "retail_store s1: changed\n", '... is open');
is($t->cli_ok(qw(retail_store show s1)), "retail_store  s1\nname          Nanjing Road\nstate         open\n", '... shown');
is($t->cli_ok(qw(group put g2 --store s1)), "group g2: number 1, changed\n", 'a group in a store');
is($t->cli_ok(qw(group show g2)), "group     g2\nnumber    1\nleader    -\nstore     s1\n", '... shown');
$t->cli_ok(qw(group put g2 --store -));
is($t->cli_ok(qw(room show live1)), <<'TEXT', 'a room with its schedule');
room      live1
number    1
host      lina
shift     2027-02-01T12:00:00Z 2027-02-01T14:00:00Z anna
TEXT

is(export('--kind', 'landing') . export('--kind', 'retail_store'), <<'JSON', 'they are exported');
{"kind":"landing","id":"autumn"}
{"kind":"retail_store","id":"s1","name":"Nanjing Road","closed":false}
JSON

like(refused(qw(landing show none)), qr/there is no landing "none" in shop "demo": make it with "commerce landing put"/,
     'no landing');
like(refused(qw(landing put a --closed)), qr/usage: commerce landing put ID \[--path PATH\|-\]/, 'a landing is not closed');
like(refused(qw(retail_store put s2 --open --closed)), qr/usage: commerce retail_store put/, 'open or closed');
like(refused('landing', 'put', 'a', '--path', "a\nb"), qr/is no path/, 'no path');
like(refused(qw(room put live1 --store s1)), qr/usage: commerce room put/, 'a room is in no store');

# another shop has its own

is($t->cli_ok('--shop', 'other', 'directory', 'export'), '', 'nothing of this shop in another');

# more than one view's worth

my $many = 10_500;

$t->people("id,role\n" . join '', map { sprintf "p%05d,guide\n", $_ } 1 .. $many);

my @lines = split /\n/, export('--kind', 'person');

is(scalar @lines, $many + 5, 'many persons');

my %seen;
is(scalar(grep { $seen{decode_json($_)->{id}}++ } @lines), 0, 'each once');

# killed in the middle of its pieces, an import goes on

my $rows = 20_000;
my $file = $t->write_file('more.csv', "id,role,upline\n"
                          . join '', map { sprintf "q%05d,customer,%s\n", $_, $_ % 2 ? '' : sprintf 'q%05d', $_ - 1 }
                                     1 .. $rows);

my $there = sub { return scalar(() = export('--kind', 'person') =~ /"id":"q\d/g) };
my $pid = fork // die "fork: $!\n";

if ($pid == 0) {
    @ENV{qw(COMMERCE_KEYS COMMERCE_STORE COMMERCE_SHOP)} = ("$t->{dir}/keys.json", "$t->{dir}/store", 'demo');
    open STDOUT, '>', '/dev/null' or POSIX::_exit(126);
    exec("$t->{modules}/commerce", 'people', 'import', $file) or POSIX::_exit(127);
}

my $written = 0;

for (1 .. 200) {
    last if ($written = $there->()) > 0;
    select undef, undef, undef, 0.01;
}

kill KILL => $pid;
waitpid $pid, 0;
is($? & 127, 9, 'killed before it had ended');

$written = $there->();
cmp_ok($written, '>', 0, 'some are written');
cmp_ok($written, '<', $rows, '... and not all');
$t->cli_ok(qw(store check));

is($t->cli_ok('people', 'import', $file), sprintf("imported %d, changed 0, unchanged %d\n", $rows - $written, $written),
   'the same command writes the others');
is($there->(), $rows, 'all are there');

$t->cli_ok(qw(store check));
$t->done_testing;
