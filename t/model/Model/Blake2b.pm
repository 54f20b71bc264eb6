package Model::Blake2b;

# Copyright (C) ngx_commerce authors
#
# BLAKE2b-512 (RFC 7693) without a key, which core Perl does not have: the event log's chain is made with it.

use strict;
use warnings;
use integer;

my @IV = map { unpack 'q', pack 'H*', join '', reverse /../g } qw(
    6a09e667f3bcc908 bb67ae8584caa73b 3c6ef372fe94f82b a54ff53a5f1d36f1
    510e527fade682d1 9b05688c2b3e6c1f 1f83d9abfb41bd6b 5be0cd19137e2179);

my @SIGMA = (
    [ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 ],
    [ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 ],
    [ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 ],
    [ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 ],
    [ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 ],
    [ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 ],
    [ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 ],
    [ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 ],
    [ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 ],
    [ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 ],
);

my @MIX = ([ 0, 4, 8, 12 ], [ 1, 5, 9, 13 ], [ 2, 6, 10, 14 ], [ 3, 7, 11, 15 ],
           [ 0, 5, 10, 15 ], [ 1, 6, 11, 12 ], [ 2, 7, 8, 13 ], [ 3, 4, 9, 14 ]);


sub blake2b_hex
{
    my ($data) = @_;
    my @h = @IV;
    my $length = length $data;
    my $at = 0;

    $h[0] ^= 0x01010000 ^ 64;

    while ($length - $at > 128) {
        _compress(\@h, substr($data, $at, 128), $at + 128, 0);
        $at += 128;
    }

    _compress(\@h, substr($data, $at) . "\0" x (128 - ($length - $at)), $length, -1);

    return unpack 'H*', pack 'q<8', @h;
}


sub _compress
{
    my ($h, $block, $count, $last) = @_;
    my @m = unpack 'q<16', $block;
    my @v = (@$h, @IV);

    $v[12] ^= $count;
    $v[14] ^= $last;

    for my $round (0 .. 11) {
        my $s = $SIGMA[$round % 10];

        for my $i (0 .. 7) {
            my ($a, $b, $c, $d) = @{$MIX[$i]};
            my $x;

            $v[$a] += $v[$b] + $m[$s->[2 * $i]];
            $x = $v[$d] ^ $v[$a];
            $v[$d] = (($x >> 32) & 0xffffffff) | ($x << 32);
            $v[$c] += $v[$d];
            $x = $v[$b] ^ $v[$c];
            $v[$b] = (($x >> 24) & 1_099_511_627_775) | ($x << 40);
            $v[$a] += $v[$b] + $m[$s->[2 * $i + 1]];
            $x = $v[$d] ^ $v[$a];
            $v[$d] = (($x >> 16) & 281_474_976_710_655) | ($x << 48);
            $v[$c] += $v[$d];
            $x = $v[$b] ^ $v[$c];
            $v[$b] = (($x >> 63) & 1) | ($x << 1);
        }
    }

    $h->[$_] ^= $v[$_] ^ $v[$_ + 8] for 0 .. 7;
}


1;
