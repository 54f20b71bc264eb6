/*
 * Copyright (C) ngx_commerce authors
 *
 * A keyring with known secrets for the unit tests: secret number n is the bytes 32n, 32n+1, ...
 */

#ifndef TEST_RING_H
#define TEST_RING_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commerce_keyring.h"

#define RING_SPACE  "0f8fad5b-d9cb-469f-a165-70867728950e"

#define RING_S0  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define RING_S1  "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
#define RING_S2  "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8="
#define RING_S3  "YGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn8="
#define RING_S4  "gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8="
#define RING_S5  "oKGio6SlpqeoqaqrrK2ur7CxsrO0tba3uLm6u7y9vr8="
#define RING_S6  "wMHCw8TFxsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t8="
#define RING_S7  "4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8="

#define RING_KEY(purpose, id, state, created, secret)                           \
    "{\"purpose\":\"" purpose "\",\"id\":" id ",\"state\":\"" state             \
    "\",\"created\":" created ",\"secret\":\"" secret "\"}"

#define RING_FILE(keys)                                                         \
    "{\"v\":1,\"id_space\":\"" RING_SPACE "\",\"keys\":[" keys "]}"

#define RING_COUPON     RING_KEY("coupon", "3", "sign", "1767225603", RING_S3)
#define RING_VERDICT    RING_KEY("verdict", "12", "sign", "1767225605", RING_S5)
#define RING_PSEUDONYM  RING_KEY("pseudonym", "63", "sign", "1767225606", RING_S6)
#define RING_OTHERS     RING_COUPON "," RING_VERDICT "," RING_PSEUDONYM

#define RING_KNOWN                                                              \
    RING_FILE(RING_KEY("share", "0", "verify", "1767225600", RING_S0) ","       \
              RING_KEY("share", "1", "sign", "1767225601", RING_S1) ","         \
              RING_KEY("share", "2", "retired", "1767225602", RING_S2) ","      \
              RING_KEY("coupon", "15", "verify", "1767225604", RING_S4) ","     \
              RING_KEY("pseudonym", "0", "verify", "0", RING_S7) ","            \
              RING_OTHERS)


/* loads a ring from this text, through a file of this mode that is gone afterwards */

static inline commerce_keyring_t *
ring_load(const char *text, size_t len, int mode, char *error, size_t error_size)
{
    int                  fd;
    char                 path[] = "/tmp/commerce_ring_XXXXXX";
    commerce_keyring_t  *ring;

    fd = mkstemp(path);

    if (fd == -1 || write(fd, text, len) != (ssize_t) len || fchmod(fd, (mode_t) mode) == -1) {
        printf("Bail out! no keyring file\n");
        exit(1);
    }

    close(fd);
    ring = commerce_keyring_load(path, error, error_size);
    unlink(path);

    return ring;
}


static inline commerce_keyring_t *
ring_known(void)
{
    char                 error[256];
    commerce_keyring_t  *ring;

    ring = ring_load(RING_KNOWN, sizeof(RING_KNOWN) - 1, 0600, error, sizeof(error));

    if (ring == NULL) {
        printf("Bail out! %s\n", error);
        exit(1);
    }

    return ring;
}

#endif
