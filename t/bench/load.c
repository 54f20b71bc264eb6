/*
 * Copyright (C) ngx_commerce authors
 *
 * A load generator for requests that must all differ: keep-alive connections in a closed loop, each
 * sending the next raw request of a file when its answer is complete.
 *
 *   load -p PORT -f FILE -c CONNECTIONS [-o FIRST] [-n COUNT] [-t SECONDS] [-l] [-a CPU] [-r RATE]
 *
 * With -r the loop is open: so many requests a second are due whatever the answers do, on whichever
 * connection is free, and the answer's time counts from when the request was due.
 *
 * FILE holds raw HTTP/1.1 requests, one behind the other; -o skips that many, -l starts again at
 * the end of the file.  Stops after COUNT requests, SECONDS, or the file's end, with every answer
 * read.  Prints: sent, answers with 20x, others, seconds, and the median and 99th percentile of the
 * answer's time in microseconds.
 */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>


#define ANSWER_MAX  65536
#define EVENTS      512


typedef struct {
    const char  *data;
    size_t       len;
} request_t;

typedef struct {
    int                fd;
    const request_t   *request;     /* NULL: idle */
    size_t             sent;
    size_t             got;
    double             started;
    char              *in;
} connection_t;

typedef struct {
    int                port, cpu;
    unsigned           connections;
    size_t             first, count;
    double             seconds, rate;
    bool               loop;
    const char        *file;
} options_t;


static void options_read(options_t *options, int argc, char **argv);
static void requests_read(const char *path);
static size_t request_length(const char *p, const char *end);
static void connection_open(connection_t *c);
static void connection_next(connection_t *c);
static void connection_start(connection_t *c, double time);
static void start_due(void);
static int wait_for(struct epoll_event *events);
static void connection_write(connection_t *c);
static void connection_read(connection_t *c);
static size_t answer_length(const connection_t *c);
static void connection_done(connection_t *c);
static void report(void);
static int latency_order(const void *a, const void *b);
static double now(void);
static void fail(const char *what);


static options_t     options;
static request_t    *requests;
static size_t        nrequests;
static size_t        next_request, sent, succeeded, failed, busy;
static float        *latencies;
static size_t        nlatencies, latency_room;
static double        begun, stop_at;
static int           poller;
static connection_t  **idle;            /* in an open loop: free ones */
static size_t        nidle, due;        /* due: requests that the clock has called for */


int
main(int argc, char **argv)
{
    int                  i, n;
    unsigned             k;
    cpu_set_t            set;
    connection_t        *connections;
    struct epoll_event   events[EVENTS];

    options_read(&options, argc, argv);
    requests_read(options.file);

    if (options.cpu >= 0) {
        CPU_ZERO(&set);
        CPU_SET(options.cpu, &set);
        (void) sched_setaffinity(0, sizeof(set), &set);
    }

    poller = epoll_create1(0);
    connections = calloc(options.connections, sizeof(connection_t));
    idle = calloc(options.connections, sizeof(connection_t *));

    if (poller == -1 || connections == NULL || idle == NULL) {
        fail("cannot start");
    }

    next_request = options.loop ? options.first % nrequests : options.first;

    for (k = 0; k < options.connections; k++) {
        connections[k].in = malloc(ANSWER_MAX);
        connection_open(&connections[k]);
    }

    begun = now();
    stop_at = options.seconds > 0 ? begun + options.seconds : begun + 600;

    for (k = 0; k < options.connections; k++) {
        connection_next(&connections[k]);
    }

    while (busy > 0 || (options.rate > 0 && now() < stop_at && due < options.count)) {
        n = wait_for(events);

        for (i = 0; i < n; i++) {
            connection_t  *c = events[i].data.ptr;

            if (c->request != NULL && c->sent < c->request->len) {
                connection_write(c);

            } else {
                connection_read(c);
            }
        }

        if (options.rate > 0) {
            start_due();
        }
    }

    report();

    return 0;
}


