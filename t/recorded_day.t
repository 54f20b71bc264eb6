#!/usr/bin/perl

# Copyright (C) ngx_commerce authors
#
# A recorded day of traffic (t/traffic), replayed twice: observe refuses nothing and tells of every verdict that it
# would have given; enforce refuses by the same ones, and nothing else.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Test::NgxCommerce qw(json);

use constant DAY => 1_800_000_000;

my %log;                                # what was read of the log until now

my @day = map { json()->decode($_) } split /\n/, do {
    open my $file, '<', "$Test::NgxCommerce::ROOT/t/traffic/day.jsonl" or die "day.jsonl: $!\n";
    local $/;
    <$file>;
};

my %verdicts = map { $_ => [ replay($_) ] } qw(observe enforce);
my @observed = @{$verdicts{observe}};
my @enforced = @{$verdicts{enforce}};

is(scalar(grep { $_->{decision} eq 'deny' } @observed), 0, 'observe: nothing is refused');
is(scalar(grep { $_->{decision} eq 'would_deny' } @enforced), 0, 'enforce: nothing is only told of');

my @differ = grep { $observed[$_]{reason} ne $enforced[$_]{reason} } 0 .. $#day;

is(scalar @differ, 0, 'the same verdicts, request by request');
diag(json()->encode([ $_, $day[$_], $observed[$_], $enforced[$_] ])) for @differ[0 .. (@differ > 3 ? 2 : $#differ)];

my %reasons;

$reasons{$_->{reason}}++ for @enforced;
delete $reasons{''};

cmp_ok($reasons{$_} // 0, '>', 0, "some are $_")
    for qw(COUPON_ALREADY_REDEEMED COUPON_MIN_SPEND RATE_USER COUPON_CUSTOMER_REQUIRED ORDER_KEY_REUSED BODY_MALFORMED BODY_DUPLICATE_MEMBER BODY_TYPE
           GUARD_REFUSED ORDER_MALFORMED TIER3_PRESENT SPLIT_SUM_EXCEEDS_CAP SPLIT_AFTER_REFUND SPLIT_PAYEE_UNDECLARED);

note(join ' ', map { "$_:$reasons{$_}" } sort keys %reasons);

done_testing;


# What became of every request: decision (pass, would_deny, deny), reason (its public code; empty: it passed).  Where
# it was told of, the log has the same.

sub replay
{
    my ($mode) = @_;
    my $t = Test::NgxCommerce->new;

    furnish($t, $mode);

    my (%id, @verdicts, %taken, %told);
    my %known = names($t);

    for my $i (0 .. $#day) {
        my $request = $day[$i];

        settled($t, \%taken) if $request->{settled};
        $t->clock(DAY + $request->{at});

        my $verdict = verdict($t, fill($request, \%known));

        if ($verdict->{decision} eq 'pass' && $request->{order} && $verdict->{id}) {
            $known{"{id:$request->{order}}"} //= $verdict->{id};
            $taken{$request->{order}} = 1;
        }

        $told{$verdict->{decision} . ' ' . $verdict->{told}}++ if $verdict->{decision} ne 'pass';
        push @verdicts, $verdict;
    }

    settled($t, \%taken);

    my $denials = grep { $_->{decision} ne 'pass' } @verdicts;
    my %logged;

    $logged{"$_->{decision} $_->{reason}"}++ for $t->wait_events('deny', $denials);

    if ($mode eq 'observe') {
        is_deeply(\%logged, \%told, "$mode: the log has every verdict");
    } else {
        is(scalar(() = $t->events('deny')), $denials, "$mode: the log has every refusal");
    }

    $t->cli_ok(qw(store check));
    $t->stop;
    ok(!grep({ /\[(?:alert|emerg|crit)\]/ } split /\n/, $t->read_file('error.log')), "$mode: nothing alarming");

    return @verdicts;
}


sub furnish
{
    my ($t, $mode) = @_;

    $t->clock(DAY);
    $t->keys;

    $t->people(<<'CSV');
id,role,status,upline,user
rosa,koc,active,,u-rosa
anna,customer,active,rosa,u-anna
bert,koc,active,,u-bert
olga,agency,active,,u-olga
dave,customer,active,olga,u-dave
lina,guide,active,,u-lina
CSV

    my %window = (from => '2020-01-01T00:00:00Z', until => '2030-01-01T00:00:00Z');

    $t->campaign(id => 'open', discount => { fixed => 100 }, %window);
    $t->campaign(id => 'rich', discount => { fixed => 100 }, minimum_spend => 100000, %window);
    $t->campaign(id => 'first', discount => { fixed => 100 }, limits => { total => 1 }, %window);
    $t->campaign(id => 'off', discount => { fixed => 100 }, enabled => JSON::PP::false, %window);
    $t->campaign(id => 'over', discount => { fixed => 100 }, %window, until => '2026-01-01T00:00:00Z');
    $t->storefront(8081);

    $t->http_conf(<<"EOC")->run;
    commerce_coupon_guess user=5/1m;

    server {
        listen          127.0.0.1:8080;
        commerce_shop   demo;
        commerce        $mode;
        commerce_guard  on;
        commerce_user   \$http_x_user verified;
        commerce_touch  share \$arg_st;
        commerce_mini_program scene=\$arg_scene;
        add_header      X-Verdict "\$commerce_decision \$commerce_reason" always;

        location / { proxy_pass http://127.0.0.1:8081; }

        location /api/orders {
            commerce_order key=json:/client_key lines=json:/items id=response:/data/order_no;
            commerce_order_line id=/sku qty=/count price=/price;
            commerce_order_success status=200 json=/code:0;
            commerce_coupon_code json:/coupons max=2;
            proxy_pass http://127.0.0.1:8081;
        }

        location /split {
            commerce_split json order=json:/order receivers=/pay account=/who amount=/fen role=/as number=/no third=/third_leader;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /paid { commerce_order_confirm id=json:/order transaction=json:/transaction amount=json:/fen; }
        location = /refund { commerce_order_refund id=json:/order refund=json:/refund amount=json:/fen; }
    }
EOC
}


# what stands for what is another one each time

sub names
{
    my ($t) = @_;
    my (%names, %most);

    for my $text (map { json()->encode($_) } @day) {
        $names{"{share:$1}"} //= $t->token($1) while $text =~ /\{share:(\w+)\}/g;

        while ($text =~ /\{coupon:(\w+):(\d+)\}/g) {
            $most{$1} = $2 if $2 > ($most{$1} // -1);
        }
    }

    for my $campaign (keys %most) {
        my @codes = $t->coupons($campaign, $most{$campaign} + 1);

        $names{"{coupon:$campaign:$_}"} = $codes[$_] for 0 .. $#codes;
    }

    return %names;
}


sub fill
{
    my ($request, $names) = @_;
    my %filled = %$request;

    $filled{body} = json()->encode($filled{body}) if ref $filled{body};

    for my $member (qw(uri body)) {
        $filled{$member} =~ s/(\{(?:share|coupon|id):[^}"]*\})/$names->{$1} \/\/ 'none'/ge if defined $filled{$member};
    }

    return \%filled;
}


sub verdict
{
    my ($t, $request) = @_;
    my %headers = %{$request->{headers} // {}};

    $headers{'X-User'} = $request->{user} if defined $request->{user};

    my $answer = defined $request->{body}
        ? $t->post($request->{uri}, $request->{body}, type => $request->{type} // 'application/json', headers => \%headers)
        : $t->get($request->{uri}, headers => \%headers);

    my ($decision, $told) = split / /, $answer->header('x-verdict') // '';
    my $body = eval { $answer->json } // {};

    # whatever the decision says of itself, a refusal of ours is a problem (the storefront's are plain JSON)

    $decision = 'deny' if ($answer->header('content-type') // '') =~ m{^application/problem\+json};

    return { decision => $decision, told => $told, reason => $decision eq 'pass' ? '' : $told,
             id => $body->{data}{order_no} };
}


# orders that were taken are written down

sub settled
{
    my ($t, $taken) = @_;
    my $seen = $log{$t} //= { at => 0 };

    open my $file, '<', $t->dir . '/events.jsonl' or return;

    my $done = $t->wait_for(sub {
        seek $file, $seen->{at}, 0;

        while (my $line = <$file>) {
            last if $line !~ /\n\z/;
            $seen->{at} = tell $file;
            $seen->{orders}{$1} = 1 if $line =~ /"type":"order".*"order_key":"(\w+)"/ && $line !~ /"state":"pending"/;
        }

        return !grep { !$seen->{orders}{$_} } keys %$taken;
    });

    ok(0, 'orders are written') unless $done;
}
