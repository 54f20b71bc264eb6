#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# The READMEs against the code: directives and their contexts, variables, reasons, event types, links; and
# README.md's nginx.conf, people and campaign, as they stand there.

use strict;
use warnings;

use File::Basename qw(dirname);

use lib 't/lib';
use Test::More;
use Test::NgxCommerce qw(json);

my $t = Test::NgxCommerce->new(user => 'www-data');
my $root = $Test::NgxCommerce::ROOT;

my %readme = map { $_ => $t->read_file("$root/$_") }
    'README.md', map { s{^\Q$root\E/}{}r } glob "$root/modules/*/README.md";

my %contexts = directives();

documented_directives();
variables();
reasons();
event_types();
links();
examples();
first_page();

$t->done_testing;


# name => contexts, as a README would say it, and the module whose table has it

sub directives
{
    my %found;

    for my $file (glob "$root/modules/*/*.c") {
        my $text = $t->read_file($file);
        my ($module) = $file =~ m{/modules/(\w+)/};

        while ($text =~ /\{ ngx_string\("(commerce\w*)"\),\s+((?:NGX_\w+\|?)+),/g) {
            my ($name, $flags) = ($1, $2);

            my @in = map { $flags =~ /NGX_HTTP_$_->[0]_CONF/ ? $_->[1] : () }
                [MAIN => 'http'], [SRV => 'server'], [LOC => 'location'];

            $found{$name} = { in => join(', ', @in), module => $module };
        }
    }

    return %found;
}


sub documented_directives
{
    my %seen;

    cmp_ok(scalar keys %contexts, '>', 20, 'the tables are read');

    for my $file (sort keys %readme) {
        my ($module) = $file =~ m{^modules/(\w+)/} or next;

        while ($readme{$file} =~ /^### (commerce\w*)\n+((?: {4}.*\n)+)/gm) {
            my ($name, $head) = ($1, $2);

            ok(!$seen{$name}++, "$name: described once");
            is($contexts{$name}{module} // 'none', $module, "$name: in its module's README");
            like($head, qr/^ {4}Syntax:   \Q$name\E\b.*;/ms, "$name: syntax");
            like($head, qr/^ {4}Default: /m, "$name: default");

            my ($in) = $head =~ /^ {4}Context:  (.*?)(?:, with \w+)?$/m;
            is($in, $contexts{$name}{in}, "$name: contexts");
        }
    }

    is(join(' ', grep { !$seen{$_} } sort keys %contexts), '', 'every directive is described');
}


sub variables
{
    my $code = $t->read_file("$root/modules/core/ngx_commerce_variable.c");
    my %known = map { $_ => 1 } $code =~ /\{ ngx_string\("(commerce_\w+)"\), ngx_commerce_variable/g;

    my ($section) = $readme{'modules/core/README.md'} =~ /^## Variables\n(.*?)^## /ms;
    my %described = map { $_ => 1 } $section =~ /\$(commerce_\w+)/g;

    cmp_ok(scalar keys %known, '>', 8, 'the variables are read');
    is_deeply([sort keys %described], [sort keys %known], 'variables');

    my %named = map { $_ => 1 } map { /\$(commerce_\w+)/g } values %readme;

    is(join(' ', grep { !$known{$_} } sort keys %named), '', 'no other variable is named');
}


sub reasons
{
    my $header = $t->read_file("$root/src/commerce_reason.h");
    my @code = map { join ' ', @$_ } table($header, qr/^ +X\((\w+), +(\w+), +(\d+), +"(\w*)"\)/m);

    my ($section) = $readme{'modules/core/README.md'} =~ /^## Reasons\n(.*?)^## /ms;
    my @described = map { join ' ', $_->[0], uc $_->[1], $_->[2] || 200, $_->[3] }
        table($section, qr/^\| `(\w+)` \| (\w+) \| (\d*) ?\| (?:`(\w+)`)? ?\| \S/m);

    cmp_ok(scalar @code, '>', 70, 'the reasons are read');
    is_deeply(\@described, \@code, 'reasons: name, class, status, public code');

    my %known = map { (split / /)[0] => 1 } @code;

    $known{$_} = 1 for 'COUPON_NOT_USABLE', grep { length } map { (split / /)[3] // '' } @code;

    my ($prefixes) = map { qr/^(?:$_)_/ } join '|', sort keys %{{ map { (split /_/)[0] => 1 } keys %known }};
    my %other;

    for my $text (values %readme) {
        for my $word ($text =~ /`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g) {
            $other{$word} = 1 if $word =~ $prefixes && !$known{$word};
        }
    }

    is(join(' ', sort keys %other), '', 'no other reason is named');
}


sub table
{
    my ($text, $row) = @_;
    my @rows;

    push @rows, [map { $_ // '' } $1, $2, $3, $4] while $text =~ /$row/g;

    return @rows;
}


sub event_types
{
    my ($section) = $readme{'modules/core/README.md'} =~ /^## Event log\n(.*?)^## /ms;
    my %described;

    for my $row ($section =~ /^\| ((?:`\w+`(?:, )?)+) \| [^|]+ \| [^|]+ \|$/gm) {
        $described{$_} = 1 for $row =~ /`(\w+)`/g;
    }

    my %written;

    for my $file (glob "$root/modules/*/*.c $root/src/*.c $root/src/cli/*.c") {
        my $text = $t->read_file($file);

        $written{$_} = 1 for $text =~ /event(?:_start)?\([^;"]*"([a-z_]+)"/g, $text =~ /"(coupon_(?!reserve)\w+)"/g;
        $written{$_} = 1 for map { /"(\w+)"/g } $text =~ /(ledger_order_event\(work, [^;]*);/g;
    }

    is_deeply([sort keys %described], [sort keys %written], 'event types');

    my $schema = json()->decode($t->read_file("$root/t/event.schema.json"));
    my %enum = map { $_ => 1 } @{$schema->{properties}{type}{enum}};

    is(join(' ', grep { !$enum{$_} } sort keys %described), '', 'all of them are in the schema');
}


sub links
{
    for my $file (sort keys %readme) {
        my @broken;

        for my $link ($readme{$file} =~ /\]\(([^)\s]+)\)/g) {
            my ($path, $anchor) = split /#/, $link, 2;
            my $target = length $path ? dirname($file) . "/$path" : $file;

            $target =~ s{^\./}{};
            1 while $target =~ s{(^|/)(?!\.\.)[^/]+/\.\./}{$1};

            if (!-e "$root/$target") {
                push @broken, $link;
                next;
            }

            next unless defined $anchor;

            my %anchors = map { lc(s/[^\w -]//gr =~ s/ /-/gr) => 1 } ($readme{$target} // '') =~ /^#+ (.*)$/gm;
            push @broken, $link unless $anchors{$anchor};
        }

        is("@broken", '', "$file: links");
    }
}


# the examples of the modules' READMEs, each in a place that it fits

sub examples
{
    $t->keys;

    my $jwt = $t->write_file('jwt.json', '{"keys":[{"kty":"oct","k":"' . 'A' x 43 . '"}]}');
    chmod 0600, $jwt or die "chmod: $!\n";

    for my $file (sort grep { m{/} } keys %readme) {
        my $n = 0;

        for my $example ($readme{$file} =~ /^```nginx\n(.*?)^```/gms) {
            $n++;
            $example =~ s{/etc/nginx/commerce/jwt\.json}{$jwt};
            $t->conf_ok(place($example), "$file: example $n");
        }
    }
}


sub place
{
    my ($example) = @_;
    my ($first) = $example =~ /^(?:auth_request_set.*\n)?(\w+)/;
    my $in = $contexts{$first} ? $contexts{$first}{in} : '';
    my $upstream = 'upstream storefront { server 127.0.0.1:8081; }';
    my $commerce = '%%COMMERCE%%';
    my ($server, $location) = ('', '');
    my $shop = 'commerce_shop demo;';

    if ($first eq 'commerce_store') {
        $commerce = $example . $t->expand($commerce) =~ s/^ *commerce_store.*\n//mr;
        $commerce =~ s{/var/lib/nginx/commerce}{$t->dir . '/store'}e;
    }
    elsif ($in eq 'http') {
        $commerce .= $example;
    }
    elsif ($first eq 'commerce_shop') {
        $shop = $example;
    }
    elsif ($first eq 'server') {
        $server = $example =~ s/^server \{//r =~ s/\}\s*$//r;
    }
    elsif ($first eq 'location' || $in =~ /server/) {
        $server = $example;
    }
    else {
        $location = "location / { commerce_order key=\$arg_key; $example }";
    }

    return <<"CONF";
%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%
    $commerce
    $upstream

    server {
        listen 127.0.0.1:8080;
        $shop
        $server
        $location
    }
}
CONF
}


# README.md: what a reader copies, works

sub first_page
{
    my ($conf) = $readme{'README.md'} =~ /^```nginx\n(.*?)^```/ms;
    my ($people) = $readme{'README.md'} =~ /^```csv\n(.*?)^```/ms;
    my ($campaign) = grep { /"minimum_spend"/ } $readme{'README.md'} =~ /^```json\n(.*?)^```/gms;
    my $dir = $t->dir;

    symlink $ENV{TEST_NGINX_MODULES} || "$root/build", "$dir/modules" or die "symlink: $!\n";

    $conf =~ s{/var/lib/nginx/commerce\b}{$dir/store};
    $conf =~ s{/etc/nginx/commerce/keys\.json}{$dir/keys.json};
    $conf =~ s{/var/log/nginx/commerce\.jsonl}{$dir/events.jsonl};
    $conf =~ s{/var/log/nginx/error\.log}{$dir/error.log};
    $conf =~ s{/run/nginx\.pid}{$dir/nginx.pid};
    $conf =~ s{^http \{\n}{http \{\n    %%TEST_GLOBALS_HTTP%%\n}m;

    # workers that nobody needs, memory that a sanitizer does
    $conf =~ s{worker_processes auto}{worker_processes 2};
    $conf =~ s{(lmdb:\S+?);}{$1 map=1g;};

    unlike($conf =~ s{\Q$dir\E\S*}{}gr, qr{/(?:etc|var|run)/}, 'every path is the test\'s');
    $t->conf_ok($conf, 'nginx.conf of the first page');

    $t->people($people);
    $t->cli_ok(qw(group put g1 --leader rosa));
    $t->cli_ok('campaign', 'put', $t->write_file('autumn.json', $campaign));

    my ($code) = $t->coupons('autumn', 2);

    $t->storefront(8081, '--verdict-keys', $t->write_file('verdict.keys', $t->cli_ok(qw(keys export verdict))));
    $t->conf($conf)->run;

    my $share = $t->post('/share?group=g1', '', user => 'u-anna');
    is($share->status, 200, 'a share token') or diag($share->body);

    my $headers = $t->get('/goods/1?st=' . $share->json->{token}, user => 'dora')->json->{headers};
    is_deeply([@$headers{map { "x-commerce-$_" } qw(decision reason seller tier2 group)}],
        [qw(pass BIND_NEW anna rosa g1)], 'a view');

    my $order = { client_key => 'k1', items => [{ sku => 'A-1', count => 2, price => 9900 }], coupons => [$code] };
    my $answer = $t->post('/api/orders', $order, user => 'dora');
    is($answer->json->{data}{pay_amount}, 18800, 'an order') or diag($answer->body);

    my $paid = $t->post('/commerce/order-paid', { order_no => $answer->json->{data}{order_no} });
    is($paid->json->{state}, 'paid', 'paid') or diag($paid->body);

    my $again = $t->post('/api/orders', { %$order, client_key => 'k2' }, user => 'eva');
    is($again->status . ' ' . $again->code, '422 COUPON_NOT_USABLE', 'the coupon again');
    is($t->post('/api/order', { a => 1 }, user => 'eva')->code, 'GUARD_REFUSED', 'a side door');
    is($t->get('/commerce/status')->json->{store}{state}, 'ok', 'the status');
    is(scalar $t->wait_events('paid', 1), 1, 'the log');
}
