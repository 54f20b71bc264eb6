#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Touches from everywhere: header, cookie, JSON member, path pattern, scene; by names of rooms, groups, persons
# and of other tools; where the buyer was met; a private lead into a live room; an operator's own priority.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;
use Time::Piece ();

my $t = Test::NgxCommerce->new(shuffle => 1);

my $T0 = 1_800_000_000;

$t->clock($T0);
$t->keys;
$t->people(<<'CSV');
id,role,user
A,guide,u-a
B,guide,u-b
C,koc,openid-c
D,guide,spread:77
G,leader,u-g
CSV
$t->cli_ok(qw(group put g1 --leader G));
$t->cli_ok(qw(group put nobody));
$t->cli_ok(qw(room put live1 --host B));

$t->cli_ok(qw(channel put s1 --seller A --field message --origin private --platform wecom));
$t->cli_ok(qw(channel put g-poster --group g1 --field offline));
$t->cli_ok('room', 'schedule', 'live1', $t->write_file('shifts.csv',
    "start,end,host\n2027-02-01T12:00:00Z,2027-02-01T14:00:00Z,C\n2027-02-01T14:00:00Z,2027-02-01T16:00:00Z,A\n"));

my %token = map { $_ => $t->token($_, '--days', 400) } qw(A B);

$t->storefront(8081);

