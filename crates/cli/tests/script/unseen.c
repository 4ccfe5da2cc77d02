/* Takes memory where nobody may look, and keeps it for a while: unseen WAY MEBIBYTES [SECONDS]. Exit code 0 and a line if it has
 * it all, else 1. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MEBIBYTE (1L << 20)
#define HUGE (2 * MEBIBYTE)

static char block[65536];
static long wanted, seconds;

static int refused(const char *what, long taken)
{
    printf("%s: %s after %ld MiB\n", what, strerror(errno), taken / MEBIBYTE);
    return 1;
}

static int has_it_all(void)
{
    printf("has %ld MiB\n", wanted / MEBIBYTE);
    fflush(stdout);
    sleep(seconds);
    return 0;
}

/* A process whose first thread has ended. */
static void *in_a_thread(void *unused)
{
    pthread_join(*(pthread_t *)unused, NULL);
    for (long taken = 0; taken < wanted; taken += 8 * MEBIBYTE) {
        char *map = mmap(NULL, 8 * MEBIBYTE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (map == MAP_FAILED)
            exit(refused("mmap", taken));
        memset(map, 1, 8 * MEBIBYTE);
        usleep(20000);
    }
    exit(has_it_all());
}

static int ended(void)
{
    static pthread_t first;
    pthread_t second;
    first = pthread_self();
    pthread_create(&second, NULL, in_a_thread, &first);
    pthread_exit(NULL);
}

static long fill(int socket)
{
    long filled = 0;
    fcntl(socket, F_SETFL, O_NONBLOCK);
    for (long written; (written = write(socket, block, sizeof block)) > 0;)
        filled += written;
    return filled;
}

/* Sends descriptors to nobody, so that no process has them. */
static int hide(int one, int other)
{
    static int pair[2], left;
    /* Of a queue that is full, the next one takes over. */
    if (left-- == 0) {
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
            return -1;
        left = 100;
    }
    int files[2] = {one, other}, count = other < 0 ? 1 : 2;
    union { struct cmsghdr header; char space[CMSG_SPACE(sizeof files)]; } control = {0};
    struct iovec byte = {"", 1};
    struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(count * sizeof one)};
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(count * sizeof one);
    memcpy(CMSG_DATA(&control.header), files, count * sizeof one);
    if (sendmsg(pair[1], &message, 0) != 1)
        return -1;
    close(one);
    return count == 2 ? close(other) : 0;
}

/* Open for one thread, whose table of descriptors is its own. */
static void *in_a_table(void *unused)
{
    if (syscall(SYS_close_range, 1000000, ~0U, 2 /* CLOSE_RANGE_UNSHARE */))
        exit(refused("close_range", 0));
    for (long taken = 0; taken < wanted; usleep(2000)) {
        int pair[2];
        if (pipe(pair))
            exit(refused("pipe", taken));
        taken += fill(pair[1]);
    }
    exit(has_it_all());
}

static int tables(void)
{
    pthread_t other;
    pthread_create(&other, NULL, in_a_table, NULL);
    pthread_join(other, NULL);
    return 0;
}

/* Sockets: on their way through another one, or closed before what they have sent is read. */
static int sockets(int is_closed)
{
    for (long taken = 0; taken < wanted; usleep(2000)) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
            return refused("socketpair", taken);
        taken += fill(pair[1]);
        if (is_closed ? close(pair[1]) : hide(pair[0], pair[1]))
            return refused("sendmsg", taken);
    }
    return has_it_all();
}

/* Pipes on their way. */
static int pipes(void)
{
    for (long taken = 0; taken < wanted; usleep(2000)) {
        int pair[2];
        if (pipe(pair))
            return refused("pipe", taken);
        taken += fill(pair[1]);
        if (hide(pair[0], pair[1]))
            return refused("sendmsg", taken);
    }
    return has_it_all();
}