static void
options_read(options_t *o, int argc, char **argv)
{
    int  c;

    *o = (options_t) { .cpu = -1, .connections = 1, .count = SIZE_MAX };

    while ((c = getopt(argc, argv, "p:f:c:o:n:t:la:r:")) != -1) {
        switch (c) {
        case 'p': o->port = atoi(optarg); break;
        case 'f': o->file = optarg; break;
        case 'c': o->connections = (unsigned) atoi(optarg); break;
        case 'o': o->first = (size_t) atol(optarg); break;
        case 'n': o->count = (size_t) atol(optarg); break;
        case 't': o->seconds = atof(optarg); break;
        case 'l': o->loop = true; break;
        case 'a': o->cpu = atoi(optarg); break;
        case 'r': o->rate = atof(optarg); break;
        default:  exit(2);
        }
    }

    if (o->port == 0 || o->file == NULL || o->connections == 0) {
        fprintf(stderr, "usage: load -p PORT -f FILE -c CONNECTIONS [-o FIRST] [-n COUNT]"
                        " [-t SECONDS] [-l] [-a CPU] [-r RATE]\n");
        exit(2);
    }
}


static void
requests_read(const char *path)
{
    int           fd;
    size_t        len, room;
    const char   *p, *end;
    struct stat   st;

    fd = open(path, O_RDONLY);

    if (fd == -1 || fstat(fd, &st) == -1 || st.st_size == 0) {
        fail(path);
    }

    p = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE|MAP_POPULATE, fd, 0);

    if (p == MAP_FAILED) {
        fail(path);
    }

    for (room = 0, end = p + st.st_size; p < end; p += len) {
        len = request_length(p, end);

        if (nrequests == room) {
            room = room ? room * 2 : 4096;
            requests = realloc(requests, room * sizeof(request_t));
        }

        if (len == 0 || requests == NULL) {
            fail("the file holds something else than requests");
        }

        requests[nrequests++] = (request_t) { p, len };
    }

    close(fd);
}


static size_t
request_length(const char *p, const char *end)
{
    size_t       len;
    const char  *head, *field;

    head = memmem(p, (size_t) (end - p), "\r\n\r\n", 4);

    if (head == NULL) {
        return 0;
    }

    len = (size_t) (head + 4 - p);
    field = memmem(p, len, "\r\nContent-Length:", 17);

    if (field != NULL) {
        len += (size_t) atol(field + 17);
    }

    return len <= (size_t) (end - p) ? len : 0;
}


static void
connection_open(connection_t *c)
{
    int                  on;
    struct sockaddr_in   sin;
    struct epoll_event   event;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons((uint16_t) options.port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);

    if (c->fd == -1 || connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || fcntl(c->fd, F_SETFL, O_NONBLOCK) == -1
        || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1)
    {
        fail("cannot connect");
    }

    event.events = EPOLLIN;
    event.data.ptr = c;

    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event) == -1) {
        fail("cannot connect");
    }
}


static void
connection_next(connection_t *c)
{
    c->request = NULL;

    if (options.rate > 0) {
        idle[nidle++] = c;
        return;
    }

    connection_start(c, now());
}


/* whatever the clock has called for by now, as long as a connection is free */

static void
start_due(void)
{
    double  time;

    time = now();

    while (due < options.count && begun + (double) due / options.rate <= time
           && begun + (double) due / options.rate < stop_at)
    {
        if (nidle == 0) {
            return;
        }

        connection_start(idle[--nidle], begun + (double) due++ / options.rate);
    }
}


