#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# commerce_admin: records of the directory over HTTP, each change against the version that was seen, judged as an
# import judges it, in force at the next request, and told in the log.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use JSON::PP;
use Test::NgxCommerce qw(json);
use Test::NgxCommerce::Schema qw(invalid);

my $t = Test::NgxCommerce->new(shuffle => 1);

$t->clock(1_800_000_000);
$t->keys;
$t->people(<<'CSV');
id,role,upline,user,identities
rosa,koc,,u-rosa,spread:1
anna,customer,rosa,u-anna,
lina,guide,,,
CSV
$t->cli_ok(qw(group put g1 --leader rosa));

my $token = $t->token('-', '--group', 'g1');

$t->storefront(8081);

my $conf = <<'EOC';
    server {
        listen              127.0.0.1:8080;
        commerce_shop       demo;
        commerce_guard      on;
        commerce_user       $http_x_user verified;
        commerce_touch      share $arg_st;
        commerce_touch      live_room $http_x_room attested;
        set_real_ip_from    127.0.0.1;
        real_ip_header      X-Real-IP;

        location / {
            commerce        enforce;
            proxy_pass      http://127.0.0.1:8081;
        }

        location /admin/ { commerce_admin by=$remote_user; }
        location /deep/  { commerce_admin tiers=pay; }
        location /open/  { commerce_admin from=any tiers=strict; }

        location /denied/ { deny all; commerce_admin from=any; }

        location /secret/ {
            auth_basic           "admin";
            auth_basic_user_file %%DIR%%/users;
            commerce_admin       by=$remote_user;
        }
    }
EOC

my $backup = $t->dir . '/backup';

$t->cli_ok('store', 'backup', $backup);

$t->write_file('users', "ops:{PLAIN}secret\n");
chmod 0644, $t->dir . '/users';
$t->http_conf($conf)->run;

sub request
{
    my ($method, $path, %option) = @_;
    my %headers = %{delete $option{headers} || {}};

    $headers{'If-Match'} = delete $option{match} if exists $option{match};
    $headers{'If-None-Match'} = delete $option{none} if exists $option{none};

    return ($t->parallel({ method => $method, uri => $path =~ m{^/} ? $path : "/admin/$path", headers => \%headers,
                           %option }))[0];
}

sub etag { return request('GET', $_[0])->header('ETag') }

# the record as it is, changed, put back

sub change
{
    my ($path, %members) = @_;
    my $now = request('GET', $path);
    my %record = (%{$now->json}, %members);

    delete @record{grep { !defined $record{$_} } CORE::keys %record};

    return request('PUT', $path, body => \%record, match => $now->header('ETag'));
}

sub refused
{
    my ($answer, $status, $code, $errors, $name) = @_;

    is($answer->status . ' ' . $answer->code, "$status $code", $name) or diag($answer->body);
    is_deeply($answer->json->{errors}, $errors, "$name: why") if $errors;
}

# reading

my $rosa = request('GET', 'person/rosa');

is($rosa->status, 200, 'a person');
is($rosa->body, '{"kind":"person","id":"rosa","role":"koc","status":"active","user":"u-rosa","identities":["spread:1"]}',
   '... as the export has her');
like($rosa->header('ETag'), qr/^"[0-9a-f]{16}"$/, '... with a version');
is($rosa->header('Content-Type'), 'application/json', '... as JSON');

is(request('GET', 'person/rosa', none => $rosa->header('ETag'))->status, 304, 'nothing new');
is(request('HEAD', 'person/rosa')->header('ETag'), $rosa->header('ETag'), 'HEAD');

refused(request('GET', 'person/nobody'), 404, 'DIRECTORY_UNKNOWN', undef, 'nobody');
refused(request('GET', 'people/rosa'), 404, 'DIRECTORY_UNKNOWN', undef, 'no kind');
refused(request('GET', $_), 404, 'DIRECTORY_UNKNOWN', undef, "no record: $_") for '/admin/', 'person', 'person/', 'person/a%01';
refused(request('POST', 'person/rosa', body => {}), 405, 'METHOD_NOT_ALLOWED', undef, 'no other method');
is(request('POST', 'person/rosa', body => {})->header('Allow'), 'GET, HEAD, PUT, DELETE', '... and which ones there are');

