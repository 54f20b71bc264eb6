package Oracle::Attribution;

# Copyright (C) ngx_commerce authors
#
# First sights, the latest touch of each class, the winner of a line: written from the manuals, not from src/.

use strict;
use warnings;

use constant { SEEN => 16, UNMOVED => 8, LATE => 10, CONTRIBUTORS => 3 };

our %preset = (
    protect_first => [qw(protected live_room share promoter group open channel plain)],
    touch_first => [qw(live_room share promoter group protected open channel plain)],
    live_first => [qw(live_room protected share promoter group open channel plain)],
);


# Looks the touch up among those that the buyer sent.  Sets its `first`; true at its first sight.
# seen: [[digest, first], ...], sent last comes last, not to the place but to within 8.

sub sees
{
    my ($seen, $touch, $now) = @_;

    for my $n (reverse 0 .. $#$seen) {
        my ($digest, $first) = @{$seen->[$n]};

        next if $digest != $touch->{digest};

        my $again = $touch->{strength} eq 'attested' && $now >= $first + $touch->{lookback};

        $touch->{first} = $again ? $now : $first;

        if ($again || $n <= $#$seen - UNMOVED) {
            splice @$seen, $n, 1;
            push @$seen, [$digest, $touch->{first}];
        }

        return $again;
    }

    $touch->{first} = $now;
    push @$seen, [$touch->{digest}, $now];
    shift @$seen if @$seen > SEEN;

    return 1;
}


sub live
{
    my ($touch, $now) = @_;

    return $now < $touch->{first} + $touch->{lookback};
}


# a rival's touch that comes with the order.  owner, valid: of the binding that it rivals

sub late
{
    my ($owner, $valid, $touch, $now) = @_;

    return $touch->{strength} ne 'attested' && $now - $touch->{first} < LATE && $valid && $touch->{seller} != $owner;
}


# candidates: [{ source, seller => person or undef, lines => [0 or 1, ...] or undef, leaving }, ...]

sub winner
{
    my ($order, $self_purchase, $buyer, $candidates, $line) = @_;
    my @ranked;

    for my $class (@$order) {
        push @ranked, grep { $candidates->[$_]{source} eq $class && counts($candidates->[$_], $line) } 0 .. $#$candidates;
    }

    return { winner => -1, reason => 'ATTR_DIRECT', contributors => [] } if !@ranked;

    my $first = $candidates->[$ranked[0]];
    my $self = $buyer && $first->{seller}{number} == $buyer;
    my $result = { winner => $ranked[0], reason => 'ATTR_OK', self => $self };

    if ($self && $self_purchase ne 'self') {
        $result->{reason} = 'SELF_PURCHASE';
        my $recruiter = Oracle::Lineage::recruiter($first->{seller});

        $result->{upline} = $recruiter if $self_purchase eq 'upline' && $recruiter != $buyer;

        # the search ends at the house: nobody else is asked

        return { %$result, winner => -1, contributors => [] } if !$result->{upline};
    }

    my %named = map { $_ => 1 } $first->{seller}{number}, $result->{upline} || ();
    my @others = grep { !$named{$candidates->[$_]{seller}{number}}++ } @ranked[1 .. $#ranked];

    $result->{contributors} = @others > CONTRIBUTORS ? [@others[0 .. CONTRIBUTORS - 1]] : \@others;

    return $result;
}


sub counts
{
    my ($candidate, $line) = @_;

    return 0 if !$candidate->{seller} || $candidate->{lines} && !$candidate->{lines}[$line];
    return $candidate->{leaving} || Oracle::Owner::judge($candidate->{seller}) eq 'OK';
}

1;