/* Pipes on their way, with nothing in them, as long as a file is there. */
static int passed(long number, const char *until)
{
    for (long i = 0; i < number; i++) {
        int pair[2];
        if (pipe(pair) || hide(pair[0], pair[1]))
            return refused("sendmsg", i);
    }
    while (access(until, F_OK) == 0)
        usleep(20000);
    return 0;
}

/* Connections: never accepted, or accepted, ended by the other side, and on their way. */
static int connections(int is_accepted)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (void *)&address, length) || listen(listener, 4096)
        || getsockname(listener, (void *)&address, &length))
        return refused("listen", 0);
    for (long taken = 0; taken < wanted; usleep(2000)) {
        int client = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(client, (void *)&address, length))
            return refused("connect", taken);
        if (is_accepted) {
            int server = accept(listener, NULL, NULL);
            /* As much as is taken at once: nothing is left to be sent when it ends. */
            taken += write(client, block, 32768) + write(client, block, 16384);
            shutdown(server, SHUT_WR);
            shutdown(client, SHUT_RDWR);
            usleep(1000);
            if (hide(server, -1))
                return refused("sendmsg", taken);
        } else {
            taken += fill(client);
        }
        if (is_accepted)
            close(client);
    }
    return has_it_all();
}

/* Pipes through which something has gone: the kernel keeps two pages of each. */
static int drained(void)
{
    for (long taken = 0; taken < wanted; taken += 8192) {
        int pair[2];
        if (pipe(pair))
            return refused("pipe", taken);
        for (int i = 0; i < 2; i++)
            write(pair[1], block, 4096);
        read(pair[0], block, 8192);
        close(pair[1]);
    }
    return has_it_all();
}

/* Connections whose senders have nothing more to do with them: what is left is still to be sent. */
static int orphans(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (void *)&address, length) || listen(listener, 4096)
        || getsockname(listener, (void *)&address, &length))
        return refused("listen", 0);
    for (long taken = 0; taken < wanted; usleep(2000)) {
        int client = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(client, (void *)&address, length) || accept(listener, NULL, NULL) < 0)
            return refused("connect", taken);
        taken += fill(client);
        close(client);
    }
    return has_it_all();
}

static int sleeps(void *unused)
{
    sleep(1);
    return 0;
}

/* A memory of which a new process is made that outlives its maker. */
static int moved(void)
{
    if (clone(sleeps, malloc(65536) + 65536, CLONE_VM | SIGCHLD, NULL) < 0)
        return refused("clone", 0);
    return has_it_all();
}

/* What a process and its child share, as neither writes to it. */
static int forked(void)
{
    char *map = mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return refused("mmap", 0);
    memset(map, 1, wanted);
    for (int i = 0; i < 3; i++)
        if (fork() == 0) {
            sleep(seconds);
            _exit(0);
        }
    return has_it_all();
}

/* A page of a huge page, in a pipe. */
static int huge(void)
{
    for (long taken = 0; taken < wanted; taken += HUGE) {
        int pair[2];
        char *map = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (map == MAP_FAILED || pipe(pair))
            return refused("mmap", taken);
        char *page = (char *)(((unsigned long)map + HUGE - 1) & ~(HUGE - 1));
        madvise(page, HUGE, MADV_HUGEPAGE);
        memset(page, 1, HUGE);
        struct iovec part = {page, 4096};
        if (vmsplice(pair[1], &part, 1, SPLICE_F_GIFT) != 4096)
            return refused("vmsplice", taken);
        munmap(map, 2 * HUGE);
        usleep(2000);
    }
    return has_it_all();
}

/* A process that lends its memory to another one for a while. */
static int lent(void)
{
    char *map = mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return refused("mmap", 0);
    memset(map, 1, wanted);
    if (vfork() == 0) {
        usleep(500000);
        _exit(0);
    }
    return has_it_all();
}

/* Sockets that are open at once. */
static int made(long number)
{
    for (long i = 0; i < number; i++)
        if (socket(AF_INET, i % 2 ? SOCK_STREAM : SOCK_DGRAM, 0) < 0)
            return printf("socket: %s after %ld\n", strerror(errno), i), 0;
    return printf("has %ld\n", number), 0;
}

