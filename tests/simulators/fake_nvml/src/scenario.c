/* Reads scenario.ini: one [driver] section, then [gpu 0], [gpu 1] ... of `key = value` lines.
 *
 * A person may edit the file while programs run: it is read again when its time, size or inode
 * changes. A line that cannot be understood is named on stderr and the last good scenario stays.
 */
#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "state.h"

typedef enum { TEXT, NUMBER, WHOLE, CHOICE, FLAGS } Kind;
typedef struct { const char *word; int value; } Word;
typedef struct {
    const char *name;
    Kind kind;
    size_t offset, size; /* size: of a text */
    const Word *words;   /* of a choice or of flags; for a number: words that stand for one */
} Key;

static const Word ON_OFF[] = {{"off", 0}, {"on", 1}, {NULL, 0}};
static const Word AUTO[] = {{"auto", -1}, {"rss", -1}, {"keep", -1}, {NULL, 0}};
static const Word PERMISSION[] = {{"granted", 0}, {"denied", 1}, {NULL, 0}};
static const Word LIMIT_EFFECTS[] = {
    {"followed", LIMIT_FOLLOWED}, {"dropped", LIMIT_DROPPED}, {"shown_only", LIMIT_SHOWN_ONLY},
    {NULL, 0}};
static const Word PROCESSES[] = {
    {"listed", PROCESSES_LISTED}, {"denied", PROCESSES_DENIED},
    {"without_memory", PROCESSES_WITHOUT_MEMORY}, {NULL, 0}};
static const Word INIT_RESULTS[] = {
    {"ok", NVML_SUCCESS}, {"driver_not_loaded", NVML_ERROR_DRIVER_NOT_LOADED},
    {"version_mismatch", NVML_ERROR_LIB_RM_VERSION_MISMATCH},
    {"no_permission", NVML_ERROR_NO_PERMISSION}, {"unknown", NVML_ERROR_UNKNOWN}, {NULL, 0}};
static const Word METRICS[] = {
    {"power", METRIC_POWER}, {"energy", METRIC_ENERGY}, {"temperature", METRIC_TEMPERATURE},
    {"fan", METRIC_FAN}, {"limit", METRIC_LIMIT}, {"utilization", METRIC_UTILIZATION},
    {"memory", METRIC_MEMORY}, {"clocks", METRIC_CLOCKS}, {"reasons", METRIC_REASONS},
    {"pcie", METRIC_PCIE}, {"processes", METRIC_PROCESSES}, {"events", METRIC_EVENTS},
    {"average_power", METRIC_AVERAGE_POWER}, {"memory_temperature", METRIC_MEMORY_TEMPERATURE},
    {NULL, 0}};

