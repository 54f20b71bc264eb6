# Copyright (C) ngx_commerce authors
#
# ci/bench: stores, servers and their configurations, requests, load.

use strict;
use warnings;

use File::Path qw(remove_tree);
use IO::Socket::INET;
use JSON::PP ();
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

our ($ROOT, $DIR, $SHOP, @MODULES, $BUYERS, $SELLERS, $CODES, $CPUS);
our (%port, %master, $code, $claimer, @tokens, @codes);


# people, a campaign and coupons in a store of its own; its codes are the same each time

sub store_make
{
    stop('gateway');
    remove_tree("$DIR/store");
    mkdir "$DIR/store", 0700 or fail("cannot make the store: $!");

    my $people = "id,role,status,upline,user\n";
    $people .= sprintf "seller-%05d,koc,active,%s,seller-user-%05d\n", $_,
        $_ % 2 ? '' : sprintf('seller-%05d', $_ - 1), $_ for 1 .. $SELLERS;

    write_file('people.csv', $people);
    write_file('campaign.json', JSON::PP->new->encode({ v => 1, id => 'bench', enabled => JSON::PP::true,
        discount => { fixed => 1000 }, limits => { total => 100_000_000, user => 100_000_000 } }));

    write_file('drop.json', JSON::PP->new->encode({ v => 2, id => 'drop', enabled => JSON::PP::true,
        discount => { fixed => 1000 }, claim => { stock => 100_000_000, user => 1 } }));

    commerce('people', 'import', "$DIR/people.csv");
    commerce('campaign', 'put', "$DIR/$_.json") for qw(campaign drop);

    my @lines = split /\n/, commerce('coupon', 'mint', 'bench', $CODES);

    shift @lines;
    @codes = map { (split /,/)[0] } @lines;
    $code = 0;
}


sub upstream_start
{
    my $page = '{"code":0,"page":"' . 'x' x 1000 . '","seller":"$http_x_commerce_seller"}';

    write_file('upstream.conf', <<"CONF");
${\ globals('upstream', 1, 1) }
http {
    ${\ http_globals() }
    server {
        listen       127.0.0.1:$port{upstream};
        default_type application/json;
        location / { return 200 '$page'; }
        location /order { return 200
            '{"code":0,"data":{"order_no":"N-\$http_idempotency_key"},"coupon":"\$http_x_commerce_coupon"}'; }
    }
}
CONF
    start('upstream');
}


sub globals
{
    my ($name, $workers, $cpu, @load) = @_;
    my $affinity = $workers == 1 && $CPUS > 1 && defined $cpu
        ? 'worker_cpu_affinity ' . ($cpu ? '10;' : '01;') : '';

    return join "\n", (map { "load_module $DIR/$_.so;" } @load),
        ($> == 0 ? 'user root;' : ()),
        "pid $DIR/$name.pid;", "error_log $DIR/$name.log warn;", "worker_processes $workers;", $affinity,
        'events { worker_connections 4096; }';
}


sub http_globals
{
    return join "\n    ", (map { "${_}_temp_path $DIR/${_}_temp;" } qw(client_body proxy fastcgi uwsgi scgi)),
        'access_log off;', 'keepalive_requests 100000000;', 'keepalive_timeout 300s;';
}


sub proxy
{
    return "proxy_pass http://upstream; proxy_http_version 1.1; proxy_set_header Connection '';";
}


sub upstream_block
{
    return "upstream upstream { server 127.0.0.1:$port{upstream}; keepalive 600; "
        . "keepalive_requests 100000000; }";
}


sub bare_conf
{
    my ($cpu) = @_;

    write_file('bare.conf', <<"CONF");
${\ globals('bare', 1, $cpu) }
http {
    ${\ http_globals() }
    ${\ upstream_block() }
    server {
        listen 127.0.0.1:$port{bare};
        location / { ${\ proxy() } }
    }
}
CONF
}


