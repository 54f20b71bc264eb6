#!/usr/bin/perl

# Copyright (C) ngx_commerce authors

# The command-line tool, from outside: files in, lines out, and a real store.

###############################################################################

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;
use POSIX qw/ WNOHANG /;
use Test::More;

###############################################################################

my $tool = $ENV{COMMERCE_CLI} || dirname(abs_path($0)) . '/../build/commerce';

plan(skip_all => "no tool at $tool") if !-x $tool;

delete @ENV{qw/ COMMERCE_KEYS COMMERCE_STORE COMMERCE_SHOP COMMERCE_CLOCK /};

my $dir = tempdir('commerce-cli-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $clock = "$dir/clock";

mkdir("$dir/store", 0700) or die "mkdir: $!";
put($clock, "1793500000\n");                # 2026-11-01, early UTC

my @global = ('--keys', "$dir/keys.json", '--store', "$dir/store", '--shop', 'demo',
	'--clock', $clock);

my ($rc, $out, $err);

###############################################################################

# usage

run_tool(['--help']);
is($rc, 0, 'help');
like($out, qr/people import FILE\.csv/, 'help names the commands');

run_tool([]);
is($rc, 2, 'no command');

run_tool(['people', 'frobnicate']);
is($rc, 2, 'unknown verb');
like($err, qr/commerce people show ID/, 'unknown verb shows what there is');

run_tool(['coupon', 'mint', 'autumn']);
is($rc, 2, 'too few arguments');
like($err, qr/usage: commerce coupon mint/, 'too few arguments show the usage');

run_tool(['people', 'show', 'A'], no_shop => 1);
is($rc, 1, 'no shop');
like($err, qr/--shop/, 'no shop says what to do');

# keys

run_tool(['--keys', "$dir/none/keys.json", 'keys', 'init'], bare => 1);
is($rc, 1, 'keys init without directory');
like($err, qr/mkdir .*\Q$dir\E\/none/, 'keys init tells how to make it');

cli_ok(['keys', 'init'], qr/id space [0-9a-f-]{36}/, 'keys init');
is((stat("$dir/keys.json"))[2] & 07777, 0600, 'keyring is private');

my $keyring = get("$dir/keys.json");
my @secrets = $keyring =~ /"secret":"([^"]+)"/g;
cmp_ok(scalar @secrets, '>=', 4, 'a key for each purpose');

cli_fails(['keys', 'init'], qr/exists/, 'keys init overwrites nothing');
is(get("$dir/keys.json"), $keyring, 'keyring is untouched');

cli_ok(['keys', 'list'], qr/^share +0 +sign +2026-11-01T/m, 'keys list');
shows_no_secret();

cli_ok(['keys', 'rotate', 'share'], qr/key 1 signs/, 'keys rotate');
cli_ok(['keys', 'list'], qr/^share +0 +verify.*^share +1 +sign/ms, 'the old key verifies');
cli_fails(['keys', 'retire', 'share', '1'], qr/signs/, 'the signing key stays');
cli_fails(['keys', 'retire', 'share', '7'], qr/no share key 7/, 'retire an absent key');
cli_fails(['keys', 'retire', 'share', '-1x'], qr/no key id/, 'retire no id');
cli_fails(['keys', 'rotate', 'shares'], qr/share, coupon, verdict/, 'unknown purpose');

cli_ok(['keys', 'export', 'verdict'],
	qr/\A\{"kid":"0","key":"[A-Za-z0-9_-]{43}"\}\n\z/, 'keys export');
shows_no_secret();
cli_fails(['keys', 'export', 'share'], qr/only verdict/, 'other keys stay inside');

chmod(0644, "$dir/keys.json");
cli_fails(['group', 'put', 'G'], qr/0644/, 'a readable keyring is refused');
chmod(0600, "$dir/keys.json");

# the store is made by the first command that writes

cli_fails(['people', 'show', 'A'], qr/no store/, 'no store yet');
cli_fails(['--store', "$dir/none", 'store', 'stat'], qr/none/, 'no directory');

# people

cli_ok(['people', 'import', csv(<<'CSV')], qr/^imported 6, changed 0, unchanged 0$/, 'import');
id,role,status,upline,user
B,customer,active,A,u-b
A,koc,,,u-a
"Guide, One",guide,active,,
"quote ""Q""",customer,active,"Guide, One",

