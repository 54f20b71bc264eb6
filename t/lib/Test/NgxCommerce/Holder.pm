package Test::NgxCommerce::Holder;

# Copyright (C) ngx_commerce authors
#
# A process that holds the store's writer lock: what is to be written meanwhile waits.
#
#   my $holder = Test::NgxCommerce::Holder->new($t) or plan(skip_all => ...);   # undef: cannot be compiled
#   my ($lock, $pid) = $holder->hold;
#   $holder->release($lock, $pid);

use strict;
use warnings;

use IO::Handle;
use IPC::Open2;


sub new
{
    my ($class, $t) = @_;
    my $dir = $t->dir;
    my $source = $t->write_file('holder.c', <<'C');
#include <lmdb.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
    char      byte;
    MDB_env  *env;
    MDB_txn  *txn;

    if (mdb_env_create(&env) != 0
        || mdb_env_set_mapsize(env, (size_t) 1 << 30) != 0
        || mdb_env_set_maxreaders(env, 512) != 0
        || mdb_env_open(env, argv[1], MDB_NOTLS, 0600) != 0
        || mdb_txn_begin(env, NULL, 0, &txn) != 0
        || write(1, "!", 1) != 1)
    {
        return 1;
    }

    (void) !read(0, &byte, 1);
    mdb_txn_abort(txn);

    return 0;
}
C

    my $compiler = $ENV{CC} || 'gcc';

    system("$compiler -o $dir/holder $source -llmdb >$dir/holder.log 2>&1") == 0 or return;

    return bless { program => "$dir/holder", store => "$dir/store" }, $class;
}


sub hold
{
    my ($self) = @_;

    local $ENV{LD_PRELOAD};
    delete $ENV{LD_PRELOAD};

    my $pid = open2(my $out, my $in, $self->{program}, $self->{store});

    sysread($out, my $byte, 1) == 1 or die "the holder does not hold\n";

    return ($in, $pid);
}


sub release
{
    my ($self, $lock, $pid) = @_;

    close $lock;
    waitpid $pid, 0;
}


1;
