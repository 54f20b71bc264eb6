package Oracle::Owner;

# Copyright (C) ngx_commerce authors
#
# Who serves a buyer whose binding names this person: written from the manuals, not from src/.
#
# People are hashes: number status since successor transfer role upline user names broken.  A directory is a hash
# of them by number.  Forever is Perl's infinity, everywhere.

use strict;
use warnings;

use constant { PEOPLE_IN_A_ROW => 8 };


# { state => active | frozen | lapsed | waiting | free, person => number, reason => ... }

sub find
{
    my ($policy, $directory, $number, $now) = @_;
    my $who = $number;

    for (1 .. PEOPLE_IN_A_ROW) {
        my $person = $directory->{$who};

        return free('OWNER_UNKNOWN') if !$who || !$person;
        return { state => 'active', person => $who, reason => 'OK' } if $person->{status} eq 'active';

        if ($person->{status} eq 'suspended') {
            my $state = $now < $person->{since} + $policy->{frozen_grace} ? 'frozen' : 'lapsed';

            return { state => $state, person => $who, reason => 'OWNER_FROZEN' };
        }

        return free('OWNER_INACTIVE') if $person->{status} eq 'cleared' || !$person->{successor};
        return free('TRANSFER_REFUSED') if $person->{transfer} eq 'refused';
        return free('TRANSFER_FULL') if $person->{transfer} eq 'full';

        if ($person->{transfer} eq 'pending' && $now < $person->{since} + $policy->{transfer_wait}) {
            return { state => 'waiting', person => $who, reason => 'TRANSFER_WAIT' };
        }

        $who = $person->{successor};
    }

    return free('OWNER_INACTIVE');
}


sub free
{
    my ($reason) = @_;

    return { state => 'free', person => 0, reason => $reason };
}


# may this person be credited?

sub judge
{
    my ($person) = @_;

    return 'OWNER_UNKNOWN' if !$person;
    return 'OK' if $person->{status} eq 'active';
    return $person->{status} eq 'suspended' ? 'OWNER_FROZEN' : 'OWNER_INACTIVE';
}

1;
