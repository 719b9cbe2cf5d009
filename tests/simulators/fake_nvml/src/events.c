/* Events: XID errors as they happen.
 *
 * An event set belongs to one process; it remembers for each GPU how many events it has seen. A
 * wait looks at the shared state every POLL_NS, since another process or a person may change it.
 */
#include <stdlib.h>
#include <time.h>

#include "state.h"

static const long POLL_NS = 50000000;

struct nvmlEventSet_st {
    unsigned long long types[MAX_GPUS];
    uint64_t seen[MAX_GPUS];
};

NVML_API nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set) {
    *set = calloc(1, sizeof **set);
    return *set == NULL ? NVML_ERROR_UNKNOWN : NVML_SUCCESS;
}

NVML_API nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set) {
    free(set);
    return NVML_SUCCESS;
}

NVML_API nvmlReturn_t nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device,
                                                       unsigned long long *types) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_EVENTS, &gpu);
    if (result != NVML_SUCCESS) return result;
    *types = NVML_EVENT_XID;
    return device_leave(NVML_SUCCESS);
}

NVML_API nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types,
                                               nvmlEventSet_t set) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_EVENTS, &gpu);
    if (result != NVML_SUCCESS) return result;
    if (types & ~(unsigned long long)NVML_EVENT_XID) return device_leave(NVML_ERROR_NOT_SUPPORTED);
    set->types[device_index(device)] = types;
    set->seen[device_index(device)] = gpu->event_count;
    return device_leave(NVML_SUCCESS);
}

/* An event not yet delivered, else GPU_IS_LOST for a watched GPU that is gone, else TIMEOUT. */
static nvmlReturn_t next_event(nvmlEventSet_t set, nvmlEventData_t *data) {
    nvmlReturn_t result = NVML_ERROR_TIMEOUT;
    for (int i = 0; i < shared->gpu_count; i++) {
        Gpu *gpu = &shared->gpus[i];
        if (set->types[i] == 0) continue;
        if (gpu->event_count > set->seen[i] + MAX_EVENTS)
            set->seen[i] = gpu->event_count - MAX_EVENTS;
        if (set->seen[i] < gpu->event_count) {
            const Event *event = &gpu->events[set->seen[i]++ % MAX_EVENTS];
            *data = (nvmlEventData_t){.device = device_handle(i), .type = event->type,
                                      .data = event->data, .gpu_instance = UINT32_MAX,
                                      .compute_instance = UINT32_MAX};
            return NVML_SUCCESS;
        }
        if (gpu->scenario.lost) result = NVML_ERROR_GPU_IS_LOST;
    }
    return result;
}

NVML_API nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data,
                                          unsigned int timeout_ms) {
    for (long long left_ns = timeout_ms * 1000000LL;; left_ns -= POLL_NS) {
        nvmlReturn_t result = library_enter();
        if (result != NVML_SUCCESS) return result;
        result = device_leave(next_event(set, data));
        if (result != NVML_ERROR_TIMEOUT || left_ns <= 0) return result;
        nanosleep(&(struct timespec){.tv_nsec = left_ns < POLL_NS ? left_ns : POLL_NS}, NULL);
    }
}
