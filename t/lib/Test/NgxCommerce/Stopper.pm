package Test::NgxCommerce::Stopper;

# Copyright (C) ngx_commerce authors
#
# Stops a worker in the middle of a write of the store or of the event log: a library in front of fdatasync()
# stops the process that calls it next, before the file is synced.
#
#   my $stopper = Test::NgxCommerce::Stopper->new($t) or plan(skip_all => ...);     # undef: cannot be compiled
#   $stopper->run;                      $t->run with the library; the configuration needs $stopper->globals
#   $stopper->arm('store');             or 'log'
#   my $pid = $stopper->stopped;        the worker that is stopped by now, or undef
#   $stopper->disarm;
#
# Whoever is stopped is woken by SIGCONT, or killed, by the test.

use strict;
use warnings;


sub new
{
    my ($class, $t) = @_;
    my $dir = $t->dir;
    my $source = $t->write_file('stopper.c', <<'C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char  stopper_dir[512];

__attribute__((constructor)) static void
stopper_init(void)
{
    const char  *dir = getenv("STOPPER_DIR");

    if (dir != NULL) {
        snprintf(stopper_dir, sizeof(stopper_dir), "%s", dir);
    }
}

int
fdatasync(int fd)
{
    int        (*sync)(int);
    char         link[64], file[1024], armed[600], stopped[600];
    ssize_t      n;
    const char  *name;

    sync = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, file, sizeof(file) - 1);
    file[n > 0 ? n : 0] = '\0';

    name = strstr(file, "data.mdb") ? "store" : strstr(file, "events.jsonl") ? "log" : NULL;

    if (stopper_dir[0] != '\0' && name != NULL) {
        snprintf(armed, sizeof(armed), "%s/stopper.%s", stopper_dir, name);
        snprintf(stopped, sizeof(stopped), "%s/stopper.pid.%d", stopper_dir, (int) getpid());

        if (rename(armed, stopped) == 0) {
            kill(getpid(), SIGSTOP);
        }
    }

    return sync(fd);
}
C

    my $compiler = $ENV{CC} || 'gcc';

    system("$compiler -shared -fPIC -o $dir/stopper.so $source -ldl >$dir/stopper.cc 2>&1") == 0 or return;

    return bless { t => $t, dir => $dir }, $class;
}


sub globals { return "env LD_PRELOAD;\nenv STOPPER_DIR;\n" }


sub run
{
    my ($self) = @_;

    local $ENV{STOPPER_DIR} = $self->{dir};
    local $ENV{LD_PRELOAD} = "$self->{dir}/stopper.so";
    local $ENV{TEST_NGINX_PRELOAD} = "$ENV{TEST_NGINX_PRELOAD}:$self->{dir}/stopper.so"
        if length($ENV{TEST_NGINX_PRELOAD} // '');

    return $self->{t}->run;
}


sub arm
{
    my ($self, $what) = @_;

    $self->{t}->write_file("stopper.$what", '');
}


sub disarm { unlink map { "$_[0]{dir}/stopper.$_" } 'store', 'log' }


# a rename tells, and a moment later the process is stopped

sub stopped
{
    my ($self) = @_;

    for my $path (glob "$self->{dir}/stopper.pid.*") {
        my ($pid) = $path =~ /(\d+)$/;
        my $stat = Test::NgxCommerce::_stat($pid);

        if (!$stat || $stat->{state} eq 'T') {
            unlink $path;
            return $pid if $stat;
        }
    }

    return;
}


1;
