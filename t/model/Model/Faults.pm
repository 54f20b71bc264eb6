package Model::Faults;

# Copyright (C) ngx_commerce authors
#
# What is done to the gateway while the clients are at it, by weight.  A new fault is a line in @FAULTS and a
# function that returns how long it lasts (0: it is over at once); what it leaves behind heal() puts right.

use strict;
use warnings;

use Test::NgxCommerce::Stopper;
use Time::HiRes qw(sleep time);

my @FAULTS = (
    kill_worker  => 16,
    stop_worker  => 8,          # for a while, at any moment
    stop_writing => 16,         # in the middle of a write
    kill_master  => 7,
    reload       => 8,
    upgrade      => 6,
    full_store   => 5,
    full_log     => 5,
    clock        => 22,
    slow         => 7,
);

my $SIZE = '48m';
my %mounted;                # path => 1: let go of even when a run dies
my $owner = $$;

END {
    my $status = $?;

    if ($$ == $owner) {
        system('umount', '-l', $_) for keys %mounted;
    }

    $? = $status;
}


sub new
{
    my ($class, $run, $rng) = @_;

    return bless { run => $run, rng => $rng, stopped => {}, orphans => [], mounts => [],
        reuseport => $rng->chance(40), small_store => $rng->chance(40) }, $class;
}


# small file systems for store and log, where that is possible

sub before_start
{
    my ($self) = @_;
    my $t = $self->{run}->t;
    my $dir = $t->dir;

    $t->expect_log(qr/worker process \d+ exited on signal 9/,
        qr/\[crit\].*commerce: (?:a batch is running|transactions wait) longer than the deadline/,
        qr/\[crit\].*commerce: cannot write to the store.*(?:No space left|Input\/output error)/,
        qr/\[crit\].*commerce: (?:the event log cannot be written|money events wait)/);

    return if !$self->{run}{faults};

    $self->{stopper} = Test::NgxCommerce::Stopper->new($t);

    return if $> != 0;

    mkdir "$dir/log";

    # a store on a disk is the slower one: its writes are to be met

    for my $path ($self->{small_store} ? "$dir/store" : (), "$dir/log") {
        my $mode = $path =~ /store/ ? '0700' : '0755';

        last if system("mount -t tmpfs -o size=$SIZE,mode=$mode commerce-test $path 2>/dev/null") != 0;
        push @{$self->{mounts}}, $path;
        $mounted{$path} = 1;
    }

    symlink "$dir/log/events.jsonl", "$dir/events.jsonl";
}


sub start
{
    my ($self) = @_;

    $self->_later(0.3, 0.8);
}


sub _later
{
    my ($self, $least, $most) = @_;
    my $run = $self->{run};

    $run->{loop}->after($self->{rng}->between($least, $most), sub {
        return if !$run->{open};

        my $name = $self->{rng}->weighted(@FAULTS);
        my $done = $self->$name;

        $run->count(defined $done ? "fault: $name" : "fault: $name, not now");
        $self->_later(0.1, 0.9);
    });
}


sub _told { $_[0]{run}{world}->note($_[1]) }


sub _worker
{
    my ($self) = @_;

    return $self->{rng}->pick(grep { !$self->{stopped}{$_} } $self->{run}->t->workers);
}


# signals

sub kill_worker
{
    my ($self) = @_;
    my $pid = $self->_worker // return;

    $self->_told("kill -9 of worker $pid");

    return kill KILL => $pid;
}


sub reload
{
    my ($self) = @_;
    my $master = $self->{run}->t->master // return;

    $self->_told('HUP');

    return kill HUP => $master;
}


sub stop_worker
{
    my ($self) = @_;
    my $pid = $self->_worker // return;

    return $self->_stop($pid, 'at any moment');
}


sub _stop
{
    my ($self, $pid, $when) = @_;

    kill STOP => $pid or return;
    $self->_told("worker $pid is stopped $when");

    return $self->_stopped($pid);
}


# it goes on, or is killed while it is stopped

