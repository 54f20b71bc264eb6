#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Whose sale is it: the presets class by class, lines, self purchase, unverified users, mini programs, tokens
# that are not what they seem, and the variables before the verdict.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new(shuffle => 1);

use constant { DAY => 86400 };

my $T0 = 1_800_000_000;

$t->clock($T0);
$t->keys;

# who stands for which class: a protected or open binding, a live room, a share, a promoter, a group

$t->people(<<'CSV');
id,role,status,upline,user
P,guide,active,,
L,guide,active,,
S,koc,active,R,u-s
R,koc,active,,u-r
C,koc,active,,u-c
D,koc,active,,
G,leader,active,,u-g
X,guide,active,,
Y,koc,active,Z,u-y
Z,koc,active,,
CSV
$t->people(join "\n", 'id', map { "E$_" } 1 .. 8);

$t->cli_ok(qw(group put g1 --leader G));
$t->cli_ok(qw(group put headless));
$t->cli_ok(qw(room put live1 --host L));
$t->campaign(id => 'c', discount => { fixed => 1 }, promoter => 'C');
$t->campaign(id => 'd2', discount => { fixed => 1 }, promoter => 'D', skus => ['s2']);
$t->campaign(id => 'plain', discount => { fixed => 1 });

$t->campaign(id => "e$_", discount => { fixed => 1 }, promoter => "E$_", skus => ["e$_"]) for 1 .. 8;

my %code = map { $_ => [ $t->coupons($_, /e/ ? 1 : 60) ] } qw(c d2 plain), map { "e$_" } 1 .. 8;

my %token = (
    map({ $_ => $t->token($_, qw(--days 400)) } qw(P S X C Y)),
    'P2'       => $t->token('P', qw(--days 401)),
    'S2'       => $t->token('S', qw(--days 401)),
    G          => $t->token('-', qw(--group g1 --days 400)),
    headless   => $t->token('-', qw(--group headless --days 400)),
    'X in g1'  => $t->token('X', qw(--group g1 --days 400)),
    L          => $t->token('-', qw(--room live1 --days 400)),
    'X in room' => $t->token('X', qw(--room live1 --days 400)),
);

# another shop and the store of another keyring have somebody under the same number

my $stranger = $t->write_file('stranger.csv', "id\nZ\n");
my @other = ('--shop', 'other');
my @foreign = ('--keys', $t->dir . '/foreign.json', '--store', $t->dir . '/foreign');

mkdir $t->dir . '/foreign';
$t->cli_ok(@foreign, 'keys', 'init');
$t->cli_ok(@$_, 'people', 'import', $stranger) for \@other, \@foreign;
$token{other} = $t->cli_ok(@other, 'token', 'issue', 'Z') =~ s/\n//r;
$token{foreign} = $t->cli_ok(@foreign, 'token', 'issue', 'Z') =~ s/\n//r;

$t->people("id,status\nZ,suspended\n");
$t->cli_ok(@other, 'people', 'import', $t->write_file('z.csv', "id,status\nZ,suspended\n"));

$t->storefront(8081);

