package Histories;

# Copyright (C) ngx_commerce authors
#
# Random histories for the oracle: policies, people, and what happens to two buyers; and what the two sides say to
# them, compared.
#
#     my $difference = Histories::compare($oracle, $seed, $count);         # undef: none
#
# Times are taken from where the rules change: a second before, at and after each end of each policy.

use strict;
use warnings;

use IPC::Open2 qw(open2);

use Rules;

use constant { PIECE => 500, FOREVER => -1 };

sub pick { return $_[rand @_] }

sub histories
{
    my ($seed) = @_;

    srand $seed;

    my %h = (now => 10_000, lines => [ 'H' ]);

    policy(\%h);
    people(\%h);
    push @{$h{lines}}, step(\%h) for 1 .. 4 + rand 16;

    return @{$h{lines}};
}

sub policy
{
    my ($h) = @_;
    my $validity = pick(30, 50, 100, 100, FOREVER);
    my $protect = pick(0, 1, 10, 20, $validity, $validity == FOREVER ? FOREVER : 29);

    @$h{qw(validity protect wait grace extend)} = ($validity, $protect, pick(0, 1, 15), pick(0, 12, FOREVER), pick(0, 0, 40, 200));
    push @{$h->{lines}}, join ' ', 'P', $validity, $protect, $h->{extend}, pick(0, 1), pick(0, 0, 1), pick(0, 1, 2),
        @$h{qw(wait grace)};

    return;
}

# ten people who may have recruited, followed or be each other; sometimes one of the long chains of pyramids

sub people
{
    my ($h) = @_;

    push @{$h->{lines}}, person($h, $_) for 1 .. 10;

    if (rand() < 0.05) {
        my $depth = pick(51, 62, 63, 64, 65, 66, 70);
        push @{$h->{lines}}, "p $_ 4 0 9000 " . ($_ < 20 + $depth ? $_ + 1 : pick(0, 0, 20)) . ' 0 0 0' for 20 .. 20 + $depth;
    }

    if (rand() < 0.05) {
        push @{$h->{lines}}, "p $_ 4 2 9000 0 " . ($_ + 1) . ' 1 0' for 2 .. pick(5, 8, 9, 10);
    }

    return;
}

sub person
{
    my ($h, $n) = @_;
    my $status = pick(0, 0, 0, 0, 1, 2, 2, 3);

    $h->{status}{$n} = $status;

    return join ' ', 'p', $n, pick(0, 3, 4, 4, 5, 6, 7, 8), $status, $h->{now} - pick(0, 1, 11, 12, 13, 14, 15, 16, 500),
        pick(0, 0, 1 .. 11), $status == 2 ? pick(0, 1 .. 11) : 0, pick(0, 0, 1, 2, 3), pick(0, 0, 1 .. 4);
}

sub later
{
    my ($h) = @_;
    my @ends = map { $_ == FOREVER ? () : ($_ - 1, $_, $_ + 1) } @$h{qw(validity protect wait grace extend)};

    my $seconds = pick(0, 0, 1, 9, 10, 11, @ends);

    return $h->{now} += $seconds > 0 ? $seconds : 0;
}

sub step
{
    my ($h) = @_;
    my $kind = pick(qw(t t t t t x r m q e w w l j c v p));
    my $b = pick(0, 0, 0, 1);

    return "t $b " . later($h) . ' ' . join ' ', pick(1 .. 11), pick(0, 1 .. 4), pick(0, 1) if $kind eq 't';
    return "x $b " . ($h->{now} - pick(0, 0, 1, 9, 10, 30, 100)) if $kind eq 'x';
    return "r $b " . pick(0, 1 .. 10) . ' ' . later($h) if $kind eq 'r' && rand() < 0.4;
    return 'm ' . later($h) if $kind eq 'm' && rand() < 0.5;
    return "e $b " . later($h) . ' ' . join ' ', pick(1 .. 10), pick(0, 1, 2), $h->{now} - pick(0, 1, 8, 9, 10, 11) if $kind eq 'e';
    return winner($h) if $kind eq 'w';
    return 'l ' . join ' ', pick(1 .. 11, 20, 21), pick(0, 1 .. 10) if $kind eq 'l';
    return 'j ' . join ' ', pick(0, 1), pick(0, 0, 1 .. 11), pick(0, 0, 1), pick(1 .. 11, 20, 21) if $kind eq 'j';
    return amounts() if $kind eq 'c';
    return "v " . later($h) . ' ' . join ' ', pick(1 .. 20), pick(10, 50), pick(0, 0, 1) if $kind eq 'v';
    return person($h, pick(1 .. 10)) if $kind eq 'p';
    return "q $b " . later($h);
}

