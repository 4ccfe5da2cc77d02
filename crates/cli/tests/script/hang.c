/* A file system of FUSE whose server does not answer when the file "page" is read, and when "flush" is closed: `hang DIRECTORY`. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int device;

static void answer(__u64 unique, int error, void *body, size_t length)
{
    struct fuse_out_header header = {sizeof header + length, error, unique};
    struct iovec parts[] = {{&header, sizeof header}, {body, length}};
    writev(device, parts, 2);
}

int main(int count, char **arguments)
{
    static char request[1 << 20];
    struct fuse_in_header *asked = (void *)request;
    char options[128];
    if (count != 2 || (device = open("/dev/fuse", O_RDWR)) < 0)
        return 1;
    snprintf(options, sizeof options, "fd=%d,rootmode=40755,user_id=0,group_id=0,allow_other", device);
    if (mount("hang", arguments[1], "fuse", 0, options))
        return 1;
    /* It is there when this program ends; its server goes on. */
    if (fork())
        return 0;
    for (int stream = 0; stream < 3; stream++)
        close(stream);
    while (read(device, request, sizeof request) > 0) {
        struct fuse_attr root = {.ino = 1, .mode = S_IFDIR | 0755, .nlink = 2};
        __u64 number = asked->opcode == FUSE_LOOKUP ? (*(char *)(asked + 1) == 'p' ? 2 : 3) : asked->nodeid;
        struct fuse_attr file = {.ino = number, .mode = S_IFREG | 0644, .nlink = 1, .size = 4096};
        struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .max_write = 4096};
        struct fuse_attr_out attributes = {.attr_valid = 3600, .attr = asked->nodeid == 1 ? root : file};
        struct fuse_entry_out entry = {.nodeid = number, .entry_valid = 3600, .attr_valid = 3600, .attr = file};
        struct fuse_open_out open = {.fh = 1};
        struct fuse_statfs_out disk = {.st = {.bsize = 4096, .namelen = 255}};
        switch (asked->opcode) {
        case FUSE_INIT: answer(asked->unique, 0, &init, sizeof init); break;
        case FUSE_GETATTR: answer(asked->unique, 0, &attributes, sizeof attributes); break;
        case FUSE_LOOKUP: answer(asked->unique, 0, &entry, sizeof entry); break;
        case FUSE_OPEN: answer(asked->unique, 0, &open, sizeof open); break;
        case FUSE_STATFS: answer(asked->unique, 0, &disk, sizeof disk); break;
        case FUSE_READ: case FUSE_FORGET: case FUSE_INTERRUPT: case FUSE_RELEASE: break;
        case FUSE_FLUSH:
            if (number == 3)
                break;
        default: answer(asked->unique, -ENOSYS, 0, 0);
        }
    }
    return 0;
}
