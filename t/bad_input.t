#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Order bodies, keys and users as nobody should send them: each gets a clear answer and a line in the log, none
# of them does harm.  In observe mode the same passes, and is told.

use strict;
use warnings;

use lib 't/lib';
use Compress::Zlib ();
use Digest::SHA qw(sha256_hex);
use MIME::Base64 qw(decode_base64url);
use Test::More;
use Test::NgxCommerce qw(json);
use Test::NgxCommerce::Schema qw(invalid);

my $t = Test::NgxCommerce->new(shuffle => 1);

$t->clock(1_800_000_000);
$t->keys;
$t->campaign(id => 'c', discount => { fixed => 100 });
$t->storefront(8081);

my $facts = <<'EOC';
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons;
            commerce_coupon_redeem on=paid;
EOC

my $server = sub {
    my ($port, $mode, $more) = @_;

    # what observe mode lets through is more than the storefront's orders can bear
    my $path = $mode eq 'observe' ? '/observed' : '/api/orders';
    my $to_storefront = "proxy_pass http://127.0.0.1:8081$path\$is_args\$args;";

    return <<"EOC";
    server {
        listen          127.0.0.1:$port;
        $more
        large_client_header_buffers 4 32k;
        client_max_body_size 2m;
        commerce_shop   demo;
        commerce        $mode;
        commerce_user   \$http_x_user verified;

        location ~ ^/o/ {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
$facts
            $to_storefront
        }

        location ~ ^/small/ {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no body=1k;
$facts
            $to_storefront
        }

        location ~ ^/spill/ {
            client_body_buffer_size 1k;
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
$facts
            $to_storefront
        }

        location ~ ^/file/ {
            client_body_in_file_only clean;
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
$facts
            $to_storefront
        }

        location ~ ^/deep/ {
            commerce_order key=json:/order/head/key lines=json:/order/items;
            commerce_order_line id=/goods/id qty=/goods/n price=/goods/price;
            commerce_coupon_code json:/order/coupon;
            commerce_coupon_redeem on=paid;
            $to_storefront
        }

        location ~ ^/yuan/ {
            commerce_order key=json:/client_key lines=json:/items unit=yuan;
            commerce_order_line id=/sku qty=/count amount=/price;
            $to_storefront
        }

        location ~ ^/header/ {
            commerce_order key=\$http_order_key;
            commerce_order_success status=200;
            $to_storefront
        }

        location ~ ^/argument/ {
            commerce_order key=\$arg_key;
            commerce_order_success status=200;
            $to_storefront
        }

        location ~ ^/confirm/ { commerce_order_confirm id=json:/order_no; }
        location = /status { commerce off; commerce_status; }
    }
EOC
};

$t->http_conf($server->(8080, 'enforce', '') . $server->(8083, 'observe', '')
              . $server->(8084, 'enforce', 'underscores_in_headers on; ignore_invalid_headers off;'))->run;

$t->wait_for(sub { $t->workers == 2 });

my @workers = sort $t->workers;
my $n = 0;

# the parts of a sound order: each case spoils one of them

my $line = '{"sku":"s","count":1,"price":100}';

sub body
{
    my (%with) = (client_key => '"k' . ++$n . '"', items => "[$line]", coupons => '[]', @_);

    return '{' . join(',', map { "\"$_\":$with{$_}" } sort CORE::keys %with) . '}';
}


sub spoiled_line
{
    my (%with) = (sku => '"s"', count => 1, price => 100, @_);

    return body(items => '[{' . join(',', map { "\"$_\":$with{$_}" } grep { defined $with{$_} }
                                          sort CORE::keys %with) . '}]');
}

my $long = 'x' x 129;
my $deep = sub { '[' x $_[0] . ']' x $_[0] };

# [ what, reason, body, more ]: the location is /o/ unless more names one

