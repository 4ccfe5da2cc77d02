/* Abstract Unix sockets, from inside. Each line says what the kernel grants.
 *   out NAME...    connects to these, and sends to them; a stream socket is the first, a datagram socket the second
 *   in NAME FILE   listens, makes the file as a sign of it, and tells whether anybody connects before the file GO is there */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int main(int argc, char **argv)
{
    return strcmp(argv[1], "out") ? in(argv[2], argv[3], argv[4]) : out(argv[2], argv[3]);
}
