package Model::Truth;

# Copyright (C) ngx_commerce authors
#
# What the gateway has, read from outside: by the tool, and from the event log.  It is compared with what the
# model holds for possible, the log with the store, and both with what was asked for.
#
#   my $truth = Model::Truth->new(t => $t, world => $world, broken => sub { ... });
#
#   calm => 1: nothing is done to the gateway, so that nothing is lost
#
#   $truth->orders(@orders)     reads orders, and tells the model what they are
#   $truth->coupons(@codes)     who has them; one owner, the order's
#   $truth->counters(@ids)      uses that are counted are uses that there are
#   $truth->log                 reads on in the log and checks it
#   $truth->store               store check

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use JSON::PP ();
use List::Util qw(sum0);
use Model::Blake2b;

my $JSON = JSON::PP->new->utf8->canonical;
my %USE = (reserved => 'R', redeemed => 'D', released => 'F', rolled_back => 'B', lost => 'L');


sub new
{
    my ($class, %option) = @_;

    return bless { %option, at => {}, ids => {}, coupons => {}, orders => {}, links => {}, seqs => {}, events => 0,
        again => 0, torn => 0, users => {} }, $class;
}


sub _cart
{
    my ($self, $cart, $shown) = @_;
    my %use = map { ("$_->{campaign}/$_->{serial}" => $USE{$_->{use}} // '?') } @{$shown->{coupons}};
    my $coupons = $cart->{contents}[0] ? $cart->{contents}[0]{coupons} : [];
    my $uses = join '', map { $use{$self->_name($_)} // '-' } @$coupons;
    my $st = { none => 'none', cart => 'open', pending => 'open', unknown => 'open' }->{$shown->{state}} // 'placed';

    $self->_broken($cart, "the store has it as $shown->{state} \"$uses\", which cannot be") if !$cart->seen($st, $uses);
    $self->{world}->looked($cart, "$shown->{state} $uses");
}


# by the fen; of orders that are paid together only the sum is sure as long as not all of it has come

sub _sale
{
    my ($self, $sale, $shown) = @_;
    my $purse = $sale->{purse};

    if ($shown->{state} eq 'none') {
        $self->_broken($sale, 'the store does not have it') if $sale->{sure};
        return;
    }

    $self->_broken($sale, "the store has it otherwise: $_") for $sale->wrong_end($shown);
    $self->{world}->_note($sale, "the store has it as $shown->{state}, received $shown->{received}");

    return if grep { !defined $_->{shown} } @{$purse->{sales}};

    my $received = sum0(map { $_->{shown}{received} // 0 } @{$purse->{sales}});
    my $brought = Model::Sale::brought($purse, sub { $_[0]{tries} });

    $self->_broken($sale, "received $received of $brought with what is paid together with it") if $received != $brought;
}


# run here and not by cli(), which polls: there are hundreds

sub tool
{
    my ($self, @args) = @_;
    my $t = $self->{t};
    my $dir = $t->dir;

    local @ENV{qw(COMMERCE_KEYS COMMERCE_STORE COMMERCE_SHOP COMMERCE_CLOCK)}
        = ("$dir/keys.json", "$dir/store", 'demo', "$dir/clock");

    my $pid = open my $pipe, '-|';

    die "cannot fork: $!\n" if !defined $pid;

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec "$t->{modules}/commerce", @args or POSIX::_exit(127);
    }

    my $text = join '', <$pipe>;

    close $pipe;

    return ($? >> 8, $text);
}


sub order
{
    my ($self, $order) = @_;
    my ($code, $text) = $self->tool('order', 'show', $order->{key}, '--user', $order->{user});

    return $JSON->decode($text) if $code == 0;
    return { state => 'none', coupons => [] } if $text =~ /has no order with the key/;

    die "commerce order show $order->{key}: $text\n";
}


# each order is in a state that is possible; from now on it is known

sub orders
{
    my ($self, @orders) = @_;

    for my $order (@orders) {
        my $shown = $self->order($order);
        $self->{users}{$shown->{buyer}} = $order->{user} if defined $shown->{buyer};
        $order->{shown} = $shown;

        if ($order->isa('Model::Cart')) {
            $self->_cart($order, $shown);
            next;
        }

        if ($order->isa('Model::Sale')) {
            $self->_sale($order, $shown);
            next;
        }

        my $uses = join '', map { $USE{$_->{use}} // '?' } @{$shown->{coupons}};
        my $names = join ' ', map { "$_->{campaign}/$_->{serial}" } @{$shown->{coupons}};

        my ($gen) = grep { $names eq join ' ', map { $self->_name($_) } @{$order->{contents}[$_]{coupons}} }
            grep { $shown->{state} eq 'none' || $order->{contents}[$_]{amount} == $shown->{claimed} }
            0 .. $#{$order->{contents}};


        if ($shown->{state} ne 'none' && !defined $gen) {
            $self->_broken($order, "the store has an order that nobody sent: $shown->{claimed} $names");
            next;
        }

        my $id = defined $shown->{id} && length $shown->{id} ? 1 : 0;

        $self->_broken($order, "the store has another id: $shown->{id}") if $id && $shown->{id} ne $order->{id};

        if (!$order->known($shown->{state}, $uses, $gen // 0, $id)) {
            $self->_broken($order, "the store has it as $shown->{state} \"$uses\", which cannot be");
        }

        $self->{world}->looked($order, "$shown->{state} $uses");
        $self->_check_doubt($order) if $self->{calm};
    }
}


# where nothing went wrong an order whose last try had a definite answer is not in doubt

sub _check_doubt
{
    my ($self, $order) = @_;

    for my $state ($order->states) {
        my ($st, $try) = split / /, $state;

        $self->_broken($order, "is $st although $try was answered") if $st =~ /^(?:pending|unknown)$/ && $order->{definite}{$try};
    }
}


sub _name
{
    my ($self, $code) = @_;
    my $coupon = $self->{world}{coupons}{$code};

    return "$coupon->{campaign}/$coupon->{serial}";
}


# what the orders say of a coupon is what the coupon says of its order

sub coupons
{
    my ($self, @codes) = @_;

    for my $code (@codes) {
        my ($rc, $text) = $self->tool('coupon', 'show', $code);

        die "commerce coupon show $code: $text\n" if $rc;

        my %shown = $text =~ /^(\w+) +(\S+)/mg;
        my ($number) = $text =~ /^in shop +(\S+)/m;
        my @owners;

        for my $use (values %{$self->{world}{uses}{$code} || {}}) {
            my $order = $use->{order};

            if ($order->isa('Model::Redemption')) {
                push @owners, $self->_redemption($order, ($number // '-') eq $order->{key}) ? [ $order, 'redeemed' ] : ();
                next;
            }

            my $coupons = ($order->{shown} || $self->order($order))->{coupons};

            push @owners, map { [ $order, $_->{use} ] }
                grep { $_->{use} =~ /^re(?:served|deemed)$/ && "$_->{campaign}/$_->{serial}" eq $self->_name($code) } @$coupons;
        }

        if (($number // '-') ne '-') {
            @shown{'order', 'user'} = ($number, @owners ? $owners[0][0]{user} : 'nobody');
        }

        $self->{coupons}{$self->_name($code)}{shown} = \%shown;
        $self->{coupons}{$self->_name($code)}{owners} = scalar @owners;

        my $said = @owners ? join ', ', map { "$_->[1] $_->[0]{key} $_->[0]{user}" } @owners : 'issued - -';

        next if $said eq "$shown{state} $shown{order} $shown{user}";

        $self->{broken}->("coupon $code is $shown{state} by $shown{user} $shown{order}, the orders say: $said",
            $self->{world}->story(map { $_->{order} } values %{$self->{world}{uses}{$code} || {}}));
    }
}


# a redemption in a shop: is its coupon redeemed under its number?

sub _redemption
{
    my ($self, $redemption, $redeemed) = @_;

    $self->_broken($redemption, 'the store has it as ' . ($redeemed ? 'redeemed' : 'not redeemed') . ', which cannot be')
        if !$redemption->seen($redeemed ? 1 : 0);

    $self->{world}->looked($redemption, $redeemed ? 'redeemed' : 'not redeemed');

    return $redeemed;
}


# nothing is counted twice and nothing leaks: the counter is the number of uses

sub counters
{
    my ($self, @ids) = @_;
    my ($code, $text) = $self->tool('campaign', 'list');

    die "commerce campaign list: $text\n" if $code;

    for my $id (@ids) {
        my ($used) = $text =~ /^\d+\t\Q$id\E\t.*\t(\d+)$/m;
        my $uses = 0;

        $uses += $_->{owners} for map { $self->{coupons}{$self->_name($_)} || () }
            grep { $self->{world}{coupons}{$_}{campaign} eq $id } keys %{$self->{world}{coupons}};

        next if defined $used && $used == $uses;
        $self->{broken}->("campaign $id: $uses uses, " . ($used // 'none') . ' are counted');
    }
}


sub store
{
    my ($self) = @_;
    my ($code, $text) = $self->tool('store', 'check');

    $self->{broken}->("store check: $text") if $code;
}


sub _broken
{
    my ($self, $order, $text) = @_;

    $self->{broken}->("$order->{user} $order->{key}: $text", $self->{world}->story($order));
}


# the log

sub log
{
    my ($self) = @_;
    my $path = $self->{t}->dir . '/events.jsonl';

    open my $file, '<:raw', $path or die "cannot read $path: $!\n";
    seek $file, $self->{offset} // 0, 0;

    while (my $line = <$file>) {
        last if $line !~ /\n\z/;

        $self->{offset} = tell $file;
        chomp $line;
        $self->_line($line) if length $line;
    }

    $self->_follow;
}


# Empty and torn lines are what a killed writer or a full disk leaves behind.

sub _line
{
    my ($self, $line) = @_;
    my ($text, $rest) = $line =~ /^(\{"v":.*)(,"node":"[^"]*","epoch":\d+,"worker":\d+,"seq":\d+,"config":"\w+"(?:,"chain":"\w+")?\})$/;

    if (!defined $rest) {
        $self->{torn}++;
        return;
    }

    my $event = eval { $JSON->decode($line) } or return $self->{broken}->("the log has no JSON: $line");
    my $writer = "$event->{epoch}/$event->{worker}";

    $self->{events}++;
    $self->{broken}->("the log tells a secret: $line") if $self->{secret}->($line);
    $self->{hash}{$writer} = $event->{chain_hash} if $event->{type} eq 'config';
    $self->_link($writer, $event, "$text}") if defined $event->{chain};

    return if $event->{type} !~ /^(?:order|paid|coupon_\w+|refund)$/;

    if (my $first = $self->{ids}{$event->{id}}) {
        $self->{again}++;
        $self->{broken}->("two events with the id $event->{id}") if $first ne $event->{fp};
        return;
    }

    $self->{ids}{$event->{id}} = $event->{fp};
    push @{$self->{new}}, $event;
}


# One link in some is made again: BLAKE2b is slow in Perl.

sub _link
{
    my ($self, $writer, $event, $text) = @_;
    my $before = $self->{links}{$writer} // '0' x 32;

    $self->{links}{$writer} = $event->{chain};
    return if $self->{linked}{$writer}++ % ($self->{every} // 8);

    # a config event may have got lost where there was no room: then nobody tells which hash it is

    my @hashes = !exists $self->{hash}{$writer} ? (\&Model::Blake2b::blake2b_hex, \&sha256_hex)
               : ($self->{hash}{$writer} // '') eq 'BLAKE2B-512' ? \&Model::Blake2b::blake2b_hex : \&sha256_hex;

    $self->{checked}++;
    $self->{broken}->("$writer: the chain is broken at seq $event->{seq}: $text")
        if !grep { substr($_->("$before$text"), 0, 32) eq $event->{chain} } @hashes;
}


# each step of each coupon follows from the one before, and somebody asked for it

sub _follow
{
    my ($self) = @_;

    for my $event (splice @{$self->{new} || []}) {
        my $user = $self->{users}{$event->{buyer} // ''};

        if ($event->{type} eq 'coupon_claim') {
            $self->_claim_event($user, $event);
            next;
        }

        my $order = defined $event->{request} ? $self->{world}{redemptions}{$event->{request}}
                  : defined $user && ($self->{world}{orders}{"$user $event->{order_key}"} // $self->{world}{sales}{"$user $event->{order_key}"}
                                      // $self->{world}{carts}{$event->{order_key}});

        if ($order) {
            $self->_event($order, $event);
        }
        else {
            $self->{broken}->("an event of an order that nobody sent: " . $JSON->encode($event));
        }
    }
}


my %CAUSE = (
    coupon_reserve  => [ 'order', 'apply', 'complete' ],
    coupon_redeem   => [ 'accepted', 'confirm', 'redeem' ],
    coupon_rollback => [ 'cancel', 'rollback' ],
    paid            => [ 'confirm' ],
);


sub _event
{
    my ($self, $order, $event) = @_;
    my $type = $event->{type};
    my @causes = @{$CAUSE{$type} || []};

    @causes = ('failed', 'let_go') if ($event->{reason} // '') eq 'COUPON_UPSTREAM_REJECTED';
    @causes = ('failed', 'let_go') if $type eq 'order' && $event->{state} eq 'failed';
    @causes = ('accepted') if $type eq 'order' && $event->{state} eq 'placed';
    @causes = ('cancel') if $type eq 'order' && $event->{state} eq 'cancelled';

    $self->_broken($order, "$type " . ($event->{state} // '') . ': nobody asked for it')
        if @causes && !grep { $order->{cause}{$_} } @causes;

    $order->{events}{$type}++ if $type !~ /^coupon/;

    if ($type =~ /^coupon/) {
        $self->_coupon_event($order, $event);
    }
    else {
        $self->_broken($order, 'was paid twice') if $type eq 'paid' && $event->{state} eq 'paid'
            && !defined $event->{reason} && $order->{paid_told}++;
        $order->{last_event} = $event->{state};
        $self->_sale_event($order, $event) if $order->isa('Model::Sale');
    }
}


# each payment and each refund is told once; the last event says what every line brings in the end

sub _sale_event
{
    my ($self, $sale, $event) = @_;

    $sale->{paid_events}++ if $event->{type} eq 'paid';
    $sale->{last_lines} = $event->{lines} if $event->{type} =~ /^(?:paid|refund)$/;
    return if $event->{type} ne 'refund';

    my $number = $event->{refund}{number};

    $self->_broken($sale, "refund $number is told twice") if $sale->{refund_told}{$number}++;
    $sale->{folded}[$_] += $event->{refund}{lines}[$_] for 0 .. $#{$event->{refund}{lines}};
}


sub _coupon_event
{
    my ($self, $order, $event) = @_;
    my $name = "$event->{campaign}/$event->{serial}";
    my $coupon = $self->{coupons}{$name} //= {};
    my $last = $coupon->{last} // { to => 'issued' };

    if (!grep { $name eq $self->_name($_) } map { @{$_->{coupons}} } @{$order->{contents}}) {
        $self->_broken($order, "$event->{type} of $name, which it never named");
    }

    if ($event->{from} ne $last->{to}) {
        $self->_broken($order, "$event->{type} of $name from $event->{from}, but it was $last->{to}");
    }

    my $by = $event->{order_key} // $event->{request};

    if ($last->{to} =~ /^(?:reserved|redeemed)$/ && "$last->{by} $last->{buyer}" ne join ' ', $by, $event->{buyer} // '') {
        $self->_broken($order, "$event->{type} of $name, but it was $last->{by}'s");
    }

    $coupon->{last} = { to => $event->{to}, by => $by, buyer => $event->{buyer} // '' };
    $order->{steps}++;
}


# one claim, one coupon, of which there is one event; as many as there may be

sub _claim_event
{
    my ($self, $user, $event) = @_;
    my $claim = defined $user && $self->{world}{claims}{"$user $event->{key}"};

    return $self->{broken}->('a claim that nobody sent: ' . $JSON->encode($event)) if !$claim;

    $self->{broken}->("$user $event->{key} claimed twice") if defined $claim->{told};
    $claim->{told} = $event->{serial};

    my $terms = $self->{world}{campaigns}{$event->{campaign}}[-1]{claim};
    my $given = ++$self->{given}{$event->{campaign}};
    my $his = ++$self->{given}{"$event->{campaign} $user"};

    $self->{broken}->("$event->{campaign}: $given of $terms->{stock} are given out") if $given > $terms->{stock};
    $self->{broken}->("$event->{campaign}: $user has $his of $terms->{user}") if $his > $terms->{user};
}


sub claims
{
    my ($self) = @_;

    for my $claim (grep { defined $_->{code} } values %{$self->{world}{claims}}) {
        my $serial = $self->{world}{coupons}{$claim->{code}}{serial};

        $self->{broken}->("$claim->{user} $claim->{key} claimed $claim->{code}, the log does not know it")
            if ($claim->{told} // -1) != $serial;
    }
}


sub _compare_sale
{
    my ($self, $sale) = @_;
    my $shown = $sale->{shown};
    my $paid = $shown->{state} =~ /^(?:paid|settled|refunded)$/ ? 1 : 0;
    my @told = sort keys %{$sale->{refund_told} || {}};
    my @refunds = $paid ? $sale->refund_numbers : ();

    $self->_broken($sale, "its payment is told " . ($sale->{paid_events} // 0) . " times, it is $shown->{state}")
        if ($sale->{paid_events} // 0) != $paid;
    $self->_broken($sale, "the log knows of refunds @told, not @refunds") if "@told" ne "@refunds";
    return if !$paid;

    for my $i (0 .. $#{$shown->{lines}}) {
        my $line = $shown->{lines}[$i];
        my $last = $sale->{last_lines}[$i];

        $self->_broken($sale, "line $i is $line->{paid} - $line->{refunded}, the log says $last->{paid} - $last->{refunded}")
            if "@$line{qw(paid refunded net)}" ne "@$last{qw(paid refunded net)}";
        $self->_broken($sale, "line $i: the log's refunds come to " . ($sale->{folded}[$i] // 0) . ", not $line->{refunded}")
            if ($sale->{folded}[$i] // 0) != $line->{refunded};
    }
}


# what the log told last is what the store has

sub compare
{
    my ($self, @orders) = @_;

    for my $name (grep { $self->{coupons}{$_}{shown} } keys %{$self->{coupons}}) {
        my $coupon = $self->{coupons}{$name};
        my $last = $coupon->{last} // { to => 'issued' };
        my $order = $last->{to} =~ /^(?:reserved|redeemed)$/ ? $last->{by} : '-';
        my $shown = delete $coupon->{shown};

        $self->{broken}->("coupon $name is $shown->{state} by $shown->{order}, the log says $last->{to} by $order")
            if $shown->{state} ne $last->{to} || $shown->{order} ne $order;
    }

    for my $order (@orders) {
        $self->_compare_sale($order) if $order->isa('Model::Sale');

        my $told = $order->{last_event} // 'none';
        my $state = $order->{shown}{state};

        # an order is not told before its answer; one that was let go of was never one

        next if $order->isa('Model::Cart') || $state eq 'pending' || ($state eq 'none' && $told =~ /^(?:none|failed)$/) || $state eq $told;
        $self->_broken($order, "the store has it as $state, the log says $told");
    }
}


1;
