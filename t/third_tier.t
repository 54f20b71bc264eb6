#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# A backend's own answers that have a place for a third tier: told of, and not touched.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new;

$t->clock(1_800_000_000);
$t->keys;

my $long = 'x' x 70_000;
my %answers = (
    zero => '{"data":{"third_leader":0}}',
    text => '{"data":{"third_leader":"u9"}}',
    null => '{"data":{"third_leader":null}}',
    none => '{"data":{"second_leader":"u8"}}',
    list => '{"list":[{"three_ratio":null},{"three_ratio":3}]}',
    many => '{"list":[{"three_ratio":1},{"three_ratio":3}]}',
    nobody => '{"list":[{"three_ratio":null},{}]}',
    broken => '{"data":{"third_leader":0}',
    twice => '{"data":{},"data":{"third_leader":0}}',
);

$t->write_file("answers/$_.json", $answers{$_}) for keys %answers;
$t->write_file('answers/long.json', qq({"pad":"$long",$answers{zero}));
$t->write_file('answers/zero.txt', $answers{zero});

my $backend = <<'EOC';
    server {
        listen 127.0.0.1:8081;
        root %%DIR%%/answers;
        types { application/json json; text/plain txt; }
        location /gone/ { return 404 '{"data":{"third_leader":0}}'; default_type application/json; }
        location /encoded/ { alias %%DIR%%/answers/; add_header Content-Encoding br; }
        location /pieces/ { alias %%DIR%%/answers/; ssi on; ssi_types application/json; }
    }

    server {
        listen          127.0.0.1:8080;
        commerce_shop   demo;
        commerce        enforce;
        commerce_third_tier  response:/data/third_leader response:/list/*/three_ratio;

        location / { proxy_pass http://127.0.0.1:8081; }
        location /file/ { alias %%DIR%%/answers/; types { application/json json; } }
        location /off/ { commerce off; proxy_pass http://127.0.0.1:8081/; }
        location /inner/ { commerce_third_tier response:/nothing; proxy_pass http://127.0.0.1:8081/; }
        location = /status { commerce_status; }
    }
EOC

$t->http_conf($backend)->run;

my $told = 0;

sub looked
{
    my ($uri, $pointer, $name, %o) = @_;
    my $answer = $t->get($uri, %o);
    my ($file) = $uri =~ m{(\w+)\.json$};

    is($answer->body, $answers{$file}, "$name: the answer is as it was") if $file && $answers{$file};
    $t->wait_events(sub { grep { $_->{type} eq 'visit' && $_->{uri} eq $uri } @_ }) unless $o{unseen};

    my @events = $t->events('deny');
    my @new = @events[$told .. $#events];

    $told = @events;
    is(join(' ', map { "$_->{decision} $_->{reason} $_->{detail} $_->{uri}" } @new),
       $pointer ? "would_deny TIER3_PRESENT $pointer $uri" : '', $name);

    return;
}

my ($leader, $ratio) = ('/data/third_leader', '/list/*/three_ratio');

looked('/zero.json', $leader, 'of nothing');
looked('/text.json', $leader, 'of somebody');
looked('/null.json', '', 'null is none');
looked('/none.json', '', 'none');
looked('/list.json', $ratio, 'in a list');
looked('/many.json', $ratio, 'several');
looked('/nobody.json', '', 'a list of nobody');
looked('/pieces/zero.json', $leader, 'without a length, in pieces');
looked('/gone/x', $leader, 'an error, too');
looked('/broken.json', '', 'no JSON');
looked('/twice.json', '', 'a member twice: nobody can tell');
looked('/long.json', '', 'too long');
looked('/zero.txt', '', 'no JSON by its type');
looked('/encoded/zero.json', '', 'encoded');
looked('/file/zero.json', '', 'a file of the gateway\'s own');
looked('/inner/zero.json', '', 'an inner directive replaces the outer one');
looked('/off/zero.json', '', 'off', unseen => 1);

is($t->raw("HEAD /zero.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")->status, 200, 'HEAD');
is(scalar(() = $t->events('deny')), $told, '... has no answer to look at');

my ($visit) = grep { $_->{uri} eq '/zero.json' } $t->events('visit');
is($visit->{reason}, 'TIER3_PRESENT', 'the visit says why');
is($t->get('/status')->json->{counters}{TIER3_PRESENT}, $told, 'the status counts');
is(scalar($t->log_lines(qr/\[warn\].*an answer of the backend has a third tier in "\/data\/third_leader"/)), 4, 'a warning');

for my $word ('json:/a', 'response:', 'response:a', '/a') {
    $t->conf_fails("server { listen 127.0.0.1:8080; commerce_shop demo; commerce_third_tier $word; }",
                   qr/invalid parameter "\Q$word\E" in "commerce_third_tier", allowed: pointers into the answer.* in .*test\.conf:\d+/,
                   $word);
}

$t->conf_fails('server { listen 127.0.0.1:8080; commerce_shop demo; commerce_third_tier response:/a; commerce_third_tier response:/b; }',
               qr/"commerce_third_tier" directive is duplicate/, 'twice');

$t->done_testing;
