#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# The least that such a gateway has to get right, as the business wrote it down: 17 vectors, one subtest each, in their
# order.  Other tests have each of these subjects whole.

use strict;
use warnings;

use Digest::SHA qw(sha1_hex);
use IO::Compress::Gzip qw(gzip);
use List::Util qw(max);
use Test::More;

use lib 't/lib';
use Test::NgxCommerce qw(json);

use constant { DAY => 86400, HOUR => 3600, NOV => 1_794_000_000 };     # 2026-11-06

my $t = Test::NgxCommerce->new;
my $dir = $t->dir;
my $n = 0;

$t->clock(NOV);
$t->keys;
$t->people("id,role,status,upline,user\n" . join('', map { "$_,guide,active,,u-\L$_\n" } 'S1', 'S2', 'S3', 'L', 'M')
    . "K1,koc,active,,u-k1\nK2,koc,active,K1,u-k2\nK3,koc,active,,u-k3\n");

my %window = (from => '2020-01-01T00:00:00Z', until => '2030-01-01T00:00:00Z');

$t->campaign(id => 'c', discount => { fixed => 100 }, %window);
$t->campaign(id => 'singles', discount => { fixed => 100 }, zone => 'Asia/Shanghai', from => '2026-11-11', until => '2026-11-11');
$t->campaign(id => 'rich', discount => { fixed => 100 }, minimum_spend => 1_000_000, %window);
$t->write_file('crawler.token', "s3cret-token\n");
chmod 0600, "$dir/crawler.token" or die "chmod: $!\n";

my %token = map { $_ => $t->token($_, '--days', 900) } qw(S1 S2 S3 L M K1 K2 K3);

$t->storefront(8081);

my $orders = <<'EOC';
        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons;
            commerce_coupon_redeem on=paid deadline=16m;
            commerce_order_freeze 7d;
            proxy_pass http://127.0.0.1:8081;
            proxy_read_timeout 300ms;
        }
EOC

