package Oracle::World;

# Copyright (C) ngx_commerce authors
#
# One history: a policy, people, one buyer.  Takes a step (see t/histories/histories.c for what a step is) and gives the
# line that must be said about it.

use strict;
use warnings;

use Oracle::Attribution;
use Oracle::Binding;
use Oracle::Commission;
use Oracle::Lineage;
use Oracle::Owner;

my %step = (
    P => \&policy, D => \&person, B => \&buyer, T => \&touch, O => \&order, Y => \&paid, R => \&rebind, M => \&merge,
    J => \&join_under, L => \&lineage, A => \&amounts, S => \&standing,
);


sub new
{
    my ($class) = @_;

    return bless {
        binding => Oracle::Binding::none(), people => {}, buyer => 0, customer => 0, seen => [], last => {},
        policy => {},
    }, $class;
}


sub step
{
    my ($self, $step) = @_;
    my ($kind, @args) = @$step;

    return $step{$kind}->($self, @args);
}


sub policy
{
    my ($self, @args) = @_;
    my %policy;

    @policy{qw(validity protect order_extend renew new_only self_purchase order wins binds leaver transfer_wait
        frozen_grace strict)} = @args;

    $policy{order} = $Oracle::Attribution::preset{$policy{order}} || [split /,/, $policy{order}];
    $self->{policy} = \%policy;

    my $valid = $policy{validity} == 9**9**9 || $policy{protect} <= $policy{validity};

    return $valid ? 'policy' : 'invalid';
}


# names: 0, or numbers of names, the first being the user; names are equal where numbers are

sub person
{
    my ($self, $number, $role, $status, $since, $upline, $successor, $transfer, $names, $broken) = @_;

    delete $self->{people}{$number};
    return 'gone' if $role eq '-';

    my ($user, @names) = map { $_ ? "u$_" : '' } split /,/, $names;

    $self->{people}{$number} = {
        number => $number, role => $role, status => $status, since => $since, upline => $upline,
        successor => $successor, transfer => $transfer, user => $user, names => \@names, broken => $broken,
    };

    return 'person';
}


sub buyer
{
    my ($self, $number) = @_;

    $self->{buyer} = $number;

    return 'buyer';
}


sub owner
{
    my ($self, $binding, $now) = @_;

    return Oracle::Owner::find($self->{policy}, $self->{people}, $binding->{owner}, $now);
}


sub get
{
    my ($self, $number) = @_;
    my $person = $self->{people}{$number};

    return $person && !$person->{broken} ? $person : undef;
}


# whoever left has handed the buyer over by now

sub inherit
{
    my ($self, $now) = @_;
    my ($reason, $binding) = Oracle::Binding::inherit($self->{binding}, $self->owner($self->{binding}, $now), $now);

    $self->{binding} = $binding;

    return $reason;
}


sub touch
{
    my ($self, $now, $digest, $source, $strength, $seller, $lookback) = @_;
    my %touch = (digest => $digest, source => $source, strength => $strength, seller => $seller, lookback => $lookback);
    my $new = Oracle::Attribution::sees($self->{seen}, \%touch, $now);
    my $inherited = $self->inherit($now);
    my $last = $self->{last}{$source};

    return "touch again $touch{first} $inherited" if !$new;

    $self->{last}{$source} = \%touch if !$last || $last->{first} <= $touch{first};

    my $reason = $self->binds(\%touch, $now);

    return "touch $reason $touch{first} $inherited " . $self->told($now);
}


sub binds
{
    my ($self, $touch, $now) = @_;

    return 'none' if $touch->{source} eq 'plain' && !$self->{policy}{binds};

    my $judged = Oracle::Owner::judge($self->get($touch->{seller}));

    return $judged if $judged ne 'OK';

    my ($reason, $binding) = Oracle::Binding::touch($self->{policy}, $self->{binding},
        $self->owner($self->{binding}, $now), $touch->{seller}, $self->{buyer}, $self->{customer}, $now);

    $binding = Oracle::Binding::ended($binding, $now) if $reason eq 'BIND_STOLEN' && $touch->{strength} eq 'attested';
    $binding->{by} = $touch if $binding->{owner} != $self->{binding}{owner};
    $self->{binding} = $binding;

    return $reason;
}


# the binding in words that do not depend on how it is kept

sub told
{
    my ($self, $now) = @_;
    my $binding = $self->{binding};
    my $held = Oracle::Binding::held($binding, $self->owner($binding, $now), $now);

    return "$binding->{owner} $binding->{origin} $held " . clock($binding, $now) . ' before '
        . clock(Oracle::Binding::before($binding), $now);
}


sub clock
{
    my ($binding, $now) = @_;

    return 'none' if !$binding->{owner};
    return CORE::join ' ', $binding->{owner}, Oracle::Binding::state($binding, $now),
        map { $_ == 9**9**9 ? 'forever' : $_ } Oracle::Binding::end($binding), Oracle::Binding::protected_until($binding);
}


sub standing
{
    my ($self, $now) = @_;
    my $owner = $self->owner($self->{binding}, $now);

    return "standing $owner->{state} $owner->{person} $owner->{reason} " . $self->told($now);
}