S,dealer,suspended,,
L,agency,left,,
CSV

cli_ok(['people', 'show', 'B'], qr/^upline +A\n.*^depth +2\n/ms, 'show a downline');
cli_ok(['people', 'show', 'A'], qr/^status +active\n.*^downlines +1\nuser +u-a\n/ms, 'show');
cli_ok(['people', 'show', 'quote "Q"'], qr/^upline +Guide, One$/m, 'quoted fields');
cli_fails(['people', 'show', 'Z'], qr/no person "Z"/, 'show an unknown person');
cli_ok(['people', 'import', csv("id,store\nGuide,north\n\"Guide, One\",north\n")],
	qr/imported 1, changed 1, unchanged 0/, 'whoever redeems coupons has a store');
cli_ok(['people', 'show', 'Guide, One'], qr/^store +north$/m, 'it is shown');
cli_ok(['people', 'import', csv("id,store\n\"Guide, One\",\n")], qr/changed 1/, 'or has none');
cli_ok(['people', 'show', 'Guide, One'], qr/^store +-$/m, 'as before');

cli_ok(['people', 'import', csv("\xef\xbb\xbfuser,id\r\nu-b2,B\r\nu-a,A\r\n")],
	qr/imported 0, changed 1, unchanged 1/, 'missing columns leave a person as it is');
cli_ok(['people', 'show', 'B'], qr/^upline +A\n.*^user +u-b2$/ms, 'one field changed');

cli_ok(['people', 'import', '--dry-run', csv("id\nN1\nN2\nA\n")],
	qr/would be: imported 2, changed 0, unchanged 1/, 'dry run');
cli_fails(['people', 'show', 'N1'], qr/no person/, 'dry run writes nothing');

# whatever is wrong is shown with its line, and nothing is written

my $bad = csv(<<'CSV');
id,role,status,upline,user
X1,boss,active,,
X2,koc,gone,,
X3,koc,active,Nobody,
X3,koc,active,,
X4,koc,active,,u-a
X5,koc

X6,koc,active,,u-6
X7,koc,active,,u-6
"X
8",koc,active,,
X9,koc,active,X9,
CSV

cli_fails(['people', 'import', $bad], qr/nothing was imported.* 9 errors/, 'bad file');
like($err, qr/^\Q$bad\E:2: "boss" is no role: .*guide/m, 'role');
like($err, qr/^\Q$bad\E:3: "gone" is no status: .*suspended/m, 'status');
like($err, qr/^\Q$bad\E:4: upline "Nobody"/m, 'upline');
like($err, qr/^\Q$bad\E:5: person "X3".*line 4/m, 'duplicate person');
like($err, qr/^\Q$bad\E:6: user "u-a" is person "A"/m, 'user of another person');
like($err, qr/^\Q$bad\E:7: 2 fields/m, 'fields');
like($err, qr/^\Q$bad\E:10: user "u-6".*line 9/m, 'duplicate user');
like($err, qr/^\Q$bad\E:11: .* is no id/m, 'the line where a record begins');
like($err, qr/^\Q$bad\E:13: .*back to that person/m, 'own upline');
cli_fails(['people', 'show', 'X1'], qr/no person/, 'nothing is written');
cli_fails(['people', 'show', 'X6'], qr/no person/, 'nor what was right');

my $many = csv(join("\n", 'id,role', map { "M$_,boss" } 1 .. 25) . "\n");
cli_fails(['people', 'import', $many], qr/and 5 more\n.*25 errors/s, 'many errors');
is(scalar(() = $err =~ /no role/g), 20, 'the first twenty are shown');

my $loop = csv("id,upline\nC1,C3\nC2,C1\nC3,C2\n");
cli_fails(['people', 'import', $loop], qr/^\Q$loop\E:2: .*"C1" lead back.*3 steps/m, 'loop');

my $closing = csv("id,upline\nA,B\n");
cli_fails(['people', 'import', $closing], qr/^\Q$closing\E:2: .*lead back/m,
	'loop of file and store');

my $deep = csv("id,role,upline\nD3,koc,D2\nD2,koc,D1\nD1,koc,\n");
cli_fails(['people', 'import', $deep],
	qr/^\Q$deep\E:2: person "D3" would be 3 deep, under "D2" under "D1"/m, 'too deep');

