package Model::Order;

# Copyright (C) ngx_commerce authors
#
# One order, as the documentation tells its life and not as the code does it: the set of states that it can
# be in, given what was answered and what was not.
#
#   my $order = Model::Order->new(user => 'u1', key => 'k1', port => {...}, clock => $clock);
#
#   $order->sent($move)             a request that concerns the order is on its way
#   $order->answered($n, $result)   move n was answered; false: no possible state explains the answer
#   $order->over($n)                an order request that reached the storefront is over
#   $order->refused($n)             move n was refused and surely did nothing
#   $order->silent($n)              nobody will ever answer move n: it may have happened, or may still happen
#   $order->reached($n, $result)    the storefront got the order request n
#   $order->effect($move)           something that may happen from now on without being asked for
#   $order->states                  all states that are possible now
#   $order->known($state)           somebody looked: the state is this one; false: it cannot be
#
# A state is "st try re gen uses id parked amount":
#
#   st      none pending unknown placed paid cancelled
#   try     the order request that is, or was last, with the storefront
#   re      1: that try was a retry
#   gen     which content (a key is free again after a refusal)
#   uses    a character for each coupon: R reserved, D redeemed, F released, B rolled back, L lost
#   id      1: the gateway knows the storefront's id
#   parked  - nothing, P a payment, C a cancellation waits for that id
#   amount  1: the storefront asked for another amount
#
# A configuration is a state and what became of each move: nothing yet, or a result that its answer has to be.
# Whenever something is seen, the configurations that explain it survive.

use strict;
use warnings;


sub new
{
    my ($class, %option) = @_;

    my $start = join ' ', 'none', 0, 0, 0, '', 0, '-', 0;

    return bless {
        %option,                    # user key port clock
        moves    => {},
        configs  => { $start => [ $start, {} ] },
        contents => [],
        tries    => {},
    }, $class;
}


# the number of a content: lines' amount and coupons

sub gen
{
    my ($self, $content) = @_;

    for my $i (0 .. $#{$self->{contents}}) {
        return $i if $self->{contents}[$i]{fingerprint} eq $content->{fingerprint};
    }

    push @{$self->{contents}}, $content;

    return $#{$self->{contents}};
}


sub sent
{
    my ($self, $move) = @_;

    $self->{moves}{$move->{n}} = $move;
    delete $self->{closed};

    if ($move->{type} =~ /^(?:order|apply|remove|complete)$/) {
        $self->{tries}{$move->{n}} = { sent => $move->{time} };
        $self->effect({ n => "go$move->{n}", type => 'let_go', try => $move->{n}, place => $move->{place} });
    }

    return $self;
}


sub effect
{
    my ($self, $move) = @_;

    $self->{moves}{$move->{n}} = { %$move, silent => 1 };
    delete $self->{closed};
}


sub silent
{
    my ($self, $n) = @_;

    $self->{moves}{$n}{silent} = 1 if $self->{moves}{$n};
    delete $self->{closed};
}


sub refused
{
    my ($self, $n) = @_;

    $self->_keep(sub { !defined $_[1]{$n} });
    delete $self->{moves}{$n};

    return $self->_compact;
}


sub reached
{
    my ($self, $n, $result) = @_;

    $self->{tries}{$n}{reached} //= $self->{clock}->now;

    my $fits = $self->_observe($n, $result);

    # it is with the storefront: nobody lets go of it

    delete $self->{moves}{"go$n"};
    $self->_keep(sub { !defined $_[1]{"go$n"} });

    return $fits && $self->_compact;
}


sub answered
{
    my ($self, $n, $result) = @_;

    return $self->_compact if !$self->{moves}{$n};

    my $fits = $self->_observe($n, $result);

    delete $self->{moves}{$n};
    delete $self->{moves}{"go$n"};

    return $fits && $self->_compact;
}


# a request that reached the storefront is over: what its answer did to the order is an effect of its own

sub over
{
    my ($self, $n) = @_;

    delete $self->{moves}{$n};
    $self->_compact;
}


# keeps the configurations in which move n had this result, or can have it by now

