/* Entering and leaving a call, handles, and who a device is. See state.h. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "state.h"

struct nvmlDevice_st { int index; };
static struct nvmlDevice_st handles[MAX_GPUS];
static int started; /* nvmlInit calls not yet shut down, in this process */

nvmlDevice_t device_handle(int index) {
    handles[index].index = index;
    return &handles[index];
}

int device_index(nvmlDevice_t device) {
    if (device < handles || device >= handles + MAX_GPUS) return -1;
    return device->index < shared->gpu_count ? device->index : -1;
}

nvmlReturn_t copy_text(char *target, unsigned int length, const char *text) {
    if (target == NULL) return NVML_ERROR_INVALID_ARGUMENT;
    if (strlen(text) >= length) return NVML_ERROR_INSUFFICIENT_SIZE;
    strcpy(target, text);
    return NVML_SUCCESS;
}

nvmlReturn_t library_enter(void) {
    if (shared == NULL || started == 0) return NVML_ERROR_UNINITIALIZED;
    state_lock();
    return NVML_SUCCESS;
}

/* A call on a hanging GPU blocks without the lock, for its time or until the scenario ends it. */
static void wait_while_hanging(int index) {
    const struct timespec slice = {.tv_nsec = 20000000};
    double waited_s = 0;
    while (index < shared->gpu_count && waited_s < shared->gpus[index].scenario.hang_s) {
        state_unlock();
        nanosleep(&slice, NULL);
        waited_s += 0.02;
        state_lock();
    }
}

nvmlReturn_t device_enter(nvmlDevice_t device, int metric, Gpu **gpu) {
    nvmlReturn_t result = library_enter();
    if (result != NVML_SUCCESS) return result;
    int index = device_index(device);
    if (index < 0) return device_leave(NVML_ERROR_INVALID_ARGUMENT);
    wait_while_hanging(index);
    *gpu = &shared->gpus[index];
    const Scenario *is = &(*gpu)->scenario;
    if (is->lost) return device_leave(NVML_ERROR_GPU_IS_LOST);
    if (is->error_code != 0) return device_leave((nvmlReturn_t)is->error_code);
    if (is->failing & metric) return device_leave(NVML_ERROR_UNKNOWN);
    if (is->missing & metric) return device_leave(NVML_ERROR_NOT_SUPPORTED);
    return NVML_SUCCESS;
}

nvmlReturn_t device_leave(nvmlReturn_t result) {
    state_unlock();
    return result;
}

NVML_API nvmlReturn_t nvmlInitWithFlags(unsigned int flags) {
    (void)flags;
    nvmlReturn_t result = state_open();
    if (result != NVML_SUCCESS) return result;
    state_lock();
    int answer = shared->scenario_usable ? shared->driver.init_result : NVML_ERROR_UNKNOWN;
    result = (nvmlReturn_t)answer;
    state_unlock();
    if (result == NVML_SUCCESS) started++;
    return result;
}

NVML_API nvmlReturn_t nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
NVML_API nvmlReturn_t nvmlInit(void) { return nvmlInitWithFlags(0); }

NVML_API nvmlReturn_t nvmlShutdown(void) {
    if (started == 0) return NVML_ERROR_UNINITIALIZED;
    started--;
    return NVML_SUCCESS;
}

NVML_API const char *nvmlErrorString(nvmlReturn_t result) {
    switch (result) {
    case NVML_SUCCESS: return "The operation was successful";
    case NVML_ERROR_UNINITIALIZED: return "NVML was not first initialized";
    case NVML_ERROR_INVALID_ARGUMENT: return "A supplied argument is invalid";
    case NVML_ERROR_NOT_SUPPORTED: return "The requested operation is not available on this device";
    case NVML_ERROR_NO_PERMISSION: return "The user does not have permission";
    case NVML_ERROR_NOT_FOUND: return "A query to find an object was unsuccessful";
    case NVML_ERROR_INSUFFICIENT_SIZE: return "An input argument is not large enough";
    case NVML_ERROR_DRIVER_NOT_LOADED: return "The NVIDIA driver is not loaded";
    case NVML_ERROR_TIMEOUT: return "The time passed without an answer";
    case NVML_ERROR_FUNCTION_NOT_FOUND: return "The local version of NVML lacks this function";
    case NVML_ERROR_GPU_IS_LOST: return "The GPU has fallen off the bus or is inaccessible";
    case NVML_ERROR_RESET_REQUIRED: return "The GPU needs a reset";
    case NVML_ERROR_LIB_RM_VERSION_MISMATCH: return "Driver and library versions differ";
    case NVML_ERROR_ARGUMENT_VERSION_MISMATCH: return "The version of an argument is not supported";
    case NVML_ERROR_NOT_READY: return "The system is not ready";
    default: return "An unknown error";
    }
}

