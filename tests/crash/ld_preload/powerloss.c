/* Preload library: records all changes that a process makes to files below $SGSEND_TEST_DISK in the journal
   $SGSEND_TEST_JOURNAL, in the order of their effect. Syncs are recorded but not performed: the journal's reader
   simulates the disk.

   A record consists of a struct entry, the first path, the second path, and the data. Unsupported calls that write to
   files are recorded as '!', and the reader rejects them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 4096
#define REAL(name) ((__typeof__(&name))real(#name))

struct entry {
    uint64_t inode, offset, length;
    uint32_t path, other;
    char kind, padding[7];
};

/* Held during a call and its record, so that both have the same order. */
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
/* By file descriptor: the inode of each open file below the disk, and the path of each open directory. */
static uint64_t inodes[FILES];
static char *directories[FILES];
static int journal = -1;
static const char *disk;
static size_t disk_length;

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void start(void)
{
    disk = getenv("SGSEND_TEST_DISK");
    disk_length = disk ? strlen(disk) : 0;
    int (*open_it)(const char *, int, ...) = (int (*)(const char *, int, ...))real("open");
    const char *path = getenv("SGSEND_TEST_JOURNAL");
    if (path)
        journal = open_it(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int below(const char *path)
{
    return journal >= 0 && disk && path && strncmp(path, disk, disk_length) == 0 &&
        (path[disk_length] == '/' || path[disk_length] == 0);
}

static int ends_with(const char *path, const char *end)
{
    size_t length = strlen(path), wanted = strlen(end);
    return length >= wanted && strcmp(path + length - wanted, end) == 0;
}

static int known(int fd)
{
    return fd >= 0 && fd < FILES && inodes[fd] != 0;
}

static void record(char kind, uint64_t inode, uint64_t offset, uint64_t length, const char *path, const char *other,
    const struct iovec *data, int pieces)
{
    ssize_t (*write_it)(int, const struct iovec *, int) = (ssize_t (*)(int, const struct iovec *, int))real("writev");
    struct entry entry = { .inode = inode, .offset = offset, .length = length, .kind = kind };
    entry.path = path ? strlen(path) : 0;
    entry.other = other ? strlen(other) : 0;
    struct iovec all[IOV_MAX];
    int count = 0;
    size_t wanted = 0, left = data ? length : 0;
    all[count++] = (struct iovec){ &entry, sizeof entry };
    all[count++] = (struct iovec){ (void *)path, entry.path };
    all[count++] = (struct iovec){ (void *)other, entry.other };
    for (int i = 0; i < pieces && left > 0; i++) {
        size_t size = data[i].iov_len < left ? data[i].iov_len : left;
        if (count == IOV_MAX)
            abort();
        all[count++] = (struct iovec){ data[i].iov_base, size };
        left -= size;
    }
    for (int i = 0; i < count; i++)
        wanted += all[i].iov_len;
    if (write_it(journal, all, count) != (ssize_t)wanted)
        abort();
}

static void unfollowed(const char *call)
{
    record('!', 0, 0, 0, call, NULL, NULL, 0);
}

/* Opening files. */

static int opened(int (*open_it)(const char *, int, ...), const char *path, int flags, mode_t mode)
{
    if (!below(path))
        return open_it(path, flags, mode);
    pthread_mutex_lock(&order);
    int fd = open_it(path, flags, mode), error = errno;
    struct stat found;
    if (fd >= 0 && fstat(fd, &found) == 0) {
        if (fd >= FILES)
            abort();
        free(directories[fd]);
        directories[fd] = S_ISDIR(found.st_mode) ? strdup(path) : NULL;
        inodes[fd] = found.st_ino;
        /* Shared memory does not survive a power loss, and the content of the reserve has no meaning. Blocks of the
           reserve are allocated by direct system calls, which this library does not see. */
        if (ends_with(path, "-shm") || ends_with(path, "/reserve"))
            inodes[fd] = 0;
        else if (flags & O_CREAT)
            record('o', found.st_ino, 0, 0, path, NULL, NULL, 0);
        if (inodes[fd] && (flags & O_TRUNC))
            record('t', found.st_ino, 0, 0, NULL, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&order);
    errno = error;
    return fd;
}

#define MODE(flags)                           \
    mode_t mode = 0;                          \
    if (flags & (O_CREAT | __O_TMPFILE)) {    \
        va_list more;                         \
        va_start(more, flags);                \
        mode = va_arg(more, mode_t);          \
        va_end(more);                         \
    }

int open(const char *path, int flags, ...)
{
    MODE(flags)
    return opened((int (*)(const char *, int, ...))real("open"), path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE(flags)
    return opened((int (*)(const char *, int, ...))real("open64"), path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    MODE(flags)
    if (below(path) || (known(folder) && (flags & (O_CREAT | O_TRUNC))))
        unfollowed("openat");
    return REAL(openat)(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...)
{
    MODE(flags)
    if (below(path) || (known(folder) && (flags & (O_CREAT | O_TRUNC))))
        unfollowed("openat64");
    return REAL(openat64)(folder, path, flags, mode);
}

int creat(const char *path, mode_t mode)
{
    return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int close(int fd)
{
    if (!known(fd))
        return REAL(close)(fd);
    pthread_mutex_lock(&order);
    inodes[fd] = 0;
    int answer = REAL(close)(fd), error = errno;
    pthread_mutex_unlock(&order);
    errno = error;
    return answer;
}

/* Writing to files. */

#define DONE(kind, offset, path, other, data, pieces)                                        \
    int error = errno;                                                                       \
    if (answer >= 0)                                                                         \
        record(kind, known(fd) ? inodes[fd] : 0, offset, answer, path, other, data, pieces); \
    pthread_mutex_unlock(&order);                                                            \
    errno = error;                                                                           \
    return answer;

static off_t place(int fd)
{
    struct stat found;
    if ((fcntl(fd, F_GETFL) & O_APPEND) && fstat(fd, &found) == 0)
        return found.st_size;
    return lseek(fd, 0, SEEK_CUR);
}

ssize_t write(int fd, const void *data, size_t length)
{
    if (!known(fd))
        return REAL(write)(fd, data, length);
    struct iovec piece = { (void *)data, length };
    pthread_mutex_lock(&order);
    off_t at = place(fd);
    ssize_t answer = REAL(write)(fd, data, length);
    DONE('w', at, NULL, NULL, &piece, 1)
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    if (!known(fd))
        return REAL(writev)(fd, pieces, count);
    /* Leaves space in the vector for the entry and the paths that precede the data in a record. */
    count = count > IOV_MAX - 3 ? IOV_MAX - 3 : count;
    pthread_mutex_lock(&order);
    off_t at = place(fd);
    ssize_t answer = REAL(writev)(fd, pieces, count);
    DONE('w', at, NULL, NULL, pieces, count)
}

#define PWRITE(name, type)                                          \
    ssize_t name(int fd, const void *data, size_t length, type at)  \
    {                                                               \
        if (!known(fd))                                             \
            return REAL(name)(fd, data, length, at);                \
        struct iovec piece = { (void *)data, length };              \
        pthread_mutex_lock(&order);                                 \
        ssize_t answer = REAL(name)(fd, data, length, at);          \
        DONE('w', at, NULL, NULL, &piece, 1)                        \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define TRUNCATE(name, type)                                        \
    int name(int fd, type length)                                   \
    {                                                               \
        if (!known(fd))                                             \
            return REAL(name)(fd, length);                          \
        pthread_mutex_lock(&order);                                 \
        int answer = REAL(name)(fd, length);                        \
        DONE('t', length, NULL, NULL, NULL, 0)                      \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

/* Creating, renaming and removing names. */

#define NAMES(kind, path, other, call)                              \
    pthread_mutex_lock(&order);                                     \
    int fd = -1, answer = call;                                     \
    DONE(kind, 0, path, other, NULL, 0)

int rename(const char *from, const char *to)
{
    if (!below(from) && !below(to))
        return REAL(rename)(from, to);
    NAMES('r', from, to, REAL(rename)(from, to))
}

int link(const char *from, const char *to)
{
    if (!below(to))
        return REAL(link)(from, to);
    NAMES('l', from, to, REAL(link)(from, to))
}

int linkat(int folder, const char *from, int other, const char *to, int flags)
{
    if (!below(to))
        return REAL(linkat)(folder, from, other, to, flags);
    NAMES('l', from, to, REAL(linkat)(folder, from, other, to, flags))
}

int unlink(const char *path)
{
    if (!below(path))
        return REAL(unlink)(path);
    NAMES('u', path, NULL, REAL(unlink)(path))
}

int mkdir(const char *path, mode_t mode)
{
    if (!below(path))
        return REAL(mkdir)(path, mode);
    NAMES('m', path, NULL, REAL(mkdir)(path, mode))
}


/* Syncing: recorded only. The delay simulates a disk, and gives time to kill the process. */

static int synced(int fd)
{
    usleep(2000);
    pthread_mutex_lock(&order);
    if (directories[fd])
        record('d', inodes[fd], 0, 0, directories[fd], NULL, NULL, 0);
    else
        record('s', inodes[fd], 0, 0, NULL, NULL, NULL, 0);
    pthread_mutex_unlock(&order);
    return 0;
}

int fsync(int fd)
{
    return known(fd) ? synced(fd) : REAL(fsync)(fd);
}

int fdatasync(int fd)
{
    return known(fd) ? synced(fd) : REAL(fdatasync)(fd);
}

/* Calls that the code under test doesn't use: recorded as unsupported. */

#define UNFOLLOWED(type, name, fd, parameters, arguments)           \
    type name parameters                                            \
    {                                                               \
        if (known(fd))                                              \
            unfollowed(#name);                                      \
        return REAL(name) arguments;                                \
    }
UNFOLLOWED(ssize_t, sendfile, to, (int to, int from, off_t *at, size_t size), (to, from, at, size))
UNFOLLOWED(ssize_t, sendfile64, to, (int to, int from, off64_t *at, size_t size), (to, from, at, size))
UNFOLLOWED(int, fallocate, fd, (int fd, int mode, off_t at, off_t length), (fd, mode, at, length))
UNFOLLOWED(int, fallocate64, fd, (int fd, int mode, off64_t at, off64_t length), (fd, mode, at, length))
UNFOLLOWED(int, posix_fallocate, fd, (int fd, off_t at, off_t length), (fd, at, length))
UNFOLLOWED(int, posix_fallocate64, fd, (int fd, off64_t at, off64_t length), (fd, at, length))
UNFOLLOWED(ssize_t, pwritev, fd, (int fd, const struct iovec *data, int count, off_t at), (fd, data, count, at))
UNFOLLOWED(ssize_t, pwritev64, fd, (int fd, const struct iovec *data, int count, off64_t at), (fd, data, count, at))
UNFOLLOWED(ssize_t, copy_file_range, to, (int from, off64_t *at, int to, off64_t *there, size_t size, unsigned flags),
    (from, at, to, there, size, flags))
UNFOLLOWED(ssize_t, splice, to, (int from, off64_t *at, int to, off64_t *there, size_t size, unsigned flags),
    (from, at, to, there, size, flags))

#define UNFOLLOWED_NAME(name, path, parameters, arguments)          \
    int name parameters                                             \
    {                                                               \
        if (below(path))                                            \
            unfollowed(#name);                                      \
        return REAL(name) arguments;                                \
    }
UNFOLLOWED_NAME(rmdir, path, (const char *path), (path))
UNFOLLOWED_NAME(truncate, path, (const char *path, off_t length), (path, length))
UNFOLLOWED_NAME(truncate64, path, (const char *path, off64_t length), (path, length))
UNFOLLOWED_NAME(mkdirat, path, (int folder, const char *path, mode_t mode), (folder, path, mode))
UNFOLLOWED_NAME(unlinkat, path, (int folder, const char *path, int flags), (folder, path, flags))
UNFOLLOWED_NAME(symlink, path, (const char *to, const char *path), (to, path))
UNFOLLOWED_NAME(renameat, to, (int one, const char *from, int other, const char *to), (one, from, other, to))
UNFOLLOWED_NAME(renameat2, to, (int one, const char *from, int other, const char *to, unsigned flags),
    (one, from, other, to, flags))
