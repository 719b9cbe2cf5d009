/* Who computes on a GPU, as processes.c found it. Nothing draws pictures here. */
#include <stddef.h>
#include <time.h>

#include "state.h"

static nvmlReturn_t list_processes(nvmlDevice_t device, unsigned int *count,
                                   nvmlProcessInfo_t *list) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_PROCESSES, &gpu);
    if (result != NVML_SUCCESS) return result;
    int index = device_index(device), shown = gpu->scenario.processes;
    if (gpu->scenario.mig || shown == PROCESSES_DENIED)
        return device_leave(NVML_ERROR_NO_PERMISSION);
    unsigned int found = 0;
    for (int i = 0; i < shared->process_count; i++) {
        const Process *process = &shared->processes[i];
        if (!(process->gpus & (1u << index))) continue;
        if (list != NULL && found < *count)
            list[found] = (nvmlProcessInfo_t){
                .pid = (unsigned int)process->pid,
                .used_memory = shown == PROCESSES_WITHOUT_MEMORY
                                   ? NVML_VALUE_NOT_AVAILABLE
                                   : (unsigned long long)(process_memory_mib(process, index) *
                                                          1048576),
                .gpu_instance = UINT32_MAX, .compute_instance = UINT32_MAX};
        found++;
    }
    int fits = found == 0 || (list != NULL && found <= *count);
    *count = found;
    return device_leave(fits ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE);
}

static nvmlReturn_t list_none(nvmlDevice_t device, unsigned int *count) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_PROCESSES, &gpu);
    if (result != NVML_SUCCESS) return result;
    if (gpu->scenario.mig || gpu->scenario.processes == PROCESSES_DENIED)
        return device_leave(NVML_ERROR_NO_PERMISSION);
    *count = 0;
    return device_leave(NVML_SUCCESS);
}

NVML_API nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device,
                                                              unsigned int *count,
                                                              nvmlProcessInfo_t *list) {
    return list_processes(device, count, list);
}

NVML_API nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v2(nvmlDevice_t device,
                                                               unsigned int *count,
                                                               nvmlProcessInfo_t *list) {
    (void)list;
    return list_none(device, count);
}

#ifndef LEGACY_DRIVER
NVML_API nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device,
                                                              unsigned int *count,
                                                              nvmlProcessInfo_t *list) {
    return list_processes(device, count, list);
}

NVML_API nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device,
                                                               unsigned int *count,
                                                               nvmlProcessInfo_t *list) {
    (void)list;
    return list_none(device, count);
}

NVML_API nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v3(nvmlDevice_t device,
                                                                 unsigned int *count,
                                                                 nvmlProcessInfo_t *list) {
    (void)list;
    return list_none(device, count);
}
#endif

NVML_API nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device,
                                                      nvmlProcessUtilizationSample_t *samples,
                                                      unsigned int *count,
                                                      unsigned long long since_us) {
    Gpu *gpu;
    struct timespec now;
    (void)since_us;
    nvmlReturn_t result = device_enter(device, METRIC_PROCESSES, &gpu);
    if (result != NVML_SUCCESS) return result;
    clock_gettime(CLOCK_REALTIME, &now);
    int index = device_index(device);
    unsigned int found = 0;
    for (int i = 0; i < shared->process_count; i++) {
        const Process *process = &shared->processes[i];
        if (!(process->gpus & (1u << index))) continue;
        double share = process->cores / gpu->scenario.full_load_cores;
        if (samples != NULL && found < *count)
            samples[found] = (nvmlProcessUtilizationSample_t){
                .pid = (unsigned int)process->pid,
                .timestamp = (unsigned long long)(now.tv_sec * 1000000LL + now.tv_nsec / 1000),
                .sm = (unsigned int)(100 * (share < 1 ? share : 1))};
        found++;
    }
    int fits = samples != NULL && found <= *count;
    *count = found;
    if (found == 0) return device_leave(NVML_ERROR_NOT_FOUND);
    return device_leave(fits ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE);
}
