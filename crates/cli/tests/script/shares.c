/* Takes what the kernel counts for each user until there is no more, and writes how much it was: shares watches|signals|priority. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    long taken = 0;
    if (argc != 2)
        return 2;
    if (!strcmp(argv[1], "watches")) {
        while (inotify_init1(0) >= 0)
            taken++;
    } else if (!strcmp(argv[1], "signals")) {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        while (sigqueue(getpid(), SIGRTMIN, (union sigval){0}) == 0)
            taken++;
    } else {
        struct sched_param first = {1};
        struct rlimit queues;
        getrlimit(RLIMIT_MSGQUEUE, &queues);
        taken = (sched_setscheduler(0, SCHED_FIFO, &first) == 0) + (nice(-1) != -1) + queues.rlim_max;
    }
    printf("%s: %ld\n", argv[1], taken);
    fflush(stdout);
    sleep(1);
    return 0;
}
