package Test::NgxCommerce::Load;

# Copyright (C) ngx_commerce authors
#
# Orders from several clients that fight for the same coupons, and what must hold afterwards.
#
#   my $load = Test::NgxCommerce::Load->new($t, coupons => 60);     # keys, campaign, storefront
#   $t->http_conf($load->server(8080))->run;
#   $load->start(clients => 8, seconds => 5);
#   ... do harm ...
#   $load->finish;
#   $load->check('kill -9');
#
# Several clients go for a few coupons at a time, the window moves on.  A client tries an order up to four
# times under its key as long as the answer is not definite; half of them the storefront refuses, so that
# coupons come back.

use strict;
use warnings;

use JSON::PP ();
use MIME::Base64 qw(decode_base64url);
use POSIX qw(:sys_wait_h);
use Test::More ();
use Time::HiRes qw(sleep time);

my $T0 = 1_800_000_000;
my $JSON = JSON::PP->new->utf8->canonical;


sub new
{
    my ($class, $t, %option) = @_;

    my $self = bless {
        t        => $t,
        codes    => [],
        answers  => [],
        clients  => [],
        named    => 0,
        resolved => 0,
    }, $class;

    $t->clock($T0);
    $t->keys;
    $t->people("id,role,status,upline,user\nA,guide,active,,u-a\n");
    $t->campaign(id => 'load', discount => { fixed => 100 });
    $t->storefront(8081, '--verdict-keys', $t->write_file('verdict.keys', $t->cli_ok(qw(keys export verdict))));

    $self->mint($option{coupons} // 100);

    return $self;
}


# new coupons, which the clients go for from now on

sub mint
{
    my ($self, $count) = @_;

    $self->{fresh} = [ $self->{t}->coupons('load', $count) ];
    push @{$self->{codes}}, @{$self->{fresh}};

    return @{$self->{fresh}};
}


sub codes   { return @{$_[0]{codes}} }
sub answers { return @{$_[0]{answers}} }


sub server
{
    my ($self, $port, %option) = @_;
    my $listen = $option{listen} // '';

    # few buyers fight for few coupons, again and again: once in the configuration
    my $guess = $self->{served}++ ? '' : 'commerce_coupon_guess off;';

    return <<"EOC";
    $guess

    server {
        listen          127.0.0.1:$port $listen;
        commerce_shop   demo;
        commerce        enforce;
        commerce_user   \$http_x_user verified;
        commerce_touch  share \$arg_st;

        proxy_connect_timeout 5s;
        proxy_next_upstream   off;
        add_header            X-Pid \$pid always;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no
                           payable=response:/data/pay_amount;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons;
            commerce_coupon_redeem on=order deadline=16m;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /confirm { commerce_order_confirm id=\$arg_id; }
        location = /status  { commerce off; commerce_status; }
    }
EOC
}


# one order, as a request for parallel()

sub order
{
    my ($self, $user, $key, $code, %more) = @_;

    return {
        method  => 'POST',
        uri     => '/api/orders',
        body    => {
            client_key => $key,
            items      => [ { sku => 's1', count => 1, price => 5000 } ],
            coupons    => [ defined $code ? $code : () ],
        },
        %more,
        headers => { 'X-User' => $user, %{$more{headers} || {}} },
    };
}


sub page
{
    my ($self, $user, %more) = @_;

    return { uri => '/goods/1', %more, headers => { 'X-User' => $user } };
}


# clients of their own, until the time is over

sub start
{
    my ($self, %option) = @_;
    my $clients = $option{clients} // 8;

    for (1 .. $clients) {
        my $name = 'u' . ++$self->{named};
        my $file = "$self->{t}{dir}/load.$name";
        my $pid = fork // die "cannot fork: $!\n";

        if ($pid == 0) {
            $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
            eval { $self->_client($name, $file, %option) };
            print STDERR "# client $name: $@" if $@;
            POSIX::_exit($@ ? 1 : 0);
        }

        push @{$self->{clients}}, { pid => $pid, file => $file };
    }

    return $self;
}


sub running
{
    my ($self) = @_;

    for my $client (grep { !$_->{ended} } @{$self->{clients}}) {
        next if waitpid($client->{pid}, WNOHANG) == 0;
        $client->{ended} = 1;
        $client->{failed} = $?;
    }

    return scalar grep { !$_->{ended} } @{$self->{clients}};
}


# waits for the clients and reads what they were told

sub finish
{
    my ($self) = @_;

    if (!$self->{t}->wait_for(sub { !$self->running }, 60)) {
        kill KILL => map { $_->{pid} } grep { !$_->{ended} } @{$self->{clients}};
        $self->{t}->wait_for(sub { !$self->running }, 5);
    }

    my @clients = splice @{$self->{clients}};
    my $failed = grep { $_->{failed} } @clients;

    Test::More::ok(!$failed, 'the clients came to their end');

    for my $client (@clients) {
        push @{$self->{answers}}, map { $JSON->decode($_) } split /\n/, $self->{t}->read_file($client->{file});
    }

    return $self;
}


sub _client
{
    my ($self, $name, $path, %option) = @_;
    my @ports = @{$option{ports} || [8080]};
    my @codes = @{$self->{fresh}};
    my $rate = $option{rate} // @codes / $option{seconds};
    my $start = time;
    my $n = 0;

    srand $$;
    open my $file, '>', $path or die "cannot write $path: $!\n";

    while (time < $start + $option{seconds}) {
        my $code = $codes[(int((time - $start) * $rate) + int rand 3) % @codes];
        my $key = "$name-" . ++$n;
        my $test = rand > 0.5 ? '' : rand > 0.5 ? 'code4001' : 'status404';

        for my $try (1 .. 4) {
            my $sent = time;
            my $port = $ports[int rand @ports];
            my ($answer, $page) = $self->{t}->parallel(
                $self->order($name, $key, $code, port => $port, $test ? (headers => { 'X-Test' => $test }) : ()),
                $try == 1 && $n % 4 == 0 ? $self->page($name, port => $port) : ());

            my $reason = $answer->code // '';

            $self->_record($file, order => $answer, user => $name, key => $key, coupon => $code, try => $try,
                time => $sent, code => $reason, test => $test, pid => scalar $answer->header('x-pid'));
            $self->_record($file, page => $page, time => $sent) if $page;

            last if definite($answer);
            sleep 0.02 + rand 0.05;
        }

        sleep rand 0.02;
    }
}


sub definite
{
    return $_[0]->status =~ /^(?:200|404|422)$/;
}


sub _record
{
    my ($self, $file, $kind, $answer, %more) = @_;

    syswrite $file, $JSON->encode({ %more, kind => $kind, status => $answer->status + 0,
        complete => $answer->{complete} ? 1 : 0, took => ($answer->{time} // 0) + 0 }) . "\n";
}


# what must hold

sub check
{
    my ($self, $name) = @_;
    my $t = $self->{t};

    my %told;
    $told{"$_->{status} $_->{code}"}++ for grep { $_->{kind} eq 'order' } $self->answers;
    Test::More::note("$name: " . join ', ', map { "$_: $told{$_}" } sort keys %told);

    # orders whose worker died are unknown once their time in flight is over: the same key resolves them

    $t->advance(100);
    $self->resolve($name);
    Test::More::ok($self->settled, "$name: no order is in doubt, the outbox is empty")
        || Test::More::diag(Test::More::explain($self->status), $t->cli_ok(qw(order list --in-doubt)));

    my $states = $self->states;

    $self->check_spent($name);
    $self->check_kept($name, $states);
    $self->check_log($name, $states);
    $self->check_store($name);
}


sub status
{
    my ($self, %option) = @_;

    return $self->{t}->get('/status', %option)->json // {};
}


# Waits until nothing is in flight, in doubt, or on its way to the log.  Orders in doubt are sent again:
# their worker died after the answer and before its outcome was written.

sub settled
{
    my ($self, %option) = @_;

    return $self->{t}->wait_for(sub {
        my $status = $self->status(%option);
        my $doubt = $status->{shops}{demo}{in_doubt} // 1;

        $self->resolve_doubts if $doubt;

        return !grep { ($_ // 1) != 0 } $status->{store}{outbox}, $status->{store}{in_flight}, $doubt;
    }, 15);
}


sub resolve_doubts
{
    my ($self) = @_;
    my %doubt = map { (split /\t/)[0] => 1 } split /\n/, $self->{t}->cli_ok(qw(order list --in-doubt));
    my %order = map { $_->{key} => $_ } grep { $doubt{$_->{key} // ''} } $self->answers;

    $self->{t}->parallel(map { $self->again($_) } values %order);
}


sub again
{
    my ($self, $order) = @_;

    return $self->order($order->{user}, $order->{key}, $order->{coupon},
        $order->{test} ? (headers => { 'X-Test' => $order->{test} }) : ());
}


# orders without a definite answer are sent once more

sub resolve
{
    my ($self, $name) = @_;
    my %last;

    $last{"$_->{user} $_->{key}"} = $_ for grep { $_->{kind} eq 'order' } $self->answers;

    my @open = grep { $_->{status} !~ /^(?:200|404|422)$/ } map { $last{$_} } sort keys %last;
    my @unresolved;

    while (my @some = splice @open, 0, 20) {
        my @answers = $self->{t}->parallel(map { $self->again($_) } @some);

        for my $i (0 .. $#some) {
            push @{$self->{answers}}, { %{$some[$i]}, status => $answers[$i]->status + 0,
                code => $answers[$i]->code // '' };
            push @unresolved, "$some[$i]{key}: $some[$i]{status} $some[$i]{code}, then "
                . $answers[$i]->status . ' ' . $answers[$i]->body unless definite($answers[$i]);
        }
    }

    Test::More::ok(!@unresolved, "$name: the same key resolves what had no answer")
        || Test::More::diag(map { "$_\n" } @unresolved);
}


# what the storefront did: coupon => orders that got it

sub spent
{
    my ($self) = @_;
    my %spent;

    for my $request ($self->{t}->received) {
        next if $request->{status} != 200 || $request->{path} ne '/api/orders';
        next if (eval { $JSON->decode($request->{answer})->{code} } // 1) != 0;

        my ($payload) = ($request->{headers}{'x-commerce-verdict'} // '') =~ /^[\w-]+\.([\w-]+)\./ or next;
        my $verdict = $JSON->decode(decode_base64url($payload));

        $spent{$_->{code}}{"$verdict->{sub} $verdict->{key}"}++ for @{$verdict->{coupons} || []};
    }

    return \%spent;
}


sub check_spent
{
    my ($self, $name) = @_;
    my $spent = $self->spent;
    my @doubles = grep { keys %{$spent->{$_}} > 1 } keys %$spent;

    Test::More::cmp_ok(scalar keys %$spent, '>', 0, "$name: coupons were honoured (" . keys(%$spent) . ')');
    Test::More::ok(!@doubles, "$name: none for two orders")
        || Test::More::diag(map { "$_: " . join(', ', sort keys %{$spent->{$_}}) . "\n" } @doubles);
}


# an order that was answered has its coupon

sub check_kept
{
    my ($self, $name, $states) = @_;
    my @lost;

    my @told = grep { $_->{kind} eq 'order' && $_->{status} == 200 && $_->{test} eq '' } $self->answers;

    for my $answer (@told) {
        my $state = $states->{$answer->{coupon}};

        push @lost, "$answer->{coupon}: $answer->{user} $answer->{key}: $state->{state} by $state->{user} $state->{order}"
            unless $state->{state} =~ /^(?:reserved|redeemed)$/
                && $state->{order} eq $answer->{key} && $state->{user} eq $answer->{user};
    }

    Test::More::cmp_ok(scalar @told, '>', 0, "$name: orders were answered (" . @told . ')');
    Test::More::ok(!@lost, "$name: each still has its coupon") || Test::More::diag(map { "$_\n" } @lost);
}


# coupon => what the tool shows of it.  Run here and not by cli(), which polls: there are hundreds.

sub states
{
    my ($self) = @_;
    my $t = $self->{t};
    my %states;

    local @ENV{qw(COMMERCE_KEYS COMMERCE_STORE COMMERCE_SHOP COMMERCE_CLOCK)}
        = ("$t->{dir}/keys.json", "$t->{dir}/store", $t->{shop}, "$t->{dir}/clock");

    for my $code ($self->codes) {
        open my $pipe, '-|', "$t->{modules}/commerce", 'coupon', 'show', $code or die "cannot run commerce: $!\n";
        my $text = join '', <$pipe>;
        close $pipe or die "commerce coupon show $code failed\n";

        $states{$code} = { $text =~ /^(\w+) +(\S+)/mg };
    }

    return \%states;
}


# All lines of the log, oldest first: what was rotated out is events.jsonl.1, .2, ...  Empty lines (closed by
# two writers) and torn ones (the disk was full) mean nothing.

sub lines
{
    my ($self) = @_;
    my $dir = $self->{t}{dir};
    my @rotated = sort { ($a =~ /(\d+)$/)[0] <=> ($b =~ /(\d+)$/)[0] } glob "$dir/events.jsonl.*";

    return grep { /,"config":"\w+"(?:,"chain":"\w+")?\}$/ } map { split /\n/, $self->{t}->read_file($_) } @rotated, 'events.jsonl';
}


sub events
{
    my ($self, $types) = @_;

    return map { $JSON->decode($_) } grep { /"type":"$types"/ } $self->lines;
}


# lines that are missing: each writer's sequence has no gap

sub gaps
{
    my ($self) = @_;
    my %sequences;
    my @gaps;

    for my $line ($self->lines) {
        my ($writer, $seq) = $line =~ /("epoch":\d+,"worker":\d+),"seq":(\d+)/
            or push(@gaps, "no line: $line"), next;

        $sequences{$writer}{$seq} = 1;
    }

    for my $writer (sort keys %sequences) {
        my @seqs = sort { $a <=> $b } keys %{$sequences{$writer}};

        push @gaps, "$writer: " . @seqs . " lines, the last is $seqs[-1]" if @seqs != $seqs[-1];
    }

    return @gaps;
}


# the log tells each step of each coupon once, in order, up to where the store has it

sub check_log
{
    my ($self, $name, $states) = @_;
    my (%seen, %at, @wrong);
    my ($steps, $again) = (0, 0);

    for my $event ($self->events('coupon_(?:reserve|redeem|release|rollback)')) {
        my $first = $seen{$event->{id}};

        if ($first) {
            $again++;
            push @wrong, "two events with the id $event->{id}" if $first->{fp} ne $event->{fp};
            next;
        }

        $seen{$event->{id}} = $event;

        my $coupon = "$event->{campaign}/$event->{serial}";
        my $last = $at{$coupon} // { to => 'issued' };

        push @wrong, "$coupon: $event->{type} from $event->{from}, but it was $last->{to}"
            if $event->{from} ne $last->{to};
        push @wrong, "$coupon: $event->{type} by $event->{order_key}, but it was $last->{order_key}'s"
            if $last->{to} eq 'reserved' && $last->{order_key} ne $event->{order_key};

        $at{$coupon} = $event;
        $steps++;
    }

    for my $state (values %$states) {
        my $last = $at{$state->{coupon}} // { to => 'issued', order_key => '-' };
        my $order = $last->{to} =~ /^(?:reserved|redeemed)$/ ? $last->{order_key} : '-';

        push @wrong, "$state->{coupon} is $state->{state} by $state->{order}, the log says $last->{to} by $order"
            if $state->{state} ne $last->{to} || $state->{order} ne $order;
    }

    Test::More::cmp_ok($steps, '>', 0, "$name: the log tells coupon steps ($steps, $again lines again)");
    Test::More::ok(!@wrong, "$name: all of them, in order, each id once")
        || Test::More::diag(map { "$_\n" } @wrong > 10 ? (@wrong[0 .. 9], '...') : @wrong);
}


sub check_store
{
    my ($self, $name) = @_;
    my ($code, $out, $error) = $self->{t}->cli(qw(store check));

    Test::More::is($code, 0, "$name: store check") || Test::More::diag("$out$error");
}


1;
