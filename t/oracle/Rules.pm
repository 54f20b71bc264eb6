package Rules;

# Copyright (C) ngx_commerce authors
#
# The rules of attribution and distribution once more, in another language and from the text alone: README and headers
# say what is right, and src/ is compared with this.  Nothing here was written from what stands in a .c file.
#
#     my $rules = Rules->new;
#     my $answer = $rules->answer('t 0 1000 3 0 0');       # as t/oracle/oracle.c reads and answers it
#
# Times are seconds, -1 a time that never comes.

use strict;
use warnings;

use constant {
    FOREVER => -1, LATE => 10, SUCCESSION => 8, WALK => 64, SEEN => 16, CONTRIBUTORS => 3,
    ACTIVE => 0, SUSPENDED => 1, LEFT => 2, CLEARED => 3,
    PENDING => 0, ACCEPTED => 1, REFUSED => 2, FULL => 3,
    HOUSE => 0, UPLINE => 1, ALLOWED => 2,
    PROMOTER => 4, ATTESTED => 2, STRICT => 0,
};

# classes in the order of each preset: protected 1, live room 2, share 3, promoter 4, group 5, open 6, channel 7, plain 8

my @PRESETS = ([ 1, 2, 3, 4, 5, 6, 7, 8 ], [ 2, 3, 4, 5, 1, 6, 7, 8 ], [ 2, 1, 3, 4, 5, 6, 7, 8 ]);

# roles: employee 0, guide 1, clerk 2 and staff 3 are salaried

sub salaried { return $_[0]{role} <= 3 }

sub new { return bless { people => {}, b => [ nobody(), nobody() ], seen => [] }, shift }
sub nobody { return { owner => 0, origin => 0, previous => 0, start => 0, renewed => 0, validity => 0, protect => 0,
                      order_extend => 0, extended => 0, changed => 0 } }

sub after { my ($start, $duration) = @_; return $duration == FOREVER ? FOREVER : $start + $duration }
sub over { my ($end, $now) = @_; return $end != FOREVER && $now >= $end }

my %ANSWERS = (
    H => sub { %{$_[0]} = %{Rules->new}; return },
    P => sub { my $self = shift; @$self{qw(validity protect extend renew new_only self wait grace)} = @_; return },
    p => sub { my ($self, $n, @rest) = @_;
               @{$self->{people}{$n} = { number => $n }}{qw(role status since upline successor transfer user)} = @rest;
               return },
    t => \&touch, x => \&extend, r => \&rebind, m => \&merge, q => \&query, e => \&late, w => \&winner,
    l => \&tiers, j => \&join_under, c => \&amounts, v => \&sees,
);

sub answer
{
    my ($self, $line) = @_;
    my ($kind, @numbers) = split / /, $line;

    return $ANSWERS{$kind}->($self, @numbers);
}


# whose buyer: the clock

sub end
{
    my ($b) = @_;
    my $end = after(@$b{qw(renewed validity)});

    return $end if $end == FOREVER || $end >= $b->{extended};
    return $b->{extended};
}

sub protected_until { my ($b) = @_; return after(@$b{qw(start protect)}) }

sub state
{
    my ($b, $now) = @_;

    return 'none' unless $b->{owner};
    return 'expired' if over(end($b), $now);
    return over(protected_until($b), $now) ? 'open' : 'protected';
}


# ... and what the owner is doing

sub owner
{
    my ($self, $number, $now) = @_;
    my $people = 0;

    while (1) {
        my $p = $self->{people}{$number} or return { state => 'free', reason => 'OWNER_UNKNOWN' };

        return { state => 'active', person => $p, reason => 'OK' } if $p->{status} == ACTIVE;
        return { state => 'free', reason => 'OWNER_INACTIVE' } if $p->{status} == CLEARED;

        if ($p->{status} == SUSPENDED) {
            my $lapsed = over(after($p->{since}, $self->{grace}), $now);
            return { state => $lapsed ? 'lapsed' : 'frozen', person => $p, reason => 'OWNER_FROZEN' };
        }

        # he left

        return { state => 'free', reason => 'OWNER_INACTIVE' } unless $p->{successor};
        return { state => 'free', reason => 'TRANSFER_REFUSED' } if $p->{transfer} == REFUSED;
        return { state => 'free', reason => 'TRANSFER_FULL' } if $p->{transfer} == FULL;

        return { state => 'waiting', person => $p, reason => 'TRANSFER_WAIT' }
            if $p->{transfer} == PENDING && !over($p->{since} + $self->{wait}, $now);

        return { state => 'free', reason => 'OWNER_INACTIVE' } if ++$people == SUCCESSION;
        $number = $p->{successor};
    }
}

