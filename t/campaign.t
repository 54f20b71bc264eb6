#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Campaign files: what put takes, get gives back, the schema admits, lint and diff say.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce qw(json);
use Test::NgxCommerce::Schema qw(invalid);

my $t = Test::NgxCommerce->new;
my $schema = json->decode($t->read_file("$Test::NgxCommerce::ROOT/t/campaign.schema.json"));

$t->clock(1_800_000_000);       # 2027-01-15T16:00:00+08:00
$t->keys;
$t->people("id,role,status,upline,user\nrosa,koc,active,,u-rosa\n");

my $n = 0;

sub file { return $t->write_file('file' . ++$n . '.json', $_[0]) }

sub members { return '{"v":2,"id":"a",' . $_[0] . '}' }

# the tool's exit code and all that it said

sub tool
{
    my ($code, $out, $err) = $t->cli(@_);

    return ($code, $out . $err);
}

my $fixed = '"discount":{"fixed":100}';

my @good = (
    '{"v":1,"id":"a","discount":{"fixed":1000}}',
    '{"v":1,"id":"a","discount":{"percent":1500,"cap":5000},"from":"2026-11-01T00:00:00+08:00",'
        . '"until":"2026-12-01T00:00:00Z","minimum_spend":0,"skus":["x"],"limits":{"total":1,"user":1},'
        . '"promoter":"rosa","holder":"required","enabled":false}',
    members('"discount":{"thresholds":[{"minimum":100,"off":10},{"minimum":200,"off":30}]}'),
    members('"discount":{"every":{"minimum":100,"off":10}}'),
    members('"discount":{"every":{"minimum":100,"off":10},"cap":20}'),
    members("$fixed," . '"zone":"Asia/Shanghai","from":"2026-11-01","until":"2026-11-11"'),
    members("$fixed," . '"zone":"-03:30","hours":[{"days":["mon"],"from":"08:00","until":"24:00"},{"days":["sun"]}]'),
    members("$fixed," . '"minimum_quantity":2,"categories":["c"],"stores":["s"],"channels":["7"],"rooms":["r"],'
            . '"groups":["g"],"sellers":["rosa"],"levels":["gold"],"new_customers":true'),
    members("$fixed," . '"zone":"UTC","limits":{"total":1,"user":2,"day":3,"user_day":4,"group":5,"seller":6},'
            . '"budgets":{"total":1,"user":2,"day":3,"user_day":4,"group":5,"seller":6}'),
    members("$fixed," . '"stacking":{"class":"exclusive"}'),
    members("$fixed," . '"stacking":{"class":"red","base":"initial","limit":8}'),
    members("$fixed," . '"stacking":{"class":"stackable","base":"remaining"}'),
    members("$fixed," . '"claim":{"stock":5,"user":1,"from":"2026-11-01T00:00:00Z","valid_for":"7d"},'
            . '"redeem":{"qr":"required"}'),
    members("$fixed," . '"codes":"signed"'),
);

my @bad = (
    '{}', '[]', '{"v":3,"id":"a","discount":{"fixed":1}}', '{"v":1,"id":"","discount":{"fixed":1}}',
    '{"v":1,"id":"a","discount":{}}', '{"v":1,"id":"a","discount":{"fixed":0}}',
    '{"v":1,"id":"a","discount":{"fixed":1,"percent":1}}', '{"v":1,"id":"a","discount":{"fixed":1,"cap":1}}',
    '{"v":1,"id":"a","discount":{"percent":10001}}', '{"v":1,"id":"a","discount":{"every":{"minimum":1,"off":1}}}',
    (map { qq({"v":1,"id":"a",$fixed,$_}) } '"zone":"UTC"', '"limits":{"day":1}', '"from":"2026-11-01"',
        '"budgets":{}', '"stacking":{}', '"claim":{"stock":1}', '"new_customers":true', '"limit":1',
        '"minimum_spend":-1', '"minimum_spend":1.5', '"skus":[]', '"skus":[7]', '"holder":"yes"', '"enabled":"true"'),
    (map { members("$fixed,$_") } '"zone":""', '"zone":"UTC","hours":[]', '"zone":"UTC","hours":[{"days":["Mon"]}]',
        '"zone":"UTC","hours":[{"from":"24:01"}]', '"zone":"UTC","hours":[{"from":"8:00"}]',
        '"minimum_quantity":0', '"channels":["x"]', '"channels":[7]', '"limits":{"room":1}', '"limits":{"total":0}',
        '"budgets":{"total":"1"}', '"stacking":{"base":"all"}', '"stacking":{"limit":9}', '"stacking":"exclusive"',
        '"claim":{}', '"claim":{"stock":1,"valid_for":"7"}', '"redeem":{}', '"codes":"others"',
        '"skus":' . json->encode([ map { "s$_" } 1 .. 257 ])),
    members('"discount":{"thresholds":[]}'), members('"discount":{"thresholds":[{"minimum":1}]}'),
    members('"discount":{"every":{"minimum":0,"off":1}}'),
    members('"discount":{"thresholds":[{"minimum":2,"off":1}],"cap":1}'),
);