my $deeper = csv("id,upline\nD1,B\n");
cli_fails(['people', 'import', $deeper], qr/^\Q$deeper\E:2: person "D1" would be 3 deep/m,
	'too deep below the store');

my $lift = csv("id,upline\nD1,\nA,D1\n");
cli_fails(['people', 'import', $lift], qr/^\Q$lift\E:3: person "B" would be 3 deep/m,
	'a person in the store is not pushed down');

cli_ok(['people', 'import', csv("id,role,upline\nE3,koc,E2\nE2,staff,E1\nE1,koc,\n")],
	qr/imported 3/, 'the salaried are roots');
cli_ok(['people', 'import', csv("id,upline\nA,\nB,\nE1,A\n")], qr/changed 2, unchanged 1/,
	'uplines change');
cli_ok(['people', 'show', 'B'], qr/^upline +-\n/m, 'no upline any more');
cli_ok(['people', 'show', 'A'], qr/^downlines +1\n/m, 'downlines follow');

my $quote = csv("id,role\nQ1,koc\n\"Q2,koc\n");
cli_fails(['people', 'import', $quote], qr/^\Q$quote\E:3: /m, 'quote without end');

my $header = csv("id,name\nQ1,x\n");
cli_fails(['people', 'import', $header], qr/^\Q$header\E:1: there is no column "name"/m,
	'unknown column');
cli_fails(['people', 'import', csv('')], qr/empty/, 'empty file');
cli_fails(['people', 'import', "$dir/no.csv"], qr/no\.csv/, 'no file');

# more than one piece, downlines first

my $big = csv(join("\n", 'id,upline', (map { "K$_,J$_" } 1 .. 700), (map { "J$_," } 1 .. 700))
	. "\n");
cli_ok(['people', 'import', $big], qr/imported 1400, changed 0/, 'pieces');
cli_ok(['people', 'import', $big], qr/imported 0, changed 0, unchanged 1400/, 'again');
cli_ok(['people', 'show', 'K700'], qr/^upline +J700\ndepth +2\n/m, 'order of writing');

# groups and rooms

cli_ok(['group', 'put', 'G1', '--leader', 'A'], qr/^group G1: number 1, created$/, 'group');
cli_ok(['group', 'put', 'G1'], qr/unchanged/, 'group again');
cli_ok(['group', 'put', 'G2', '--leader=-'], qr/number 2, created/, 'next group');
cli_fails(['group', 'put', 'G3', '--leader', 'Z'], qr/no person "Z"/, 'unknown leader');
cli_ok(['group', 'show', 'G1'], qr/^leader +A$/m, 'group show');
cli_ok(['group', 'put', 'G1', '--leader', '-'], qr/number 1, changed/, 'no leader');
cli_ok(['room', 'put', 'R1', '--host', 'B'], qr/^room R1: number 1, created$/, 'room');
cli_ok(['room', 'show', 'R1'], qr/^host +B$/m, 'room show');
cli_fails(['room', 'show', 'G1'], qr/no room "G1"/, 'rooms are not groups');

# campaigns

my $campaign = '{"v":1,"id":"autumn","discount":{"percent":1500,"cap":5000},'
	. '"from":"2026-11-01T00:00:00+08:00","until":"2026-12-01T00:00:00+08:00",'
	. '"minimum_spend":9900,"skus":["A-1","A-2"],"limits":{"total":1000,"user":1},'
	. '"promoter":"A","enabled":true}';

cli_ok(['campaign', 'put', json($campaign)], qr/^campaign autumn: number 1, created$/, 'campaign');
cli_ok(['campaign', 'put', json($campaign)], qr/number 1, unchanged/, 'campaign again');
cli_ok(['campaign', 'get', 'autumn'], qr/"from":"2026-10-31T16:00:00Z"/, 'campaign get');
cli_ok(['campaign', 'put', json($out)], qr/number 1, unchanged/, 'what get prints, put reads');
$campaign =~ s/9900/8800/;
cli_ok(['campaign', 'put', json($campaign)], qr/number 1, replaced/, 'campaign replaced');
cli_ok(['campaign', 'put', json('{"v":1,"id":"bound","discount":{"fixed":1},"holder":"required"}')],
	qr/number 2, created/, 'next campaign');
cli_fails(['campaign', 'put', json('{"v":1,"id":"x","discount":{"fixed":1},"limit":1}')],
	qr/"limit"/, 'unknown member');
