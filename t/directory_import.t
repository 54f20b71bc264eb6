#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# commerce directory import: JSON lines of every kind, judged as a whole; what export wrote comes back as it was.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use POSIX ();
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new(shuffle => 1);

sub export { return $t->cli_ok('directory', 'export', @_) }

sub import_ok
{
    my ($text, @options) = @_;

    return $t->cli_ok('directory', 'import', $t->write_file('in.jsonl', $text), @options);
}

# every sentence of a refusal without the file's name

sub refused
{
    my ($text, @options) = @_;
    my $before = export();
    my ($code, $output, $error) = $t->cli('directory', 'import', $t->write_file('in.jsonl', $text), @options);

    is($code, 1, 'refused');
    is($output, '', '... nothing on standard output');
    is(export(), $before, '... nothing is written');

    $error =~ s{^\S*/in\.jsonl:}{}gm;

    return $error =~ s{\S*/in\.jsonl}{IN}r;
}

sub commits { return ($t->cli_ok(qw(store stat)) =~ /^commits\s+(\d+)/m)[0] }

$t->clock(1_800_000_000);
$t->keys;

# whoever is named may come later; of every kind

my $first = <<'JSON';
{"kind":"channel","id":"poster","seller":"anna","group":"g1","field":"offline","origin":"private","platform":"wecom"}
{"kind":"group","id":"g1","leader":"anna","store":"s1"}
{"kind":"person","id":"anna","upline":"rosa","user":"u-anna","identities":["spread:77","wx-anna"],"store":"s1"}

{"kind":"room","id":"live1","host":"lina","schedule":[{"start":"2027-02-01T20:00:00+08:00","end":"2027-02-01T22:00:00+08:00","host":"anna"}]}
{"kind":"person","id":"ida","role":"guide","status":"left","since":"2026-10-01T00:00:00Z","successor":"ivo"}
{"kind":"person","id":"ivo","role":"guide","status":"left","since":"2026-11-01T00:00:00Z","successor":"lina","transfer":"accepted"}
{"kind":"person","id":"ilse","upline":"ida"}
{"kind":"person","id":"lina","role":"guide"}
{"kind":"landing","id":"autumn","path":"/pages/autumn"}
{"kind":"person","id":"rosa","role":"koc","user":"u-rosa"}
{"kind":"retail_store","id":"s1","name":"Nanjing Road","closed":true}
JSON

my $all = <<'JSON';
{"kind":"retail_store","id":"s1","name":"Nanjing Road","closed":true}
{"kind":"person","id":"anna","role":"customer","status":"active","upline":"rosa","user":"u-anna","identities":["spread:77","wx-anna"],"store":"s1"}
{"kind":"person","id":"ida","role":"guide","status":"left","since":"2026-10-01T00:00:00Z","successor":"ivo"}
{"kind":"person","id":"ilse","role":"customer","status":"active","upline":"ida"}
{"kind":"person","id":"ivo","role":"guide","status":"left","since":"2026-11-01T00:00:00Z","successor":"lina","transfer":"accepted"}
{"kind":"person","id":"lina","role":"guide","status":"active"}
{"kind":"person","id":"rosa","role":"koc","status":"active","user":"u-rosa"}
{"kind":"group","id":"g1","leader":"anna","store":"s1"}
{"kind":"room","id":"live1","host":"lina","schedule":[{"start":"2027-02-01T12:00:00Z","end":"2027-02-01T14:00:00Z","host":"anna"}]}
{"kind":"channel","id":"poster","seller":"anna","group":"g1","field":"offline","origin":"private","platform":"wecom"}
{"kind":"landing","id":"autumn","path":"/pages/autumn"}
JSON

is(import_ok($first), "imported 11, changed 0, unchanged 0\n", 'every kind, in any order');
is(export(), $all, '... as it was said');
$t->cli_ok(qw(store check));

# what export writes changes nothing, here, and is the same in another store

my $commits = commits();

is(import_ok($all), "imported 0, changed 0, unchanged 11\n", 'its own export');
is(commits(), $commits, '... nothing is written');

is($t->cli_ok('--shop', 'other', 'directory', 'import', $t->write_file('all.jsonl', $all)),
   "imported 11, changed 0, unchanged 0\n", 'into an empty shop');
is($t->cli_ok('--shop', 'other', 'directory', 'export'), $all, '... the same bytes');
is($t->cli_ok('directory', 'import', '-', { stdin => "\xef\xbb\xbf$all" }), "imported 0, changed 0, unchanged 11\n",
   'from standard input, with a byte order mark');

# a dry run and a diff

my $second = <<'JSON';
{"kind":"person","id":"anna","role":"koc","upline":"rosa","user":"u-anna2","store":"s1"}
{"kind":"person","id":"new","upline":"lina"}
{"kind":"group","id":"g1","store":"s2","leader":"anna"}
{"kind":"group","id":"g\"2"}
{"kind":"room","id":"live1","host":"lina"}
{"kind":"retail_store","id":"s1","name":"Nanjing Road"}
{"kind":"landing","id":"autumn","path":"/pages/autumn"}
JSON