sub gateway_conf
{
    my ($workers, $cpu, $map) = @_;
    my $order = 'commerce_coupon_redeem on=order deadline=16m; ' . proxy();

    write_file('gateway.conf', <<"CONF");
${\ globals('gateway', $workers, $cpu, @MODULES) }
http {
    ${\ http_globals() }
    ${\ upstream_block() }

    commerce_store     lmdb:$DIR/store map=$map;
    commerce_keys      $DIR/keys.json;
    commerce_event_log $DIR/events.jsonl flush=1s;
    commerce_node      bench;

    server {
        listen          127.0.0.1:$port{gateway} ${\ ($workers > 1 ? 'reuseport' : '') };
        commerce_shop   $SHOP;
        commerce_user   \$http_x_user verified;
        commerce_touch  share \$arg_st;
        commerce        enforce;

        location / { ${\ proxy() } }
        location /off { commerce off; ${\ proxy() } }

        location /order {
            commerce_order key=\$http_x_key;
            commerce_order_success status=200;
            commerce_coupon_code \$arg_cp;
            $order
        }

        location /order/answer {
            commerce_order key=\$http_x_key id=response:/data/order_no;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code \$arg_cp;
            $order
        }

        location /order/json {
            commerce_order key=json:/client_key lines=json:/items;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200;
            commerce_coupon_code json:/coupons;
            $order
        }

        location = /claim { commerce_coupon_claim campaign=\$arg_campaign; }

        location = /status { commerce off; commerce_status; }
    }
}
CONF
}


# the same job in Lua (peer.lua): the keys and the people are given to it, it has no store

sub lua_conf
{
    my ($cpu) = @_;
    my ($share, $coupon) = split /\n/, run("$DIR/tokens", "$DIR/keys.json", $SHOP, 'keys');
    my $event = '"v":1,"id":"$request_id","ts":$msec,"shop":"' . $SHOP . '","buyer":"$http_x_user",'
        . '"verified":true,"method":"$request_method","uri":"$uri","status":$status,"seller":"$seller",'
        . '"tier2":"$tier2","reason":"$reason"';
    my $globals = globals('lua', 1, $cpu);

    write_file('lua.conf', <<"CONF");
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
$globals
http {
    ${\ http_globals() }
    ${\ upstream_block() }

    lua_package_path '$ROOT/t/bench/?.lua;;';
    lua_shared_dict  bindings 64m;
    lua_shared_dict  coupons 256m;
    lua_shared_dict  orders 512m;
    lua_shared_dict  counters 16m;

    init_by_lua_block {
        peer = require 'peer'
        peer.init('$share', '$coupon', $SELLERS)
    }

    log_format visit escape=json '{"type":"visit",$event}';
    log_format order escape=json '{"type":"order",$event,"order_key":"\$http_x_key","serial":"\$serial"}';

    server {
        listen 127.0.0.1:$port{lua};

        set \$seller ''; set \$tier2 ''; set \$reason ''; set \$serial '';

        location / {
            access_by_lua_block { peer.view() }
            access_log $DIR/lua.jsonl visit buffer=64k flush=1s;
            ${\ proxy() }
        }

        location /order {
            access_by_lua_block { peer.order() }
            log_by_lua_block { peer.outcome() }
            access_log $DIR/lua.jsonl order buffer=64k flush=1s;
            ${\ proxy() }
        }

        location = /stat { content_by_lua_block { peer.stat() } }
    }
}
CONF
}


# requests

sub request
{
    my ($method, $uri, $headers, $body) = @_;

    return "$method $uri HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: bench\r\nAccept: */*\r\n$headers"
        . (defined $body ? 'Content-Length: ' . length($body) . "\r\n\r\n$body" : "\r\n");
}


sub user { return sprintf "X-User: buyer-%05d\r\n", $_[0] }


# one of twenty links that many follow, of sellers with and without a recruiter

sub token { return $tokens[($_[0] % 20) * int(@tokens / 20)] }


# the i-th buyer's view of such a link, or of one of his own

