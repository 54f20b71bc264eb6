package Model::Operations;

# Copyright (C) ngx_commerce authors
#
# What clients do, by weight, and what their answers mean to the model.  A new operation is a line in
# @OPERATIONS and a function: it picks what it needs with the client's own numbers, and calls _send with the
# request and with what is to be made of the answer.

use strict;
use warnings;

use JSON::PP ();
use Time::HiRes qw(time);

use Model::Money;
use Model::Random;

my $JSON = JSON::PP->new->utf8->canonical;

my @OPERATIONS = (
    new       => 26,
    retry     => 20,
    reuse     => 4,         # the same key, another content
    steal     => 5,         # another user, the same coupon
    twin      => 3,         # another user, the same key
    overtake  => 1,         # a retry that is faster than the first try, whose time in flight is over
    confirm   => 14,
    cancel    => 12,
    stranger  => 2,         # a notice about an id that nobody has
    page      => 5,
    claim     => 6,
    counter   => 6,         # a redemption in a shop, or the same again
    rollback  => 3,
    cart      => 14,        # applies, removes, completes
    money     => 40,        # payments with amounts, refunds (Model::Money)
);

my @PLANS = (ok => 52, refuse => 10, refuse404 => 5, slow => 10, late => 4, fail => 4, lost => 4, hang => 2,
    hanglost => 2, close => 3, closelost => 2, mismatch => 2);

# name, number of coupons, campaign

my @CAMPAIGNS = (
    [ 'plain', 80, fixed => 1000 ],
    [ 'part', 40, percent => 1500, cap => 700 ],
    [ 'total', 12, fixed => 500, total => 6 ],
    [ 'each', 16, fixed => 300, user => 1 ],
    [ 'short', 10, fixed => 200, until => 700 ],
    [ 'own', 6, fixed => 100 ],
    [ 'sale', 60, fixed => 1000 ],
    [ 'drop', 0, fixed => 400, claim => { stock => 24, user => 4 } ],
);


sub new
{
    my ($class, $run) = @_;

    return bless { run => $run, campaigns => [], pool => [] }, $class;
}


# new campaigns and coupons; the old ones and their orders are left alone from now on

sub new_round
{
    my ($self) = @_;
    my $run = $self->{run};
    my $world = $run->{world};
    my $round = $run->{round};

    $_->{asleep} = 1 for map { values %{$world->{$_} || {}} } qw(orders coupons redemptions carts sales);
    $self->{campaigns} = [];
    $self->{pool} = [];
    $self->{claims} = [];
    $self->{redemptions} = [];
    $self->{carts} = [];
    $self->{purses} = [];
    $self->{sale_codes} = [];
    $self->{clients} = { map { $_ => { name => $_, n => 0, rng => Model::Random->new($run->{seed}, $round * 1000 + $_) } }
                         1 .. $run->{clients} };

    for my $campaign (@CAMPAIGNS) {
        my ($name, $count, %terms) = @$campaign;
        my $id = "$name$round";

        $terms{until} += $run->{clock}->clock if $terms{until};
        $self->_put($id, %terms, settled => time);
        push @{$self->{campaigns}}, $id;

        next if !$count;

        for my $holder ($name eq 'own' ? @{$run->{users}}[0 .. 5] : '') {
            my $text = $run->t->cli_ok('coupon', 'mint', $id, $holder ? 1 : $count, $holder ? ('--holder', $holder) : ());

            for (split /\n/, $text) {
                my ($code, undef, $serial) = split /,/;

                next if $code !~ /^[0-9A-Z]{20}$/;
                $world->coupon(code => $code, campaign => $id, serial => $serial, holder => $holder);
                push @{$self->{$name eq 'sale' ? 'sale_codes' : 'pool'}}, $code;
            }
        }
    }

    # everybody goes for what others go for, and on to the next

    my $rng = Model::Random->new($run->{seed}, $round * 1000 + 999);

    @{$self->{pool}} = map { $_->[1] } sort { $a->[0] <=> $b->[0] } map { [ $rng->below(1_000_000), $_ ] } @{$self->{pool}};
}