/* What puts pages elsewhere without a copy, and what must go on working in its place. */
static int calls(void)
{
    int pair[2], file = open("/etc/passwd", O_RDONLY), socket_file = socket(AF_INET, SOCK_STREAM, 0), one = 1, size = 4 << 20;
    socklen_t length = sizeof size;
    char answer[64] = {0};
    pipe(pair);
    long ways[] = {
        splice(file, NULL, pair[1], NULL, 10, 0), tee(pair[0], pair[1], 10, 0),
        vmsplice(pair[1], &(struct iovec){block, 4096}, 1, 0), sendfile(pair[1], file, NULL, 10),
        fcntl(pair[1], F_SETPIPE_SZ, MEBIBYTE), setsockopt(socket_file, SOL_SOCKET, 60 /* SO_ZEROCOPY */, &one, sizeof one),
        getsockopt(socket_file, IPPROTO_TCP, 35 /* TCP_ZEROCOPY_RECEIVE */, answer, &length),
        syscall(425 /* io_uring_setup */, 8, answer), socket(AF_INET, SOCK_STREAM, 262 /* IPPROTO_MPTCP */),
    };
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++)
        if (ways[i] >= 0)
            printf("not refused: %u\n", i);
    /* As much as there is anyway. */
    pipe(pair);
    if (fcntl(pair[1], F_SETPIPE_SZ, 4096) < 4096 || fcntl(pair[1], F_SETPIPE_SZ, 65536) < 65536)
        return refused("F_SETPIPE_SZ", 0);
    if (setsockopt(socket_file, SOL_SOCKET, SO_RCVBUF, &size, sizeof size))
        return refused("SO_RCVBUF", 0);
    length = sizeof size;
    getsockopt(socket_file, SOL_SOCKET, SO_RCVBUF, &size, &length);
    if (size >= 4 << 20)
        printf("a buffer of %d bytes\n", size);
    return 0;
}

/* Many mappings in many processes, and then what makes the monitor look at them. */
static int mappings(void)
{
    int ready[2], page = getpagesize();
    char byte;
    pipe(ready);
    for (long i = 0; i < wanted / MEBIBYTE; i++) {
        if (fork())
            continue;
        for (int j = 0; j < 60000; j++)
            mmap(NULL, page, j % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        write(ready[1], "", 1);
        sleep(1000);
    }
    for (long i = 0; i < wanted / MEBIBYTE; i++)
        read(ready[0], &byte, 1);
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    int granted = 0;
    for (int i = 0; i < 20; i++) {
        char *map = mmap(NULL, 200 * MEBIBYTE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        granted += map != MAP_FAILED && munmap(map, 200 * MEBIBYTE) == 0;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("granted %d in %ld ms\n", granted, (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    const char *way = argv[1];
    wanted = atol(argv[2]) * MEBIBYTE;
    seconds = argc > 3 ? atol(argv[3]) : 0;
    memset(block, 1, sizeof block);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    return !strcmp(way, "ended") ? ended() : !strcmp(way, "tables") ? tables() : !strcmp(way, "closed") ? sockets(1)
        : !strcmp(way, "sent") ? sockets(0) : !strcmp(way, "pipes") ? pipes() : !strcmp(way, "unaccepted") ? connections(0)
        : !strcmp(way, "finished") ? connections(1) : !strcmp(way, "huge") ? huge() : !strcmp(way, "calls") ? calls()
        : !strcmp(way, "passed") ? passed(atol(argv[2]), argv[3])
        : !strcmp(way, "lent") ? lent() : !strcmp(way, "made") ? made(atol(argv[2]))
        : !strcmp(way, "drained") ? drained() : !strcmp(way, "orphans") ? orphans()
        : !strcmp(way, "moved") ? moved() : !strcmp(way, "forked") ? forked() : !strcmp(way, "mappings") ? mappings() : 2;
}
