package Oracle::Coverage;

# Copyright (C) ngx_commerce authors
#
# Which verdicts must come up in some thousand histories.

use strict;
use warnings;

my %verdicts = (
    touch => [qw(again none BIND_NEW BIND_NEW_AFTER_EXPIRY BIND_STOLEN BIND_RENEW OK PROTECT_HOLD SNATCH_FORBIDDEN
        SELF_BIND KEEP_UPLINE OWNER_FROZEN OWNER_INACTIVE OWNER_UNKNOWN TRANSFER_WAIT NEW_USERS_ONLY)],
    inherited => [qw(BIND_INHERITED)],
    held => [qw(none protected open expired frozen transfer_pending)],
    standing => [qw(free active frozen lapsed waiting)],
    free => [qw(OWNER_UNKNOWN OWNER_INACTIVE TRANSFER_REFUSED TRANSFER_FULL)],
    line => [qw(house protected live_room share promoter group open channel plain)],
    winner => [qw(ATTR_OK ATTR_DIRECT SELF_PURCHASE)],
    paid => [qw(OK BIND_ORDER_EXTEND)],
    rebind => [qw(BIND_ADMIN)],
    merge => [qw(OK MERGE_CONFLICT)],
    join => [qw(OK LINEAGE_UNKNOWN OWNER_INACTIVE OWNER_FROZEN TIER_SELF LINEAGE_LOOP ALREADY_JOINED
        TIER_DEPTH_EXCEEDED INTERNAL)],
    lineage => [qw(OK LINEAGE_TRUNCATED TIER_UNVERIFIED)],
);


# those that none of these histories' lines give, as kind:verdict

sub missing
{
    my %given;

    given(\%given, $_) for map { @$_ } @_;

    return grep { !$given{$_} } map { my $kind = $_; map { "$kind:$_" } @{$verdicts{$kind}} } sort keys %verdicts;
}


sub given
{
    my ($given, $line) = @_;
    my ($kind, @words) = split ' ', $line;

    $given->{"$kind:$words[0]"} = 1 if $kind =~ /^(?:touch|standing|paid|rebind|merge|join)$/;
    $given->{"inherited:$words[2]"} = 1 if $kind eq 'touch';
    $given->{"held:$words[5]"} = 1 if $kind eq 'touch' && $words[0] ne 'again';
    $given->{"lineage:$words[2]"} = 1 if $kind eq 'lineage' && @words > 2;
    $given->{"free:$words[2]"} = 1 if $kind eq 'standing' && $words[0] eq 'free';

    return if $kind ne 'order';

    $given->{"inherited:$words[0]"} = 1;

    for my $told (split / \| /, join ' ', @words[1 .. $#words]) {
        my ($source, $reason) = split ' ', $told;

        $given->{"line:$source"} = $given->{"winner:$reason"} = 1;
    }
}

1;