sub _stopped
{
    my ($self, $pid) = @_;
    my $signal = $self->{rng}->chance(30) ? 'KILL' : 'CONT';

    $self->{stopped}{$pid} = _born($pid);

    $self->{run}{loop}->after($self->{rng}->between(0.2, 2.5), sub {
        $self->_told("worker $pid: $signal");
        $self->_wake($pid, $signal);
    });

    return 1;
}


# A pid may be somebody else's by now: numbers come round.

sub _wake
{
    my ($self, $pid, $signal) = @_;
    my $born = delete $self->{stopped}{$pid} or return;

    _signal($signal, $pid, $born);
}


sub _signal
{
    my ($signal, $pid, $born) = @_;

    kill $signal => $pid if _born($pid) eq $born;
}


sub _born
{
    my ($pid) = @_;

    open my $file, '<', "/proc/$pid/stat" or return '';
    my ($born) = (<$file> // '') =~ /^.*\) (?:\S+ ){19}(\d+)/;

    return $born // '';
}


# A worker that writes the store now, and so holds the writer lock, or the event log.

sub stop_writing
{
    my ($self) = @_;
    my $stopper = $self->{stopper} or return;
    my $what = $self->{rng}->pick('store', 'store', 'log');
    my $until = time + 1;
    my $look;

    return if $self->{armed};

    $self->{armed} = 1;
    $stopper->arm($what);

    $look = sub {
        my $pid = $stopper->stopped;

        if ($pid && !$self->{run}{open}) {
            $self->{armed} = 0;
            kill CONT => $pid;          # the trouble is over: nobody would wake it any more
        }
        elsif ($pid) {
            $self->_told("worker $pid is stopped while it writes the $what");
            $self->{run}->count("fault: stopped in a write of the $what");
            $self->{armed} = 0;
            $self->_stopped($pid);
        }
        elsif (time > $until || !$self->{run}{open}) {
            $stopper->disarm;

            # it may have been a moment faster

            $self->{run}{loop}->after(0.05, sub {
                my $late = $stopper->stopped;

                $self->{armed} = 0;
                kill CONT => $late if $late;
            });
        }
        else {
            $self->{run}{loop}->after(0.02, $look);
        }
    };

    $look->();

    return 1;
}


# structures

sub kill_master
{
    my ($self) = @_;
    my $t = $self->{run}->t;

    return if $self->{busy} || !$t->master;

    my $keep = $self->{reuseport} && $self->{rng}->chance(60);

    $self->_told('kill -9 of the master' . ($keep ? ', its workers go on' : ' and its workers'));

    my @orphans = $t->kill_master(keep_workers => $keep);

    if ($keep) {
        push @{$self->{orphans}}, map { [ $_, _born($_) ] } @orphans;
        $self->{busy} = 1;
        $self->{run}{loop}->after($self->{rng}->between(0.3, 2), sub { $self->_kill_orphans });
    }

    $self->_run;

    return 1;
}


sub _kill_orphans
{
    my ($self) = @_;

    $self->_told('kill -9 of orphans');
    _signal('KILL', @$_) for splice @{$self->{orphans}};
    $self->{busy} = 0;
}


# sockets of killed workers are a moment in going

sub _run
{
    my ($self) = @_;
    my $t = $self->{run}->t;

    for (1 .. 20) {
        return if eval { $self->run; 1 };
        sleep 0.1;
    }

    $self->run;
}


sub globals { return $_[0]{stopper} ? $_[0]{stopper}->globals : '' }
sub run     { return $_[0]{stopper} ? $_[0]{stopper}->run : $_[0]{run}->t->run }


sub upgrade
{
    my ($self) = @_;
    my $t = $self->{run}->t;
    my $old = $t->master;

    return if $self->{busy} || !$old;

    $self->{busy} = 1;
    $self->_told('USR2');
    kill USR2 => $old;

    $self->{run}{loop}->after($self->{rng}->between(0.5, 2), sub { $self->_end_upgrade($old, 0) });

    return 1;
}


# the new master may be a moment in coming

sub _end_upgrade
{
    my ($self, $old, $tries) = @_;
    my $t = $self->{run}->t;
    my $new = $t->master;

    if ((!$new || $new == $old || !$t->workers) && $tries < 100) {
        return $self->{run}{loop}->after(0.1, sub { $self->_end_upgrade($old, $tries + 1) });
    }

    if (!$new || $new == $old) {
        $self->{busy} = 0;
        return $self->{run}->broken('no second generation came: ' . join "\n", $t->log_lines(qr/emerg|alert/));
    }

    $self->_told('QUIT of the old generation');
    kill QUIT => $old;
    $self->_leaving([ $old, _born($old) ], time + 30);
}


# until the old generation has left there cannot be another

sub _leaving
{
    my ($self, $old, $until) = @_;

    if (_born($old->[0]) eq $old->[1] && time < $until) {
        return $self->{run}{loop}->after(0.1, sub { $self->_leaving($old, $until) });
    }

    $self->{busy} = 0;
    $self->{run}->broken('the old generation does not leave') if _born($old->[0]) eq $old->[1];
}


# disks

sub full_store { return $_[0]->_fill('store') }
sub full_log   { return $_[0]->_fill('log') }


sub _fill
{
    my ($self, $name) = @_;
    my $run = $self->{run};
    my $path = $run->t->dir . "/$name";

    return if -e "$path/filler" || !grep { $_ eq $path } @{$self->{mounts}};

    open my $file, '>', "$path/filler" or die "cannot fill $path: $!\n";

    for my $size (1 << 20, 4096, 1) {
        1 while syswrite $file, 'x' x $size;
    }

    $self->_told("no room for the $name");
    $run->{loop}->after($self->{rng}->between(0.3, 2), sub { $self->_empty($path) });

    return 1;
}


sub _empty
{
    my ($self, $path) = @_;

    $self->_told("room again: $path") if unlink "$path/filler";
}


# time and patience

sub clock
{
    my ($self) = @_;
    my $run = $self->{run};
    my $rng = $self->{rng};

    my $jump = $rng->weighted(1 => 8, 5 => 6, 74 => 1, 75 => 2, 80 => 2, 961 => 2, 1100 => 1, -1 => 3, -30 => 2, -80 => 2, -900 => 1);

    $run->advance($jump);

    return 1;
}


sub slow
{
    my ($self) = @_;
    my $storefront = $self->{run}{storefront};

    $storefront->{delay} = $self->{rng}->between(0.05, 0.6);
    $self->_told("the storefront is slow: $storefront->{delay} s");
    $self->{run}{loop}->after($self->{rng}->between(0.3, 1.5), sub { $storefront->{delay} = 0 });

    return 1;
}


# the end of all trouble: at once, and when the clients have got their answers

sub heal
{
    my ($self) = @_;

    $self->_wake($_, 'CONT') for keys %{$self->{stopped}};

    $self->_empty($_) for @{$self->{mounts}};
    $self->{run}{storefront}{delay} = 0;
}


sub healed
{
    my ($self) = @_;
    my $t = $self->{run}->t;

    # an upgrade, orphans, a worker about to be stopped: their timers end them

    $self->{run}{loop}->run(sub { !$self->{busy} && !$self->{armed} });

    $self->_run if !$t->master;
    $t->wait_for(sub { $t->workers }, 10);
}


sub end
{
    my ($self) = @_;
    my $status = $?;
    my $dir = $self->{run}->t->dir;

    $self->{run}->t->stop if @{$self->{mounts}};

    # the folder may be kept: with the files

    for my $path (splice @{$self->{mounts}}) {
        system("mkdir $path.kept && cp -a $path/. $path.kept/") if $self->{run}->problems;
        system('umount', $path) == 0 or system('umount', '-l', $path);
        delete $mounted{$path};
        system("cp -a $path.kept/. $path/ && rm -r $path.kept") if -d "$path.kept";
    }

    $? = $status;
}


1;