# what no schema can tell

my @unlucky = (
    members("$fixed," . '"from":"2026-11-01"'),
    members("$fixed," . '"hours":[{"days":["mon"]}]'),
    members("$fixed," . '"limits":{"user_day":1}'),
    members("$fixed," . '"zone":"UTC","from":"2026-11-02","until":"2026-11-01"'),
    members("$fixed," . '"zone":"UTC","from":"2026-02-30"'),
    members("$fixed," . '"zone":"UTC","hours":[{"from":"22:00","until":"02:00"}]'),
    members("$fixed," . '"zone":"Mars/Base"'),
    members("$fixed," . '"codes":"imported","claim":{"stock":1}'),
    members('"discount":{"thresholds":[{"minimum":2,"off":2},{"minimum":3,"off":2}]}'),
    qq({"v":1,"id":"a",$fixed,"enabled":true,"enabled":true}),
);

for my $good (@good) {
    is(invalid($schema, json->decode($good)), undef, "the schema admits $good");

    my ($code, $said) = tool('campaign', 'put', file($good));

    is($code, 0, '... and so does put') or diag $said;

    my $got = $t->cli_ok('campaign', 'get', 'a');

    is(invalid($schema, json->decode($got)), undef, '... and the schema what get prints');
    like($t->cli_ok('campaign', 'put', file($got)), qr/unchanged/, '... and put, as what it was');

    ($code, $said) = tool('campaign', 'diff', file($good));
    is("$code$said", '0', '... and diff finds nothing');
    isnt((tool('campaign', 'lint', file($good)))[0], 1, '... and nothing is wrong about it');
}

for my $bad (@bad, @unlucky) {
    my ($code, $said) = tool('campaign', 'lint', file($bad));

    is($code, 1, "lint refuses $bad") or diag $said;
    like($said, qr/file\d+\.json: \S/, '... and says why');
    is((tool('campaign', 'put', file($bad)))[0], 1, '... and so does put');
}

ok(defined invalid($schema, json->decode($_)), "the schema does not admit $_") for @bad;
is(invalid($schema, json->decode($_)), undef, "the schema cannot tell $_") for @unlucky;

# every mistake is told at once

{
    my ($code, $said) = tool('campaign', 'lint', file(members('"discount":{"fixed":0},"limit":1,"zone":"X/Y"')));

    is($code, 1, 'three mistakes');
    like($said, qr{"discount/fixed" is 0.*"limit" is unknown.*"zone" is "X/Y"}s, 'are all told');
}

# lint: 0 nothing to say, 1 wrong, 3 suspicious; without store, keys and shop

{
    my @nowhere = ('--store', '/nonexistent', '--keys', '/nonexistent', '--shop', '');
    my ($code, $said) = tool(@nowhere, 'campaign', 'lint',
        file(members('"discount":{"fixed":100},"minimum_spend":1000,"zone":"UTC","until":"2028-01-01"')));

    is("$code$said", '0', 'a fine file needs no words');

    ($code, $said) = tool(@nowhere, 'campaign', 'lint',
                          file(members('"discount":{"percent":100},"zone":"UTC","until":"2027-01-14"')));
    is($code, 3, 'a suspicious one has an exit code of its own');
    like($said, qr/percentage without "cap"/, 'a percentage without a cap');
    like($said, qr/has ended already, at 2027-01-15T00:00:00Z/, 'and yesterday was its last day');
    is((tool('campaign', 'lint'))[0], 2, 'usage');
    is((tool('campaign', 'lint', '/nonexistent.json'))[0], 1, 'no such file');
}