sub _observe
{
    my ($self, $n, $result) = @_;
    my %kept;

    for my $config (values %{$self->_closure($n, $result)}) {
        $kept{_name($config)} = $config if ($config->[1]{$n} // '') eq $result;
    }

    $self->{configs} = \%kept;
    delete $self->{closed};

    return scalar keys %kept;
}


sub _keep
{
    my ($self, $code) = @_;

    for my $name (keys %{$self->{configs}}) {
        delete $self->{configs}{$name} unless $code->(@{$self->{configs}{$name}});
    }

    delete $self->{closed};
}


# forgets the results of moves that are over

sub _compact
{
    my ($self) = @_;
    my %configs;

    for my $config (values %{$self->{configs}}) {
        my %done = map { $_ => $config->[1]{$_} } grep { $self->{moves}{$_} } keys %{$config->[1]};
        my $compact = [ $config->[0], \%done ];

        $configs{_name($compact)} = $compact;
    }

    $self->{configs} = \%configs;
    delete $self->{closed};

    return scalar keys %configs;
}


sub _name
{
    my ($config) = @_;
    my $done = $config->[1];

    return join ' ', $config->[0], map { "$_=$done->{$_}" } sort keys %$done;
}


# all configurations that can be reached from the present ones

sub _closure
{
    my ($self, $n, $result) = @_;
    my %seen = %{$self->{configs}};
    my @open = values %seen;

    while (my $config = shift @open) {
        my ($state, $done) = @$config;
        my @next;

        for my $move (map { $self->{moves}{$_} } keys %{$self->{moves}}) {
            next if defined $done->{$move->{n}};

            for my $step ($self->_apply($move, [ split / /, $state, -1 ])) {
                my ($what, @to) = @$step;

                next if defined $n && $move->{n} eq $n && $what ne $result;

                my %done = (%$done, $move->{n} => $what);

                # of the outcomes of one try one comes true

                if ($move->{outcome}) {
                    $done{$_} = 'over' for grep { ($self->{moves}{$_}{outcome} // '') eq $move->{outcome}
                                                  && !defined $done{$_} } keys %{$self->{moves}};
                }

                push @next, [ join(' ', @to), \%done ];
            }
        }

        push @next, map { [ join(' ', @$_), $done ] } $self->_by_time([ split / /, $state, -1 ]);

        for my $config (@next) {
            my $name = _name($config);

            next if $seen{$name};
            die "the model of $self->{user} $self->{key} has too many states\n" if keys %seen > 200_000;
            $seen{$name} = $config;
            push @open, $config;
        }
    }

    return \%seen;
}


sub closed
{
    my ($self) = @_;

    return $self->{closed} //= $self->_closure;
}


sub states
{
    my ($self) = @_;
    my %states = map { $_->[0] => 1 } values %{$self->closed};

    return sort keys %states;
}


# what changes with the clock is seen at once

sub time_passed { delete $_[0]{closed} }


# the outside view "st uses id" of an order that nobody is at any more

sub known
{
    my ($self, $st, $uses, $gen, $id) = @_;
    my %configs;

    for my $config (values %{$self->closed}) {
        my @state = split / /, $config->[0], -1;

        next if $state[0] ne $st;
        next if $st ne 'none' && ($state[4] ne $uses || $state[3] != $gen || $state[5] != $id);

        $configs{$config->[0]} = [ $config->[0], {} ];
    }

    return 0 unless %configs;

    $self->{configs} = \%configs;
    $self->{moves} = {};
    delete $self->{closed};

    return 1;
}


# which coupons it may hold now, which it surely holds: (\%maybe, \%surely)

sub holds
{
    my ($self) = @_;
    my (%maybe, %count);
    my @states = $self->states;

    for my $state (@states) {
        my (undef, undef, undef, $gen, $uses) = split / /, $state, -1;
        my $coupons = $self->{contents}[$gen] ? $self->{contents}[$gen]{coupons} : [];

        for my $i (0 .. length($uses) - 1) {
            next if substr($uses, $i, 1) !~ /[RD]/;
            $maybe{$coupons->[$i]} = 1;
            $count{$coupons->[$i]}++;
        }
    }

    return (\%maybe, { map { $_ => 1 } grep { $count{$_} == @states } keys %count });
}


sub may_be
{
    my ($self, $pattern) = @_;

    return scalar grep { /$pattern/ } $self->states;
}


# what a move can do: ([result, @state], ...)

sub _apply
{
    my ($self, $move, $state) = @_;
    my $type = $move->{type};

    return $self->_order($move, @$state) if $type eq 'order';
    return $self->_confirm($move, @$state) if $type eq 'confirm';
    return $self->_cancel($move, @$state) if $type eq 'cancel';
    return $self->_let_go($move, @$state) if $type eq 'let_go';
    return $self->_accepted($move, @$state) if $type eq 'accepted';
    return $self->_failed($move, @$state) if $type eq 'failed';
    return $self->_unknown($move, @$state) if $type eq 'unknown';

    die "no such move: $type\n";
}


# an order request: forwarded (as a retry or not, with which coupons), or refused

sub _order
{
    my ($self, $move, $st, $try, $re, $gen, $uses, $id, $parked, $amount) = @_;
    my $wanted = @{$self->{contents}[$move->{gen}]{coupons}};

    if ($st eq 'none') {
        return ([ 'fwd0:' . '1' x $wanted, 'pending', $move->{n}, 0, $move->{gen}, 'R' x $wanted, 0, $parked, 0 ],
                $wanted ? [ 'coupon', $st, $try, $re, $gen, $uses, $id, $parked, $amount ] : ());
    }

    my @same = ($st, $try, $re, $gen, $uses, $id, $parked, $amount);

    return [ 'reused', @same ] if $gen != $move->{gen};

    if ($st =~ /^(?:placed|paid|cancelled)$/) {
        (my $named = $uses) =~ tr/RDFBL/11000/;
        return [ "fwd1:$named", @same ];
    }

    my @results;

    push @results, [ 'inflight', @same ] if $st eq 'pending';

    if ($st eq 'unknown' || $self->_expired($try)) {
        (my $again = $uses) =~ tr/F/R/;

        push @results, [ 'fwd1:' . '1' x $wanted, 'pending', $move->{n}, 1, $gen, $again, $id, $parked, $amount ];
        push @results, [ 'coupon', @same ] if $uses =~ /F/;
    }

    return @results;
}


sub _confirm
{
    my ($self, $move, @state) = @_;
    my ($st, $try, $re, $gen, $uses, $id, $parked, $amount) = @state;

    if ($move->{by} eq 'id' && !$id) {
        $state[6] = 'P' if $parked eq '-';
        return [ 'parked', @state ];
    }

    return [ '404', @state ] if $st eq 'none';
    return [ 'closed', @state ] if $st eq 'cancelled';
    return ([ 'replay', @state ], $amount ? [ 'amount', @state ] : ()) if $st eq 'paid';

    return map { [ $amount ? 'amount' : $_ =~ /L/ && $uses !~ /L/ ? 'lost' : 'ok',
                   'paid', $try, $re, $gen, $_, $id, $parked, $amount ] } $amount ? $uses : _paid($uses);
}


# reserved ones are redeemed; a released one is taken again if it is free

sub _paid
{
    my ($uses) = @_;
    my @results = ('');

    for my $use (split //, $uses) {
        my @then = $use eq 'R' ? 'D' : $use eq 'F' ? ('D', 'L') : $use;

        @results = map { my $so_far = $_; map { "$so_far$_" } @then } @results;
    }

    return @results;
}


sub _cancel
{
    my ($self, $move, @state) = @_;
    my ($st, $try, $re, $gen, $uses, $id, $parked, $amount) = @state;

    if ($move->{by} eq 'id' && !$id) {
        $state[6] = 'C';
        return [ 'parked', @state ];
    }

    return [ '404', @state ] if $st eq 'none';
    return [ 'replay', @state ] if $st eq 'cancelled';

    $uses =~ tr/RD/FB/;

    return [ 'ok', 'cancelled', $try, $re, $gen, $uses, $id, $parked, 0 ];
}


# an order that nobody forwarded after all

sub _let_go
{
    my ($self, $move, @state) = @_;
    my ($st, $try, $re, $gen, $uses, $id, $parked, $amount) = @state;

    return if $try ne $move->{try} || $st !~ /^(?:pending|unknown)$/;
    return [ 'done', 'none', 0, 0, 0, '', 0, $parked, 0 ] if !$re;
    return if $st eq 'unknown';

    # a retry: the first try stays in doubt

    (my $released = $uses) =~ tr/R/F/;

    return map { [ 'done', 'unknown', $try, $re, $gen, $_, $id, $parked, $amount ] } $uses, $released;
}


# the storefront has it

sub _accepted
{
    my ($self, $move, @state) = @_;
    my ($st, $try, $re, $gen, $uses, $id, $parked, $amount) = @state;

    return if $st eq 'none';

    if ($st =~ /^(?:pending|unknown)$/) {
        my @uses = $uses;

        $amount = $move->{mismatch} && length $uses ? 1 : 0;        # without coupons nothing is in doubt

        if ($self->{port}{on} eq 'order' && !$amount) {
            @uses = _paid($uses);
            push @uses, grep { tr/R/D/; 1 } "$uses" if $uses =~ /F/;
        }

        return map { $self->_joined('placed', $try, $re, $gen, $_, $parked, $amount) } @uses;
    }

    return $self->_joined($st, $try, $re, $gen, $uses, $parked, $amount);
}


# the id is known from now on: what was parked for it counts

sub _joined
{
    my ($self, $st, $try, $re, $gen, $uses, $parked, $amount) = @_;
    my @rest = ($try, $re, $gen);

    if ($parked eq 'P' && $st eq 'placed') {
        return map { [ 'done', 'paid', @rest, $_, 1, '-', $amount ] } $amount ? $uses : _paid($uses);
    }

    if ($parked eq 'C' && $st ne 'cancelled') {
        $uses =~ tr/RD/FB/;
        return [ 'done', 'cancelled', @rest, $uses, 1, '-', 0 ];
    }

    return [ 'done', $st, @rest, $uses, 1, '-', $amount ];
}


# the storefront refused it for certain; a later try is not touched

sub _failed
{
    my ($self, $move, @state) = @_;
    my ($st, $try, $re, $gen, $uses, $id, $parked) = @state;

    if ($try eq $move->{try} && $st =~ /^(?:pending|unknown)$/) {
        return [ 'done', 'none', 0, 0, 0, '', 0, $parked, 0 ];
    }

    return [ 'done', @state ];
}


sub _unknown
{
    my ($self, $move, @state) = @_;

    $state[0] = 'unknown' if $state[0] eq 'pending' && $state[1] eq $move->{try};

    return [ 'done', @state ];
}


# what the clock alone does: in flight no longer, reserved no longer

sub _by_time
{
    my ($self, $state) = @_;
    my ($st, $try, $re, $gen, $uses, $id, $parked, $amount) = @$state;
    my @next;

    push @next, [ 'unknown', @$state[1 .. 7] ] if $st eq 'pending' && $self->_expired($try);

    # an order whose amount is another one is in doubt as one that nobody knows of is

    my $policy = $self->{port}{$st eq 'placed' && !$amount ? 'unpaid' : 'in_doubt'} // 'hold';

    if ($uses =~ /R/ && ($st eq 'placed' || $st eq 'unknown') && $policy eq 'release' && $self->_overdue) {
        (my $released = $uses) =~ tr/R/F/;
        push @next, [ $st, $try, $re, $gen, $released, $id, $parked, $amount ];
    }

    return @next;
}


sub _expired
{
    my ($self, $try) = @_;
    my $times = $self->{tries}{$try} or return 1;

    return $self->{clock}->passed($times->{sent}, $times->{reached}, $self->{port}{in_flight});
}


sub _overdue
{
    my ($self) = @_;

    for my $try (values %{$self->{tries}}) {
        return 1 if $self->{clock}->passed($try->{sent}, $try->{reached}, $self->{port}{deadline});
    }

    return 0;
}


1;
