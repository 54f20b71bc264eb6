package Oracle::Lineage;

# Copyright (C) ngx_commerce authors
#
# Who is paid, who may join under whom: written from the manuals, not from src/.

use strict;
use warnings;

use Oracle::Owner;

use constant { STEPS => 64 };

my %salaried = map { $_ => 1 } qw(employee guide clerk staff);


sub recruiter
{
    my ($person) = @_;

    return $salaried{$person->{role}} ? 0 : $person->{upline};
}


# ($what, @numbers) from this person up to the root: what is root, loop or unreadable

sub ancestors
{
    my ($directory, $person) = @_;
    my (%seen, @way);

    $seen{$person->{number}} = 1;

    while (my $up = recruiter($person)) {
        return ('loop', @way) if $seen{$up}++ || @way == STEPS;

        $person = $directory->{$up};
        return ('unreadable', @way) if !$person || $person->{broken};

        push @way, $up;
    }

    return ('root', @way);
}


# the same human under another number

sub same_user
{
    my ($one, $two) = @_;

    return length $one->{user} && $one->{user} eq $two->{user};
}


# { tier2, depth, reason } when this seller is credited; whose way up nobody knows has no depth

sub of
{
    my ($directory, $seller, $buyer) = @_;
    my ($what, @way) = ancestors($directory, $seller);
    my $recruiter = @way && $directory->{$way[0]};

    my $paid = $recruiter && $what ne 'loop' && Oracle::Owner::judge($seller) eq 'OK'
        && $recruiter->{status} eq 'active' && $recruiter->{number} != $buyer && !same_user($seller, $recruiter);

    return {
        tier2 => $paid ? $recruiter->{number} : 0,
        depth => $what eq 'root' ? 1 + @way : '-',
        reason => $what ne 'root' ? 'TIER_UNVERIFIED' : @way > 1 ? 'LINEAGE_TRUNCATED' : 'OK',
    };
}


# person: undef = somebody new

sub join
{
    my ($directory, $strict, $person, $has_downline, $parent) = @_;

    return 'LINEAGE_UNKNOWN' if !$parent;

    my $judged = Oracle::Owner::judge($parent);

    return $judged if $judged ne 'OK';
    return 'TIER_SELF' if $person && ($person->{number} == $parent->{number} || same_user($person, $parent));

    my ($what, @way) = ancestors($directory, $parent);

    return 'LINEAGE_LOOP' if $what eq 'loop' || $person && grep { $_ == $person->{number} } @way;
    return 'ALREADY_JOINED' if $person && ($person->{upline} || $salaried{$person->{role}});
    return 'INTERNAL' if $what eq 'unreadable';
    return 'TIER_DEPTH_EXCEEDED' if $strict && ($has_downline || @way >= 1);

    return 'OK';
}

1;