cli_fails(['campaign', 'put', json('{"v":1,"id":"x","discount":{"fixed":1},"promoter":"Z"}')],
	qr/no person "Z"/, 'unknown promoter');
cli_fails(['campaign', 'get', 'x'], qr/no campaign "x"/, 'nothing was made');

# coupons

cli_ok(['coupon', 'mint', 'autumn', '3'], qr/^code,campaign,serial,holder$/m, 'mint');
my @codes = $out =~ /^([0-9A-Z]{20}),autumn,\d+,$/mg;
is(scalar @codes, 3, 'three codes');
like($out, qr/,0,\n.*,1,\n.*,2,\n\z/, 'serials from 0');

cli_ok(['coupon', 'show', $codes[1]],
	qr/^coupon +autumn\/1\nstate +issued\n.*^reason +COUPON_OK/ms, 'show by code');
cli_ok(['coupon', 'show', lc join('-', $codes[1] =~ /..../g)], qr/^coupon +autumn\/1$/m,
	'show in fours');
cli_ok(['coupon', 'show', 'autumn/2'], qr/^coupon +autumn\/2$/m, 'show by serial');
cli_fails(['coupon', 'show', 'autumn/3'], qr/COUPON_NOT_FOUND/, 'not minted');
cli_fails(['coupon', 'show', 'nothing'], qr/COUPON_NOT_FOUND/, 'no code that anybody made');
cli_fails(['coupon', 'show', 'a!'], qr/COUPON_MALFORMED/, 'no code');

my $forged = $codes[1];
substr($forged, 15, 1) = substr($forged, 15, 1) eq '0' ? '1' : '0';
cli_fails(['coupon', 'show', $forged], qr/COUPON_BAD_SIGNATURE/, 'forged');
cli_fails(['--shop', 'other', 'coupon', 'show', $codes[1]], qr/COUPON_BAD_SIGNATURE/,
	"another shop's");

cli_ok(['coupon', 'mint', 'bound', '2', '--holder', 'u-1,x'],
	qr/^[0-9A-Z]{20},bound,0,"u-1,x"\n[0-9A-Z]{20},bound,1,"u-1,x"\n\z/m, 'mint for a holder');
cli_ok(['coupon', 'show', 'bound/1'], qr/^state +issued\nholder +u-1,x$/m, 'the holder has it');
cli_fails(['coupon', 'mint', 'bound', '2'], qr/--holder/, 'a holder is required');
is($out, '', 'nothing is printed');
cli_fails(['coupon', 'mint', 'none', '2'], qr/no campaign "none"/, 'unknown campaign');
cli_fails(['coupon', 'mint', 'autumn', $_], qr/no count/, "count $_") for qw/ 0 x 1000001 /;

cli_ok(['coupon', 'mint', 'bound', '2500', '--holder', 'u-2'], qr/,bound,2501,u-2\n\z/,
	'mint in pieces');