my $server = sub {
    my ($port, @touches) = @_;
    my $more = $touches[-1] =~ /^commerce_priority/ ? pop(@touches) : '';
    my $touches = join "\n", map { "commerce_touch $_;" } @touches;

    return <<"EOC";
    server {
        listen            127.0.0.1:$port;
        commerce_shop     demo;
        commerce          enforce;
        commerce_user     \$http_x_user verified;
        commerce_binding  validity=30d protect=0;
        $touches
        $more

        add_header X-Seller \$commerce_seller always;
        add_header X-Reason \$commerce_reason always;
        add_header X-Group \$commerce_group always;

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

$t->http_conf(
    $server->(8080, 'share $http_x_share', 'share $cookie_share', 'share json:/from/token',
        'share $arg_scene decode member=st', 'group $uri attested pattern=^/g/([^/]+)/',
        'sharer $http_x_sharer attested', 'sharer $http_x_anybody')
    . $server->(8082, 'plain $arg_utm_source field=public_commerce origin=public platform=douyin',
        'plain $arg_spread as=spread wins binds', 'plain $arg_by wins', 'plain $arg_serves binds',
        'group $arg_group', 'channel $arg_state', 'channel $http_x_state attested')
    . $server->(8083, 'share $arg_st', 'live_room $http_x_live_room attested', 'group $http_x_group attested',
        'commerce_priority live_room group share open;')
    . $server->(8084, 'share $arg_st', 'live_room $http_x_live_room attested origin=private',
        'commerce_priority group protected share;')
    . $server->(8085, 'share $arg_st pattern=^(x+x+)+[yz]$'))->run;

my ($n, $key) = (0, 0);

sub seen
{
    my ($port, $path, %headers) = @_;
    my $answer = $t->get($path, port => $port, headers => { 'X-User' => 'buyer-' . ++$n, %headers });

    return join ' ', map { $answer->header($_) // '-' } qw(x-reason x-seller);
}


sub order
{
    my ($port, $buyer, $body, %headers) = @_;

    return $t->post('/api/orders', { client_key => 'k' . ++$key, items => [ { sku => 's', count => 1, price => 100 } ],
        %$body }, port => $port, headers => { 'X-User' => $buyer, %headers });
}


sub order_event
{
    my ($order_key) = @_;
    my $of = sub { grep { $_->{type} eq 'order' && $_->{order_key} eq $order_key && $_->{state} eq 'placed' } @_ };

    $t->wait_events(sub { $of->(@_) > 0 });

    return ($of->($t->events))[0];
}

# where a token stands

is(seen(8080, '/', 'X-Share' => $token{A}), 'BIND_NEW A', 'in a header');
is(seen(8080, '/', Cookie => "share=$token{B}"), 'BIND_NEW B', 'in a cookie');
is(seen(8080, "/?scene=st%3D$token{A}%26page%3D7"), 'BIND_NEW A', 'in a scene, encoded once');
is(seen(8080, "/?scene=st%253D$token{A}"), 'ATTR_DIRECT -', 'encoded twice: no such member');
is(seen(8080, "/?scene=st%3D$token{A}%26st%3D$token{B}"), 'TOKEN_DUPLICATE_PARAM -', 'twice in a scene');
is(seen(8080, "/?scene=st%3D$token{A}&scene=st%3D$token{B}"), 'TOKEN_DUPLICATE_PARAM -', 'two scenes');
is(seen(8080, '/?scene=st%3'), 'TOKEN_MALFORMED -', 'half an encoding');

my $answer = order(8080, 'json', { from => { token => $token{B} } });
is($answer->header('x-seller'), 'B', 'in the order\'s JSON');

# a pattern on the path

is(seen(8080, '/g/g1/page'), 'BIND_NEW G', 'a group by the path');
is(seen(8080, '/g/unknown/page'), 'GROUP_UNKNOWN -', 'no such group');
is(seen(8080, '/h/g1/page'), 'ATTR_DIRECT -', 'another path');
is(seen(8085, '/?st=' . 'x' x 1000), 'TOKEN_MALFORMED -', 'a pattern that would take for ever meets its limit');
is(seen(8085, '/?st=xxxy'), 'TOKEN_MALFORMED -', '... and is no token where it does not');

# whom a platform tells, and what anybody can write

is(seen(8080, '/', 'X-Sharer' => 'openid-c'), 'BIND_NEW C', 'a sharer by the name that the platform has for him');
is(seen(8080, '/', 'X-Sharer' => 'openid-x'), 'OWNER_UNKNOWN -', 'an unknown one');
is(seen(8080, '/', 'X-Anybody' => 'openid-c'), 'LIVE_NOT_ATTESTED -', 'not attested');
is(seen(8082, '/?group=g1'), 'TOKEN_SCOPE -', 'a group that anybody could have written');
is(seen(8082, '/?state=s1'), 'TOKEN_SCOPE -', 'a channel, too');
is(seen(8082, '/', 'X-State' => 's2'), 'CHANNEL_UNKNOWN -', 'an attested channel that is not there');
is(seen(8082, '/', 'X-State' => 's1'), 'BIND_NEW A', 'one that is: its seller');
is(seen(8082, '/', 'X-State' => 'g-poster'), 'BIND_NEW G', '... or its group\'s leader');
is(seen(8080, '/', 'X-Share' => $t->token('-', '--channel', 's1')), 'BIND_NEW A', 'a channel\'s token');

$t->wait_events(sub { grep { ($_->{channel} // '') eq 's1' } @_ });
my ($scan) = grep { ($_->{channel} // '') eq 's1' } $t->events('touch');
is_deeply([ @{$scan}{qw(source field origin platform)} ], [ qw(channel message private wecom) ], 'where he was met');

order(8082, 'scanned', {}, 'X-State' => 's1');
is_deeply([ @{order_event("k$key")}{qw(seller channel field origin platform)} ], [ qw(A s1 message private wecom) ],
    'in the order, too');

# names of other tools

is(seen(8082, '/?spread=77'), 'BIND_NEW D', 'by mapping: binds');
is(seen(8082, '/?spread=78'), 'OWNER_UNKNOWN -', 'nobody has that name');
is(seen(8082, '/?by=A'), 'ATTR_OK A', 'wins, and binds nobody');
is(seen(8082, '/?serves=A'), 'BIND_NEW A', 'binds');
is(seen(8082, '/?utm_source=poster'), 'ATTR_DIRECT -', 'is reported only');

$answer = order(8082, 'reader', {});
is($answer->header('x-seller') // '', '', 'nobody yet');
$t->get('/?by=A', port => 8082, headers => { 'X-User' => 'reader' });
$t->advance(60);
is(order(8082, 'reader', {})->header('x-seller'), 'A', 'a plain touch that wins is remembered');
$t->advance(7 * 86400);
is(order(8082, 'reader', {})->header('x-seller') // '', '', '... for 7 days');

$t->wait_events(sub { grep { ($_->{name} // '') eq 'poster' } @_ });
my ($plain) = grep { ($_->{name} // '') eq 'poster' } $t->events('touch');
is_deeply([ @{$plain}{qw(source field origin platform reason)} ],
    [ qw(plain public_commerce public douyin TOKEN_SCOPE) ], 'what a plain touch says, and where the buyer was met');

# a private lead into a live room stays visible

$t->get("/?st=$token{A}", port => 8083, headers => { 'X-User' => 'led' });
$t->advance(3600);
is(order(8083, 'led', {}, 'X-Live-Room' => 'live1')->header('x-seller'), 'B', 'the live room wins');
my $event = order_event("k$key");
is_deeply([ @{$event}{qw(seller source room field origin)} ], [ qw(B live_room live1 social_media public) ],
    'public traffic');
is_deeply($event->{assist},
    { seller => 'A', source => 'share', field => 'private', origin => 'private', touched => $event->{assist}{touched} },
    'the lead was private');
is_deeply($event->{contributors}, [ { seller => 'A', source => 'share' } ], 'and its seller contributes');

# ... also where both name one seller, and where the lead names none

$t->get("/?st=$token{B}", port => 8083, headers => { 'X-User' => 'same' });
$t->advance(3600);
is(order(8083, 'same', {}, 'X-Live-Room' => 'live1')->header('x-seller'), 'B', 'host and sharer are one');
$event = order_event("k$key");
is($event->{assist}{seller}, 'B', 'his own lead');
is($event->{contributors}, undef, 'contributes nothing');
$t->cli_ok(qw(store check));

$t->get('/', port => 8083, headers => { 'X-User' => 'nobodys', 'X-Group' => 'nobody' });
$t->advance(3600);
order(8083, 'nobodys', {}, 'X-Live-Room' => 'live1');
$event = order_event("k$key");
is_deeply([ @{$event->{assist}}{qw(source group)} ], [ qw(group nobody) ], 'a group without a leader led him there');
ok(!exists $event->{assist}{seller}, 'nobody of it');

# who is on air when

for my $case ([ '2027-02-01T11:59:59Z' => 'B' ], [ '2027-02-01T12:00:00Z' => 'C' ], [ '2027-02-01T13:59:59Z' => 'C' ],
              [ '2027-02-01T14:00:00Z' => 'A' ], [ '2027-02-01T16:00:00Z' => 'B' ])
{
    my ($time, $host) = @$case;

    $t->clock(Time::Piece->strptime($time, '%Y-%m-%dT%H:%M:%SZ')->epoch);
    is(seen(8083, '/', 'X-Live-Room' => 'live1'), "BIND_NEW $host", "on air at $time");
}

for my $case ([ "start,end,host\n2027-02-01T12:00:00Z,2027-02-01T12:00:00Z,C\n", qr/:2: a shift ends after its start/ ],
              [ "start,end,host\n2027-02-01T12:00:00Z,2027-02-01T13:00:00Z,C\n2027-02-01T12:59:59Z,2027-02-01T14:00:00Z,A\n",
                qr/:3: a shift ends after its start, and begins when the one before has ended/ ],
              [ "start,end,host\ntoday,tomorrow,C\n", qr/:2: a time is written as/ ],
              [ "2027-02-01T12:00:00Z,2027-02-01T13:00:00Z,C\n", qr/:1: the first line names the columns/ ],
              [ "start,end,host\n2027-02-01T12:00:00Z,2027-02-01T13:00:00Z,Z\n", qr/no person "Z" to be the host/ ],
              [ '', qr/the first line names the columns/ ])
{
    my ($csv, $says) = @$case;
    my ($code, undef, $error) = $t->cli('room', 'schedule', 'live1', $t->write_file('wrong.csv', $csv));

    is($code, 1, 'a schedule that is none');
    like($error, $says, '... says why');
}

like($t->cli_ok(qw(channel show s1)), qr/^seller    A\ngroup     -\nfield     message\norigin    private\nplatform  wecom$/m, 'a channel');
like($t->cli_ok(qw(channel put s1 --seller A)), qr/unchanged/, 'the same again');
like(($t->cli(qw(channel put s1 --field street)))[2], qr/"street" is no field/, 'no field');

# an operator's own priority

$t->get('/', port => 8083, headers => { 'X-User' => 'own', 'X-Group' => 'g1' });
is($t->get("/?st=$token{A}", port => 8083, headers => { 'X-User' => 'own' })->header('x-seller'), 'G',
    'the group before the share');
is($t->get("/?st=$token{A}", port => 8084, headers => { 'X-User' => 'own2', 'X-Live-Room' => 'live1' })->header('x-seller'),
    'A', 'a class that is not in the order wins nothing');

order(8084, 'own2', {});
ok(!exists order_event("k$key")->{assist}, 'private all the way: no assist');

$t->cli_ok(qw(store check));
$t->stop;
$t->done_testing;
