#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Binding, winner, lineage and commission against an oracle: the same rules written a second time, in Perl and from
# the manuals.  Some thousands of random histories from a seed that is always the same and from one that is new; a
# difference tells its least history.  ci/histories is the long form.  HISTORIES_SEED names the new seed.

use strict;
use warnings;

use lib 't/histories';
use Test::More;
use Oracle::Compare;
use Oracle::Coverage;

use constant { HISTORIES => 6000 };

my $seed = $ENV{HISTORIES_SEED} // 1_000_000 + int rand 1_000_000_000;

is(system('make', '-s', '-f', 'ci/Makefile', 'histories'), 0, 'the program with the rules of src/ is built')
    or BAIL_OUT('no build/histories');

my $compare = Oracle::Compare->new('build/histories');

for my $from (1, $seed) {
    my ($steps, @differ) = $compare->seeds($from, $from + HISTORIES - 1);

    is(scalar @differ, 0, 'seeds from ' . $from . ': ' . HISTORIES . " histories, $steps steps, no difference");
    diag($compare->report($_)) for @differ > 3 ? @differ[0 .. 2] : @differ;
}

# a rule that no history comes across is compared by nobody

my @missing = Oracle::Coverage::missing(map { Oracle::History::make($_)->{lines} } 1 .. HISTORIES);

is("@missing", '', 'every verdict was given');

done_testing();