is(scalar(() = $out =~ /u-2$/mg), 2500, 'all codes are printed');
cli_ok(['coupon', 'list', '--user', 'u-2'], qr/^bound\/2\tissued\t\S+\tnever$/m, 'and listed');
is(scalar(() = $out =~ /^bound\//mg), 2500, 'all of them');
cli_ok(['coupon', 'list', '--user', 'u-3'], qr/^\z/, 'who has none');

put($clock, "1796054400\n");                # 2026-12-01 00:00 +08:00
cli_ok(['coupon', 'show', 'autumn/2'], qr/^reason +COUPON_EXPIRED/m, 'the first dead second');
put($clock, "1793500000\n");

cli_ok(['campaign', 'put', json($campaign)], qr/unchanged/, 'minting is not in the file');
cli_ok(['campaign', 'list'], qr/^1\tautumn\tenabled\t.*\t3\t0\n2\tbound\t.*\t2502\t0$/m,
	'campaign list');

# tokens

cli_ok(['token', 'issue', 'E3', '--group', 'G1', '--days', '10'], qr/\A[\w-]{32}\n\z/, 'issue');
my ($token) = $out =~ /(\S+)/;

cli_ok(['token', 'inspect', $token], qr/^key +1\nseller +E3 \(number \d+\)\nupline +E2 \(/m,
	'inspect');
like($out, qr/^group +G1 \(number 1\)\nexpires +2026-11-\d\dT00:00:00Z\n.*^reason +OK$/ms,
	'context and end');

put($clock, "1796054400\n");
cli_fails(['token', 'inspect', $token], qr/TOKEN_EXPIRED/, 'expired');
put($clock, "1793500000\n");

cli_fails(['--shop', 'other', 'token', 'inspect', $token], qr/TOKEN_BAD_MAC/, "another shop's");
cli_fails(['token', 'inspect', 'abc'], qr/TOKEN_MALFORMED/, 'no token');
cli_ok(['--store', "$dir/none", 'token', 'inspect', $token], qr/^seller +number \d+$/m,
	'without a store in numbers');

cli_ok(['token', 'issue', '-', '--room', 'R1', '--days', 'forever'], qr/\A[\w-]{32}\n\z/,
	'a room alone');
cli_ok(['token', 'inspect', $out =~ /(\S+)/], qr/^seller +-\n.*^room +R1 .*^expires +never$/ms,
	'it has no seller');
cli_fails(['token', 'issue', '-'], qr/--group/, 'nobody and nowhere');
cli_fails(['token', 'issue', 'Z'], qr/no person "Z"/, 'unknown seller');
cli_fails(['token', 'issue', 'S'], qr/OWNER_FROZEN/, 'suspended seller');
cli_fails(['token', 'issue', 'L'], qr/OWNER_INACTIVE/, 'seller who left');
cli_fails(['token', 'issue', 'A', '--room', 'G1'], qr/no room "G1"/, 'unknown room');

cli_ok(['keys', 'retire', 'share', '0'], qr/retired/, 'retire');
cli_ok(['token', 'inspect', $token], qr/^reason +OK$/m, 'the other key is left');
cli_ok(['keys', 'rotate', 'share'], qr/key 2 signs/, 'ids are not given out again');
cli_ok(['keys', 'retire', 'share', '1'], qr/retired/, 'retire the token\'s key');
cli_fails(['token', 'inspect', $token], qr/TOKEN_KID_UNKNOWN/, 'its tokens are dead');

# orders

cli_ok(['order', 'list', '--in-doubt'], qr/\A\z/, 'no orders');
cli_fails(['order', 'show', 'k'], qr/no order/, 'unknown key');
cli_fails(['order', 'show', 'k', '--user', 'u'], qr/no order/, 'unknown key of a user');
cli_fails(['order', 'show', '--id', '1'], qr/no order/, 'unknown id');
run_tool([@global, 'order', 'show', 'k', '--id', '1'], bare => 1);
is($rc, 2, 'key or id');

# two tools at once

my @minters = map { start(['coupon', 'mint', 'autumn', '50'], "$dir/mint$_") } 1 .. 4;
my @importers = map {
	my $n = $_;
	start(['people', 'import', csv(join("\n", 'id', map { "T$n-$_" } 1 .. 450) . "\n")],
		"$dir/import$n")
} 1 .. 3;

is(finish($_), 0, 'a tool beside others') for @minters, @importers;

my %serials;
my $lines = 0;

for my $n (1 .. 4) {
	for (get("$dir/mint$n") =~ /^\w{20},autumn,(\d+),$/mg) {
		$serials{$_}++;
		$lines++;
	}
}

is($lines, 200, 'all of them minted');
is(scalar keys %serials, 200, 'no serial twice');
is((sort { $b <=> $a } keys %serials)[0], 202, 'no serial left out');

like(get("$dir/import$_"), qr/^imported 450, changed 0/, 'all of them imported') for 1 .. 3;

my %numbers;

for my $n (1 .. 3) {
	for my $k (1, 225, 450) {
		cli_ok(['people', 'show', "T$n-$k"], qr/^number +\d+$/m, "T$n-$k is there");
		$numbers{$1}++ if $out =~ /^number +(\d+)$/m;
	}
}

is(scalar keys %numbers, 9, 'no number twice');

# the whole store

cli_ok(['store', 'check'], qr/^\d+ records, 0 violations$/, 'check');
run_tool(['--store', "$dir/store", 'store', 'check'], bare => 1);
is($rc, 0, 'check of all shops');
cli_ok(['store', 'stat'], qr/^records +\d+\n.*^shop +demo, 0 orders in doubt$/ms, 'stat');

# another keyring is another id space

run_tool(['--keys', "$dir/other.json", 'keys', 'init'], bare => 1);
is($rc, 0, 'another keyring');
run_tool(['--keys', "$dir/other.json", '--store', "$dir/store", '--shop', 'demo',
	'group', 'put', 'G9'], bare => 1);
is($rc, 1, 'another id space');
like($err, qr/id space/, 'another id space is refused');

# as root: files belong to the directory's owner, the keyring is root's

SKIP: {
	my ($uid, $gid) = (getpwnam('www-data'))[2, 3];

	skip('not root, or no www-data', 6) if $> != 0 || !defined $uid;

	# a sanitizer build cannot look for leaks in a process that changed its user

	local $ENV{ASAN_OPTIONS} = join(':', grep { defined } $ENV{ASAN_OPTIONS}, 'detect_leaks=0');

	chmod(0755, $dir);
	mkdir("$dir/theirs", 0700) or die "mkdir: $!";
	chown($uid, $gid, "$dir/theirs") or die "chown: $!";

	my @theirs = ('--store', "$dir/theirs");
	my $secret = csv("id\nA\n");
	chmod(0600, $secret);

	cli_ok([@theirs, 'people', 'import', $secret], qr/imported 1/, 'root imports');
	cli_ok([@theirs, 'campaign', 'put', json('{"v":1,"id":"r","discount":{"fixed":1}}')],
		qr/created/, 'root puts a campaign');
	cli_ok([@theirs, 'coupon', 'mint', 'r', '1'], qr/,r,0,$/m, 'root mints');

	is((stat("$dir/theirs/data.mdb"))[4], $uid, 'data belongs to the owner');
	is((stat("$dir/theirs/lock.mdb"))[4], $uid, 'lock belongs to the owner');
	is(scalar(grep { (stat($_))[4] != $uid } glob("$dir/theirs/*")), 0, 'so do all files');
}

done_testing();

###############################################################################

sub run_tool {
	my ($args, %extra) = @_;

	my @options = $extra{bare} || !@$args || $args->[0] =~ /^--help/ ? () : @global;

	if ($extra{no_shop}) {
		@options = ('--keys', "$dir/keys.json", '--store', "$dir/store");
	}

	$rc = finish(start([@$args], "$dir/out", @options));
	$out = get("$dir/out");
	$err = get("$dir/out.err");

	return $rc;
}

sub start {
	my ($args, $file, @options) = @_;

	@options = @global if @_ == 2;

	my $pid = fork();
	die "fork: $!" if !defined $pid;

	if ($pid == 0) {
		open(STDIN, '<', '/dev/null') or POSIX::_exit(127);
		open(STDOUT, '>', $file) or POSIX::_exit(127);
		open(STDERR, '>', "$file.err") or POSIX::_exit(127);
		exec($tool, @options, @$args) or POSIX::_exit(127);
	}

	return $pid;
}

sub finish {
	my ($pid) = @_;

	for (1 .. 600) {
		return $? & 127 ? 128 + ($? & 127) : $? >> 8 if waitpid($pid, WNOHANG) == $pid;
		select(undef, undef, undef, 0.05);
	}

	kill('KILL', $pid);
	waitpid($pid, 0);

	return 'hung';
}

sub cli_ok {
	my ($args, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	run_tool($args);

	is($rc, 0, "$name: succeeds") or diag($err);
	like($out, $expected, $name);
}

sub cli_fails {
	my ($args, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	run_tool($args);

	is($rc, 1, "$name: fails");
	like($err, $expected, $name);
}

sub shows_no_secret {
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	ok(!grep({ index($out . $err, $_) >= 0 } @secrets), 'no secret is shown');
}

sub csv {
	return new_file(@_, '.csv');
}

sub json {
	return new_file(@_, '.json');
}

my $files;

sub new_file {
	my ($text, $suffix) = @_;
	my $path = "$dir/file" . ++$files . $suffix;

	put($path, $text);

	return $path;
}

sub put {
	my ($path, $text) = @_;

	open(my $fh, '>:raw', $path) or die "$path: $!";
	print {$fh} $text;
	close($fh) or die "$path: $!";
}

sub get {
	my ($path) = @_;

	open(my $fh, '<:raw', $path) or return '';
	local $/;
	my $text = <$fh>;
	close($fh);

	return defined $text ? $text : '';
}

###############################################################################