#define IN_DRIVER(name, kind, words) \
    {#name, kind, offsetof(Driver, name), sizeof(((Driver *)0)->name), words}
#define IN_GPU(name, kind, words) \
    {#name, kind, offsetof(Scenario, name), sizeof(((Scenario *)0)->name), words}

static const Key DRIVER_KEYS[] = {
    IN_DRIVER(version, TEXT, NULL), IN_DRIVER(nvml_version, TEXT, NULL),
    IN_DRIVER(cuda_version, WHOLE, NULL), IN_DRIVER(init_result, CHOICE, INIT_RESULTS), {0}};

static const Key GPU_KEYS[] = {
    IN_GPU(name, TEXT, NULL), IN_GPU(uuid, TEXT, NULL), IN_GPU(pci_bus_id, TEXT, NULL),
    IN_GPU(serial, TEXT, NULL), IN_GPU(architecture, WHOLE, NULL),
    IN_GPU(compute_major, WHOLE, NULL), IN_GPU(compute_minor, WHOLE, NULL),
    IN_GPU(memory_mib, NUMBER, NULL), IN_GPU(memory_used_mib, NUMBER, NULL),
    IN_GPU(process_memory_mib, NUMBER, AUTO), IN_GPU(idle_w, NUMBER, NULL),
    IN_GPU(held_idle_w, NUMBER, NULL), IN_GPU(max_w, NUMBER, NULL),
    IN_GPU(min_limit_w, NUMBER, NULL), IN_GPU(max_limit_w, NUMBER, NULL),
    IN_GPU(default_limit_w, NUMBER, NULL), IN_GPU(limit_w, NUMBER, AUTO),
    IN_GPU(ambient_c, NUMBER, NULL), IN_GPU(thermal_resistance_c_per_w, NUMBER, NULL),
    IN_GPU(thermal_capacity_j_per_c, NUMBER, NULL), IN_GPU(target_c, NUMBER, NULL),
    IN_GPU(slowdown_c, NUMBER, NULL), IN_GPU(shutdown_c, NUMBER, NULL),
    IN_GPU(max_sm_mhz, NUMBER, NULL), IN_GPU(max_memory_mhz, NUMBER, NULL),
    IN_GPU(load, NUMBER, AUTO), IN_GPU(full_load_cores, NUMBER, NULL),
    IN_GPU(instant_noise_w, NUMBER, NULL), IN_GPU(fans, WHOLE, NULL),
    IN_GPU(persistence, CHOICE, ON_OFF), IN_GPU(lost, CHOICE, ON_OFF),
    IN_GPU(error_code, WHOLE, NULL), IN_GPU(limit_permission, CHOICE, PERMISSION),
    IN_GPU(limit_effect, CHOICE, LIMIT_EFFECTS), IN_GPU(processes, CHOICE, PROCESSES),
    IN_GPU(mig, CHOICE, ON_OFF), IN_GPU(hang_s, NUMBER, NULL),
    IN_GPU(xid, WHOLE, NULL), IN_GPU(xid_count, WHOLE, NULL), IN_GPU(energy_resets, WHOLE, NULL),
    IN_GPU(missing, FLAGS, METRICS), IN_GPU(failing, FLAGS, METRICS), {0}};

static const Scenario DEFAULTS = {
    .name = "NVIDIA fake GPU", .architecture = 7, .compute_major = 8, .compute_minor = 6,
    .memory_mib = 8192, .memory_used_mib = 300, .process_memory_mib = -1, .idle_w = 20,
    .held_idle_w = -1, .max_w = 200, .min_limit_w = 100, .max_limit_w = 200,
    .default_limit_w = 200, .limit_w = -1, .ambient_c = 22, .thermal_resistance_c_per_w = 0.15,
    .thermal_capacity_j_per_c = 400, .target_c = 83, .slowdown_c = 95, .shutdown_c = 98,
    .max_sm_mhz = 1800, .max_memory_mhz = 7000, .load = -1, .full_load_cores = 1, .fans = 1};

static int find_word(const Word *words, const char *text, int *value) {
    for (; words != NULL && words->word != NULL; words++)
        if (strcmp(words->word, text) == 0) return *value = words->value, 1;
    return 0;
}

static int read_flags(const Word *words, char *text, int *flags) {
    char *rest = NULL;
    *flags = 0;
    char *part = strtok_r(text, " ,", &rest);
    for (; part != NULL; part = strtok_r(NULL, " ,", &rest)) {
        int flag;
        if (!find_word(words, part, &flag)) return 0;
        *flags |= flag;
    }
    return 1;
}

static int store(const Key *key, void *owner, char *text) {
    char *field = (char *)owner + key->offset, *end = text;
    int word;
    switch (key->kind) {
    case TEXT:
        if (strlen(text) >= key->size) return 0;
        strcpy(field, text);
        return 1;
    case NUMBER:
        if (find_word(key->words, text, &word)) return *(double *)field = word, 1;
        *(double *)field = strtod(text, &end);
        return end != text && *end == '\0';
    case WHOLE:
        *(int *)field = (int)strtol(text, &end, 0);
        return end != text && *end == '\0';
    case CHOICE:
        return find_word(key->words, text, (int *)field);
    case FLAGS:
        return read_flags(key->words, text, (int *)field);
    }
    return 0;
}

static char *trim(char *text) {
    while (isspace((unsigned char)*text)) text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1])) text[--length] = '\0';
    return text;
}

static void start_gpu(Scenario *gpu, int index) {
    *gpu = DEFAULTS;
    snprintf(gpu->uuid, sizeof gpu->uuid, "GPU-00000000-0000-4000-8000-%012d", index);
    snprintf(gpu->pci_bus_id, sizeof gpu->pci_bus_id, "00000000:%02X:00.0", index + 1);
}

static int is_possible(const Scenario *gpu) {
    return gpu->thermal_resistance_c_per_w > 0 && gpu->thermal_capacity_j_per_c > 0 &&
           gpu->full_load_cores > 0 && gpu->max_w > gpu->idle_w && gpu->idle_w >= 0;
}

