/*
 * Copyright (C) ngx_commerce authors
 */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commerce_cli_salvage.h"

#define SALVAGE_PIECE  (1024 * 1024)


static int salvage_child(const char *folder, const char *id_space, int fd);
static bool salvage_write(int fd, const char *data, size_t len);
static int salvage_read(int fd, char **text, size_t *len);


int
commerce_cli_salvage(commerce_cli_t *cli, const char *folder, char **text, size_t *len)
{
    int    rc, status, pipes[2];
    pid_t  pid;

    *text = NULL;
    *len = 0;

    if (pipe(pipes) == -1) {
        return COMMERCE_CLI_FAILED;
    }

    fflush(NULL);
    pid = fork();

    if (pid == 0) {
        close(pipes[0]);
        _exit(salvage_child(folder, commerce_keyring_id_space(cli->ring), pipes[1]));
    }

    close(pipes[1]);
    rc = pid == -1 ? COMMERCE_CLI_FAILED : salvage_read(pipes[0], text, len);
    close(pipes[0]);

    if (pid == -1) {
        return COMMERCE_CLI_FAILED;
    }

    while (waitpid(pid, &status, 0) == -1) {
        if (errno != EINTR) {
            return COMMERCE_CLI_FAILED;
        }
    }

    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? rc : COMMERCE_CLI_FAILED;
}


/* its exit code; nothing is written: the file is the store's own, by another name */
static int
salvage_child(const char *folder, const char *id_space, int fd)
{
    int                        rc;
    char                       error[512];
    uint64_t                   sequence;
    commerce_str_t             body;
    commerce_view_t           *view;
    commerce_store_t          *store;
    commerce_store_options_t   options;

    memset(&options, 0, sizeof(commerce_store_options_t));

    options.path = folder;
    options.id_space = id_space;
    options.flags = COMMERCE_STORE_PRIVATE;

    store = commerce_store_open(&options, error, sizeof(error));

    if (store == NULL || commerce_store_thread_view(store, &view) != COMMERCE_OK) {
        return 1;
    }

    sequence = 0;

    while ((rc = commerce_view_outbox(view, sequence, &sequence, &body)) == COMMERCE_OK) {
        if (!salvage_write(fd, body.data, body.len) || !salvage_write(fd, "\n", 1)) {
            return 1;
        }
    }

    commerce_view_end(view);
    commerce_store_close(store);

    return rc == COMMERCE_ABSENT ? 0 : 1;
}


static bool
salvage_write(int fd, const char *data, size_t len)
{
    ssize_t  n;

    while (len != 0) {
        n = write(fd, data, len);

        if (n == -1 && errno != EINTR) {
            return false;
        }

        if (n > 0) {
            data += n;
            len -= (size_t) n;
        }
    }

    return true;
}


static int
salvage_read(int fd, char **text, size_t *len)
{
    char     *more;
    size_t    room;
    ssize_t   n;

    for (room = 0; ; *len += n > 0 ? (size_t) n : 0) {

        if (room - *len < SALVAGE_PIECE) {
            room = 2 * room + SALVAGE_PIECE;
            more = realloc(*text, room);

            if (more == NULL) {
                return COMMERCE_CLI_FAILED;
            }

            *text = more;
        }

        n = read(fd, *text + *len, SALVAGE_PIECE);

        if (n == 0) {
            return COMMERCE_CLI_OK;
        }

        if (n == -1 && errno != EINTR) {
            return COMMERCE_CLI_FAILED;
        }
    }
}
