#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# One coupon request in many spellings, before a backend (t/lenient) that understands all of them and checks no
# verdict.  Whatever it honours must have been reserved at the edge; each line of the table says what stops the
# others.  The same table without the guard shows what would come through.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce qw(json);

use Compress::Zlib ();
use Encode ();

my $t = Test::NgxCommerce->new(shuffle => 1);

$t->clock(1_800_000_000);
$t->keys;
$t->campaign(id => 'c', discount => { fixed => 100 });

my @codes = $t->coupons('c', 300);
my $listed = $t->write_file('codes.txt', join '', map { "$_\n" } @codes);

$t->daemon($t->port(8081), "$Test::NgxCommerce::ROOT/t/lenient", '--port', $t->port(8081), '--codes', $listed,
           '--log', $t->dir . '/lenient.jsonl');

my $server = sub {
    my ($port, $guard) = @_;

    return <<"EOC";
    server {
        listen          127.0.0.1:$port;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   \$http_x_user verified;
        commerce_guard  $guard;

        location / { proxy_pass http://127.0.0.1:8081; }

        location ~* ^/api/orders/*\$ {
            commerce_order          key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line     id=/sku qty=/count price=/price;
            commerce_order_success  status=200 json=/code:0;
            commerce_coupon_code    json:/coupons;
            commerce_coupon_redeem  on=paid;
            proxy_pass              http://127.0.0.1:8081;
        }
    }
EOC
};

$t->http_conf($server->(8080, 'on') . $server->(8082, 'off'))->run;

my $n = 0;

# The table: [ name, what it must come to, request ].  It comes to RESERVED: the edge understood it, too; or to
# the code of the refusal; or to a bare status, nginx's own.  A request is made of the code.

sub body { my ($code, %o) = @_; return { client_key => 'k' . ++$n, items => [ { sku => 's', count => 1, price => 500 } ],
                                         $o{none} ? () : (coupons => [ $code ]), %o{grep { $_ ne 'none' } keys %o} } }
sub text { return json->encode(body(@_)) }
sub plain { my ($code, $more) = @_; return text($code, none => 1) =~ s/\}$/,$more}/r }
sub form { return "client_key=k" . ++$n . "&coupons[]=$_[0]" }
sub latin { my ($charset, $text) = @_; return Encode::encode($charset, $text) }
sub hex_of { my ($code, $sign) = @_; return join '', map { sprintf $sign, ord } split //, $code }
sub deflated
{
    my ($stream) = Compress::Zlib::deflateInit(-WindowBits => -Compress::Zlib::MAX_WBITS());
    my ($one) = $stream->deflate($_[0]);
    my ($two) = $stream->flush;

    return $one . $two;
}
sub multipart
{
    my ($code) = @_;

    return "--b\r\nContent-Disposition: form-data; name=\"coupons\"\r\n\r\n$code\r\n--b--\r\n";
}

my $JSON = 'application/json';

my @table = (
    [ 'as it should be', 'RESERVED', sub { (body => text($_[0])) } ],

    # the path
    [ 'path in upper case', 'RESERVED', sub { (uri => '/API/ORDERS', body => text($_[0])) } ],
    [ 'a trailing slash', 'RESERVED', sub { (uri => '/api/orders/', body => text($_[0])) } ],
    [ 'doubled slashes', 'RESERVED', sub { (uri => '//api///orders//', body => text($_[0])) } ],
    [ 'dot segments', 'RESERVED', sub { (uri => '/x/../api/./orders', body => text($_[0])) } ],
    [ 'letters escaped', 'RESERVED', sub { (uri => '/%61pi/%6Frders', body => text($_[0])) } ],
    [ 'slashes escaped', 'RESERVED', sub { (uri => '/api%2Forders%2f', body => text($_[0])) } ],
    [ 'absolute form', 'RESERVED', sub { (uri => 'http://localhost/api/orders', body => text($_[0])) } ],
    [ 'escaped twice', 'GUARD_REFUSED', sub { (uri => '/api/%256Frders', body => text($_[0])) } ],
    [ 'slash escaped twice', 'GUARD_REFUSED', sub { (uri => '/api%252Forders', body => text($_[0])) } ],
    [ 'a backslash', 'GUARD_REFUSED', sub { (uri => '/api%5Corders', body => text($_[0])) } ],
    [ 'a matrix parameter', 'GUARD_REFUSED', sub { (uri => '/api/orders;v=1', body => text($_[0])) } ],
    [ 'a suffix', 'GUARD_REFUSED', sub { (uri => '/api/orders.json', body => text($_[0])) } ],
    [ 'a space behind', 'GUARD_REFUSED', sub { (uri => '/api/orders%20', body => text($_[0])) } ],
    [ 'a NUL behind', '400', sub { (uri => '/api/orders%00', body => text($_[0])) } ],
    [ 'a line end behind', 'GUARD_REFUSED', sub { (uri => '/api/orders%0Ax', body => text($_[0])) } ],
    [ 'another path, and X-Original-URL', 'GUARD_REFUSED',
      sub { (method => 'GET', uri => "/page?coupon=$_[0]", more => [ 'X-Original-URL' => "/api/orders?coupon=$_[0]" ]) } ],
    [ 'another path, and X-Rewrite-URL', 'GUARD_REFUSED',
      sub { (method => 'GET', uri => "/page?coupon=$_[0]", more => [ 'X-Rewrite-URL' => '/api/orders?coupon' ]) } ],

    [ 'the coupon in a segment that is taken back', 'GUARD_REFUSED',
      sub { (uri => "/api/orders/$_[0]/..", body => text($_[0], none => 1)) } ],

    # the method
    [ 'PUT', 'RESERVED', sub { (method => 'PUT', body => text($_[0])) } ],
    [ 'a method of its own', 'RESERVED', sub { (method => 'ORDER', body => text($_[0])) } ],
    [ 'GET with a body', 'GUARD_REFUSED', sub { (method => 'GET', body => text($_[0])) } ],
    [ 'GET with a chunked body', 'GUARD_REFUSED', sub { (method => 'GET', body => chunked(text($_[0])), chunked => 1) } ],
    [ 'GET, the coupon in the query', 'GUARD_REFUSED', sub { (method => 'GET', uri => "/api/orders?coupon=$_[0]") } ],
    [ 'GET, overridden by a header', 'GUARD_REFUSED',
      sub { (method => 'GET', uri => "/api/orders?c=$_[0]", more => [ 'X-HTTP-Method-Override' => 'POST' ]) } ],
    [ 'GET, overridden in the query', 'GUARD_REFUSED', sub { (method => 'GET', uri => "/api/orders?_method=POST&c=$_[0]") } ],
    [ 'HTTP/1.0', 'RESERVED', sub { (body => text($_[0]), version => '1.0') } ],

    # how the body is packed
    [ 'chunked', 'RESERVED', sub { (body => chunked(text($_[0])), chunked => 1) } ],
    [ 'gzip', 'BODY_TYPE', sub { (body => Compress::Zlib::memGzip(text($_[0])), more => [ 'Content-Encoding' => 'gzip' ]) } ],
    [ 'gzip that nobody tells of', 'BODY_MALFORMED', sub { (body => Compress::Zlib::memGzip(text($_[0]))) } ],
    [ 'deflate', 'BODY_TYPE', sub { (body => Compress::Zlib::compress(text($_[0])), more => [ 'Content-Encoding' => 'deflate' ]) } ],
    [ 'deflate without its header', 'BODY_MALFORMED', sub { (body => deflated(text($_[0]))) } ],
    [ 'identity as an encoding', 'BODY_TYPE', sub { (body => text($_[0]), more => [ 'Content-Encoding' => 'identity' ]) } ],

    # charsets
    [ 'UTF-8 with a byte order mark', 'BODY_MALFORMED', sub { (body => "\xef\xbb\xbf" . text($_[0])) } ],
    [ 'UTF-16, told', 'BODY_TYPE', sub { (body => latin('UTF-16', text($_[0])), type => "$JSON; charset=utf-16") } ],
    [ 'UTF-16, not told', 'BODY_MALFORMED', sub { (body => latin('UTF-16', text($_[0]))) } ],
    [ 'UTF-16LE without a mark', 'BODY_MALFORMED', sub { (body => latin('UTF-16LE', text($_[0]))) } ],
    [ 'UTF-32BE', 'BODY_MALFORMED', sub { (body => latin('UTF-32BE', text($_[0]))) } ],
    [ 'two charsets', 'BODY_TYPE', sub { (body => text($_[0]), type => "$JSON; charset=utf-8; charset=utf-16") } ],

    # types
    [ 'charset=utf-8', 'RESERVED', sub { (body => text($_[0]), type => "$JSON; charset=UTF-8") } ],
    [ 'no type', 'BODY_TYPE', sub { (body => text($_[0]), type => undef) } ],
    [ 'text/plain', 'BODY_TYPE', sub { (body => text($_[0]), type => 'text/plain') } ],
    [ 'another JSON', 'BODY_TYPE', sub { (body => text($_[0]), type => 'application/vnd.api+json') } ],
    [ 'a form', 'BODY_TYPE', sub { (body => form($_[0]), type => 'application/x-www-form-urlencoded') } ],
    [ 'a form that says it is JSON', 'BODY_MALFORMED', sub { (body => form($_[0])) } ],
    [ 'multipart', 'BODY_TYPE', sub { (body => multipart($_[0]), type => 'multipart/form-data; boundary=b') } ],
    [ 'XML', 'BODY_TYPE', sub { (body => "<order><coupon>$_[0]</coupon></order>", type => 'application/xml') } ],
    [ 'XML with entities', 'BODY_TYPE', sub { (body => '<c>' . hex_of($_[0], '&#%d;') . '</c>', type => 'text/xml') } ],
    [ 'two types', 'BODY_TYPE', sub { (body => form($_[0]), more => [ 'Content-Type' => 'application/x-www-form-urlencoded' ]) } ],

    # JSON
    [ 'letters of the name escaped', 'RESERVED', sub { (body => text($_[0]) =~ s/"coupons"/"\\u0063oupons"/r) } ],
    [ 'the code escaped', 'RESERVED',
      sub { my $code = hex_of($_[0], '\u%04x'); (body => text($_[0]) =~ s/"$_[0]"/"$code"/r) } ],
    [ 'the code in lower case, with dashes', 'RESERVED',
      sub { my $code = lc join '-', $_[0] =~ /(.{4})/g; (body => text($_[0]) =~ s/"$_[0]"/"$code"/r) } ],
    [ 'a text instead of a list', 'RESERVED', sub { (body => plain($_[0], qq("coupons":"$_[0]"))) } ],
    [ 'a second member behind', 'BODY_DUPLICATE_MEMBER', sub { (body => plain($_[0], qq("coupons":[],"coupons":["$_[0]"]))) } ],
    [ 'a second member before', 'BODY_DUPLICATE_MEMBER', sub { (body => plain($_[0], qq("coupons":["$_[0]"],"coupons":[]))) } ],
    [ 'the same name in another case', 'BODY_DUPLICATE_MEMBER',
      sub { (body => plain($_[0], qq("coupons":[],"Coupons":["$_[0]"]))) } ],
    [ 'another case alone', 'BODY_DUPLICATE_MEMBER', sub { (body => plain($_[0], qq("COUPONS":["$_[0]"]))) } ],
    [ 'a long s in its name', 'BODY_DUPLICATE_MEMBER', sub { (body => plain($_[0], qq("coupon\xc5\xbf":["$_[0]"]))) } ],
    [ 'a long s, escaped, behind a second member', 'BODY_DUPLICATE_MEMBER',
      sub { (body => plain($_[0], qq("coupons":[],"coupon\\u017f":["$_[0]"]))) } ],
    [ 'a member of another name', 'GUARD_REFUSED', sub { (body => plain($_[0], qq("coupon":"$_[0]"))) } ],
    [ 'a member deeper inside', 'GUARD_REFUSED', sub { (body => plain($_[0], qq("order":{"x":[{"promo":"$_[0]"}]}))) } ],
    [ 'a name instead of a text', 'GUARD_REFUSED', sub { (body => plain($_[0], qq("promos":{"$_[0]":true}))) } ],
    [ 'a member of another name, escaped', 'GUARD_REFUSED',
      sub { my $code = hex_of($_[0], '%%%02x'); (body => plain($_[0], qq("q":"coupon=$code"))) } ],
    [ 'an object in a list', 'BODY_MALFORMED', sub { (body => plain($_[0], qq("coupons":[{"code":"$_[0]"}]))) } ],
    [ 'a comment', 'BODY_MALFORMED', sub { (body => text($_[0]) =~ s/^\{/{\/* *\//r) } ],
    [ 'a comma too many', 'BODY_MALFORMED', sub { (body => text($_[0]) =~ s/\}$/,}/r) } ],
    [ 'single quotes', 'BODY_MALFORMED', sub { (body => text($_[0]) =~ tr/"/'/r) } ],
    [ 'two values', 'BODY_MALFORMED', sub { (body => text($_[0], none => 1) . text($_[0])) } ],
    [ 'a list around it', 'BODY_MALFORMED', sub { (body => '[' . text($_[0]) . ']') } ],
    [ 'a NUL in the name', 'BODY_MALFORMED', sub { (body => plain($_[0], qq("coupons\\u0000x":["$_[0]"]))) } ],
    [ 'a large one', 'BODY_TOO_LARGE', sub { (body => text($_[0], note => 'x' x 70_000)) } ],

    # the query
    [ 'in the query', 'GUARD_REFUSED', sub { (uri => "/api/orders?coupon=$_[0]", body => text($_[0], none => 1)) } ],
    [ 'in the query, as a list', 'GUARD_REFUSED',
      sub { (uri => "/api/orders?a=b&coupons%5B%5D=$_[0]", body => text($_[0], none => 1)) } ],
    [ 'in the query, escaped', 'GUARD_REFUSED',
      sub { (uri => '/api/orders?coupon=' . hex_of($_[0], '%%%02x'), body => text($_[0], none => 1)) } ],
    [ 'in the query, escaped twice', 'GUARD_REFUSED',
      sub { (uri => '/api/orders?coupon=' . hex_of($_[0], '%%25%02x'), body => text($_[0], none => 1)) } ],
    [ 'in the query, without a body', 'GUARD_REFUSED', sub { (uri => "/api/orders?coupon=$_[0]") } ],
    [ 'in the query, with dashes', 'GUARD_REFUSED',
      sub { (uri => '/api/orders?coupon=' . lc join('-', $_[0] =~ /(.{5})/g), body => text($_[0], none => 1)) } ],
    [ 'in the query, behind a fragment mark', 'GUARD_REFUSED',
      sub { (uri => "/api/orders?a=b#&coupon=$_[0]", body => text($_[0], none => 1)) } ],
    [ 'behind a fragment mark', 'GUARD_REFUSED',
      sub { (uri => "/api/orders#?coupon=$_[0]", body => text($_[0], none => 1)) } ],
    [ 'GET, the coupon behind a fragment mark', 'GUARD_REFUSED',
      sub { (method => 'GET', uri => "/api/orders#?coupon=$_[0]") } ],
    [ 'behind a fragment mark and in the body', 'RESERVED',
      sub { (uri => "/api/orders#?coupon=$_[0]", body => text($_[0])) } ],
    [ 'in the query and in the body', 'RESERVED', sub { (uri => "/api/orders?coupon=$_[0]", body => text($_[0])) } ],
);

cmp_ok(scalar @table, '>=', 60, scalar(@table) . ' spellings');

my @through;

for my $line (@table) {
    my ($name, $want, $make) = @$line;
    my ($answer, $code, @honoured) = try($make, 8080);

    if ($want eq 'RESERVED') {
        is($answer->status, 200, "$name: passes") or diag $answer->{raw};
        is_deeply(\@honoured, [ $code ], "$name: the backend honours it");
        is(state($code), 'reserved', "$name: and the edge has reserved it");
        next;
    }

    is($answer->code // $answer->status, $want, "$name: $want") or diag $answer->{raw};
    is_deeply(\@honoured, [], "$name: the backend honours nothing");
    is(state($code), 'issued', "$name: the coupon is free");
}

# one code may not carry another one past the edge

{
    my ($mine, $other) = splice @codes, 0, 2;
    my ($answer, undef, @honoured) = try(sub { (uri => "/api/orders?coupon=$other", body => text($mine)) }, 8080);

    is($answer->code, 'GUARD_REFUSED', 'a second coupon in the query');
    is_deeply(\@honoured, [], '... is not honoured');
    is(state($mine), 'issued', '... and the first one not reserved');
}

# what is no coupon of ours is no matter of the guard's

for my $query ('coupon=SUMMER', 'a=80010000000MNS12GS6A', 'a=' . 'x' x 3000, 'a=' . '8' x 20, '%', '%%%', 'a=%zz' . '8' x 20) {
    my ($answer) = try(sub { (uri => "/api/orders?$query", body => text($_[0], none => 1)) }, 8080);

    is($answer->status, 200, 'passes: ' . substr $query, 0, 30) or diag $answer->{raw};
}

is((try(sub { (uri => '/api/orders?' . join('&', ('9' x 20) x 150), body => text($_[0], none => 1)) }, 8080))[0]->status,
   200, 'words that only look like codes');

is((try(sub { (body => plain($_[0], '"n":[' . join(',', map { '"' . 'A' . $_ x 15 . '"' } (1000 .. 1100)) . ']')) },
        8080))[0]->status, 200, 'many of them');

# without the guard: the table can fail

for my $line (@table) {
    my ($name, $want, $make) = @$line;
    my ($answer, $code, @honoured) = try($make, 8082);

    push @through, $name if grep { state($_) eq 'issued' } @honoured;
}

cmp_ok(scalar @through, '>=', 15, 'without the guard, ' . @through . ' spellings get a coupon past the edge')
    or diag explain \@through;
ok(!(grep { /charset|gzip|UTF|deflate|form|multipart|second member|long s|comment/ } @through),
   'what the order location itself refuses stays out') or diag explain \@through;

$t->done_testing;


# (answer, the code, what the backend honoured)

sub try
{
    my ($make, $port) = @_;
    my $code = shift @codes // die 'no codes are left';
    my %o = $make->($code);
    my $type = exists $o{type} ? $o{type} : $JSON;
    my $body = $o{body} // '';

    my $head = ($o{method} // 'POST') . ' ' . ($o{uri} // '/api/orders') . ' HTTP/' . ($o{version} // '1.1')
        . "\r\nHost: localhost\r\nConnection: close\r\nX-User: u$n\r\n";

    $head .= "Content-Type: $type\r\n" if defined $type && length $body;
    $head .= $o{chunked} ? "Transfer-Encoding: chunked\r\n" : 'Content-Length: ' . length($body) . "\r\n"
        if length $body || ($o{method} // 'POST') ne 'GET';

    my @more = @{$o{more} || []};
    while (my ($name, $value) = splice @more, 0, 2) {
        $head .= "$name: $value\r\n";
    }

    truncate $t->dir . '/lenient.jsonl', 0;         # the backend appends

    my $answer = $t->raw("$head\r\n$body", port => $port);
    my @seen = map { json->decode($_) } grep { length } split /\n/, $t->read_file('lenient.jsonl');

    return ($answer, $code, map { @{$_->{honoured}} } @seen);
}


sub chunked
{
    my ($text) = @_;

    return join '', (map { sprintf "%x\r\n%s\r\n", length, $_ } $text =~ /(.{1,20})/gs), "0\r\n\r\n";
}


sub state
{
    my ($code) = @_;

    return $t->cli_ok('coupon', 'show', $code) =~ /^state\s+(\S+)/m ? $1 : undef;
}
