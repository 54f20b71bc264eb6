#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Signed notices: the worked example of the core's README, forms and JSON, every byte that a signature covers,
# rotation of keys, clocks, and files that are no key files.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);

use lib 't/lib';
use Test::More;
use Test::NgxCommerce;

my $t = Test::NgxCommerce->new;
my $T0 = 1_800_000_000;
my $readme = $t->read_file("$Test::NgxCommerce::ROOT/modules/core/README.md");

$t->clock($T0);
$t->keys;

my $old = unpack 'H*', join '', map { chr } 0 .. 31;
my $new = 'ab' x 64;

sub key_file
{
    my ($name, $text, $mode) = @_;
    my $file = $t->write_file($name, $text);

    chmod $mode // 0600, $file or die "chmod: $!\n";

    return $file;
}

key_file('old.keys', "# the first one\n$old\n");
key_file('both.keys', "$new\n$old\n");
key_file('new.keys', "$new\n");

my $conf = sub {
    my ($keys) = @_;

    return <<"EOC";
    server {
        listen          127.0.0.1:8080;
        commerce_shop   demo;
        commerce        enforce;
        commerce_notice_key %%DIR%%/$keys;

        location = /paid {
            commerce_order_confirm payment=form:out_trade_no transaction=form:trade_no amount=form:total_amount unit=yuan;
        }

        location = /cancel { commerce_order_cancel payment=form:out_trade_no; }
        location = /json { commerce_order_confirm payment=json:/pay transaction=json:/trade; }
        location = /query { commerce_order_cancel id=\$arg_id; }

        location = /named {
            commerce_notice_key %%DIR%%/$keys sign=signature timestamp=time skew=1h;
            commerce_order_settle payment=form:pay;
        }

        location = /open { commerce_notice_key off; commerce_order_settle payment=form:pay; }
    }

    server {
        listen          127.0.0.1:8082;
        commerce_shop   other;
        commerce        enforce;
        commerce_notice_key %%DIR%%/$keys;
        location = /cancel { commerce_order_cancel payment=form:out_trade_no; }
    }
EOC
};

$t->http_conf($conf->('old.keys'))->run;

my $type = 'application/x-www-form-urlencoded';

sub answer
{
    my ($got) = @_;
    my $json = $got->json || {};

    return join ' ', $got->status, $json->{code} // $json->{reason} // '';
}