# one candidate of each class, but any number of promoters; whoever left may still be credited for a while

sub winner
{
    my ($h) = @_;
    my @classes = grep { rand() < 0.5 } 1 .. 8;
    my @all = map {
        my $seller = pick(0, 1 .. 11);
        join ' ', $_, $seller, ($h->{status}{$seller} // 0) == 2 ? pick(0, 1) : 0, $_ == 4 ? pick(-1, 0 .. 7) : -1
    } map { $_ == 4 ? (4) x (1 + rand 3) : $_ } @classes;

    return join ' ', 'w', pick(0, 1, 2), pick(0, 1, 2), pick(0, 1 .. 10), pick(0, 1, 2), scalar @all, @all;
}

sub amounts
{
    my $cap = pick(0, 1, 1500, 3000, 10000);
    my $one = int rand $cap + 1;

    return join ' ', 'c', $cap, $one, int(rand($cap - $one + 1)), pick(0, 1, 3, 33, 9999, 10000, int rand 1e6, 1e12);
}


# lines that are answered at all

sub answered { return $_[0] !~ /^[HPp]/ }

sub compare
{
    my ($oracle, $seed, $count) = @_;

    for (my $done = 0; $done < $count; $done += PIECE) {
        my @seeds = map { $seed + $done + $_ } 0 .. ($count - $done < PIECE ? $count - $done : PIECE) - 1;
        my @histories = map { [ histories($_) ] } @seeds;
        my @told = ask($oracle, map { @$_ } @histories);

        for my $i (0 .. $#histories) {
            my $lines = $histories[$i];
            my @own = splice @told, 0, scalar grep { answered($_) } @$lines;

            return difference($oracle, $seeds[$i], $lines) if join("\n", @own) ne join "\n", expected(@$lines);
        }
    }

    return;
}

sub expected
{
    my $rules = Rules->new;

    return grep { defined } map { scalar $rules->answer($_) } @_;
}

sub ask
{
    my ($oracle, @lines) = @_;
    my $pid = open2(my $out, my $in, $oracle);

    if (!fork) {                        # whoever only writes would wait for whoever only writes
        close $out;
        print {$in} map { "$_\n" } @lines;
        close $in;
        require POSIX;
        POSIX::_exit(0);
    }

    close $in;
    chomp(my @answers = <$out>);
    close $out;
    1 while wait != -1;

    return @answers;
}

# the history without any line that it differs without

sub difference
{
    my ($oracle, $seed, $lines) = @_;
    my @lines = @$lines;
    my $differs = sub { return join("\n", ask($oracle, @_)) ne join "\n", expected(@_) };

    for (my $i = $#lines; $i > 1; $i--) {
        my @less = @lines[grep { $_ != $i } 0 .. $#lines];
        @lines = @less if $differs->(@less);
    }

    my @told = ask($oracle, @lines);
    my @expected = expected(@lines);
    my $text = "history of seed $seed:\n";

    for my $line (@lines) {
        $text .= "  $line\n";
        next unless answered($line);

        my ($a, $b) = (shift @told, shift @expected);
        $text .= "    src:   $a\n" . ($a eq $b ? '' : "    rules: $b\n");
    }

    return $text;
}

1;