# diff, member by member

{
    $t->cli_ok('campaign', 'put',
               file('{"v":1,"id":"d","discount":{"fixed":100},"limits":{"total":5},"promoter":"rosa"}'));

    my ($code, $said) = tool('campaign', 'diff',
        file('{"v":2,"id":"d","discount":{"fixed":100},"limits":{"total":6},"new_customers":true}'));

    is($code, 3, 'a difference has an exit code of its own');
    is($said, <<'END', 'and is told member by member');
-"v":1
+"v":2
-"limits":{"total":5}
+"limits":{"total":6}
-"promoter":"rosa"
+"new_customers":true
END

    ($code, $said) = tool('campaign', 'diff', file(members($fixed) =~ s/"a"/"nobody"/r));
    is($code, 1, 'no such campaign');
    like($said, qr/no campaign "nobody"/, 'is told');
    is((tool('campaign', 'diff', file('{}')))[0], 1, 'a wrong file is refused');
}

# get: a member on each line, so that reviews show what changed; and diff changed nothing

is($t->cli_ok('campaign', 'get', 'd'), <<'END', 'one member on a line');
{"v":1,
 "id":"d",
 "discount":{"fixed":100},
 "limits":{"total":5},
 "promoter":"rosa",
 "enabled":true}
END

# zones: a few are known everywhere, others come from the system's files

{
    my $berlin = file(members("$fixed," . '"zone":"Europe/Berlin","from":"2026-03-29","until":"2026-10-25"'));
    my ($code, $said);

    {
        local $ENV{TZDIR} = $t->dir;

        ($code, $said) = tool('campaign', 'put', $berlin);
        is($code, 1, 'a place without zone files');
        like($said, qr{"zone" is "Europe/Berlin", which is not known here.*package tzdata}s,
             'is told, and what to do');
        is((tool('campaign', 'put', file(members("$fixed," . '"zone":"Asia/Shanghai","until":"2026-11-11"'))))[0], 0,
           'Shanghai needs none');
        $t->write_file('Broken', "no zone\n");
        is((tool('campaign', 'lint', file(members("$fixed," . '"zone":"Broken"'))))[0], 1, 'a file that is none');
    }

    for my $name ('../../etc/passwd', '/etc/localtime', 'Europe/../../passwd', 'UTC;', 'Europe') {
        is((tool('campaign', 'lint', file(members(qq($fixed,"zone":"$name")))))[0], 1, "no zone: $name");
    }

    SKIP: {
        skip 'no tzdata', 4 unless -f '/usr/share/zoneinfo/Europe/Berlin';

        local $ENV{TZ} = 'America/New_York';

        ($code, $said) = tool('campaign', 'put', $berlin);
        is($code, 0, 'Berlin, with zone files') or diag $said;
        like($t->cli_ok('campaign', 'get', 'a'), qr/"from":"2026-03-29",\n "until":"2026-10-25"/,
             'its dates come back');

        # days of 23 and of 25 hours: from 00:00+01:00 to 00:00+02:00, and back

        $t->cli_ok('campaign', 'put', file(members("$fixed," . '"zone":"Europe/Berlin",'
                   . '"from":"2026-03-28T23:00:00Z","until":"2026-03-29T22:00:00Z"')));
        like($t->cli_ok('campaign', 'get', 'a'), qr/"from":"2026-03-29",\n "until":"2026-03-29"/, '23 hours');
        $t->cli_ok('campaign', 'put', file(members("$fixed," . '"zone":"Europe/Berlin",'
                   . '"from":"2026-10-24T22:00:00Z","until":"2026-10-25T23:00:00Z"')));
        like($t->cli_ok('campaign', 'get', 'a'), qr/"from":"2026-10-25",\n "until":"2026-10-25"/, '25 hours');
    }
}

$t->done_testing;
