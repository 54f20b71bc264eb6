package Model::Run;

# Copyright (C) ngx_commerce authors
#
# One run of the model checker: a gateway, random clients, a storefront, faults, and the model that watches.
#
#   my $run = Model::Run->new(seed => 7, clients => 14, faults => 1);
#   $run->rounds(3, 10);            three rounds of ten seconds, each with a look at the truth behind it
#   $run->finish;                   everything is resolved, and compared once more
#   $run->problems                  what cannot be, with the story of the orders concerned
#   $run->figures                   name => count
#
# What clients do is in Model::Operations, what is done to the gateway in Model::Faults.

use strict;
use warnings;

use Test::More ();
use Test::NgxCommerce;
use Time::HiRes qw(sleep time);

use Model::Clock;
use Model::Faults;
use Model::Loop;
use Model::Operations;
use Model::Random;
use Model::Storefront;
use Model::Truth;
use Model::World;

my $T0 = 1_800_000_000;
my @USERS = map { "buyer$_" } 1 .. 8;

my %PORTS = (
    a => { on => 'order', unpaid => 'release', in_doubt => 'hold' },
    b => { on => 'paid', unpaid => 'release', in_doubt => 'hold' },
    c => { on => 'paid', unpaid => 'release', in_doubt => 'release' },
    d => { on => 'order', unpaid => 'hold', in_doubt => 'release' },
);


sub new
{
    my ($class, %option) = @_;
    my $t = Test::NgxCommerce->new;

    my $self = bless {
        clients => 14, faults => 1, %option,
        t        => $t,
        rng      => Model::Random->new($option{seed}, 0),
        problems => [],
        figures  => {},
        ops      => {},
        number   => 0,
        round    => 0,
        recent   => [],
        users    => \@USERS,
        ports    => { map { $_ => { name => $_, in_flight => 75, deadline => 960, %{$PORTS{$_}} } } keys %PORTS },
    }, $class;

    $self->_set_up;

    return $self;
}


sub t         { return $_[0]{t} }
sub problems  { return @{$_[0]{problems}} }
sub figures   { return $_[0]{figures} }
sub count     { $_[0]{figures}{$_[1]}++ }


sub broken
{
    my ($self, $text, @story) = @_;

    return if grep { $_->[0] eq $text } @{$self->{problems}};
    push @{$self->{problems}}, [ $text, @story ];
    $self->{failed} = 1;
}


