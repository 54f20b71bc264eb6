package Model::Report;

# Copyright (C) ngx_commerce authors
#
# A run as tests, and its figures.

use strict;
use warnings;

use JSON::PP ();
use Test::More ();

use Model::Run;


# seed rounds seconds clients faults; figures: a file that gets a line of JSON.  Ends the tests of its gateway.

sub run
{
    my (%option) = @_;
    my $run = Model::Run->new(%option);
    my $name = "seed $option{seed}";

    Test::More::note("$name: a run");

    $run->rounds($option{rounds}, $option{seconds});
    $run->finish;

    my @problems = $run->problems;
    my $figures = $run->figures;

    Test::More::ok(!@problems, "$name: all that was answered is true, all that is true was asked for");
    show($run, $name, @problems) if @problems;

    Test::More::note(map { "$_: $figures->{$_}\n" } sort keys %$figures);
    save($option{figures}, { seed => $option{seed}, problems => scalar @problems, figures => $figures })
        if $option{figures};

    $run->t->done_testing;

    return !@problems;
}


sub show
{
    my ($run, $name, @problems) = @_;
    my @told = @{$run->{world}{told}};

    $ENV{TEST_NGINX_LEAVE} = 1;

    Test::More::diag("$name: " . @problems . ' problems; the first:');
    Test::More::diag(join "\n    ", @$_) for @problems > 4 ? @problems[0 .. 3] : @problems;
    Test::More::diag("$name: faults:\n" . join "\n", grep { /==/ } @told);
    Test::More::diag("$name: the last of all:\n" . join "\n", @told > 30 ? @told[-30 .. -1] : @told);
}


sub save
{
    my ($path, $line) = @_;

    open my $file, '>>', $path or die "cannot write $path: $!\n";
    print {$file} JSON::PP->new->canonical->encode($line) . "\n";
    close $file or die "cannot write $path: $!\n";
}


1;
