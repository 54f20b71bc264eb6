#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# The plugin interface: t/plugin, built as a third party builds it, against the headers alone, joins the
# pipeline; one built for another interface is refused in a sentence.

use strict;
use warnings;

use lib 't/lib';
use Cwd qw(abs_path);
use File::Copy qw(copy);
use File::Path qw(make_path);
use Test::More;
use Test::NgxCommerce qw(json);

my $root = $Test::NgxCommerce::ROOT;
my $source = $ENV{NGINX_SRC} // '/usr/share/nginx/src';
my ($configure) = grep { -x "$source/$_" } 'configure', 'auto/configure';

plan(skip_all => "no nginx source in $source: install nginx-dev, or set NGINX_SRC") unless $configure;

my $t = Test::NgxCommerce->new(shuffle => 1);
my $dir = $t->dir;
my $modules = abs_path($ENV{TEST_NGINX_MODULES} || "$root/build");

# somebody else's tree: the example, the interface's header, and the headers of src/

for my $path ('t/plugin/config', 't/plugin/ngx_http_commerce_hello_module.c', 'modules/core/ngx_commerce.h',
              map { s{^\Q$root\E/}{}r } glob "$root/src/*.h $root/src/*/*.h")
{
    my ($folder) = $path =~ m{(.*)/};

    make_path("$dir/tree/$folder");
    copy("$root/$path", "$dir/tree/$path") or die "$path: $!\n";
}

ok(configure(), 'the example configures') or $t->done_testing, exit;
ok(make(), 'and builds without a warning') or $t->done_testing, exit;

my $plugin = "$dir/objs/ngx_http_commerce_hello_module.so";

ok(-f $plugin, 'one .so') or $t->done_testing, exit;
is(join(' ', grep { /commerce_/ } undefined_symbols($plugin)), '', 'that links to nothing of ours');

# it judges, in whatever order the modules are loaded

$t->clock(1_800_000_000);
$t->keys;
$t->storefront(8081);

