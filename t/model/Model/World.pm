package Model::World;

# Copyright (C) ngx_commerce authors
#
# All orders, coupons and campaigns as the documentation has them, and what an answer may say.  Nothing of the
# gateway is read here: what it says is compared with what is possible.
#
#   my $world = Model::World->new(clock => $clock, broken => sub { ... });      # broken: what cannot be
#
#   $world->campaign(id => 'c', fixed => 1000, total => 7, user => 2, until => ...)     now, or changed
#   $world->coupon(code => ..., campaign => 'c', serial => 0, holder => 'u1')
#   $world->claim_sent($user, $key, $campaign), claimed($claim, $code, $replay), claim_denied($claim, $reason)
#   $world->sent($op), reached($op, $verdict), answered($op, $what), refused($op), silent($op)
#
# An op is a request: {n, type (order confirm cancel redeem rollback), order (Model::Order or
# Model::Redemption), time, ...}.

use strict;
use warnings;

use Model::Cart;
use Model::Order;
use Model::Redemption;


sub new
{
    my ($class, %option) = @_;

    return bless { %option, orders => {}, by_id => {}, coupons => {}, campaigns => {}, uses => {}, told => [] }, $class;
}


# what is set up

# A change is a new version: until the tool has returned, both are possible.

sub campaign
{
    my ($self, %campaign) = @_;

    push @{$self->{campaigns}{$campaign{id}}}, { enabled => 1, from => $self->{clock}->now, %campaign };
}


# the versions that may have been in force in a span of time

sub versions
{
    my ($self, $id, $from, $until) = @_;
    my @all = @{$self->{campaigns}{$id}};

    return map { $all[$_] } grep {
        my $i = $_;
        $all[$i]{from} <= $until && !grep { ($_->{settled} // 9e15) < $from } @all[$i + 1 .. $#all];
    } 0 .. $#all;
}


sub coupon
{
    my ($self, %coupon) = @_;

    return $self->{coupons}{$coupon{code}} = { %coupon, history => [] };
}


sub order
{
    my ($self, $user, $key, %new) = @_;

    return $self->{orders}{"$user $key"} //= do {
        my $order = Model::Order->new(%new, user => $user, key => $key, clock => $self->{clock}, history => []);

        $self->{by_id}{$new{id}} = $order;
        $order;
    };
}


sub cart
{
    my ($self, $user, $key, %new) = @_;

    return $self->{carts}{$key} //= Model::Cart->new(%new, user => $user, key => $key, clock => $self->{clock}, history => []);
}


# an order for money; nobody else has its coupons

sub sale
{
    my ($self, $sale) = @_;

    $self->{sales}{"$sale->{user} $sale->{key}"} = $sale;
    $self->{uses}{$_}{$sale} = { order => $sale, until => 0 } for @{$sale->{contents}[0]{coupons}};
}


# a redemption in a shop, by its number

sub redemption
{
    my ($self, $number, $code) = @_;

    return $self->{redemptions}{$number} //= Model::Redemption->new(user => $self->{coupons}{$code}{holder} || 'till',
        key => $number, clock => $self->{clock}, first => $self->{clock}->now, history => []);
}


# requests and their answers

sub sent
{
    my ($self, $op) = @_;
    my $order = $op->{order} or return;

    $order->{cause}{$op->{type}} = 1;
    $self->_note($order, "$op->{n} $op->{type} sent"
        . join '', map { defined $op->{$_} ? " $_ $op->{$_}" : '' } qw(gen by plan timeout));
    $order->sent($op);
    $self->_look($order);
}