sub signed
{
    my ($uri, $notice, $key, $field, %o) = @_;
    my %field = (timestamp => $T0, %$field);
    my ($path, $query) = split /\?/, $uri, 2;

    my $pairs = join '&', map { my ($n, $v) = ($_, $field{$_});
                                s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ge for $n, $v; "$n=$v" } sort keys %field;
    my $sign = hmac_sha256_hex(join("\n", $o{shop} // 'demo', $notice, $query // '', $field{timestamp}, $pairs),
                               pack 'H*', $key);

    return answer($t->post($uri, "$pairs&sign=" . ($o{upper} ? uc $sign : $sign), type => $type, port => $o{port} // 8080));
}

my %pay = (out_trade_no => 'P 1', trade_no => 'T1', total_amount => '88.80');


# the example, byte for byte

my ($key, $body, $text, $signature) = $readme =~
    /With the key `([0-9a-f]{64})` and the form\n\n {4}(\S+)\n.*?is signed:\n\n((?: {4}.*\n|\n)+)\nand the signature is\n\n {4}([0-9a-f]{64})\n/s;

$text = join "\n", map { s/^ {4}//r } split /\n/, $text;
is($key, $old, 'the example\'s key');
is(hmac_sha256_hex($text, pack 'H*', $key), $signature, 'its signature is that of its text');
is(answer($t->post('/paid', "$body&sign=$signature", type => $type)), '202 ORDER_UNKNOWN', 'and the gateway takes it');
is(answer($t->post('/paid', "sign=$signature&" . join('&', reverse split /&/, $body), type => $type)),
   '202 ORDER_UNKNOWN', 'in any order');
is(answer($t->post('/paid', "$body&sign=$signature" =~ s/P\+1/%50%201/r, type => $type)), '202 ORDER_UNKNOWN',
   'in any spelling');


# whatever is changed, it is another notice

is(signed('/paid', 'confirm', $old, { %pay }), '202 ORDER_UNKNOWN', 'signed');
is(signed('/paid', 'confirm', $old, { %pay }, upper => 1), '202 ORDER_UNKNOWN', 'in capitals');
is(signed('/paid', 'confirm', $old, { %pay, more => '1&2=3' }), '202 ORDER_UNKNOWN', 'with more fields');

for my $case ([ 'another amount', "$body&sign=$signature" =~ s/88\.80/88.81/r ],
              [ 'a field more', "$body&sign=$signature&a=1" ],
              [ 'a field less', "$body&sign=$signature" =~ s/trade_no=T1&//r ],
              [ 'another time', "$body&sign=$signature" =~ s/1800000000/1800000001/r ],
              [ 'no signature', $body ], [ 'an empty one', "$body&sign=" ],
              [ 'a short one', "$body&sign=" . substr $signature, 1 ],
              [ 'no hex', "$body&sign=" . 'x' x 64 ], [ 'no body', '' ])
{
    is(answer($t->post('/paid', $case->[1], type => $type)), '401 NOTICE_BAD_SIGNATURE', $case->[0]);
}

is(answer($t->post('/paid?x=1', "$body&sign=$signature", type => $type)), '401 NOTICE_BAD_SIGNATURE', 'a query more');
is(answer($t->post('/paid', "$body&sign=$signature&sign=$signature", type => $type)), '422 BODY_DUPLICATE_MEMBER',
   'a signature twice');
is(answer($t->post('/cancel', "$body&sign=$signature", type => $type)), '401 NOTICE_BAD_SIGNATURE', 'as another notice');
is(signed('/cancel', 'cancel', $old, { %pay }), '202 ORDER_UNKNOWN', 'a cancellation has its own');
is(signed('/cancel', 'cancel', $old, { %pay }, port => 8082), '401 NOTICE_BAD_SIGNATURE', 'in another shop');
is(signed('/cancel', 'cancel', $old, { %pay }, port => 8082, shop => 'other'), '202 ORDER_UNKNOWN', 'which has its own');
is(signed('/paid', 'confirm', $new, { %pay }), '401 NOTICE_BAD_SIGNATURE', 'by another key');


# the clock, to the second

for my $case ([ 300, '202 ORDER_UNKNOWN' ], [ -300, '202 ORDER_UNKNOWN' ], [ 301, '401 CLOCK_SKEW' ], [ -301, '401 CLOCK_SKEW' ]) {
    is(signed('/paid', 'confirm', $old, { %pay, timestamp => $T0 + $case->[0] }), $case->[1], "$case->[0] s from our clock");
}

is(signed('/paid', 'confirm', $old, { %pay, timestamp => $_ }), '401 CLOCK_SKEW', "no time: $_")
    for '', 'now', '-1', '1e9', '99999999999999999999';


# other bodies: headers

sub raw
{
    my ($uri, $notice, $body, $time, %o) = @_;
    my ($path, $query) = split /\?/, $uri, 2;
    my $sign = hmac_sha256_hex(join("\n", 'demo', $notice, $query // '', $time, $body), pack 'H*', $old);

    return answer($t->post($o{uri} // $uri, $o{body} // $body, type => 'application/json',
                           headers => [ 'Notice-Signature', $sign, 'Notice-Timestamp', $o{time} // $time, @{$o{more} || []} ]));
}

my $json = '{"pay":"J1", "trade":"J2"}';

is(raw('/json', 'confirm', $json, $T0), '202 ORDER_UNKNOWN', 'JSON');
is(raw('/json', 'confirm', $json, $T0, body => '{"pay":"J1","trade":"J2"}'), '401 NOTICE_BAD_SIGNATURE', 'JSON, other bytes');
is(raw('/json', 'confirm', $json, $T0, time => $T0 + 1), '401 NOTICE_BAD_SIGNATURE', 'JSON, another time');
is(raw('/json', 'confirm', $json, $T0 - 301), '401 CLOCK_SKEW', 'JSON, too old');
is(raw('/json', 'confirm', $json, $T0, more => [ 'Notice-Signature', 'x' ]), '401 NOTICE_BAD_SIGNATURE', 'a second header');
is(answer($t->post('/json', { pay => 'J1' })), '401 NOTICE_BAD_SIGNATURE', 'JSON, not signed');
is(raw('/query?id=N1', 'cancel', '', $T0), '202 ORDER_UNKNOWN', 'the query is signed, too');
is(raw('/query?id=N1', 'cancel', '', $T0, uri => '/query?id=N2'), '401 NOTICE_BAD_SIGNATURE', 'and another one is not');


# names of one's own; none at all

{
    my $time = $T0 - 3600;
    my $sign = hmac_sha256_hex("demo\nsettle\n\n$time\npay=Q1&time=$time", pack 'H*', $old);

    is(answer($t->post('/named', "pay=Q1&time=$time&signature=$sign", type => $type)), '202 ORDER_UNKNOWN', 'other names');
    is(answer($t->post('/open', 'pay=Q2', type => $type)), '202 ORDER_UNKNOWN', 'off');
}


# a new key comes in before the old one goes

$t->http_conf($conf->('both.keys'))->reload(wait => 1);
is(signed('/paid', 'confirm', $_, { %pay }), '202 ORDER_UNKNOWN', 'two keys: each is good') for $old, $new;
$t->http_conf($conf->('new.keys'))->reload(wait => 1);
is(signed('/paid', 'confirm', $new, { %pay }), '202 ORDER_UNKNOWN', 'one key: the new one');
is(signed('/paid', 'confirm', $old, { %pay }), '401 NOTICE_BAD_SIGNATURE', 'one key: the old one has gone');
unlike($t->read_file('error.log') . $t->read_file('events.jsonl'), qr/$old|$new/i, 'no key stands in a log');


# files that are none

sub fails
{
    my ($line, $want, $name) = @_;

    $t->conf_fails("server { listen 127.0.0.1:8080; commerce_shop demo; $line }", qr/$want in .*:\d+/, $name);
}

key_file('open.keys', "$old\n", 0640);
key_file('empty.keys', "# nothing\n");
key_file('short.keys', "\n0102\n");
key_file('long.keys', '#' x 5000);

fails('commerce_notice_key %%DIR%%/none.keys;', 'open\(\) ".*none\.keys" failed.*', 'no file');
fails('commerce_notice_key %%DIR%%/open.keys;', 'has mode 0640: its group and others must have no access.*', 'others may read it');
fails('commerce_notice_key %%DIR%%/empty.keys;', 'there is no key in it', 'no key');
fails('commerce_notice_key %%DIR%%/short.keys;', 'line 2 is no key of 32 to 128 hex digits.*', 'a short key');
fails('commerce_notice_key %%DIR%%/long.keys;', 'is longer than 4096 bytes', 'a long file');
fails('commerce_notice_key %%DIR%%;', 'is not a regular file', 'a directory');
fails('commerce_notice_key %%DIR%%/old.keys skew=8d;', 'invalid parameter "skew=8d".*', 'skew');
fails('commerce_notice_key off; commerce_notice_key off;', 'is duplicate', 'twice');
fails('commerce_order_freeze 0;', '.*', 'no time');
fails('commerce_order_freeze 11y;', '.*', 'too long a time');
fails('location /a { commerce_order_refund id=$arg_id; }', 'needs refund=.*', 'a refund without its number');
fails('location /a { commerce_order_refund refund=json:/r id=form:id; }', 'takes its facts from json: or from form:.*', 'both');
fails('location /a { commerce_order_refund refund=json:/r id=json:/i lines=json:/l line_sku=/s; }',
      'needs line_amount= and either line_sku= or line_number=.*', 'lines without amounts');
fails('location /a { commerce_order_confirm id=json:/i amount=json:/a; }', 'needs payment= or transaction= with amount=.*',
      'an amount with nothing to know it by');
fails('location /a { commerce_order_confirm transaction=json:/t; }', 'needs either id= or key=, or payment=.*', 'a transaction alone');
fails('location /a { commerce_order_settle id=json:/i amount=json:/a; }', 'invalid parameter "amount=json:/a".*', 'no such word');
fails('location /a { commerce_order key=form:k; }', 'invalid source "form:k" in "commerce_order".*', 'orders take no forms');

$t->done_testing;