my $server = sub {
    my ($port, %more) = @_;
    my $shop = $more{shop} // 'demo';
    my $strength = $more{strength} // 'verified';
    my $self = $more{self} // 'house';
    my $priority = $more{priority} // 'protect_first';
    my $room = $more{room} // 'attested';
    my $rest = $more{rest} // '';

    return <<"EOC";
    server {
        listen            127.0.0.1:$port;
        commerce_shop     $shop;
        commerce          enforce;
        commerce_user     \$http_x_user $strength;
        commerce_touch    share \$arg_st;
        commerce_touch    share \$arg_group;
        commerce_touch    live_room \$http_x_live_room $room lookback=10d;
        commerce_touch    plain \$arg_utm_source;
        commerce_binding  validity=30d protect=1d self_purchase=$self;
        commerce_priority $priority;

        add_header X-Seller \$commerce_seller always;
        add_header X-Tier2 \$commerce_tier2 always;
        add_header X-Group \$commerce_group always;
        add_header X-Room \$commerce_room always;
        add_header X-Reason \$commerce_reason always;
        add_header X-Decision \$commerce_decision always;
        add_header X-Platform \$commerce_platform always;
        add_header X-Appid \$commerce_appid always;

        location / { proxy_pass http://127.0.0.1:8081; }

        location /bind {
            commerce_touch share \$arg_st lookback=60s;
            proxy_pass http://127.0.0.1:8081;
        }

        location /api/orders {
            commerce_mini_program scene=\$arg_scene;
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons max=8;
            commerce_coupon_redeem on=order;
            proxy_pass http://127.0.0.1:8081;
        }

        location /yuan {
            commerce_mini_program scene=\$arg_scene;
            commerce_order key=json:/client_key lines=json:/items unit=yuan;
            commerce_order_line id=/sku qty=/count price=/price;
            proxy_pass http://127.0.0.1:8081;
        }

        $rest
    }
EOC
};

my %preset = (protect_first => 8080, touch_first => 8082, live_first => 8083);

$t->http_conf(<<'EOC'
    map $commerce_seller $tag { default other; "" nobody; S yours; }
    log_format sellers '$uri $commerce_seller $commerce_reason';
    limit_req_zone $commerce_seller zone=sellers:1m rate=1r/m;
EOC
    . join('', map { $server->($preset{$_}, priority => $_) } CORE::keys %preset)
    . $server->(8084, self => 'upline')
    . $server->(8085, self => 'self')
    . $server->(8086, strength => 'claimed')
    . $server->(8087, shop => 'other')
    . $server->(8088, room => '')
    . $server->(8089, rest => <<'EOC')
        location /tagged { add_header X-Tag $tag; proxy_pass http://127.0.0.1:8081; }
        location /limited { limit_req zone=sellers; proxy_pass http://127.0.0.1:8081; }
        location /early { return 200 "$commerce_seller,$commerce_reason,$tag"; }
        location /logged {
            access_log %%DIR%%/sellers.log sellers;
            proxy_pass http://127.0.0.1:8081;
        }
        location /if {
            if ($commerce_seller = S) { return 402; }
            proxy_pass http://127.0.0.1:8081;
        }
        location /off { commerce off; return 200 "[$commerce_seller]"; }
EOC
    . $server->(8090, rest => <<'EOC'))->run;
        commerce_mini_program appid=wx0123456789abcdef appid=wxfedcba9876543210 scene=$arg_scene;
EOC


sub view
{
    my ($buyer, $uri, %option) = @_;

    $uri =~ s/\{(.+?)\}/$token{$1}/g;

    my $answer = $t->get($uri, %option,
        headers => { (defined $buyer ? ('X-User' => $buyer) : ()), %{$option{headers} || {}} });

    return { answer($answer) };
}


sub answer
{
    my ($answer) = @_;

    return (status => $answer->status, map { $_ => $answer->header("x-$_") // '' }
        qw(seller tier2 group room reason decision platform appid));
}


my $key = 0;
my %placed;

sub order
{
    my ($buyer, $uri, %option) = @_;
    my $coupons = delete $option{coupons} || [];
    my $items = delete $option{items} || [ 's1' ];

    $uri =~ s/\{(.+?)\}/$token{$1}/g;

    my $answer = $t->post("/api/orders$uri",
        { client_key => 'k' . ++$key, coupons => [ map { shift @{$code{$_}} } @$coupons ],
          items => [ map { { sku => $_, count => 1, price => 1000 } } @$items ] }, %option,
        headers => { (defined $buyer ? ('X-User' => $buyer) : ()), %{$option{headers} || {}} });

    return { answer($answer), key => "k$key" };
}


# The event that tells of an order: its sellers and sources line by line, and who contributed.

sub told
{
    my ($order) = @_;
    my $known = sub { grep { $_->{type} eq 'order' && $_->{state} eq 'placed' } @_ };

    $placed{$order->{key}}
        or %placed = map { $_->{order_key} => $_ } $known->($t->wait_events(sub {
            grep { $_->{order_key} eq $order->{key} } $known->(@_) }));

    my $event = $placed{$order->{key}};

    return {
        winner       => join(' ', grep { defined } @$event{qw(source seller)}),
        lines        => join(', ', map { $_->{seller} // 'house' } @{$event->{lines}}),
        contributors => join(', ', map { "$_->{source} $_->{seller}" } @{$event->{contributors} || []}),
    };
}


# The presets with everybody there, and without the winner of the round before until the house is left.

my @protected = ([ protected => 'P' ], [ live_room => 'L' ], [ share => 'S' ], [ promoter => 'C' ],
    [ group => 'G' ]);
my @open = (@protected[1 .. 4], [ open => 'P' ]);

my %order = (
    protect_first => { protected => \@protected, open => \@open },
    touch_first   => { protected => [ @protected[1 .. 4, 0] ], open => \@open },
    live_first    => { protected => [ @protected[1, 0, 2 .. 4] ], open => \@open },
);

my @rounds;

for my $preset (sort CORE::keys %order) {
    for my $state (qw(protected open)) {
        my @classes = @{$order{$preset}{$state}};

        for my $round (0 .. @classes) {
            my $name = "$preset, $state, round $round";
            my @left = @classes[$round .. $#classes];
            my %left = map { @$_ } @left;
            my $port = $preset{$preset};
            my @coupons = $left{promoter} ? 'c' : 'plain';
            my $touches = join '&', '?a=b', $left{share} ? 'st={S}' : (), $left{group} ? 'group={G}' : ();
            my %room = $left{live_room} ? ('X-Live-Room' => 'live1') : ();
            my $order;

            $t->clock($T0);

            if ($left{protected} || $left{open}) {
                view($name, '/bind?st={P}', port => $port)->{seller} eq 'P' or fail("$name: bound");

                $t->clock($T0 + DAY - 100);
                view($name, "/$touches", port => $port, headers => \%room);

                $t->clock($T0 + DAY + ($state eq 'protected' ? -1 : 0));
                $order = order($name, '', port => $port, coupons => \@coupons);
            }
            else {
                # nobody has bound this buyer, and in single page mode nobody does
                $order = order($name, "$touches&scene=1154", port => $port, coupons => \@coupons,
                    headers => \%room);
            }

            my ($winner, @others) = @left;
            $#others = 2 if @others > 3;

            is($order->{seller}, $winner ? $winner->[1] : '', "$name: " . ($winner ? "@$winner" : 'house'));
            push @rounds, [ $name, $order, $winner ? "@$winner" : 'house',
                join ', ', map { "@$_" } @others ];
        }
    }
}

told($rounds[-1][1]);

for my $round (@rounds) {
    my ($name, $order, $winner, $contributors) = @$round;
    my $told = told($order);

    is("$told->{winner}; $told->{contributors}", "$winner; $contributors", "$name: as told");
}

# dimensions ride along; tier 2 is who recruited

$t->clock($T0);
is_deeply([ @{view('d1', '/?st={X in g1}')}{qw(seller group room)} ], [ 'X', 'g1', '' ], 'a share in a group');
is_deeply([ @{view('d2', '/?st={G}')}{qw(seller group room)} ], [ 'G', 'g1', '' ], 'a group: its leader');
is_deeply([ @{view('d3', '/?st={L}')}{qw(seller group room)} ], [ 'L', '', 'live1' ], 'a room: its host');
is_deeply([ @{view('d4', '/?st={X in room}')}{qw(seller group room)} ], [ 'X', '', 'live1' ],
    'a share in a room: the sharer');
is_deeply([ @{view('d5', '/?st={S}')}{qw(seller tier2)} ], [ 'S', 'R' ], 'the recruiter is tier 2');
is_deeply([ @{view('d6', '/?st={headless}')}{qw(status seller)} ], [ 200, '' ], 'a group without a leader');
is_deeply([ @{view('d7', '/', headers => { 'X-Live-Room' => 'live1' })}{qw(seller room reason)} ],
    [ 'L', 'live1', 'BIND_NEW' ], 'an attested room');
is_deeply([ @{view('d1', '/')}{qw(seller group)} ], [ 'X', 'g1' ], 'remembered with the binding');

# what is only reported

is_deeply([ @{view('r1', '/', port => 8088, headers => { 'X-Live-Room' => 'live1' })}{qw(seller reason)} ],
    [ '', 'LIVE_NOT_ATTESTED' ], 'a room that anyone could have named');
is(order('r1', '', port => 8088, headers => { 'X-Live-Room' => 'live1' })->{seller}, '', 'also for an order');
is_deeply([ @{view('r1', '/', headers => { 'X-Live-Room' => 'nowhere' })}{qw(seller reason)} ],
    [ '', 'LIVE_ROOM_UNKNOWN' ], 'an unknown room');
is_deeply([ @{view('r1', '/', headers => { 'X-Live-Room' => "no\x01where" })}{qw(seller reason)} ],
    [ '', 'LIVE_ROOM_UNKNOWN' ], 'no room\'s name at all');
is_deeply([ @{view('r1', '/?utm_source=X')}{qw(seller reason)} ], [ '', 'ATTR_DIRECT' ], 'a plain parameter');

my $plainly = sub { grep { $_->{type} eq 'touch' && $_->{source} eq 'plain' } @_ };
my ($plain) = $plainly->($t->wait_events($plainly));
is_deeply([ @$plain{qw(type strength)} ], [ 'touch', 'plain' ], 'is in the log');
ok(!exists $plain->{seller}, 'without a seller');

# a promoter has the lines that his coupon admits

my @lines = (
    [ 'the second line only',             '', [ 'd2' ],      'house, D' ],
    [ 'two promoters',                    '', [ 'd2', 'c' ], 'C, D' ],
    [ 'the first coupon of a line',       '', [ 'c', 'd2' ], 'C, C' ],
    [ 'a share above, on both',           '?st={X}', [ 'd2' ], 'X, X' ],
    [ 'a group below, on the other',      '?group={G}&scene=1154', [ 'd2' ], 'G, D' ],
    [ 'as many as can be',                '?group={G}&scene=1154', [ map { "e$_" } 1 .. 8 ],
      join(', ', 'G', map { "E$_" } 1 .. 8), [ 's1', map { "e$_" } 1 .. 8 ] ],
);

for my $case (@lines) {
    my ($name, $uri, $coupons, $sellers, $items) = @$case;
    my $order = order("lines $name", $uri, coupons => $coupons, items => $items // [ 's1', 's2' ]);
    my ($first) = $sellers =~ /^(\w+)/;

    is($order->{seller}, $first eq 'house' ? '' : $first, "$name: the header names the first line's");
    is(told($order)->{lines}, $sellers, "$name: $sellers");
}

my ($received) = grep { $_->{headers}{'x-commerce-order-key'} } reverse $t->received;
is($received->{headers}{'x-commerce-seller'}, 'G', 'as the backend saw it');

# one's own sale

for my $case ([ 8080, 'house',  '', '' ],
              [ 8084, 'upline', 'R', '' ],
              [ 8085, 'self',   'S', 'R' ])
{
    my ($port, $name, $seller, $tier2) = @$case;

    my $order = order('u-s', '?st={S}&group={G}&scene=1154', port => $port);
    is_deeply([ @$order{qw(seller tier2)} ], [ $seller, $tier2 ], "self_purchase=$name");

    my $told = told($order);
    is($told->{winner}, $seller ? "share $seller" : 'house', "$name: as told");
    is($told->{contributors}, $seller ? 'group G' : '', "$name: who contributes");
}

my $order = order('u-y', '?st={Y}&group={G}&scene=1154', port => 8084);
is($order->{seller}, '', 'a frozen recruiter gets nothing');
is_deeply(told($order), { winner => 'house', lines => 'house', contributors => '' }, 'and nobody else');

is(order('u-r', '?st={S}&scene=1154')->{seller}, 'S', 'a recruiter may buy from whom he recruited ...');
is(order('u-r', '?st={S}&scene=1154')->{tier2}, '', '... but is not paid for it');

# somebody whom nobody vouches for: this request only, and nothing about his own person

for my $buyer (undef, 'soft') {
    my $name = $buyer // 'anonymous';

    is(order($buyer, '?st={S}', port => 8086)->{seller}, 'S', "$name: the order's own token");
    is(order($buyer, '', port => 8086)->{seller}, '', "$name: not the next order's");
}

is(order('u-s', '?st={S}', port => 8086)->{seller}, 'S', 'a claimed name is nobody\'s own sale');

# mini programs, by their Referer

my $app = 'https://servicewechat.com/wx0123456789abcdef';

my @clients = (
    [ 'a released build',   "$app/12/page-frame.html", '1011', 'BIND_NEW', 'wechat' ],
    [ 'no scene',           "$app/12/page-frame.html", '', 'BIND_NEW', 'wechat' ],
    [ 'a trial version',    "$app/0/page-frame.html", '1011', 'DEV_VERSION', 'wechat' ],
    [ 'the tools',          "$app/devtools/page-frame.html", '', 'DEV_VERSION', 'wechat' ],
    [ 'the crawler',        "$app/12/page-frame.html", '1129', 'CRAWLER', 'wechat' ],
    [ 'single page mode',   "$app/12/page-frame.html", '1154', 'SCENE_NOT_BINDABLE', 'wechat' ],
    [ 'single page, later', "$app/12/page-frame.html", '1155', 'SCENE_NOT_BINDABLE', 'wechat' ],
    [ 'our other app',      'https://servicewechat.com/wxfedcba9876543210/3/page-frame.html', '', 'BIND_NEW',
      'wechat', 'wxfedcba9876543210' ],
    [ 'a foreign app',      'https://servicewechat.com/wx00000000000000ff/12/page-frame.html', '1011',
      'BIND_NEW', '' ],
    [ 'a look-alike',       "https://servicewechat.com.example/wx0123456789abcdef/12/page-frame.html", '',
      'BIND_NEW', '' ],
    [ 'a browser',          'https://shop.example/', '', 'BIND_NEW', '' ],
);

for my $client (@clients) {
    my ($name, $referer, $scene, $reason, $platform, $appid) = @$client;
    my $headers = { Referer => $referer };

    my $view = view("mini $name", "/?st={X}&scene=$scene", port => 8090, headers => $headers);
    is("$view->{reason} $view->{seller}", "$reason X", "$name: $reason");
    is("$view->{platform} $view->{appid}", $platform
        ? "$platform " . ($appid // 'wx0123456789abcdef') : ' ', "$name: recognised as");

    is(view("mini $name", '/', port => 8090)->{seller}, $reason eq 'BIND_NEW' ? 'X' : '', "$name: later");
    is(view("mini $name", '/?st={X}', port => 8090)->{reason}, $reason eq 'BIND_NEW' ? 'ATTR_OK' : 'BIND_NEW',
        "$name: the first sight that counts");
}

my ($visit) = grep { ($_->{scene} // '') eq '1129' } $t->wait_events(sub { grep { ($_->{scene} // '') eq '1129' } @_ });
is_deeply([ @$visit{qw(type platform appid version scene reason)} ],
    [ 'visit', 'wechat', 'wx0123456789abcdef', '12', '1129', 'CRAWLER' ], 'the visit tells the client');

# ... whatever else there is to say about an order

for my $scene ('', 1129) {
    my $order = $t->post("/yuan?st=$token{X}&scene=$scene", { client_key => "yuan$scene",
        items => [ { sku => 's', count => 1, price => '1.005' } ] }, headers => { 'X-User' => "yuan$scene" });

    is($order->status, 200, 'a fraction of a fen');
    is(view("yuan$scene", '/')->{seller}, $scene ? '' : 'X', $scene ? 'a crawler does not bind' : 'binds');
}

# calling oneself a crawler makes an old token neither young nor an order's late touch punctual

$t->clock($T0);
view('cheat', '/bind?st={P}');
$t->clock($T0 + 2 * DAY);
is(view('cheat', '/?st={X}')->{reason}, 'BIND_STOLEN', 'stolen by a new touch');
$t->clock($T0 + 20 * DAY);
is(view('cheat', '/bind?st={P2}')->{reason}, 'BIND_STOLEN', 'and back');
$t->clock($T0 + 25 * DAY);

for my $scene (qw(1129 1154)) {
    is(order('cheat', "?st={X}&scene=$scene")->{seller}, 'P', "$scene: an old token stays old");
    is(order('cheat', "?st={S}&scene=$scene")->{seller}, 'P', "$scene: a late one stays late");
}

# tokens that are not what they seem

$t->clock($T0);

$token{short} = $t->token('X', qw(--days 1));

my $flip = sub {
    my ($at) = @_;
    my $token = $token{X};

    substr($token, $at, 1) = substr($token, $at, 1) eq 'A' ? 'B' : 'A';
    return $token;
};

my $dashed = $token{X} =~ s/./-/r;

my @bad = (
    [ 'another MAC',           $flip->(31),                  'TOKEN_BAD_MAC' ],
    [ 'another seller',        $flip->(7),                   'TOKEN_BAD_MAC' ],
    [ 'another day',           $flip->(21),                  'TOKEN_BAD_MAC' ],
    [ 'another shop\'s',       $token{other},                'TOKEN_BAD_MAC' ],
    [ 'another store\'s',      $token{foreign},              'TOKEN_BAD_MAC' ],
    [ 'a key that is none',    'f' . substr($token{X}, 1),   'TOKEN_KID_UNKNOWN' ],
    [ 'another version',       'A' . substr($token{X}, 1),   'TOKEN_MALFORMED' ],
    [ 'truncated',             substr($token{X}, 0, 31),     'TOKEN_MALFORMED' ],
    [ 'one more',              "$token{X}A",                 'TOKEN_MALFORMED' ],
    [ 'padded',                substr($token{X}, 0, 31) . '=', 'TOKEN_MALFORMED' ],
    [ 'plain base64',          $dashed =~ s/./+/r,           'TOKEN_MALFORMED' ],
    [ 'a slash',               substr($token{X}, 0, 31) . '/', 'TOKEN_MALFORMED' ],
    [ 'escaped',               '%41' . substr($token{X}, 3), 'TOKEN_MALFORMED' ],
    [ 'high bytes',            "\xff" x 32,                  'TOKEN_MALFORMED' ],
    [ 'one character',         '-',                          'TOKEN_MALFORMED' ],
    [ 'very long',             'A' x 6000,                   'TOKEN_MALFORMED' ],
    [ 'twice',                 "$token{X}&st=$token{X}",     'TOKEN_DUPLICATE_PARAM' ],
    [ 'twice, in capitals',    "$token{X}&ST=$token{S}",     'TOKEN_DUPLICATE_PARAM' ],
    [ 'twice, first empty',    "&st=$token{X}",              'TOKEN_DUPLICATE_PARAM' ],
    [ 'empty',                 '',                           'ATTR_DIRECT' ],
);

for my $bad (@bad) {
    my ($name, $st, $reason) = @$bad;

    for my $buyer (undef, "bad $name") {
        my $view = view($buyer, "/?st=$st");

        is_deeply([ @$view{qw(status decision reason seller)} ], [ 200, 'pass', $reason, '' ],
            "$name: $reason" . ($buyer ? '' : ', anonymous'));
    }

    $order = order("bad $name", "?st=$st");
    is_deeply([ @$order{qw(status decision reason seller)} ], [ 200, 'pass', $reason, '' ],
        "$name: an order is not refused for it");
}

my %told;
$told{$_->{reason}}++ for grep { $_->{type} eq 'visit' } $t->wait_events(sub {
    my %seen = map { $_->{type} eq 'visit' ? ($_->{reason} => 1) : () } @_;
    $seen{TOKEN_DUPLICATE_PARAM} && $seen{TOKEN_KID_UNKNOWN};
});
cmp_ok($told{$_} // 0, '>=', 1, "visits tell of $_")
    for qw(TOKEN_BAD_MAC TOKEN_MALFORMED TOKEN_DUPLICATE_PARAM TOKEN_KID_UNKNOWN);

%told = map { $_->{reason} => 1 } $t->events('touch');
ok($told{$_}, "touches tell of $_") for qw(TOKEN_BAD_MAC TOKEN_MALFORMED TOKEN_KID_UNKNOWN);

ok((grep { ($_->{headers}{'x-commerce-reason'} // '') eq 'TOKEN_BAD_MAC' } $t->received),
    'the backend is told, too');

is(view('in other', '/?st={other}', port => 8087)->{status}, 200, 'another shop\'s token in its shop');
is(view('in other', '/?st={other}', port => 8087)->{seller}, '', 'a suspended seller there');
$t->cli_ok('--shop', 'other', 'people', 'import', $t->write_file('z.csv', "id,status\nZ,active\n"));
is(view('in other 2', '/?st={other}', port => 8087)->{seller}, 'Z', 'an active one');

# the first dead second is a midnight in UTC

my $midnight = int($T0 / DAY) * DAY + 2 * DAY;

$t->clock($midnight - 1);
is(view('expiry 1', '/?st={short}')->{reason}, 'BIND_NEW', 'a token in its last second');
$t->clock($midnight);
is_deeply([ @{view('expiry 2', '/?st={short}')}{qw(reason seller)} ], [ 'TOKEN_EXPIRED', '' ], 'a dead one');
is_deeply([ @{view('expiry 1', '/?st={short}')}{qw(reason seller)} ], [ 'TOKEN_EXPIRED', 'X' ],
    'a binding outlives its token');

# variables before the verdict

$t->clock($T0);

for my $case ([ 'S', 'yours' ], [ 'X', 'other' ], [ '', 'nobody' ]) {
    my ($seller, $tag) = @$case;
    my $st = $seller ? "?st=$token{$seller}" : '';

    is($t->get("/tagged$st", port => 8089)->header('x-tag'), $tag, "map: $tag");
    is($t->get("/early$st", port => 8089, headers => { 'X-User' => "early$seller" })->body, "$seller,,$tag",
        "before the verdict: $tag");
    is($t->get("/if$st", port => 8089)->status, $seller eq 'S' ? 402 : 200, "if: $tag");
    is($t->get("/logged$st", port => 8089, headers => { 'X-User' => "logged$seller" })->status, 200,
        "logged: $tag");
}

is(view('earlyS', '/')->{seller}, '', 'looking does not bind');
is(view('earlyS', '/?st={S}')->{reason}, 'BIND_NEW', 'nor use up the first sight');

ok($t->wait_for(sub { 3 == (() = $t->read_file('sellers.log') =~ /\n/g) }), 'three lines');
is($t->read_file('sellers.log'), "/logged S BIND_NEW\n/logged X BIND_NEW\n/logged - ATTR_DIRECT\n",
    'the access log tells seller and reason');

my @limited = map { $t->get("/limited?st=$token{$_}", port => 8089)->status } qw(S S X S2 X);
is_deeply(\@limited, [ 200, 503, 200, 503, 503 ], 'limit_req by seller, whatever the token');
is_deeply([ map { $t->get('/limited', port => 8089)->status } 1 .. 3 ], [ 200, 200, 200 ], 'not without one');
is($t->get("/off?st=$token{S}", port => 8089)->body, '[S]', 'also where commerce is off');

# a retired key

$t->cli_ok(qw(keys rotate share));
$t->reload(wait => 1);
is(view('kid 1', '/?st={X}')->{reason}, 'BIND_NEW', 'a key that verifies');
$token{new} = $t->token('X', qw(--days 30));
$t->cli_ok(qw(keys retire share 0));
$t->reload(wait => 1);
is_deeply([ @{view('kid 2', '/?st={X}')}{qw(status reason seller)} ], [ 200, 'TOKEN_KID_UNKNOWN', '' ],
    'a retired one');
is(view('kid 1', '/')->{seller}, 'X', 'what it bound remains');
is(view('kid 3', '/?st={new}')->{reason}, 'BIND_NEW', 'the new key signs');

my ($code, $out, $err) = $t->cli(qw(store check));
is($code, 0, 'store check') or diag "$out$err";

$t->done_testing;
