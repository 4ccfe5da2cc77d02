/* Takes memory that is in no process: memory WAY MEBIBYTES. Exit code 0 and a line if it has it all, else 1. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEBIBYTE (1L << 20)

static char *block;
static long wanted;

static int refused(const char *what, long taken)
{
    printf("%s: %s after %ld MiB\n", what, strerror(errno), taken / MEBIBYTE);
    return 1;
}

/* Sends a descriptor to nobody, so that no process has it. */
static int hide(int file)
{
    static int pair[2];
    if (!pair[0] && socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
        return -1;
    union { struct cmsghdr header; char space[CMSG_SPACE(sizeof file)]; } control = {0};
    struct iovec byte = {"", 1};
    struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof file);
    memcpy(CMSG_DATA(&control.header), &file, sizeof file);
    return sendmsg(pair[1], &message, 0) == 1 ? close(file) : -1;
}

static int memory_files(int hidden)
{
    for (long taken = 0; taken < wanted; taken += 8 * MEBIBYTE) {
        int file = memfd_create("hidden", 0);
        if (file < 0)
            return refused("memfd_create", taken);
        for (int i = 0; i < 8; i++)
            if (write(file, block, MEBIBYTE) != MEBIBYTE)
                return refused("write", taken);
        if (hidden && hide(file))
            return refused("sendmsg", taken);
        usleep(20000);
    }
    return 0;
}

/* What programs do with them: seals, mappings, names of /proc; and giving them back. */
static int usual(void)
{
    for (long taken = 0; taken < wanted; taken += 16 * MEBIBYTE) {
        int file = memfd_create("usual", MFD_ALLOW_SEALING | MFD_CLOEXEC);
        if (file < 0 || ftruncate(file, 16 * MEBIBYTE))
            return refused("memfd_create", taken);
        char *map = mmap(NULL, 16 * MEBIBYTE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (map == MAP_FAILED)
            return refused("mmap", taken);
        memset(map, 1, 16 * MEBIBYTE);
        munmap(map, 16 * MEBIBYTE);
        if (fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK) || !(fcntl(file, F_GETFD) & FD_CLOEXEC))
            return refused("seals", taken);
        close(file);
        usleep(100000);
    }
    return 0;
}

static int segments(void)
{
    for (long taken = 0; taken < wanted; taken += MEBIBYTE) {
        int segment = shmget(IPC_PRIVATE, MEBIBYTE, 0600);
        char *map = segment < 0 ? (char *)-1 : shmat(segment, NULL, 0);
        if (map == (char *)-1)
            return refused("shmget", taken);
        memset(map, 1, MEBIBYTE);
        shmdt(map);
    }
    return 0;
}

static int messages(void)
{
    struct { long type; char text[8192]; } message = {1, {1}};
    long taken = 0;
    while (taken < wanted) {
        int queue = msgget(IPC_PRIVATE, 0600);
        if (queue < 0)
            return refused("msgget", taken);
        while (msgsnd(queue, &message, sizeof message.text, IPC_NOWAIT) == 0)
            taken += sizeof message.text;
    }
    return 0;
}

static int semaphores(void)
{
    for (long taken = 0; taken < wanted; taken += 250 * 64)
        if (semget(IPC_PRIVATE, 250, 0600) < 0)
            return refused("semget", taken);
    return 0;
}

static int waiting(int sockets)
{
    for (long taken = 0; taken < wanted;) {
        int pair[2];
        if (sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, pair) : pipe(pair))
            return refused("pair", taken);
        fcntl(pair[1], F_SETPIPE_SZ, MEBIBYTE);
        fcntl(pair[1], F_SETFL, O_NONBLOCK);
        for (long written; (written = write(pair[1], block, 65536)) > 0;)
            taken += written;
        usleep(2000);
    }
    return 0;
}

/* Tells the kernel that what was written is not needed: it is kept, and in no process. */
static int mappings(void)
{
    for (long taken = 0; taken < wanted; taken += 8 * MEBIBYTE) {
        char *map = mmap(NULL, 8 * MEBIBYTE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (map == MAP_FAILED)
            return refused("mmap", taken);
        memset(map, 1, 8 * MEBIBYTE);
        madvise(map, 8 * MEBIBYTE, MADV_DONTNEED);
    }
    return 0;
}

/* The monitor remembers each, whatever becomes of it. */
static int devices(void)
{
    for (;;)
        if (mknod("/device", S_IFCHR | 0600, 0x103) || unlink("/device"))
            sleep(1000);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    const char *way = argv[1];
    wanted = atol(argv[2]) * MEBIBYTE;
    block = malloc(MEBIBYTE);
    memset(block, 1, MEBIBYTE);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int result = !strcmp(way, "memfd") ? memory_files(0) : !strcmp(way, "hidden") ? memory_files(1)
        : !strcmp(way, "usual") ? usual() : !strcmp(way, "shm") ? segments() : !strcmp(way, "msg") ? messages()
        : !strcmp(way, "sem") ? semaphores() : !strcmp(way, "pipes") ? waiting(0) : !strcmp(way, "sockets") ? waiting(1)
        : !strcmp(way, "mappings") ? mappings() : !strcmp(way, "devices") ? devices() : 2;
    if (result == 0) {
        printf("has %s MiB\n", argv[2]);
        fflush(stdout);
        sleep(2);
    }
    return result;
}
