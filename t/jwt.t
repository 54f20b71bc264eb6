#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# Users by JSON Web Token: who is bound and spends, what is refused and what is told then, keys that rotate, variables,
# and key files that nginx -t refuses.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use MIME::Base64 qw(encode_base64url);

use lib 't/lib';
use Test::More;
use Test::NgxCommerce qw(json);

my $t = Test::NgxCommerce->new;
my $T0 = 1_800_000_000;
my $dir = $t->dir;
my %secret = (a => 'secret number one, of 32 bytes!!', b => 'secret number two, also 32 bytes');

sub openssl
{
    my @command = @_;

    system(qq{openssl @command 2>/dev/null}) == 0 or die "openssl @command failed\n";
}

sub slurp { return $t->read_file($_[0]) }

sub key_file
{
    my ($name, $text, $mode) = @_;
    my $file = $t->write_file($name, ref $text ? json()->encode($text) : $text);

    chmod $mode // 0600, $file or die "chmod: $!\n";

    return $file;
}

sub oct_key { return { kty => 'oct', kid => $_[0], k => encode_base64url($secret{$_[0]}) } }

sub rsa_key
{
    my ($kid, $pem) = @_;
    my ($hex) = `openssl rsa -in $dir/$pem -noout -modulus` =~ /=([0-9A-F]+)/ or die "no modulus\n";

    return { kty => 'RSA', kid => $kid, n => encode_base64url(pack 'H*', $hex), e => 'AQAB' };
}

openssl('genrsa', '-out', "$dir/$_.pem", $_ eq 'short' ? 1024 : 2048) for qw(r s short);
openssl('rsa', '-in', "$dir/$_.pem", '-pubout', '-out', "$dir/$_.pub") for qw(r s short);

# header, claims, and what signs it: a secret's kid, or an RSA key's file