NVML_API nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int length) {
    nvmlReturn_t result = library_enter();
    if (result != NVML_SUCCESS) return result;
    return device_leave(copy_text(version, length, shared->driver.version));
}

NVML_API nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned int length) {
    nvmlReturn_t result = library_enter();
    if (result != NVML_SUCCESS) return result;
    return device_leave(copy_text(version, length, shared->driver.nvml_version));
}

NVML_API nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version) {
    nvmlReturn_t result = library_enter();
    if (result != NVML_SUCCESS) return result;
    *version = shared->driver.cuda_version;
    return device_leave(NVML_SUCCESS);
}

NVML_API nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version) {
    return nvmlSystemGetCudaDriverVersion_v2(version);
}

NVML_API nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count) {
    nvmlReturn_t result = library_enter();
    if (result != NVML_SUCCESS) return result;
    *count = (unsigned int)shared->gpu_count;
    return device_leave(NVML_SUCCESS);
}

/* The first GPU for which `matches` holds; a lost one has no handle. */
static nvmlReturn_t find_device(int (*matches)(int, const void *), const void *wanted,
                                nvmlReturn_t if_none, nvmlDevice_t *device) {
    nvmlReturn_t result = library_enter();
    if (result != NVML_SUCCESS) return result;
    for (int i = 0; i < shared->gpu_count; i++) {
        if (!matches(i, wanted)) continue;
        *device = device_handle(i);
        return device_leave(shared->gpus[i].scenario.lost ? NVML_ERROR_GPU_IS_LOST : NVML_SUCCESS);
    }
    return device_leave(if_none);
}

static int has_index(int i, const void *wanted) { return i == (int)*(const unsigned int *)wanted; }
static int has_uuid(int i, const void *wanted) {
    return strcmp(shared->gpus[i].scenario.uuid, wanted) == 0;
}
static int has_bus_id(int i, const void *wanted) {
    return strcasecmp(shared->gpus[i].scenario.pci_bus_id, wanted) == 0;
}

NVML_API nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device) {
    return find_device(has_index, &index, NVML_ERROR_INVALID_ARGUMENT, device);
}

NVML_API nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device) {
    return find_device(has_uuid, uuid, NVML_ERROR_NOT_FOUND, device);
}

NVML_API nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, nvmlDevice_t *device) {
    return find_device(has_bus_id, bus_id, NVML_ERROR_NOT_FOUND, device);
}

#define TEXT_GETTER(function, field)                                                       \
    NVML_API nvmlReturn_t function(nvmlDevice_t device, char *text, unsigned int length) { \
        Gpu *gpu;                                                                          \
        nvmlReturn_t result = device_enter(device, METRIC_NONE, &gpu);                     \
        if (result != NVML_SUCCESS) return result;                                         \
        if (gpu->scenario.field[0] == '\0') return device_leave(NVML_ERROR_NOT_SUPPORTED); \
        return device_leave(copy_text(text, length, gpu->scenario.field));                 \
    }

TEXT_GETTER(nvmlDeviceGetName, name)
TEXT_GETTER(nvmlDeviceGetUUID, uuid)
TEXT_GETTER(nvmlDeviceGetSerial, serial)

NVML_API nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *info) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_NONE, &gpu);
    if (result != NVML_SUCCESS) return result;
    memset(info, 0, sizeof *info);
    sscanf(gpu->scenario.pci_bus_id, "%x:%x:%x", &info->domain, &info->bus, &info->device);
    snprintf(info->bus_id, sizeof info->bus_id, "%s", gpu->scenario.pci_bus_id);
    snprintf(info->bus_id_legacy, sizeof info->bus_id_legacy, "%04X:%02X:%02X.0",
             info->domain & 0xFFFF, info->bus & 0xFF, info->device & 0xFF);
    info->pci_device_id = 0x220410DE; /* vendor 10DE: NVIDIA */
    info->pci_subsystem_id = 0x40001458;
    return device_leave(NVML_SUCCESS);
}

NVML_API nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major,
                                                         int *minor) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_NONE, &gpu);
    if (result != NVML_SUCCESS) return result;
    *major = gpu->scenario.compute_major;
    *minor = gpu->scenario.compute_minor;
    return device_leave(NVML_SUCCESS);
}
