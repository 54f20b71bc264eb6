#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Binding, winner, lineage and commission against the same rules in Perl (t/oracle), over random histories; ci/oracle
# runs a million.  The two of them have to be able to differ: what is told is changed, and the difference is found.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp;
use Test::More;

use lib 't/oracle';
use Histories;
use Rules;

my $modules = abs_path($ENV{TEST_NGINX_MODULES} || dirname(__FILE__) . '/../build');
my $oracle = "$modules/oracle";
my $seed = 1_000_000 + int rand 1_000_000_000;

plan skip_all => "no $oracle: run ci/build" unless -x $oracle;

for my $from (1, $seed) {
    my $difference = Histories::compare($oracle, $from, 3000);

    ok(!defined $difference, "3000 histories from $from") or diag $difference;
}


# a history whose answers are known: 30 days, 15 of them protected

my $day = 86400;
my @known = (
    [ 'P ' . join(' ', 30 * $day, 15 * $day, 0, 1, 0, 0, $day, -1) ],
    [ 'p 1 1 0 1 0 0 0 0' ], [ 'p 2 1 0 1 0 0 0 0' ],
    [ 't 0 0 1 0 0' => qr/^OK BIND_NEW 1 1 0 0 2592000 1296000 protected/ ],
    [ "t 0 @{[15 * $day - 1]} 2 0 0" => qr/^OK PROTECT_HOLD 1/ ],
    [ "q 0 @{[15 * $day]}" => qr/open open$/ ],
    [ "q 0 @{[30 * $day - 1]}" => qr/open open$/ ],
    [ "q 0 @{[30 * $day]}" => qr/expired expired$/ ],
    [ "t 0 @{[30 * $day]} 2 0 0" => qr/^OK BIND_NEW_AFTER_EXPIRY 2 1 1/ ],
    [ 'c 3000 1000 500 333' => qr/^33 17$/ ],
);

my $rules = Rules->new;
my @told = Histories::ask($oracle, 'H', map { $_->[0] } @known);

for my $case (@known) {
    my ($line, $want) = @$case;
    my $answer = $rules->answer($line);

    next unless $want;
    like($answer, $want, "rules: $line");
    is(shift @told, $answer, "src: $line");
}


# an oracle that is wrong in one answer of a thousand

my $wrong = File::Temp->new(SUFFIX => '.pl');

print {$wrong} "#!$^X\nopen my \$o, '-|', '$oracle' or die; while (<\$o>) { s/PROTECT_HOLD/OK/ if !(\$. % 50); print }\n";
close $wrong;
chmod 0700, $wrong->filename;

my $difference = Histories::compare($wrong->filename, 1, 3000);

like($difference // 'none', qr/^history of seed \d+:\n  H\n/, 'a wrong answer is found');

done_testing;