# making

my $new = request('PUT', 'person/new', body => { kind => 'person', id => 'new', upline => 'lina', user => 'u-new' }, none => '*');

is($new->status, 201, 'a new person') or diag($new->body);
is($new->body, '{"kind":"person","id":"new","role":"customer","status":"active","upline":"lina","user":"u-new"}', '... answered');
is($new->header('ETag'), etag('person/new'), '... with the version that the next change needs');
refused(request('PUT', 'person/new', body => { kind => 'person', id => 'new' }, none => '*'), 412, 'DIRECTORY_CHANGED', undef,
        'there already');
refused(request('PUT', 'person/new', body => { kind => 'person', id => 'new' }), 428, 'DIRECTORY_UNCONDITIONAL', undef,
        'no condition');
refused(request('PUT', 'person/other', body => { kind => 'person', id => 'other' }, match => '*'), 412, 'DIRECTORY_CHANGED',
        undef, 'not there');

# changing, by what was seen

my $seen = etag('group/g1');
my $group = request('PUT', 'group/g1', body => { kind => 'group', id => 'g1', leader => 'anna', store => 's1' },
                    match => qq("0123456789abcdef", $seen));

is($group->status, 200, 'a change');
is($group->header('ETag'), etag('group/g1'), '... and its version');
isnt($group->header('ETag'), $seen, '... is another one');
refused(request('PUT', 'group/g1', body => { kind => 'group', id => 'g1' }, match => $seen), 412, 'DIRECTORY_CHANGED', undef,
        'a change of what is not there any more');
refused(request('PUT', 'group/g1', body => { kind => 'group', id => 'g1' }, match => $_), 412, 'DIRECTORY_CHANGED', undef,
        "no version: $_") for '', '"', 'x', substr($group->header('ETag'), 0, 10), $group->header('ETag') . 'x';

my $same = request('PUT', 'group/g1', body => { kind => 'group', id => 'g1', leader => 'anna', store => 's1' },
                   match => 'W/' . $group->header('ETag'));

is($same->status . $same->header('ETag'), '200' . $group->header('ETag'), 'no change');

# in force at the next request, without a reload

is($t->get("/?st=$token", headers => { 'X-User' => 'b1' })->json->{headers}{'x-commerce-seller'}, 'anna', 'the new leader');
is(change('group/g1', leader => 'lina')->status, 200, 'another leader');
is($t->get("/?st=$token", headers => { 'X-User' => 'b2' })->json->{headers}{'x-commerce-seller'}, 'lina', '... at once');

is(request('PUT', 'room/live1', none => '*', body => { kind => 'room', id => 'live1', host => 'rosa', schedule => [
    { start => '2027-01-15T08:00:00Z', end => '2027-01-15T09:00:00Z', host => 'new' } ] })->status, 201, 'a room');
is($t->get('/', headers => { 'X-User' => 'b3', 'X-Room' => 'live1' })->json->{headers}{'x-commerce-seller'}, 'new', '... on air');

my $left = change('person/rosa', status => 'left', successor => 'lina');

is($left->json->{since}, '2027-01-15T08:00:00Z', 'a status changes now');
is($left->header('ETag'), etag('person/rosa'), '... which the version knows');
is(change('person/rosa', status => 'active', successor => undef, since => undef)->status, 200, 'and back');

# every kind

for my $record ({ kind => 'channel', id => 'poster 1', seller => 'anna', group => 'g1', field => 'offline' },
                { kind => 'landing', id => 'autumn/1', path => '/pages/autumn' },
                { kind => 'retail_store', id => 's1', name => 'Nanjing Road', closed => JSON::PP::true })
{
    my $path = "$record->{kind}/" . ($record->{id} =~ s/ /%20/r);

    is(request('PUT', $path, body => $record, none => '*')->status, 201, "a $record->{kind}");
    is_deeply(request('GET', $path)->json, $record, '... is there');
    is(change($path, $record->{kind} eq 'channel' ? (platform => 'wecom') : $record->{kind} eq 'landing' ? (path => undef)
              : (closed => JSON::PP::false))->status, 200, '... is changed');
}