sub held
{
    my ($b, $owner, $now) = @_;
    my $state = state($b, $now);

    return $state if $state eq 'none' || $state eq 'expired' || $owner->{state} eq 'active';
    return { frozen => 'frozen', waiting => 'transfer_pending', lapsed => 'open', free => 'none' }->{$owner->{state}};
}

sub tell
{
    my ($self, $b, $said, $now) = @_;

    return join ' ', $said, @$b{qw(owner origin previous start)}, end($b), protected_until($b), state($b, $now),
        held($b, $self->owner($b->{owner}, $now), $now);
}

sub query
{
    my ($self, $i, $now) = @_;
    my $b = $self->{b}[$i];
    my $owner = $self->owner($b->{owner}, $now);
    my %number = (free => 0, active => 1, frozen => 2, lapsed => 3, waiting => 4);

    return join ' ', $number{$owner->{state}}, $owner->{person} ? $owner->{person}{number} : 0, $owner->{reason},
        $self->tell($b, '', $now);
}


# touches

sub touch
{
    my ($self, $i, $now, $seller, $buyer, $customer) = @_;
    my $b = $self->{b}[$i];
    my $inherited = $self->inherit($b, $now);
    my $p = $self->{people}{$seller};

    my $reason = !$p ? 'OWNER_UNKNOWN'
        : $p->{status} == SUSPENDED ? 'OWNER_FROZEN'
        : $p->{status} != ACTIVE ? 'OWNER_INACTIVE'
        : $self->bound($b, $now, $seller, $buyer, $customer);

    return $self->tell($b, "$inherited $reason", $now);
}

# a valid binding is the successor's; he inherits once he serves the buyer

sub inherit
{
    my ($self, $b, $now) = @_;
    my $owner = $self->owner($b->{owner}, $now);
    my $state = state($b, $now);

    return 'OK' if $state eq 'none' || $state eq 'expired' || $owner->{state} eq 'free'
        || $owner->{person}{number} == $b->{owner};

    $b->{owner} = $owner->{person}{number};

    return 'BIND_INHERITED';
}

sub bound
{
    my ($self, $b, $now, $seller, $buyer, $customer) = @_;
    my $held = held($b, $self->owner($b->{owner}, $now), $now);

    return $held eq 'protected' && $b->{owner} != $seller ? 'KEEP_UPLINE' : 'SELF_BIND' if $seller == $buyer;
    return 'OWNER_FROZEN' if $held eq 'frozen';
    return 'TRANSFER_WAIT' if $held eq 'transfer_pending';

    my $valid = $held eq 'protected' || $held eq 'open';

    if ($valid && $seller == $b->{owner}) {
        return 'OK' unless $self->{renew} && end($b) != FOREVER && after($now, $b->{validity}) > end($b);
        $b->{renewed} = $now;
        return 'BIND_RENEW';
    }

    return $b->{protect} == FOREVER ? 'SNATCH_FORBIDDEN' : 'PROTECT_HOLD' if $held eq 'protected';
    return 'NEW_USERS_ONLY' if $self->{new_only} && $customer;

    my $reason = $held eq 'open' ? 'BIND_STOLEN' : $held eq 'expired' ? 'BIND_NEW_AFTER_EXPIRY' : 'BIND_NEW';

    $self->start($b, $seller, $now);
    $b->{previous_end} = $now unless $reason eq 'BIND_STOLEN';  # nobody served the buyer before

    return $reason;
}

