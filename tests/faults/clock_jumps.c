/* Preloaded: the wall clock is an hour ahead in every second second. The monotonic clock is left alone. */

#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t
Jumped(time_t second)
{
    return second % 2 ? second + 3600 : second;
}

int
clock_gettime(clockid_t clock, struct timespec* now)
{
    long failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_REALTIME)
    {
        now->tv_sec = Jumped(now->tv_sec);
    }
    return (int)failed;
}

int
gettimeofday(struct timeval* restrict now, void* restrict zone)
{
    (void)zone;
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t
time(time_t* kept)
{
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (kept)
    {
        *kept = found.tv_sec;
    }
    return found.tv_sec;
}