# removing

is(request('DELETE', 'landing/autumn/1', match => etag('landing/autumn/1'))->status, 200, 'a landing is removed');
refused(request('GET', 'landing/autumn/1'), 404, 'DIRECTORY_UNKNOWN', undef, '... is gone');
refused(request('DELETE', 'retail_store/s1'), 428, 'DIRECTORY_UNCONDITIONAL', undef, 'a store needs a condition');
refused(request('DELETE', 'retail_store/s1', match => '"0123456789abcdef"'), 412, 'DIRECTORY_CHANGED', undef, '... the right one');
is(request('DELETE', 'retail_store/s1', match => '*')->status, 200, '... and is removed');
refused(request('DELETE', 'retail_store/s1', match => '*'), 412, 'DIRECTORY_CHANGED', undef, 'not twice');
refused(request('DELETE', 'person/anna', match => '*'), 405, 'DIRECTORY_KEPT',
        ['a person is not removed: set "status" to "left" or "cleared"'], 'a person stays');
is(request('DELETE', 'person/anna', match => '*')->header('Allow'), 'GET, HEAD, PUT', '... and may be written');
refused(request('DELETE', 'group/g1', match => '*'), 405, 'DIRECTORY_KEPT',
        ['a group is not removed, tokens and orders name it: take its person off it'], 'a group stays');

is(request('PUT', 'landing/autumn/1', body => { kind => 'landing', id => 'autumn/1' }, none => '*')->status, 201, 'made again');
like($t->cli_ok(qw(landing show autumn/1)), qr/^number    2$/m, '... under another number');

# what is wrong

sub put { return request('PUT', "$_[0]/$_[1]", body => { kind => $_[0], id => $_[1], %{$_[2]} }, none => '*') }

refused(put('person', 'x', { upline => 'nobody', successor => 'no', user => 'u-anna', identities => ['spread:1'] }),
        422, 'DIRECTORY_REFUSED', [
    'member "upline" is "nobody", and there is no such person',
    'member "successor" is "no", and there is no such person',
    'name "u-anna" is person "anna": one name is one person',
    'name "spread:1" is person "rosa": one name is one person' ], 'a person with many faults');
refused(put('person', 'x', { successor => 'x' }), 422, 'DIRECTORY_REFUSED', [
    'member "successor" is "x", and there is no such person', 'member "successor" is the person himself' ], 'his own successor');
refused(put('group', 'x', { leader => 'nobody' }), 422, 'DIRECTORY_REFUSED',
        ['member "leader" is "nobody", and there is no such person'], 'a group of nobody');
refused(put('room', 'x', { host => 'n1', schedule => [ { start => '2027-01-15T08:00:00Z', end => '2027-01-15T09:00:00Z', host => 'n2' } ] }),
        422, 'DIRECTORY_REFUSED', ['member "host" is "n1", and there is no such person',
                                   'member "schedule/0/host" is "n2", and there is no such person'], 'a room of nobody');
refused(put('channel', 'x', { seller => 'n1', group => 'n2' }), 422, 'DIRECTORY_REFUSED',
        ['member "seller" is "n1", and there is no such person', 'member "group" is "n2", and there is no such group'],
        'a channel of nobody');
refused(put('person', 'x', { role => 'king', closed => JSON::PP::true }), 422, 'DIRECTORY_REFUSED', [
    'member "closed" is unknown; a misspelt rule must not become no rule',
    'member "role" is "king"; allowed is employee, guide, clerk, staff, customer, koc, leader, agency or dealer' ], 'members');
refused(request('PUT', 'person/x', body => { kind => 'group', id => 'y' }, none => '*'), 422, 'DIRECTORY_REFUSED',
        ['member "kind" is not the path\'s', 'member "id" is not the path\'s'], 'another record');
refused(request('PUT', 'person/x', body => '{"kind":"person","id":"x","id":"y"}', none => '*'), 422, 'DIRECTORY_REFUSED',
        undef, 'a member twice');