sub server
{
    my ($port, $binding) = @_;

    return <<"EOC";
    server {
        listen            127.0.0.1:$port;
        commerce_shop     demo;
        commerce          enforce;
        commerce_user     \$http_x_user verified;
        commerce_touch    share \$arg_st;
        commerce_touch    share \$arg_scene decode member=st;
        commerce_mini_program  scene=\$http_x_scene crawler_token=$dir/crawler.token;
        commerce_binding  $binding;

        add_header X-Reason \$commerce_reason always;
        add_header X-Seller \$commerce_seller always;
        add_header X-Conduct \$commerce_conduct always;

        location / { proxy_pass http://127.0.0.1:8081; }
$orders
        location = /join { commerce_join token=json:/token; }
        location = /paid { commerce_order_confirm id=json:/order transaction=json:/transaction amount=json:/fen; }
        location = /cancel { commerce_order_cancel id=json:/order; }
        location = /check { commerce_coupon_check code=\$arg_code; }

        location = /platform {
            commerce_touch        sharer json:/sharer attested;
            commerce_order_revise id=json:/order;
        }

        location = /v3/profitsharing/orders {
            commerce_split          wechat third=/third_leader;
            client_body_buffer_size 1k;
            proxy_pass              http://127.0.0.1:8081;
        }
    }
EOC
}

$t->http_conf("    commerce_coupon_guess user=5/1m;\n" . server(8080, 'validity=30d protect=7d')
    . server(8082, 'validity=forever protect=forever') . server(8083, 'validity=30d protect=0')
    . server(8084, 'validity=30d protect=7d transfer=leaver'))->run;

sub buyer { return 'b' . ++$n }

# a page: reason and seller

sub view
{
    my ($user, $seller, %o) = @_;
    my $query = $o{query} // ($seller ? "st=$token{$seller}" : '');
    my $answer = $t->get("/?$query", port => $o{port} // 8080, headers => { 'X-User' => $user, %{$o{headers} // {}} });

    return join ' ', map { $answer->header($_) || '-' } qw(x-reason x-seller);
}

# an order: its answer, the key, and the storefront's id

sub order
{
    my ($user, %o) = @_;
    my $key = $o{key} // 'k' . ++$n;

    my $answer = $t->post('/api/orders', { client_key => $key, coupons => $o{coupons} // [],
                                           items => [ { sku => 's', count => 1, price => 10000 } ] },
                          port => $o{port} // 8080, headers => { 'X-User' => $user, %{$o{headers} // {}} });

    settled($key) if $answer->status == 200;

    return ($answer, $key, eval { $answer->json->{data}{order_no} });
}

sub settled
{
    my ($key) = @_;

    return $t->wait_events(sub { grep { $_->{type} eq 'order' && $_->{order_key} eq $key } @_ });
}

sub verdict { my ($answer) = @_; return join ' ', $answer->status, $answer->code // '' }
sub seller { my ($answer) = @_; return $answer->header('x-seller') || '-' }
sub coupon { return ($t->coupons($_[0] // 'c', 1))[0] }
sub coupon_state { return $t->cli_ok('coupon', 'show', $_[0]) =~ /^state\s+(\w+)/m ? $1 : '' }


subtest '1: V=30 d, P=7 d' => sub {
    my $buyer = buyer();
    my $t0 = $t->clock;

    is(view($buyer, 'S1'), 'BIND_NEW S1', 't0: S1');
    $t->clock($t0 + 7 * DAY - 1);
    is(view($buyer, 'S2'), 'PROTECT_HOLD S1', 't0+P-1: S2 has to wait');
    $t->clock($t0 + 7 * DAY);
    is(view($buyer, 'S3'), 'BIND_STOLEN S3', 't0+P: S3 takes over');

    my $t1 = $t->clock;

    $t->clock($t1 + 30 * DAY - 1);
    like(view($buyer), qr/ S3$/, 't0+V-1: valid');
    $t->clock($t1 + 30 * DAY);
    is(seller((order($buyer))[0]), '-', 't0+V: over');
    is(view($buyer, 'L'), 'BIND_NEW_AFTER_EXPIRY L', '... and bound again in the same second');
    $t->clock($t0);
};

subtest '2: permanent; any time; P>V' => sub {
    my ($ever, $any) = (buyer(), buyer());

    is(view($ever, 'S1', port => 8082), 'BIND_NEW S1', 'V and P without end');
    is(view($any, 'S1', port => 8083), 'BIND_NEW S1', 'P=0');
    is(view($any, 'S2', port => 8083), 'BIND_STOLEN S2', '... stolen at once');
    $t->advance(800 * DAY);
    like(view($ever, 'S2', port => 8082), qr/^SNATCH_FORBIDDEN S1/, 'after 800 days');
    $t->conf_fails('server { listen 127.0.0.1:8080; commerce_shop demo; commerce_binding validity=7d protect=8d; }',
                   qr/"commerce_binding".*in .*test\.conf:\d+/, 'P>V does not load');
    $t->clock(NOV);
};

subtest '3: the buyer becomes a seller' => sub {
    my $buyer = buyer();

    view($buyer, 'S1');
    is($t->post('/join', { token => $token{K3} }, headers => { 'X-User' => $buyer })->status, 201, 'joins under somebody else');
    is(seller((order($buyer))[0]), 'S1', 'his order is still the old owner\'s');
};

subtest '4: circles and depth' => sub {
    my $join = sub { return verdict($t->post('/join', { token => $token{$_[1]} }, headers => { 'X-User' => $_[0] })) };

    is($join->('u-k1', 'K2'), '403 LINEAGE_LOOP', 'above under below');
    is($join->('new', 'K2'), '403 TIER_DEPTH_EXCEEDED', 'a third tier');

    my $deep = "id,role,status,upline,user\n" . join '', map { "d$_,koc,active," . ($_ > 1 ? 'd' . ($_ - 1) : '') . ",\n" } 1 .. 51;
    my ($code, undef, $said) = $t->cli('people', 'import', $t->write_file('deep.csv', $deep));

    is($code, 1, '51 deep: refused');
    isnt(($t->cli('people', 'show', 'd1'))[0], 0, '... as a whole') or diag $said;

    ($code) = $t->cli('people', 'import', $t->write_file('loop.csv',
        "id,role,status,upline,user\nx,koc,active,z,\ny,koc,active,x,\nz,koc,active,y,\n"));
    is($code, 1, 'a circle: refused');
};


# splits: an order of K2's, whom K1 recruited

my ($split_order, $splits);

sub split_answer
{
    my ($body, %o) = @_;

    return $t->post('/v3/profitsharing/orders', ref $body ? json()->encode($body) : $body, type => 'application/json', %o);
}

sub split_body
{
    my (@receivers) = @_;

    return { transaction_id => 't-split', out_order_no => 'S' . ++$splits, receivers => [ map {
        { type => $_->[2] // 'PERSONAL_OPENID', account => $_->[0], amount => $_->[1] } } @receivers ] };
}

# judged alone: what goes on is taken back

sub split_verdict
{
    my ($body, %o) = @_;
    my $answer = split_answer($body, %o);

    $t->cli_ok('split', 'release', "S$splits", $split_order) if $answer->status == 200;

    return verdict($answer);
}

subtest '5: five payees, one recruitment' => sub {
    my $buyer = buyer();

    view($buyer, 'K2');

    my ($answer, $key, $id) = order($buyer);

    $split_order = $key;
    $t->post('/paid', { order => $id, transaction => 't-split', fen => 10000 });
    is(split_verdict(split_body([ 'u-k2', 1000 ], [ 'u-k1', 500 ], [ '1900000109', 500, 'MERCHANT_ID' ],
                                [ '1900000110', 200, 'MERCHANT_ID' ], [ 'u-l', 100 ])), '200 ', 'pass');
    is(split_verdict({ %{split_body([ 'u-k2', 1 ])}, third_leader => 0 }), '422 TIER3_PRESENT', 'third_leader of 0');
};

subtest '6: sums, amounts, bodies' => sub {
    is(split_verdict(split_body([ 'u-k2', 3000 ])), '200 ', '3000 bp');
    is(split_verdict(split_body([ 'u-k2', 3001 ])), '422 SPLIT_SUM_EXCEEDS_CAP', '3001 bp');
    is(split_verdict(split_body([ 'u-k2', -1 ])), '422 SPLIT_NEGATIVE', 'negative');
    is(split_verdict(split_body([ 'u-k2', undef ])), '422 SPLIT_MALFORMED', 'no amount');
    is(split_verdict(split_body(map { [ "m$_", 1, 'MERCHANT_ID' ] } 1 .. 51)), '422 SPLIT_TOO_MANY_RECEIVERS', '51 receivers');

    my $text = sub { return json()->encode(split_body([ 'u-k2', 1 ])) };

    is(split_verdict($text->() =~ s/"amount":1/"amount":18446744073709551617/r), '422 SPLIT_OVERFLOW', 'above 64 bits');
    is(split_verdict($text->() =~ s/"amount":1/"amount":1,"amount":9/r), '422 BODY_DUPLICATE_MEMBER', 'a key twice');
    is(split_verdict($text->() . ' ' x 30_000), '200 ', 'over buffers, into a file');
    is(split_verdict($text->() . ' ' x 30_000, chunked => 1), '200 ', 'chunked');

    gzip(\$text->(), \my $packed);
    is(split_verdict($packed, headers => { 'Content-Encoding' => 'gzip' }), '415 BODY_TYPE', 'gzip');
};

# a plan has no rate that is left out: vector 6's "missing rate" cannot be put in force

subtest '6: a rate that is missing' => sub {
    my ($code, $out, $err) = $t->cli('commission', 'put', $t->write_file('plan.json', '{"v":1,"rules":[{"tier1":1000}]}'));

    is($code, 1, 'refused');
    like($out . $err, qr/tier2" is missing/, '... by name');
};


subtest '7: one coupon, five orders at once' => sub {
    my ($code, $buyer) = (coupon(), buyer());
    my $body = sub { return { client_key => $_[0], coupons => [ $code ], items => [ { sku => 's', count => 1, price => 10000 } ] } };
    my $post = sub { return { method => 'POST', uri => '/api/orders', body => $body->($_[0]), headers => { 'X-User' => $buyer } } };
    my @answers = $t->parallel(map { $post->("five-$_") } 1 .. 5);

    is(scalar(grep { $_->status == 200 } @answers), 1, 'one gets it');

    # one key is one order: copies that meet it while it is with the backend are told so, and come again

    $code = coupon();
    @answers = $t->parallel(map { $post->('same') } 1 .. 5);
    is(scalar(grep { $_->status != 200 && ($_->code // '') ne 'ORDER_IN_FLIGHT' } @answers), 0, 'one key: nobody is refused for good');
    settled('same');
    is((order($buyer, key => 'same', coupons => [ $code ]))[0]->status, 200, '... the same again: ok');
    is(scalar(grep { ($_->{order_key} // '') eq 'same' } $t->events('coupon_reserve')), 1, '... one effect');
};

subtest '8: the backend does not answer' => sub {
    my ($code, $buyer) = (coupon(), buyer());
    my ($answer, $key) = order($buyer, coupons => [ $code ], headers => { 'X-Test' => 'hang' });

    is($answer->status, 504, 'time-out');
    settled($key);
    is(coupon_state($code), 'reserved', 'stays reserved');
    is(verdict((order(buyer(), coupons => [ $code ]))[0]), '422 COUPON_NOT_USABLE', 'another one\'s key');
    is(verdict((order($buyer, coupons => [ $code ]))[0]), '409 COUPON_IN_DOUBT', 'another key of his own: told why');
    is((order($buyer, key => $key, coupons => [ $code ]))[0]->status, 200, 'the same key');

    my ($other, $held) = (coupon(), buyer());
    (undef, $key, my $id) = order($held, coupons => [ $other ]);

    $t->advance(16 * 60 + 1);
    ok($t->wait_for(sub { coupon_state($other) eq 'issued' }), 'its time is over: free');
    $t->clock(NOV);
};

subtest '9: a notice ten times' => sub {
    my $code = coupon();
    my ($answer, $key, $id) = order(buyer(), coupons => [ $code ]);
    my @reasons = map { $t->post('/paid', { order => $id, transaction => "t-$key", fen => 9900 })->json->{reason} } 1 .. 10;

    is(join(' ', @reasons), join(' ', 'OK', ('ORDER_REPLAY') x 9), 'one is new, nine are known');
    $t->wait_events(sub { grep { ($_->{order_key} // '') eq $key && $_->{type} eq 'coupon_redeem' } @_ });
    is(scalar(grep { $_->{order_key} eq $key } $t->events('coupon_redeem')), 1, 'one commit');
};

subtest '10: cancelled, ordered again' => sub {
    my ($buyer, $first, $second) = (buyer(), $t->coupons('c', 2));
    my ($answer, $key, $id) = order($buyer, coupons => [ $first ]);

    order($buyer, coupons => [ $second ]);
    $t->post('/cancel', { order => $id });
    is(coupon_state($first), 'issued', 'this one is free');
    is(coupon_state($second), 'reserved', '... and not its sibling');
    is((order($buyer, coupons => [ $first ]))[0]->status, 200, 'it serves again');
};

subtest '11: 2026-11-11 in Shanghai, its end included' => sub {
    my @codes = $t->coupons('singles', 2);
    my $end = 1_794_412_800;                    # 2026-11-11T16:00:00Z

    $t->clock($end - 1);
    is((order(buyer(), coupons => [ $codes[0] ]))[0]->status, 200, '15:59:59Z');
    $t->clock($end);

    my ($answer) = order('late-singles', coupons => [ $codes[1] ]);

    is(verdict($answer), '422 COUPON_NOT_USABLE', '16:00:00Z');
    ok((grep { ($_->{reason} // '') eq 'COUPON_EXPIRED' } $t->wait_events(sub { grep { ($_->{reason} // '') eq 'COUPON_EXPIRED' } @_ })),
       '... expired, as the log says');
    $t->clock(NOV);
};

subtest '12: guessing' => sub {
    my $buyer = buyer();
    my @codes = map { sprintf 'ABCDEFGHJKMNPQRS%04d', 1000 + 37 * $_ } 1 .. 6;
    my @answers = map { (order($buyer, coupons => [ $_ ]))[0] } @codes;

    is(join(' ', map { $_->status } @answers), '422 422 422 422 422 429', 'the sixth wrong code in a minute');

    my ($absent) = order(buyer(), coupons => [ $codes[0] ]);
    my ($unfit) = order(buyer(), coupons => [ coupon('rich') ]);

    is($absent->body, $unfit->body, 'not found and not eligible: the same body');
};

subtest '13: WeChat\'s robot' => sub {
    my $sign = sub { return sha1_hex(join '', sort $_[0], 1_800_000_000, '9981234') };

    for my $case ([ 's3cret-token', 'CRAWLER' ], [ 'another', 'BOT_SUSPECT' ]) {
        my $buyer = buyer();
        my %headers = ('User-Agent' => 'Mozilla/5.0 mpcrawler', 'X-WXApp-Crawler-Timestamp' => 1_800_000_000,
                       'X-WXApp-Crawler-Nonce' => '9981234', 'X-WXApp-Crawler-Signature' => $sign->($case->[0]));

        like(view($buyer, 'S1', headers => \%headers), qr/^$case->[1] /, "signed with $case->[0]");
        is(seller((order($buyer))[0]), '-', '... binds nobody');
    }
};

subtest '14: scenes' => sub {
    my $buyer = buyer();

    like(view($buyer, 'S1', headers => { 'X-Scene' => 1154 }), qr/^SCENE_NOT_BINDABLE/, 'scene 1154');
    is(seller((order($buyer))[0]), '-', '... binds nobody');
    is(view(buyer(), '', query => "scene=st%3D$token{S1}%26b%3D2"), 'BIND_NEW S1', 'decoded once');
    is(view(buyer(), '', query => "scene=st%253D$token{S1}"), 'ATTR_DIRECT -', '... only');
    is(view(buyer(), '', query => "scene=st%3D$token{S1}&scene=st%3D$token{S2}"), 'TOKEN_DUPLICATE_PARAM -', 'two scenes');
};

subtest '15: the log' => sub {
    my %mine;
    my $go_on = sub {
        my ($after) = @_;
        my ($answer, $key) = order(buyer());

        is($answer->status, 200, "$after: an order");
        $mine{$key} = 1;
    };

    $t->get('/', headers => { 'X-User' => $_, 'X-Scene' => "a\"b\\\xff" }) for "q\"uote", "\xe5\xae\xa2";
    $go_on->('at first');

    for my $worker ($t->workers) {
        $t->expect_log(qr/\[alert\].*worker process \d+ exited on signal 9/);
        kill KILL => $worker;
        ok($t->wait_for(sub { !grep { $_ == $worker } $t->workers }), 'a worker was killed');
        $go_on->('kill -9');
    }

    ok($t->reload(wait => 1), 'HUP');
    $go_on->('HUP');

    rename "$dir/events.jsonl", "$dir/events.1" or die "rename: $!\n";
    $t->reopen;
    ok($t->wait_for(sub { -e "$dir/events.jsonl" }), 'USR1');
    $go_on->('USR1');

    ok($t->upgrade, 'USR2');
    $go_on->('USR2');
    $t->stop;

    my (%seqs, %lost, @wrong);

    for my $line (map { split /\n/, $t->read_file($_) } 'events.1', 'events.jsonl') {
        my $event = eval { json()->decode($line) } or push(@wrong, $line), next;

        delete $mine{$event->{order_key} // ''} if $event->{type} eq 'order';

        $seqs{join '/', @$event{qw(epoch worker)}}{$event->{seq}} = 1;
        $lost{join '/', @$event{qw(writer_epoch writer_worker)}} += $event->{lines} if $event->{type} eq 'lost';
    }

    my %missing = map { $_ => max(keys %{$seqs{$_}}) - keys %{$seqs{$_}} } keys %seqs;

    is(scalar @wrong, 0, 'every line is JSON') or diag $wrong[0];
    is(join(' ', grep { $missing{$_} > ($lost{$_} // 0) } keys %missing), '', 'no number is missing but those told to be lost');
    is(join(' ', keys %mine), '', 'no order is missing');

    my $log = $t->read_file('events.1');
    my @lines = split /^/, $log;
    my ($i) = grep { $lines[$_] =~ /"type":"coupon_reserve"/ } 3 .. $#lines;

    splice @lines, $i, 1;
    $t->write_file('cut.jsonl', join '', @lines);

    my (undef, $out, $err) = $t->cli('store', 'check', '--log', "$dir/cut.jsonl", '--log', "$dir/events.jsonl");

    like($out, qr/ [1-9]\d* with a broken chain/, 'a line that is taken away is reported') or diag "$out$err";
    $t->run;
};

subtest '16: a leaver\'s customers' => sub {
    my ($house, $kept, $refused) = (buyer(), buyer(), buyer());

    view($house, 'L');
    view($kept, 'L', port => 8084);
    view($refused, 'M');
    $t->advance(DAY);
    $t->people("id,status,successor,transfer\nL,left,S1,\nM,left,S1,refused\n");

    is(seller((order($house))[0]), '-', 'within 24 h: the house\'s');
    is(seller((order($kept, port => 8084))[0]), 'L', '... or the leaver\'s, as configured');
    is(seller((order($refused))[0]), '-', 'refused: the house\'s');
    $t->advance(DAY);
    is(seller((order($house))[0]), 'S1', 'after 24 h: the successor\'s');
    is(seller((order($refused))[0]), '-', 'refused: still the house\'s');
};

subtest '17: late attribution' => sub {
    my $revise = sub {
        my $answer = $t->post('/platform', { order => $_[0], sharer => 'u-s3' })->json;

        return join ' ', map { $_ // '-' } @$answer{qw(reason revision)};
    };

    my ($answer, $key, $id) = order(buyer());
    my (undef, $frozen_key, $frozen) = order(buyer());

    $t->post('/paid', { order => $frozen, transaction => "t-$frozen_key", fen => 10000 });
    $t->advance(HOUR);
    is($revise->($id), 'ATTR_LATE_REVISION 1', 'an hour later');

    $t->wait_events(sub { grep { $_->{type} eq 'attr_revision' && $_->{order_key} eq $key } @_ });

    my ($event) = grep { $_->{order_key} eq $key } $t->events('attr_revision');
    is("$event->{revision} $event->{seller}", '1 S3', '... is in the log');

    $t->advance(7 * DAY);
    like($revise->($frozen), qr/^ATTR_AFTER_FREEZE/, 'after the freeze date: told of, not paid');
    like($t->cli_ok('order', 'show', $frozen_key), qr/"revision":0|^(?!.*"revision")/s, '... the order is as it was');
};

$t->cli_ok('store', 'check');
$t->done_testing;