# promoters: 0, or seller:mask,...  where mask has a 1 for each line that the coupon admits

sub order
{
    my ($self, $now, $lines, $promoters) = @_;
    my $inherited = $self->inherit($now);
    my @candidates = $self->candidates($now, $promoters);
    my @lines = map { $self->line(\@candidates, $_) } 0 .. $lines - 1;

    $self->{customer} = 1;

    return "order $inherited " . CORE::join ' | ', @lines;
}


sub candidates
{
    my ($self, $now, $promoters) = @_;
    my $binding = $self->decided_on($now);
    my $owner = $self->owner($binding, $now);
    my $held = Oracle::Binding::held($binding, $owner, $now);
    my $valid = Oracle::Binding::valid($binding, $now) && $owner->{state} ne 'free';
    my @candidates;

    if ($held eq 'protected' || $held eq 'open') {
        push @candidates, { source => $held, seller => $self->get($owner->{person}) };
    }

    if ($held eq 'transfer_pending' && $self->{policy}{leaver}) {
        push @candidates, { source => Oracle::Binding::state($binding, $now), seller => $self->get($owner->{person}),
            leaving => 1 };
    }

    for my $source (qw(live_room share group channel plain)) {
        my $touch = $self->{last}{$source};

        next if !$touch || !Oracle::Attribution::live($touch, $now);
        next if $source eq 'plain' && !$self->{policy}{wins};
        next if Oracle::Attribution::late($owner->{person}, $valid, $touch, $now);

        push @candidates, { source => $source, seller => $self->get($touch->{seller}) };
    }

    for my $promoter ($promoters ? split /,/, $promoters : ()) {
        my ($seller, $mask) = split /:/, $promoter;

        push @candidates, { source => 'promoter', seller => $self->get($seller), lines => [split //, $mask] };
    }

    return @candidates;
}


# the binding as it was before a rival's touch that came late took the buyer over

sub decided_on
{
    my ($self, $now) = @_;
    my $binding = $self->{binding};
    my $by = $binding->{by};

    return $binding if !$by || !$binding->{before};

    my $before = $binding->{before};
    my $owner = $self->owner($before, $now);
    my $valid = Oracle::Binding::valid($before, $now) && $owner->{state} ne 'free';

    return Oracle::Attribution::late($owner->{person}, $valid, $by, $now) ? $before : $binding;
}


sub line
{
    my ($self, $candidates, $line) = @_;
    my $policy = $self->{policy};
    my $winner = Oracle::Attribution::winner($policy->{order}, $policy->{self_purchase}, $self->{buyer}, $candidates, $line);
    my $others = CORE::join ',', map { "$candidates->[$_]{source}:$candidates->[$_]{seller}{number}" }
        @{$winner->{contributors}};

    return "house $winner->{reason} [$others]" if $winner->{winner} == -1;

    my $candidate = $candidates->[$winner->{winner}];
    my $seller = $candidate->{seller};

    $seller = $self->get($seller->{upline}) if $winner->{upline};

    return "house $winner->{reason} [$others]" if $winner->{upline} && Oracle::Owner::judge($seller) ne 'OK';

    return "$candidate->{source} $winner->{reason} $seller->{number} " . $self->lineage_told($seller, $self->{buyer})
        . " [$others]";
}


sub lineage_told
{
    my ($self, $seller, $buyer) = @_;
    my $lineage = Oracle::Lineage::of($self->{people}, $seller, $buyer);

    return "$lineage->{tier2} $lineage->{depth} $lineage->{reason}";
}


sub lineage
{
    my ($self, $number, $buyer) = @_;
    my $seller = $self->get($number);

    return 'lineage ' . ($seller ? $self->lineage_told($seller, $buyer) : 'nobody');
}


sub paid
{
    my ($self, $ordered, $now) = @_;
    my ($reason, $binding) = Oracle::Binding::extend($self->{binding}, $ordered);

    $self->{binding} = $binding;

    return "paid $reason " . $self->told($now);
}


sub rebind
{
    my ($self, $now, $seller) = @_;
    my ($reason, $binding) = Oracle::Binding::rebind($self->{policy}, $self->{binding}, $seller, $now);

    $self->{binding} = $binding;

    return "rebind $reason " . $self->told($now);
}


# with a buyer who was bound to this seller then, under the policy as it is

sub merge
{
    my ($self, $now, $seller, $since) = @_;
    my $other = Oracle::Binding::none();

    $other = Oracle::Binding::taken($self->{policy}, $other, $seller, $since) if $seller;

    my ($reason, $binding) = Oracle::Binding::merge($self->{binding}, $other, $now);

    $self->{binding} = $binding;

    return "merge $reason " . $self->told($now);
}


sub join_under
{
    my ($self, $number, $parent) = @_;
    my $downline = $number && grep { $_->{upline} == $number } values %{$self->{people}};

    return 'join ' . Oracle::Lineage::join($self->{people}, $self->{policy}{strict}, $self->get($number),
        $downline, $self->get($parent));
}


sub amounts
{
    my ($self, @args) = @_;

    return CORE::join ' ', 'amounts', Oracle::Commission::amounts(@args);
}

1;
