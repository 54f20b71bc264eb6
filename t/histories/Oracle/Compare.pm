package Oracle::Compare;

# Copyright (C) ngx_commerce authors
#
# What the rules of src/ say about histories, beside what the oracle says; of a difference, the least history that
# has it.

use strict;
use warnings;

use File::Temp ();

use Oracle::History;
use Oracle::World;


sub new
{
    my ($class, $program) = @_;

    return bless { program => $program, input => File::Temp->new }, $class;
}


# the histories of these seeds; returns how many steps they had, and the seeds that differ

sub seeds
{
    my ($self, $from, $to) = @_;
    my @histories = map { Oracle::History::make($_) } $from .. $to;
    my @answers = $self->answers(map { $_->{steps} } @histories);
    my $steps = 0;
    my @differ;

    for my $history (@histories) {
        my @lines = splice @answers, 0, scalar @{$history->{steps}};

        $steps += @{$history->{steps}};
        push @differ, $history->{seed} if join("\n", @lines) ne join("\n", @{$history->{lines}});
    }

    return ($steps, @differ);
}


# the program's lines about histories of these steps, one after the other

sub answers
{
    my ($self, @histories) = @_;
    my $file = $self->{input}->filename;
    my $want = 0;

    open my $in, '>', $file or die "$file: $!\n";

    for my $steps (@histories) {
        print $in "H\n", map { written($_) . "\n" } @$steps;
        $want += @$steps;
    }

    close $in or die "$file: $!\n";

    open my $out, '-|', 'sh', '-c', 'exec "$0" <"$1"', $self->{program}, $file or die "$self->{program}: $!\n";
    chomp(my @lines = <$out>);
    close $out or die "$self->{program}: failed after " . @lines . " of $want lines\n";
    @lines == $want or die "$self->{program}: " . @lines . " lines, not $want\n";

    return @lines;
}


sub written
{
    my ($step) = @_;

    return join ' ', map { /^inf$/i ? 'forever' : $_ } @$step;
}


# the first step about which both differ: (number, the oracle's line, the program's), or nothing

sub difference
{
    my ($self, $steps) = @_;
    my $world = Oracle::World->new;
    my @want = map { $world->step($_) } @$steps;
    my @got = $self->answers($steps);

    for my $n (0 .. $#want) {
        return ($n, $want[$n], $got[$n]) if $want[$n] ne $got[$n];
    }

    return;
}


# without what the difference does not need

sub least
{
    my ($self, $steps) = @_;
    my @steps = @$steps;
    my $again = 1;

    while ($again) {
        $again = 0;

        for my $n (reverse 1 .. $#steps) {
            my @fewer = @steps;

            splice @fewer, $n, 1;

            if ($self->difference(\@fewer)) {
                @steps = @fewer;
                $again = 1;
            }
        }
    }

    return @steps;
}


# a difference as text

sub report
{
    my ($self, $seed) = @_;
    my @steps = $self->least(Oracle::History::make($seed)->{steps});
    my ($n, $want, $got) = $self->difference(\@steps);

    return join "\n", "seed $seed:", (map { '    ' . written($_) } @steps[0 .. $n]), "  the oracle: $want", "  src/:       $got", '';
}

1;
