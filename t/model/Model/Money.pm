package Model::Money;

# Copyright (C) ngx_commerce authors
#
# What clients and the payment service do with Model::Sale: orders, payments told of in every shape, refunds,
# the end of after-sale time; all of it repeated, and told of wrongly.  Part of Model::Operations.

use strict;
use warnings;

use List::Util qw(sum0);
use Model::Random;
use Model::Sale;
use Time::HiRes qw(time);

my @PLANS = (ok => 60, slow => 10, refuse => 4, fail => 6, lost => 6, hang => 3, hanglost => 3, close => 4, closelost => 4);


sub step
{
    my ($work, $client) = @_;
    my $rng = $client->{rng};
    my $purses = $work->{purses};
    my $purse = $rng->chance(85) ? $purses->[-1 - $rng->below(@$purses < 10 ? scalar @$purses : 10)] : undef;

    $purse //= @$purses < 36 ? _purse($work, $client) : $rng->pick(@$purses);

    my $sale = $rng->pick(@{$purse->{sales}});
    my ($new) = grep { !$_->{sent} } @{$purse->{sales}};

    # rather the next thing that has not been told of, now and then what comes later

    my $do = $rng->weighted(order => $new ? 12 : 1, paid => 8, fact => 8, wrong => 4);

    return order($work, $client, $new // $sale) if $do eq 'order';
    return paid($work, $client, $purse, $rng->pick(@{$purse->{facts}})) if $do eq 'paid';
    return _wrong($work, $client, $purse, $sale) if $do eq 'wrong';

    my $fact = $rng->pick(@{$sale->{facts}}) or return;

    return refund($work, $client, $sale, $fact);
}


sub _purse
{
    my ($work, $client) = @_;
    my $run = $work->{run};
    my $rng = $client->{rng};
    my $count = $rng->chance(35) ? 2 : 1;

    my $purse = Model::Sale::purse($rng, name => "s$run->{round}c$client->{name}n" . ++$client->{n},
        user => $rng->pick(@{$run->{users}}), count => $count,
        codes => [ map { $rng->chance(75) ? shift @{$work->{sale_codes}} : undef } 1 .. $count ]);

    $run->{world}->sale($_) for @{$purse->{sales}};
    push @{$work->{purses}}, $purse;

    return $purse;
}


# the order itself

sub order
{
    my ($work, $client, $sale, $plan) = @_;
    my $rng = $client->{rng};

    $sale->{sent} = 1;
    $sale->{cause}{$_} = 1 for qw(order accepted failed let_go);
    $plan //= $rng->weighted(@PLANS);
    $plan .= '=' . $rng->between(0.02, 0.5) if $plan eq 'slow';

    my @amounts = @{$sale->{amounts}};

    return _send($work, $client, $sale, '/m/orders', {
        client_key => $sale->{key}, coupons => $sale->{contents}[0]{coupons},
        items => [ map { { sku => "s$_", count => 1, price => $amounts[$_] } } 0 .. $#amounts ],
    }, \&_order_answer, type => 'order', gen => 0, plan => $plan);
}


sub _order_answer
{
    my ($work, $op, $answer, $error) = @_;
    my $code = $answer->code // '';

    return if $error || $answer->status =~ /^50[24]$/;

    if ($op->{reached}) {
        $work->_wrong($op, $answer) if !defined $op->{told} || $answer->body ne $op->{told};
        $op->{order}{made} = 1 if $op->{made} && !$op->{degraded};
        return;
    }

    return if $answer->status == 503 && $code =~ /^STORE_/;
    return if $answer->status == 409 && $code eq 'ORDER_IN_FLIGHT';

    $work->_wrong($op, $answer);
}


# money, by whatever it is known

sub paid
{
    my ($work, $client, $purse, $fact) = @_;
    my @sales = @{$purse->{sales}};
    my $sale = $client->{rng}->pick(@sales);
    my $shape = $client->{rng}->pick(@sales == 1 ? 'id' : 'both', 'both', 'payment');

    $_->{cause}{confirm} = 1 for @sales;

    return _tell($work, $client, $sale, $fact, '/m/paid', {
        $shape ne 'payment' ? (order => $sale->{id}) : (), $shape ne 'id' ? (pay => $purse->{pay}) : (),
        trade => $fact->{number}, fen => $fact->{fen},
    }, shape => $shape);
}


# a refund, or the end of after-sale time

sub refund
{
    my ($work, $client, $sale, $fact) = @_;
    my $purse = $sale->{purse};
    my ($told) = grep { defined $_->{done} } @{$purse->{facts}};
    my $shape = @{$purse->{sales}} > 1 ? 'id' : $client->{rng}->pick('id', 'id', 'payment', $told ? 'transaction' : 'id');
    my $by = $shape eq 'id' ? { order => $sale->{id} }
           : $shape eq 'payment' ? { pay => $purse->{pay} } : { trade => $told->{number} };

    return _tell($work, $client, $sale, $fact, '/m/settle', $by, shape => $shape) if $fact->{kind} eq 'settle';

    $sale->{cause}{cancel} = 1;             # a full one returns the coupon

    return _tell($work, $client, $sale, $fact, $fact->{whole} ? '/m/whole' : '/m/refund', {
        %$by, refund => $fact->{number},
        $fact->{whole} ? () : (fen => $fact->{fen}),
        $fact->{line} ? (lines => [ { line => $fact->{line}, fen => $fact->{fen} } ]) : (),
    }, shape => $shape);
}


sub _tell
{
    my ($work, $client, $sale, $fact, $uri, $body, %more) = @_;

    $fact->{tries}++;

    return _send($work, $client, $sale, $uri, $body, \&_told, type => $fact->{kind}, fact => $fact, %more);
}


sub _told
{
    my ($work, $op, $answer, $error) = @_;
    my ($sale, $fact) = @$op{qw(order fact)};
    my $json = $answer->json || {};
    my $reason = $json->{reason} // $json->{code} // '';
    my $status = $answer->status;

    return if $error || ($status == 503 && $reason =~ /^STORE_/);

    # who is known cannot be forgotten

    my @known = grep { defined $_->{known} && $_->{known} < $op->{time} }
        $op->{shape} eq 'payment' ? @{$sale->{purse}{sales}} : $sale;

    if ($status == 202 && $reason eq 'ORDER_UNKNOWN') {
        $work->_wrong($op, $answer) if @known;
        $fact->{taken} //= time;
        return;
    }

    my %sale = map { $_->{key} => $_ } @{$sale->{purse}{sales}};
    my @entries = $json->{orders} ? @{$json->{orders}} : $json;

    return $work->_wrong($op, $answer) if grep { !defined $_->{order} || !$sale{$_->{order}} } @entries;

    $sale{$_->{order}}{known} //= time for @entries;

    if ($status == 202 && $reason eq 'ORDER_NOT_PAID' && $fact->{kind} ne 'paid') {
        $work->_wrong($op, $answer) if defined $sale->{over} && $sale->{over} < $op->{time};
        $fact->{taken} //= time;
        return;
    }

    return $work->_wrong($op, $answer) if $status != 200;

    for my $entry (@entries) {
        my $of = $sale{$entry->{order}};
        my @wrong = $of->wrong($entry, $op);

        $work->{run}->broken("$op->{n} $op->{type} $fact->{number}: @wrong: " . $answer->body, $work->{run}{world}->story($of))
            if @wrong;
        $of->{over} //= time if $entry->{state} ne 'placed';
    }

    $fact->{taken} //= time;
    $fact->{done} //= time;
    $fact->{done_named} //= time if $op->{shape} ne 'id';
}


# A number that is told of with another amount, or of another order, when it has been taken: nothing happens.

sub _wrong
{
    my ($work, $client, $purse, $sale) = @_;
    my $rng = $client->{rng};
    my ($money) = grep { defined $_->{done} } @{$purse->{facts}};
    my ($refund) = grep { defined $_->{done} && $_->{kind} eq 'refund' && !$_->{whole} } @{$sale->{facts}};
    my ($other) = grep { $_->{purse} != $purse && defined $_->{over} } map { @{$_->{sales}} } @{$work->{purses}};
    my $elsewhere = $other && $rng->chance(50);

    if ($refund && $rng->chance(50)) {
        return _send($work, $client, $elsewhere ? $other : $sale, '/m/refund', {
            order => $elsewhere ? $other->{id} : $sale->{id}, refund => $refund->{number},
            fen => $refund->{fen} + ($elsewhere ? 0 : 1),
        }, _refuses('REFUND_KEY_REUSED'), type => 'wrong');
    }

    return if !$money;

    return _send($work, $client, $elsewhere ? $other : $sale, '/m/paid', {
        $elsewhere ? (order => $other->{id}) : (pay => $purse->{pay}),
        trade => $money->{number}, fen => $money->{fen} + ($elsewhere ? 0 : 1),
    }, _refuses('TRANSACTION_REUSED'), type => 'wrong');
}


sub _refuses
{
    my ($code) = @_;

    return sub {
        my ($work, $op, $answer, $error) = @_;
        my $told = $answer->code // '';

        return if $error || ($answer->status == 503 && $told =~ /^STORE_/);

        $work->{run}->count("answer: $code");
        $work->_wrong($op, $answer) if $answer->status != 409 || $told ne $code;
    };
}


sub _send
{
    my ($work, $client, $sale, $uri, $body, $answered, %op) = @_;
    my $rng = $client->{rng};

    my $timeout = $client->{name} && $rng->chance(8) ? $rng->between(0.01, 0.3) : 6;
    my $op = $work->_op($client, order => $sale, timeout => $timeout, %op);
    my $what = join ' ', map { "$_=" . (ref $body->{$_} ? 'named' : $body->{$_}) } grep { $_ ne 'items' } sort keys %$body;

    $work->{run}{world}->_note($sale, "$op->{n} $uri $what sent" . (defined $op->{plan} ? ", $op->{plan}" : ''));

    return $work->_send($op, $uri, $body, sub {
        my ($work, $op, $answer, $error) = @_;

        $work->{run}{world}->_note($sale, "$op->{n} was answered: " . ($error ? "($error)" : $answer->status . ' ' . $answer->body));
        $answered->($work, $op, $answer, $error);
    });
}


# At the end of a round everybody repeats what was not taken yet.

sub repeat
{
    my ($work) = @_;
    my $run = $work->{run};
    my $client = { rng => Model::Random->new($run->{seed}, $run->{round} * 1000 + 997) };
    my @sales = grep { $_->{sent} || grep { $_->{tries} } @{$_->{facts}}, @{$_->{purse}{facts}} }
        map { @{$_->{sales}} } @{$work->{purses}};

    _order_all($work, $client, @sales);
    _tell_all($work, $client, @sales);
}


sub _order_all
{
    my ($work, $client, @sales) = @_;
    my $run = $work->{run};
    my @left;

    for (1 .. 12) {
        @left = grep { !$_->{sure} } @sales;

        for my $sale (@left) {
            $sale->{made} = 0;
            order($work, $client, $sale, 'ok');
        }

        $run->{loop}->run(sub { !%{$run->{ops}} });
        $_->{sure} = $_->{made} for @left;
        last if !@left;
    }

    $run->broken(@left . ' sales cannot be ordered', $run->{world}->story($left[0])) if @left;
}


# payments first: only then is a refund taken for good

sub _tell_all
{
    my ($work, $client, @sales) = @_;
    my $run = $work->{run};
    my @left;

    for (1 .. 12) {
        last if !$run->settle;

        @left = map { my $purse = $_; map { [ $purse, $_ ] } grep { $_->{tries} && !defined $_->{done} } @{$purse->{facts}} }
            @{$work->{purses}};
        paid($work, $client, @$_) for @left;
        $run->{loop}->run(sub { !%{$run->{ops}} });

        my @facts = map { my $sale = $_; map { [ $sale, $_ ] }
            grep { $_->{tries} && !defined ($sale->{over} ? $_->{done} : $_->{end}) } @{$sale->{facts}} } @sales;

        for my $fact (@facts) {
            refund($work, $client, @$fact);
        }

        $run->{loop}->run(sub { !%{$run->{ops}} });
        $_->[1]{end} = $_->[1]{taken} for @facts;
        push @left, @facts;
        last if !@left;
    }

    $run->broken(@left . ' notices are not taken') if @left;
}


1;