refused(request('PUT', 'person/x', body => '{"kind"', none => '*'), 422, 'BODY_MALFORMED', undef, 'no JSON');
refused(request('PUT', 'person/x', none => '*'), 422, 'BODY_MALFORMED', undef, 'no body');
refused(request('PUT', 'person/x', body => '[]', none => '*'), 422, 'DIRECTORY_REFUSED', undef, 'no object');
refused(request('PUT', 'person/x', body => 'a=b', type => 'application/x-www-form-urlencoded', none => '*'), 415, 'BODY_TYPE',
        undef, 'a form');
refused(request('PUT', 'person/x', body => '{' . ' ' x 70_000 . '}', none => '*'), 413, 'BODY_TOO_LARGE', undef, 'a long body');
refused(request('GET', 'person/x'), 404, 'DIRECTORY_UNKNOWN', undef, 'nothing of it is written');

# errors by the hundred: as many as fit

my $many = put('room', 'x', { schedule => [ map { { start => sprintf('2027-01-%02dT08:00:00Z', $_ % 28 + 1), end => '2026-01-01T00:00:00Z',
                                                    host => 'h' x 128 } } 1 .. 64 ] });

is($many->code, 'DIRECTORY_REFUSED', 'many errors');
cmp_ok(scalar @{$many->json->{errors}}, '>', 50, '... are told');

# trees

refused(put('person', 'x', { upline => 'anna' }), 422, 'DIRECTORY_REFUSED',
        ['member "upline" would make the person 3 deep: 2 are allowed'], 'too deep');
refused(change('person/rosa', upline => 'lina'), 422, 'DIRECTORY_REFUSED',
        ['member "upline" would make those whom the person recruited 3 deep: 2 are allowed'], 'somebody is pushed down');
refused(change('person/rosa', upline => 'anna'), 422, 'DIRECTORY_REFUSED',
        ['member "upline" leads back to the person after 2 steps'], 'a loop');
refused(change('person/rosa', upline => 'rosa'), 422, 'DIRECTORY_REFUSED',
        ['member "upline" leads back to the person after 1 step'], 'under himself');
is(change('person/anna', role => 'clerk')->status, 200, 'who is salaried is a root');
is(put('person', 'x', { upline => 'anna' })->status, 201, '... and may recruit');
refused(change('person/anna', role => 'koc'), 422, 'DIRECTORY_REFUSED',
        ['member "upline" would make those whom the person recruited 3 deep: 2 are allowed'], '... as long as he is');
is(change('person/new', upline => 'rosa')->status, 200, 'another upline');
is(request('PUT', '/deep/person/y', body => { kind => 'person', id => 'y', upline => 'new' }, none => '*')->status, 201,
   'where trees may be deep');
is(change('person/y', user => 'u-y')->status, 200, 'who is deep already may change');
refused(request('PUT', '/deep/person/rosa', body => { kind => 'person', id => 'rosa', upline => 'y' }, match => '*'), 422,
        'DIRECTORY_REFUSED', ['member "upline" leads back to the person after 3 steps'], '... but not lead back');
like($t->cli_ok(qw(people show rosa)), qr/^downlines 2$/m, 'downlines are counted');
$t->cli_ok(qw(store check));

# one of many wins

my $version = etag('person/lina');
my @answers = $t->parallel(map { { method => 'PUT', uri => '/admin/person/lina', headers => { 'If-Match' => $version },
    body => { kind => 'person', id => 'lina', role => 'guide', store => "s$_" } } } 1 .. 20);

is_deeply([sort { $a <=> $b } map { $_->status } @answers], [200, (412) x 19], 'twenty changes of one version');
is(etag('person/lina'), (grep { $_->status == 200 } @answers)[0]->header('ETag'), '... and what is there is the winner\'s');

# who may

my $body = { kind => 'landing', id => 'l9' };

refused(request('GET', 'person/rosa', headers => { 'X-Real-IP' => $_ }), 403, 'ADMIN_NOT_LOCAL', undef, "from $_")
    for '10.0.0.1', '2001:db8::1';
refused(request('PUT', 'landing/l9', body => $body, none => '*', headers => { 'X-Real-IP' => '10.0.0.1' }), 403,
        'ADMIN_NOT_LOCAL', undef, 'a change from elsewhere');
