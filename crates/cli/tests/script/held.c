/* What may hold up who looks at a script, from inside.
 *   close             closes sockets that wait for their peers, while the monitor is asked to look at them
 *   page FILE         has the monitor read a name from a page of this file
 *   flush FILE        opens this file and closes it
 *   pass SOCKET       says so, and passes standard output to who listens there */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DEVICE S_IFCHR | 0600, makedev(1, 3)

#define ASKING 16

/* Asks the monitor for a device below what is a socket, again and again. */
static int ask(void *unused)
{
    for (;;)
        mknodat(10, "device", DEVICE);
}

/* In nanoseconds. */
static long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000 + time.tv_nsec;
}

static void nothing(int signal)
{
}

static int close_sockets(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    struct linger hour = {1, 3600};
    struct itimerval soon = {.it_value.tv_usec = 1000}, never = {0};
    struct rlimit files;
    char bytes[65536] = {0};
    int little = 4096, listener = socket(AF_INET, SOCK_STREAM, 0), last = -1;
    static char stacks[ASKING + 1][16384];
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    if (bind(listener, (void *)&address, length) || listen(listener, 8) || getsockname(listener, (void *)&address, &length))
        return 1;
    /* When our close is the last one, it is ours that waits: this ends it. */
    signal(SIGALRM, nothing);
    siginterrupt(SIGALRM, 1);
    for (;;) {
        int ours = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), theirs;
        setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
        if (connect(ours, (void *)&address, length) && errno != EINPROGRESS || (theirs = accept(listener, 0, 0)) < 0) {
            close(ours);
            continue;
        }
        while (send(ours, bytes, sizeof bytes, 0) > 0)
            ;
        setsockopt(ours, SOL_SOCKET, SO_LINGER, &hour, sizeof hour);
        setitimer(ITIMER_REAL, &soon, 0);
        long start = now();
        /* Closes the one before. */
        dup2(ours, 10);
        /* Else somebody has it who waits for the peer now, who stays. */
        if (now() - start > 500000)
            close(last);
        setitimer(ITIMER_REAL, &never, 0);
        close(ours);
        /* Processes, as not every kernel gives a handle of a thread; what is open is open for all. */
        for (int process = 1; last < 0 && process <= ASKING; process++)
            clone(ask, stacks[process], CLONE_FILES | CLONE_VM, 0);
        last = theirs;
    }
}

static int pass(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char space[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec one = {"x", 1};
    struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int line = socket(AF_UNIX, SOCK_STREAM, 0), output = 1;
    strcpy(address.sun_path, socket_path);
    *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(header), &output, sizeof output);
    puts("passed on");
    fflush(stdout);
    return connect(line, (void *)&address, sizeof address) || sendmsg(line, &message, 0) != 1;
}

int main(int count, char **arguments)
{
    const char *way = count > 1 ? arguments[1] : "", *path = count > 2 ? arguments[2] : "";
    if (!strcmp(way, "close"))
        return close_sockets();
    if (!strcmp(way, "pass"))
        return pass(path);
    int opened = open(path, O_RDONLY);
    if (opened < 0)
        return 1;
    if (!strcmp(way, "flush"))
        return close(opened);
    char *page = mmap(0, 4096, PROT_READ, MAP_SHARED, opened, 0);
    return page == MAP_FAILED || mknod(page, DEVICE);
}
