package Model::Storefront;

# Copyright (C) ngx_commerce authors
#
# The backend behind the gateway.  It keeps its contract: checks the verdict, makes one order per key, honours
# the verdict's coupons only, gives a retry the answer that the first try got.  Apart from that it misbehaves
# as each request says in X-Plan:
#
#   ok refuse refuse404           answers; a refusal is for good unless the order exists
#   slow=N late=N                 the answer comes later; late: a refusal
#   fail lost                     a 500: the order was made, was not made
#   hang hanglost                 no answer at all
#   close closelost               hangs up after reading
#   mismatch                      another amount than goods less discounts

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256 sha256_hex);
use JSON::PP ();
use MIME::Base64 qw(decode_base64url);
use Time::HiRes qw(time);

my $JSON = JSON::PP->new->utf8->canonical;


# loop world keys (text of "keys export verdict"); op(request): what the client sent

sub new
{
    my ($class, %option) = @_;
    my $self = bless { %option, orders => {}, jti => {}, delay => 0 }, $class;

    for (split /\n/, $option{keys}) {
        my $key = $JSON->decode($_);
        $self->{secret}{$key->{kid}} = decode_base64url($key->{key});
    }

    return $self;
}


sub serve
{
    my ($self, $connection, $request) = @_;

    return $self->_cart($connection, $request, $1, $2) if $request->{uri} =~ m{^/cart/([^/]+)/(promotions|complete)$};
    return $self->_sale($connection, $request) if $request->{uri} eq '/m/orders';
    return $self->_page($connection, $request) if $request->{uri} !~ m{^/\w+/orders$};

    my $op = $self->{op}->($request) or return $self->{loop}->hang_up($connection);
    my $verdict = $self->_verdict($request, $op) or return $self->{loop}->hang_up($connection);

    $op->{reached} = time;
    $op->{degraded} ? $self->{world}->degraded($op) : $self->{world}->reached($op, $verdict);

    my $plan = $request->{headers}{'x-plan'} // 'ok';
    my $made = $self->{orders}{"$verdict->{sub}\n$verdict->{key}"};

    # another order under this key: one that the gateway has not kept track of, its store was down

    if ($made && $made->{gen} != $op->{gen}) {
        $op->{told} = '{"code":409}';
        return $self->{loop}->reply($connection, _answer(409, $op->{told}));
    }

    my ($name, $wait) = split /=/, $plan;

    $wait = ($wait // 0) + $self->{delay};
    $name = { refuse => 'ok', refuse404 => 'ok', late => 'slow', lost => 'fail', hanglost => 'hang',
              closelost => 'close' }->{$name} // $name if $made;

    if ($name !~ /^(?:refuse|refuse404|late|lost|hanglost|closelost)$/) {
        $made = $self->_make($op, $verdict, $name eq 'mismatch') if !$made;
    }

    # without an answer the gateway will be in doubt: that was said when the request came

    return if $name =~ /^hang/;
    return $self->{loop}->hang_up($connection) if $name =~ /^close/;

    my ($status, $body) = $name =~ /^(?:fail|lost)$/ ? (500, '{"code":500}')
                        : $name eq 'refuse404' ? (404, '{"code":404}')
                        : $name =~ /^(?:refuse|late)$/ ? (200, '{"code":4001}')
                        : (200, $made->{answer});

    my $answer = sub {
        return if $connection->{gone};
        $self->{world}->effect($op, 'accepted', mismatch => $made->{mismatch}) if $status == 200 && $made;
        $self->{world}->effect($op, 'failed') if $name =~ /^(?:refuse|refuse404|late)$/;
        $op->{told} = $body;
        $self->{loop}->reply($connection, _answer($status, $body));
    };

    $wait ? $self->{loop}->after($wait, $answer) : $answer->();
}


sub _make
{
    my ($self, $op, $verdict, $mismatch) = @_;
    my $order = $op->{order};
    my $pay = $order->{contents}[$op->{gen}]{amount};

    $pay -= $_->{discount} // 0 for @{$verdict->{coupons}};
    $self->{broken}->("$order->{user} $order->{key}: the final amount is $pay") if $pay < 0;

    return $self->{orders}{"$verdict->{sub}\n$verdict->{key}"} = {
        mismatch => $mismatch,
        gen      => $op->{gen},
        answer   => $JSON->encode({ code => 0, data => { order_no => $order->{id}, pay_amount => $pay + ($mismatch ? 1 : 0) } }),
    };
}


# An order that payments and refunds are told of: nobody else wants its coupons, so that it gets them.

sub _sale
{
    my ($self, $connection, $request) = @_;
    my $op = $self->{op}->($request) or return $self->{loop}->hang_up($connection);
    my $verdict = $self->_verdict($request, $op) or return $self->{loop}->hang_up($connection);
    my $sale = $op->{order};
    my ($plan, $wait) = split /=/, $request->{headers}{'x-plan'} // 'ok';
    my $made = $self->{orders}{"$verdict->{sub}\n$verdict->{key}"};
    my $named = join ' ', map { "$_->{code} " . ($_->{discount} // 'unknown') } @{$verdict->{coupons}};

    $op->{reached} = time;
    $self->{world}->_note($sale, "$op->{n} reached the storefront, coupons: $named");

    if (!$made && $plan !~ /^(?:refuse|lost|hanglost|closelost)$/) {
        $made = $self->{orders}{"$verdict->{sub}\n$verdict->{key}"} = { gen => 0 };

        $self->{broken}->("$sale->{user} $sale->{key}: ordered with coupons \"$named\"", $self->{world}->story($sale))
            if $named ne join ' ', map { "$_ 1000" } @{$sale->{contents}[0]{coupons}};
    }

    return if $plan =~ /^hang/;
    return $self->{loop}->hang_up($connection) if $plan =~ /^close/;

    my ($status, $body) = $plan =~ /^(?:fail|lost)$/ ? (500, '{"code":500}')
                        : !$made ? (200, '{"code":4001}')
                        : (200, $JSON->encode({ code => 0, data => { order_no => $sale->{id}, pay_no => $sale->{purse}{pay},
                                                pay_amount => $sale->{due}, freight => $sale->{freight} } }));

    my $answer = sub {
        return if $connection->{gone};
        $op->{told} = $body;
        $op->{made} = $made && $status == 200;
        $self->{loop}->reply($connection, _answer($status, $body));
    };

    $wait = ($wait // 0) + $self->{delay};
    $wait ? $self->{loop}->after($wait, $answer) : $answer->();
}


# A cart takes the codes that the verdict honours, and becomes one order of those that it honours then.

sub _cart
{
    my ($self, $connection, $request, $id, $what) = @_;
    my $op = $self->{op}->($request) or return $self->{loop}->hang_up($connection);

    # to take something out of a cart needs no verdict

    my $verdict = $op->{type} eq 'remove' && !$request->{headers}{'x-commerce-verdict'} ? { coupons => [] }
                : $self->_verdict($request, $op) or return $self->{loop}->hang_up($connection);

    $op->{reached} = time;
    $self->{world}->cart_reached($op, $verdict);

    my $cart = $self->{carts}{$id} //= { codes => {} };
    my %honoured = map { $_->{code} => 1 } @{$verdict->{coupons}};
    my ($plan, $wait) = split /=/, $request->{headers}{'x-plan'} // 'ok';
    my $done = $cart->{order} || $plan !~ /^(?:refuse|refuse404|lost|hanglost|closelost)$/;

    if ($done && $what eq 'complete') {
        $cart->{order} //= $self->_cart_order($op, $cart, grep { $honoured{$_} } sort keys %{$cart->{codes}});
        $plan = 'ok' if $plan =~ /^refuse/;
    }
    elsif ($done && !$cart->{order}) {
        $request->{method} eq 'DELETE' ? delete $cart->{codes}{$_} : ($cart->{codes}{$_} = 1)
            for grep { $request->{method} eq 'DELETE' || $honoured{$_} } @{$op->{codes}};
    }

    return if $plan =~ /^hang/;
    return $self->{loop}->hang_up($connection) if $plan =~ /^close/;

    my ($status, $body) = $plan =~ /^(?:fail|lost)$/ ? (500, '{}')
                        : $plan eq 'refuse404' ? (404, '{}')
                        : $what eq 'complete' ? (200, $cart->{order} // '{"type":"cart"}')
                        : (200, $JSON->encode({ cart => { promotions => [ map { { code => $_ } } sort keys %{$cart->{codes}} ] } }));

    my $answer = sub {
        return if $connection->{gone};
        $self->_cart_told($op, $cart, $status);
        $op->{told} = $body;
        $self->{loop}->reply($connection, _answer($status, $body));
    };

    $wait = ($wait // 0) + $self->{delay};
    $wait ? $self->{loop}->after($wait, $answer) : $answer->();
}


sub _cart_told
{
    my ($self, $op, $cart, $status) = @_;
    my $world = $self->{world};
    my $coupons = $op->{order}{contents}[0] ? $op->{order}{contents}[0]{coupons} : [];

    if ($op->{type} eq 'complete') {
        $world->cart_effect($op, 'ordered', listed => { map { $_ => 1 } grep { $cart->{listed}{$coupons->[$_]} } 0 .. $#$coupons })
            if $status == 200 && $cart->{order};
        $world->cart_effect($op, 'declined') if $status == 404 || ($status == 200 && !$cart->{order});
    }
    elsif ($status == 404 || ($status == 200 && !$cart->{codes}{$op->{codes}[0]})) {
        $world->cart_effect($op, $op->{type} eq 'apply' ? 'untaken' : 'removed') if $status == 200 || $op->{type} eq 'apply';
    }
}


sub _cart_order
{
    my ($self, $op, $cart, @codes) = @_;
    my %worth = map { $_ => $self->{world}{campaigns}{$self->{world}{coupons}{$_}{campaign}}[-1]{fixed} } @codes;
    my $total = 9900;

    $total -= $_ for values %worth;
    $cart->{listed} = { map { $_ => 1 } @codes };

    return $JSON->encode({ type => 'order', order => { id => "M-$op->{order}{key}", total => $total,
        items => [ { sku => 's1', quantity => 1, unit_price => 9900 } ],
        promotions => [ map { { code => $_, amount => $worth{$_} } } @codes ] } });
}


sub _page
{
    my ($self, $connection, $request) = @_;
    my %seen = map { $_ => $request->{headers}{$_} } grep { /^x-commerce-/ } keys %{$request->{headers}};

    $self->{loop}->reply($connection, _answer(200, $JSON->encode(\%seen)));
}


sub _answer
{
    my ($status, $body) = @_;

    return "HTTP/1.1 $status Answer\r\nContent-Type: application/json\r\nContent-Length: " . length($body)
        . "\r\nConnection: close\r\n\r\n$body";
}


# The verdict has to be signed, new, and about this request.  That it has not expired cannot be asked while
# the clock jumps.

sub _verdict
{
    my ($self, $request, $op) = @_;
    my $jws = $request->{headers}{'x-commerce-verdict'} // '';
    my ($head, $payload, $signature) = $jws =~ /^([\w-]+)\.([\w-]+)\.([\w-]+)$/;

    if (!defined $head) {
        $self->{broken}->("$op->{order}{user} $op->{order}{key}: forwarded without a verdict");
        return undef;
    }

    my $header = $JSON->decode(decode_base64url($head));
    my $verdict = $JSON->decode(decode_base64url($payload));
    my $secret = $self->{secret}{$header->{kid}} // '';
    my @wrong;

    push @wrong, 'signature' if hmac_sha256("$head.$payload", $secret) ne decode_base64url($signature);
    push @wrong, 'body' if $verdict->{body_sha256} ne (length $request->{body} ? sha256_hex($request->{body}) : sha256_hex(''));
    push @wrong, 'method' if $verdict->{method} ne $request->{method};
    push @wrong, 'path' if $verdict->{path} ne $request->{uri};
    push @wrong, 'user' if ($verdict->{sub} // '') ne $op->{order}{user};
    push @wrong, 'key' if $verdict->{key} ne $op->{order}{key};
    push @wrong, 'time' if $verdict->{exp} - $verdict->{iat} != 60;
    push @wrong, 'used before' if $self->{jti}{$verdict->{jti}}++;
    push @wrong, 'Idempotency-Key' if ($request->{headers}{'idempotency-key'} // '') ne $op->{order}{key};

    $self->{broken}->("$op->{order}{user} $op->{order}{key}: verdict: @wrong") if @wrong;

    $self->_check_degraded($op, $verdict) if defined $request->{headers}{'x-commerce-degraded'};

    return @wrong ? undef : $verdict;
}


# the store was down: the gateway keeps no track of such an order, or cannot tell whether it does

sub _check_degraded
{
    my ($self, $op, $verdict) = @_;

    if (@{$verdict->{coupons}} || @{$op->{order}{contents}[$op->{gen}]{coupons}}) {
        $self->{broken}->("$op->{order}{user} $op->{order}{key}: coupons without a store");
    }

    $op->{degraded} = 1;
}


1;