my $file = $t->write_file('second.jsonl', $second);
my ($code, $diff) = $t->cli('directory', 'import', $file, '--diff');

is($code, 3, 'a diff that finds something');
is($diff, <<'DIFF', '... member by member');
~ person "anna"
    ~ "role":"customer" -> "koc"
    ~ "user":"u-anna" -> "u-anna2"
    - "identities":["spread:77","wx-anna"]
+ {"kind":"person","id":"new","role":"customer","status":"active","upline":"lina"}
~ retail_store "s1"
    ~ "closed":true -> false
+ {"kind":"group","id":"g\"2"}
~ group "g1"
    ~ "store":"s1" -> "s2"
~ room "live1"
    - "schedule":[{"start":"2027-02-01T12:00:00Z","end":"2027-02-01T14:00:00Z","host":"anna"}]
nothing is written, it would be: imported 2, changed 4, unchanged 1
DIFF

is($t->cli_ok('directory', 'import', $file, '--dry-run'),
   "nothing is written, it would be: imported 2, changed 4, unchanged 1\n", 'a dry run');
is(export(), $all, '... wrote nothing');
is($t->cli_ok('directory', 'import', $file), "imported 2, changed 4, unchanged 1\n", 'what it foretold');
is($t->cli_ok('directory', 'import', $file, '--diff'),
   "nothing is written, it would be: imported 0, changed 0, unchanged 7\n", 'then there is no difference');
is(import_ok($all), "imported 0, changed 4, unchanged 7\n", 'and back');
is(export('--kind', 'room') . export('--kind', 'group'), <<'JSON', 'who is not in the file stays');
{"kind":"room","id":"live1","host":"lina","schedule":[{"start":"2027-02-01T12:00:00Z","end":"2027-02-01T14:00:00Z","host":"anna"}]}
{"kind":"group","id":"g\"2"}
{"kind":"group","id":"g1","leader":"anna","store":"s1"}
JSON

# everything that is wrong, by line, and none of it is written

is(refused(<<'JSON'), <<'TEXT', 'all errors');
{"kind":"person","id":"x1","upline":"nobody"}
{"kind":"person","id":"x2","role":"king","user":""}
{"kind":"persona","id":"x3"}
not JSON
{"kind":"person","id":"x1"}
{"kind":"person","id":"x4","user":"u-rosa"}
{"kind":"person","id":"x5","user":"u-x","identities":["a"]}
{"kind":"person","id":"x6","user":"u-x"}
{"kind":"person","id":"x7","identities":["a"]}
{"kind":"person","id":"x8","upline":"x2","successor":"x8"}
{"kind":"group","id":"h1","leader":"who"}
{"kind":"group","id":"h1"}
{"kind":"room","id":"r1","host":"anna","schedule":[{"start":"2027-02-01T12:00:00Z","end":"2027-02-01T14:00:00Z","host":"none"}]}
{"kind":"channel","id":"c1","group":"h1"}
{"kind":"channel","id":"c2","group":"h9"}
{"kind":"landing","id":"l1","path":1}
{"kind":"landing","id":"l1","extra":1}
JSON
2: member "role" is "king"; allowed is employee, guide, clerk, staff, customer, koc, leader, agency or dealer
2: member "user" is ""; allowed is a string of 1 to 128 bytes without control characters
3: member "kind" is "persona"; allowed is "retail_store", "person", "group", "room", "channel" or "landing"
4: the record is not valid JSON
16: member "path" is 1; allowed is a string of 1 to 128 bytes without control characters
17: member "extra" is unknown; a misspelt rule must not become no rule
5: person "x1" stands on line 1 already: keep one
8: user "u-x" is person "x5" on line 7: one user is one person
1: upline "nobody" of person "x1" is neither in the file nor in the store
6: user "u-rosa" is person "rosa" in the store: give that person another user first, in an import of its own
10: person "x8" succeeds himself
9: name "a" is person "x5": one name is one person
12: group "h1" stands on line 11 already: keep one
17: landing "l1" stands on line 16 already: keep one
11: leader "who" of group "h1" is neither in the file nor in the store
13: schedule/0/host "none" of room "r1" is neither in the file nor in the store
15: group "h9" of channel "c2" is neither in the file nor in the store
commerce: nothing was imported, IN has 17 errors: correct and import again
TEXT

# trees

