package Model::Random;

# Copyright (C) ngx_commerce authors
#
# A stream of numbers of its own for every client and for the faults: what one of them does next does not
# depend on how fast the others are, so that a seed tells the same story again as far as timing allows.

use strict;
use warnings;
use integer;


sub new
{
    my ($class, $seed, $stream) = @_;
    my $self = bless { state => ($seed * 2_654_435_761 + ($stream // 0) * 40_503 + 1) & 281_474_976_710_655 }, $class;

    $self->_next for 1 .. 4;

    return $self;
}


# a linear congruential generator; its high bits are taken

sub _next
{
    my ($self) = @_;

    $self->{state} = ($self->{state} * 25_214_903_917 + 11) & 281_474_976_710_655;

    return ($self->{state} >> 17) & 2_147_483_647;
}


# 0 .. n - 1

sub below
{
    my ($self, $n) = @_;

    return $n > 0 ? $self->_next % $n : 0;
}


sub chance
{
    my ($self, $percent) = @_;

    return $self->_next % 10_000 < $percent * 100;
}


sub pick
{
    my ($self, @from) = @_;

    return @from ? $from[$self->_next % @from] : undef;
}


# from n to m, in steps of a thousandth

sub between
{
    my ($self, $n, $m) = @_;
    my $part = $self->_next % 1001;

    no integer;

    return $n + ($m - $n) * $part / 1000;
}


# name => weight, ...: a name.  The order of the names does not come from a hash.

sub weighted
{
    my ($self, @table) = @_;
    my $sum = 0;

    for (my $i = 1; $i < @table; $i += 2) {
        $sum += $table[$i];
    }

    my $at = $self->_next % ($sum || 1);

    for (my $i = 0; $i < @table; $i += 2) {
        return $table[$i] if $at < $table[$i + 1];
        $at -= $table[$i + 1];
    }

    return $table[0];
}


1;
