/*
 * Copyright (C) ngx_commerce authors
 *
 *   people bind DIRECTORY PERSONS BUYERS
 *   people look DIRECTORY PERSONS BUYERS COUNT
 *
 * What a directory of many costs where the gateway reads it.  bind binds BUYERS buyers to the persons 1 to PERSONS, as
 * records, in bulk, for it is the store and not the way there that is measured; prints the pages that they took:
 *
 *   binding  bytes of a buyer with his binding, the touch that made it, and its line of the history
 *   file     bytes of the file
 *
 * look does COUNT times, all over the store, what a page view reads: a buyer, whose he is, who recruited that one, and
 * who he is as a seller, if he is one.  Prints ns, nanoseconds of one, and found, how many of the persons were there.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "entry.h"
#include "commerce_record.h"


#define MAP      ((size_t) 32 << 30)
#define TXNS     8192                   /* transactions under one commit */
#define RECORDS  8                      /* in one transaction */
#define WINDOW   65536                  /* records come in any order within it */


static void people_bind(uint64_t persons, unsigned buyers);
static void people_buyer(commerce_txn_t *txn, unsigned i, uint64_t persons);
static commerce_str_t people_user(unsigned i, char text[32]);
static void people_look(unsigned buyers, unsigned count);
static unsigned people_look_one(commerce_reader_t *reader, unsigned i);
static uint64_t people_used(void);


static const commerce_str_t  shop = { "demo", 4 };

static commerce_store_t  *store;


int
main(int argc, char **argv)
{
    char                      error[512];
    commerce_store_options_t  options = { NULL, NULL, MAP, 0 };

    if (argc < 5 || (strcmp(argv[1], "bind") != 0 && argc != 6)) {
        fprintf(stderr, "usage: people bind DIRECTORY PERSONS BUYERS | look DIRECTORY PERSONS BUYERS COUNT\n");
        return 2;
    }

    options.path = argv[2];
    store = commerce_store_open(&options, error, sizeof(error));

    if (store == NULL) {
        entry_fail(error);
    }

    if (argc == 5) {
        people_bind(strtoull(argv[3], NULL, 10), (unsigned) atoi(argv[4]));

    } else {
        people_look((unsigned) atoi(argv[4]), (unsigned) atoi(argv[5]));
    }

    commerce_store_close(store);

    return 0;
}


static void
people_bind(uint64_t persons, unsigned buyers)
{
    uint64_t                before;
    unsigned                i, k, n, room;
    commerce_heap_t        *heap;
    commerce_store_stat_t   stat;
    static commerce_txn_t   list[TXNS], *txns[TXNS];

    before = people_used();

    for (i = 0; i < buyers; /* void */) {
        heap = entry_heap();

        for (n = 0; n < TXNS && i < buyers; n++) {
            txns[n] = &list[n];
            commerce_txn_init(txns[n], commerce_heap_arena(heap));

            for (k = 0; k < RECORDS && i < buyers; k++, i++) {
                room = buyers - i / WINDOW * WINDOW;
                people_buyer(txns[n], i / WINDOW * WINDOW
                             + (room < WINDOW ? i % WINDOW : i % WINDOW * 40503U % WINDOW), persons);
            }
        }

        if (commerce_store_apply(store, txns, n) != n) {
            entry_fail(commerce_store_error(store));
        }

        commerce_heap_destroy(heap);
    }

    if (commerce_store_stat(store, &stat) != COMMERCE_OK) {
        entry_fail("cannot read the store");
    }

    printf("binding=%.1f file=%llu\n", (double) (people_used() - before) / buyers,
           (unsigned long long) stat.bytes_used);
}


static void
people_buyer(commerce_txn_t *txn, unsigned i, uint64_t persons)
{
    char              text[32];
    commerce_str_t    user;
    commerce_buyer_t  buyer;

    memset(&buyer, 0, sizeof(commerce_buyer_t));

    buyer.pseudonym = commerce_string("1:0123456789abcdef01234567");
    buyer.binding.owner = 1 + (uint64_t) i * 2654435761ULL % persons;
    buyer.binding.origin = buyer.binding.owner;
    buyer.binding.changed = buyer.binding.start = buyer.binding.renewed = 1790000000;
    buyer.binding.validity = 30 * 86400;
    buyer.binding.protect = 15 * 86400;

    buyer.last[COMMERCE_SOURCE_SHARE] = (commerce_touch_t) {
        .source = COMMERCE_SOURCE_SHARE, .strength = COMMERCE_STRENGTH_SIGNED, .digest = i * 0x9e3779b97f4a7c15ULL,
        .seller = buyer.binding.owner, .first = 1790000000, .lookback = 7 * 86400
    };

    buyer.seen[buyer.seen_count++] = (commerce_seen_t) { buyer.last[COMMERCE_SOURCE_SHARE].digest, 1790000000 };

    user = commerce_copy(txn->arena, people_user(i, text));
    commerce_buyer_write(txn, shop, user, &buyer, 0);

    commerce_history_add(txn, shop, user, &(commerce_history_t) {
        .at = 1790000000, .owner = buyer.binding.owner, .reason = COMMERCE_R(BIND_NEW),
        .source = COMMERCE_SOURCE_SHARE, .start = 1790000000, .end = 1790000000 + 30 * 86400
    });
}


static commerce_str_t
people_user(unsigned i, char text[32])
{
    snprintf(text, 32, "o6_bmjrPTlm6_2sgVt7h%08u", i);

    return commerce_cstr(text);
}


static void
people_look(unsigned buyers, unsigned count)
{
    double             start;
    unsigned           i, found;
    commerce_heap_t   *heap;
    commerce_reader_t  reader = { .shop = shop };

    found = 0;
    start = entry_now();

    for (i = 0; i < count; i++) {
        heap = entry_heap();
        reader.arena = commerce_heap_arena(heap);

        if (commerce_view_begin(store, &reader.view) != COMMERCE_OK) {
            entry_fail("cannot read the store");
        }

        found += people_look_one(&reader, (unsigned) (i * 2654435761ULL % buyers));

        commerce_view_end(reader.view);
        commerce_heap_destroy(heap);
    }

    printf("ns=%.0f found=%u\n", (entry_now() - start) * 1e9 / (count ? count : 1), found);
}


static unsigned
people_look_one(commerce_reader_t *reader, unsigned i)
{
    char               text[32];
    unsigned           found;
    commerce_str_t     user;
    commerce_buyer_t   buyer;
    commerce_person_t  owner, recruiter, person;

    user = people_user(i, text);

    if (commerce_buyer_resolve(reader, &user, &buyer, NULL) != COMMERCE_OK
        || commerce_person_read(reader, buyer.binding.owner, &owner, NULL) != COMMERCE_OK)
    {
        entry_fail("a buyer without an owner");
    }

    found = 1;

    if (owner.upline != 0) {
        found += commerce_person_read(reader, owner.upline, &recruiter, NULL) == COMMERCE_OK;
    }

    return found + (commerce_person_of_user(reader, user, &person, NULL) == COMMERCE_OK);
}


static uint64_t
people_used(void)
{
    commerce_store_stat_t  stat;

    return commerce_store_stat(store, &stat) == COMMERCE_OK ? stat.bytes_used : 0;
}
