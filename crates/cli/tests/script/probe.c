/* Tries to get out. Prints a line for each attempt that the kernel grants, and one at the end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <unistd.h>

#define TRY(what, call) do { errno = 0; if ((long)(call) >= 0) printf("granted: %s\n", what); } while (0)

static void chroot_break_out(const char *marker)
{
    int outside = open("/", O_RDONLY | O_DIRECTORY);
    mkdir("/jail", 0755);
    if (chroot("/jail") == 0 && fchdir(outside) == 0) {
        for (int level = 0; level < 64; level++)
            if (chdir("..")) break;
        chroot(".");
    }
    TRY("a file of the host after chroot", open(marker, O_RDONLY));
    /* Back where it began: that is the tree's root, and nothing above it. */
    if (access("/bin/busybox", F_OK)) printf("granted: a way past the root\n");
}

/* What the image gets as a device is none here. */
static void device(const char *what, const char *path, mode_t mode, dev_t number)
{
    struct stat found;
    mknod(path, mode, number);
    if (stat(path, &found) == 0 && !S_ISREG(found.st_mode)) printf("granted: %s\n", what);
}

int main(int argc, char **argv)
{
    const char *marker = argv[1];
    pid_t outside = atoi(argv[2]);
    unsigned long flags[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWUTS, CLONE_NEWIPC};
    for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++) {
        TRY("unshare", unshare(flags[i]));
        pid_t child = syscall(SYS_clone, flags[i] | SIGCHLD, 0, 0, 0, 0);
        if (child == 0) _exit(0);
        TRY("clone into a namespace", child);
    }
    struct { unsigned long flags, rest[10]; } arguments = {CLONE_NEWUSER, {0}};
    TRY("clone3", syscall(435, &arguments, sizeof arguments));
    TRY("setns", setns(open("/proc/1/ns/mnt", O_RDONLY), 0));
    TRY("mount", mount("none", "/mnt", "tmpfs", 0, 0));
    TRY("remount", mount(0, "/proc/sys", 0, MS_REMOUNT | MS_BIND, 0));
    TRY("umount", umount2("/proc/sys", MNT_DETACH));
    TRY("fsopen", syscall(430, "tmpfs", 0));
    TRY("open_tree", syscall(428, AT_FDCWD, "/", 1));
    TRY("pivot_root", syscall(SYS_pivot_root, ".", "."));
    device("a disk", "/disk", S_IFBLK | 0600, makedev(254, 0));
    device("memory", "/mem", S_IFCHR | 0600, makedev(1, 1));
    device("memory in /dev", "/dev/memory", S_IFCHR | 0600, makedev(1, 1));
    device("memory in /tmp", "/tmp/memory", S_IFCHR | 0600, makedev(1, 1));
    TRY("signal to the host", kill(outside, 0));
    TRY("ptrace of the host", ptrace(PTRACE_ATTACH, outside, 0, 0));
    TRY("ptrace of init", ptrace(PTRACE_ATTACH, 1, 0, 0));
    TRY("memory of init", open("/proc/1/mem", O_RDWR));
    TRY("root of init", open("/proc/1/root/bin", O_RDONLY));
    TRY("program of init", open("/proc/1/exe", O_RDONLY));
    TRY("files of init", open("/proc/1/fd", O_RDONLY | O_DIRECTORY) < 0 ? -1 : readlink("/proc/1/fd/0", (char[8]){0}, 8));
    TRY("kernel memory", open("/dev/mem", O_RDONLY));
    TRY("kernel log", syscall(SYS_syslog, 3, (char[8]){0}, 8));
    TRY("a setting", open("/proc/sys/kernel/hostname", O_WRONLY));
    TRY("another setting", open("/proc/sys/vm/drop_caches", O_WRONLY));
    TRY("the kernel's helper", open("/proc/sys/kernel/core_pattern", O_WRONLY));
    TRY("a file of sysfs", open("/sys/kernel/uevent_helper", O_WRONLY | O_CREAT, 0600));
    TRY("keyring", syscall(SYS_add_key, "user", "k", "v", 1, KEY_SPEC_SESSION_KEYRING));
    TRY("bpf", syscall(SYS_bpf, 0, 0, 0));
    TRY("perf", syscall(SYS_perf_event_open, 0, 0, -1, -1, 0));
    TRY("io_uring", syscall(425, 1, (char[256]){0}));
    TRY("userfaultfd", syscall(SYS_userfaultfd, 0));
    TRY("module", syscall(SYS_init_module, "", 0, ""));
    TRY("kexec", syscall(SYS_kexec_load, 0, 0, 0, 0));
    TRY("reboot", reboot(RB_DISABLE_CAD));
    TRY("clock", settimeofday(&(struct timeval){0, 0}, 0));
    TRY("host name", sethostname("x", 1));
    TRY("swap", syscall(SYS_swapoff, "/x"));
    TRY("handle", syscall(SYS_name_to_handle_at, AT_FDCWD, "/", (char[128]){0}, (int[1]){0}, 0));
    TRY("packets", socket(AF_PACKET, SOCK_RAW, 0));
    TRY("virtual sockets", socket(AF_VSOCK, SOCK_STREAM, 0));
    TRY("raw sockets", socket(AF_INET, SOCK_RAW, 1));
    TRY("typing", ioctl(0, TIOCSTI, "x"));
    TRY("a file of the host", open(marker, O_RDONLY));
    for (int file = 3; file < 1024; file++) TRY("an inherited file", fcntl(file, F_GETFD) < 0 ? -1 : file > 4 ? 0 : -1);
    chroot_break_out(marker);
    printf("tried\n");
    return 0;
}