sub chain
{
    my ($n, $first) = @_;

    return join '', map { qq({"kind":"person","id":"k$_") . ($_ > 1 ? ',"upline":"k' . ($_ - 1) . '"' : $first // '')
                          . "}\n" } reverse 1 .. $n;
}

like(refused(chain(51)), qr/^1: person "k51" would be 51 deep, under "k50" under "k49": 2 are allowed\n.*and 29 more/ms,
     'a chain of 51');
like(refused(chain(51), '--errors', 3), qr/and 46 more/, '... with three of its errors');
like(refused(chain(3, ',"role":"clerk"')), qr/^1: person "k3" would be 3 deep/m, 'the salaried are roots, and no more');
like(refused(chain(4, ',"upline":"k4"')), qr/^1: the uplines of person "k4" lead back to that person after 4 steps/m,
     'a loop');
like(refused(qq({"kind":"person","id":"rosa","upline":"anna"}\n)), qr/^1: the uplines of person "rosa" lead back/m,
     'a loop through the store');
like(refused(qq({"kind":"person","id":"rosa","role":"koc","user":"u-rosa","upline":"lina"}\n)),
     qr/^1: person "anna" would be 3 deep/m, 'somebody is pushed down');
like(refused(chain(65), '--tiers', 'pay'), qr/^1: person "k65" would be 65 deep.* 64 are allowed/m, 'deeper than any walk');
is(import_ok(chain(51), '--tiers', 'pay'), "imported 51, changed 0, unchanged 0\n", 'where trees may be deep');
is(import_ok(qq({"kind":"person","id":"k1","user":"u-k1"}\n)), "imported 0, changed 1, unchanged 0\n",
   'who was deep before is nobody\'s fault');
like(refused(qq({"kind":"person","id":"k1","role":"koc","upline":"rosa"}\n)), qr/^1: person "k2" would be 3 deep/m,
     '... unless somebody above is moved');

my $csv = $t->write_file('deep.csv', "id,upline\nv3,v2\nv2,v1\nv1,\n");

isnt(($t->cli('people', 'import', $csv))[0], 0, 'a tree of three as CSV');
is($t->cli_ok('people', 'import', $csv, '--tiers', 'pay'), "imported 3, changed 0, unchanged 0\n", '... where it may be');

# a leaver's successor may be new, and stand below him

is(import_ok(<<'JSON'), "imported 2, changed 1, unchanged 0\n", 'a downline who is new succeeds the leaver');
{"kind":"person","id":"heir","role":"koc","upline":"rosa"}
{"kind":"person","id":"rosa","role":"dealer","status":"left","user":"u-rosa","successor":"heir"}
{"kind":"person","id":"old","status":"left","successor":"heir"}
JSON

like($t->cli_ok(qw(people show rosa)), qr/^status    left\n.*^since     2027-01-15T08:00:00Z\nsuccessor heir, pending/ms,
     '... since now');
$t->cli_ok(qw(store check));

# broken files

my $before = export();

like(refused(substr $all, 0, length($all) - 20), qr/^11: the record is not valid JSON/m, 'a file that was cut off');
like(refused("$all\0\n"), qr/^12: the record is not valid JSON/m, 'a zero byte');
like(refused('x' x 70_000), qr/^1: the line is longer than 65536 bytes/m, 'a long line');
like(refused(qq({"kind":"person","id":"\xff"}\n)), qr/^1: /, 'no UTF-8');
like(refused("\n\r\n"), qr/the file is empty/, 'an empty file');
like(refused('{"kind":"person","kind":"group","id":"a"}'), qr/^1: member "kind" stands there twice/, 'a member twice');

sub fails
{
    my ($re, $name, @arguments) = @_;
    my ($exit, $output, $error) = $t->cli('directory', 'import', @arguments);

    isnt($exit, 0, $name);
    like($error, $re, "$name: said");
}

fails(qr/cannot open/, 'no file', $t->dir . '/none.jsonl');
fails(qr/is a directory/, 'a directory', $t->dir);
fails(qr/--tiers takes strict or pay, as commerce_tiers, not "deep"/, 'tiers', '--tiers', 'deep', $file);
fails(qr/--errors takes a number/, 'errors', '--errors', '0', $file);
fails(qr/usage: commerce directory import FILE\.jsonl/, 'no argument');

# killed in the middle, it goes on; progress where it is asked for

my $n = 8_000;
my $many = join '', (map { qq({"kind":"person","id":"p$_") . ($_ % 2 ? '' : ',"upline":"p' . ($_ - 1) . '"') . "}\n" } 1 .. $n),
    map { qq({"kind":"group","id":"q$_","leader":"p$_"}\n) } 1 .. $n;

my $path = $t->write_file('many.jsonl', $many);
my $there = sub { return scalar(() = export() =~ /"id":"[pq]\d/g) };
my $pid = fork // die "fork: $!\n";

if ($pid == 0) {
    @ENV{qw(COMMERCE_KEYS COMMERCE_STORE COMMERCE_SHOP)} = ("$t->{dir}/keys.json", "$t->{dir}/store", 'demo');
    open STDOUT, '>', '/dev/null' or POSIX::_exit(126);
    exec("$t->{modules}/commerce", 'directory', 'import', $path) or POSIX::_exit(127);
}

$t->wait_for(sub { $there->() > 0 });
kill KILL => $pid;
waitpid $pid, 0;
is($? & 127, 9, 'killed before it had ended');

my $written = $there->();
cmp_ok($written, '<', 2 * $n, 'not all are written');
$t->cli_ok(qw(store check));

my ($exit, $output, $error) = $t->cli('directory', 'import', $path, '--progress');

is($output, sprintf("imported %d, changed 0, unchanged %d\n", 2 * $n - $written, $written), 'it goes on');
like($error, qr/^writing: 100 %, 16000 of 16000 records/m, '... and tells how far it is');
is($there->(), 2 * $n, 'all are there');

$t->cli_ok(qw(store check));
done_testing();
