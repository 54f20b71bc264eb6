#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Codes made elsewhere: read line by line, written in pieces that survive kill -9, and then coupons like any others.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;
use Time::HiRes qw(sleep time);

my $t = Test::NgxCommerce->new;
my $T0 = 1_800_000_000;

$t->clock($T0);
$t->keys;
$ENV{TMPDIR} = $t->dir;

$t->campaign(id => 'old', discount => { fixed => 100 }, codes => 'imported');
$t->campaign(id => 'older', discount => { fixed => 50 }, codes => 'imported');
$t->campaign(id => 'own', discount => { fixed => 100 }, codes => 'imported', holder => 'required');
$t->campaign(id => 'signed', discount => { fixed => 200 }, codes => 'signed');
$t->people("id,role,status,upline,user\nclerk,clerk,active,,u-clerk\n");
my @signed = $t->coupons('signed', 3);
my $alike = $signed[0] =~ s/(.)$/$1 eq 'Z' ? 'Y' : 'Z'/er;

# (exit code, output, errors) of an import

sub imported
{
    my ($campaign, $csv, @more) = @_;
    my $file = ref $csv ? $$csv : $t->write_file('codes.csv', $csv);

    return $t->cli('coupon', 'import', $campaign, $file, @more);
}

# lines of the errors that tell about a line of the file

sub lines { return [ map { /codes\.csv:(\d+: .*)/ ? $1 : () } split /\n/, $_[0] ] }

sub shown
{
    my ($code, $what) = @_;
    my ($rc, $out) = $t->cli('coupon', 'show', $code);

    return $rc == 0 && $out =~ /^$what\s+(\S+)/m ? $1 : undef;
}

sub sound
{
    my ($name) = @_;
    my ($rc, $out, $err) = $t->cli(qw(store check));

    is($rc, 0, "$name: store check") or diag "$out$err";
}


my @pipes;

# every kind of line

