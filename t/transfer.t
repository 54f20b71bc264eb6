#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# What becomes of a seller's customers when he is suspended, leaves, or is cleared out; names under which he buys.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use JSON::PP;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new(shuffle => 1);

use constant { HOUR => 3600, DAY => 86400 };

my $T0 = 1_800_000_000;

$t->clock($T0);
$t->keys;
$t->people("id,role,user\n" . join '', map { "$_,guide,u-\L$_\n" } 'A' .. 'J');

my %token = map { $_ => $t->token($_, '--days', 900) } 'A' .. 'J';

$t->storefront(8081);

my $server = sub {
    my ($port, $binding) = @_;

    return <<"EOC";
    server {
        listen            127.0.0.1:$port;
        commerce_shop     demo;
        commerce          enforce;
        commerce_user     \$http_x_user verified;
        commerce_touch    share \$arg_st lookback=1h;
        commerce_binding  validity=60d protect=30d $binding;
        add_header X-Seller \$commerce_seller always;
        add_header X-Reason \$commerce_reason always;

        location / { proxy_pass http://127.0.0.1:8081; }

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            proxy_pass http://127.0.0.1:8081;
        }
    }
EOC
};

$t->http_conf($server->(8080, 'frozen_grace=3d') . $server->(8082, 'transfer=leaver transfer_wait=48h'))->run;

my $key = 0;