sub _json
{
    my ($id, %terms) = @_;

    return {
        v => $terms{claim} ? 2 : 1, id => $id, enabled => $terms{enabled} // 1 ? JSON::PP::true : JSON::PP::false,
        discount => defined $terms{fixed} ? { fixed => $terms{fixed} } : { percent => $terms{percent}, cap => $terms{cap} },
        $terms{until} ? (until => _utc($terms{until})) : (),
        $terms{total} || $terms{user}
            ? (limits => { map { $terms{$_} ? ($_ => $terms{$_}) : () } qw(total user) }) : (),
        $terms{claim} ? (claim => $terms{claim}) : (),
    };
}


sub _utc
{
    my @t = gmtime $_[0];

    return sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $t[5] + 1900, $t[4] + 1, @t[3, 2, 1, 0];
}


sub _put
{
    my ($self, $id, %terms) = @_;
    my $t = $self->{run}->t;

    $self->{run}{world}->campaign(id => $id, %terms);
    $t->cli_ok('campaign', 'put', $t->write_file("campaign.$id.json", $JSON->encode(_json($id, %terms))));
}


# clients

sub client
{
    my ($self, $name) = @_;

    $self->_next($self->{clients}{$name});
}


sub _next
{
    my ($self, $client) = @_;
    my $run = $self->{run};

    return if !$run->{open};

    $run->{loop}->after($client->{rng}->between(0.005, 0.1), sub {
        return if !$run->{open} || $client != $self->{clients}{$client->{name}};       # one of the round before

        my $name = $client->{rng}->weighted(@OPERATIONS);
        my $do = "op_$name";

        $self->$do($client) or return $self->_next($client);
        $run->count("op: $name");
    });
}


# an order of this round that somebody made, rather a late one, that is not too much for the model

sub _any_order
{
    my ($self, $client, $when) = @_;
    my $recent = $self->{run}{recent};

    for (1 .. 8) {
        my $order = $recent->[-1 - $client->{rng}->below(@$recent < 40 ? scalar @$recent : 40)] or return;

        next if keys %{$order->{moves}} > 8 || ($when && !$when->($order));
        return $order;
    }

    return;
}


sub _coupons
{
    my ($self, $client, $count) = @_;
    my $run = $self->{run};
    my $pool = $self->{pool};
    my $part = (time - $run->{started}) / ($run->{until} - $run->{started});
    my $at = int($part * (@$pool - 12));
    my %codes;

    $codes{$pool->[($at + $client->{rng}->below(12)) % @$pool]} = 1 for 1 .. $count;

    return sort keys %codes;
}


sub op_new
{
    my ($self, $client) = @_;
    my $run = $self->{run};
    my $rng = $client->{rng};
    my $key = "r$run->{round}c$client->{name}n" . ++$client->{n};
    my $user = $rng->pick(@{$run->{users}});
    my $order = $self->_order($user, $key, $rng->pick(qw(a b c d)));
    my $count = $rng->weighted(0 => 1, 1 => 6, 2 => 3);
    my @claimed = $rng->chance(20) ? $self->_claimed($user) : ();

    push @{$run->{recent}}, $order;

    return $self->_send_order($client, $order, $self->_content($rng,
        @claimed ? $rng->pick(@claimed) : $self->_coupons($client, $count)));
}


sub _claimed
{
    my ($self, $user) = @_;

    return sort map { $_->{code} } grep { defined $_->{code} && $_->{campaign} eq "drop$self->{run}{round}"
        && (!defined $user || $_->{user} eq $user) } values %{$self->{run}{world}{claims}};
}


