package Model::Sale;

# Copyright (C) ngx_commerce authors
#
# Orders for money: one, or two that are paid together, and what is told of them.  Unlike Model::Order this is
# no set of states: whoever tells of a payment or a refund repeats it until it is taken, and in whatever order
# all of it arrives, what comes out depends on what was told alone.  So the end is known to the fen, and on the
# way there every answer lies between what was taken before it was asked and what was ever sent.
#
#   my $purse = Model::Sale::purse($rng, name => 's1c1n1', user => 'buyer1', codes => [...], count => 2);
#
#   $purse      {pay, sales [Model::Sale], facts [transactions]}
#   $sale       {user, key, id, purse, paid [of each line], due, facts [refunds, settlement]}
#   $fact       {kind (paid refund settle), number, fen, line, whole; tries, taken (when it was answered), done
#               (200 and not only kept)}

use strict;
use warnings;

use List::Util qw(min sum0);


sub purse
{
    my ($rng, %option) = @_;
    my $purse = { pay => "P-$option{name}", sales => [], facts => [] };

    for my $i (1 .. $option{count}) {
        push @{$purse->{sales}}, _new($rng, $purse, "$option{name}x$i", $option{user}, shift @{$option{codes}});
    }

    # in up to three parts: all of it, less, or (where it is plain whose it is) more

    my $due = sum0(map { $_->{due} } @{$purse->{sales}});
    my @cuts = sort { $a <=> $b } map { 1 + $rng->below($due - 1) } 1 .. $rng->below(3);
    my @parts = map { $_->[1] - $_->[0] } map { [ $_ ? $cuts[$_ - 1] : 0, $cuts[$_] // $due ] } 0 .. @cuts;
    my $kind = $rng->below(100);

    pop @parts if $kind < 12 && @parts > 1;
    push @parts, 1 + $rng->below(500) if $kind > 90 && $option{count} == 1;
    $purse->{more} = sum0(@parts) > $due;

    my $n = 0;

    push @{$purse->{facts}}, { kind => 'paid', number => "T-$option{name}-" . ++$n, fen => $_, tries => 0 }
        for grep { $_ > 0 } @parts;

    $_->_refunds($rng) for @{$purse->{sales}};

    return $purse;
}


sub _new
{
    my ($rng, $purse, $key, $user, $code) = @_;
    my @amounts = (2000 + $rng->below(3000), 1000 + $rng->below(3000));
    my $discount = defined $code ? 1000 : 0;
    my @off = spread($discount, @amounts);
    my @paid = map { $amounts[$_] - $off[$_] } 0 .. $#amounts;
    my $freight = $rng->chance(40) ? 1 + $rng->below(600) : 0;

    return bless {
        user => $user, key => $key, id => "N-$key", purse => $purse, amounts => \@amounts, paid => \@paid,
        freight => $freight, due => sum0(@paid) + $freight, facts => [], history => [], cause => {},
        contents => [ { amount => sum0(@amounts), coupons => [ defined $code ? $code : () ] } ],
    };
}


# whatever their order, each of them fits

sub _refunds
{
    my ($self, $rng) = @_;
    my @left = @{$self->{paid}};
    my $room = sum0(@left);
    my @facts;

    for (1 .. $rng->below(4)) {
        my $line = $rng->chance(60) ? $rng->below(scalar @left) : undef;
        my $most = int(min($room, defined $line ? $left[$line] : $room) / 2) or next;
        my $fen = 1 + $rng->below($most);

        $room -= $fen;
        $left[$line] -= $fen if defined $line;
        push @facts, { fen => $fen, defined $line ? (line => $line + 1) : () };
    }

    my $end = $rng->below(100);

    push @facts, { fen => $room + ($rng->chance(50) ? $self->{freight} : 0) } if $end < 35 && $room > 0;
    push @facts, { whole => 1 } if $end > 85 && !$self->{purse}{more};

    my $n = 0;

    $_->{number} = "R-$self->{key}-" . ++$n for @facts;
    push @facts, { kind => 'settle', number => 'settle' } if $rng->chance(30);

    $self->{facts} = [ map { { kind => 'refund', tries => 0, %$_ } } @facts ];
}


# largest remainder, ties to the earlier

sub spread
{
    my ($total, @weights) = @_;
    my $sum = sum0(@weights) or return map { 0 } @weights;
    my @parts = map { int($total * $_ / $sum) } @weights;
    my @rest = map { $total * $_ % $sum } @weights;
    my @most = sort { $rest[$b] <=> $rest[$a] || $a <=> $b } 0 .. $#weights;

    $parts[$_]++ for @most[0 .. $total - sum0(@parts) - 1];

    return @parts;
}


sub _refunds_if { my ($self, $if) = @_; return grep { $_->{kind} eq 'refund' && $if->($_) } @{$self->{facts}} }


# all that was given back, by these refunds

sub given_back
{
    my ($self, $if) = @_;
    my @refunds = $self->_refunds_if($if);

    return (grep { $_->{whole} } @refunds) ? $self->{due} : sum0(map { $_->{fen} } @refunds);
}


# what each line has left, when all that was sent was taken

sub net
{
    my ($self) = @_;
    my @left = @{$self->{paid}};
    my @refunds = $self->_refunds_if(sub { $_[0]{tries} });

    return map { 0 } @left if grep { $_->{whole} } @refunds;

    $left[$_->{line} - 1] -= $_->{fen} for grep { $_->{line} } @refunds;

    my $lineless = min(sum0(@left), sum0(map { $_->{line} ? 0 : $_->{fen} } @refunds));
    my @parts = spread($lineless, @left);

    return map { $left[$_] - $parts[$_] } 0 .. $#left;
}


sub refund_numbers { return sort map { $_->{number} } $_[0]->_refunds_if(sub { $_[0]{tries} }) }
sub settled        { return scalar grep { $_->{kind} eq 'settle' && $_->{tries} } @{$_[0]{facts}} }


# money of these transactions

sub brought
{
    my ($purse, $if) = @_;

    return sum0(map { $_->{fen} } grep { $if->($_) } @{$purse->{facts}});
}


# what was told of, how often, and what was taken

sub states { return 'told ' . join ' ', map { "$_->{number}:$_->{tries}" . ($_->{done} ? '!' : '') }
                 @{$_[0]{purse}{facts}}, @{$_[0]{facts}} }


# What cannot be about an answer: (text, ...).  entry: what it says of the order; fact, replay as answered.

sub wrong
{
    my ($self, $entry, $op) = @_;
    my $purse = $self->{purse};
    my $fact = $op->{fact};
    my $before = sub { defined $_[0]{taken} && $_[0]{taken} < $op->{time} };
    my $replay = ($entry->{reason} // '') eq 'ORDER_REPLAY';
    my $alone = @{$purse->{sales}} == 1;
    my $over = $entry->{state} =~ /^(?:paid|refunded|settled)$/;
    my @wrong;

    push @wrong, "state $entry->{state}" if $entry->{state} !~ /^(?:placed|paid|refunded|settled)$/;
    push @wrong, 'paid before, and not any more' if !$over && defined $self->{over} && $self->{over} < $op->{time};
    push @wrong, 'a repetition of nothing'
        if $replay && $fact->{tries} == 1 && ($fact->{kind} eq 'refund' || ($alone && $fact->{kind} eq 'paid'));
    push @wrong, 'done twice' if !$replay && $alone && $self->_done_so($op);
    push @wrong, "reason $entry->{reason}"
        if $entry->{reason} !~ /^(?:OK|ORDER_REPLAY|PAYMENT_PARTIAL|PAYMENT_EXCESS|REFUND_AFTER_SETTLE)$/;
    push @wrong, "due $entry->{due}, not $self->{due}" if defined $entry->{due} && $entry->{due} != $self->{due};

    if ($alone && defined $entry->{received}) {
        my ($least, $most) = map { brought($purse, $_) } $before, sub { $_[0]{tries} };

        push @wrong, "received $entry->{received}, not $least to $most"
            if $entry->{received} < $least || $entry->{received} > $most;
        push @wrong, "$entry->{state} with $entry->{received} of $self->{due}"
            if ($entry->{received} >= $self->{due} ? 1 : 0) != ($over ? 1 : 0);
    }

    if ($over && defined $entry->{refunded}) {
        my ($least, $most) = map { $self->given_back($_) } $before, sub { $_[0]{tries} };

        # the money of an order that has not named the payment yet is with the other one: all of it is that, too

        my $with = $alone ? 0 : brought($purse, sub { $_[0]{tries} });

        $most = $with if $most < $with && $self->_refunds_if(sub { $_[0]{whole} && $_[0]{tries} });

        push @wrong, "refunded $entry->{refunded}, not $least to $most"
            if $entry->{refunded} < $least || $entry->{refunded} > $most;
    }

    return @wrong;
}


# The same was taken before.  That a transaction belongs to a payment is news, if only its order was named then.

sub _done_so
{
    my ($self, $op) = @_;
    my $fact = $op->{fact};
    my $when = $fact->{kind} eq 'paid' && $op->{shape} ne 'id' ? $fact->{done_named} : $fact->{done};

    return defined $when && $when < $op->{time};
}


# What cannot be about the order as it is in the end, when all that was sent was taken.

sub wrong_end
{
    my ($self, $shown) = @_;
    my $purse = $self->{purse};
    my $paid = ($shown->{received} // -1) >= $self->{due};
    my @net = $self->net;
    my $full = !sum0(@net);
    my $state = !$paid ? 'placed' : $full ? 'refunded' : $self->settled ? 'settled' : 'paid';
    my @wrong;

    push @wrong, "$shown->{state}, not $state" if $shown->{state} ne $state;
    push @wrong, "due $shown->{due}, not $self->{due}" if $shown->{due} != $self->{due};

    if (@{$purse->{sales}} == 1) {
        my $brought = brought($purse, sub { $_[0]{tries} });

        push @wrong, "received $shown->{received}, not $brought" if $shown->{received} != $brought;
    }

    my $uses = join '', map { $_->{use} } @{$shown->{coupons}};
    my $want = !$paid ? qr/^(?:reserved|released)$/ : $full ? qr/^rolled_back$/ : qr/^redeemed$/;

    push @wrong, "coupon $uses" if @{$self->{contents}[0]{coupons}} ? $uses !~ $want : $uses;

    my @numbers = sort map { $_->{number} } @{$shown->{refunds}};
    my @waiting = sort map { $_->{refund} // () } @{$shown->{waiting}};
    my @told = $self->refund_numbers;

    push @wrong, "refunds @numbers, not @told" if "@numbers" ne ($paid ? "@told" : '');
    push @wrong, "waiting @waiting, not @told" if "@waiting" ne ($paid ? '' : "@told");

    return @wrong if !$paid;

    my @lines = map { join ' ', @$_{qw(paid refunded net)} } @{$shown->{lines}};
    my @want = map { join ' ', $self->{paid}[$_], $self->{paid}[$_] - $net[$_], $net[$_] } 0 .. $#net;
    my $given = $self->given_back(sub { $_[0]{tries} });

    push @wrong, 'lines ' . join(', ', @lines) . ', not ' . join(', ', @want) if "@lines" ne "@want";
    push @wrong, "refunded $shown->{refunded}, not $given" if $shown->{refunded} != $given;

    return @wrong;
}


1;