sub view
{
    my ($i, $own, $prefix) = @_;
    my $token = $own ? $tokens[$i % @tokens] : token($i);

    return request('GET', ($prefix // '') . "/item/4711?st=$token&from=singlemessage",
        user($own ? 100_000 + $i : $i % $BUYERS));
}


sub order
{
    my ($place, $json) = @_;
    my $i = $code++;
    my $buyer = $i % $BUYERS;
    my $token = token($buyer);

    fail('out of coupons') if $i >= @codes;

    return request('POST', "/order$place?st=$token&cp=$codes[$i]",
        user($buyer) . sprintf("X-Key: order-%024d\r\n", $i), '') unless $json;

    return request('POST', "/order$place?st=$token", user($buyer) . "Content-Type: application/json\r\n",
        json_order($i));
}


# a coupon for somebody who has none

sub claim { return request('POST', '/claim?campaign=drop', sprintf("X-User: claimer-%09d\r\n", $claimer++), '') }


# 1 KB, as a storefront's front-end writes it

sub json_order
{
    my ($i) = @_;
    my $body = sprintf '{"client_key":"order-%024d","coupons":["%s"],"items":[', $i, $codes[$i];

    $body .= join ',', map { sprintf '{"sku":"SKU-2026-%04d","count":%d,"price":%d,"title":"Green tea, first '
        . 'harvest","attrs":{"size":"250g","gift":false}}', $_, 1 + $_ % 3, 1990 + 10 * $_ } 1 .. 6;
    $body .= '],"address":{"name":"Li Lei","phone":"13800000000","region":"310000","detail":"';

    return $body . 'n' x (1024 - length($body) - 3) . '"}}';
}


sub requests
{
    my ($name, @list) = @_;

    return write_file("$name.requests", join '', @list);
}


sub load
{
    my ($port, $file, @options) = @_;
    my @pin = $CPUS > 1 ? ('-a', 1) : ();
    my $line = run("$DIR/load", '-p', $port, '-f', $file, @pin, @options);
    my %result = $line =~ /(\w+)=([\d.]+)/g;

    fail("load: $line") unless defined $result{ok};
    fail("$result{failed} of $result{sent} requests failed: $line") if $result{failed};

    return \%result;
}


# until every step is written and every money event in the log

sub settle
{
    my ($seconds) = @_;
    my $until = time + ($seconds || 60);

    while (time < $until) {
        my $status = status();

        return $status if $status->{store}{in_flight} == 0 && !$status->{store}{outbox};
        sleep 0.02;
    }

    fail('the outbox does not drain');
}


sub status
{
    my ($body) = get($port{gateway}, request('GET', '/status', '')) =~ /\r\n\r\n(\{.*)/s;

    return JSON::PP::decode_json($body // fail('no status'));
}


# servers

sub start
{
    my ($name, $count) = @_;
    my @command = ('nginx', '-p', "$DIR/", '-c', "$DIR/$name.conf", '-g', 'daemon off;');

    unshift @command, qw(valgrind -q --tool=callgrind --compress-strings=no --compress-pos=no --dump-line=no
        --separate-threads=yes --trace-children=yes), "--callgrind-out-file=$DIR/callgrind.$name.%p" if $count;

    my $pid = fork // fail("cannot fork: $!");

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$DIR/$name.out";
        open STDERR, '>>', "$DIR/$name.out";
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        exec 'sh', '-c', 'ulimit -n 8192; exec "$@"', 'sh', @command or POSIX::_exit(127);
    }

    $master{$name} = $pid;

    for (1 .. 600) {
        return if workers($name)
            && IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port{$name});
        fail("$name does not start: " . slurp("$DIR/$name.out") . slurp("$DIR/$name.log"))
            if waitpid($pid, WNOHANG) == $pid;
        sleep 0.05;
    }

    fail("$name does not start within 30 s");
}


sub workers
{
    my ($name) = @_;

    # valgrind keeps nginx from renaming its processes: the master's children are the workers

    return split / /, slurp("/proc/$master{$name}/task/$master{$name}/children");
}


sub stop
{
    my ($name, $signal) = @_;
    my $pid = delete $master{$name} or return;

    kill $signal || 'QUIT', $pid;

    for (1 .. 600) {
        return if waitpid($pid, WNOHANG) != 0;
        kill 'TERM', $pid if $_ == 200;
        sleep 0.05;
    }

    kill 'KILL', $pid;
    waitpid $pid, 0;
}


sub get
{
    my ($port, $request) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or fail("cannot connect: $!");

    $request =~ s/\r\n\r\n/\r\nConnection: close\r\n\r\n/;
    print {$socket} $request;
    local $/;

    return <$socket> // '';
}


1;
