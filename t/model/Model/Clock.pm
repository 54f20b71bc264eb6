package Model::Clock;

# Copyright (C) ngx_commerce authors
#
# The time that the gateway sees, which jumps, and what it may have been while something happened.

use strict;
use warnings;

use Time::HiRes qw(time);


# code sets the gateway's clock

sub new
{
    my ($class, $start, $set) = @_;
    my $self = bless { set => $set, history => [] }, $class;

    $self->to($start);

    return $self;
}


sub now     { return time }
sub clock   { return $_[0]{history}[-1][1] }


# both values may be seen around a change

sub to
{
    my ($self, $seconds) = @_;

    push @{$self->{history}}, [ time, $seconds ];
    $self->{set}->($seconds);
}


# the smallest and the greatest value in a span of real time (until: now)

sub range
{
    my ($self, $from, $until) = @_;
    my ($least, $most);

    $until //= time;

    for my $i (reverse 0 .. $#{$self->{history}}) {
        my ($since, $value) = @{$self->{history}[$i]};

        next if $since > $until + 0.05;
        $least = $value if !defined $least || $value < $least;
        $most = $value if !defined $most || $value > $most;
        last if $since < $from - 0.05;
    }

    return ($least, $most);
}


# may so many seconds have passed since something that happened between from and until?

sub passed
{
    my ($self, $from, $until, $seconds) = @_;
    my ($least) = $self->range($from, $until);
    my (undef, $most) = $self->range($from);

    return $most >= $least + $seconds;
}


1;
