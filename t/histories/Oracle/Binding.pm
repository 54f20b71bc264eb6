package Oracle::Binding;

# Copyright (C) ngx_commerce authors
#
# The customer relation: written from the manuals, not from src/.
#
# A binding is a hash: owner origin start renewed validity protect order_extend extended changed, and `before`, the
# binding as it stood when the owner changed last.  All functions leave what they were given as it was.

use strict;
use warnings;


sub none
{
    return { owner => 0, origin => 0, start => 0, renewed => 0, validity => 0, protect => 0, order_extend => 0,
        extended => 0, changed => 0, before => undef };
}


sub end
{
    my ($binding) = @_;
    my $end = $binding->{renewed} + $binding->{validity};

    return $binding->{ended} if exists $binding->{ended};
    return $end > $binding->{extended} ? $end : $binding->{extended};
}


sub protected_until
{
    my ($binding) = @_;

    return $binding->{start} + $binding->{protect};
}


sub state
{
    my ($binding, $now) = @_;

    return 'none' if !$binding->{owner};
    return 'expired' if $now >= end($binding);
    return $now < protected_until($binding) ? 'protected' : 'open';
}


sub valid
{
    my ($binding, $now) = @_;

    return $binding->{owner} && $now < end($binding);
}


my %above_the_clock = (free => 'none', frozen => 'frozen', waiting => 'transfer_pending', lapsed => 'open');

sub held
{
    my ($binding, $owner, $now) = @_;

    return valid($binding, $now) && $above_the_clock{$owner->{state}} || state($binding, $now);
}


# the reason, the binding afterwards

sub touch
{
    my ($policy, $binding, $owner, $seller, $buyer, $customer, $now) = @_;
    my $held = held($binding, $owner, $now);

    if ($seller == $buyer) {
        return ($held eq 'protected' && $binding->{owner} != $buyer ? 'KEEP_UPLINE' : 'SELF_BIND', $binding);
    }

    return renewal($policy, $binding, $now)
        if $binding->{owner} == $seller && $held ne 'none' && $held ne 'expired';

    return ('OWNER_FROZEN', $binding) if $held eq 'frozen';
    return ('TRANSFER_WAIT', $binding) if $held eq 'transfer_pending';

    return ($binding->{protect} == 9**9**9 ? 'SNATCH_FORBIDDEN' : 'PROTECT_HOLD', $binding) if $held eq 'protected';

    return ('NEW_USERS_ONLY', $binding) if $policy->{new_only} && $customer;

    my $reason = $held eq 'open' ? 'BIND_STOLEN' : $held eq 'expired' ? 'BIND_NEW_AFTER_EXPIRY' : 'BIND_NEW';

    my $taken = taken($policy, $binding, $seller, $now);

    return ($reason, $reason eq 'BIND_NEW' ? ended($taken, $now) : $taken);
}


# validity starts again, protection does not

sub renewal
{
    my ($policy, $binding, $now) = @_;

    return ('OK', $binding)
        if !$policy->{renew} || $now + $binding->{validity} <= end($binding);

    return ('BIND_RENEW', { %$binding, renewed => $now });
}


# who was bound before is remembered until his binding ended; nobody comes before himself, nor changes into himself

sub taken
{
    my ($policy, $binding, $seller, $now) = @_;
    my %change = $binding->{owner} == $seller ? map { $_ => $binding->{$_} } qw(before changed by)
        : (before => $binding, changed => $now);

    return {
        owner => $seller, origin => $binding->{origin} || $seller, start => $now, renewed => $now,
        validity => $policy->{validity}, protect => $policy->{protect}, order_extend => $policy->{order_extend},
        extended => 0, %change,
    };
}


# ... which ends at once where no touch took him over, or one that comes with orders by nature

sub ended
{
    my ($binding, $now) = @_;

    return $binding if !$binding->{before} || end($binding->{before}) <= $now;
    return { %$binding, before => { %{$binding->{before}}, ended => $now } };
}


sub inherit
{
    my ($binding, $owner, $now) = @_;

    return ('OK', $binding)
        if !valid($binding, $now) || $owner->{state} eq 'free' || $owner->{person} == $binding->{owner};

    return ('BIND_INHERITED', { %$binding, owner => $owner->{person} });
}


# an order that was placed then was paid

sub extend
{
    my ($binding, $ordered) = @_;

    return ('OK', $binding)
        if !$binding->{owner} || !$binding->{order_extend} || $ordered < $binding->{start}
        || $ordered < $binding->{changed} || !valid($binding, $ordered) || late_change($binding, $ordered);

    my $until = $ordered + $binding->{order_extend};

    return ('OK', $binding) if $until <= end($binding);

    return ('BIND_ORDER_EXTEND', { %$binding, extended => $until });
}


# did the owner come so shortly before the order that it was decided on the binding before?

sub late_change
{
    my ($binding, $ordered) = @_;

    return $binding->{before} && valid($binding->{before}, $ordered) && $ordered - $binding->{changed} < 10;
}


sub rebind
{
    my ($policy, $binding, $seller, $now) = @_;

    return ('BIND_ADMIN', ended(taken($policy, $binding, $seller, $now), $now));
}


# two buyers are one: the older valid binding stays

sub merge
{
    my ($kept, $other, $now) = @_;
    my @valid = grep { valid($_, $now) } $kept, $other;
    my $reason = @valid == 2 && $kept->{owner} != $other->{owner} ? 'MERGE_CONFLICT' : 'OK';

    return ($reason, $kept->{owner} || !$other->{owner} ? $kept : $other) if !@valid;
    return ($reason, @valid == 2 && $valid[1]{start} < $valid[0]{start} ? $valid[1] : $valid[0]);
}


sub before
{
    my ($binding) = @_;

    return $binding->{before} || none();
}

1;