sub token
{
    my ($header, $claims, $by, %o) = @_;
    my $text = join '.', map { encode_base64url(ref ? json()->encode($_) : $_) } $header, $claims;

    return "$text." . encode_base64url(hmac_sha256($text, $secret{$by} // $by)) if $by !~ /^[rs]$/;

    $t->write_file('to_sign', $text);
    openssl('dgst', '-sha256', '-sign', "$dir/$by.pem", '-out', "$dir/signature", "$dir/to_sign");

    return "$text." . encode_base64url(slurp('signature'));
}

sub hs { my ($user, %claims) = @_; return token({ alg => 'HS256', kid => 'a' }, { claims($user), %claims }, 'a') }
sub rs { my ($user, %claims) = @_; return token({ alg => 'RS256', kid => 'r' }, { claims($user), %claims }, 'r') }
sub claims { return (sub => $_[0], iss => 'https://id.test', aud => [ 'pay', 'shop' ], exp => $T0 + 3600) }
sub bearer { return headers => [ 'Authorization', "Bearer $_[0]" ] }
sub who { my $answer = $t->get('/who', bearer($_[0])); return $answer->body }

$t->clock($T0);
$t->keys;
$t->people("id,role,status,upline,user\nA,guide,active,,u-a\n");
$t->campaign(id => 'c1', discount => { fixed => 500 }, from => '2020-01-01T00:00:00Z', until => '2030-01-01T00:00:00Z');

my ($code) = $t->coupons('c1', 1);
my $share = $t->token('A');

key_file('set.json', { keys => [ oct_key('a'), rsa_key('r', 'r.pem'), { kty => 'EC', crv => 'P-256', kid => 'e' } ] });

my $conf = <<'EOC';
    map $commerce_user $signed_in { default yes; "" no; }

    server {
        listen          127.0.0.1:8080;
        commerce_shop   demo;
        commerce        enforce;
        commerce_touch  share $arg_st;
        commerce_user_jwt  $http_authorization keys=%%DIR%%/set.json iss=https://id.test aud=shop;

        location / { proxy_pass http://127.0.0.1:8081; }
        location = /share { commerce_share; }
        location = /who { commerce off; return 200 "$commerce_user/$commerce_user_reason/$signed_in"; }

        location = /members {
            if ($commerce_user = "") { return 401; }
            proxy_pass http://127.0.0.1:8081;
        }

        location = /orders {
            commerce_order          key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line     id=/sku qty=/count price=/price;
            commerce_coupon_code    json:/coupons;
            commerce_coupon_redeem  on=paid deadline=16m;
            proxy_pass              http://127.0.0.1:8081/api/orders;
        }

        location = /cookie {
            commerce_user_jwt  $cookie_session keys=%%DIR%%/r.pub alg=RS256 claim=/user/id skew=0;
            return 200 "$commerce_user/$commerce_user_reason";
        }

        location = /claimed { commerce_user $arg_u; return 200 "$commerce_user/$commerce_user_reason"; }
        location = /verified { commerce_user $arg_u verified; return 200 "$commerce_user/$commerce_user_reason"; }
    }
EOC

$t->storefront(8081);
$t->http_conf($conf)->run;


# a good token: the user is bound, spends, and is a seller

sub page { my (%o) = @_; return $t->get("/goods/1?st=$share", %o)->json->{headers}{'x-commerce-reason'} }

sub order
{
    my ($key, %o) = @_;
    my $answer = $t->post('/orders', { client_key => $key, items => [ { sku => 'A', count => 1, price => 9900 } ],
                                       coupons => [ $code ] }, %o);

    return join ' ', $answer->status, $answer->code // '';
}

is(page(bearer(hs('dora'))), 'BIND_NEW', 'HS256: a page view binds');
is(page(bearer(rs('emil'))), 'BIND_NEW', 'RS256: a page view binds');
is(page(bearer(rs('emil'))), 'ATTR_OK', 'the same token again') or diag page(bearer(rs('emil')));
is($t->post('/share', '', bearer(rs('u-a')))->json->{seller}, 'A', 'a seller gets a token');

is(order('k1', bearer(hs('dora', exp => $T0 - 31))), '401 COUPON_CUSTOMER_REQUIRED', 'expired: no coupon is spent');
is(order('k1', bearer('x.y.z')), '401 COUPON_CUSTOMER_REQUIRED', 'rubbish: no coupon is spent');
is(order('k1'), '401 COUPON_CUSTOMER_REQUIRED', 'nothing: no coupon is spent');
is(order('k1', bearer(hs('dora'))), '200 0', 'a good one spends');
is(($t->wait_events('coupon_reserve', 1))[0]{order_key}, 'k1', 'and it is reserved');


# what is refused, and what is told then

my $good = hs('dora');
my $rsa = rs('dora');
my ($head, $body, $mac) = split /\./, $good;
my $pem = slurp('r.pub');

is(who($good), 'dora/OK/yes', 'HS256');
is(who($rsa), 'dora/OK/yes', 'RS256');
is(who($rsa), 'dora/OK/yes', 'RS256 again: remembered');
is(who(hs(JSON::PP::decode_json('[9007199254740993]')->[0])), '9007199254740993/OK/yes', 'an integer past 2^53');
is($t->get('/who')->body, '//no', 'no token, no reason');
is($t->get('/who', headers => [ 'Authorization', 'bearer   ' . $good ])->body, 'dora/OK/yes', 'the scheme in lower case');
is($t->get('/who', headers => [ 'Authorization', $good ])->body, 'dora/OK/yes', 'without a scheme');

for my $case (
    [ 'rubbish', 'JWT_MALFORMED', 'x.y.z' ],
    [ 'an endless one', 'JWT_MALFORMED', 'a' x 7000 . '.b.c' ],
    [ 'another payload', 'JWT_BAD_SIGNATURE', join '.', $head, encode_base64url(json()->encode({ claims('eva') })), $mac ],
    [ 'another header', 'JWT_BAD_SIGNATURE', join '.', encode_base64url('{"kid":"a","alg":"HS256"} '), $body, $mac ],
    [ 'by another secret', 'JWT_BAD_SIGNATURE', token({ alg => 'HS256', kid => 'a' }, { claims('dora') }, 'b') ],
    [ 'by another RSA key', 'JWT_BAD_SIGNATURE', token({ alg => 'RS256', kid => 'r' }, { claims('dora') }, 's') ],
    [ 'an unknown kid', 'JWT_KEY_UNKNOWN', token({ alg => 'HS256', kid => 'b' }, { claims('dora') }, 'b') ],
    [ 'none, unsigned', 'JWT_MALFORMED', encode_base64url('{"alg":"none"}') . ".$body." ],
    [ 'none, signed', 'JWT_KEY_UNKNOWN', token({ alg => 'none', kid => 'a' }, { claims('dora') }, 'a') ],
    [ 'another case', 'JWT_KEY_UNKNOWN', token({ alg => 'hs256', kid => 'a' }, { claims('dora') }, 'a') ],
    [ 'HS256 by the public key', 'JWT_KEY_UNKNOWN', token({ alg => 'HS256', kid => 'r' }, { claims('dora') }, $pem) ],
    [ 'HS256 called RS256', 'JWT_BAD_SIGNATURE', token({ alg => 'RS256', kid => 'r' }, { claims('dora') }, $pem) ],
    [ 'RS256 called HS256', 'JWT_BAD_SIGNATURE', token({ alg => 'HS256', kid => 'a' }, { claims('dora') }, 'r') ],
    [ 'crit', 'JWT_MALFORMED', token({ alg => 'HS256', kid => 'a', crit => [ 'exp' ] }, { claims('dora') }, 'a') ],
    [ 'b64', 'JWT_MALFORMED', token('{"alg":"HS256","kid":"a","b64":false}', { claims('dora') }, 'a') ],
    [ 'a verdict of ours', 'JWT_MALFORMED', token({ alg => 'HS256', kid => 'a', typ => 'commerce-verdict+jwt' },
                                                  { claims('dora') }, 'a') ],
    [ 'a member twice', 'JWT_MALFORMED', token('{"alg":"HS256","kid":"a","alg":"none"}', { claims('dora') }, 'a') ],
    [ 'expired', 'JWT_EXPIRED', hs('dora', exp => $T0 - 30) ],
    [ 'without an end', 'JWT_CLAIMS', hs('dora', exp => undef) ],
    [ 'not yet', 'JWT_NOT_YET', hs('dora', nbf => $T0 + 31) ],
    [ 'another issuer', 'JWT_CLAIMS', hs('dora', iss => 'https://other.test') ],
    [ 'another audience', 'JWT_CLAIMS', hs('dora', aud => 'pay') ],
    [ 'no user', 'JWT_CLAIMS', hs(undef) ])
{
    my ($name, $reason, $token) = @$case;

    is(who($token), "/$reason/no", "$name: $reason");
    is(page(bearer($token)), $reason, "$name: a page is served, and the backend told");
}

my $expired = sub { return grep { ($_->{reason} // '') eq 'JWT_EXPIRED' } @_ };
my @visits = $expired->($t->wait_events($expired));
ok(@visits, 'the log has the reason');
ok(!grep({ exists $_->{buyer} } @visits), 'and nobody');

is($t->get('/members', bearer($good))->status, 200, 'if: a member');
is($t->get('/members')->status, 401, 'if: nobody');
is($t->get('/members', bearer("${good}A"))->status, 401, 'if: no good token');


# time, to the second, also of a token that is remembered

$t->clock($T0 + 3629);
is(who($good), 'dora/OK/yes', 'its last second, with the skew');
is(who($rsa), 'dora/OK/yes', 'its last second, remembered');
$t->clock($T0 + 3630);
is(who($good), '/JWT_EXPIRED/no', 'over');
is(who($rsa), '/JWT_EXPIRED/no', 'over, though it was remembered');
$t->clock($T0);


# another source, one PEM key, another claim; plain users

my $session = token({ alg => 'RS256', kid => 'whatever' }, { user => { id => 77 }, exp => $T0 + 1 }, 'r');

is($t->get('/cookie', headers => [ 'Cookie', "session=$session" ])->body, '77/OK', 'a cookie, a PEM file, a claim');
is($t->get('/cookie', bearer($good))->body, '/', 'the header is not its source');
is($t->get('/cookie', headers => [ 'Cookie', "session=$good" ])->body, '/JWT_KEY_UNKNOWN', 'no secret is there');
is($t->get('/claimed?u=x', bearer($good))->body, '/', 'a claimed user is no $commerce_user');
is($t->get('/verified?u=x', bearer($good))->body, 'x/', 'a verified one is');


# a new key comes in before the old one goes

my $next = token({ alg => 'HS256', kid => 'b' }, { claims('dora') }, 'b');

key_file('set.json', { keys => [ oct_key('a'), oct_key('b'), rsa_key('r', 'r.pem') ] });
ok($t->reload(wait => 1), 'reload: both keys');
is(who($_), 'dora/OK/yes', 'both are good') for $good, $next, $rsa;

key_file('set.json', { keys => [ oct_key('b'), rsa_key('s', 's.pem') ] });
ok($t->reload(wait => 1), 'reload: the new ones');
is(who($next), 'dora/OK/yes', 'the new one is good');
is(who($good), '/JWT_KEY_UNKNOWN/no', 'the old one is not');
is(who($rsa), '/JWT_KEY_UNKNOWN/no', 'nor one that was remembered');

unlike(slurp('error.log') . slurp('events.jsonl'), qr/\Q$body\E|\Q$mac\E|secret number|eyJ/, 'no token, no key in a log');


# what nginx -t refuses

sub fails
{
    my ($line, $want, $name) = @_;

    $t->conf_fails("server { listen 127.0.0.1:8080; commerce_shop demo; $line; }", qr/$want.* in .*test\.conf:\d+/, $name);
}

my $jwt = 'commerce_user_jwt $http_authorization';

fails($jwt, 'invalid number of arguments in "commerce_user_jwt"', 'no keys');
fails("$jwt iss=x", '"commerce_user_jwt" directive needs keys=FILE', 'no keys, but another word');
fails("$jwt keys=$dir/set.json $_", "invalid parameter \"\Q$_\E\" in \"commerce_user_jwt\", allowed: keys=FILE", $_)
    for 'alg=none', 'alg=hs256', 'alg=ES256', 'claim=sub', 'skew=11m', 'skew=x', 'iss=', 'colour=red', 'required', 'keys=b';
fails("commerce_user_jwt json:/token keys=$dir/set.json", 'invalid source "json:/token"', 'a body');
fails("commerce_user \$arg_u; $jwt keys=$dir/set.json", 'cannot stand beside "commerce_user"', 'beside a plain user');
fails("$jwt keys=$dir/set.json; commerce_user \$arg_u", 'cannot stand beside "commerce_user_jwt"', 'a plain user beside it');
fails("$jwt keys=$dir/set.json; $jwt keys=$dir/set.json", 'is duplicate', 'twice');

my $n = 0;

for my $case (
    [ 'is not a regular file', undef, undef, $dir ],
    [ 'cannot be opened: No such file', undef, undef, "$dir/absent.json" ],
    [ 'has mode 0640: its group and others must have no access', { keys => [ oct_key('a') ] }, 0640 ],
    [ 'has mode 0666: whoever may write it', { keys => [ rsa_key('r', 'r.pem') ] }, 0666 ],
    [ 'has a secret of less than 32 bytes in key number 2',
      { keys => [ oct_key('a'), { kty => 'oct', kid => 'x', k => encode_base64url('y' x 31) } ] } ],
    [ 'has an RSA modulus of less than 2048 bits in key number 1', { keys => [ rsa_key('r', 'short.pem') ] } ],
    [ 'has an RSA modulus of less than 2048 bits', slurp('short.pub') ],
    [ 'has the kid of an earlier key of its algorithm in key number 2', { keys => [ oct_key('a'), oct_key('a') ] } ],
    [ 'has an algorithm of which there are several keys, and not all of them have a kid in key number 2',
      { keys => [ oct_key('a'), { kty => 'oct', k => encode_base64url($secret{b}) } ] } ],
    [ 'has a private key in it', slurp('r.pem') ],
    [ 'has a private RSA key', { keys => [ { %{rsa_key('r', 'r.pem')}, d => 'AQAB' } ] } ],
    [ 'has several keys in PEM', slurp('r.pub') . slurp('s.pub') ],
    [ 'has neither a JWK Set nor PEM', 'secret' ],
    [ 'has neither a JWK Set nor PEM', '' ],
    [ 'has no JSON in it that can be read', '{"keys":[' ],
    [ 'has no JWK Set in it', oct_key('a') ],
    [ 'has no key that checks HS256 or RS256', { keys => [] } ],
    [ 'has no key that checks HS256 or RS256', { keys => [ { kty => 'EC' }, { %{oct_key('a')}, alg => 'HS512' },
                                                           { %{oct_key('b')}, use => 'enc' },
                                                           { %{oct_key('b')}, key_ops => [ 'sign' ] } ] } ],
    [ 'has no k in base64url', { keys => [ { kty => 'oct', k => 'a' x 43 . '=' } ] } ],
    [ 'has an even RSA modulus, or a public exponent', { keys => [ { %{rsa_key('r', 'r.pem')}, e => 'AQ' } ] } ])
{
    my ($want, $text, $mode, $path) = @$case;

    $path //= key_file('bad' . $n++, $text, $mode);
    fails("$jwt keys=$path", "\"commerce_user_jwt\" keys file \"\Q$path\E\" \Q$want\E", $want);
}

fails("$jwt keys=" . key_file('rsa_only.json', { keys => [ rsa_key('r', 'r.pem') ] }, 0644) . ' alg=HS256',
      'has no key that checks HS256', 'none of the wanted algorithm');
$t->conf_ok("server { listen 127.0.0.1:8080; commerce_shop demo; $jwt keys=rsa_only.json alg=RS256; }",
            'public keys may be read by others; the path is relative to the configuration');

$t->done_testing;