static int
wait_for(struct epoll_event *events)
{
    int              n;
    double           left;
    struct timespec  ts;

    if (options.rate == 0) {
        n = epoll_wait(poller, events, EVENTS, 10000);

        if (n == 0) {
            fail("no answer within 10 seconds");
        }

        return n;
    }

    left = begun + (double) due / options.rate - now();

    if (nidle == 0 || due >= options.count || begun + (double) due / options.rate >= stop_at) {
        left = 0.1;
    }

    if (left < 0) {
        left = 0;
    }

    ts.tv_sec = (time_t) left;
    ts.tv_nsec = (long) ((left - (double) ts.tv_sec) * 1e9);

    return epoll_pwait2(poller, events, EVENTS, &ts, NULL);
}


static void
connection_start(connection_t *c, double time)
{
    if (sent == options.count || now() >= stop_at) {
        return;
    }

    if (next_request == nrequests && options.loop) {
        next_request = 0;
    }

    if (next_request >= nrequests) {
        return;
    }

    c->request = &requests[next_request++];
    c->started = time;
    c->sent = 0;
    c->got = 0;
    sent++;
    busy++;

    connection_write(c);
}


static void
connection_write(connection_t *c)
{
    bool                 waited;
    ssize_t              n;
    struct epoll_event   event;

    waited = c->sent > 0;
    n = write(c->fd, c->request->data + c->sent, c->request->len - c->sent);

    if (n == -1 && errno != EAGAIN) {
        fail("cannot send");
    }

    c->sent += n > 0 ? (size_t) n : 0;

    if (c->sent < c->request->len || waited) {
        event.events = c->sent < c->request->len ? EPOLLOUT : EPOLLIN;
        event.data.ptr = c;
        epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
    }
}


static void
connection_read(connection_t *c)
{
    size_t   len;
    ssize_t  n;

    n = read(c->fd, c->in + c->got, ANSWER_MAX - 1 - c->got);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        close(c->fd);

        if (c->request != NULL && c->got > 0) {
            fail("the server closed the connection in the middle of an answer");
        }

        connection_open(c);

        if (c->request != NULL) {           /* the server's keep-alive ended just then */
            c->sent = 0;
            connection_write(c);
        }

        return;
    }

    c->got += (size_t) n;
    c->in[c->got] = '\0';
    len = answer_length(c);

    if (len != 0 && c->got >= len) {
        connection_done(c);
    }
}


/* 0 = the header is not complete */

static size_t
answer_length(const connection_t *c)
{
    char  *head, *field;

    head = strstr(c->in, "\r\n\r\n");

    if (head == NULL) {
        return 0;
    }

    field = strcasestr(c->in, "\r\nContent-Length:");

    if (field == NULL || field > head) {
        fail("an answer without Content-Length");
    }

    return (size_t) (head + 4 - c->in) + (size_t) atol(field + 17);
}


static void
connection_done(connection_t *c)
{
    if (strncmp(c->in, "HTTP/1.1 20", 11) == 0) {
        succeeded++;

    } else if (failed++ == 0) {
        fprintf(stderr, "the first answer that is not 200:\n%.*s\n->\n%s\n",
                (int) c->request->len, c->request->data, c->in);
    }

    if (nlatencies == latency_room) {
        latency_room = latency_room ? latency_room * 2 : 65536;
        latencies = realloc(latencies, latency_room * sizeof(float));

        if (latencies == NULL) {
            fail("out of memory");
        }
    }

    latencies[nlatencies++] = (float) ((now() - c->started) * 1e6);
    busy--;

    connection_next(c);
}


static void
report(void)
{
    double  p50, p99;

    p50 = p99 = 0;

    if (nlatencies > 0) {
        qsort(latencies, nlatencies, sizeof(float), latency_order);
        p50 = (double) latencies[nlatencies / 2];
        p99 = (double) latencies[nlatencies - 1 - nlatencies / 100];
    }

    printf("sent=%zu ok=%zu failed=%zu seconds=%.6f p50=%.0f p99=%.0f\n",
           sent, succeeded, failed, now() - begun, p50, p99);
}


static int
latency_order(const void *a, const void *b)
{
    float  x = *(const float *) a, y = *(const float *) b;

    return (x > y) - (x < y);
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
    fprintf(stderr, "load: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}