{
    my $long = 'L' x 64;
    my $csv = "\xef\xbb\xbf" . join "\r\n",
        'code', 'ABCD-1234', '"EFGH 5678"', 'abcd1234', '', 'AB-', "$long", "${long}L", 'QWER,TY', 'a!bcd', 'x"y',
        '"unended', "K\xc3\xb6ln", '....', $signed[0], $alike, 'Y' x 5000, 'LAST_1';

    my ($rc, $out, $err) = imported('old', $csv, '--dry-run');
    is($rc, 1, 'dry run: some lines are not imported');
    is($out, "nothing is written, it would be: imported 6, not imported 10: 9 bad, 1 twice in the file, 0 in the store"
             . " already\n", 'dry run: summary');
    is(shown('ABCD1234', 'coupon'), undef, 'nothing is written');

    ($rc, $out, $err) = imported('old', $csv, '--rejects', $t->dir . '/rejects.csv');

    my $sign = 'has a character other than letters, digits, "_", ".", "-" and spaces';
    my @expected = (
        '6: is shorter than 4 characters', '8: is longer than 64 characters',
        '9: has 2 fields where the first line names 1 columns', "10: $sign", '11: has a quote where none may be',
        '12: has a quote where none may be', "13: $sign", '15: is a code that was signed here',
        '17: is longer than 4096 bytes', '4: has the code of line 2',
    );

    is_deeply(lines($err), \@expected, 'each line that is not imported, by number') or diag $err;
    is($rc, 1, 'exit code');
    is($out, "imported 6, not imported 10: 9 bad, 1 twice in the file, 0 in the store already\n", 'summary');

    my @rejects = split /\n/, $t->read_file('rejects.csv');
    is(shift @rejects, 'line,reason', 'rejects: columns');
    is_deeply([ map { s/^(\d+),"?(.*?)"?$/$1: $2/r =~ s/""/"/gr } @rejects ], \@expected, 'rejects: all of them');

    for my $code ('abcd 1234', 'EFGH5678', $long, '....', $alike, 'last_1') {
        is(shown($code, 'state'), 'issued', 'an imported code is a coupon');
    }

    is(shown('ABCD1235', 'state'), undef, 'another is not');
    is(shown($signed[0], 'coupon'), 'signed/0', 'a signed code is what it was');

    ($rc, $out) = imported('older', "code\nABCD1234\nNEWCODE1\n");
    is($out, "imported 1, not imported 1: 0 bad, 0 twice in the file, 1 in the store already\n", 'in another campaign');
    ($rc, $out, $err) = imported('old', "code\nabcd 1234\nNEWCODE2\n");
    is_deeply(lines($err), [ '2: has a code that is in this campaign already' ], 'in this campaign');

    ($rc, $out, $err) = imported('old', "code\n" . join '', map { "$_\n" } map { 'x' x ($_ % 4) } 101 .. 300);
    is(scalar @{lines($err)}, 20, 'twenty lines are shown');
    like($err, qr/130 more lines like these: --rejects FILE/, 'the others are counted');
    ($rc, $out, $err) = imported('old', "code\nx\ny\nz\n", '--errors', 2);
    is(scalar @{lines($err)}, 2, 'or as many as one likes');

    sound('all kinds of lines');
}


# files that are none

{
    my $before = $t->cli_ok(qw(store stat));

    for my $case (
        [ '', qr/is empty: its first line names the columns/, 'an empty file' ],
        [ "\n\n", qr/is empty/, 'blank lines' ],
        [ "ABCD1234\n", qr/first line must name the columns/, 'no header' ],
        [ "code,value\nABCD9999,1\n", qr/first line must name the columns/, 'another column' ],
        [ "code,code\nABCD9999,1\n", qr/first line must name the columns/, 'a column twice' ],
        [ "holder\nbob\n", qr/first line must name the columns/, 'no code' ],
        [ "\"code\nABCD9999\n", qr/quote where none may be/, 'a quote in the header' ],
    ) {
        my ($rc, $out, $err) = imported('old', $case->[0]);

        is($rc, 1, "$case->[2]: refused");
        like($err, $case->[1], "$case->[2]: why");
    }

    like((imported('nope', "code\nABCD9999\n"))[2], qr/there is no campaign "nope"/, 'no campaign');
    like((imported('signed', "code\nABCD9999\n"))[2], qr/are signed/, 'a campaign of signed codes');
    like(($t->cli(qw(coupon mint old 1)))[2], qr/are made elsewhere/, 'a campaign of imported ones mints none');
    like((imported('old', \'/nonexistent.csv'))[2], qr/cannot open/, 'no file');
    like((imported('old', \$t->dir))[2], qr/is a directory/, 'a directory');
    is(($t->cli(qw(coupon import old)))[0], 2, 'usage');

    my ($rc, $out, $err) = $t->cli('campaign', 'put', $t->write_file('c.json',
        '{"v":1,"id":"old","discount":{"fixed":100},"enabled":true}'));
    like($err, qr/"codes" of a campaign that has some cannot change/, 'what a campaign has stays');
    ($rc, $out, $err) = $t->cli('campaign', 'put', $t->write_file('c.json',
        '{"v":2,"id":"w","discount":{"fixed":100},"codes":"foreign","enabled":true}'));
    like($err, qr/"codes".*"signed" or "imported"/, 'another word');
    like($t->cli_ok(qw(campaign get old)), qr/"codes":"imported"/, 'campaign get');

    is($t->cli_ok(qw(store stat)), $before, 'nothing was written');
}


# killed in the middle, the same command goes on; a changed file is noticed

{
    my @codes = map { sprintf 'KILL%05d%s', $_, chr(65 + $_ % 26) } 1 .. 12_000;
    my @twice = map { lc $codes[20 * $_] } 1 .. 599;
    my $csv = "code\n" . join '', map { "$_\n" } @codes, 'once1', 'bad!', @twice;
    my $file = $t->write_file('codes.csv', $csv);

    $t->campaign(id => 'big', discount => { fixed => 100 }, codes => 'imported');

    my $count = sub { $t->cli_ok(qw(store check)) =~ /import into campaign \S+ is not finished: (\d+) of 12600/ ? $1 : -1 };
    my @counts;

    # its messages about repeated codes come in the order in which it writes: who reads 100 of 599 more and then no
    # more stops it when about a sixth more is written

    for my $run (1 .. 4) {
        my $pid = start_import($file, 100 * $run);

        kill KILL => $pid;
        waitpid $pid, 0;
        push @counts, $count->();

        next if $run > 1;

        my $changed = $t->write_file('changed.csv', $csv . "ONEMORE\n");
        my ($code, undef, $err) = imported('big', \$changed);

        is($code, 1, 'a changed file is not gone on with');
        like($err, qr/not finished: \d+ of 12600 codes of another file/, '... and why');
        sound('in the middle');
    }

    cmp_ok($counts[0], '>', 0, 'killed in the middle');
    cmp_ok($counts[$_], '>', $counts[$_ - 1], 'killed again, further on') for 1 .. $#counts;
    cmp_ok($counts[-1], '<', 12_600, '... and not done yet');

    my ($rc, $out) = imported('big', \$file);
    my ($now, $before) = $out =~ /^imported (\d+) \(and (\d+) by an earlier run\), not imported 600: 1 bad, 599 twice in/;

    cmp_ok($before // -1, '>', 0, 'the last run takes over');
    is(($now // 0) + ($before // 0), 12_001, '... and finishes');

    ($rc, $out) = imported('big', \$file);
    like($out, qr/^imported 0 \(and 12001 by an earlier run\), not imported 600: 1 bad, 599 twice in the file, 0 in/,
         'another run has nothing to do');

    my %serials;
    my $lost = 0;

    for my $code (@codes[0, 1, 5000, 11_998, 11_999], 'ONCE1') {
        my $coupon = shown($code, 'coupon');

        defined $coupon ? $serials{$coupon}++ : $lost++;
    }

    is($lost, 0, 'every code is there');
    is(scalar(CORE::keys %serials), 6, 'each is a coupon of its own');
    like($t->cli_ok(qw(campaign list)), qr/\tbig\t.*\t12600\t0$/m, 'serials were taken once');
    sound("after many deaths");

    # another file, when the first is finished; and --anew when it is not

    my ($code, $text) = imported('big', "code\nANOTHER1\n");
    is($text, "imported 1, not imported 0: 0 bad, 0 twice in the file, 0 in the store already\n", 'another file');
    is(scalar(grep { /^commerce-/ } files()), 0, 'no temporary file stays');
}

# an import that has told about so many repeated codes, and waits for somebody to read more

sub start_import
{
    my ($file, $lines) = @_;
    my $seen = 0;

    pipe my $in, my $out or die "pipe: $!\n";
    fcntl $in, 1031, 4096;          # F_SETPIPE_SZ

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        close $in;
        open STDERR, '>&', $out or POSIX::_exit(126);
        open STDOUT, '>', '/dev/null';
        $ENV{COMMERCE_KEYS} = $t->dir . '/keys.json';
        $ENV{COMMERCE_STORE} = $t->dir . '/store';
        $ENV{COMMERCE_SHOP} = 'demo';
        exec(($ENV{TEST_NGINX_MODULES} || "$Test::NgxCommerce::ROOT/build") . '/commerce',
             qw(coupon import big), $file, '--errors', 100_000) or POSIX::_exit(127);
    }

    close $out;

    while ($seen < $lines && defined(my $line = <$in>)) {
        $seen++ if $line =~ /has the code of line/;
    }

    push @pipes, $in;               # open: it waits, rather than end

    return $pid;
}

sub files { opendir my $dir, $t->dir or die; return readdir $dir }


# then they are coupons like any others

$t->storefront(8081, '--verdict-keys', $t->write_file('verdict.keys', $t->cli_ok(qw(keys export verdict))));

my $order = <<'EOC';
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payable=response:/data/pay_amount;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_redeem on=paid;
            proxy_pass http://127.0.0.1:8081;
EOC

$t->http_conf(<<"EOC")->run;
    server {
        listen          127.0.0.1:8080;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   \$http_x_user verified;

        location /api/orders { commerce_coupon_code json:/coupons max=2 imported=on;
$order
        }
        location ~ ^/store/carts/(?<cart>[^/]+)/promotions\$ {
            commerce_order key=\$cart scope=shop;
            commerce_cart apply=POST remove=DELETE coupons=response:/cart/promotions/*/code;
            commerce_coupon_code json:/promo_codes max=2 imported=on;
            commerce_coupon_redeem on=paid;
            proxy_pass http://127.0.0.1:8081;
        }
        location = /check { commerce_coupon_check code=json:/code; }
        location = /qr { commerce_coupon_qr code=json:/code; }
        location = /redeem { commerce_coupon_redeem_shop code=json:/code request=json:/request; }
    }

    server {
        listen          127.0.0.1:8082;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   \$http_x_user verified;

        location /api/orders { commerce_coupon_code json:/coupons max=2;
$order
        }
    }
EOC

my $n = 0;

sub order
{
    my ($user, $codes, %o) = @_;

    return $t->post('/api/orders', {
        client_key => $o{key} // 'k' . ++$n, items => [ { sku => 's', count => 1, price => 1000 } ], coupons => $codes,
    }, headers => { 'X-User' => $user, $o{test} ? ('X-Test' => $o{test}) : () }, port => $o{port} // 8080);
}

sub answers
{
    my ($user, $codes, $status, $name, %o) = @_;
    my $answer = order($user, $codes, %o);

    is($answer->status, $status, $name) or diag $answer->body;

    return $answer;
}

sub reason_of
{
    my ($key) = @_;
    my ($event) = grep { ($_->{order_key} // '') eq $key }
        $t->wait_events(sub { grep { $_->{type} eq 'deny' && ($_->{order_key} // '') eq $key } @_ });

    return (map { $_->{reason} } grep { ($_->{order_key} // '') eq $key } $t->events('deny'))[0];
}

{
    is(answers('a', [ 'abcd-1234' ], 200, 'an imported code, in another spelling', key => 'first')
           ->json->{data}{pay_amount}, 900, 'takes its discount');
    is(shown('ABCD1234', 'state'), 'reserved', 'reserved');
    ok($t->wait_for(sub { ($t->cli(qw(order show first --user a)))[1] =~ /"state":"placed"/ }), 'its answer is known');
    answers('a', [ 'abcd-1234' ], 200, 'a retry', key => 'first');
    like(order('a', [ 'ABCD 1234' ], key => 'first')->body, qr/this key is another order/,
         'a retry in yet another spelling reaches the backend, which thinks otherwise');
    is(order('a', [ 'EFGH5678' ], key => 'first')->code, 'ORDER_KEY_REUSED', 'the same key with another code');
    answers('b', [ 'ABCD1234' ], 422, "another's order", key => 'held');
    is(reason_of('held'), 'COUPON_HELD_BY_OTHER_ORDER', '... in the log');

    answers('a', [ 'efgh-5678' ], 500, 'a first try without an answer', key => 'lost', test => 'status500');
    ok($t->wait_for(sub { ($t->cli(qw(order show lost --user a)))[1] =~ /"state":"unknown"/ }), '... is in doubt');
    is(answers('a', [ 'efgh-5678' ], 200, 'the second one', key => 'lost')->json->{data}{pay_amount}, 900,
       'has the coupon in its verdict, too');
    $t->cli_ok('order', 'cancel', 'lost', '--user', 'a');

    answers('b', [ 'NOSUCHCODE' ], 422, 'no such code', key => 'none');
    is(reason_of('none'), 'COUPON_NOT_FOUND', '... in the log');
    answers('b', [ '!!' ], 422, 'no code at all', key => 'malformed');
    is(reason_of('malformed'), 'COUPON_MALFORMED', '... in the log');
    answers('c', [ 'EFGH5678', 'efgh-5678' ], 422, 'one code twice', key => 'twice');
    is(reason_of('twice'), 'COUPON_DUPLICATE', '... in the log');
    is(answers('c', [ 'EFGH5678', $signed[1] ], 200, 'one of each kind')->json->{data}{pay_amount}, 700, 'both count');
    is(answers('d', [ $alike ], 200, 'a code that looks like a signed one')
           ->json->{data}{pay_amount}, 900, 'is found, too');

    answers('e', [ 'LAST_1' ], 422, 'where no imported codes are taken', port => 8082, key => 'off');
    is(reason_of('off'), 'COUPON_MALFORMED', '... it is no code');
    is(answers('e', [ $signed[2] ], 200, 'signed ones are taken', port => 8082)->json->{data}{pay_amount}, 800,
       'there, too');

    my ($rc, $out) = imported('own', "holder,code\nowner,MINE0001\n\"ow,ner\",MINE0002\n,MINE0003\n");
    is($out, "imported 2, not imported 1: 1 bad, 0 twice in the file, 0 in the store already\n", 'with holders');
    is(shown('MINE0002', 'holder'), 'ow,ner', 'whose it is');
    answers('f', [ 'MINE0001' ], 422, "somebody else's", key => 'holder');
    is(reason_of('holder'), 'COUPON_HOLDER_MISMATCH', '... in the log');
    answers('owner', [ 'MINE0001' ], 200, "the holder's own");

    # in a cart

    my $cart = sub {
        my ($method, $code) = @_;

        return ($t->parallel({ method => $method, uri => '/store/carts/cart_1/promotions', user => 'k',
                               headers => { 'X-User' => 'k' },
                               body => Test::NgxCommerce::json()->encode({ promo_codes => [ $code ] }) }))[0]->status;
    };

    is($cart->('POST', 'last-_1'), 200, 'applied to a cart');
    is(shown('LAST_1', 'order'), 'cart_1', '... which has it');
    is($cart->('POST', 'last-_1'), 200, 'applied again');
    is($cart->('DELETE', 'last-_1'), 200, 'removed');
    ok($t->wait_for(sub { (shown('LAST_1', 'state') // '') eq 'issued' }), '... it is free');

    # at the counter of a shop

    my $ask = sub { my ($uri, $user, %body) = @_; $t->post($uri, \%body, headers => { 'X-User' => $user }) };

    my $answer = $ask->('/check', 'h', code => 'newcode-1');
    is($answer->status, 200, 'a check knows an imported code') or diag $answer->body;
    is($answer->json->{campaign}, 'older', '... and its campaign');
    ok(!exists $answer->json->{code}, '... but makes up no code');
    is($ask->('/check', 'h', code => 'NOSUCH99')->status, 422, 'a check of no code');

    my $qr = $ask->('/qr', 'h', code => 'newcode-1')->json->{qr};
    $answer = $ask->('/redeem', 'u-clerk', code => $qr, request => 'r1');
    is($answer->status, 200, 'redeemed by its QR token') or diag $answer->body;
    is(shown('NEWCODE1', 'state'), 'redeemed', '... it is');
    $answer = $ask->('/redeem', 'u-clerk', code => 'NEWCODE2', request => 'r2');
    is($answer->json->{campaign}, 'old', 'redeemed by its code') or diag $answer->body;
    is($ask->('/redeem', 'u-clerk', code => 'NOSUCH99', request => 'r3')->status, 422, 'no such code');

    # guessing them is stopped like any guessing

    answers('g', [ "GUESS00$_" ], 422, "guess $_") for 1 .. 5;
    answers('g', [ 'LAST_1' ], 429, 'no more of them, not even a good one');
    is(shown('LAST_1', 'state'), 'issued', '... it is untouched');

    sound('in use');
}


# a store that is restored from before an import: the file is imported again, and what was spent stays spent

{
    my $file = $t->write_file('late.csv', "code,holder\n" . join '', map { sprintf "LATE%04d,%s\n", $_, $_ % 2 ? 'l' : '' } 1 .. 1500);

    $t->campaign(id => 'late', discount => { fixed => 100 }, codes => 'imported');
    $t->cli_ok('store', 'backup', $t->dir . '/backup');
    like((imported('late', "code\nEARLY001\n"))[1], qr/^imported 1,/, 'imported after the backup');
    like((imported('late', \$file))[1], qr/^imported 1500,/, '... and more');

    answers('l', [ 'LATE0041' ], 200, 'a code with a holder is used');
    answers('l', [ 'LATE0042' ], 200, 'and one without');
    answers('l', [ 'EARLY001' ], 200, 'and one of another file');

    my @codes = ('LATE0041', 'LATE0042', 'EARLY001');
    my %before = map { $_ => shown($_, 'coupon') } @codes, 'LATE0043', 'LATE1500';

    $t->wait_events(sub { 3 == grep { $_->{type} eq 'coupon_reserve' && $_->{campaign} eq 'late' } @_ });
    $t->wait_events(sub { 2 == grep { $_->{type} eq 'mint' && $_->{file} && $_->{campaign} eq 'late' } @_ });
    $t->stop;

    my ($rc, $out, $err) = $t->cli('store', 'restore', $t->dir . '/backup', '--replay', $t->dir . '/events.jsonl');
    is($rc, 0, 'restored') or diag "$out$err";
    is(shown('LATE0042', 'state'), undef, 'the codes are not there');

    like((imported('late', \$file))[1], qr/^imported 1500,/, 'the file is imported again');
    like((imported('late', "code\nEARLY001\n"))[1], qr/^imported 1,/, 'and the other');

    is_deeply({ map { $_ => shown($_, 'coupon') } CORE::keys %before }, \%before, 'every code is the coupon that it was');
    is(shown($_, 'state'), 'reserved', "$_ is still in use") for @codes;
    is(shown('LATE0043', 'state'), 'issued', 'another is free');
    is(shown('LATE0043', 'holder'), 'l', '... and its holder\'s');
    sound('restored and imported again');
}


# codes stand nowhere but in the file

{
    my $found = '';

    for my $file ('events.jsonl', 'error.log', glob $t->dir . '/store/data.mdb') {
        my $text = uc $t->read_file($file);

        $found .= "$file: $_ " for grep { index($text, $_) >= 0 } 'ABCD1234', 'KILL00001', 'NOSUCHCODE', 'MINE0001';
    }

    is($found, '', 'neither in the logs nor in the store');
}

$t->done_testing;
