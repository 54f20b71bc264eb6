/*
 * Copyright (C) ngx_commerce authors
 *
 * A disk that takes its time, to be preloaded into nginx: SLOW_DISK_MS (60) more for each fdatasync().
 * A test that takes for granted that what nginx has answered is also written fails with it.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE     /* RTLD_NEXT */
#endif

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>


int
fdatasync(int fd)
{
    long             ms;
    const char      *text;
    struct timespec  nap;

    static int  (*sync)(int fd);

    if (sync == NULL) {
        *(void **) &sync = dlsym(RTLD_NEXT, "fdatasync");
    }

    text = getenv("SLOW_DISK_MS");
    ms = text != NULL ? atol(text) : 60;
    nap = (struct timespec) { ms / 1000, ms % 1000 * 1000000 };

    while (nanosleep(&nap, &nap) == -1 && errno == EINTR) { /* void */ }

    return sync(fd);
}