sub _order
{
    my ($self, $user, $key, $port) = @_;

    return $self->{run}{world}->order($user, $key, port => $self->{run}{ports}{$port}, id => 'N' . $user =~ s/\D+//r . "-$key");
}


sub _content
{
    my ($self, $rng, @coupons) = @_;
    my $amount = 5000 + $rng->below(1000);

    return { amount => $amount, coupons => [ @coupons ], fingerprint => "$amount @coupons" };
}


sub op_retry
{
    my ($self, $client) = @_;
    my $order = $self->_any_order($client) or return;

    return $self->_send_order($client, $order, $client->{rng}->pick(@{$order->{contents}}));
}


sub op_reuse
{
    my ($self, $client) = @_;
    my $order = $self->_any_order($client, sub { @{$_[0]{contents}} < 3 }) or return;

    return $self->_send_order($client, $order, $self->_content($client->{rng}, $self->_coupons($client, 1)));
}


sub op_steal
{
    my ($self, $client) = @_;
    my $run = $self->{run};
    my $victim = $self->_any_order($client) or return;
    my $key = "r$run->{round}c$client->{name}n" . ++$client->{n};
    my $order = $self->_order($client->{rng}->pick(@{$run->{users}}), $key, $client->{rng}->pick(qw(a b c d)));

    push @{$run->{recent}}, $order;

    return $self->_send_order($client, $order,
        $self->_content($client->{rng}, @{$victim->{contents}[0]{coupons}}));
}


sub op_twin
{
    my ($self, $client) = @_;
    my $run = $self->{run};
    my $other = $self->_any_order($client) or return;
    my $order = $self->_order($client->{rng}->pick(@{$run->{users}}), $other->{key}, $client->{rng}->pick(qw(a b c d)));

    return if @{$order->{contents}};

    push @{$run->{recent}}, $order;

    return $self->_send_order($client, $order, $self->_content($client->{rng}, $self->_coupons($client, 1)));
}


# the clock jumps while the first try is with the storefront, which refuses it after it has got the second

sub op_overtake
{
    my ($self, $client) = @_;
    my $run = $self->{run};
    my $rng = $client->{rng};

    return if !$rng->chance(30) || !$run->{faults};

    my $key = "r$run->{round}c$client->{name}n" . ++$client->{n};
    my $order = $self->_order($rng->pick(@{$run->{users}}), $key, $rng->pick(qw(a b c d)));
    my $content = $self->_content($rng, $self->_coupons($client, 1));
    my @plans = $rng->chance(70) ? ('late=0.5', 'slow=0.7') : ('slow=0.5', 'slow=0.7');

    push @{$run->{recent}}, $order;
    $run->{loop}->after(0.1, sub { $run->advance(80) if $run->{open} });
    $run->{loop}->after(0.15, sub {
        $self->_send_order({ rng => $rng }, $order, $content, $plans[1]) if $run->{open} && keys %{$order->{moves}} < 8;
    });

    return $self->_send_order($client, $order, $content, $plans[0]);
}


sub first_order
{
    my ($self, $user) = @_;
    my $order = $self->_order($user, "first-" . $user =~ s/\D+//r, 'a');

    $self->_send_order({ rng => Model::Random->new(1, 1) }, $order,
        { amount => 100, coupons => [], fingerprint => '' }, 'ok');
}


sub _send_order
{
    my ($self, $client, $order, $content, $plan) = @_;
    my $run = $self->{run};
    my $rng = $client->{rng};

    $plan //= $rng->weighted(@PLANS);
    $plan .= '=' . $rng->between(0.02, 0.7) if $plan =~ /^(?:slow|late)$/;

    my $timeout = $client->{name} && $rng->chance(6) ? $rng->between(0.01, 0.4) : 6;

    my $op = $self->_op($client, type => 'order', order => $order, gen => $order->gen($content), plan => $plan,
        timeout => $timeout);

    $run->{world}->sent($op);

    return $self->_send($op, "/$order->{port}{name}/orders", {
        client_key => $order->{key},
        coupons    => $content->{coupons},
        items      => [ { sku => 's1', count => 1, price => $content->{amount} } ],
    }, \&_order_answer);
}


sub _order_answer
{
    my ($self, $op, $answer, $error) = @_;
    my $world = $self->{run}{world};
    my $status = $answer->status;
    my $code = $answer->code // '';
    my $what = $error ? "($error)" : "$status $code";

    if ($op->{reached}) {
        my $expected = defined $op->{told} ? $answer->body eq $op->{told} : 0;

        $op->{order}{definite}{$op->{n}} = 1 if $expected && $status =~ /^(?:200|404)$/;
        $self->_wrong($op, $answer) if !$error && !$expected && $status !~ /^50[24]$/;
        return $world->over($op, $what);
    }

    # a worker that was stopped while it connected gives up before anything was read

    return $world->silent($op, $what) if $error || $status =~ /^50[24]$/ || $code eq 'STORE_UNKNOWN';
    return $world->refused($op, $what) if $code eq 'STORE_UNAVAILABLE' && $status == 503;
    return $world->answered($op, 'coupon', $what) if $code eq 'COUPON_NOT_USABLE' && $status == 422;
    return $world->answered($op, 'coupon', $what, 'own') if $code eq 'COUPON_IN_DOUBT' && $status == 409;
    return $world->answered($op, 'inflight', $what) if $code eq 'ORDER_IN_FLIGHT' && $status == 409;
    return $world->answered($op, 'reused', $what) if $code eq 'ORDER_KEY_REUSED' && $status == 409;

    $self->_wrong($op, $answer);
    $world->silent($op, $what);
}


sub _wrong
{
    my ($self, $op, $answer) = @_;

    $self->{run}->broken("$op->{n} must not be answered so: " . $answer->status . ' ' . $answer->body,
        $op->{order} ? $self->{run}{world}->story($op->{order}) : ());
}


# orders in doubt, amounts that differ, and coupons that are gone, at the end

sub resolve
{
    my ($self, $order) = @_;
    return $self->_send_cart({ rng => Model::Random->new(1, 1) }, $order, 'complete', undef, 'ok')
        if $order->isa('Model::Cart');

    my ($state) = grep { /^unknown/ } $order->states;

    $self->_send_order({ rng => Model::Random->new(1, 1) }, $order, $order->{contents}[(split / /, $state)[3]], 'ok');
}


sub settle
{
    my ($self, $order) = @_;

    $self->_notice({ rng => Model::Random->new(1, 1) }, $order, 'cancel', 'key');
}


# notices

sub op_confirm
{
    my ($self, $client) = @_;
    my $order = $self->_any_order($client) or return;

    return $self->_notice($client, $order, 'confirm', $client->{rng}->pick('id', 'key'));
}


sub op_cancel
{
    my ($self, $client) = @_;
    my $order = $self->_any_order($client) or return;

    return $self->_notice($client, $order, 'cancel', $client->{rng}->pick('id', 'key'));
}


sub _notice
{
    my ($self, $client, $order, $type, $by) = @_;
    my $op = $self->_op($client, type => $type, order => $order, by => $by);

    $self->{run}{world}->sent($op);

    return $self->_send($op, $by eq 'id' ? "/$type?id=$order->{id}" : "/$type-key?key=$order->{key}&user=$order->{user}",
        '', \&_notice_answer);
}


my %NOTICE = (OK => 'ok', ORDER_REPLAY => 'replay', COUPON_RESERVATION_LOST => 'lost', AMOUNT_MISMATCH => 'amount',
    ORDER_UNKNOWN => 'parked', ORDER_NOT_FOUND => '404', ORDER_CLOSED => 'closed');

my %STATUS = (ok => 200, replay => 200, lost => 200, amount => 200, parked => 202, 404 => 404, closed => 409);


sub _notice_answer
{
    my ($self, $op, $answer, $error) = @_;
    my $world = $self->{run}{world};
    my $json = $answer->json || {};
    my $code = $json->{code} // $json->{reason} // '';
    my $what = $error ? "($error)" : $answer->status . " $code";
    my $result = $NOTICE{$code} // '';

    return $world->silent($op, $what) if $error || $code eq 'STORE_UNKNOWN';
    return $world->refused($op, $what) if $code eq 'STORE_UNAVAILABLE' && $answer->status == 503;

    if ($result && $answer->status == $STATUS{$result}) {
        $world->answered($op, $result, $what);
    }
    else {
        $self->_wrong($op, $answer);
        $world->silent($op, $what);
    }
}


# claims

sub op_claim
{
    my ($self, $client) = @_;
    my $run = $self->{run};
    my $rng = $client->{rng};

    # a new one, or one that somebody sent before

    my $again = $rng->chance(40) ? $rng->pick(@{$self->{claims} || []}) : undef;
    my ($user, $key) = $again ? @$again : ($rng->pick(@{$run->{users}}), "r$run->{round}c$client->{name}n" . ++$client->{n});
    my $claim = $run->{world}->claim_sent($user, $key, "drop$run->{round}");
    my $op = $self->_op($client, type => 'claim', claim => $claim, timeout => $rng->chance(10) ? $rng->between(0.01, 0.2) : 6);

    push @{$self->{claims}}, [ $user, $key ] if !$again;

    return $self->_send($op, "/claim?campaign=$claim->{campaign}", '', \&_claim_answer, $user, 'Idempotency-Key' => $key);
}


sub _claim_answer
{
    my ($self, $op, $answer, $error) = @_;
    my $world = $self->{run}{world};
    my $json = $answer->json || {};

    return if $error || $answer->status == 503;

    if ($answer->status =~ /^20[01]$/ && defined $json->{code} && !$json->{replay} == ($answer->status == 201)) {
        return $world->claimed($op->{claim}, $json->{code}, $json->{replay});
    }

    return $world->claim_denied($op->{claim}, $answer->code) if $answer->status =~ /^4(?:09|22)$/;

    $self->_wrong($op, $answer);
}


# carts

sub op_cart
{
    my ($self, $client) = @_;
    my $run = $self->{run};
    my $rng = $client->{rng};
    my $carts = $self->{carts};
    my $cart = $rng->chance(75) ? $carts->[-1 - $rng->below(@$carts < 12 ? scalar @$carts : 12)] : undef;

    if (!$cart) {
        $cart = $run->{world}->cart($rng->pick(@{$run->{users}}), "r$run->{round}c$client->{name}n" . ++$client->{n},
            port => { on => 'order', in_flight => 75, deadline => 960 });
        push @$carts, $cart;
    }

    return if keys %{$cart->{moves}} > 6;

    my $type = $rng->weighted(apply => 5, remove => 2, complete => 3);

    return $self->_send_cart($client, $cart, 'complete') if $type eq 'complete';

    my $had = $cart->{contents}[0] ? $cart->{contents}[0]{coupons} : [];
    my $code = @$had && ($type eq 'remove' || @$had >= 4 || $rng->chance(30)) ? $rng->pick(@$had)
             : $rng->pick(grep { $run->{world}{coupons}{$_}{campaign} =~ /^(?:plain|total)/ } $self->_coupons($client, 6));

    return if !defined $code;
    return $self->_send_cart($client, $cart, $type, $code);
}


my @CART_PLANS = (ok => 60, refuse => 8, refuse404 => 5, slow => 10, fail => 4, lost => 4, hang => 2, hanglost => 2,
    close => 3, closelost => 2);


sub _send_cart
{
    my ($self, $client, $cart, $type, $code, $plan) = @_;
    my $run = $self->{run};
    my $rng = $client->{rng};

    $plan //= $rng->weighted(@CART_PLANS);
    $plan .= '=' . $rng->between(0.02, 0.5) if $plan eq 'slow';

    my $timeout = $client->{name} && $rng->chance(6) ? $rng->between(0.01, 0.4) : 6;

    my $op = $self->_op($client, type => $type, order => $cart, plan => $plan, timeout => $timeout,
        defined $code ? (place => $cart->place($code), codes => [ $code ]) : ());

    $run->{world}->sent($op);

    my $uri = "/cart/$cart->{key}/" . ($type eq 'complete' ? 'complete' : 'promotions');

    return $self->_send($op, $uri, defined $code ? { promo_codes => [ $code ] } : '', \&_cart_answer, $cart->{user},
        $type eq 'remove' ? ('X-Method' => 'DELETE') : ());
}


sub _cart_answer
{
    my ($self, $op, $answer, $error) = @_;
    my $world = $self->{run}{world};
    my $status = $answer->status;
    my $code = $answer->code // '';
    my $what = $error ? "($error)" : "$status $code";

    if ($op->{reached}) {
        my $expected = defined $op->{told} && $answer->body eq $op->{told};

        $self->_wrong($op, $answer) if !$error && !$expected && $status !~ /^50[24]$/;
        return $world->over($op, $what);
    }

    return $world->silent($op, $what) if $error || $status =~ /^50[24]$/ || $code eq 'STORE_UNKNOWN';
    return $world->refused($op, $what) if $code eq 'STORE_UNAVAILABLE' && $status == 503;

    my $result = $code eq 'COUPON_NOT_USABLE' && $status == 422 ? 'coupon'
               : $code eq 'COUPON_IN_DOUBT' && $status == 409 ? 'coupon'
               : $code eq 'ORDER_IN_FLIGHT' && $status == 409 ? 'inflight'
               : $code =~ /^ORDER_(?:CLOSED|KEY_REUSED)$/ && $status == 409 ? 'closed' : undef;

    $op->{codes} //= $op->{order}{contents}[0] ? $op->{order}{contents}[0]{coupons} : [];

    return $world->answered($op, $result, $what, $code eq 'COUPON_IN_DOUBT' ? 'own' : undef) if $result;

    $self->_wrong($op, $answer);
    $world->silent($op, $what);
}


# payments and refunds

sub op_money
{
    my ($self, $client) = @_;

    return Model::Money::step($self, $client);
}


# the counter of a shop

sub op_counter
{
    my ($self, $client) = @_;
    my $run = $self->{run};
    my $rng = $client->{rng};
    my $recent = $self->{redemptions};
    my $redemption = $rng->chance(35) ? $rng->pick(@$recent) : undef;

    if (!$redemption) {
        my @claimed = $rng->chance(40) ? $self->_claimed : ();
        my $code = @claimed ? $rng->pick(@claimed) : ($self->_coupons($client, 1))[0];

        $redemption = $run->{world}->redemption("r$run->{round}c$client->{name}n" . ++$client->{n}, $code);
        $redemption->gen({ coupons => [ $code ], fingerprint => $code, amount => 0 });
        push @$recent, $redemption;
    }

    return if keys %{$redemption->{moves}} > 6;

    my $op = $self->_op($client, type => 'redeem', order => $redemption, gen => 0,
        timeout => $rng->chance(10) ? $rng->between(0.01, 0.2) : 6);

    $run->{world}->sent($op);

    return $self->_send($op, '/counter/redeem',
        { code => $redemption->{contents}[0]{coupons}[0], request => $redemption->{key} }, \&_counter_answer, 'u-clerk');
}


sub op_rollback
{
    my ($self, $client) = @_;
    my $run = $self->{run};
    my $redemption = $client->{rng}->pick(@{$self->{redemptions}}) or return;

    return if keys %{$redemption->{moves}} > 6;

    my $op = $self->_op($client, type => 'rollback', order => $redemption);

    $run->{world}->sent($op);

    return $self->_send($op, '/counter/rollback', { request => $redemption->{key} }, \&_counter_answer, 'u-clerk');
}


my %COUNTER = (COUPON_ALREADY_ROLLED_BACK => 'rolled', COUPON_ROLLBACK_WINDOW => 'window', COUPON_ROLLBACK_CYCLES => 'cycles');


sub _counter_answer
{
    my ($self, $op, $answer, $error) = @_;
    my $world = $self->{run}{world};
    my $code = $answer->code // '';
    my $what = $error ? "($error)" : $answer->status . " $code";
    my $json = $answer->json || {};
    my $state = $op->{type} eq 'redeem' ? 'redeemed' : 'rolled_back';

    return $world->silent($op, $what) if $error || $code eq 'STORE_UNKNOWN';
    return $world->refused($op, $what) if $code eq 'STORE_UNAVAILABLE' && $answer->status == 503;

    my $result = $answer->status == 200 && ($json->{state} // '') eq $state ? ($json->{replay} ? 'replay' : 'ok')
               : $COUNTER{$code} ? $COUNTER{$code}
               : $op->{type} eq 'rollback' && $code eq 'COUPON_NOT_FOUND' ? 'none'
               : $op->{type} eq 'redeem' && $answer->status =~ /^4(?:09|22)$/ && $code =~ /^COUPON_/ ? 'coupon' : undef;

    return $world->answered($op, $result, $what) if $result;

    $self->_wrong($op, $answer);
    $world->silent($op, $what);
}


sub op_stranger
{
    my ($self, $client) = @_;
    my $op = $self->_op($client, type => 'stranger');
    my $type = $client->{rng}->pick('confirm', 'cancel');

    return $self->_send($op, "/$type?id=X$client->{name}-" . $client->{rng}->below(20), '', sub {
        my ($self, $op, $answer, $error) = @_;

        $self->_wrong($op, $answer) if !$error && $answer->status !~ /^(?:202|503)$/;
    });
}


sub op_page
{
    my ($self, $client) = @_;
    my $op = $self->_op($client, type => 'page');
    my $user = $client->{rng}->pick(@{$self->{run}{users}});

    return $self->_send($op, "/goods/1?st=$self->{run}{token}", undef, sub {
        my ($self, $op, $answer, $error) = @_;

        $self->_wrong($op, $answer) if !$error && $answer->status != 200;
    }, $user);
}


# requests

sub _op
{
    my ($self, $client, %op) = @_;
    my $run = $self->{run};
    my $n = 'o' . ++$run->{number};

    return $run->{ops}{$n} = { n => $n, client => $client, time => time, timeout => 6, %op };
}


sub _send
{
    my ($self, $op, $uri, $body, $answered, $user, @headers) = @_;
    my $run = $self->{run};

    my %given = @headers;
    my $bytes = $run->t->_request($given{'X-Method'} // (defined $body ? 'POST' : 'GET'), {
        uri => $uri, body => $body,
        headers => [ 'X-User' => $user // ($op->{order} ? $op->{order}{user} : 'notice'), 'X-Op' => $op->{n},
                     'X-Plan' => $op->{plan} // 'ok', @headers ],
    });

    $run->{loop}->request($run->t->port(8080), $bytes, $op->{timeout}, sub {
        my ($answer, $error) = @_;

        $run->count('answer: ' . ($error ? 'none' : $answer->status . ($answer->status >= 400 ? ' ' . ($answer->code // '') : '')));
        $run->broken("$op->{n}: the answer tells of others: " . $answer->body) if $run->tells_secret($answer->{raw}, $op);
        $self->$answered($op, $answer, $error);

        # a request whose client has left may still reach the storefront

        delete $run->{ops}{$op->{n}};
        $run->{late}{$op->{n}} = $op;
        $self->_next($op->{client}) if $op->{client}{name};
    });

    return 1;
}


# the tool beside it

sub tool
{
    my ($self) = @_;
    my $run = $self->{run};
    my $rng = Model::Random->new($run->{seed}, $run->{round} * 1000 + 998);

    my $round = $run->{round};
    my $next;

    $next = sub {
        return if !$run->{open} || $round != $run->{round};

        my $do = $rng->weighted(check => 3, limits => 3, list => 1, show => 2);
        my $then = sub { $run->{loop}->after($rng->between(0.3, 1.2), $next) };

        $run->count("tool: $do");
        $do eq 'limits' ? $self->_change($rng, $then) : $self->_ask($rng, $do, $then);
    };

    $run->{loop}->after($rng->between(0.3, 1), $next);
}


sub _environment
{
    my ($self) = @_;
    my $dir = $self->{run}->t->dir;

    return { COMMERCE_KEYS => "$dir/keys.json", COMMERCE_STORE => "$dir/store", COMMERCE_SHOP => 'demo',
        COMMERCE_CLOCK => "$dir/clock" };
}


sub _ask
{
    my ($self, $rng, $do, $then) = @_;
    my $run = $self->{run};

    my @command = $do eq 'check' ? qw(store check)
                : $do eq 'list' ? qw(order list --in-doubt)
                : (qw(coupon show), $rng->pick(@{$self->{pool}}));

    $run->{loop}->command([ "$run->{t}{modules}/commerce", @command ], $self->_environment, sub {
        my ($code, $out, $err) = @_;

        $run->broken("commerce @command: $out$err") if $code;
        $then->();
    });
}


# A limit that is changed, a campaign that is switched off and on.  Both versions are possible until the tool
# is done, and when it was not.

sub _change
{
    my ($self, $rng, $then) = @_;
    my $run = $self->{run};
    my $name = $rng->pick('total', 'each', 'plain');
    my $id = "$name$run->{round}";
    my %terms = %{$run->{world}{campaigns}{$id}[-1]};

    delete @terms{qw(from settled id)};
    $terms{total} = 2 + $rng->below(6) if $name eq 'total';
    $terms{user} = 1 + $rng->below(2) if $name eq 'each';
    $terms{enabled} = $rng->chance(70) ? 1 : 0 if $name eq 'plain';

    my $path = $run->t->write_file("campaign.$id.json", $JSON->encode(_json($id, %terms)));

    $run->{world}->note("campaign $id: " . join ' ', map { "$_=$terms{$_}" } sort keys %terms);
    $run->{world}->campaign(id => $id, %terms);

    my $version = $run->{world}{campaigns}{$id}[-1];

    $run->{loop}->command([ "$run->{t}{modules}/commerce", qw(--timeout 5 campaign put), $path ], $self->_environment, sub {
        my ($code) = @_;

        $version->{settled} = time if $code == 0;
        $run->count('tool: refused') if $code;
        $then->();
    });
}


1;