sub reached
{
    my ($self, $op, $verdict) = @_;
    my $order = $op->{order};
    my $content = $order->{contents}[$op->{gen}];
    my %named = map { $_->{code} => $_ } @{$verdict->{coupons}};
    my $mask = join '', map { $named{$_} ? 1 : 0 } @{$content->{coupons}};

    $self->_note($order, "$op->{n} reached the storefront, coupons $mask" . ($verdict->{replay} ? ', a retry' : ''));

    $self->_broken($order, "the verdict names a coupon that the order did not: $_")
        for grep { my $code = $_; !grep { $_ eq $code } @{$content->{coupons}} } keys %named;

    $self->_check_owner($op, $_) for keys %named;
    $self->_check_limits($op, $_) for $verdict->{replay} ? () : keys %named;
    $self->_check_window($op, $_) for $verdict->{replay} ? () : keys %named;
    $self->_check_discounts($op, $verdict);

    if (!$order->reached($op->{n}, 'fwd' . ($verdict->{replay} ? 1 : 0) . ":$mask")) {
        $self->_broken($order, "$op->{n} cannot have been forwarded"
            . ($verdict->{replay} ? ' as a retry' : '') . " with coupons $mask");
    }

    # until it is known what becomes of it the gateway may lose it

    $order->effect({ n => "?$op->{n}", type => 'unknown', try => $op->{n}, outcome => $op->{n} });
    $self->_look($order);
}


# a cart's request at the storefront: {codes} of the verdict

sub cart_reached
{
    my ($self, $op, $verdict) = @_;
    my $cart = $op->{order};
    my @named = map { $_->{code} } @{$verdict->{coupons}};
    my $coupons = $cart->{contents} && $cart->{contents}[0] ? $cart->{contents}[0]{coupons} : [];
    my $mask = join '', map { my $code = $_; (grep { $_ eq $code } @named) ? 1 : 0 } @$coupons;
    my $type = $op->{type};

    $self->_note($cart, "$op->{n} reached the storefront, coupons $mask of @$coupons");

    if ($type ne 'remove') {
        $self->_check_owner($op, $_) for @named;
    }

    if ($type eq 'apply' && (@named != 1 || $named[0] ne $op->{codes}[0])) {
        $self->_broken($cart, "$op->{n} applies $op->{codes}[0], its verdict names @named");
    }

    $self->_broken($cart, "$op->{n} cannot have been forwarded with $mask")
        if !$cart->reached($op->{n}, $type eq 'complete' ? "fwd:$mask" : 'fwd');
    $self->_look($cart);
}


sub cart_effect
{
    my ($self, $op, $type, %more) = @_;

    # what an order does not list is refused, too

    $op->{order}{cause}{$_} = 1 for 'failed', $type eq 'ordered' ? 'accepted' : ();
    $op->{order}->effect({ n => "$type$op->{n}", type => $type, place => $op->{place}, outcome => $op->{n}, %more });
    $self->_note($op->{order}, "$op->{n}: the storefront answers, $type");
    $self->_look($op->{order});
}


# an order without coupons that went on without the store: it may or may not be there

sub degraded
{
    my ($self, $op) = @_;

    $self->_note($op->{order}, "$op->{n} reached the storefront, degraded");
    $op->{order}->silent($op->{n});
    $op->{order}->effect({ n => "?$op->{n}", type => 'unknown', try => $op->{n}, outcome => $op->{n} });
    $self->_look($op->{order});
}


sub effect
{
    my ($self, $op, $type, %more) = @_;

    $op->{order}{cause}{$type} = 1;

    $op->{order}->effect({ n => "$type$op->{n}", type => $type, try => $op->{n}, outcome => $op->{n}, %more });
    $self->_note($op->{order}, "$op->{n}: the storefront answers, $type" . ($more{mismatch} ? ', another amount' : ''));
    $self->_look($op->{order});
}


sub over
{
    my ($self, $op, $what) = @_;

    $self->_note($op->{order}, "$op->{n} is over: $what");
    $op->{degraded} ? $op->{order}->silent($op->{n}) : $op->{order}->over($op->{n});
    $self->_look($op->{order});
}


sub answered
{
    my ($self, $op, $result, $what, $own) = @_;
    my $order = $op->{order};

    $self->_note($order, "$op->{n} was answered: $what");
    $self->_check_denial($op) if $result eq 'coupon';
    $self->_check_own($op) if $own;
    $self->_check_taken($op) if $op->{type} eq 'redeem' && $result eq 'ok';

    $self->_broken($order, "$op->{n} cannot have been answered \"$what\"") if !$order->answered($op->{n}, $result);
    $self->_look($order);
}


