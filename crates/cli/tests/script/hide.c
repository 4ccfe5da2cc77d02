/* Runs a command as on another machine: hide [landlock] [told] -- COMMAND...
 * landlock: the kernel has no Landlock. told: this program is told of system calls already, so that nobody else can be. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int landlock = 0, told = 0, next = 1;
    for (; next < argc && strcmp(argv[next], "--"); next++) {
        landlock |= !strcmp(argv[next], "landlock");
        told |= !strcmp(argv[next], "told");
    }
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 444 /* landlock_create_ruleset */, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, landlock ? SECCOMP_RET_ERRNO | ENOSYS : SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof steps / sizeof *steps, steps};
    /* Who listens is this process, as long as the command runs. */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, told ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0, &program) < 0)
        return perror("seccomp"), 99;
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[next + 1], argv + next + 1);
        return perror(argv[next + 1]), 99;
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}