sub _set_up
{
    my ($self) = @_;
    my $t = $self->{t};
    my $broken = sub { $self->broken(@_) };

    $self->{clock} = Model::Clock->new($T0, sub { $t->clock($_[0]) });
    $self->{world} = Model::World->new(clock => $self->{clock}, broken => $broken);

    $self->{harm} = Model::Faults->new($self, Model::Random->new($self->{seed}, 1));
    $self->{harm}->before_start;            # the store's file system

    $t->keys;
    $t->people("id,role,status,upline,user\nA,guide,active,,u-a\nclerk,clerk,active,,u-clerk\n");
    $self->{token} = $t->token('A');

    $self->{loop} = Model::Loop->new(listen => $t->port(8081), dir => $t->dir,
        serve => sub { $self->{storefront}->serve(@_) });

    $self->{storefront} = Model::Storefront->new(loop => $self->{loop}, world => $self->{world}, broken => $broken,
        keys => scalar $t->cli_ok(qw(keys export verdict)), op => sub { $self->{ops}{$_[0]{headers}{'x-op'} // ''} });

    $self->{truth} = Model::Truth->new(t => $t, calm => !$self->{faults}, world => $self->{world}, broken => $broken,
        secret => sub { $self->tells_secret($_[0]) });

    $self->{work} = Model::Operations->new($self);

    $t->conf($self->_conf);
    $self->{harm}->run;
    $self->_meet_users;
}


sub _conf
{
    my ($self) = @_;
    my $reuseport = $self->{harm}{reuseport} ? 'reuseport' : '';

    my $orders = join '', map { <<"EOC" } sort keys %{$self->{ports}};

        location = /$_/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payable=response:/data/pay_amount;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons max=2;
            commerce_coupon_redeem on=$self->{ports}{$_}{on} deadline=16m unpaid=$self->{ports}{$_}{unpaid}
                                   in_doubt=$self->{ports}{$_}{in_doubt};
            proxy_pass http://127.0.0.1:8081;
        }
EOC

    return <<"EOC";
%%TEST_GLOBALS%%
@{[ $self->{harm}->globals ]}
worker_processes 2;

events {
    worker_connections 4096;
}

http {
    %%TEST_GLOBALS_HTTP%%

    commerce_store      lmdb:%%DIR%%/store map=1g sweep=200ms deadline=800ms;
    commerce_keys       %%DIR%%/keys.json;
    commerce_event_log  %%DIR%%/events.jsonl flush=100ms;
    commerce_node       test;
    commerce_coupon_guess off;
    commerce_clock      %%DIR%%/clock;

    server {
        listen          127.0.0.1:8080 $reuseport;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   \$http_x_user verified;
        commerce_touch  share \$arg_st;

        proxy_read_timeout    1s;
        proxy_next_upstream   off;
        add_header            X-Pid \$pid always;

        location / { proxy_pass http://127.0.0.1:8081; proxy_read_timeout 20s; }
        $orders
        location = /m/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payment=response:/data/pay_no payable=response:/data/pay_amount
                           freight=response:/data/freight;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons max=2;
            commerce_coupon_redeem on=paid deadline=16m;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /m/paid   { commerce_order_confirm id=json:/order payment=json:/pay transaction=json:/trade amount=json:/fen; }
        location = /m/settle { commerce_order_settle id=json:/order payment=json:/pay transaction=json:/trade; }
        location = /m/whole  { commerce_order_refund id=json:/order payment=json:/pay transaction=json:/trade refund=json:/refund; }

        location = /m/refund {
            commerce_order_refund id=json:/order payment=json:/pay transaction=json:/trade refund=json:/refund
                                  amount=json:/fen lines=json:/lines line_number=/line line_amount=/fen;
        }

        location = /confirm     { commerce_order_confirm id=\$arg_id; }
        location = /confirm-key { commerce_order_confirm key=\$arg_key user=\$arg_user; }
        location = /cancel      { commerce_order_cancel id=\$arg_id; }
        location = /cancel-key  { commerce_order_cancel key=\$arg_key user=\$arg_user; }

        location ~ ^/cart/(?<cart>[^/]+)/promotions\$ {
            commerce_order key=\$cart scope=shop;
            commerce_cart apply=POST remove=DELETE coupons=response:/cart/promotions/*/code wait=1s;
            commerce_coupon_code json:/promo_codes max=2;
            commerce_coupon_redeem on=order deadline=16m;
            proxy_pass http://127.0.0.1:8081;
        }

        location ~ ^/cart/(?<cart>[^/]+)/complete\$ {
            commerce_order key=\$cart scope=shop lines=response:/order/items id=response:/order/id
                           payable=response:/order/total;
            commerce_order_line id=/sku qty=/quantity price=/unit_price;
            commerce_cart complete=POST coupons=response:/order/promotions code=/code amount=/amount wait=1s;
            commerce_order_success status=200 json=/type:order;
            commerce_coupon_redeem on=order deadline=16m;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /claim            { commerce_coupon_claim campaign=\$arg_campaign; }
        location = /counter/redeem   { commerce_coupon_redeem_shop code=json:/code request=json:/request; }
        location = /counter/rollback { commerce_coupon_rollback_shop request=json:/request window=1h; }

        location = /status      { commerce off; commerce_status; }
    }
}
EOC
}


# one order of each, so that the log's pseudonyms can be told apart

sub _meet_users
{
    my ($self) = @_;

    for my $user (@{$self->{users}}) {
        $self->{work}->first_order($user);
    }

    $self->{loop}->run(sub { !%{$self->{ops}} });
    $self->_settle;
    $self->{truth}->orders(values %{$self->{world}{orders}});
}


# a text that names somebody else's order, user or coupon

sub tells_secret
{
    my ($self, $text, $op) = @_;
    my $order = $op && $op->{order};
    my $claim = $op && $op->{claim};
    my %own = map { $_ => 1 } $order ? ($order->{user}, $order->{key}, map { @{$_->{coupons}} } @{$order->{contents}})
                            : $claim ? ($claim->{user}, $claim->{key}, $claim->{code} // '') : ();

    return 1 if grep { !$own{$_} } $text =~ /\b(buyer\d+)\b/g;
    return 1 if grep { $self->{world}{coupons}{$_} && !$own{$_} } $text =~ /\b([0-9A-Z]{20})\b/g;
    return 1 if $op && grep { !$own{$_} } $text =~ /\b(r\d+c\d+n\d+)\b/g;

    return 0;
}


sub rounds
{
    my ($self, $rounds, $seconds) = @_;

    for (1 .. $rounds) {
        last if $self->{failed};
        $self->round($seconds);
    }
}


sub round
{
    my ($self, $seconds) = @_;
    my $until = time + $seconds;

    $self->{round}++;
    $self->{recent} = [];
    $self->{work}->new_round;
    $self->{started} = time;
    $self->{until} = $until;

    $self->{open} = 1;
    $self->{work}->client($_) for 1 .. $self->{clients};
    $self->{work}->tool;
    $self->{harm}->start if $self->{faults};

    $self->{loop}->run(sub { time >= $until || $self->{failed} });

    $self->{open} = 0;
    $self->look;
}


# The truth: nothing is in flight any more, every fault is over.

sub look
{
    my ($self) = @_;
    my $world = $self->{world};

    $self->{harm}->heal;
    $self->{loop}->run(sub { !%{$self->{ops}} && !%{$self->{loop}{commands}} });
    $self->{harm}->healed;
    $self->_settle or return;

    # who is still in flight belongs to a worker that died, and may have begun before the clock went back

    my (undef, $latest) = $self->{clock}->range(0);

    $self->advance($latest - $self->{clock}->clock + 100);
    $self->_settle or return;
    Model::Money::repeat($self->{work});
    $self->_settle or return;

    my @orders = grep { !$_->{asleep} } map { values %{$world->{$_} || {}} } qw(orders carts sales);

    $self->_swept(@orders);
    $self->compare(@orders);
}


sub compare
{
    my ($self, @orders) = @_;
    my $truth = $self->{truth};
    my @codes = grep { !$self->{world}{coupons}{$_}{asleep} } sort keys %{$self->{world}{coupons}};

    $truth->orders(@orders);
    $truth->coupons(@codes);
    $truth->counters(@{$self->{work}{campaigns}});
    $truth->log;
    $truth->claims;
    $truth->compare(@orders);
    $truth->store;
    $self->count('looks');
}


# nothing is in a worker's hands, and the log has what the store has

sub _settle
{
    my ($self) = @_;
    my $quiet = 0;
    my $status;

    my $done = $self->{t}->wait_for(sub {
        $status = $self->{t}->get('/status')->json // {};

        my $busy = grep { ($_ // 1) != 0 } $status->{store}{outbox}, $status->{store}{in_flight};

        $quiet = $busy ? 0 : $quiet + 1;
        sleep 0.01;
        return $quiet >= 12;                # every worker, as far as chance goes
    }, 20);

    $self->broken('the gateway does not come to rest', Test::More::explain($status)) if !$done;

    return $done;
}


sub settle { return $_[0]->_settle }


# the sweep has been there: nothing is left that is due

sub _swept
{
    my ($self, @orders) = @_;
    my @pending = grep { !$_->isa('Model::Sale') && $_->may_be(qr/^(?:pending|open)/) } @orders;

    $self->{t}->wait_for(sub {
        @pending = grep { $self->{truth}->order($_)->{state} eq 'pending' } @pending;
        return !@pending;
    }, 10);

    $self->broken(@pending . " orders are pending for ever, at clock $self->{clock}{history}[-1][1]",
        Test::More::explain($self->{t}->get('/status')->json), $self->{t}->cli_ok('order', 'show', $pending[0]{key},
        '--user', $pending[0]{user}), $self->{world}->story($pending[0])) if @pending;
    sleep 0.5;
    $self->_settle;
}


sub advance
{
    my ($self, $seconds) = @_;

    $self->{clock}->to($self->{clock}->clock + $seconds);
    $self->{world}->note("clock $seconds s");
    $self->{world}->time_passed;
}


# Orders in doubt are sent again, so that the storefront says what they are; those whose coupons are somebody
# else's by now are cancelled.  Then nobody is in doubt.

sub finish
{
    my ($self) = @_;

    return $self->_end if $self->{failed};

    for my $case ([ qr/^(?:unknown|open)/, 'resolve' ], [ qr/^(?:unknown|open)|1$/, 'settle' ]) {
        my ($pattern, $do) = @$case;
        my @orders = grep { !$_->{asleep} && $_->may_be($pattern) }
            map { values %{$self->{world}{$_} || {}} } qw(orders carts);

        $self->{work}->$do($_) for @orders;
        $self->{loop}->run(sub { !%{$self->{ops}} });
        $self->_settle or last;
        $self->compare(@orders);
    }

    my $status = $self->{t}->get('/status')->json;

    $self->broken("in the end $status->{shops}{demo}{in_doubt} orders are in doubt")
        if $status->{shops}{demo}{in_doubt} && $self->{round} == 1;

    $self->_end;
}


sub _end
{
    my ($self) = @_;

    $self->{figures}{"log: $_"} = $self->{truth}{$_} // 0 for qw(events again torn checked);
    $self->{figures}{orders} = keys %{$self->{world}{orders}};
    $self->{figures}{claims} = grep { defined $_->{code} } values %{$self->{world}{claims}};
    $self->{figures}{sales} = keys %{$self->{world}{sales} || {}};
    $self->{figures}{carts} = keys %{$self->{world}{carts}};
    $self->{figures}{redemptions} = keys %{$self->{world}{redemptions}};
    $self->{figures}{coupons} = keys %{$self->{world}{coupons}};
    $self->{harm}->end;
}


1;
