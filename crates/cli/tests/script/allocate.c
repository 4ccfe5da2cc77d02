/* Takes room on the disk at once, or in pieces of so many bytes: allocate MEBIBYTES FILE [BYTES]. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct space { short type, whence; long long start, length; int system; unsigned process; int rest[4]; };

int main(int argc, char **argv)
{
    long wanted = argc >= 3 ? atol(argv[1]) << 20 : 0, piece = argc == 4 ? atol(argv[3]) : wanted;
    int file = open(argc >= 3 ? argv[2] : "", O_CREAT | O_RDWR, 0644);
    /* By the name that XFS gave it, first. */
    struct space space = {.length = wanted};
    if (ioctl(file, 0x40305828 /* FS_IOC_RESVSP */, &space) == 0)
        return fprintf(stderr, "FS_IOC_RESVSP\n"), 1;
    for (long at = 0; at < wanted; at += piece)
        if (fallocate(file, 0, at, piece))
            return perror("fallocate"), 1;
    return 0;
}
