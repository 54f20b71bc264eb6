/*
 * Copyright (C) ngx_commerce authors
 *
 *   redis SOCKET FLIGHT SECONDS
 *
 * Durable redemptions as one would write them for Redis: an order is two scripts, each atomic and each a
 * round trip, as the gateway's two transactions are.  open: the coupon is free, the buyer and the campaign
 * are within their limits; then reserve it, write the order, count, and add an event to a stream.  accept:
 * the order is pending and has the coupon; then redeem it, write both, add two events.  FLIGHT orders are
 * under way at a time over one pipelined connection, which serves Redis best.  The stream is kept short, as
 * if somebody read it.  Prints: orders, orders per second, and what Redis says of its memory per order, the
 * stream apart.
 */

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


static const char  open_script[] =
    "if redis.call('EXISTS', KEYS[1]) == 1 then return redis.error_reply('REUSED') end\n"
    "local state = redis.call('HGET', KEYS[2], 'state')\n"
    "if state and state ~= 'issued' then return redis.error_reply('HELD') end\n"
    "if redis.call('INCR', KEYS[3]) > tonumber(ARGV[5]) then\n"
    "    redis.call('DECR', KEYS[3]) return redis.error_reply('TOTAL') end\n"
    "if redis.call('INCR', KEYS[4]) > tonumber(ARGV[6]) then\n"
    "    redis.call('DECR', KEYS[3]) redis.call('DECR', KEYS[4]) return redis.error_reply('USER') end\n"
    "redis.call('HSET', KEYS[2], 'state', 'reserved', 'order', ARGV[1], 'user', ARGV[2])\n"
    "redis.call('HSET', KEYS[1], 'state', 'pending', 'coupon', KEYS[2], 'user', ARGV[2], 'seller', ARGV[3],\n"
    "    'until', ARGV[4])\n"
    "redis.call('XADD', KEYS[5], 'MAXLEN', '~', '4096', '*', 'e', ARGV[7])\n"
    "return 1\n";

static const char  accept_script[] =
    "if redis.call('HGET', KEYS[1], 'state') ~= 'pending' then return redis.error_reply('REPLAY') end\n"
    "local coupon = redis.call('HMGET', KEYS[2], 'state', 'order')\n"
    "if coupon[1] ~= 'reserved' or coupon[2] ~= ARGV[1] then return redis.error_reply('LOST') end\n"
    "redis.call('HSET', KEYS[2], 'state', 'redeemed')\n"
    "redis.call('HSET', KEYS[1], 'state', 'placed')\n"
    "redis.call('XADD', KEYS[3], 'MAXLEN', '~', '4096', '*', 'e', ARGV[2])\n"
    "redis.call('XADD', KEYS[3], 'MAXLEN', '~', '4096', '*', 'e', ARGV[3])\n"
    "return 1\n";


static void load(const char *script, char sha[41]);
static void send_open(unsigned i);
static void send_accept(unsigned i);
static void expect_one(void);
static double memory(void);
static double now(void);
static void fail(const char *what) __attribute__((noreturn));


static redisContext  *redis;
static char           open_sha[41], accept_sha[41];

/* the members of the gateway's own events */

static const char  event[] =
    "{\"v\":1,\"id\":\"01a2008f-75f2-7000-8f27-d4424d663ba6\",\"type\":\"coupon_reserve\","
    "\"ts\":1795305731570000,\"shop\":\"demo\",\"campaign\":\"bench\",\"serial\":%u,"
    "\"order_key\":\"order-%024u\",\"buyer\":\"0:0123456789abcdefghijkl\",\"discount\":null,"
    "\"from\":\"issued\",\"to\":\"reserved\",\"fp\":\"f53e38943780d298\"}";


int
main(int argc, char **argv)
{
    double    start, end, limit, before;
    unsigned  i, first, n, flight;

    if (argc != 4) {
        fprintf(stderr, "usage: redis SOCKET FLIGHT SECONDS\n");
        return 2;
    }

    redis = redisConnectUnix(argv[1]);

    if (redis == NULL || redis->err) {
        fail("cannot connect");
    }

    flight = (unsigned) atoi(argv[2]);
    limit = atof(argv[3]);

    load(open_script, open_sha);
    load(accept_script, accept_sha);
    freeReplyObject(redisCommand(redis, "FLUSHALL"));

    before = memory();
    start = now();
    end = start + limit;

    /* as in the gateway: new orders and the outcomes of those before them go out together */

    for (first = 0, n = 0; /* void */; first += flight) {

        for (i = first - n; i < first; i++) {
            send_accept(i);
        }

        for (i = 0; i < n; i++) {
            if (flight == 1) {
                expect_one();
            }
        }

        if (now() >= end) {
            break;
        }

        for (i = first; i < first + flight; i++) {
            send_open(i);
        }

        for (i = 0; i < flight + (flight > 1 ? n : 0); i++) {
            expect_one();
        }

        n = flight;
    }

    for (i = 0; flight > 1 && i < n; i++) {
        expect_one();
    }

    end = now();
    freeReplyObject(redisCommand(redis, "DEL events"));

    printf("orders=%u rate=%.0f memory=%.0f\n", first, first / (end - start), (memory() - before) / first);

    return 0;
}


static void
load(const char *script, char sha[41])
{
    redisReply  *reply;

    reply = redisCommand(redis, "SCRIPT LOAD %s", script);

    if (reply == NULL || reply->type != REDIS_REPLY_STRING || reply->len != 40) {
        fail(reply != NULL && reply->str != NULL ? reply->str : "cannot load a script");
    }

    memcpy(sha, reply->str, 41);
    freeReplyObject(reply);
}


static void
send_open(unsigned i)
{
    char  body[512];

    snprintf(body, sizeof(body), event, i, i);

    if (redisAppendCommand(redis, "EVALSHA %s 5 o:demo:buyer-%05u:order-%024u c:1:%u n:1 n:1:buyer-%05u"
                           " events order-%024u buyer-%05u seller-00007 1790000000 100000000 100000000 %s",
                           open_sha, i % 400, i, i, i % 400, i, i % 400, body)
        != REDIS_OK)
    {
        fail("cannot send");
    }
}


static void
send_accept(unsigned i)
{
    char  body[512];

    snprintf(body, sizeof(body), event, i, i);

    if (redisAppendCommand(redis, "EVALSHA %s 3 o:demo:buyer-%05u:order-%024u c:1:%u events order-%024u %s %s",
                           accept_sha, i % 400, i, i, i, body, body)
        != REDIS_OK)
    {
        fail("cannot send");
    }
}


static void
expect_one(void)
{
    void        *reply;
    redisReply  *answer;

    if (redisGetReply(redis, &reply) != REDIS_OK) {
        fail("no answer");
    }

    answer = reply;

    if (answer->type != REDIS_REPLY_INTEGER || answer->integer != 1) {
        fail(answer->str != NULL ? answer->str : "another answer");
    }

    freeReplyObject(answer);
}


static double
memory(void)
{
    char        *line;
    double       used;
    redisReply  *reply;

    reply = redisCommand(redis, "INFO memory");
    line = reply != NULL && reply->str != NULL ? strstr(reply->str, "used_memory:") : NULL;

    if (line == NULL) {
        fail("no figure");
    }

    used = atof(line + sizeof("used_memory:") - 1);
    freeReplyObject(reply);

    return used;
}


static double
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}


static void
fail(const char *what)
{
    fprintf(stderr, "redis: %s\n", what);
    exit(1);
}