sub start
{
    my ($self, $b, $seller, $now) = @_;

    @$b{qw(previous_end previous owner changed)} = (end($b), $b->{owner}, $seller, $now) if $b->{owner} != $seller;
    $b->{origin} ||= $seller;
    @$b{qw(start renewed)} = ($now, $now);
    @$b{qw(validity protect order_extend)} = @$self{qw(validity protect extend)};
    $b->{extended} = 0;

    return;
}

# An order extends the owner's binding, if it was placed under it.  One that came right after he had taken the buyer over
# was decided on the binding before, while that was valid.

sub extend
{
    my ($self, $i, $ordered) = @_;
    my $b = $self->{b}[$i];
    my $reason = 'OK';
    my $before = $b->{previous} && $ordered - $b->{changed} < LATE && !over($b->{previous_end}, $ordered);

    if (!$before && $b->{owner} && $b->{order_extend} && $ordered >= $b->{changed} && $ordered >= $b->{start}
        && !over(end($b), $ordered) && end($b) != FOREVER && $ordered + $b->{order_extend} > end($b))
    {
        $b->{extended} = $ordered + $b->{order_extend};
        $reason = 'BIND_ORDER_EXTEND';
    }

    return $self->tell($b, $reason, $ordered);
}

sub rebind
{
    my ($self, $i, $seller, $now) = @_;
    my $b = $self->{b}[$i];

    $self->start($b, $seller, $now);
    $b->{previous_end} = $now;          # at once

    return $self->tell($b, 'BIND_ADMIN', $now);
}

# the older one that is valid stays; of two that are over, the one of the name that is kept, if it ever had any

sub merge
{
    my ($self, $now) = @_;
    my ($kept, $other) = @{$self->{b}};
    my @valid = grep { my $state = state($_, $now); $state ne 'none' && $state ne 'expired' } $kept, $other;
    my $stays = @valid == 2 ? ($other->{start} < $kept->{start} ? $other : $kept) : $valid[0] // ($kept->{owner} || !$other->{owner} ? $kept : $other);
    my $reason = @valid == 2 && $kept->{owner} != $other->{owner} ? 'MERGE_CONFLICT' : 'OK';

    $self->{b}[0] = { %$stays };

    return "$reason " . $self->tell($self->{b}[0], '', $now);
}

# a rival's link right before the order; a platform's word is not doubted

sub late
{
    my ($self, $i, $now, $seller, $strength, $first) = @_;
    my $b = $self->{b}[$i];
    my $owner = $self->owner($b->{owner}, $now);
    my $held = held($b, $owner, $now);

    return 0 + ($strength != ATTESTED && $held ne 'none' && $held ne 'expired' && $seller != $b->{owner}
                && $seller != ($owner->{person} ? $owner->{person}{number} : 0) && $now - $first < LATE);
}


# who wins: one of each class in order, any number of promoters in theirs

