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

    return $self->_page($connection, $request) if $request->{uri} !~ m{^/\w+/orders$};

    my $op = $self->{op}->($request) or return $self->{loop}->hang_up($connection);
    my $verdict = $self->_verdict($request, $op) or return $self->{loop}->hang_up($connection);

    $op->{reached} = time;
    $op->{degraded} ? $self->{world}->degraded($op) : $self->{world}->reached($op, $verdict);

    my $plan = $request->{headers}{'x-plan'} // 'ok';
    my $made = $self->{orders}{"$verdict->{sub}\n$verdict->{key}"};
    my ($name, $wait) = split /=/, $plan;

    $wait = ($wait // 0) + $self->{delay};
    $name = { refuse => 'ok', refuse404 => 'ok', late => 'slow', lost => 'fail', hanglost => 'hang',
              closelost => 'close' }->{$name} // $name if $made;

    if ($name !~ /^(?:refuse|refuse404|late|lost|hanglost|closelost)$/) {
        $made = $self->_make($op, $verdict, $name eq 'mismatch') if !$made;
        return $self->{loop}->reply($connection, _answer(409, '{"code":409}')) if !$made;
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
        answer   => $JSON->encode({ code => 0, data => { order_no => $order->{id}, pay_amount => $pay + ($mismatch ? 1 : 0) } }),
    };
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
    push @wrong, 'body' if $verdict->{body_sha256} ne sha256_hex($request->{body});
    push @wrong, 'method' if $verdict->{method} ne 'POST';
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
