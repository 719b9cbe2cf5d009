/* Which processes use which GPU, and how busy each is, from /proc.
 *
 * A process uses a GPU if its environment has our FAKE_NVML_DIR and a CUDA_VISIBLE_DEVICES that
 * names it; FAKE_NVML_MEMORY_MIB is what it holds on each. /proc is listed at most once a second by whichever process calls first; an environment
 * is read while a process is young (it may still exec) and then remembered, so a look costs little.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "state.h"

enum { TABLE_SIZE = 8192, YOUNG_LOOKS = 4, RELATIVE_EVERY = 10 };
static const double SCAN_EVERY_S = 0.9; /* a caller at 1 Hz, a little early, still gets its scan */

/* What this process remembers of one pid. `relative`: has our folder but no GPU (it may exec). */
typedef struct {
    pid_t pid;
    uint32_t gpus, looks;
    uint8_t relative;
    double memory_mib;
} Known;
static Known tables[2][TABLE_SIZE];
static int current;

static Known *slot(Known *table, pid_t pid) {
    for (unsigned int i = 0; i < TABLE_SIZE; i++) {
        Known *known = &table[((unsigned int)pid * 2654435761u + i) % TABLE_SIZE];
        if (known->pid == pid || known->pid == 0) return known;
    }
    return NULL;
}

static ssize_t read_proc(pid_t pid, const char *name, char *target, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    size_t length = 0;
    ssize_t got;
    while (length < size - 1 && (got = read(file, target + length, size - 1 - length)) > 0)
        length += (size_t)got;
    close(file);
    target[length] = '\0';
    return (ssize_t)length;
}

/* CUDA's rule: entries are read until the first that names no device. */
static uint32_t named_gpus(const char *list) {
    uint32_t gpus = 0;
    while (*list != '\0') {
        size_t length = strcspn(list, ",");
        int found = -1;
        if (isdigit((unsigned char)*list)) found = atoi(list);
        else if (length > 4 && strncmp(list, "GPU-", 4) == 0)
            for (int i = 0; i < shared->gpu_count && found < 0; i++)
                if (strncmp(shared->gpus[i].scenario.uuid, list, length) == 0) found = i;
        if (found < 0 || found >= shared->gpu_count) break;
        gpus |= 1u << found;
        list += length + (list[length] == ',');
    }
    return gpus;
}

static void read_environment(Known *known) {
    static char text[131072];
    ssize_t length = read_proc(known->pid, "environ", text, sizeof text);
    const char *visible = NULL, *folder = NULL;
    known->memory_mib = -1;
    for (const char *entry = text; entry < text + length; entry += strlen(entry) + 1) {
        if (strncmp(entry, "FAKE_NVML_DIR=", 14) == 0) folder = entry + 14;
        if (strncmp(entry, "CUDA_VISIBLE_DEVICES=", 21) == 0) visible = entry + 21;
        if (strncmp(entry, "FAKE_NVML_MEMORY_MIB=", 21) == 0) known->memory_mib = atof(entry + 21);
    }
    known->relative = folder != NULL && strcmp(folder, state_folder()) == 0;
    known->gpus = known->relative && visible != NULL ? named_gpus(visible) : 0;
}

/* The whole process's clock counts in nanoseconds where `stat` counts in hundredths of a second. */
static double cpu_seconds(pid_t pid, double if_unknown_s) {
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return if_unknown_s;
    return (double)used.tv_sec + 1e-9 * (double)used.tv_nsec;
}

/* Fields 3, 14, 15, 22 and 24 of /proc/PID/stat, counted after the name in parentheses. */
static int read_stat(pid_t pid, Process *process) {
    char text[1024], state;
    unsigned long long user, system, start;
    long long pages;
    if (read_proc(pid, "stat", text, sizeof text) <= 0) return 0;
    const char *after_name = strrchr(text, ')');
    if (after_name == NULL ||
        sscanf(after_name + 1,
               " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d"
               " %llu %*u %lld", &state, &user, &system, &start, &pages) != 5 || state == 'Z')
        return 0;
    process->pid = pid;
    process->start_ticks = start;
    process->rss_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    process->cpu_s = cpu_seconds(pid, (double)(user + system) / (double)sysconf(_SC_CLK_TCK));
    return 1;
}

static double age_s(const Process *process) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec -
           (double)process->start_ticks / (double)sysconf(_SC_CLK_TCK);
}

/* Cores in use since the last look; over its whole life for a process not seen before. */
static double cores_used(const Process *process, double passed_s) {
    for (int i = 0; i < shared->process_count; i++) {
        const Process *before = &shared->processes[i];
        if (before->pid == process->pid && before->start_ticks == process->start_ticks)
            return passed_s > 0 ? (process->cpu_s - before->cpu_s) / passed_s : before->cores;
    }
    return process->cpu_s / fmax(passed_s, fmax(age_s(process), 0.1));
}

static void add_process(const Known *known, Process *found, int *count, double passed_s) {
    Process *process = &found[*count];
    if (*count == MAX_PROCESSES || !read_stat(known->pid, process)) return;
    process->gpus = known->gpus;
    process->memory_mib = known->memory_mib;
    process->cores = cores_used(process, passed_s);
    (*count)++;
}

void processes_scan(double now_s) {
    static Process found[MAX_PROCESSES];
    double passed_s = shared->scanned_at_s > 0 ? now_s - shared->scanned_at_s : 0;
    if (shared->scanned_at_s > 0 && passed_s < SCAN_EVERY_S) return;
    DIR *list = opendir("/proc");
    if (list == NULL) return;
    Known *old = tables[current], *new = tables[current ^= 1];
    memset(new, 0, sizeof tables[0]);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        pid_t pid = (pid_t)atoi(entry->d_name);
        Known *known = slot(new, pid), *before = slot(old, pid);
        if (known == NULL) break; /* thousands of processes: the rest stay unseen */
        if (before != NULL && before->pid == pid) *known = *before;
        known->pid = pid;
        int due = known->relative && known->gpus == 0 && known->looks % RELATIVE_EVERY == 0;
        if (known->looks < YOUNG_LOOKS || due) read_environment(known);
        known->looks++;
        if (known->gpus != 0) add_process(known, found, &count, passed_s);
    }
    closedir(list);
    memcpy(shared->processes, found, (size_t)count * sizeof *found);
    shared->process_count = count;
    shared->scanned_at_s = now_s;
}

double process_memory_mib(const Process *process, int gpu) {
    double each_mib = shared->gpus[gpu].scenario.process_memory_mib;
    if (process->memory_mib >= 0) return process->memory_mib;
    if (each_mib >= 0) return each_mib;
    return (double)process->rss_bytes / 1048576 / __builtin_popcount(process->gpus);
}

double processes_memory_mib(int gpu) {
    double sum_mib = 0;
    for (int i = 0; i < shared->process_count; i++) {
        const Process *process = &shared->processes[i];
        if (!(process->gpus & (1u << gpu))) continue;
        sum_mib += process_memory_mib(process, gpu);
    }
    return sum_mib;
}
