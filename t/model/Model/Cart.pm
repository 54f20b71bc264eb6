package Model::Cart;

# Copyright (C) ngx_commerce authors
#
# One cart, as Model::Order: none, open (whatever the gateway calls it until there is an order), placed.  Its
# coupons are those that anybody ever applied to it, in this order; - in uses is one that it does not have.
# Requests of one cart are with the storefront one at a time.

use strict;
use warnings;

use parent -norequire, 'Model::Order';
use Model::Order;


# the place of a coupon

sub place
{
    my ($self, $code) = @_;

    $self->gen({ coupons => [], fingerprint => 'cart', amount => 0 });

    my $coupons = $self->{contents}[0]{coupons};

    for my $i (0 .. $#$coupons) {
        return $i if $coupons->[$i] eq $code;
    }

    push @$coupons, $code;
    $self->{configs} = { map { my ($state, $done) = @$_;
                               my @state = split / /, $state, -1;
                               $state[4] .= '-';
                               my $config = [ join(' ', @state), $done ];
                               (Model::Order::_name($config) => $config) } values %{$self->{configs}} };
    delete $self->{closed};

    return $#$coupons;
}


sub _with
{
    my ($state, $st, $i, $use) = @_;
    my @state = @$state;

    $state[0] = $st;
    substr $state[4], $i, 1, $use if defined $i;

    return @state;
}


sub _apply
{
    my ($self, $move, $state) = @_;
    my $do = "_move_$move->{type}";

    return $self->$do($move, $state, $state->[0], $state->[4]);
}


# what it has already is judged again: the campaign may be switched off by now

sub _move_apply
{
    my ($self, $move, $state, $st) = @_;
    return [ 'closed', @$state ] if $st eq 'placed';
    return ([ 'fwd', _with($state, 'open', $move->{place}, 'R') ], [ 'inflight', @$state ], [ 'coupon', @$state ]);
}


sub _move_remove
{
    my ($self, $move, $state, $st) = @_;

    return ([ 'closed', @$state ], [ 'fwd', @$state ]) if $st eq 'placed';
    return ([ 'fwd', @$state ], [ 'inflight', @$state ]);
}


# the verdict names what the cart has; what time has released is reserved again, or there is no order

sub _move_complete
{
    my ($self, $move, $state, $st, $uses) = @_;

    if ($st eq 'placed') {
        return [ 'fwd:' . ($uses =~ tr/RDFBL-/110000/r), @$state ];
    }

    my @results = [ 'inflight', @$state ];

    for my $again ($uses =~ /F/ ? $self->_again($uses) : $uses) {
        my @to = _with($state, 'open');

        $to[4] = $again;
        push @results, [ 'fwd:' . ($again =~ tr/RDFBL-/110000/r), @to ];
    }

    push @results, [ 'coupon', @$state ] if $uses =~ /F/;

    return @results;
}


# a released coupon is one that was removed or refused, or one that the cart still has: time released it

sub _again
{
    my ($self, $uses) = @_;
    my @results = ('');

    for my $use (split //, $uses) {
        my @then = $use eq 'F' ? ('F', 'R') : $use;

        @results = map { my $so_far = $_; map { "$so_far$_" } @then } @results;
    }

    return @results;
}


# what the storefront's answer does

sub _move_untaken
{
    my ($self, $move, $state, $st, $uses) = @_;

    return if $st eq 'placed' || substr($uses, $move->{place}, 1) ne 'R';
    return [ 'done', _with($state, $st, $move->{place}, 'F') ];
}


sub _move_removed { return &_move_untaken }
sub _move_let_go  { return defined $_[1]{place} ? &_move_untaken : &_move_declined }


# a completion that failed leaves the cart as it was; where there was none, there is none

sub _move_declined
{
    my ($self, $move, $state, $st, $uses) = @_;

    return ([ 'done', @$state ], $st eq 'open' && $uses !~ /[RD]/ ? [ 'done', _with($state, 'none') ] : ());
}


sub _move_ordered
{
    my ($self, $move, $state, $st, $uses) = @_;

    return [ 'done', @$state ] if $st eq 'placed';

    my @to = _with($state, 'placed');
    my @results = ('');

    for my $i (0 .. length($uses) - 1) {
        my $use = substr $uses, $i, 1;
        my @then = $use eq 'R' ? ($move->{listed}{$i} ? 'D' : 'F') : $use eq 'F' && $move->{listed}{$i} ? ('D', 'L', 'F') : $use;

        @results = map { my $so_far = $_; map { "$so_far$_" } @then } @results;
    }

    $to[5] = 1;

    return map { [ 'done', @to[0 .. 3], $_, @to[5 .. $#to] ] } @results;
}


sub _move_cancel
{
    my ($self, $move, $state, $st, $uses) = @_;

    return [ '404', @$state ] if $st eq 'none';

    $uses =~ tr/RD/FB/;

    return ([ 'ok', 'placed', @$state[1 .. 3], $uses, @$state[5 .. 7] ], [ 'replay', @$state ]);
}


sub _by_time
{
    my ($self, $state) = @_;

    return if $state->[0] ne 'open' || $state->[4] !~ /R/ || !$self->_overdue;

    # all of them at once: it is the cart's time

    my @to = @$state;

    $to[4] =~ tr/R/F/;

    return [ @to ];
}


# what the tool shows: the coupons that the gateway remembers, by name, and what became of them

sub seen
{
    my ($self, $st, $uses) = @_;
    my %configs = map { $_->[0] => [ $_->[0], {} ] } grep {
        my @state = split / /, $_->[0], -1;

        ($state[0] eq $st || ($st eq 'none' && $state[0] eq 'open' && $state[4] !~ /[RD]/)) && $state[4] =~ tr/FBL-/----/r eq $uses =~ tr/FBL-/----/r;
    } values %{$self->closed};

    return 0 unless %configs;

    $self->{configs} = \%configs;
    $self->{moves} = {};
    delete $self->{closed};

    return 1;
}


1;
