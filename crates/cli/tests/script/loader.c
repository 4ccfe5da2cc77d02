/* An image's own loader. Started as what loads nex, it is the image's code in a process whose program is nex; it tries to
 * change that program, or anything else of the machine that it finds open or mapped. Prints a line for each attempt that
 * the kernel grants, and one at the end. No C library: that would take nex's headers for its own. */
#include <asm/unistd.h>
#include <linux/fcntl.h>

static long call(long number, long a, long b, long c, long d, long e)
{
#if defined(__x86_64__)
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
#endif
}

static void say(const char *text)
{
    long length = 0;
    while (text[length]) length++;
    call(__NR_write, 1, (long)text, length, 0, 0);
}

static void attempt(const char *what, long result)
{
    if (result < 0) return;
    say("granted: ");
    say(what);
    say("\n");
}

static long open_file(const char *path, long flags)
{
    return call(__NR_openat, AT_FDCWD, (long)path, flags, 0600, 0);
}

/* What is mapped, and from where. */
static void show_maps(void)
{
    static char text[1 << 16];
    long file = open_file("/proc/self/maps", O_RDONLY), read;
    while ((read = call(__NR_read, file, (long)text, sizeof text, 0, 0)) > 0) call(__NR_write, 1, (long)text, read, 0, 0);
}

void _start(void)
{
    static const char program[] = "/proc/self/exe";
    static const long long long_ago[4] = {1, 0, 1, 0};
    for (long file = 3; file < 1024; file++) attempt("an inherited file", call(__NR_fcntl, file, F_GETFD, 0, 0, 0));
    show_maps();
    long file = open_file(program, O_RDONLY);
    say(file < 0 ? "the program cannot be opened\n" : "the program is open\n");
    attempt("times", call(__NR_utimensat, file, 0, (long)long_ago, 0, 0));
    attempt("an attribute", call(__NR_fsetxattr, file, (long)"user.nex", (long)"x", 1, 0));
    attempt("an owner", call(__NR_fchown, file, 0, 0, 0, 0));
    attempt("a mode", call(__NR_fchmod, file, 04777, 0, 0, 0));
    attempt("a mode by name", call(__NR_fchmodat, AT_FDCWD, (long)program, 04777, 0, 0));
    attempt("writing", open_file(program, O_WRONLY));
    attempt("cutting", call(__NR_truncate, (long)program, 0, 0, 0, 0));
    attempt("a name in the tree",
            call(__NR_linkat, AT_FDCWD, (long)program, AT_FDCWD, (long)"/program", AT_SYMLINK_FOLLOW));
    attempt("the program of init", open_file("/proc/1/exe", O_RDONLY));
    attempt("the root of init", open_file("/proc/1/root/", O_RDONLY));
    static char names[4096];
    long mappings = open_file("/proc/1/map_files", O_RDONLY);
    /* Whoever may not see any finds "." and "..", of 24 bytes each. */
    attempt("the mappings of init", call(__NR_getdents64, mappings, (long)names, sizeof names, 0, 0) - 49);
    say("tried\n");
    call(__NR_exit_group, 7, 0, 0, 0, 0);
}