sub refused
{
    my ($self, $op, $what) = @_;

    $self->_note($op->{order}, "$op->{n} was not done: $what");
    $self->_broken($op->{order}, "$op->{n} was refused, and was done") if !$op->{order}->refused($op->{n});
    $self->_look($op->{order});
}


sub silent
{
    my ($self, $op, $what) = @_;

    # nobody forwarded it, so that the gateway takes it back; or it was on its way, and that is not known

    $op->{order}{cause}{let_go} = 1 if $op->{type} =~ /^(?:order|apply|remove|complete)$/;

    if ($op->{type} eq 'order') {
        $op->{order}->effect({ n => "?$op->{n}", type => 'unknown', try => $op->{n}, outcome => $op->{n} });
    }

    $self->_note($op->{order}, "$op->{n} has no answer: $what");
    $op->{order}->silent($op->{n});
    $self->_look($op->{order});
}


sub time_passed
{
    my ($self) = @_;

    for my $order (grep { !$_->{asleep} } map { values %{$self->{$_} || {}} } qw(orders carts redemptions)) {
        $order->time_passed;
        $self->_look($order);
    }
}


# somebody looked into the store

sub looked
{
    my ($self, $order, $text) = @_;

    $self->_note($order, "the store has it as $text");
    $self->_look($order);
}


# who may hold what, since when and until when

sub _look
{
    my ($self, $order) = @_;
    my ($maybe, $surely) = $order->holds;
    my $now = $self->{clock}->now;

    $order->{late} ||= $order->may_be(qr/^(?:\S+ ){4}[A-Z]*F/);

    for my $code (map { @{$_->{coupons}} } @{$order->{contents}}) {
        my $use = $self->{uses}{$code}{$order} //= { order => $order, until => 0 };

        $use->{until} = $now if $use->{maybe} && !$maybe->{$code};
        $use->{maybe} = $maybe->{$code};
        $use->{since} = $surely->{$code} ? $use->{since} // $now : undef;
    }
}


sub _rivals
{
    my ($self, $order, $code) = @_;

    return grep { $_->{order} != $order } values %{$self->{uses}{$code} || {}};
}


# a coupon that was taken without the storefront

sub _check_taken
{
    my ($self, $op) = @_;

    for my $code (@{$op->{order}{contents}[$op->{gen}]{coupons}}) {
        $self->_check_owner($op, $code);
        $self->_check_limits($op, $code);
        $self->_check_window($op, $code);
    }
}


# The owner: while another order surely holds the coupon, nobody else can.

sub _check_owner
{
    my ($self, $op, $code) = @_;

    for my $rival ($self->_rivals($op->{order}, $code)) {
        next if !defined $rival->{since} || $rival->{since} > $op->{time};
        $self->_broken($op->{order}, "coupon $code is $rival->{order}{user} $rival->{order}{key}'s", $rival->{order});
    }

    my $holder = ($self->{coupons}{$code} || {})->{holder};

    $self->_broken($op->{order}, "coupon $code is for $holder") if $holder && $holder ne $op->{order}{user};
}


# uses of a campaign: (at least, at most) in a span of time, without those of one order

sub _uses
{
    my ($self, $campaign, $user, $except, $from) = @_;
    my ($least, $most) = (0, 0);

    for my $code (grep { $self->{coupons}{$_}{campaign} eq $campaign } keys %{$self->{uses}}) {
        my ($surely, $maybe) = (0, 0);

        for my $use (values %{$self->{uses}{$code}}) {
            next if $use->{order} == $except || ($user && $use->{order}{user} ne $user);
            $surely = 1 if defined $use->{since} && $use->{since} <= $from && !$use->{order}{late};
            $maybe = 1 if $use->{maybe} || $use->{until} >= $from;
        }

        $least += $surely;
        $most += $maybe;
    }

    return ($least, $most);
}


# A payment may take a coupon again, beyond a limit, that time has released: such orders are not counted.
# Nothing else may pass a limit.