is(request('GET', 'landing/l9')->status, 404, '... is none');
is(request('GET', '/open/person/rosa', headers => { 'X-Real-IP' => '10.0.0.1' })->status, 200, 'from=any');
is(request('GET', '/denied/person/rosa')->status, 403, 'deny stands before it');
is(request('GET', '/secret/person/rosa')->status, 401, 'auth_basic does');
is(request('PUT', '/secret/landing/l9', body => $body, none => '*', headers => { Authorization => 'Basic b3BzOnNlY3JldA==' })->status,
   201, '... and lets pass');

# the log: what changed and who did it, but nobody's buyer identities

my @events = $t->wait_events(sub { grep { $_->{type} eq 'directory' && $_->{entry} eq 'l9' } @_ });
my $schema = json()->decode($t->read_file("$Test::NgxCommerce::ROOT/t/event.schema.json"));
my @told = grep { $_->{type} eq 'directory' } @events;

is_deeply([map { invalid($schema, $_) // () } @events], [], 'the log fits its schema');

my ($created) = grep { $_->{entry} eq 'new' } @told;

is_deeply([@$created{qw(kind change members record)}],
    ['person', 'created', [qw(kind id role status upline user)],
     { kind => 'person', id => 'new', role => 'customer', status => 'active', upline => 'lina' }], 'made');

my ($changed) = grep { $_->{entry} eq 'rosa' } @told;

is_deeply([@$changed{qw(change members)}], ['changed', [qw(status since successor)]], 'changed');
is_deeply((grep { $_->{entry} eq 'live1' } @told)[0]{record}, { kind => 'room', id => 'live1', host => 'rosa' }, 'a room');
is_deeply((grep { $_->{entry} eq 'live1' } @told)[0]{members}, [qw(kind id host schedule)], '... with a schedule');

my ($removed) = grep { $_->{change} eq 'removed' } @told;

is_deeply([@$removed{qw(kind entry)}, exists $removed->{record}], ['landing', 'autumn/1', !1], 'removed');
is((grep { $_->{entry} eq 'l9' } @told)[0]{by}, 'ops', 'by whom');
unlike($t->read_file('events.jsonl'), qr/u-new|u-y|spread:1/, 'no identities');
is(scalar(grep { $_->{entry} eq 'lina' } @told), 1, 'only what was written is told');

# configuration

for my $case (['location /a/ { commerce_admin on; }', qr/invalid parameter "on" in "commerce_admin", allowed: from=local\|any, tiers=strict\|pay, by=/],
              ['location /a/ { commerce_admin from=all; }', qr/invalid parameter "from=all" in "commerce_admin", allowed: from=local or from=any/],
              ['location /a/ { commerce_admin tiers=3; }', qr/invalid parameter "tiers=3" in "commerce_admin", allowed: tiers=strict or tiers=pay/],
              ['location /a/ { commerce_admin by=json:/x; }', qr/invalid source "json:\/x" in "commerce_admin", allowed here: text with \$variables/],
              ['location /a/ { commerce_admin from=any from=any; }', qr/"from=any" in "commerce_admin"/],
              ['location /a { commerce_admin; }', qr/"commerce_admin" directive needs a location that is a prefix and ends with "\/"/],
              ['location ~ ^/a/ { commerce_admin; }', qr/"commerce_admin" directive needs a location that is a prefix/],
              ['location = /a/ { commerce_admin; }', qr/"commerce_admin" directive needs a location that is a prefix/],
              ['location /a/ { commerce_admin; commerce_share; }', qr/"commerce_share" cannot share its location/])
{
    my ($location, $error) = @$case;

    $t->conf_fails("server { listen 127.0.0.1:8080; commerce_shop demo; $location }", $error, $location);
}

$t->conf_fails('server { listen 127.0.0.1:8080; location /a/ { commerce_admin; } }', qr/"commerce_admin" requires a shop/, 'no shop');

# whoever goes back to a backup is told what its log cannot bring again

$t->stop;
my ($again) = $t->cli_ok('store', 'restore', $backup, '--replay', $t->dir . '/events.jsonl')
    =~ /^not made again: (\d+) changes of the directory through commerce_admin: import it$/m;
is($again, scalar @told, 'a restore counts them');

$t->done_testing;