sub view
{
    my ($buyer, $token, $port) = @_;
    my $answer = $t->get('/' . ($token ? "?st=$token{$token}" : ''), port => $port // 8080, headers => { 'X-User' => $buyer });

    return join ' ', map { $answer->header($_) // '-' } qw(x-reason x-seller);
}


sub order
{
    my ($buyer, $port) = @_;
    my $answer = $t->post('/api/orders', { client_key => 'k' . ++$key, items => [ { sku => 's', count => 1, price => 100 } ] },
        port => $port // 8080, headers => { 'X-User' => $buyer });

    return join ' ', map { $answer->header($_) // '-' } qw(x-reason x-seller);
}


sub refused
{
    my ($code, $output, $error) = $t->cli('people', 'import', $t->write_file('refused.csv', $_[0]));

    return $code ? $error : "exit code 0: $output";
}


sub at { $t->clock($T0 + $_[0]) }

for my $case ([ lea => 'A' ], [ wait => 'A', 8082 ], [ ref => 'B' ], [ full => 'C' ], [ none => 'D' ], [ clr => 'E' ],
              [ sus => 'F' ], [ two => 'G' ])
{
    is(view(@$case), "BIND_NEW $case->[1]", "$case->[0] is bound to $case->[1]");
}

order('lea');
my $placed = $key;

# 16 of the business's vectors: the leaver's customers wait, then they are the successor's; open orders stay

at(10 * DAY);
$t->people(<<'CSV');
id,status,successor,transfer
A,left,H,
B,left,H,refused
C,left,H,full
D,left,,
E,cleared,H,accepted
F,suspended,,
G,left,A,accepted
CSV

is(order('lea'), 'TRANSFER_WAIT -', 'asked: an order is the house\'s');
is(order('wait', 8082), 'TRANSFER_WAIT A', 'transfer=leaver: still the leaver\'s');
is(view('lea', 'I'), 'TRANSFER_WAIT I', 'asked: a rival wins the sale, and not the buyer');
like($t->cli_ok('order', 'show', "k$placed"), qr/"seller":"A"/, 'an order that was placed before stays his');
is(order('ref'), 'TRANSFER_REFUSED -', 'refused: the house\'s');
is(order('full'), 'TRANSFER_FULL -', 'no place: the house\'s');
is(order('none'), 'OWNER_INACTIVE -', 'no successor: the house\'s');
is(order('clr'), 'OWNER_INACTIVE -', 'cleared out: no successor is heard');
is(order('two'), 'BIND_INHERITED -', 'the successor left as well, and his was asked: the house\'s');

at(10 * DAY + 24 * HOUR - 1);
is(order('lea'), 'TRANSFER_WAIT -', 'the last second of waiting');
at(10 * DAY + 24 * HOUR);
is(order('lea'), 'BIND_INHERITED H', 'silence is consent: the successor\'s');
is(order('wait', 8082), 'TRANSFER_WAIT A', 'transfer_wait=48h: not yet');
is(order('two'), 'BIND_INHERITED H', 'through both');
is(view('lea', 'J'), 'PROTECT_HOLD H', 'clocks as they were: protected');

my $shown = decode_json($t->cli_ok(qw(buyer show lea)));
is_deeply([ @{$shown->{binding}}{qw(owner origin state start)} ], [ 'H', 'A', 'protected', '2027-01-15T08:00:00Z' ], 'inherited');
is_deeply([ map { "$_->{owner} $_->{reason}" } @{$shown->{history}} ], [ 'A BIND_NEW', 'H BIND_INHERITED' ], 'in the history');

is(view('none', 'I'), 'BIND_NEW I', 'whom nobody serves any seller may bind, protected or not');
is(view('clr', 'I'), 'BIND_NEW I', 'also who was cleared out\'s');
is(view('ref', 'I'), 'BIND_NEW I', 'and whose transfer was refused');

# suspended: kept for the grace, then anybody's

at(12 * DAY);
is(order('sus'), 'OWNER_FROZEN -', 'suspended: earns nothing');
is(view('sus', 'I'), 'OWNER_FROZEN I', 'keeps his customers');
at(13 * DAY);
$t->people("id,status\nF,active\n");
is(order('sus'), 'ATTR_OK F', 'back: as before');
$t->people("id,status,since\nF,suspended,2027-01-25T08:00:00Z\n");
is(view('sus', 'J'), 'BIND_STOLEN J', 'grace is over, protected or not');

# names

$t->people("id,identities\nI,union-i openid-i\nJ,\n");
is(view('openid-i', 'I'), 'SELF_BIND -', 'himself under another name');
is(order('openid-i'), 'SELF_PURCHASE -', '... buys from nobody');
$t->people("id,identities\nI,openid-i\n");
is(view('union-i', 'H'), 'BIND_NEW H', 'a name that was taken off him is somebody else\'s');
like($t->cli_ok(qw(people show I)), qr/^identity  openid-i$/m, 'shown');
like($t->cli_ok(qw(people show A)), qr/^since     2027-01-25T08:00:00Z\nsuccessor H, pending$/m, 'a leaver is shown');
like($t->cli_ok('people', 'import', $t->write_file('same.csv', "id,status,successor\nA,left,H\n")), qr/unchanged 1/,
    'the same again changes nothing, nor when it was');

# whatever is wrong is refused as a whole

for my $case ([ "id,identities\nH,openid-i\n", qr/refused.csv:2: name "openid-i" is person "I": one name is one person/, 'a name of somebody in the store' ],
              [ "id,identities\nH,x-1\nJ,x-1\n", qr/refused.csv:3: name "x-1" is person "H": one name is one person/, 'a name twice in the file' ],
              [ "id,identities\nH,u-i\n", qr/refused.csv:2: name "u-i" is person "I"/, 'somebody\'s user' ],
              [ "id,user,identities\nH,h,h\n", qr/refused.csv:2: name "h" of person "H" stands there twice/, 'his own user' ],
              [ "id,identities\nH,1 2 3 4 5 6 7 8\n", qr/refused.csv:2: "8" is one name too many/, 'eight names' ],
              [ "id,successor\nH,H\n", qr/refused.csv:2: person "H" succeeds himself/, 'his own successor' ],
              [ "id,successor\nH,Z\n", qr/successor "Z" of person "H" is neither in the file nor in the store/, 'nobody' ],
              [ "id,status\nH,gone\n", qr/"gone" is no status: it is one of active, suspended, left, cleared/, 'no status' ],
              [ "id,transfer\nH,maybe\n", qr/"maybe" is no transfer: it is one of pending, accepted, refused, full/, 'no transfer' ],
              [ "id,since\nH,today\n", qr/"today" is no time: write it as/, 'no time' ])
{
    my ($csv, $says, $name) = @$case;

    like(refused($csv), $says, $name);
}

# a successor who comes with the same file

$t->people("id,role,status,successor,transfer\nI,,left,K,accepted\nK,guide,active,,\n");
is(order('none'), 'BIND_INHERITED K', 'a new successor');

$t->cli_ok(qw(store check));
$t->stop;
$t->done_testing;
