#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# The model checker in short: random clients, a gateway that is killed, stopped, reloaded, upgraded and has no
# room, and a model that says what must not be.  ci/soak is the long form.  MODEL_SEEDS names other seeds.

use strict;
use warnings;

use lib 't/lib', 't/model';
use Test::More;
use Model::Report;

my @seeds = split /[ ,]+/, $ENV{MODEL_SEEDS} // '1 ' . int rand 1_000_000;

diag("model: seeds @seeds") if -t STDERR;

for my $seed (@seeds) {
    subtest "seed $seed" => sub {
        Model::Report::run(seed => $seed, rounds => 1, seconds => 6, clients => 12, faults => 1);
    };
}

done_testing();
