#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Splits (分账): what goes to a platform that pays people out of an order, judged by the order's snapshot first.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce qw(json);
use Test::NgxCommerce::Schema qw(invalid);

my $t = Test::NgxCommerce->new;

$t->clock(1_800_000_000);
$t->keys;

$t->people(<<'CSV');
id,role,status,upline,user
pete,guide,active,,u-pete
rosa,koc,active,,u-rosa
anna,customer,active,rosa,u-anna
bert,koc,active,,u-bert
acme,agency,active,,u-acme
deal,dealer,active,,u-deal
cora,koc,active,,u-cora
dave,customer,active,cora,u-dave
CSV

$t->storefront(8081);

my $server = <<'EOC';
    server {
        listen          127.0.0.1:%PORT%;
        commerce_shop   demo;
        commerce        %MODE%;
        commerce_user   $http_x_user verified;
        commerce_touch  share $arg_st;
        commerce_guard  %GUARD%;

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payable=response:/data/pay_amount;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /paid {
            commerce_order_confirm id=json:/order payment=json:/payment transaction=json:/transaction amount=json:/fen;
        }

        location = /cancel { commerce_order_cancel id=json:/order; }
        location = /refund { commerce_order_refund id=json:/order refund=json:/refund amount=json:/fen; }

        location = /v3/profitsharing/orders {
            commerce_split wechat;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /join { commerce_tiers pay; commerce_join token=json:/token; }

        location = /split {
            commerce_split json order=json:/order receivers=/pay account=/who amount=/yuan role=/as number=/no
                           third=/third_leader third=/pay/*/three_ratio unit=yuan frozen_tier2=pay;
            proxy_pass http://127.0.0.1:8081;
        }

        location / { proxy_pass http://127.0.0.1:8081; }
    }
EOC

sub server
{
    my %o = @_;

    return $server =~ s/%(\w+)%/$o{$1}/gr;
}

my $conf = server(PORT => 8080, MODE => 'enforce', GUARD => 'on')
    . server(PORT => 8082, MODE => 'observe', GUARD => 'off')
    . server(PORT => 8083, MODE => 'enforce', GUARD => 'off')
    . server(PORT => 8084, MODE => 'enforce', GUARD => 'on') =~ s/(profitsharing.*?127\.0\.0\.1:)8081/${1}8085/sr;

$t->http_conf($conf)->run;

my %token = map { $_ => $t->token($_) } qw(anna bert dave pete);
my ($orders, $splits) = (0, 0);


# an order by this seller's link, paid unless told otherwise; its id, and the transaction that paid it

sub order
{
    my ($seller, %o) = @_;
    my $key = 'k' . ++$orders;
    my $items = $o{items} // [ { sku => 'A', count => 1, price => 10000 } ];

    my $answer = $t->post('/api/orders?st=' . ($token{$seller} // ''), { client_key => $key, items => $items },
                          headers => { 'X-User' => $o{user} // "buyer-$key" });

    is($answer->status, 200, "order $key by $seller") or diag $answer->body;
    $t->wait_events(sub { grep { $_->{type} eq 'order' && $_->{order_key} eq $key } @_ });

    my $id = $answer->json->{data}{order_no};

    pay($key, $id, "t-$key") unless $o{unpaid};

    return wantarray ? ($id, "t-$key", $key) : "t-$key";
}


sub pay
{
    my ($payment, $id, $transaction, $fen) = @_;

    is($t->post('/paid', { order => $id, payment => "p-$payment", transaction => $transaction, fen => $fen // 10000 })
         ->status, 200, 'paid');
}


# WeChat's body: receivers are [ name, fen ] or [ name, fen, type ]

sub receiver { return { type => $_[2] // 'PERSONAL_OPENID', account => $_[0], amount => $_[1], description => 'x' } }

sub body
{
    my ($transaction, @receivers) = @_;

    return { appid => 'wx1', transaction_id => $transaction, out_order_no => 'S' . ++$splits,
             receivers => [ map { receiver(@$_) } @receivers ], unfreeze_unsplit => JSON::PP::true };
}


sub split_answer
{
    my ($body, %o) = @_;
    my $told = delete $o{platform};

    $o{headers} = { 'X-Test' => $told } if $told;

    return $t->post('/v3/profitsharing/orders', $body, type => 'application/json', %o);
}

sub verdict { my $answer = split_answer(@_); return join ' ', $answer->status, $answer->code // '' }

# released afterwards, so that each is judged alone

sub passes
{
    my ($name, $transaction, @receivers) = @_;
    my $before = () = $t->received;
    my $body = body($transaction, @receivers);
    my $answer = split_answer($body);

    is($answer->code // '', '', "$name: goes on") or diag $answer->body;
    my @received = $t->received;
    is(scalar @received, $before + 1, '... and arrives');
    is_deeply([ json()->decode($received[-1]{body}), grep { /commerce/ } keys %{$received[-1]{headers}} ], [ $body ],
              '... as it came');
    release($transaction, $body->{out_order_no});
}

sub release { $t->cli_ok('split', 'release', $_[1], $_[0] =~ /^t-(\w+)/) }

sub fails
{
    my ($name, $want, $transaction, @receivers) = @_;
    my $before = () = $t->received;

    is(verdict(body($transaction, @receivers)), $want, "$name: $want");
    is(scalar(() = $t->received), $before, '... and nobody sees it');
}


subtest 'without a plan: 30 % for the tiers' => sub {
    my $paid = order('anna');

    passes('five payees, one recruitment', $paid, [ 'u-anna', 2000 ], [ 'u-rosa', 1000 ],
           [ '1900000109', 500, 'MERCHANT_ID' ], [ 'u-acme', 300 ], [ 'u-deal', 200 ]);

    my ($event) = $t->wait_events('split_check');

    is("@$event{qw(reason receivers amount number)}", 'OK 5 4000 S1', 'is written down');
    is($event->{order_key}, 'k1', '... with its order');
    ok($event->{chain}, '... as a money event');

    passes('3000 basis points', $paid, [ 'u-anna', 1500 ], [ 'rosa', 1500 ]);
    fails('3001', '422 SPLIT_SUM_EXCEEDS_CAP', $paid, [ 'u-anna', 1500 ], [ 'rosa', 1501 ]);
    fails('more than was paid', '422 SPLIT_SUM_EXCEEDS_ORDER', $paid, [ 'm', 10001, 'MERCHANT_ID' ]);
    passes('all of it', $paid, [ 'm', 10000, 'MERCHANT_ID' ]);
    fails('the house has no seller to pay', '422 SPLIT_PAYEE_UNDECLARED', scalar order('none'), [ 'u-anna', 1 ]);
};

subtest 'who is paid' => sub {
    my $paid = order('anna');

    fails('somebody', '422 SPLIT_PAYEE_UNDECLARED', $paid, [ 'u-x', 1 ]);
    fails('another seller', '422 SPLIT_PAYEE_UNDECLARED', $paid, [ 'u-bert', 1 ]);
    fails('a seller who calls himself a merchant', '422 SPLIT_PAYEE_UNDECLARED', $paid, [ 'bert', 1, 'MERCHANT_ID' ]);
    fails('an account twice', '422 TIER_DUPLICATE_PAYEE', $paid, [ 'm', 1, 'MERCHANT_ID' ], [ 'm', 1, 'MERCHANT_ID' ]);
    fails('a person by two names', '422 TIER_DUPLICATE_PAYEE', $paid, [ 'u-anna', 1 ], [ 'anna', 1 ]);
    passes('a salaried one who is no tier', $paid, [ 'pete', 1 ], [ 'u-rosa', 1 ]);

    my ($refused) = grep { ($_->{seller} // '') eq 'bert' && $_->{type} eq 'split_check' } $t->wait_events(
        sub { grep { ($_->{seller} // '') eq 'bert' && $_->{type} eq 'split_check' } @_ });

    is("$refused->{receiver} $refused->{seller}", '1 bert', 'the log says which one');
    unlike($t->read_file('events.jsonl'), qr/u-bert|u-x|1900000109/, '... and no account');
};

subtest 'a third tier' => sub {
    my $paid = order('bert');
    my ($id, $yuan) = order('anna');

    $t->people("id,role,status,upline,user\nolga,agency,active,,u-olga\n");

    is((split_answer(body($paid, [ 'u-olga', 1 ])))->status, 200, 'an agency is paid as one');
    is((split_answer(body($yuan, [ 'u-olga', 1 ])))->status, 200, '... so far');

    my $join = sub {
        is($t->post('/join', { token => $t->token($_[1]) }, headers => { 'X-User' => "u-$_[0]" })->status, 201,
           "$_[0] joins under $_[1]");
    };

    $join->('rosa', 'olga');

    fails('above tier 2 nobody is a role', '422 TIER3_PRESENT', $yuan, [ 'u-olga', 1 ]);
    fails('... be it for nothing', '422 TIER3_PRESENT', $yuan, [ 'u-rosa', 1 ], [ 'u-olga', 0 ]);
    fails('... nor as a merchant', '422 TIER3_PRESENT', $yuan, [ 'olga', 1, 'MERCHANT_ID' ]);
    passes('for bert she is an agency still', $paid, [ 'u-olga', 1 ], [ 'u-bert', 1 ]);

    # bert sold when nobody had recruited him

    $join->('bert', 'anna');
    fails('a recruiter of later', '422 TIER3_PRESENT', $paid, [ 'u-anna', 1 ]);
};

subtest 'what is refused for its form' => sub {
    my $paid = order('anna');
    my $text = sub { return json()->encode(body($paid, [ 'u-anna', 1 ])) };

    fails('below zero', '422 SPLIT_NEGATIVE', $paid, [ 'u-anna', -1 ], [ 'm', 5, 'MERCHANT_ID' ]);
    passes('50', $paid, map { [ "m$_", 1, 'MERCHANT_ID' ] } 1 .. 50);
    fails('51', '422 SPLIT_TOO_MANY_RECEIVERS', $paid, map { [ "m$_", 1, 'MERCHANT_ID' ] } 1 .. 51);
    fails('nobody', '422 SPLIT_MALFORMED', $paid);
    fails('a type of its own', '422 SPLIT_MALFORMED', $paid, [ 'u-anna', 1, 'CUSTOMER' ]);
    fails('no account', '422 SPLIT_MALFORMED', $paid, [ undef, 1 ]);
    fails('no amount', '422 SPLIT_MALFORMED', $paid, [ 'u-anna', undef ]);
    fails('half a fen', '422 SPLIT_MALFORMED', $paid, [ 'u-anna', 0.5 ]);
    fails('another order', '404 ORDER_NOT_FOUND', 't-none', [ 'u-anna', 1 ]);
    fails('no order', '422 ORDER_KEY_MALFORMED', undef, [ 'u-anna', 1 ]);

    for my $case (
        [ '9223372036854775807', 'SPLIT_OVERFLOW' ], [ '18446744073709551617', 'SPLIT_OVERFLOW' ],
        [ '1e30', 'SPLIT_OVERFLOW' ], [ '"1"', '' ], [ '"1x"', 'SPLIT_MALFORMED' ], [ '[]', 'SPLIT_MALFORMED' ],
        [ '1,"amount":2', 'BODY_DUPLICATE_MEMBER' ], [ '1,"Amount":2', 'BODY_DUPLICATE_MEMBER' ])
    {
        my ($amount, $reason) = @$case;
        my $bytes = $text->() =~ s/"amount":1/"amount":$amount/r;

        is(split_answer($bytes)->code // '', $reason, "amount $amount: " . ($reason || 'goes on'));
    }

    is(verdict($text->() =~ s/^\{/{"receivers":[],/r), '422 BODY_DUPLICATE_MEMBER', 'receivers twice');
    is(verdict($text->() . ' ', type => 'text/plain'), '415 BODY_TYPE', 'another type');
    is(verdict(''), '422 SPLIT_MALFORMED', 'no body');
    is(verdict('{'), '422 BODY_MALFORMED', 'no JSON');
    is(verdict($text->() . ' ' x 65536), '413 BODY_TOO_LARGE', 'too large');
    is(verdict($text->(), headers => { 'Content-Encoding' => 'gzip' }), '415 BODY_TYPE', 'encoded');
    is(verdict($text->() . ' ' x 20000, chunked => 1), '200 ', 'chunked, in a file: goes on');

    # a body with a method that has none

    my $bytes = $text->() =~ s/"amount":1/"amount":10001/r;
    my $raw = "GET /v3/profitsharing/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
        . 'Content-Length: ' . length($bytes) . "\r\n\r\n$bytes";

    is($t->raw($raw, port => 8083)->status, 422, 'GET with a body is judged, too');
    is($t->raw($raw)->status, 403, '... and refused where it is guarded');
};

subtest 'payment and refunds' => sub {
    my ($id, $paid, $key) = order('anna', unpaid => 1);

    fails('not paid', '404 ORDER_NOT_FOUND', $paid, [ 'u-anna', 1 ]);
    pay($key, $id, $paid, 9999);
    fails('not wholly', '409 SPLIT_NOT_PAID', $paid, [ 'u-anna', 1 ]);
    pay($key, $id, "$paid-2", 1);
    passes('paid by two', "$paid-2", [ 'u-anna', 3000 ]);

    is($t->post('/refund', { order => $id, refund => 'r1', fen => 4000 })->status, 200, 'some of it back');
    fails('tiers of what is left', '422 SPLIT_SUM_EXCEEDS_CAP', $paid, [ 'u-anna', 1801 ]);
    passes('... to the fen', $paid, [ 'u-anna', 1800 ], [ 'm', 4200, 'MERCHANT_ID' ]);
    fails('everybody', '409 SPLIT_AFTER_REFUND', $paid, [ 'u-anna', 1800 ], [ 'm', 4201, 'MERCHANT_ID' ]);

    is($t->post('/refund', { order => $id, refund => 'r2', fen => 6000 })->status, 200, 'the rest back');
    fails('nothing is left', '409 SPLIT_AFTER_REFUND', $paid, [ 'm', 1, 'MERCHANT_ID' ]);

    my ($other) = order('anna');
    ($id, $paid) = order('anna');
    is($t->post('/cancel', { order => $id })->status, 200, 'cancelled');
    fails('of a cancelled one', '409 SPLIT_AFTER_REFUND', $paid, [ 'm', 1, 'MERCHANT_ID' ]);

    # one payment of two orders: which one is split?

    my ($a, undef, $a_key) = order('anna', unpaid => 1);
    my ($b) = order('anna', unpaid => 1);

    pay($a_key, $a, "both", 20000);
    pay($a_key, $b, "both", 20000);
    fails('a payment of two orders', '409 ORDER_AMBIGUOUS', 'both', [ 'u-anna', 1 ]);
};

subtest 'the suspended' => sub {
    my $suspend = sub {
        my ($id, $status, $upline) = @_;
        $t->people("id,role,status,upline,user\n$id,koc,$status,$upline,u-$id\n");
    };

    my ($id, $paid) = order('dave');

    passes('tier 2', $paid, [ 'u-cora', 1 ]);
    $suspend->('dave', 'suspended', 'cora');
    fails('he', '422 TIER_FROZEN', $paid, [ 'u-dave', 1 ]);
    fails('tier 2 by him', '422 TIER_FROZEN', $paid, [ 'u-cora', 1 ]);

    is($t->post('/split', { order => $id, no => 'f1', pay => [ { who => 'cora', yuan => 0.01 } ] })->status, 200,
       'frozen_tier2=pay: tier 2 is paid');
    is($t->post('/split', { order => $id, no => 'f2', pay => [ { who => 'dave', yuan => 0.01 } ] })->code, 'TIER_FROZEN',
       '... he himself is not');
};

subtest 'a plan: each gets his own' => sub {
    my $plan = sub { $t->cli_ok('commission', 'put', $t->write_file('plan.json', $_[0])) };

    $plan->('{"v":1,"rules":[{"tier1":1000,"tier2":500}]}');

    my $paid = order('anna');

    passes('both', $paid, [ 'u-anna', 1000 ], [ 'u-rosa', 500 ]);
    fails('tier 1 a fen more', '422 SPLIT_SUM_EXCEEDS_CAP', $paid, [ 'u-anna', 1001 ], [ 'u-rosa', 499 ]);
    fails('tier 2 a fen more', '422 SPLIT_SUM_EXCEEDS_CAP', $paid, [ 'u-rosa', 501 ]);
    passes('the others are not capped', $paid, [ 'u-anna', 1000 ], [ 'm', 5000, 'MERCHANT_ID' ]);

    $plan->('{"v":1,"cap":2000,"cap_over":"all","rules":[{"tier1":1000,"tier2":500}]}');
    passes('an earlier order keeps its plan', $paid, [ 'u-anna', 1000 ], [ 'm', 5000, 'MERCHANT_ID' ]);
    $paid = order('anna');
    passes('all together', $paid, [ 'u-anna', 1000 ], [ 'm', 1000, 'MERCHANT_ID' ]);
    fails('... a fen more', '422 SPLIT_SUM_EXCEEDS_CAP', $paid, [ 'u-anna', 1000 ], [ 'm', 1001, 'MERCHANT_ID' ]);
};

subtest 'any JSON' => sub {
    my ($id) = order('bert');
    my $split = sub {
        my $number = 'n' . ++$splits;
        my $answer = $t->post('/split', { order => $id, no => $number, @_ });

        $t->cli_ok('split', 'release', $number, '--id', $id) if $answer->status == 200;

        return $answer->code // $answer->status;
    };
    my @pay = ({ who => 'bert', yuan => '10.00' });

    is($split->(pay => [ @pay, { who => 'x', yuan => 0.07, as => 'platform' } ]), 200, 'yuan, and a role that is declared');
    is($split->(pay => [ @pay, { who => 'x', yuan => 0.07, as => 'friend' } ]), 'SPLIT_PAYEE_UNDECLARED', 'no such role');
    is($split->(pay => [ { who => 'bert', yuan => '10.01' } ]), 'SPLIT_SUM_EXCEEDS_CAP', 'a fen too much');
    is($split->(pay => \@pay, third_leader => 0), 'TIER3_PRESENT', 'a third leader, of nothing');
    is($split->(pay => \@pay, third_leader => undef), 200, '... null is none');
    is($split->(pay => [ { %{$pay[0]}, three_ratio => 0 } ]), 'TIER3_PRESENT', '... in a row');
    is($split->(pay => [ { who => 'bert', yuan => '0.001' } ]), 'SPLIT_MALFORMED', 'finer than a fen');
    is($split->(pay => \@pay, no => 'x' x 129), 'SPLIT_MALFORMED', 'a number that is none');
    is($split->(pay => { who => 'bert', yuan => 1 }), 'SPLIT_MALFORMED', 'no list');
    is($split->(pay => \@pay, no => undef), 'SPLIT_MALFORMED', 'no number');
};

subtest 'several splits of an order' => sub {
    my ($id, $paid, $key) = order('bert');
    my $send = sub {
        my ($number, $receivers, %o) = @_;
        my $body = body($paid, @$receivers);

        $body->{out_order_no} = $number;

        return verdict($body, %o);
    };
    my $splits = sub { return json()->decode($t->cli_ok('order', 'show', $key))->{splits} };

    # the plan that is in force: 20 % for everybody, 10 % for tier 1

    is($send->('a1', [ [ 'u-bert', 600 ] ]), '200 ', 'one');
    is($send->('a2', [ [ 'u-bert', 401 ] ]), '422 SPLIT_SUM_EXCEEDS_CAP', 'another one: a fen too much');
    is($send->('a2', [ [ 'u-bert', 400 ] ]), '200 ', '... to the fen');
    is($send->('a3', [ [ 'm', 1001, 'MERCHANT_ID' ] ]), '422 SPLIT_SUM_EXCEEDS_CAP', 'everybody: a fen too much');
    is($send->('a3', [ [ 'm', 1000, 'MERCHANT_ID' ] ]), '200 ', '... to the fen');

    is_deeply([ map { [ @$_{qw(number amount tries)}, map { "$_->{seller}:$_->{amount}" } @{$_->{tiers}} ] } @{$splits->()} ],
              [ [ 'a1', 600, 1, 'bert:600' ], [ 'a2', 400, 1, 'bert:400' ], [ 'a3', 1000, 1 ] ], 'order show lists them');

    # the same number

    is($send->('a1', [ [ 'u-bert', 600 ] ]), '200 ', 'the same again');
    is($send->('a1', [ [ 'u-bert', 599 ] ]), '409 SPLIT_KEY_REUSED', 'its number with another amount');
    is($send->('a1', [ [ 'bert', 600 ] ]), '409 SPLIT_KEY_REUSED', '... with another account');
    is($splits->()->[0]{tries}, 2, 'is one split');

    my $tries = sub { return grep { $_->{type} eq 'split_check' && ($_->{number} // '') eq 'a1' } @_ };
    is_deeply([ sort map { "$_->{reason} " . ($_->{try} // '-') } $tries->($t->wait_events(sub { $tries->(@_) >= 4 })) ],
              [ 'OK 1', 'SPLIT_KEY_REUSED -', 'SPLIT_KEY_REUSED -', 'SPLIT_REPLAY 2' ], 'the log tells of each');

    # refused by the platform: it never was

    release($paid, $_) for qw(a2 a3);
    is($send->('b1', [ [ 'u-bert', 400 ] ], platform => 'status400'), '400 400', 'the platform refuses it');
    ok($t->wait_for(sub { @{$splits->()} == 1 }), '... and it does not count');

    my $releases = sub { return grep { $_->{type} eq 'split_release' && ($_->{number} // '') eq 'b1' } @_ };
    my ($released) = $releases->($t->wait_events($releases));
    is("@$released{qw(type amount by order_key)}", "split_release 400 answer $key", '... which the log tells');

    is($send->('b2', [ [ 'u-bert', 400 ] ], platform => 'status500'), '500 500', 'the platform fails');
    is($send->('b3', [ [ 'u-bert', 1 ] ]), '422 SPLIT_SUM_EXCEEDS_CAP', '... perhaps after it paid');
    is($send->('b2', [ [ 'u-bert', 400 ] ], platform => 'status400'), '400 400', 'a second try is refused');
    is($send->('b3', [ [ 'u-bert', 1 ] ]), '422 SPLIT_SUM_EXCEEDS_CAP', '... which says nothing about the first');
    release($paid, 'b2');

    # nobody listens: nobody got it

    is($send->('b4', [ [ 'u-bert', 400 ] ], port => 8084), '502 ', 'no platform');
    ok($t->wait_for(sub { @{$splits->()} == 1 }), '... and it does not count');
    is($send->('b5', [ [ 'u-bert', 400 ] ]), '200 ', 'the next one does');

    # money that goes back makes a debit, not a new allowance

    is($t->post('/refund', { order => $id, refund => "r-$key", fen => 5000 })->status, 200, 'half of it back');
    is($send->('b6', [ [ 'u-bert', 0 ] ]), '422 SPLIT_SUM_EXCEEDS_CAP', 'he has had more than his share of what is left');

    is(($t->cli('split', 'release', 'none', $key))[0], 1, 'no such split');
    like(($t->cli('split', 'release', 'none', $key))[2], qr/no split "none" counts for order "$key"/, '... says so');
    is(($t->cli('split', 'release', 'a1'))[0], 2, 'usage');
};

subtest 'at once' => sub {
    my ($id, $paid, $key) = order('bert');
    my @answers = $t->parallel(map { {
        method => 'POST', uri => '/v3/profitsharing/orders', type => 'application/json',
        body => json()->encode(body($paid, [ 'u-bert', 600 ])) } } 1 .. 12);

    is(scalar(grep { $_->status == 200 } @answers), 1, 'one of twelve goes on');
    is(scalar(grep { ($_->code // '') eq 'SPLIT_SUM_EXCEEDS_CAP' } @answers), 11, '... and the others are too much');
};

subtest 'no more than 50' => sub {
    my $paid = order('bert');

    is(scalar(grep { verdict(body($paid, [ 'm', 1, 'MERCHANT_ID' ])) eq '200 ' } 1 .. 50), 50, 'fifty');
    is(verdict(body($paid, [ 'm', 1, 'MERCHANT_ID' ])), '409 SPLIT_LIMIT', 'one more');
};

subtest 'a copy of the store' => sub {
    my $dir = $t->dir;
    my ($id, $paid, $key) = order('bert');

    $t->cli_ok('store', 'backup', "$dir/backup");
    is(verdict({ %{body($paid, [ 'u-bert', 600 ])}, out_order_no => 'c1' }), '200 ', 'a split after the backup');
    is(verdict({ %{body($paid, [ 'u-bert', 100 ])}, out_order_no => 'c2' }, platform => 'status400'), '400 400', 'one that is refused');
    ok($t->wait_for(sub { grep { $_->{type} eq 'split_release' && $_->{number} eq 'c2' } $t->events }), 'is written');
    $t->stop;

    my $said = $t->cli_ok('store', 'restore', "$dir/backup", '--replay', "$dir/events.jsonl");
    my $splits = json()->decode($t->cli_ok('order', 'show', $key))->{splits};

    is_deeply([ map { [ @$_{qw(number amount tries)}, map { "$_->{seller}:$_->{amount}" } @{$_->{tiers}} ] } @$splits ],
              [ [ 'c1', 600, 1, 'bert:600' ] ], 'the log gives it back') or diag $said;

    $t->run;
    is(verdict({ %{body($paid, [ 'u-bert', 600 ])}, out_order_no => 'c1' }), '200 ', 'is known again');
    is(verdict({ %{body($paid, [ 'u-bert', 401 ])}, out_order_no => 'c3' }), '422 SPLIT_SUM_EXCEEDS_CAP', '... and counts');
    $t->cli_ok('store', 'check');

    # the buyer is forgotten, his order and its splits stay

    is($t->post('/refund', { order => $id, refund => "r-$key", fen => 100 })->status, 200, 'a refund');
    $t->cli_ok('buyer', 'erase', "buyer-$key");
    is(verdict({ %{body($paid, [ 'u-bert', 401 ])}, out_order_no => 'c3' }), '422 SPLIT_SUM_EXCEEDS_CAP', 'erased: it counts');
    $t->cli_ok('store', 'check');

    # what was split goes with its order

    $t->advance(400 * 86400);
    like($t->cli_ok('store', 'collect', '--orders', 30), qr/[1-9]\d* orders/, 'old orders are let go');
    isnt(($t->cli('order', 'show', $key))[0], 0, 'this one, too');
    $t->cli_ok('store', 'check');

    $token{$_} = $t->token($_) for qw(anna bert);
};

subtest 'observed' => sub {
    my $paid = order('anna');
    my $before = () = $t->received;
    my $told = () = $t->events('deny');

    is(split_answer(body($paid, [ 'u-bert', 1 ]), port => 8082)->status, 200, 'goes on');
    is(scalar(() = $t->received), $before + 1, '... and arrives');

    my @told = ($t->wait_events('deny', $told + 1))[-1];
    is("@{$told[0]}{qw(decision reason)}", 'would_deny SPLIT_PAYEE_UNDECLARED', '... and is told of');
};

ok(!grep({ $_->{type} eq 'visit' && $_->{uri} =~ /split|profit/ } $t->events), 'a split is no visit');

my $schema = json()->decode($t->read_file("$Test::NgxCommerce::ROOT/t/event.schema.json"));

is_deeply([ grep { defined } map { invalid($schema, $_) } $t->events ], [], 'the log is as its schema says');

subtest 'without the store nothing goes on' => sub {
    my $dir = $t->dir;
    my $body = body(scalar order('anna'), [ 'u-anna', 1 ]);

    is(verdict($body), '200 ', 'goes on');
    $t->expect_log(qr{\[crit\].*(?:were replaced or removed while in use|money events wait)});
    rename "$dir/store", "$dir/away" or die "$!\n";

    my $before = () = $t->received;

    like(verdict($body), qr/^503 STORE_/, 'refused');
    is(scalar(() = $t->received), $before, '... and nobody sees it');
    rename "$dir/away", "$dir/store" or die "$!\n";
};


# what nginx -t refuses

sub refused
{
    my ($words, $want, $more) = @_;

    $t->conf_fails("server { listen 127.0.0.1:8080; commerce_shop demo; location /s { commerce_split $words; "
                   . ($more // '') . ' } }', qr/$want.* in .*test\.conf:\d+/, "commerce_split $words");
}

my $words = 'json order=json:/o receivers=/r account=/a amount=/f number=/n';

refused('alipay', 'invalid parameter "alipay" in "commerce_split", allowed: wechat, json');
refused('wechat account=/a', 'invalid parameter "account=/a" in "commerce_split", allowed: order=, transaction=, third=');
refused('wechat unit=yuan', 'invalid parameter "unit=yuan"');
refused("$words unit=jiao", 'invalid parameter "unit=jiao"');
refused("$words amount=/g", 'invalid parameter "amount=/g"');
refused("$words transaction=\$arg_t", 'takes one of order= and transaction=, once');
refused("$words frozen_tier2=on", 'invalid parameter "frozen_tier2=on"');
refused("$words role=as", 'invalid parameter "role=as" in "commerce_split", allowed: a JSON pointer');
refused("$words" . ' third=/x' x 5, 'takes at most 4 third=');
refused("json order=response:/o receivers=/r account=/a amount=/f", 'invalid source "response:/o"');
refused('json order=json:/o', 'json needs receivers=, account=, amount= and number=');
refused('json receivers=/r account=/a amount=/f', 'needs order= or transaction=');
refused("$words; commerce_split wechat", '"commerce_split" directive is duplicate');
refused($words, '"commerce_split" cannot share its location with an order', 'commerce_order key=$arg_k;');
refused($words, '"commerce_split" cannot share its location with an order', 'commerce_order_confirm id=$arg_k;');

$t->conf_fails("server { listen 127.0.0.1:8080; location /s { commerce_split wechat; } }",
               qr/"commerce_split" requires a shop/, 'no shop');

$t->done_testing;
