#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Conduct: every flag of what platforms forbid, observed and denied; robots, builds and previews; and that no
# order is ever refused for any of it.

use strict;
use warnings;

use Digest::SHA qw(sha1_hex);

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;
use Test::NgxCommerce::Schema qw(invalid);

my $t = Test::NgxCommerce->new(shuffle => 1);
my $T0 = 1_800_000_000;

$t->clock($T0);
$t->keys;

# of each kind one for the server that observes, one for the one that denies, and one for "commerce observe"

my @kinds = qw(observed denied watched);
my %port = (observed => 8080, denied => 8082, watched => 8083);

$t->people(join "\n", 'id,role,upline,user', 'H,guide,,u-h', 'P,guide,,u-p',
    map({ my $k = $_; (map({ "$_-$k,koc,,u-$_-$k" } qw(share recruit bind flood brisk crowd owner rival mutual other top self dev)),
        "low-$k,koc,top-$k,u-low-$k") } @kinds), '');
$t->cli_ok(qw(room put live1 --host H));

$t->storefront(8081);
$t->write_file('crawler.token', "s3cret-token\n");
chmod 0600, $t->dir . '/crawler.token';

my $server = sub {
    my ($kind, $mode, $action) = @_;
    my $dir = $t->dir;
    my $all = 'share_incentive late_touch reciprocal self_purchase dev_version crawler bot_suspect';

    return <<"EOC";
    server {
        listen                 127.0.0.1:$port{$kind};
        commerce_shop          demo;
        commerce               $mode;
        commerce_user          \$http_x_user verified;
        commerce_binding       validity=30d protect=15d self_purchase=self;
        commerce_touch         share \$arg_st;
        commerce_touch         share \$arg_st2;
        commerce_touch         share \$arg_scene decode member=st;
        commerce_touch         live_room \$http_x_live_room attested;
        commerce_mini_program  scene=\$http_x_scene crawler_token=$dir/crawler.token;

        commerce_conduct       $all $action;
        commerce_conduct       recruit_velocity $action rate=2/1d total=3;
        commerce_conduct       bind_velocity $action rate=2/1h;
        commerce_conduct       touch_flood $action rate=5/1m buyer=4/1m;

        add_header X-Reason  \$commerce_reason always;
        add_header X-Seller  \$commerce_seller always;
        add_header X-Conduct \$commerce_conduct always;

        location / { proxy_pass http://127.0.0.1:8081; }
        location /open/ { commerce_binding protect=0; proxy_pass http://127.0.0.1:8081/; }
        location /early/ {
            if (\$commerce_conduct ~ TOUCH_FLOOD|BOT_SUSPECT) { return 403; }
            proxy_pass http://127.0.0.1:8081/;
        }
        location /off/ { commerce_conduct bot_suspect off; proxy_pass http://127.0.0.1:8081/; }
        location = /share { commerce_share reward=\$arg_reward; }
        location = /join { commerce_join token=\$arg_st; }

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            proxy_pass http://127.0.0.1:8081;
        }
        location /api/orders/open {
            commerce_binding protect=0;
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            proxy_pass http://127.0.0.1:8081/api/orders;
        }
        location = /status { commerce_status; }
    }
EOC
};

$t->http_conf("commerce_conduct zone=1m;\n" . $server->('observed', 'enforce', 'observe')
    . $server->('denied', 'enforce', 'deny') . $server->('watched', 'observe', 'deny'))->run;

my ($n, $keys) = (0, 0);


sub token
{
    return $t->token($_[0], '--days', 400);
}


# what a page says: reason, seller, flags

sub page
{
    my ($kind, $user, $args, %headers) = @_;
    my $path = delete $headers{path} // '/';
    my $answer = $t->get("$path?$args", port => $port{$kind}, headers => { 'X-User' => $user, %headers });

    return join ' ', map { $answer->header($_) // '-' } qw(x-reason x-seller x-conduct);
}


sub order
{
    my ($kind, $user, $args, %headers) = @_;
    my $path = delete $headers{path} // '/api/orders';
    my $key = delete $headers{key} // 'k' . ++$keys;

    my $answer = $t->post("$path?$args", { client_key => $key, items => [ { sku => 's', count => 1, price => 100 } ] },
        port => $port{$kind}, headers => { 'X-User' => $user, %headers });

    is($answer->status, 200, "$key: no order is refused") or diag $answer->body;
    return join ' ', map { $answer->header($_) // '-' } qw(x-seller x-conduct);
}


# the last order's event: seller, flags, denied flags, on hold

sub told
{
    my ($key) = $_[0] // "k$keys";
    my $of = sub { grep { $_->{type} eq 'order' && $_->{order_key} eq $key && $_->{state} eq 'placed' } @_ };

    $t->wait_events(sub { $of->(@_) > 0 });
    return flags(($of->($t->events))[0]);
}


sub flags
{
    my ($event) = @_;

    return join ' ', $event->{seller} // '-', map({ join(',', @{$event->{$_} // []}) || '-' } qw(conduct conduct_denied)),
        $event->{hold} ? 'hold' : ();
}


sub last_event
{
    my ($type, $seller) = @_;
    my $of = sub { grep { $_->{type} eq $type && ($_->{seller} // '') eq $seller && $_->{conduct} } @_ };

    $t->wait_events(sub { $of->(@_) > 0 });
    return ($of->($t->events))[-1];
}


sub bound
{
    my ($kind, $user) = @_;

    return (split / /, page($kind, $user, ''))[1];
}


sub later
{
    $t->advance(2 * 86400);
}


# no reward for the act of sharing

for my $kind (qw(observed denied)) {
    my %user = (headers => { 'X-User' => "u-share-$kind" }, port => $port{$kind});
    my $plain = $t->get('/share?reward=0', %user);

    is($plain->status, 200, "$kind: a share that nobody rewards");
    is(page($kind, 'b' . ++$n, 'st=' . $plain->json->{token}), "BIND_NEW share-$kind -", "$kind: is not flagged");

    my $answer = $t->get('/share?reward=coupon', %user);

    if ($kind eq 'observed') {
        is($answer->status, 200, 'a rewarded one is told');
        is(flags(last_event('share', "share-$kind")), "share-$kind SHARE_INCENTIVE -", '... in its event');
        is(page($kind, 'b' . ++$n, 'st=' . $answer->json->{token}), "BIND_NEW share-$kind SHARE_INCENTIVE",
            '... and by what it brings');
        is(flags(last_event('touch', "share-$kind")), "share-$kind SHARE_INCENTIVE -", '... the touch');
        is(flags(last_event('bind', "share-$kind")), "share-$kind SHARE_INCENTIVE -", '... the binding');

        my $token = $answer->json->{token};

        is(page('denied', 'rewarded', "st=$token"), 'SHARE_INCENTIVE - SHARE_INCENTIVE', 'denied: it counts for nothing');
        is(bound('denied', 'rewarded'), '-', '... binds nobody');
        is(order('denied', 'rewarded', "st=$token"), '- SHARE_INCENTIVE', '... and wins no order');
        is(told(), '- SHARE_INCENTIVE SHARE_INCENTIVE hold', '... which is on hold');

    } else {
        is($answer->status, 403, 'denied: no token');
        is($answer->code, 'SHARE_INCENTIVE', '... and why');
    }

    later();
}

# who recruits too many, lately or altogether

for my $kind (qw(observed denied)) {
    my $token = token("recruit-$kind");
    my $join = sub {
        return $t->post("/join?st=$token", '', port => $port{$kind}, headers => { 'X-User' => 'r' . ++$n });
    };

    is($join->()->status, 201, "$kind: the first") for 1 .. 2;
    $t->wait_events('join', $kind eq 'observed' ? 2 : 6);
    is(scalar(grep { $_->{upline} eq "recruit-$kind" && $_->{conduct} } $t->events('join')), 0, "$kind: not flagged");

    if ($kind eq 'observed') {
        is($join->()->status, 201, 'the third within a day joins');
        later();
        is($join->()->status, 201, '... and the fourth altogether');
        $t->wait_events('join', 4);
        is_deeply([ map { flags($_) =~ s/^\S+ //r } grep { $_->{upline} eq "recruit-$kind" } $t->events('join') ],
            [ '- -', '- -', ('RECRUIT_VELOCITY -') x 2 ], '... both are told');

    } else {
        for (1 .. 2) {
            my $answer = $join->();

            is($answer->status . ' ' . $answer->code, '403 RECRUIT_VELOCITY', 'denied: not the third within a day');
        }

        $t->advance(86399);
        is($join->()->status, 403, '... not a second too early');
        $t->advance(1);
        is($join->()->status, 201, '... a day later');
        later();
        is($join->()->code, 'RECRUIT_VELOCITY', '... and nobody when there are enough altogether');
    }

    later();
}

# who is given too many buyers

for my $kind (@kinds) {
    my $token = token("bind-$kind");

    is(page($kind, 'b' . ++$n, "st=$token"), "BIND_NEW bind-$kind -", "$kind: two buyers an hour") for 1 .. 2;

    my $buyer = 'b' . ++$n;

    is(page($kind, $buyer, "st=$token"),
        ($kind eq 'denied' ? 'BIND_VELOCITY' : 'BIND_NEW') . " bind-$kind BIND_VELOCITY", "$kind: the third");

    if ($kind eq 'denied') {
        $t->advance(8 * 86400);
        is(bound($kind, $buyer), '-', 'denied: is not bound');
        is(page($kind, 'b' . ++$n, "st=$token"), "BIND_NEW bind-$kind -", '... a later one is');

    } else {
        is(flags(last_event('bind', "bind-$kind")), "bind-$kind BIND_VELOCITY "
            . ($kind eq 'watched' ? 'BIND_VELOCITY' : '-'), "$kind: is bound, and told");
        $t->advance(8 * 86400);
        is(bound($kind, $buyer), "bind-$kind", "$kind: ... he is");
    }

    later();
}

is(page('denied', 'b' . ++$n, '', 'X-Live-Room' => 'live1'), 'BIND_NEW H -', 'a live room may bind as many as come')
    for 1 .. 4;
later();

# touches by a seller that bring nothing.  Their buyers are another's, so that nobody is bound.

my @crowd = map { "flooded-$_" } 1 .. 40;

page('observed', $_, '', 'X-Live-Room' => 'live1') for @crowd;
$t->advance(86400 * 2);

for my $kind (@kinds) {
    my $token = token("flood-$kind");
    my $lost = $kind eq 'denied' ? 'TOUCH_FLOOD H TOUCH_FLOOD' : 'PROTECT_HOLD H TOUCH_FLOOD';

    is(page($kind, shift @crowd, "st=$token"), 'PROTECT_HOLD H -', "$kind: five in a minute") for 1 .. 5;
    is(page($kind, $crowd[0], "st=$token"), $lost, "$kind: the sixth");
    is(page($kind, $crowd[0], "st=$token"), 'ATTR_OK H -', "$kind: the same again is no touch");
    is(flags(last_event('touch', "flood-$kind")), "flood-$kind TOUCH_FLOOD "
        . ($kind eq 'observed' ? '-' : 'TOUCH_FLOOD'), "$kind: in its event");
    shift @crowd;

    $t->advance(120);
    is(page($kind, shift @crowd, "st=$token"), 'PROTECT_HOLD H -', "$kind: two minutes later");

    # one whose touches bring orders may bring many

    $token = token("brisk-$kind");
    is(order($kind, 'b' . ++$n, "st=$token"), "brisk-$kind -", "$kind: an order");
    is(page($kind, 'b' . ++$n, "st=$token", 'X-Live-Room' => 'live1'), 'BIND_NEW H -', "$kind: and many touches") for 1 .. 6;
    later();
}

# touches of a buyer right before his order

for my $kind (qw(observed denied)) {
    my ($crowd, $owner) = map { token("$_-$kind") } qw(crowd owner);
    my @more = map { $t->token("crowd-$kind", '--days', 400 + $_) } 1 .. 4;
    my $buyer = 'b' . ++$n;

    is(page($kind, $buyer, "st=$owner", path => '/open/'), "BIND_NEW owner-$kind -", "$kind: has a seller");
    later();
    page($kind, $buyer, "st=$_", path => '/open/') for $crowd, @more[0 .. 1];
    is(bound($kind, $buyer), "crowd-$kind", "$kind: another takes him over by many links");
    $t->advance(11);
    is(order($kind, $buyer, "st=$more[2]"), ($kind eq 'denied' ? 'owner' : 'crowd') . "-$kind TOUCH_FLOOD",
        "$kind: the fourth with an order");
    is(told(), $kind eq 'denied' ? "owner-$kind TOUCH_FLOOD TOUCH_FLOOD hold" : "crowd-$kind TOUCH_FLOOD -",
        "$kind: in its event");

    later();
    $buyer = 'b' . ++$n;
    page($kind, $buyer, "st=$_") for @more[0 .. 1];
    is(order($kind, $buyer, "st=$more[2]"), "crowd-$kind -", "$kind: three are no crowd");
    later();

    # nobody before, attested ones stay

    $buyer = 'b' . ++$n;
    page($kind, $buyer, "st=$_") for @more;
    is(order($kind, $buyer, ''), ($kind eq 'denied' ? '-' : "crowd-$kind") . ' TOUCH_FLOOD', "$kind: of a new buyer");
    later();

    $buyer = 'b' . ++$n;
    page($kind, $buyer, "st=$_", 'X-Live-Room' => 'live1') for @more;
    $t->advance(11);
    is(order($kind, $buyer, ''), 'H TOUCH_FLOOD', "$kind: a live room that is attested stays");
    later();
}

# a rival right before an order

for my $kind (qw(observed denied)) {
    my ($owner, $rival) = map { token("$_-$kind") } qw(owner rival);
    my $buyer = 'b' . ++$n;

    page($kind, $buyer, "st=$owner", path => '/open/');
    later();
    is(order($kind, $buyer, "st=$rival", path => '/api/orders/open'), "owner-$kind LATE_TOUCH", "$kind: does not win");
    is(told(), "owner-$kind LATE_TOUCH " . ($kind eq 'denied' ? 'LATE_TOUCH hold' : '-'), "$kind: in its event");
    $t->advance(8 * 86400);
    is(bound($kind, $buyer), $kind eq 'denied' ? "owner-$kind" : "rival-$kind", "$kind: whose buyer he is then");
    later();
}

# sellers who bring each other

for my $kind (@kinds) {
    my %token = map { $_ => token("$_-$kind") } qw(mutual other low);

    is(page($kind, "u-other-$kind", "st=$token{mutual}"), "BIND_NEW mutual-$kind -", "$kind: a seller who buys");
    is(page($kind, "u-mutual-$kind", "st=$token{other}"),
        ($kind eq 'denied' ? 'RECIPROCAL' : 'BIND_NEW') . " other-$kind RECIPROCAL", "$kind: the other way round");
    is(order($kind, "u-mutual-$kind", ''), "other-$kind RECIPROCAL", "$kind: his order");
    is(told(), "other-$kind RECIPROCAL " . ($kind eq 'observed' ? '-' : 'RECIPROCAL hold'), "$kind: in its event");
    is(page($kind, "u-top-$kind", "st=$token{low}"),
        ($kind eq 'denied' ? 'RECIPROCAL' : 'BIND_NEW') . " low-$kind RECIPROCAL", "$kind: by whom he has recruited");
    later();
    is(page($kind, "u-low-$kind", 'st=' . token("top-$kind")),
        ($kind eq 'denied' ? 'BIND_NEW' : 'BIND_NEW') . " top-$kind " . ($kind eq 'denied' ? '-' : 'RECIPROCAL'),
        "$kind: under his recruiter, who is his customer unless that was denied");
    later();
}

# who buys from himself, under another name

for my $kind (qw(observed denied)) {
    my $token = token("self-$kind");

    $t->cli_ok(qw(buyer merge), "u-self-$kind", "private-$kind");

    is(order($kind, "private-$kind", "st=$token"), $kind eq 'denied' ? '- SELF_PURCHASE' : "self-$kind SELF_PURCHASE",
        "$kind: credited");
    is(told(), ($kind eq 'denied' ? '-' : "self-$kind") . ' SELF_PURCHASE '
        . ($kind eq 'denied' ? 'SELF_PURCHASE hold' : '-'), "$kind: in its event");

    $t->cli_ok(qw(buyer merge), "first-$kind", "u-self-$kind");
    is(order($kind, "first-$kind", "st=$token"), $kind eq 'denied' ? '- SELF_PURCHASE' : "self-$kind SELF_PURCHASE",
        "$kind: ... by the first name of a buyer who is the seller by another");
    later();
}

# builds that are not released

my $wechat = 'Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 Mobile/15E148 MicroMessenger/8.0.29(0x18001d38) NetType/WIFI';
my $referer = 'https://servicewechat.com/wxefc15bc9d0cb36b1/%s/page-frame.html';

for my $kind (qw(observed denied)) {
    my $token = token("dev-$kind");
    my %dev = (Referer => sprintf($referer, 0), 'User-Agent' => $wechat);
    my $buyer = 'b' . ++$n;

    is(page($kind, $buyer, "st=$token", %dev), 'DEV_VERSION ' . ($kind eq 'denied' ? '-' : "dev-$kind") . ' DEV_VERSION',
        "$kind: a trial build");
    is(bound($kind, $buyer), '-', "$kind: binds nobody");
    is(order($kind, $buyer, "st=$token", %dev), ($kind eq 'denied' ? '-' : "dev-$kind") . ' DEV_VERSION', "$kind: orders");
    is(told(), ($kind eq 'denied' ? '- DEV_VERSION DEV_VERSION hold' : "dev-$kind DEV_VERSION -"), "$kind: in its event");

    my $answer = $t->get('/share', port => $port{$kind}, headers => { 'X-User' => "u-dev-$kind", %dev });

    is($answer->status . ' ' . ($answer->code // ''), $kind eq 'denied' ? '403 DEV_VERSION' : '200 ', "$kind: shares");

    $answer = $t->post("/join?st=$token", '', port => $port{$kind}, headers => { 'X-User' => 'r' . ++$n, %dev });
    is($answer->status . ' ' . ($answer->code // ''), $kind eq 'denied' ? '403 DEV_VERSION' : '201 ', "$kind: joins");
    later();
}

# vector 13: WeChat's robot, and who only says so

sub crawler
{
    my ($token, $timestamp, $nonce) = @_;

    return ('User-Agent' => 'Mozilla/5.0 mpcrawler', 'X-WXApp-Crawler-Timestamp' => $timestamp,
        'X-WXApp-Crawler-Nonce' => $nonce,
        'X-WXApp-Crawler-Signature' => sha1_hex(join '', sort $token, $timestamp, $nonce));
}

for my $kind (qw(observed denied)) {
    my $token = token("dev-$kind");
    my %good = crawler('s3cret-token', 1_800_000_000, '9981234');
    my $seller = $kind eq 'denied' ? '-' : "dev-$kind";

    my @cases = (
        [ 'a good signature', 'CRAWLER', %good ],
        [ 'another order of the parts', 'CRAWLER', crawler('s3cret-token', 1_800_000_000, 'zz') ],
        [ 'another token', 'BOT_SUSPECT', crawler('another', 1_800_000_000, '9981234') ],
        [ 'another time', 'BOT_SUSPECT', %good, 'X-WXApp-Crawler-Timestamp' => 1_800_000_001 ],
        [ 'another nonce', 'BOT_SUSPECT', %good, 'X-WXApp-Crawler-Nonce' => '9981235' ],
        [ 'upper case', 'BOT_SUSPECT', %good, 'X-WXApp-Crawler-Signature' => uc $good{'X-WXApp-Crawler-Signature'} ],
        [ 'no signature', 'BOT_SUSPECT', 'User-Agent' => 'mpcrawler' ],
        [ 'the scene alone', 'CRAWLER', 'X-Scene' => 1129 ]);

    for my $case (@cases) {
        my ($name, $reason, %headers) = @$case;
        my $buyer = 'b' . ++$n;

        is(page($kind, $buyer, "st=$token", %headers), "$reason $seller $reason", "$kind: $name: $reason");
        is(bound($kind, $buyer), '-', "$kind: $name: binds nobody");
    }

    my $buyer = 'b' . ++$n;

    is(order($kind, $buyer, "st=$token", crawler('another', 1, 2)), "$seller BOT_SUSPECT", "$kind: orders all the same");
    is(told(), $kind eq 'denied' ? '- BOT_SUSPECT BOT_SUSPECT hold' : "dev-$kind BOT_SUSPECT -", "$kind: in its event");
    later();
}

# Referer against User-Agent

my $desktop = 'Mozilla/5.0 (Windows NT 10.0) Chrome/132.0.0.0 MicroMessenger/7.0.20.1781(0x6700143B) NetType/WIFI '
    . 'MiniProgramEnv/Windows WindowsWechat/WMPF';

for my $case (
    [ 'a phone', '-', Referer => sprintf($referer, 217), 'User-Agent' => $wechat ],
    [ 'a desktop', '-', Referer => sprintf($referer, 55), 'User-Agent' => $desktop ],
    [ 'no Referer', '-', 'User-Agent' => $desktop ],
    [ 'a page in WeChat\'s browser', '-', Referer => 'https://shop.example/', 'User-Agent' => $wechat ],
    [ 'a web view', '-', Referer => 'https://shop.example/', 'User-Agent' => "$desktop miniProgram/wxefc15bc9d0cb36b1" ],
    [ 'a browser', 'BOT_SUSPECT', Referer => sprintf($referer, 217), 'User-Agent' => 'Mozilla/5.0 (X11)' ],
    [ 'no User-Agent', 'BOT_SUSPECT', Referer => sprintf($referer, 217) ],
    [ 'a runtime with a page\'s Referer', 'BOT_SUSPECT', Referer => 'https://shop.example/', 'User-Agent' => $desktop ])
{
    my ($name, $flag, %headers) = @$case;

    for my $kind (qw(observed denied)) {
        my $lost = $kind eq 'denied' && $flag ne '-';

        is(page($kind, 'b' . ++$n, 'st=' . token("self-$kind"), %headers),
            $lost ? "$flag - $flag" : "BIND_NEW self-$kind $flag", "$kind: $name");
        later();
    }
}

# watched only, and asked for before anything is decided

my $watched = 'b' . ++$n;

is(page('watched', $watched, 'st=' . token('self-watched'), Referer => sprintf($referer, 217)),
    'BIND_NEW self-watched BOT_SUSPECT', 'observe: nothing is taken from it');
is(flags(last_event('bind', 'self-watched')), 'self-watched BOT_SUSPECT BOT_SUSPECT', '... the log tells what would have been');
is(bound('watched', $watched), 'self-watched', '... and it has bound');

is($t->get('/early/', port => 8080, headers => { 'X-User' => 'early' })->status, 200, 'the variable, asked early: no flag');
is($t->get('/early/', port => 8080, headers => { 'X-User' => 'early', Referer => sprintf($referer, 217) })->status, 403,
    '... a flag');

is(page('denied', 'b' . ++$n, 'st=' . token('self-denied'), path => '/off/', Referer => sprintf($referer, 217)),
    'BIND_NEW self-denied -', 'a flag that is off');
later();

# vector 14: previews, and what a scene says

for my $kind (qw(observed denied)) {
    my $token = token("self-$kind");
    my $buyer = 'b' . ++$n;

    is(page($kind, $buyer, "st=$token", 'X-Scene' => 1154), "SCENE_NOT_BINDABLE self-$kind -", "$kind: a preview");
    is(bound($kind, $buyer), '-', "$kind: binds nobody");
    is(page($kind, 'b' . ++$n, "scene=st%3D$token%26b%3D2"), "BIND_NEW self-$kind -", "$kind: a scene, decoded once");
    is(page($kind, 'b' . ++$n, "scene=st%253D$token"), 'ATTR_DIRECT - -', "$kind: not twice");
    is(page($kind, 'b' . ++$n, "scene=st%3D$token&scene=st%3D$token"), 'TOKEN_DUPLICATE_PARAM - -', "$kind: two scenes");
    later();
}

# an order that is tried again is as it was

$t->cli_ok(qw(store backup), $t->dir . '/backup');
$t->advance(86400);
page('denied', 'again', 'st=' . token('owner-denied'), path => '/open/');
later();
is(order('denied', 'again', 'st=' . token('rival-denied'), path => '/api/orders/open', key => 'again'),
    'owner-denied LATE_TOUCH', 'an order');
told('again');
is(order('denied', 'again', 'st=' . token('rival-denied'), path => '/api/orders/open', key => 'again'),
    'owner-denied LATE_TOUCH', '... and again');

# a second order of the same minute finds nothing late: what is told is the order's, not the buyer's

is(order('denied', 'again', '', path => '/api/orders/open', key => 'next'), 'owner-denied -', '... another order has none');

my $shown = Test::NgxCommerce::json()->decode($t->cli_ok(qw(order show again --user again)));

is_deeply([ @{$shown}{qw(conduct conduct_denied)} ], [ [ 'LATE_TOUCH' ], [ 'LATE_TOUCH' ] ], 'the tool shows it');

# all of it

my $conduct = $t->get('/status')->json->{conduct};

cmp_ok($conduct->{$_} // 0, '>', 0, "status: $_") for qw(SHARE_INCENTIVE RECRUIT_VELOCITY BIND_VELOCITY TOUCH_FLOOD
    LATE_TOUCH RECIPROCAL SELF_PURCHASE DEV_VERSION CRAWLER BOT_SUSPECT);
is($conduct->{lost}, 0, 'status: every count has its place');

my $schema = Test::NgxCommerce::json()->decode($t->read_file("$Test::NgxCommerce::ROOT/t/event.schema.json"));
my @wrong = grep { defined } map { invalid($schema, $_) } $t->events;

is_deeply(\@wrong, [], 'events are as the schema says');

my $held = grep { $_->{conduct_denied} && !$_->{hold} } $t->events('order');

is($held, 0, 'every order with a denied flag is on hold');
$t->cli_ok(qw(store check));

# restored from a backup before the order, and the log

$t->quit;
like($t->cli_ok(qw(store restore), $t->dir . '/backup', '--replay', $t->dir . '/events.jsonl'), qr/ 0 failed$/m, 'restored');
$shown = Test::NgxCommerce::json()->decode($t->cli_ok(qw(order show again)));
is_deeply([ @{$shown}{qw(conduct conduct_denied)} ], [ [ 'LATE_TOUCH' ], [ 'LATE_TOUCH' ] ], 'flags come with the log');

$t->done_testing;