my @refused = (

    # one member twice, spelled the same or not

    [ 'key twice', BODY_DUPLICATE_MEMBER => '{"client_key":"a","client_key":"b","items":[]}' ],
    [ 'key twice, the same', BODY_DUPLICATE_MEMBER => '{"client_key":"a","client_key":"a"}' ],
    [ 'key twice, in two cases', BODY_DUPLICATE_MEMBER => '{"client_key":"a","Client_Key":"b"}' ],
    [ 'key in another case', BODY_DUPLICATE_MEMBER => '{"CLIENT_KEY":"a"}' ],
    [ 'key twice, once escaped', BODY_DUPLICATE_MEMBER => '{"client_key":"a","\u0063lient_key":"b"}' ],
    [ 'lines twice', BODY_DUPLICATE_MEMBER => qq({"client_key":"a","items":[$line],"items":[]}) ],
    [ 'lines in two cases', BODY_DUPLICATE_MEMBER => qq({"client_key":"a","items":[$line],"Items":[]}) ],
    [ 'coupons twice', BODY_DUPLICATE_MEMBER => '{"client_key":"a","coupons":[],"coupons":["x"]}' ],
    [ 'coupons in two cases', BODY_DUPLICATE_MEMBER => '{"client_key":"a","coupons":[],"COUPONS":["x"]}' ],
    (map { [ "$_ of a line twice", BODY_DUPLICATE_MEMBER => spoiled_line($_ => "1,\"$_\":2") ] }
         qw(sku count price)),
    (map { [ "$_ of a line in two cases", BODY_DUPLICATE_MEMBER => spoiled_line($_ => "1,\"" . ucfirst . '":2') ] }
         qw(sku count price)),
    [ 'second line, member twice', BODY_DUPLICATE_MEMBER => body(items => qq([$line,{"sku":"a","sku":"b"}])) ],
    [ 'outer member twice', BODY_DUPLICATE_MEMBER => '{"order":{"head":{"key":"a"}},"order":{}}', at => 'deep' ],
    [ 'outer member in two cases', BODY_DUPLICATE_MEMBER => '{"order":{"head":{"key":"a"}},"Order":{}}',
      at => 'deep' ],
    [ 'middle member twice', BODY_DUPLICATE_MEMBER => '{"order":{"head":{"key":"a"},"head":{}}}', at => 'deep' ],
    [ 'inner member twice', BODY_DUPLICATE_MEMBER => '{"order":{"head":{"key":"a","key":"b"}}}', at => 'deep' ],
    [ 'inner lines twice', BODY_DUPLICATE_MEMBER => '{"order":{"head":{"key":"a"},"items":[],"items":[]}}',
      at => 'deep' ],
    [ 'goods of a line twice', BODY_DUPLICATE_MEMBER => '{"order":{"items":[{"goods":{"id":1},"goods":{"id":2}}]}}',
      at => 'deep' ],
    [ 'inner coupon twice', BODY_DUPLICATE_MEMBER => '{"order":{"coupon":"a","Coupon":"b"}}', at => 'deep' ],
    [ 'order number twice in a notice', BODY_DUPLICATE_MEMBER => '{"order_no":"a","order_no":"b"}', at => 'confirm' ],

    # not JSON, or not for certain

    [ 'raw NUL', BODY_MALFORMED => body(client_key => "\"a\0b\"") ],
    [ 'NUL behind the body', BODY_MALFORMED => body() . "\0" ],
    [ 'escaped NUL in the key', BODY_MALFORMED => body(client_key => '"a\u0000b"') ],
    [ 'escaped NUL in a SKU', BODY_MALFORMED => spoiled_line(sku => '"s\u0000"') ],
    [ 'escaped NUL elsewhere', BODY_MALFORMED => body(note => '"\u0000"') ],
    [ 'escaped NUL in a name', BODY_MALFORMED => body('no\u0000te' => 1) ],
    [ 'byte order mark', BODY_MALFORMED => "\xef\xbb\xbf" . body() ],
    [ 'UTF-16', BODY_MALFORMED => join '', map { "\0$_" } split //, body() ],
    [ 'invalid UTF-8', BODY_MALFORMED => body(note => "\"\xff\"") ],
    [ 'overlong UTF-8', BODY_MALFORMED => body(note => "\"\xc0\x80\"") ],
    [ 'surrogates in UTF-8', BODY_MALFORMED => body(note => "\"\xed\xa0\x80\"") ],
    [ 'half a pair', BODY_MALFORMED => body(note => '"\ud800"') ],
    [ '1000 deep', BODY_MALFORMED => body(note => $deep->(1000)) ],
    [ '30000 deep', BODY_MALFORMED => $deep->(30000) ],
    [ '60000 open brackets', BODY_MALFORMED => '[' x 60000 ],
    [ 'deep objects', BODY_MALFORMED => '{"a":' x 1000 . '1' . '}' x 1000 ],
    [ 'two values', BODY_MALFORMED => body() . body() ],
    [ 'a comment', BODY_MALFORMED => body() . '// yes' ],
    [ 'single quotes', BODY_MALFORMED => "{'client_key':'a'}" ],
    [ 'trailing comma', BODY_MALFORMED => '{"client_key":"a",}' ],
    [ 'NaN', BODY_MALFORMED => spoiled_line(price => 'NaN') ],
    [ 'leading zero', BODY_MALFORMED => spoiled_line(count => '01') ],
    [ 'a plus sign', BODY_MALFORMED => spoiled_line(count => '+1') ],
    [ 'a hexadecimal number', BODY_MALFORMED => spoiled_line(count => '0x10') ],
    [ 'a number of 65 digits', BODY_MALFORMED => body(client_key => '1' x 65) ],
    [ 'white space only', BODY_MALFORMED => "  \n" ],
    [ 'a bare string', BODY_MALFORMED => '"client_key"' ],
    [ 'a bare number', BODY_MALFORMED => '1' ],
    [ 'an array', BODY_MALFORMED => '["client_key"]' ],
    [ 'newline in a string', BODY_MALFORMED => body(client_key => "\"a\nb\"") ],

    # of another type than its place wants

    (map { [ "key: $_", BODY_MALFORMED => body(client_key => $_) ] } 'true', 'false', '[]', '{}', '["k"]'),
    (map { [ 'lines: ' . substr($_, 0, 20), ORDER_MALFORMED => body(items => $_) ] }
         '{}', '{"0":{"sku":"s"}}', '"s"', '1', 'true', '[null]', '[{}]',
         '[' . join(',', ($line) x 129) . ']', '[' . join(',', ($line) x 1000) . ']'),
    (map { [ "lines: $_", BODY_MALFORMED => body(items => $_) ] } '[1]', '["s"]', '[true]', '[[]]', "[$line,7]"),
    (map { [ 'SKU: ' . substr($_, 0, 20), ORDER_MALFORMED => spoiled_line(sku => $_) ] }
         'null', '""', "\"$long\"", '"\u0001"', '"a\nb"', '"a\u007fb"', '"\u0085"'),
    [ 'no SKU', ORDER_MALFORMED => spoiled_line(sku => undef) ],
    (map { [ "SKU: $_", BODY_MALFORMED => spoiled_line(sku => $_) ] } 'true', '[]', '{}'),
    (map { [ "quantity: $_", ORDER_MALFORMED => spoiled_line(count => $_) ] }
         '0', '-1', '-0', '1.5', '1.0', '1e999', '1e2', '1000001', '99999999999999999999', '18446744073709551617',
         '""', '"x"', '" 1"', '"1 "', '"+1"', '"01"', '"-1"'),
    (map { [ "quantity: $_", BODY_MALFORMED => spoiled_line(count => $_) ] } 'true', '[]', '{}', '[1]'),
    (map { [ "price: $_", ORDER_MALFORMED => spoiled_line(price => $_) ] }
         '-1', '"-1"', '-0.01', '1e999', '1e20', '100000000000001', '9223372036854775807', '""', '"x"', '"1,5"', '"1 "',
         '"NaN"', '"Infinity"', '"0x10"', '"1e"', '"."', "\"\xc2\xa5" . '1"'),
    (map { [ "price: $_", BODY_MALFORMED => spoiled_line(price => $_) ] } 'true', '[]', '{}'),
    [ 'an amount past every limit', ORDER_MALFORMED => spoiled_line(count => 1000000, price => 100000001) ],
    [ 'yuan past every limit', ORDER_MALFORMED => spoiled_line(price => '1e13'), at => 'yuan' ],
    (map { [ "coupons: $_", BODY_MALFORMED => body(coupons => $_) ] } 'true', '{}', '[true]', '[[]]', '[{}]', '[null]'),
    (map { [ "coupons: $_", COUPON_MALFORMED => body(coupons => $_) ] }
         '["x"]', '[1]', '"x"', '"\'; drop table --"', '["' . '0' x 65 . '"]', '["' . 'Z' x 5000 . '"]'),
    [ 'two coupons', COUPON_STACK_LIMIT => body(coupons => '["x","y"]') ],
    [ '10000 coupons', COUPON_STACK_LIMIT => body(coupons => '[' . join(',', ('"x"') x 10000) . ']') ],

    # keys

    [ 'key of 129 bytes', ORDER_KEY_MALFORMED => body(client_key => "\"$long\"") ],
    [ 'key of 60000 bytes', ORDER_KEY_MALFORMED => body(client_key => '"' . 'x' x 60000 . '"') ],
    [ 'key of 65 characters and 130 bytes', ORDER_KEY_MALFORMED => body(client_key => '"' . "\xc3\xa9" x 65 . '"') ],
    (map { [ "key $_", ORDER_KEY_MALFORMED => body(client_key => "\"$_\"") ] }
         'a\nb', 'a\rb', 'a\tb', '\u0001', 'a\u001f', '\u007f', 'a\u0080'),
    [ 'key in a header, 129 bytes', ORDER_KEY_MALFORMED => body(), at => 'header',
      headers => [ 'Order-Key' => $long ] ],
    [ 'key in a header, invalid UTF-8', ORDER_KEY_MALFORMED => body(), at => 'header',
      headers => [ 'Order-Key' => "a\xff" ] ],
    [ 'key in a header, a tabulator', ORDER_KEY_MALFORMED => body(), at => 'header',
      headers => [ 'Order-Key' => "a\tb" ] ],
    [ 'key in a header, a control character', ORDER_KEY_MALFORMED => body(), at => 'header',
      headers => [ 'Order-Key' => "a\x01b" ] ],
    [ 'key twice in the query', ORDER_KEY_MALFORMED => body(), at => 'argument', query => '?key=a&key=b' ],
    [ 'key twice in the query, in two cases', ORDER_KEY_MALFORMED => body(), at => 'argument',
      query => '?key=a&KEY=b' ],
    (map { [ "order number: $_", ORDER_KEY_MALFORMED => "{\"order_no\":$_}", at => 'confirm' ] }
         'null', '""', "\"$long\"", '"a\nb"'),
    [ 'order number: true', BODY_MALFORMED => '{"order_no":true}', at => 'confirm' ],

    # types and encodings

    (map { [ 'type: ' . ($_ // 'none'), BODY_TYPE => body(), type => $_ ] }
         'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/plain', 'text/json', '',
         'application/jsonp', 'application/json-patch+json', 'application/json, text/plain', 'application/jso',
         'application/json; charset=utf-16', 'application/json; charset=gbk', 'application/jsoncharset=utf-8',
         'application/json charset=utf-8', 'application/json; charset=utf-8; charset=utf-7',
         'application/json; version=2', ' application/x-json', 'application/cbor'),
    [ 'no type', BODY_TYPE => body(), untyped => 1 ],
    [ 'a form', BODY_TYPE => 'client_key=a&coupons=x', type => 'application/x-www-form-urlencoded' ],
    [ 'multipart', BODY_TYPE => "--x\r\nContent-Disposition: form-data; name=\"client_key\"\r\n\r\na\r\n--x--\r\n",
      type => 'multipart/form-data; boundary=x' ],
    [ 'gzip', BODY_TYPE => Compress::Zlib::memGzip(body()), headers => [ 'Content-Encoding' => 'gzip' ] ],
    [ 'deflate', BODY_TYPE => body(), headers => [ 'content-encoding' => 'deflate' ] ],
    [ 'an encoding that is none', BODY_TYPE => body(), headers => [ 'Content-Encoding' => 'identity' ] ],
    [ 'gzip without saying so', BODY_MALFORMED => Compress::Zlib::memGzip(body()) ],
    [ 'two types', BODY_TYPE => body(), headers => [ 'Content-Type' => 'application/json',
      'Content-Type' => 'application/x-www-form-urlencoded' ] ],
    [ 'two equal types', BODY_TYPE => body(), headers => [ ('Content-Type' => 'application/json') x 2 ] ],
    [ 'a notice in a form', BODY_TYPE => 'order_no=1', type => 'application/x-www-form-urlencoded', at => 'confirm' ],

    # sizes

    [ '1 MB', BODY_TOO_LARGE => body(note => '"' . 'x' x 1_000_000 . '"') ],
    [ '1 MB in chunks', BODY_TOO_LARGE => body(note => '"' . 'x' x 1_000_000 . '"'), chunks => 50_000 ],
    [ '65537 bytes', BODY_TOO_LARGE => padded(65537) ],
    [ '65537 bytes in chunks', BODY_TOO_LARGE => padded(65537), chunks => 10_000 ],
    [ '65537 bytes through a file', BODY_TOO_LARGE => padded(65537), at => 'file', chunks => 10_000 ],
    [ '1025 bytes of 1024', BODY_TOO_LARGE => padded(1025), at => 'small' ],
    [ '1025 bytes of 1024 in chunks', BODY_TOO_LARGE => padded(1025), at => 'small', chunks => 7 ],
    [ 'malformed, through a file', BODY_MALFORMED => padded(5000) . '}', at => 'spill' ],
    [ 'a duplicate, through a file', BODY_DUPLICATE_MEMBER =>
      '{"client_key":"a","note":"' . 'x' x 5000 . '","client_key":"b"}', at => 'spill' ],
);

my %status = (BODY_TYPE => 415, BODY_TOO_LARGE => 413);
my %public = (COUPON_MALFORMED => 'COUPON_NOT_USABLE', COUPON_STACK_LIMIT => 'COUPON_NOT_USABLE');
my %wanted;

# cut off at every byte

{
    my $body = body();

    push @refused, map { [ "the first $_ bytes", BODY_MALFORMED => substr $body, 0, $_ ] } 1 .. length($body) - 1;
}

# under enforce: refused, and nothing came through

my @answers = $t->parallel(map { request($refused[$_], $_, 8080) } 0 .. $#refused);

for my $i (0 .. $#refused) {
    my ($what, $reason, $body, %more) = @{$refused[$i]};
    my $uri = uri($i, %more);

    is($answers[$i]->status, $status{$reason} // 422, "refused: $what") or diag $answers[$i]{raw};
    is($answers[$i]->code, $public{$reason} // $reason, "refused: $what: code");
    $wanted{$uri} = $reason;
}

is(scalar($t->received), 0, 'nothing of it came through') or diag explain [ map { $_->{body} } $t->received ];

my $denied = sub { grep { $_->{type} eq 'deny' && $_->{decision} eq 'deny' } @_ };
my %denied;

push @{$denied{$_->{uri}}}, $_->{reason} for $denied->($t->wait_events(sub { $denied->(@_) >= @refused }));

is_deeply(\%denied, { map { $_ => [ $wanted{$_} ] } CORE::keys %wanted }, 'each is in the log, once, with its reason');
is(scalar($t->events('order')), 0, 'and no order');

# under observe: all of it passes, is told and logged (a notice has nobody to be passed to)

my @observed = grep { (more($_)->{at} // '') ne 'confirm' } 0 .. $#refused;

@answers = $t->parallel(map { request($refused[$_], $_, 8083) } @observed);
is(scalar(grep { !$_->status } @answers), 0, 'observe: all are answered');
is(join(' ', map { $refused[$observed[$_]][0] } grep { $answers[$_]->body =~ /about:blank/ } 0 .. $#answers),
   '', 'observe: none by us');

my @passed = $t->received;

is(scalar @passed, scalar @observed, 'observe: all came through');
is(scalar(grep { $_->{headers}{'x-commerce-decision'} ne 'would_deny' } @passed), 0, 'observe: told');

my %got;
$got{$_->{body} . $_->{headers}{'x-commerce-reason'}}++ for @passed;

is(join(' ', map { $refused[$_][0] } grep { !$got{$refused[$_][2] . $refused[$_][1]} } @observed), '',
   'observe: with their bodies as they were, and the reason');

my $would = sub { grep { $_->{type} eq 'deny' && $_->{decision} eq 'would_deny' } @_ };
my @would = $would->($t->wait_events(sub { $would->(@_) >= @observed }));

is_deeply({ map { $_->{uri} => $_->{reason} } @would }, { map { uri($_, %{more($_)}) => $refused[$_][1] } @observed },
          'observe: logged');

# other spellings of headers, where nginx lets them pass

for my $headers ([ 'Content_Encoding' => 'gzip' ], [ 'Content_Type' => 'text/plain' ],
                 [ 'content.encoding' => 'gzip' ], [ 'CONTENT_ENCODING' => 'br' ])
{
    my $answer = $t->post('/o/spelled', body(), port => 8084, headers => $headers);
    is($answer->code, 'BODY_TYPE', "refused: @$headers");
}


# what is odd but sound

my @accepted = (
    [ 'a large number for a key', body(client_key => '9007199254740993') ],
    [ 'its neighbour is another order', body(client_key => '9007199254740992') ],
    [ 'a larger number', body(client_key => '123456789012345678901234567890', items =>
      '[{"sku":18446744073709551617,"count":3,"price":7},{"sku":"18446744073709551616","count":"2","price":"9"}]') ],
    [ 'a number in another notation', body(client_key => '1E400') ],
    [ 'quotes and backslashes', body(client_key => '"q\"\\\\\/\u0022"', items => '[{"sku":"\"\\\\","count":1}]') ],
    [ 'characters of other planes', body(client_key => '"' . "\xe5\x88\xb8\xf0\x9f\x8e\xab" . '\ud83c\udfab"') ],
    [ 'a key of 128 bytes', body(client_key => '"' . 'y' x 128 . '"') ],
    [ 'names escaped', '{"\u0063lient_key":"esc","item\u0073":[]}' ],
    [ 'duplicates where nobody looks', body(note => '1,"note":2,"NOTE":3', client_key => '"dup"') ],
    [ '31 deep', body(client_key => '"deep"', note => $deep->(31)) ],
    [ '128 lines', body(client_key => '"128"', items => '[' . join(',', map {
      "{\"sku\":\"$_" . 'z' x 100 . '","count":1000000,"price":100000000}' } 101 .. 228) . ']') ],
    [ 'no lines', body(client_key => '"none"', items => '[]') ],
    [ 'lines that are null', body(client_key => '"null"', items => 'null', coupons => 'null') ],
    [ 'white space', " \t\r\n" . body(client_key => '"space"') . "\n\n " ],
    [ 'a charset', body(client_key => '"charset"'), type => 'application/json; charset=UTF-8' ],
    [ 'a charset without a space', body(client_key => '"charset2"'), type => 'Application/JSON;charset=utf-8' ],
    [ 'a semicolon', body(client_key => '"semicolon"'), type => 'application/json;' ],
    [ '65536 bytes', padded(65536, '65536') ],
    [ '65536 bytes in chunks', padded(65536, '65536c'), chunks => 30_000 ],
    [ '1024 bytes of 1024', padded(1024, '1024'), at => 'small' ],
    [ '1024 bytes of 1024, one by one', padded(1024, '1024c'), at => 'small', chunks => 1 ],
    [ 'through a file', padded(9000, 'spill'), at => 'spill' ],
    [ 'through a file, in chunks', padded(9000, 'spillc'), at => 'spill', chunks => 700 ],
    [ 'always through a file', padded(90, 'file'), at => 'file' ],
    [ 'always through a file, in chunks', padded(60000, 'filec'), at => 'file', chunks => 999 ],
    [ 'slowly', padded(300, 'slow'), pieces => 3 ],
    [ 'slowly, through a file', padded(3000, 'slowfile'), at => 'spill', pieces => 3 ],
    [ 'yuan', body(client_key => '"yuan"', items => '[{"sku":"s","price":"12.345"}]'), at => 'yuan' ],
);

@answers = $t->parallel(map { request([ $accepted[$_][0], undef, @{$accepted[$_]}[1 .. $#{$accepted[$_]}] ],
                                      "ok$_", 8080) } 0 .. $#accepted);

for my $i (0 .. $#accepted) {
    is($answers[$i]->status, 200, "accepted: $accepted[$i][0]") or diag substr $answers[$i]{raw}, 0, 1000;
}

# the backend got the same bytes, and a verdict about them

{
    my %body = map { ($_->{body} => $_) } $t->received;
    my @wrong;

    for my $case (@accepted) {
        my $request = $body{$case->[1]} or push(@wrong, "$case->[0]: not received"), next;
        my $verdict = json->decode(decode_base64url((split /\./, $request->{headers}{'x-commerce-verdict'} // '')[1]));
        my $sent = $case->[1];

        push @wrong, "$case->[0]: hash" if $verdict->{body_sha256} ne sha256_hex($sent);
        push @wrong, "$case->[0]: key" if $verdict->{key} ne json->decode("\"" . quoted($request) . '"');
    }

    is("@wrong", '', 'the backend got the same bytes, with a verdict about them');
}

# exact in the log and in the store

{
    my $placed = sub { grep { $_->{type} eq 'order' && $_->{state} eq 'placed' } @_ };
    my %order = map { ($_->{order_key} => $_) } $placed->($t->wait_events(sub { $placed->(@_) >= @accepted }));

    for my $key ('9007199254740993', '9007199254740992', '123456789012345678901234567890', '1E400') {
        ok($order{$key}, "$key is exact in the log");
        like($t->cli_ok(qw(order show), $key, qw(--user u)), qr/(?<!\d)\Q$key\E(?!\d)/, "$key is exact in the store");
    }

    is_deeply([ map { [ @$_{qw(sku quantity amount)} ] } @{$order{'123456789012345678901234567890'}{lines}} ],
              [ [ '18446744073709551617', 3, 21 ], [ '18446744073709551616', 2, 18 ] ], 'SKUs are exact');
    ok($order{'q"\\/"'}, 'quotes in the log') or diag explain [ sort CORE::keys %order ];
    ok($order{"\x{5238}\x{1f3ab}\x{1f3ab}"}, 'other planes in the log');
    is(scalar @{$order{128}{lines}}, 128, '128 lines in the log');
    is($order{128}{claimed}, '12800000000000000', 'and their sum');
    is($order{none}{claimed}, undef, 'no lines, no sum');
    is($order{yuan}{claimed}, 1234, 'yuan, rounded half even');
}

# users

my @users = (
    [ "a\tb", 0 ], [ "a\x01b", 0 ], [ "a\x7fb", 0 ], [ 'u' x 129, 0 ], [ "\xff", 0 ], [ "\xc0\x80", 0 ],
    [ 'u' x 128, 1 ], [ 'a"b\\c\'d', 1 ], [ '{"a":1}', 1 ], [ '../../etc/passwd', 1 ], [ "\xe5\xbc\xa0", 1 ],
    [ '<script>', 1 ], [ 'a,b;c=d', 1 ],
);

for my $i (0 .. $#users) {
    my ($user, $good) = @{$users[$i]};
    my $answer = $t->post("/o/user$i", body(client_key => "\"user$i\""), headers => [ 'X-User' => $user ]);

    is($answer->status, 200, "user $i") or diag $answer->body;
}

{
    my $placed = sub { grep { $_->{type} eq 'order' && $_->{state} eq 'placed' && $_->{order_key} =~ /^user/ } @_ };
    my %order = map { ($_->{order_key} => $_) } $placed->($t->wait_events(sub { $placed->(@_) >= @users }));

    is_deeply({ map { ("user$_" => defined $order{"user$_"}{buyer} ? 1 : 0) } 0 .. $#users },
              { map { ("user$_" => $users[$_][1]) } 0 .. $#users }, 'an unusable user is nobody');

    my $log = $t->read_file('events.jsonl');

    is(join(' ', grep { index($log, $_) >= 0 } 'u' x 128, 'passwd', 'script', "\xe5\xbc\xa0"), '',
       'no user is in the log');
}

# a coupon is nobody's without a user

{
    my ($code) = $t->coupons('c', 1);
    my $answer = $t->post('/o/nobody', body(coupons => "[\"$code\"]"), headers => [ 'X-User' => "a\x01" ]);

    is($answer->status, 401, 'a coupon and an unusable user');
    is($answer->code, 'COUPON_CUSTOMER_REQUIRED', 'code');
}

# a body without an order: a page

{
    my $before = () = $t->events('order');
    my ($get) = $t->parallel({ method => 'GET', uri => '/o/page', body => body() });

    is($get->status, 200, 'GET with a body is a page');
    ok($t->wait_for(sub { grep { $_->{uri} eq '/o/page' } $t->events('visit') }), 'in the log');
    is(scalar($t->events('order')), $before, 'and no order');
}

# names of any length in a refusal: it is in the log all the same

{
    my $path = '/o/' . '%01%22%5c%ff' x 200;
    my $method = 'M' x 3000;

    is($t->post($path, 'x', type => 'text/plain')->status, 415, 'a long URI of control characters');
    my ($answer) = $t->parallel({ method => $method, uri => '/o/method', body => 'x', type => 'text/plain' });
    is($answer->status, 415, 'a long method');

    my $long = sub { grep { $_->{type} eq 'deny' && ($_->{uri} =~ m{^/o/\x01"\\} || $_->{uri} eq '/o/method') } @_ };

    is(scalar($long->($t->wait_events(sub { $long->(@_) >= 2 }))), 2, 'both are in the log');

    is($t->get($path, headers => { 'X-User' => 'u' })->status, 200, 'a page of that name');
    ok($t->wait_for(sub { grep { $_->{uri} =~ m{^/o/\x01"\\} } $t->events('visit') }), 'is in the log, too');
}

# clients that leave

{
    my $body = body(client_key => '"gone"');
    my $head = "POST /o/gone HTTP/1.1\r\nHost: x\r\nX-User: u\r\nContent-Type: application/json\r\n";

    $t->parallel(map { ({ raw => "$head$_", abort => 0.1 }) x 5 }
        'Content-Length: ' . length($body) . "\r\n\r\n",
        'Content-Length: ' . length($body) . "\r\n\r\n" . substr($body, 0, 20),
        "Transfer-Encoding: chunked\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n10\r\n" . substr($body, 0, 3),
        "Transfer-Encoding: chunked\r\n\r\n10\r\n" . substr($body, 0, 16) . "\r\n");

    my ($answer) = $t->parallel({ raw => "${head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nZZ\r\n" });
    is($answer->status, 400, 'a chunk of no size');

    ($answer) = $t->parallel({ raw => "${head}Transfer-Encoding: gzip\r\nConnection: close\r\n\r\n" });
    is($answer->status, 501, 'another transfer encoding');

    ($answer) = $t->parallel({ raw => "${head}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"
                                      . "Connection: close\r\n\r\nabc" });
    is($answer->status, 400, 'two lengths');

    is(scalar(grep { $_->{body} =~ /gone/ } $t->received), 0, 'nothing came of it');

    $t->parallel(({ method => 'POST', uri => '/o/left', body => $body, type => 'application/json',
                    headers => [ 'X-User' => 'u', 'X-Test' => 'slow' ], abort => 0.1 }));
    is($t->post('/o/next', body(), headers => [ 'X-User' => 'u' ])->status, 200, 'the next one is served');
}

# the whole log: JSON, as the schema says

{
    $t->quit;

    my $schema = json->decode($t->read_file("$Test::NgxCommerce::ROOT/t/event.schema.json"));
    my @events = $t->events;
    my (%types, @wrong);

    for my $event (@events) {
        my $wrong = invalid($schema, $event);

        push @wrong, json->encode({ wrong => $wrong, event => $event }) if defined $wrong;
        $types{$event->{type}}++;
    }

    cmp_ok(scalar @events, '>', @refused * 2, 'the whole log is JSON');
    is("@wrong[0 .. ($#wrong > 5 ? 5 : $#wrong)]", '', 'and each line as the schema says');
    ok($types{$_}, "with lines of type $_") for qw(config visit deny order);

    # a validator that finds nothing would not be one

    my ($event) = grep { $_->{type} eq 'order' } @events;

    for my $spoil ([ fp => undef ], [ seq => '1' ], [ type => 'ordeal' ], [ state => undef ], [ claimed => -1 ],
                   [ buyer => '' ], [ user => 'u' ], [ id => 'x' ])
    {
        my %spoiled = %$event;

        defined $spoil->[1] ? ($spoiled{$spoil->[0]} = $spoil->[1]) : delete $spoiled{$spoil->[0]};
        ok(defined invalid($schema, \%spoiled), "the schema does not admit another $spoil->[0]");
    }
}

is_deeply([ $t->log_lines(qr/exited on signal|worker process \d+ exited with code [1-9]/) ], [], 'no worker fell');
is_deeply([ sort map { /start worker process (\d+)/ } $t->log_lines(qr/start worker process \d/) ], \@workers,
          'the same workers from start to end');

$t->done_testing;


sub padded
{
    my ($length, $key) = @_;
    my $body = '{"client_key":"' . ($key // 'pad' . ++$n) . '","note":""}';

    $body =~ s/""/'"' . 'x' x ($length - length $body) . '"'/e;

    return $body;
}


sub more
{
    my ($i) = @_;
    my (undef, undef, undef, %more) = @{$refused[$i]};

    return \%more;
}


sub uri
{
    my ($i, %more) = @_;

    return '/' . ($more{at} // 'o') . "/case$i";
}


sub request
{
    my ($case, $i, $port) = @_;
    my (undef, undef, $body, %more) = @$case;

    my @headers = ('X-User' => 'u', @{$more{headers} || []});
    my %request = (method => 'POST', uri => uri($i, %more) . ($more{query} // ''), port => $port,
                   headers => \@headers, defined $more{type} ? (type => $more{type}) : ());

    if ($more{chunks}) {
        push @headers, 'Transfer-Encoding' => 'chunked';
        $body = join '', map { sprintf "%x\r\n%s\r\n", length, $_ } unpack("(a$more{chunks})*", $body), '';
    }

    if ($more{untyped} || $more{pieces}) {
        my $type = $more{untyped} ? '' : "Content-Type: application/json\r\n";
        my $size = $more{pieces} ? int(length($body) / $more{pieces}) + 1 : length $body;
        my ($first, @pieces) = unpack "(a$size)*", $body;

        return { raw => "POST $request{uri} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-User: u\r\n$type"
                        . 'Content-Length: ' . length($body) . "\r\n\r\n$first",
                 pieces => \@pieces, port => $port };
    }

    return { %request, body => $body };
}


# the key of a received order, as JSON text without its quotes

sub quoted
{
    my ($request) = @_;
    my $key = $request->{headers}{'idempotency-key'};

    $key =~ s/(["\\])/\\$1/g;

    return $key;
}
