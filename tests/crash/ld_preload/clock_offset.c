/* Preload library: advances the clock of a process by SGSEND_TEST_LATER_S seconds. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int answer = real(clock, now);
    const char *later = getenv("SGSEND_TEST_LATER_S");
    if (answer == 0 && later && clock == CLOCK_REALTIME)
        now->tv_sec += atoll(later);
    return answer;
}
