package Model::Redemption;

# Copyright (C) ngx_commerce authors
#
# One redemption in a shop, by its number, as Model::Order: none, redeemed, rolled (back).  Its user is the
# coupon's holder, since limits count on him.

use strict;
use warnings;

use parent -norequire, 'Model::Order';
use Model::Order;


sub _apply
{
    my ($self, $move, $state) = @_;
    my ($st) = @$state;

    if ($move->{type} eq 'redeem') {
        return [ 'rolled', @$state ] if $st eq 'rolled';
        return [ 'replay', @$state ] if $st eq 'redeemed';

        return ([ 'ok', 'redeemed', 0, 0, $move->{gen}, 'D', 0, '-', 0 ], [ 'coupon', @$state ]);
    }

    return [ 'none', @$state ] if $st eq 'none';
    return [ 'replay', @$state ] if $st eq 'rolled';

    return ([ 'ok', 'rolled', 0, 0, $state->[3], 'B', 0, '-', 0 ],
            [ 'cycles', @$state ],
            $self->{clock}->passed($self->{first}, undef, 3600) ? [ 'window', @$state ] : ());
}


sub _by_time { return }


# somebody looked whether its coupon is redeemed under this number; nobody is at it any more

sub seen
{
    my ($self, $redeemed) = @_;
    my %configs = map { $_->[0] => [ $_->[0], {} ] }
        grep { ($_->[0] =~ /^redeemed/ ? 1 : 0) == $redeemed } values %{$self->closed};

    return 0 unless %configs;

    $self->{configs} = \%configs;
    $self->{moves} = {};
    delete $self->{closed};

    return 1;
}


1;
