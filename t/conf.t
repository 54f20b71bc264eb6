#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# What nginx -t says: every mistake is named with its directive, the word, what is allowed, file and line; and
# nothing is made or changed by asking.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new(shuffle => 1);
my $dir = $t->dir;

$t->keys;


# %part: text of http, server and location; the line that ends in "# here" is to be named

sub configuration
{
    my (%part) = @_;
    my $commerce = $part{commerce} // '%%COMMERCE%%';
    my $shop = $part{shop} // 'commerce_shop demo;';
    my ($http, $server, $location) = map { $_ // '' } @part{qw(http server location)};

    return <<"CONF";
%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%
    $commerce

    $http

    server {
        listen 127.0.0.1:8080;
        $shop

        $server

        location / {
            $location
        }
    }
}
CONF
}


sub accepted
{
    my ($name, %part) = @_;
    my ($code, $output) = $t->nginx_test(configuration(%part));

    is($code, 0, "accepted: $name") or diag $output;
}


sub refused
{
    my ($name, $say, %part) = @_;
    my ($code, $output) = $t->nginx_test(configuration(%part));
    my @lines = split /\n/, $t->read_file('test.conf');
    my ($line) = grep { $lines[$_ - 1] =~ /# here/ } 1 .. @lines;
    my ($emerg) = $output =~ /\[emerg\] (?:\d+#\d+: )?(.*)/;

    $emerg //= $output;

    isnt($code, 0, "refused: $name") or diag $output;

    for my $word (ref $say eq 'ARRAY' ? @$say : $say) {
        ok(index($emerg, $word) >= 0, "$name: says $word") or diag $emerg;
    }

    like($emerg, qr/ in \Q$dir\E\/test\.conf:$line$/, "$name: says where") if $line;

    return $emerg;
}


# Wrong words.  Where, the directive (its first word is to be named, too), the wrong word, what is allowed.

my $order = 'commerce_order key=$arg_k;';
my $lines = 'commerce_order key=$arg_k lines=json:/items;';

my @wrong = (
    [ http => 'commerce_store redis:/x', 'redis:/x', 'lmdb:/path' ],
    [ http => 'commerce_store lmdb:', 'lmdb:', 'lmdb:/path' ],
    (map { [ http => "commerce_store lmdb:$dir/store $_->[0]", @$_ ] }
        [ 'deadline=x', '500ms or 2s' ], [ 'deadline=0', '500ms or 2s' ], [ 'sweep=soon', '500ms or 2s' ],
        [ 'batch=0', 'batch=1..4096' ], [ 'batch=4097', 'batch=1..4096' ], [ 'batch=-1', 'batch=1..4096' ],
        [ 'queue=0', 'queue=1..1000000' ], [ 'queue=1000001', 'queue=1..1000000' ],
        [ 'map=1k', 'map=1m or more' ], [ 'map=huge', 'map=1m or more' ],
        [ 'threads=', 'threads=' ], [ 'dedline=1s', 'deadline=, batch=, queue=, threads=, map=, sweep=' ]),
    (map { [ http => "commerce_event_log $dir/events.jsonl $_->[0]", @$_ ] }
        [ 'flush=x', '500ms or 2s' ], [ 'flush=0', '500ms or 2s' ], [ 'buffer=1k', '8k to 16m' ],
        [ 'buffer=17m', '8k to 16m' ], [ 'buffer=x', '8k to 16m' ], [ 'gzip=9', 'flush=time, buffer=size' ]),
    [ http => 'commerce_node ' . 'n' x 65, 'n' x 65, '1 to 64 characters' ],
    [ http => 'commerce on', 'on', 'off, observe, enforce' ],
    [ location => 'commerce Enforce', 'Enforce', 'off, observe, enforce' ],
    [ shop => 'commerce_shop Demo', 'Demo', 'a-z, 0-9' ],
    [ shop => 'commerce_shop ' . 's' x 33, 's' x 33, '1 to 32' ],
    [ server => 'commerce_user $http_x strong', 'strong', 'verified, claimed' ],
    [ server => 'commerce_user json:/user verified', 'json:/user', 'text with $variables' ],
    [ server => 'commerce_guard yes', 'yes', 'on, off' ],

    (map { [ location => "commerce_order key=\$arg_k $_->[0]", @$_ ] }
        [ 'lines=items', 'lines=json:/p' ], [ 'lines=json:items', 'JSON pointer' ],
        [ 'id=json:/id', 'id=response:/p' ], [ 'id=response:', 'JSON pointer' ],
        [ 'payable=response:pay', 'JSON pointer' ], [ 'freight=/f', 'freight=response:/p' ],
        [ 'unit=cent', 'unit=fen|yuan' ], [ 'in_flight=0', 'in_flight=time' ],
        [ 'in_flight=x', 'in_flight=time' ], [ 'body=1', 'body=size (1k to 1m)' ],
        [ 'body=2m', 'body=size (1k to 1m)' ], [ 'colour=red', 'key=, lines=json:/p' ]),
    [ location => 'commerce_order key=response:/k', 'response:/k', 'text with $variables json:/pointer' ],
    [ location => 'commerce_order key=json:k', 'json:k', '/member/0/member' ],

    (map { [ location => "$lines commerce_order_line $_->[0]", @{$_}[1, 2] ] }
        [ 'id=sku', 'id=sku', 'JSON pointer' ], [ 'id=/sku qty=', 'qty=', 'JSON pointer' ],
        [ 'id=/sku colour=/c', 'colour=/c', 'id=/p, qty=/p, price=/p, amount=/p or category=/p' ]),
    (map { [ location => "$order commerce_order_success $_->[0]", @$_ ] }
        [ 'status=99', 'status=200..299' ], [ 'status=302', 'status=200..299' ], [ 'status=ok', 'status=200..299' ],
        [ 'json=/code', 'json=/pointer:word' ], [ 'json=code:0', 'json=/pointer:word' ],
        [ 'body=ok', 'status=200..299, json=/pointer:word' ]),
    (map { my $d = $_; map { [ location => "$d $_->[0]", @$_ ] }
        [ 'number=$arg_n', 'id=, or key= with user=' ] } qw(commerce_order_confirm commerce_order_cancel)),
    [ location => 'commerce_order_confirm id=response:/id', 'response:/id', 'json:/pointer' ],

    [ server => 'commerce_touch link $arg_st', 'link', 'share, live_room, sharer, group, channel, plain' ],
    [ server => 'commerce_touch group $uri pattern=(a', 'pattern=(a', 'missing closing parenthesis at offset 2' ],
    [ server => 'commerce_touch group $uri field=street', 'field=street',
        'field=offline|public_commerce|social_media|private|message' ],
    [ server => 'commerce_touch group $uri origin=mine', 'origin=mine', 'origin=public|private' ],
    [ server => 'commerce_touch group $uri wins', 'wins', 'attested, lookback=time, decode, member=name' ],
    [ server => 'commerce_touch plain $arg_a attested', 'attested', 'wins, binds, as=prefix' ],
    [ server => 'commerce_touch share $arg_a as=x', 'as=x', 'lookback=time, decode, member=name' ],
    [ server => 'commerce_touch share $arg_st attested', 'attested', 'lookback=time' ],
    [ server => 'commerce_touch live_room $http_r atested', 'atested', 'attested, lookback=time' ],
    [ server => 'commerce_touch share $arg_st lookback=x', 'lookback=x', 'lookback=time' ],
    [ server => 'commerce_touch share $arg_st lookback=0', 'lookback=0', 'lookback=time' ],
    [ server => 'commerce_touch share response:/st', 'response:/st', 'text with $variables json:/pointer' ],
    (map { [ server => "commerce_binding $_", $_,
            'validity=time|forever, protect=time|0|forever, order_extend=time|0, renew=on|off, new_only=on|off, '
            . 'self_purchase=house|upline|self, transfer=house|leaver, transfer_wait=time|0, frozen_grace=time|0|forever' ] }
        qw(validity=0 validity=x validity=-1 protect=x renew=maybe self_purchase=me valid=30d forever)),
    [ server => 'commerce_priority first', 'first', 'protect_first, touch_first, live_first, or classes in order: protected' ],
    [ server => 'commerce_priority share group shares', 'shares', 'classes in order: protected' ],
    [ server => 'commerce_mini_program app=wx1', 'app=wx1', 'appid=id, scene=$variable, crawler_token=FILE' ],
    [ server => 'commerce_mini_program appid=', 'appid=', 'appid=id, scene=$variable' ],
    [ server => 'commerce_mini_program scene=json:/s', 'json:/s', 'text with $variables' ],
    (map { [ location => "commerce_share $_->[0]", @$_ ] }
        [ 'validity=0', 'validity=time (up to 20y)|forever' ], [ 'validity=x', 'validity=time (up to 20y)|forever' ],
        [ 'validity=21y', 'validity=time (up to 20y)|forever' ],
        [ 'shop=x', 'group=, room=, reward=, validity=time (up to 20y)|forever' ]),
    [ server => "commerce_mini_program crawler_token=$dir/none", "$dir/none", 'cannot be opened' ],

    [ server => 'commerce_conduct click_flood', 'click_flood', 'share_incentive, recruit_velocity, bind_velocity' ],
    [ server => 'commerce_conduct TOUCH_FLOOD', 'TOUCH_FLOOD', 'share_incentive, recruit_velocity, bind_velocity' ],
    [ server => 'commerce_conduct deny', 'deny', 'after them observe, deny or off' ],
    [ server => 'commerce_conduct crawler refuse', 'refuse', 'after them observe, deny or off' ],
    (map { [ server => "commerce_conduct touch_flood $_", $_, 'a rate such as 600/1m (1..1000000 in 1s..1d), or off' ] }
        qw(rate=600 rate=0/1m rate=1000001/1m rate=1/0 rate=1/2d rate=x/1m)),
    (map { [ server => "commerce_conduct touch_flood $_", $_, 'a rate such as 10/1m (1..16 touches' ] }
        qw(buyer=17/1m buyer=0/1m)),
    (map { [ server => "commerce_conduct recruit_velocity $_", $_, 'total=1..1000000 or total=off' ] }
        qw(total=0 total=-1 total=x total=oops total=1000001)),
    [ server => 'commerce_conduct late_touch rate=1/1m', 'rate=1/1m', 'recruit_velocity, bind_velocity, touch_flood' ],
    [ server => 'commerce_conduct touch_flood bind_velocity rate=1/1m', 'rate=1/1m', 'alone' ],
    [ server => 'commerce_conduct bind_velocity buyer=1/1m', 'buyer=1/1m', 'behind touch_flood alone' ],
    [ server => 'commerce_conduct bind_velocity total=1', 'total=1', 'behind recruit_velocity alone' ],
    [ server => 'commerce_conduct zone=4m', 'zone=4m', 'once, in http' ],
    [ http => 'commerce_conduct zone=4k', 'zone=4k', 'zone=64k..16g' ],

    [ server => 'commerce_tiers loose', 'loose', 'strict, pay' ],
    (map { [ server => "commerce_tiers $_", 'max=3', 'max=1, max=2 (more than two tiers are against the law)' ] }
        'strict max=3', 'pay max=3'),
    [ server => 'commerce_tiers pay max=0', 'max=0', 'max=1, max=2' ],
    [ location => 'commerce_join token=$arg_st name=x', 'name=x', 'token=, id=, fee=' ],
    [ location => 'commerce_join token=response:/t', 'response:/t', 'json:/pointer' ],

    (map { [ location => "$order commerce_coupon_code json:/c $_", $_, 'max=1..8' ] }
        qw(max=0 max=9 max=x min=1)),
    [ location => "$order commerce_coupon_code response:/c", 'response:/c', 'json:/pointer' ],
    (map { [ location => "$order commerce_coupon_redeem $_->[0]", @{$_}[1, 2] ] }
        [ 'on=delivery', 'on=delivery', 'on=order|paid' ], [ 'on=paid deadline=0', 'deadline=0', '16m' ],
        [ 'on=paid deadline=x', 'deadline=x', '16m' ], [ 'on=paid unpaid=keep', 'unpaid=keep', 'release, hold' ],
        [ 'on=paid in_doubt=x', 'in_doubt=x', 'release, hold' ]),
    [ location => 'commerce_status everyone', 'everyone', 'public' ],
);

my %bare = (
    commerce_store     => "commerce_keys $dir/keys.json; commerce_event_log $dir/events.jsonl;",
    commerce_event_log => "commerce_store lmdb:$dir/store; commerce_keys $dir/keys.json;",
    commerce_node      => "commerce_store lmdb:$dir/store; commerce_keys $dir/keys.json;"
                          . " commerce_event_log $dir/events.jsonl;",
);

for my $wrong (@wrong) {
    my ($where, $text, $word, $allowed) = @$wrong;
    my ($directive) = $text =~ /^(?:.*; )?(\w+)/;

    refused($text =~ s/^.*; //r, [ qq{"$word"}, qq{"$directive"}, $allowed ], $where => "$text; # here",
        $bare{$directive} ? (commerce => $bare{$directive}) : ())
        if $word !~ /^json:k$|^id=response:$/ && $allowed !~ /JSON pointer|\/member/;

    refused($text =~ s/^.*; //r, [ $word =~ s/^\w+=(?=response|json)//r, $allowed ], $where => "$text; # here")
        if $allowed =~ /JSON pointer|\/member/;
}

# the number of words is nginx's own affair, but it is checked

for my $few (
    [ http => 'commerce_store' ], [ http => 'commerce_keys' ], [ http => 'commerce_keys a b' ],
    [ http => 'commerce_event_log' ], [ http => 'commerce_node' ], [ http => 'commerce_clock' ],
    [ http => 'commerce' ], [ http => 'commerce off off' ], [ shop => 'commerce_shop' ],
    [ shop => 'commerce_shop a b' ], [ server => 'commerce_user' ], [ server => 'commerce_user a b c' ],
    [ server => 'commerce_guard' ], [ location => 'commerce_order' ], [ location => 'commerce_order_line' ],
    [ location => 'commerce_order_success' ], [ location => 'commerce_order_confirm' ],
    [ location => 'commerce_order_cancel' ], [ server => 'commerce_touch share' ],
    [ server => 'commerce_binding' ],
    [ server => 'commerce_priority' ], [ server => 'commerce_tiers' ],
    [ server => 'commerce_tiers a b c' ], [ location => 'commerce_join' ],
    [ location => 'commerce_coupon_code' ], [ location => 'commerce_coupon_redeem' ],
    [ location => 'commerce_status public public' ])
{
    my ($where, $text) = @$few;
    my ($directive) = $text =~ /(\w+)/;

    refused("$text, words", "invalid number of arguments in \"$directive\" directive", $where => "$text; # here");
}

# the wrong place

for my $place (
    [ server => 'commerce_store lmdb:/x' ], [ server => 'commerce_keys x' ], [ location => 'commerce_event_log x' ],
    [ server => 'commerce_node x' ], [ http => 'commerce_shop x' ], [ location => 'commerce_shop x' ],
    [ http => 'commerce_guard on' ], [ server => 'commerce_order key=$arg_k' ],
    [ server => 'commerce_coupon_code $arg_c' ], [ server => 'commerce_share' ], [ server => 'commerce_join token=x' ],
    [ http => 'commerce_status' ])
{
    my ($where, $text) = @$place;
    my ($directive) = $text =~ /(\w+)/;

    refused("$text in $where", "\"$directive\" directive is not allowed here", $where => "$text; # here");
}

# twice

for my $twice (
    [ http => "commerce_store lmdb:$dir/store" ], [ http => "commerce_keys $dir/keys.json" ],
    [ http => "commerce_event_log $dir/events.jsonl" ], [ http => 'commerce_node other' ],
    [ http => "commerce_clock $dir/c; commerce_clock $dir/c" ], [ http => 'commerce off; commerce off' ],
    [ shop => 'commerce_shop demo; commerce_shop demo' ],
    [ server => 'commerce_user $http_x; commerce_user $http_y' ], [ server => 'commerce_guard on; commerce_guard on' ],
    [ location => "$order commerce_order key=\$arg_l" ],
    [ location => "$lines commerce_order_line id=/a; commerce_order_line id=/b" ],
    [ location => "$order commerce_order_success status=200; commerce_order_success status=201" ],
    [ server => 'commerce_binding validity=30d; commerce_binding renew=off' ],
    [ server => 'commerce_priority live_first; commerce_priority live_first' ],
    [ server => 'commerce_mini_program; commerce_mini_program' ],
    [ server => 'commerce_tiers pay; commerce_tiers pay' ],
    [ location => "$order commerce_coupon_code \$arg_a; commerce_coupon_code \$arg_b" ],
    [ location => "$order commerce_coupon_redeem on=paid; commerce_coupon_redeem on=paid" ],
    [ location => 'commerce_status; commerce_status' ])
{
    my ($where, $text) = @$twice;
    my ($directive) = $text =~ /(\w+)[^;]*$/;

    refused("$directive twice", "\"$directive\" directive is duplicate", $where => "$text; # here");
}

refused('a flag twice', [ 'commerce_conduct', 'has the same flag twice' ],
    server => 'commerce_conduct crawler deny; commerce_conduct touch_flood crawler; # here');

for my $twice (qw(share join), 'order_confirm') {
    my %words = (share => '', join => 'token=$arg_t', order_confirm => 'id=$arg_i');

    refused("commerce_$twice beside another", [ "\"commerce_$twice\"", 'cannot share its location' ],
        location => "commerce_order_cancel id=\$arg_i;\ncommerce_$twice $words{$twice}; # here");
}

# what belongs together

refused('an order without a key', [ '"commerce_order"', 'needs key=', 'key=json:/client_key' ],
    location => 'commerce_order unit=fen; # here');
refused('lines without their members', [ '"commerce_order"', 'lines=', '"commerce_order_line id=/pointer ..."' ],
    location => "$lines # here");
refused('a line without an id', [ '"commerce_order_line"', 'needs id=/pointer' ],
    location => "$lines commerce_order_line price=/p; # here");
refused('a price and an amount', [ '"commerce_order_line"', 'price=', 'amount=', 'not both' ],
    location => "$lines commerce_order_line id=/i price=/p amount=/a; # here");
refused('a line without an order', [ '"commerce_order_line"', 'require "commerce_order"' ],
    location => 'commerce_order_line id=/i; # here');
refused('a success without an order', [ '"commerce_order_success"', 'require "commerce_order"' ],
    location => 'commerce_order_success status=200; # here');
refused('a coupon without an order', [ '"commerce_coupon_code"', 'requires "commerce_order"' ],
    location => 'commerce_coupon_code $arg_c; # here');
refused('a redemption without an order', [ '"commerce_coupon_redeem"', 'requires "commerce_order"' ],
    location => 'commerce_coupon_redeem on=paid; # here');
refused('a redemption of nothing', [ '"commerce_coupon_redeem"', 'needs on=order or on=paid' ],
    location => "$order commerce_coupon_redeem deadline=1m; # here");
refused('a notice without an order\'s name', [ '"commerce_order_confirm"', 'needs either id= or key=' ],
    location => 'commerce_order_confirm user=$arg_u; # here');
refused('a notice with two', [ '"commerce_order_cancel"', 'needs either id= or key=' ],
    location => 'commerce_order_cancel id=$arg_i key=$arg_k; # here');
refused('a join without a token', [ '"commerce_join"', 'needs token=', 'token=$arg_st' ],
    location => 'commerce_join id=$arg_i; # here');
refused('protection beyond validity', [ '"commerce_binding"', 'protect= must not be above validity=' ],
    server => 'commerce_binding validity=10d protect=11d; # here');
refused('the default protection beyond validity', [ '"commerce_binding"', 'default 15d' ],
    server => 'commerce_binding validity=10d; # here');
refused('permanent protection of what ends', [ '"commerce_binding"', 'protect=' ],
    server => 'commerce_binding validity=10d protect=forever; # here');
refused('nine touches', [ '"commerce_touch"', 'more than 8 times' ],
    server => join('', map { "commerce_touch share \$arg_$_;\n" } 1 .. 8) . 'commerce_touch plain $arg_z; # here');
refused('a thread pool that is none', [ 'unknown thread pool "nosuch"' ],
    commerce => "commerce_store lmdb:$dir/store threads=nosuch; $bare{commerce_store}");

# what a shop cannot do without

my %need = (store => "commerce_store lmdb:$dir/store;", keys => "commerce_keys $dir/keys.json;",
    event_log => "commerce_event_log $dir/events.jsonl;");

for my $missing (sort CORE::keys %need) {
    refused("no $missing", [ '"commerce_shop"', "add \"commerce_$missing ", 'to http' ],
        commerce => join(' ', map { $need{$_} } grep { $_ ne $missing } CORE::keys %need),
        shop => 'commerce_shop demo; # here');
}

for my $alone ([ location => $order, 'commerce_order' ], [ location => 'commerce_share;', 'commerce_share' ],
    [ location => 'commerce_order_cancel id=$arg_i;', 'commerce_order_cancel' ],
    [ server => 'commerce_guard on;', 'commerce_guard' ])
{
    my ($where, $text, $directive) = @$alone;

    refused("$directive without a shop", [ "\"$directive\"", 'no "commerce_shop"' ], shop => '',
        $where => "$text # here");
}

# keys

my $secret = $t->read_file('keys.json');

for my $keys (
    [ 'absent', undef, 0600, 'No such file' ],
    [ 'readable by others', $secret, 0644, '0644' ],
    [ 'readable by the group', $secret, 0640, '0640' ],
    [ 'empty', '', 0600, '' ],
    [ 'garbage', "\0\xff{", 0600, '' ],
    [ 'half', substr($secret, 0, length($secret) / 2), 0600, '' ],
    [ 'another JSON', '{"a":1}', 0600, '' ],
    [ 'an array', '[]', 0600, '' ],
    [ 'very large', ' ' x 2_000_000, 0600, '' ])
{
    my ($name, $content, $mode, $say) = @$keys;
    my $path = "$dir/bad.json";

    unlink $path;

    if (defined $content) {
        $t->write_file($path, $content);
        chmod $mode, $path;
    }

    my $said = refused("keys $name", [ '"commerce_keys"', $path, $say, 'keys init' ],
        commerce => "$need{store} $need{event_log}\n    commerce_keys bad.json; # here");

    unlike($said, qr/secret/, "keys $name: not shown") if length($content // '') > 100;
}

my ($code, $output) = $t->nginx_test(configuration(commerce => "$need{store} $need{event_log} commerce_keys .;"));
isnt($code, 0, 'keys that are a directory');
like($output, qr/"commerce_keys"/, 'are named');

# a feature without the core

for my $feature (qw(attribution distribution coupon status)) {
    my $module = "ngx_http_commerce_${feature}_module";
    my $globals = "load_module %%MODULES%%/$module.so;\npid %%DIR%%/nginx.pid;\nerror_log %%DIR%%/error.log;";
    my $lone = configuration(commerce => '', shop => '') =~ s/%%TEST_GLOBALS%%/$globals/r;

    ($code, $output) = $t->nginx_test($lone);
    isnt($code, 0, "$feature alone");
    like($output, qr/\[emerg\].*"$module" requires ngx_commerce_module, add "load_module .*" in .*test\.conf:\d+/,
        "$feature alone: says what to do");
}

# what is right

accepted('everything', http => "commerce_priority live_first;\ncommerce_tiers strict;", server => <<'EOC',
    commerce_user $http_x_user verified;
    commerce_touch share $arg_st lookback=14d;
    commerce_touch live_room $http_x_live_room attested lookback=24h;
    commerce_touch plain $arg_utm_source;
    commerce_binding validity=forever protect=forever renew=off self_purchase=upline;
    commerce_mini_program appid=wx0123456789abcdef appid=wxfedcba9876543210 scene=$arg_scene;
    commerce_guard on;
    commerce_tiers pay max=1;
    location /order {
        commerce enforce;
        commerce_order key=json:/k lines=json:/items id=response:/id payable=response:/pay freight=response:/f
                       unit=yuan in_flight=75s body=128k;
        commerce_order_line id=/sku qty=/n amount=/a;
        commerce_order_success status=201 json=/code:0;
        commerce_coupon_code json:/coupons max=8;
        commerce_coupon_redeem on=paid deadline=16m unpaid=hold in_doubt=release;
    }
    location /confirm { commerce_order_confirm key=json:/k user=$arg_u; }
    location /cancel { commerce_order_cancel id=$arg_id; }
    location /share { commerce_share group=$arg_g room=json:/room validity=forever; }
    location /share/long { commerce_share validity=20y; }
    location /join { commerce_join token=json:/t id=$arg_id; }
    location /status { commerce_status public; }
EOC
    commerce => "commerce_store lmdb:$dir/store deadline=2s batch=512 queue=8192 threads=default map=1g sweep=1s;"
        . " commerce_keys keys.json; commerce_event_log events.jsonl flush=1s buffer=64k; commerce_node n;");
accepted('a redemption inside if', location => "$order commerce_coupon_code \$arg_c; commerce_coupon_redeem on=order;"
    . ' if ($arg_x) { set $y 1; }');
accepted('nothing', commerce => '', shop => '');
accepted('no shop', shop => '');
accepted('"commerce" outside of shops', http => 'commerce enforce;', shop => '');
accepted('a short validity with its own protection', server => 'commerce_binding validity=10d protect=0;');

# nginx -t makes nothing; the log file is nginx's own to open

sub listing
{
    return join "\n", map { my @stat = lstat; "$_ $stat[2] $stat[7] $stat[9]" }
        sort glob("$dir/store $dir/store/* $dir/events.jsonl $dir/keys.json");
}

rmdir "$dir/store" or die "rmdir: $!";
unlink "$dir/events.jsonl";
accepted('a store that is not there yet');
ok(!-e "$dir/store", 'and is not there afterwards');
is(-s "$dir/events.jsonl" // 0, 0, 'the event log is empty');

$t->people("id,role,status,upline,user\nA,guide,active,,u-a\n") if mkdir "$dir/store";
$t->write_file('events.jsonl', "{\"torn\":");
my $before = listing();
accepted('a store that is there');
is(listing(), $before, 'is untouched, as is a torn log');

$t->write_file('events.jsonl', '');
$t->http_conf('server { listen 127.0.0.1:8080; commerce_shop demo; commerce observe; }')->run;
$t->get('/');
$t->wait_events('visit', 1);

# ... where the workers may write meanwhile

my @names = glob "$dir/store/*";
my $log = $t->read_file('events.jsonl');

accepted('while serving');
is_deeply([ glob "$dir/store/*" ], \@names, 'no file more or less');
is(substr($t->read_file('events.jsonl'), 0, length $log), $log, 'the log has kept what it had');

# a mistake at reload leaves the old configuration serving

$t->http_conf("server { listen 127.0.0.1:8080; commerce_shop demo; commerce_tiers strict max=3; }");
$t->expect_log(qr/max=3/);
kill HUP => $t->master;
ok($t->wait_for(sub { $t->log_lines(qr/max=3/) }), 'a reload with a mistake is refused');
is($t->get('/')->status, 404, 'and changes nothing');

$t->done_testing;