sub winner
{
    my ($self, $purchase, $preset, $buyer, $line, $n, @flat) = @_;
    my @candidates = map { { source => $flat[4 * $_], seller => $flat[4 * $_ + 1], leaving => $flat[4 * $_ + 2],
                             admits => $flat[4 * $_ + 3], index => $_ } } 0 .. $n - 1;
    my @order;

    for my $class (@{$PRESETS[$preset]}) {
        push @order, grep { $_->{source} == $class && $self->creditable($_)
                            && ($_->{admits} < 0 || $_->{admits} >> $line & 1) } @candidates;
    }

    my $winner = shift @order or return '-1 0 0 ATTR_DIRECT -1 -1 -1';
    my ($who, $index, $self_bought, $upline, $reason) = ($winner->{seller}, $winner->{index}, 0, 0, 'ATTR_OK');

    if ($buyer && $who == $buyer) {
        ($self_bought, $reason) = (1, $purchase == ALLOWED ? 'ATTR_OK' : 'SELF_PURCHASE');

        my $recruiter = $self->upline($self->{people}{$who});

        $upline = 0 + ($purchase == UPLINE && $recruiter != 0 && $recruiter != $who);
        $index = -1 unless $purchase == ALLOWED || $upline;
    }

    # nobody is credited at all where the house gets what a seller bought himself

    @order = () if $index < 0;

    my %taken = ($who => 1, $upline ? ($self->{people}{$who}{upline} => 1) : ());
    my @contributors = grep { !$taken{$_->{seller}}++ } @order;
    my @indexes = map { $_->{index} } @contributors;

    return join ' ', $index, $self_bought, $upline, $reason, map { $_ // -1 } @indexes[0 .. CONTRIBUTORS - 1];
}

sub creditable
{
    my ($self, $candidate) = @_;
    my $p = $self->{people}{$candidate->{seller}} or return 0;

    return $p->{status} == ACTIVE || $candidate->{leaving};
}


# two tiers: the way up ends at the salaried; a circle, or one that is too long, is no way

sub upline
{
    my ($self, $p) = @_;

    return salaried($p) ? 0 : $p->{upline};
}

# (depth, broken): how many people to the root; "missing" or "loop": there is none

sub depth
{
    my ($self, $p) = @_;
    my ($depth, %met) = (1, $p->{number} => 1);

    while (my $up = $self->upline($p)) {
        $p = $self->{people}{$up};
        return ($depth, 'missing') if !$p;
        return ($depth, 'loop') if $met{$up}++ || $depth > WALK;
        $depth++;
    }

    return ($depth, '');
}

sub tiers
{
    my ($self, $number, $buyer) = @_;
    my $p = $self->{people}{$number} or return '0 0 0 OK';
    my ($depth, $broken) = $self->depth($p);
    my $up = $self->{people}{$self->upline($p)};

    my $paid = $broken ne 'loop' && $p->{status} == ACTIVE && $up && $up->{status} == ACTIVE && $up->{number} != $buyer && $up->{number} != $number
        && !($up->{user} && $up->{user} == $p->{user});

    return join ' ', $number, $paid ? $up->{number} : 0, $broken ? 0 : $depth,
        $broken ? 'TIER_UNVERIFIED' : $depth > 2 ? 'LINEAGE_TRUNCATED' : 'OK';
}

sub join_under
{
    my ($self, $tiers, $number, $downline, $parent_number) = @_;
    my $parent = $self->{people}{$parent_number} or return 'LINEAGE_UNKNOWN';
    my $p = $self->{people}{$number};

    return 'OWNER_FROZEN' if $parent->{status} == SUSPENDED;
    return 'OWNER_INACTIVE' if $parent->{status} != ACTIVE;

    return 'TIER_SELF' if $p && ($p->{number} == $parent->{number} || ($p->{user} && $p->{user} == $parent->{user}));

    my ($depth, $broken) = $self->depth($parent);
    my ($up, %met) = ($parent);

    while ($p && $up && !$met{$up->{number}}++) {
        return 'LINEAGE_LOOP' if $up->{number} == $p->{number};
        $up = $self->{people}{$self->upline($up)};
    }

    return 'LINEAGE_LOOP' if $broken eq 'loop';
    return 'ALREADY_JOINED' if $p && ($p->{upline} || salaried($p));
    return 'INTERNAL' if $broken;
    return 'TIER_DEPTH_EXCEEDED' if $tiers == STRICT && ($depth >= 2 || $downline);
    return 'OK';
}

# of a line: the cap rounded down, rates half up, tier 2 what tier 1 leaves

sub amounts
{
    my ($self, $cap, $rate1, $rate2, $net) = @_;
    my $most = int $net * $cap / 10000;
    my ($one, $two) = map { int(($net * $_ + 5000) / 10000) } $rate1, $rate2;

    $one = $most if $one > $most;
    $two = $most - $one if $two > $most - $one;

    return "$one $two";
}


# a buyer's memory: 16 touches, the oldest is forgotten; an attested one is new once it can win no more

sub sees
{
    my ($self, $now, $digest, $lookback, $attested) = @_;
    my ($known) = grep { $_->{digest} == $digest } @{$self->{seen}};
    my $fresh = !$known || ($attested && $now - $known->{first} >= $lookback);

    if ($fresh) {
        @{$self->{seen}} = grep { $_->{digest} != $digest } @{$self->{seen}};
        push @{$self->{seen}}, $known = { digest => $digest, first => $now };
        shift @{$self->{seen}} if @{$self->{seen}} > SEEN;
    }

    return join ' ', 0 + $fresh, $known->{first}, 0 + ($now - $known->{first} < $lookback);
}

1;
