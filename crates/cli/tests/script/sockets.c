/* Abstract Unix sockets, from inside. Each line says what the kernel grants.
 *   out NAME NAME     connects to these, and sends to them; a stream socket is the first, a datagram socket the second
 *   in NAME SIGN GO   listens, makes the file SIGN, and tells whether anybody has connected when the file GO is there
 *   internet          asks which addresses there are, and makes sockets with all flags, up to the limit */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un address;
static socklen_t length;

static void name(const char *text)
{
    address.sun_family = AF_UNIX;
    memset(address.sun_path, 0, sizeof address.sun_path);
    strcpy(address.sun_path + 1, text);
    length = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(text);
}

static void said(const char *what, long result)
{
    printf("%s: %s\n", what, result < 0 ? "refused" : "granted");
}

static int out(const char *stream, const char *datagram)
{
    int pair[2];
    name(stream);
    said("connect", connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&address, length));
    name(datagram);
    said("send", sendto(socket(AF_UNIX, SOCK_DGRAM, 0), "x", 1, 0, (void *)&address, length));
    said("raw", sendto(socket(AF_UNIX, SOCK_RAW, 0), "x", 1, 0, (void *)&address, length));
    /* A pair is connected, and can be connected to another. */
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    said("pair", connect(pair[0], (void *)&address, length));
    return 0;
}

static int in(const char *own, const char *sign, const char *go)
{
    int socket_ = socket(AF_UNIX, SOCK_STREAM, 0);
    struct pollfd ready = {socket_, POLLIN, 0};
    name(own);
    said("bind", bind(socket_, (void *)&address, length));
    said("listen", listen(socket_, 1));
    close(open(sign, O_CREAT | O_WRONLY, 0666));
    for (int left = 600; left && access(go, F_OK); left--) poll(0, 0, 100);
    said("accept", poll(&ready, 1, 0) == 1 ? 0 : -1);
    return 0;
}

static int internet(void)
{
    struct ifaddrs *addresses;
    struct rlimit limit = {20, 20};
    said("addresses", getifaddrs(&addresses));
    int plain = socket(AF_INET, SOCK_STREAM, 0), flagged = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    printf("close on exec: %d %d\n", fcntl(plain, F_GETFD) & FD_CLOEXEC, fcntl(flagged, F_GETFD) & FD_CLOEXEC);
    printf("waits: %d %d\n", !(fcntl(plain, F_GETFL) & O_NONBLOCK), !(fcntl(flagged, F_GETFL) & O_NONBLOCK));
    said("raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    setrlimit(RLIMIT_NOFILE, &limit);
    while (socket(AF_INET, SOCK_DGRAM, 0) >= 0) continue;
    printf("limit: %s\n", strerror(errno));
    return 0;
}

int main(int argc, char **argv)
{
    if (!strcmp(argv[1], "internet")) return internet();
    return strcmp(argv[1], "out") ? in(argv[2], argv[3], argv[4]) : out(argv[2], argv[3]);
}