static int read_line(char *line, Driver *driver, Scenario *gpus, int *count, int *section) {
    char *text = trim(line);
    if (*text == '\0' || *text == '#' || *text == ';') return 1;
    if (strcmp(text, "[driver]") == 0) return *section = -1, 1;
    int index, used = 0;
    if (sscanf(text, "[gpu %d]%n", &index, &used) == 1 && used > 0 && text[used] == '\0') {
        if (index != *count || index >= MAX_GPUS) return 0; /* in order, none left out */
        start_gpu(&gpus[(*count)++], index);
        return *section = index, 1;
    }
    char *equals = strchr(text, '=');
    if (equals == NULL || *section == -2) return 0;
    *equals = '\0';
    char *name = trim(text);
    const Key *key = *section == -1 ? DRIVER_KEYS : GPU_KEYS;
    void *owner = *section == -1 ? (void *)driver : (void *)&gpus[*section];
    for (; key->name != NULL; key++)
        if (strcmp(key->name, name) == 0) return store(key, owner, trim(equals + 1));
    return 0;
}

static int read_scenario(FILE *file, const char *path, Driver *driver, Scenario *gpus, int *count) {
    char line[512], copy[512];
    int section = -2;
    for (int number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        strcpy(copy, line);
        if (!read_line(copy, driver, gpus, count, &section)) {
            fprintf(stderr, "fake NVML: %s line %d not understood: %s", path, number, line);
            return 0;
        }
    }
    for (int i = 0; i < *count; i++) {
        if (is_possible(&gpus[i])) continue;
        fprintf(stderr, "fake NVML: %s [gpu %d]: a figure is impossible\n", path, i);
        return 0;
    }
    return 1;
}

static void set_limits(Gpu *gpu, double limit_w) {
    gpu->requested_limit_w = gpu->shown_limit_w = gpu->obeyed_limit_w = limit_w;
}

/* What a changed scenario does at once: a lost GPU that comes back has been through a reset. */
static void apply(Gpu *gpu, const Scenario *wanted, int is_new) {
    Scenario before = gpu->scenario;
    gpu->scenario = *wanted;
    if (gpu->scenario.held_idle_w < 0) gpu->scenario.held_idle_w = gpu->scenario.idle_w;
    int was_reset = !is_new && before.lost && !wanted->lost;
    if (is_new) memset((char *)gpu + sizeof gpu->scenario, 0, sizeof *gpu - sizeof gpu->scenario);
    if (is_new) physics_start(gpu);
    if (is_new || was_reset) set_limits(gpu, wanted->default_limit_w);
    if (was_reset || (!is_new && before.energy_resets != wanted->energy_resets)) gpu->energy_j = 0;
    if (wanted->limit_w >= 0 && (is_new || before.limit_w != wanted->limit_w))
        set_limits(gpu, wanted->limit_w);
    if (is_new) before.xid = before.xid_count = 0;
    if (wanted->xid != 0 && (before.xid != wanted->xid || before.xid_count != wanted->xid_count)) {
        Event *event = &gpu->events[gpu->event_count++ % MAX_EVENTS];
        *event = (Event){NVML_EVENT_XID, (uint64_t)wanted->xid};
    }
}

void scenario_refresh(const char *folder) {
    static Scenario gpus[MAX_GPUS]; /* too large for a caller's stack; the lock guards it */
    char path[4200];
    struct stat found;
    Driver driver = {.version = "595.71.05", .nvml_version = "13.595.71.05", .cuda_version = 13020};
    int count = 0;
    snprintf(path, sizeof path, "%s/scenario.ini", folder);
    if (stat(path, &found) != 0) {
        if (!shared->scenario_usable) fprintf(stderr, "fake NVML: %s is missing\n", path);
        return;
    }
    if (found.st_mtim.tv_sec == shared->scenario_time.tv_sec &&
        found.st_mtim.tv_nsec == shared->scenario_time.tv_nsec &&
        found.st_ino == shared->scenario_inode && found.st_size == shared->scenario_size)
        return;
    FILE *file = fopen(path, "re");
    if (file == NULL) return;
    if (read_scenario(file, path, &driver, gpus, &count)) {
        for (int i = 0; i < count; i++) {
            int is_new = i >= shared->gpu_count ||
                         strcmp(shared->gpus[i].scenario.uuid, gpus[i].uuid) != 0;
            apply(&shared->gpus[i], &gpus[i], is_new);
        }
        shared->driver = driver;
        shared->gpu_count = count;
        shared->scenario_usable = 1;
    }
    fclose(file);
    shared->scenario_time = found.st_mtim;
    shared->scenario_inode = found.st_ino;
    shared->scenario_size = found.st_size;
}
