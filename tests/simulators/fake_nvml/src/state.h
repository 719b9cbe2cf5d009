/* What the fake GPUs are (the scenario) and where they stand (their state), shared by processes.
 *
 * One file, state.bin in FAKE_NVML_DIR, is mapped by every process that loads the library. Each
 * call takes its robust lock (`state_lock`), re-reads scenario.ini if that changed, moves physics
 * up to now and answers. A process killed inside a call leaves a lock the next one recovers.
 */
#ifndef FAKE_NVML_STATE_H
#define FAKE_NVML_STATE_H

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

#include "nvml_abi.h"

enum { MAX_GPUS = 16, MAX_PROCESSES = 128, MAX_EVENTS = 16 };

/* Groups of readings a scenario can make `missing` (NOT_SUPPORTED) or `failing` (UNKNOWN). */
enum { METRIC_NONE = 0, METRIC_POWER = 1 << 0, METRIC_ENERGY = 1 << 1, METRIC_TEMPERATURE = 1 << 2,
       METRIC_FAN = 1 << 3, METRIC_LIMIT = 1 << 4, METRIC_UTILIZATION = 1 << 5,
       METRIC_MEMORY = 1 << 6, METRIC_CLOCKS = 1 << 7, METRIC_REASONS = 1 << 8,
       METRIC_PCIE = 1 << 9, METRIC_PROCESSES = 1 << 10, METRIC_EVENTS = 1 << 11,
       METRIC_AVERAGE_POWER = 1 << 12, METRIC_MEMORY_TEMPERATURE = 1 << 13 };

/* Who may list processes: everybody, nobody here, or everybody but without their memory. */
enum { PROCESSES_LISTED, PROCESSES_DENIED, PROCESSES_WITHOUT_MEMORY };

/* What becomes of a limit that was set: obeyed, dropped silently, or shown but not obeyed. */
enum { LIMIT_FOLLOWED, LIMIT_DROPPED, LIMIT_SHOWN_ONLY };

typedef struct {
    char version[80], nvml_version[80];
    int cuda_version;
    int init_result; /* what nvmlInit returns */
} Driver;

typedef struct {
    char name[96], uuid[48], pci_bus_id[32], serial[30];
    int architecture, compute_major, compute_minor;
    double memory_mib, memory_used_mib, process_memory_mib; /* process_memory_mib < 0: its RSS */
    double idle_w, held_idle_w, max_w; /* held: idle with memory in use by a process */
    double min_limit_w, max_limit_w, default_limit_w;
    double limit_w; /* < 0: leave what was set */
    double ambient_c, thermal_resistance_c_per_w, thermal_capacity_j_per_c;
    double target_c, slowdown_c, shutdown_c;
    double max_sm_mhz, max_memory_mhz;
    double load; /* 0..1, < 0: by the CPU time of the processes that use the GPU */
    double full_load_cores, instant_noise_w;
    int fans, persistence;
    int lost, error_code, limit_permission, limit_effect;
    int processes, mig; /* mig: the card is divided, and its whole is for the privileged */
    double hang_s;
    int xid, xid_count, energy_resets;
    int missing, failing;
} Scenario;

typedef struct { uint64_t type, data; } Event;

typedef struct {
    Scenario scenario;
    double requested_limit_w, shown_limit_w, obeyed_limit_w;
    double load, power_w, average_power_w, temperature_c, energy_j, sm_mhz;
    uint64_t power_cap_ns, sw_thermal_ns, hw_thermal_ns;
    unsigned int reasons;
    Event events[MAX_EVENTS];
    uint64_t event_count;
} Gpu;

typedef struct {
    pid_t pid;
    uint64_t start_ticks, rss_bytes;
    uint32_t gpus; /* one bit per GPU it was given */
    double memory_mib; /* that it holds on each of them; < 0: by the scenario */
    double cpu_s, cores; /* CPU time so far; cores in use since the last look */
} Process;

typedef struct {
    uint64_t layout;
    char boot_id[40];
    pthread_mutex_t lock;
    struct timespec scenario_time;
    ino_t scenario_inode;
    off_t scenario_size;
    int scenario_usable;
    Driver driver;
    int gpu_count;
    Gpu gpus[MAX_GPUS];
    double advanced_at_s, scanned_at_s; /* CLOCK_MONOTONIC; 0: not yet */
    uint32_t noise;
    int process_count;
    Process processes[MAX_PROCESSES];
} Shared;

extern Shared *shared;

/* state.c: map the file (once per process); take the lock with everything brought up to now. */
nvmlReturn_t state_open(void);
void state_lock(void);
void state_unlock(void);
const char *state_folder(void);

/* scenario.c: read scenario.ini if it changed, and carry out what a change asks for at once. */
void scenario_refresh(const char *folder);

/* physics.c: move every GPU to `now_s`. */
void physics_start(Gpu *gpu);
void physics_advance(double now_s);
double physics_fan_percent(const Gpu *gpu);

/* processes.c: who uses which GPU, at most once a second. */
void processes_scan(double now_s);
double process_memory_mib(const Process *process, int gpu);
double processes_memory_mib(int gpu);

/* device.c: enter a call on one device; on success the lock is held until device_leave. */
nvmlReturn_t device_enter(nvmlDevice_t device, int metric, Gpu **gpu);
nvmlReturn_t device_leave(nvmlReturn_t result);
nvmlReturn_t library_enter(void);
nvmlDevice_t device_handle(int index);
int device_index(nvmlDevice_t device); /* -1: not one of ours */
nvmlReturn_t copy_text(char *target, unsigned int length, const char *text);

#endif