sub _check_limits
{
    my ($self, $op, $code) = @_;
    my $id = $self->{coupons}{$code}{campaign};
    my @versions = $self->versions($id, $op->{time}, $self->{clock}->now);

    for my $limit ('total', 'user') {
        next if grep { !$_->{$limit} } @versions;

        my ($most) = sort { $b <=> $a } map { $_->{$limit} } @versions;
        my ($used) = $self->_uses($id, $limit eq 'user' ? $op->{order}{user} : undef, $op->{order}, $op->{time});

        $self->_broken($op->{order}, "$used uses of $id, one more of at most $most ($limit)") if $used >= $most;
    }
}


sub _check_window
{
    my ($self, $op, $code) = @_;
    my $now = $self->{clock}->now;
    my ($least) = $self->{clock}->range($op->{time});
    my @versions = $self->versions($self->{coupons}{$code}{campaign}, $op->{time}, $now);

    $self->_broken($op->{order}, "coupon $code is over, or disabled")
        if !grep { $_->{enabled} && (!$_->{until} || $least < $_->{until}) } @versions;
}


sub _check_discounts
{
    my ($self, $op, $verdict) = @_;
    my $content = $op->{order}{contents}[$op->{gen}];
    my $left = $content->{amount};

    for my $coupon (@{$verdict->{coupons}}) {
        my $campaign = $self->{campaigns}{$self->{coupons}{$coupon->{code}}{campaign}}[-1];
        my $discount = $campaign->{fixed} // int(($left * $campaign->{percent} + 5000) / 10000);

        $discount = $campaign->{cap} if $campaign->{cap} && $discount > $campaign->{cap};
        $discount = $left if $discount > $left;
        $left -= $discount;

        $self->_broken($op->{order}, "coupon $coupon->{code} is worth $discount, the verdict says "
            . ($coupon->{discount} // 'nothing')) if ($coupon->{discount} // -1) != $discount;
    }
}


# A refused coupon: somebody may have it, a limit may be reached, its time may be over, or it is somebody else's.

sub _check_denial
{
    my ($self, $op) = @_;
    my $order = $op->{order};
    my $content = $order->{contents}[$op->{gen} // 0];
    my $now = $self->{clock}->now;
    my %counted;

    for my $code (@{$op->{codes} // $content->{coupons}}) {
        my $coupon = $self->{coupons}{$code} or return;
        my @versions = $self->versions($coupon->{campaign}, $op->{time}, $now);
        my (undef, $latest) = $self->{clock}->range($op->{time});

        return if $coupon->{holder} && $coupon->{holder} ne $order->{user};
        return if $op->{type} eq 'redeem' && !$coupon->{holder} && grep { $_->{user} } @versions;   # whom to count on?
        return if grep { $_->{maybe} || $_->{until} >= $op->{time} } $self->_rivals($order, $code);
        return if grep { !$_->{enabled} || ($_->{until} && $latest >= $_->{until}) } @versions;
        my $own = $counted{$coupon->{campaign}}++;

        for my $limit ('total', 'user') {
            my ($least) = sort { $a <=> $b } map { $_->{$limit} || 9e15 } @versions;
            my (undef, $used) = $self->_uses($coupon->{campaign}, $limit eq 'user' ? $order->{user} : undef,
                $order, $op->{time});

            return if $used + $own >= $least;
        }
    }

    $self->_broken($order, "$op->{n}: nothing is wrong with the order's coupons, and they were refused");
}


# Claims: one coupon for one key, no more than there are, and no more to one than he may have.

sub claim_sent
{
    my ($self, $user, $key, $campaign) = @_;
    my $claim = $self->{claims}{"$user $key"} //= { user => $user, key => $key, campaign => $campaign, tries => 0 };

    $claim->{tries}++;

    return $claim;
}


sub claimed
{
    my ($self, $claim, $code, $replay) = @_;
    my $of = "$claim->{user} $claim->{key} claims from $claim->{campaign}";
    my $terms = $self->{campaigns}{$claim->{campaign}}[-1]{claim};

    # who was the first may be answered last

    if (defined $claim->{code}) {
        return if $claim->{code} eq $code && ($replay || !$claim->{first}++);
        return $self->{broken}->("$of: $code" . ($replay ? '' : ' for the first time') . ", it was $claim->{code}");
    }

    $self->{broken}->("$of: a repetition of nothing") if $replay && $claim->{tries} < 2;
    $self->{broken}->("$of: $code is claimed already") if $self->{coupons}{$code};

    $claim->{code} = $code;
    $claim->{first} = 1 if !$replay;
    $self->coupon(code => $code, campaign => $claim->{campaign}, serial => _serial($code), holder => $claim->{user});

    my @given = grep { defined $_->{code} && $_->{campaign} eq $claim->{campaign} } values %{$self->{claims}};
    my @his = grep { $_->{user} eq $claim->{user} } @given;

    $self->{broken}->("$of: number " . @given . " of $terms->{stock}") if @given > $terms->{stock};
    $self->{broken}->("$of: number " . @his . " of $terms->{user}") if @his > $terms->{user};
}


sub claim_denied
{
    my ($self, $claim, $code) = @_;
    my $terms = $self->{campaigns}{$claim->{campaign}}[-1]{claim};
    my @others = grep { $_ != $claim && $_->{campaign} eq $claim->{campaign} } values %{$self->{claims}};
    my @his = grep { $_->{user} eq $claim->{user} } @others;

    return if !defined $claim->{code} && $code eq 'COUPON_STOCK_EMPTY' && @others >= $terms->{stock};
    return if !defined $claim->{code} && $code eq 'COUPON_CUSTOMER_LIMIT' && @his >= $terms->{user};

    $self->{broken}->("$claim->{user} $claim->{key} is refused a coupon of $claim->{campaign}: $code");
}


# A code begins with version 2, key id 4, campaign 14, serial 30 bits, five to a character.

sub _serial
{
    my ($code) = @_;
    my $serial = 0;

    $serial = $serial * 32 + index '0123456789ABCDEFGHJKMNPQRSTVWXYZ', $_ for split //, substr $code, 4, 6;

    return $serial;
}


# An order in doubt that has the coupon is told of to its own buyer only.

sub _check_own
{
    my ($self, $op) = @_;
    my $order = $op->{order};

    for my $code (@{$op->{codes} // $order->{contents}[$op->{gen} // 0]{coupons}}) {
        return if grep { $_->{order}{user} eq $order->{user} && ($_->{maybe} || $_->{until} >= $op->{time}) }
            $self->_rivals($order, $code);
    }

    $self->_broken($order, "$op->{n} was told of an order in doubt, which is not the buyer's");
}


# what happened, for whoever has to find out why

sub _note
{
    my ($self, $order, $text) = @_;
    my $line = sprintf '%.3f (clock %d) %s', $self->{clock}->now, $self->{clock}->clock, $text;

    push @{$order->{history}}, $line;
    push @{$self->{told}}, "$order->{user} $order->{key}: $line";
    shift @{$self->{told}} while @{$self->{told}} > 400;
}


sub note
{
    my ($self, $text) = @_;

    push @{$self->{told}}, sprintf '%.3f (clock %d) == %s', $self->{clock}->now, $self->{clock}->clock, $text;
}


sub _broken
{
    my ($self, $order, $text, @others) = @_;

    $self->{broken}->("$order->{user} $order->{key}: $text", $self->story($order, @others));
}


# the lives of some orders and of those that want the same coupons

sub story
{
    my ($self, @orders) = @_;
    my %told;
    my @lines;

    for my $order (@orders, map { map { $_->{order} } map { values %{$self->{uses}{$_} || {}} } map { @{$_->{coupons}} }
                                  @{$_->{contents}} } @orders)
    {
        next if $told{$order}++ || keys %told > 6;

        push @lines, "$order->{user} $order->{key}, " . join('; ', map { "content $_: "
            . join(' ', $order->{contents}[$_]{amount}, @{$order->{contents}[$_]{coupons}}) } 0 .. $#{$order->{contents}});
        push @lines, map { "    $_" } @{$order->{history}};
        my @states = $order->states;
        push @lines, '    now: ' . join(' | ', @states > 12 ? (@states[0 .. 11], '...') : @states);
    }

    return @lines;
}


1;
