#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# The model checker in short: random clients, a gateway that is killed, stopped, reloaded, upgraded and has no
# room, and a model that says what must not be.  First a calm gateway, then all faults, by a seed that is always
# the same and by one that is new.  ci/soak is the long form.  MODEL_SEEDS names other seeds.

use strict;
use warnings;

use lib 't/lib', 't/model';
use Test::More;
use Model::Report;

my @seeds = split /[ ,]+/, $ENV{MODEL_SEEDS} // '1 ' . int rand 1_000_000;

diag("model: seeds @seeds") if -t STDERR;

subtest 'a calm gateway, seed 1' => sub {
    Model::Report::run(seed => 1, rounds => 1, seconds => 3, clients => 12, faults => 0);
};

for my $seed (@seeds) {
    subtest "seed $seed" => sub {
        Model::Report::run(seed => $seed, rounds => 1, seconds => 4, clients => 12, faults => 1);
    };
}

done_testing();
