package Oracle::History;

# Copyright (C) ngx_commerce authors
#
# A random history from a seed: steps, and what the oracle says about each.  Time moves to the edges: a second
# before, at and after the ends of validity, protection, lookback, grace and waiting.

use strict;
use warnings;

use Oracle::Binding;
use Oracle::World;

use constant { START => 1790000000, FOREVER => 9**9**9 };

my @roles = qw(employee guide clerk staff customer customer customer koc leader agency dealer);
my @others = qw(suspended suspended left left left cleared);
my @transfers = qw(pending pending accepted refused full);
my @classes = qw(protected live_room share promoter group open channel plain);
my @sources = qw(live_room live_room share share share group channel plain);
my @spans = (1, 9, 10, 11, 60, 3600, 86400);
my @presets = qw(protect_first protect_first touch_first live_first);


# { seed, steps, lines }

sub make
{
    my ($seed) = @_;

    srand $seed;

    my $self = bless { world => Oracle::World->new, steps => [], lines => [], now => START, orders => [], touches => [] };
    my $kind = rand;

    if ($kind < 0.8) { $self->trade } elsif ($kind < 0.99) { $self->family } else { $self->chain }

    return { seed => $seed, steps => $self->{steps}, lines => $self->{lines} };
}


sub add
{
    my ($self, @step) = @_;

    push @{$self->{steps}}, \@step;
    push @{$self->{lines}}, $self->{world}->step(\@step);
}


sub one
{
    return $_[int rand @_];
}


sub chance
{
    return rand() < $_[0];
}


# a buyer among half a dozen sellers

sub trade
{
    my ($self) = @_;

    $self->{people} = 3 + int rand 4;
    $self->policy;
    $self->person($_) for 1 .. $self->{people};
    $self->add(B => 1 + int rand $self->{people}) if chance(0.25);

    for (1 .. 4 + int rand 12) {
        $self->pass;
        $self->happens;
    }
}


sub happens
{
    my ($self) = @_;
    my $what = rand;
    my $now = $self->{now};

    return $self->touch if $what < 0.45;
    return $self->order if $what < 0.65;
    return $self->paid if $what < 0.73;
    return $self->person(1 + int rand $self->{people}) if $what < 0.83;
    return $self->add(R => $now, int rand 1 + $self->{people}) if $what < 0.86;
    return $self->add(M => $now, int rand 1 + $self->{people}, $now - one(0, 1, @spans)) if $what < 0.88;
    return $self->add(B => int rand 1 + $self->{people}) if $what < 0.91;
    return $self->policy if $what < 0.94;
    return $self->add(J => $self->anybody, $self->anybody) if $what < 0.96;
    return $self->add(S => $now);
}


# 0 and one that there is not, too

sub anybody
{
    my ($self) = @_;

    return int rand 2 + $self->{people};
}


sub pass
{
    my ($self) = @_;
    my @edges = grep { $_ >= $self->{now} && $_ < FOREVER } map { ($_ - 1, $_, $_ + 1) } $self->edges;
    my $way = rand;

    return if $way < 0.25;

    $self->{now} = @edges && $way < 0.75 ? one(@edges) : $self->{now} + one(1, 1, @spans);
}


sub edges
{
    my ($self) = @_;
    my $world = $self->{world};
    my $binding = $world->{binding};
    my $policy = $world->{policy};
    my @edges;

    push @edges, Oracle::Binding::end($binding), Oracle::Binding::protected_until($binding), $binding->{changed} + 10
        if $binding->{owner};
    push @edges, map { $_->{first} + $_->{lookback}, $_->{first} + 10 } values %{$world->{last}};
    push @edges, map { $_->{since} + $policy->{transfer_wait}, $_->{since} + $policy->{frozen_grace} }
        grep { $_->{status} ne 'active' } values %{$world->{people}};

    return sort { $a <=> $b } @edges;
}


sub policy
{
    my ($self) = @_;
    my $validity = one(@spans, 2592000, FOREVER, FOREVER);
    my $protect = one(0, 0, 1, 5, $validity, $validity == FOREVER ? 60 : (int $validity / 2, $validity - 1));

    $protect = $validity if $protect > $validity && !chance(0.02);

    $self->add(P => $validity, $protect, one(0, 0, @spans, FOREVER), one(0, 1), chance(0.2) ? 1 : 0,
        one(qw(house upline self)), priority(), one(0, 1), one(0, 1), one(0, 1), one(0, @spans, FOREVER),
        one(0, @spans, FOREVER), one(0, 1));
}


sub priority
{
    return one(@presets) if chance(0.8);

    my @order = sort { $a->[1] <=> $b->[1] } map { [$_, rand] } @classes;

    return join ',', map { $_->[0] } @order[0 .. int rand @order];
}