my $http = <<'EOC';
http {
    %%TEST_GLOBALS_HTTP%%
    %%COMMERCE%%
    server {
        listen          127.0.0.1:8080;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   $http_x_user verified;
        commerce_hello_refuse mallory "eve the second";

        location / { proxy_pass http://127.0.0.1:8081; }
        location /observed { commerce observe; proxy_pass http://127.0.0.1:8081; }
        location /off { commerce off; proxy_pass http://127.0.0.1:8081; }
        location /other { commerce_hello_refuse trent; proxy_pass http://127.0.0.1:8081; }
        location /api/orders {
            commerce_order key=json:/client_key id=response:/data/order_no;
            commerce_order_success status=200 json=/code:0;
            proxy_pass http://127.0.0.1:8081;
        }
    }
}
EOC

my $globals = $t->expand('%%TEST_GLOBALS%%');
my $events = "events {\n}\n";

$t->conf_ok("load_module $plugin;\n$globals\n$events$http", 'loaded first');
$t->conf_ok("$globals\nload_module $plugin;\n$events$http", 'loaded last');

$t->conf("$globals\nload_module $plugin;\nworker_processes 2;\n$events$http")->run;

sub as
{
    my ($user, $uri, %more) = @_;

    return ($t->parallel({ uri => $uri, headers => { 'X-User' => $user }, %more }))[0];
}

is(as('alice', '/')->status, 200, 'a user who is not listed');
is($t->get('/')->status, 200, 'nobody');
is(as('Mallory', '/')->status, 200, 'another spelling is another user');

for my $user ('mallory', 'eve the second') {
    my $answer = as($user, "/?$user" =~ tr/ /+/r);

    is($answer->status, 403, "$user is refused");
    is($answer->header('Content-Type'), 'application/problem+json', "$user: as by the modules of the house");
    is($answer->code, 'NOT_A_SELLER', "$user: code");
}

my $body = json->encode({ client_key => 'k1', items => [] });

is(as('mallory', '/api/orders', method => 'POST', body => $body)->status, 403, 'orders, too');
is(as('alice', '/api/orders', method => 'POST', body => $body)->status, 200, 'the key is free for others');
is(scalar(grep { ($_->{headers}{'x-user'} // '') =~ /mallory|eve/ } $t->received), 0, 'nothing came through');

my $observed = as('mallory', '/observed');

is($observed->status, 200, 'observe: passes');
is($observed->json->{headers}{'x-commerce-decision'}, 'would_deny', 'observe: and is told');
is(as('mallory', '/off')->status, 200, 'off: not asked');
is(as('mallory', '/other')->status, 200, 'another list');
is(as('trent', '/other')->status, 403, 'in another location');

my $denied = sub { grep { $_->{type} eq 'deny' } @_ };
my @denied = $denied->($t->wait_events(sub { $denied->(@_) >= 5 }));

is_deeply({ map { ("$_->{decision} $_->{reason} $_->{detail}" => 1) } @denied },
          { 'deny NOT_A_SELLER commerce_hello_refuse' => 1, 'would_deny NOT_A_SELLER commerce_hello_refuse' => 1 },
          'in the log');
is(scalar @denied, 5, 'each once');

ok($t->reload(wait => 1), 'reload');
is(as('mallory', '/')->status, 403, 'and still');

# without the core; built for another interface

my $coreless = join "\n", "load_module $plugin;", grep { !/^load_module/ } split /\n/, $globals;

$t->conf_fails("$coreless\n$events" . 'http { %%TEST_GLOBALS_HTTP%% }',
    qr/\[emerg\] [^\n]*"ngx_http_commerce_hello_module" requires ngx_commerce_module, add [^\n]* in \S+:\d+$/m,
    'without the core module');

my $header = $t->read_file("$dir/tree/modules/core/ngx_commerce.h");

$header =~ s/^(#define NGX_COMMERCE_ABI\s+)(\d+)/$1 . ($2 + 1)/me or die "no ABI number\n";
$t->write_file("$dir/tree/modules/core/ngx_commerce.h", $header);
ok(make(), 'built for the next interface');

my (undef, $output) = $t->nginx_test("$globals\nload_module $plugin;\n$events$http");

is(scalar(grep { /emerg/ } split /\n/, $output), 1, 'one line');
like($output, qr/"ngx_http_commerce_hello_module" and the loaded ngx_commerce_module are of different builds/,
     'that says what is wrong');
like($output, qr/, install both from one version in \S+:\d+$/m, 'and what to do');

$t->done_testing;


# nginx's own configure, in a tree of links, as ci/build does it

sub configure
{
    my @flags = split /\n/, shell(<<'EOC', $source);
        cd "$1"
        if [ -f conf_flags ]; then
            . ./conf_flags
        else
            configured=$(sed -n 's/^#define NGX_CONFIGURE "\(.*\)"$/\1/p' objs/ngx_auto_config.h 2>/dev/null)
            eval "NGX_CONF_FLAGS=( ${configured//\\\"/\"} )"
        fi
        for flag in "${NGX_CONF_FLAGS[@]:---with-compat}"; do
            case $flag in
                --add-*|--builddir=*|--with-cc*|--with-ld-opt=*) ;;
                --with-openssl=*|--with-pcre=*|--with-zlib=*) ;;
                *)  printf '%s\n' "$flag" ;;
            esac
        done
EOC

    make_path("$dir/nginx");
    symlink $_, "$dir/nginx/" . s{.*/}{}r for grep { !m{/(?:objs|Makefile)$} } glob "$source/*";

    my ($code, $log) = shell(<<'EOC', "$dir/nginx", $configure, "$dir/objs", "$dir/tree/t/plugin", @flags);
        cd "$1" && configure=$2 objs=$3 plugin=$4 && shift 4
        ASAN_OPTIONS=detect_leaks=0 "./$configure" "$@" --with-cc-opt='-O1 -fPIC -Wshadow' \
            --builddir="$objs" --add-dynamic-module="$plugin"
EOC

    diag $log if $code;

    return $code == 0;
}


sub make
{
    my ($code, $log) = shell('cd "$1" && make -f "$2/Makefile" modules', "$dir/nginx", "$dir/objs");

    diag $log if $code;

    return $code == 0 && $log !~ /warning:/;
}


sub undefined_symbols
{
    return map { /U (\S+)/ ? $1 : () } split /\n/, shell('nm -D "$1"', $_[0]);
}


# (exit code, output), or the output alone

sub shell
{
    my ($script, @args) = @_;

    open my $bash, '-|', 'bash', '-c', "exec 2>&1 </dev/null\n$script", 'bash', @args or die "bash: $!\n";
    my $output = do { local $/; <$bash> } // '';
    close $bash;

    return wantarray ? ($? >> 8, $output) : $output;
}
