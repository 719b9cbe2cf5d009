/* Maps state.bin and brings it up to date under its lock. See state.h. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "state.h"

/* Changes with the layout, so that a state.bin of another build is started anew, not misread. */
#define LAYOUT ((uint64_t)0x4E564D4C00000000u ^ (sizeof(Shared) << 16) ^ (sizeof(Gpu) << 4) ^ 3u)

Shared *shared;
static char folder[4096];
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

const char *state_folder(void) { return folder; }

static void read_boot_id(char *target, size_t size) {
    memset(target, 0, size);
    int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    ssize_t length = read(file, target, size - 1);
    if (length <= 0) target[0] = '\0';
    close(file);
}

static void start_anew(Shared *state, const char *boot_id) {
    pthread_mutexattr_t attributes;
    memset(state, 0, sizeof *state);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&state->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    memcpy(state->boot_id, boot_id, sizeof state->boot_id);
    state->noise = 2463534242u;
    state->layout = LAYOUT;
}

/* The file lock makes one process create the state; the kernel drops it if that process dies. */
static Shared *map_state(const char *path) {
    char boot_id[sizeof shared->boot_id];
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return NULL;
    if (flock(file, LOCK_EX) != 0 || ftruncate(file, sizeof(Shared)) != 0) {
        close(file);
        return NULL;
    }
    Shared *state = mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (state != MAP_FAILED) {
        read_boot_id(boot_id, sizeof boot_id);
        if (state->layout != LAYOUT || memcmp(state->boot_id, boot_id, sizeof boot_id) != 0)
            start_anew(state, boot_id);
    }
    flock(file, LOCK_UN); /* the mapping keeps the file open, so closing would not release it */
    close(file);
    return state == MAP_FAILED ? NULL : state;
}

nvmlReturn_t state_open(void) {
    pthread_mutex_lock(&opening);
    if (shared == NULL) {
        char path[sizeof folder + 16];
        const char *named = getenv("FAKE_NVML_DIR");
        if (named == NULL || strlen(named) >= sizeof folder) {
            fprintf(stderr, "fake NVML: FAKE_NVML_DIR must name the folder of scenario.ini\n");
        } else {
            strcpy(folder, named);
            snprintf(path, sizeof path, "%s/state.bin", folder);
            shared = map_state(path);
            if (shared == NULL) fprintf(stderr, "fake NVML: %s: %s\n", path, strerror(errno));
        }
    }
    pthread_mutex_unlock(&opening);
    return shared == NULL ? NVML_ERROR_DRIVER_NOT_LOADED : NVML_SUCCESS;
}

void state_lock(void) {
    struct timespec now;
    if (pthread_mutex_lock(&shared->lock) == EOWNERDEAD) pthread_mutex_consistent(&shared->lock);
    scenario_refresh(folder);
    clock_gettime(CLOCK_MONOTONIC, &now);
    double now_s = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    processes_scan(now_s);
    physics_advance(now_s);
}

void state_unlock(void) { pthread_mutex_unlock(&shared->lock); }