sub person
{
    my ($self, $number) = @_;
    my $names = chance(0.3) ? join ',', map { int rand 4 } 0 .. int rand 3 : 0;

    return $self->add(D => $number, ('-') , ('0') x 7) if chance(0.04);

    my $active = chance(0.7);

    $self->add(D => $number, one(@roles), $active ? 'active' : one(@others),
        chance(0.1) ? 0 : $self->{now} - one(0, 0, 1, @spans), chance(0.6) ? $self->anybody : 0,
        $active ? 0 : $self->anybody, one(@transfers), $names, 0);
}


# new ones, and those that were sent before

sub touch
{
    my ($self) = @_;
    my $touches = $self->{touches};

    if (@$touches && chance(0.25)) {
        return $self->add(T => $self->{now}, @{one(@$touches)});
    }

    my $source = one(@sources);
    my $strength = $source eq 'plain' ? 'plain' : $source ne 'share' && chance(0.5) ? 'attested' : 'signed';
    my $digest = 1 + @$touches;

    push @$touches, [$digest, $source, $strength, $self->anybody || 1, one(@spans, 604800)];

    $self->add(T => $self->{now}, @{$touches->[-1]});
}


sub order
{
    my ($self) = @_;
    my $lines = one(1, 1, 2, 3);
    my @promoters = map { $self->anybody . ':' . join '', map { one(0, 1) } 1 .. $lines } 1 .. one(0, 0, 1, 2, 3);

    push @{$self->{orders}}, $self->{now};
    $self->add(O => $self->{now}, $lines, join(',', @promoters) || 0);
}


sub paid
{
    my ($self) = @_;

    return $self->order if !@{$self->{orders}};
    $self->add(Y => one(@{$self->{orders}}), $self->{now});
}


# people who recruited each other, some in circles, some unreadable

sub family
{
    my ($self) = @_;

    $self->{people} = 2 + int rand 5;
    $self->policy;

    for my $number (1 .. $self->{people}) {
        my $up = chance(0.7) ? int rand $number : $self->anybody;

        $self->add(D => $number, one(@roles), chance(0.85) ? 'active' : one(@others), $self->{now}, $up, 0, 'pending',
            chance(0.3) ? join ',', map { int rand 4 } 0 .. int rand 3 : 0, chance(0.04) ? 1 : 0);
    }

    for (1 .. 3 + int rand 5) {
        my $what = rand;

        if ($what < 0.45) { $self->add(L => 1 + int rand $self->{people}, $self->anybody) }
        elsif ($what < 0.9) { $self->add(J => $self->anybody, $self->anybody) }
        else { $self->amounts }
    }
}


# one below the other: as deep as an import once was, and about as deep as anybody looks

sub chain
{
    my ($self) = @_;
    my $deep = one(8, 9, 51, 63, 64, 65, 66, 67, 90);
    my $circle = chance(0.2) ? 1 + int rand $deep : 0;
    my $salaried = chance(0.3) ? 1 + int rand $deep : 0;

    $self->{people} = $deep;
    $self->policy;

    for my $number (1 .. $deep) {
        $self->add(D => $number, $number == $salaried ? 'guide' : 'customer', 'active', $self->{now},
            $number == 1 ? $circle : $number - 1, 0, 'pending', 0, chance(0.002) ? 1 : 0);
    }

    for my $number (1, 2, $deep - 1, $deep, map { 1 + int rand $deep } 1 .. 3) {
        $self->add(L => $number, $self->anybody);
        $self->add(J => one(0, 1, 1 + int rand $deep), $number);
    }

    $self->succession($deep);
}


# ... and who left one after the other

sub succession
{
    my ($self, $deep) = @_;
    my $last = one(7, 8);

    $self->add(D => $_, 'customer', 'left', $self->{now}, 0, $_ + 1, 'accepted', 0, 0) for 1 .. $last - 1;
    $self->add(D => $_, 'customer', 'active', $self->{now}, 0, 0, 'pending', 0, 0) for $last .. $last + 1;
    $self->add(R => $self->{now}, 1);
    $self->add(S => $self->{now});
    $self->add(D => $last, 'customer', 'left', $self->{now}, 0, one(1, $last + 1), one(@transfers), 0, 0);
    $self->add(S => $self->{now});
    $self->order;
}


sub amounts
{
    my ($self) = @_;
    my $cap = one(0, 1, 100, 3000, 3000, 10000);
    my $tier1 = int rand 1 + $cap;
    my $net = int rand one(10, 1000, 100000, 1e14);

    $self->add(A => $tier1, int rand 1 + $cap - $tier1, $cap, one($net, $net, $net, 0, 1, 100000000000000));
}

1;
