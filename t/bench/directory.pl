# Copyright (C) ngx_commerce authors
#
# ci/bench: a directory of many persons: its import, its export, and what a look-up costs when it is there.

use strict;
use warnings;

use File::Path qw(remove_tree);
use POSIX ();
use Time::HiRes qw(time);

our ($DIR, $SHOP, $quick);


sub directory
{
    my $start = time;
    my @rows = map { directory_row(@$_) } [10_000, 100_000], $quick ? [100_000, 1_000_000] : [1_000_000, 10_000_000];

    print "\n7. A directory of many: JSON lines imported and exported, buyers bound to everybody, looked up\n\n";
    printf "%-46s %14s %14s\n", 'persons', map { $_->{persons} } @rows;
    printf "%-46s %14s %14s\n", 'buyers who are bound', map { $_->{buyers} } @rows;

    for my $line (['imported, s', 'import', '%.1f'], ['... with memory of its own, MB at most', 'memory', '%.0f'],
                  ['imported again: nothing changes, s', 'again', '%.1f'], ['exported, s', 'export', '%.1f'],
                  ['bytes of the store for each person', 'person', '%.0f'],
                  ['bytes of the store for each binding', 'binding', '%.0f'],
                  ['file, MB', 'file', '%.0f'],
                  ['a look-up, instructions', 'instructions', '%.0f'], ['a look-up, us', 'us', '%.2f'])
    {
        my ($name, $member, $format) = @$line;

        printf "%-46s %14s %14s\n", $name, map { sprintf $format, $_->{$member} } @rows;
    }

    print "\nten in eleven persons were recruited, have a user and an identity; a look-up: a buyer, whose he is, who recruited\n",
        "that one, and whether he sells himself; instructions by callgrind, us all over a store that is in memory\n";
    printf "   (%.0f s)\n", time - $start;
}


sub directory_row
{
    my ($persons, $buyers) = @_;
    my $dir = "$DIR/directory.store";
    my $file = directory_file($persons);
    my %row = (persons => $persons, buyers => $buyers);

    remove_tree($dir);
    mkdir $dir, 0700 or fail("cannot make $dir: $!");

    @row{qw(import memory)} = directory_command('import', $file, $persons);
    ($row{again}) = directory_command('import', $file, 0);
    ($row{export}) = directory_command('export');
    $row{person} = (-s "$dir/data.mdb") / $persons;

    %row = (%row, run("$DIR/people", 'bind', $dir, $persons, $buyers) =~ /(\w+)=([\d.]+)/g);
    $row{file} /= 1048576;
    $row{us} = (run("$DIR/people", 'look', $dir, $persons, $buyers, 500_000) =~ /ns=(\d+)/)[0] / 1000;
    $row{instructions} = directory_instructions($dir, $persons, $buyers);

    unlink $file;
    remove_tree($dir);

    return \%row;
}


sub directory_file
{
    my ($persons) = @_;
    my $path = "$DIR/directory.jsonl";
    my $root = '';

    open my $out, '>:raw', $path or fail("cannot write $path: $!");

    for my $i (1 .. $persons) {
        my $id = sprintf 's%08d', $i;

        if ($i % 11 == 1) {
            $root = $id;
            print {$out} qq({"kind":"person","id":"$id","role":"koc","user":"u$id"}\n);
            next;
        }

        print {$out} qq({"kind":"person","id":"$id","upline":"$root","user":"u$id","identities":["spread:$i"]}\n);
    }

    close $out or fail("cannot write $path: $!");

    return $path;
}


# seconds, and MB of memory beside the store's pages

sub directory_command
{
    my ($verb, $file, $imported) = @_;
    my $start = time;
    my $pid = fork // fail("cannot fork: $!");
    my $memory = 0;

    if ($pid == 0) {
        open STDOUT, '>', "$DIR/directory.out" or POSIX::_exit(126);
        %ENV = (%ENV, COMMERCE_KEYS => "$DIR/keys.json", COMMERCE_STORE => "$DIR/directory.store", COMMERCE_SHOP => $SHOP);
        exec "$DIR/commerce", 'directory', $verb, $file // () or POSIX::_exit(127);
    }

    while (waitpid($pid, POSIX::WNOHANG()) == 0) {
        my ($now) = (readlink "/proc/$pid/exe" // '') =~ m{/commerce$} ? slurp("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m : ();

        $memory = $now if $now && $now > $memory;
        select undef, undef, undef, 0.02;
    }

    my $seconds = time - $start;

    fail("commerce directory $verb failed") if $?;
    fail("commerce directory import wrote something else: " . slurp("$DIR/directory.out"))
        if defined $imported && slurp("$DIR/directory.out") !~ /^imported $imported, changed 0,/;

    return ($seconds, $memory / 1024);
}


sub directory_instructions
{
    my @arguments = @_;
    my ($few, $many) = (200, 2200);
    my @total;

    for my $count ($few, $many) {
        my $file = "$DIR/callgrind.people";
        my $costs = { self => {}, inclusive => {}, calls => {}, from => {}, object => {}, total => 0, main => 0 };

        run(qw(valgrind -q --tool=callgrind --compress-strings=no --compress-pos=no --dump-line=no),
            "--callgrind-out-file=$file", "--log-file=$DIR/valgrind.log", "$DIR/people", 'look', @arguments, $count);
        read_costs($file, $costs);
        unlink $file;
        push @total, $costs->{total};
    }

    return ($total[1] - $total[0]) / ($many - $few);
}

1;
