package Oracle::Commission;

# Copyright (C) ngx_commerce authors
#
# What tiers 1 and 2 get of a line: written from the manuals, not from src/.

use strict;
use warnings;


sub amounts
{
    my ($rate1, $rate2, $cap, $net) = @_;
    my $most = share($net, $cap, 0);
    my $tier1 = least(share($net, $rate1, 5000), $most);

    return ($tier1, least(share($net, $rate2, 5000), $most - $tier1));
}


# exact for all amounts: whole ten thousands apart, so that nothing exceeds 63 bits

sub share
{
    use integer;
    my ($net, $rate, $up) = @_;

    return $net / 10000 * $rate + ($net % 10000 * $rate + $up) / 10000;
}


sub least
{
    my ($one, $two) = @_;

    return $one < $two ? $one : $two;
}

1;
