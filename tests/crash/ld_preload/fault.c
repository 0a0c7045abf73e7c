/* Preload library: fails all calls that modify files below $SGSEND_TEST_DISK with the error number in the file
   $SGSEND_TEST_FAULT, as long as this file exists. With `delay` and a number of milliseconds in the file, no call fails,
   and each sync takes that long. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Returns the current error number, or 0; sets the delay of a sync. */
static int fault(int *delay_ms)
{
    static const char delay[] = "delay ";
    const char *path = getenv("SGSEND_TEST_FAULT");
    char text[16] = "";
    int fd = path ? REAL(open)(path, O_RDONLY | O_CLOEXEC) : -1;
    *delay_ms = 0;
    if (fd < 0)
        return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (strncmp(text, delay, sizeof delay - 1) == 0) {
        *delay_ms = atoi(text + sizeof delay - 1);
        return 0;
    }
    return length > 0 ? atoi(text) : 0;
}

static int is_below(const char *path)
{
    const char *disk = getenv("SGSEND_TEST_DISK");
    return disk && path && strncmp(path, disk, strlen(disk)) == 0;
}

static int is_open_below(int fd)
{
    char link[32], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    return is_below(path);
}

static int fails(int concerned)
{
    int delay_ms, error = concerned ? fault(&delay_ms) : 0;
    if (error)
        errno = error;
    return error;
}

#define ON_FILE(type, name, parameters, arguments)  \
    type name parameters                            \
    {                                               \
        if (fails(is_open_below(fd)))               \
            return -1;                              \
        return REAL(name) arguments;                \
    }
ON_FILE(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
ON_FILE(ssize_t, writev, (int fd, const struct iovec *data, int count), (fd, data, count))
ON_FILE(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
ON_FILE(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
ON_FILE(int, ftruncate, (int fd, off_t length), (fd, length))
ON_FILE(int, ftruncate64, (int fd, off64_t length), (fd, length))

#define SYNC(name)                                  \
    int name(int fd)                                \
    {                                               \
        int delay_ms = 0;                           \
        if (is_open_below(fd) && fault(&delay_ms))  \
            return fails(1) ? -1 : 0;               \
        usleep(1000 * delay_ms);                    \
        return REAL(name)(fd);                      \
    }
SYNC(fsync)
SYNC(fdatasync)

#define ON_NAME(name, path, parameters, arguments)  \
    int name parameters                             \
    {                                               \
        if (fails(is_below(path)))                  \
            return -1;                              \
        return REAL(name) arguments;                \
    }
ON_NAME(rename, to, (const char *from, const char *to), (from, to))
ON_NAME(link, to, (const char *from, const char *to), (from, to))
ON_NAME(unlink, path, (const char *path), (path))
ON_NAME(mkdir, path, (const char *path, mode_t mode), (path, mode))

/* Opening a file for reading succeeds. */
#define OPEN(name)                                                                       \
    int name(const char *path, int flags, ...)                                           \
    {                                                                                    \
        va_list more;                                                                    \
        va_start(more, flags);                                                           \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;                        \
        va_end(more);                                                                    \
        if ((flags & (O_WRONLY | O_RDWR | O_CREAT)) && fails(is_below(path)))            \
            return -1;                                                                   \
        return REAL(name)(path, flags, mode);                                            \
    }
OPEN(open)
OPEN(open64)
