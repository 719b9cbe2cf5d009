/* What a GPU measures: one exported function per reading of state.h's Gpu.
 *
 * LEGACY_DRIVER leaves out what drivers of about 2021 (the 470 branch) did not export yet.
 */
#include <math.h>
#include <string.h>
#include <time.h>

#include "state.h"

/* A getter of one number: enter, store `expression` through `value`, leave. */
#define GETTER(function, type, metric, expression)                     \
    NVML_API nvmlReturn_t function(nvmlDevice_t device, type *value) { \
        Gpu *gpu;                                                      \
        nvmlReturn_t result = device_enter(device, metric, &gpu);      \
        if (result != NVML_SUCCESS) return result;                     \
        *value = (type)(expression);                                   \
        return device_leave(NVML_SUCCESS);                             \
    }

static double memory_used_mib(int index) {
    const Scenario *is = &shared->gpus[index].scenario;
    return fmin(is->memory_used_mib + processes_memory_mib(index), is->memory_mib);
}

static int performance_state(const Gpu *gpu) {
    return gpu->load < 0.01 ? 8 : gpu->load < 0.3 ? 2 : 0;
}

/* Ampere and later report a mean over a second here, older cards the present draw. */
static double power_usage_w(const Gpu *gpu) {
    int is_mean = gpu->scenario.architecture >= NVML_ARCHITECTURE_AMPERE;
    return is_mean ? gpu->average_power_w : gpu->power_w;
}

GETTER(nvmlDeviceGetIndex, unsigned int, METRIC_NONE, device_index(device))
GETTER(nvmlDeviceGetMinorNumber, unsigned int, METRIC_NONE, device_index(device))
GETTER(nvmlDeviceGetPersistenceMode, unsigned int, METRIC_NONE, gpu->scenario.persistence)
GETTER(nvmlDeviceGetComputeMode, unsigned int, METRIC_NONE, 0)
GETTER(nvmlDeviceGetDisplayActive, unsigned int, METRIC_NONE, 0)
GETTER(nvmlDeviceGetDisplayMode, unsigned int, METRIC_NONE, 0)
GETTER(nvmlDeviceGetPerformanceState, unsigned int, METRIC_CLOCKS, performance_state(gpu))
GETTER(nvmlDeviceGetCurrPcieLinkGeneration, unsigned int, METRIC_PCIE, gpu->load < 0.01 ? 1 : 4)
GETTER(nvmlDeviceGetMaxPcieLinkGeneration, unsigned int, METRIC_PCIE, 4)
GETTER(nvmlDeviceGetCurrPcieLinkWidth, unsigned int, METRIC_PCIE, 16)
GETTER(nvmlDeviceGetMaxPcieLinkWidth, unsigned int, METRIC_PCIE, 16)
GETTER(nvmlDeviceGetPowerUsage, unsigned int, METRIC_POWER, lround(power_usage_w(gpu) * 1000))
GETTER(nvmlDeviceGetTotalEnergyConsumption, unsigned long long, METRIC_ENERGY, gpu->energy_j * 1000)
GETTER(nvmlDeviceGetFanSpeed, unsigned int, METRIC_FAN, lround(physics_fan_percent(gpu)))
GETTER(nvmlDeviceGetNumFans, unsigned int, METRIC_FAN, gpu->scenario.fans)
GETTER(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long, METRIC_REASONS, gpu->reasons)
#ifndef LEGACY_DRIVER
GETTER(nvmlDeviceGetArchitecture, unsigned int, METRIC_NONE, gpu->scenario.architecture)
GETTER(nvmlDeviceGetCurrentClocksEventReasons, unsigned long long, METRIC_REASONS, gpu->reasons)
#endif

NVML_API nvmlReturn_t nvmlDeviceGetFanSpeed_v2(nvmlDevice_t device, unsigned int fan,
                                               unsigned int *percent) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_FAN, &gpu);
    if (result != NVML_SUCCESS) return result;
    if (fan >= (unsigned int)gpu->scenario.fans) return device_leave(NVML_ERROR_INVALID_ARGUMENT);
    *percent = (unsigned int)lround(physics_fan_percent(gpu));
    return device_leave(NVML_SUCCESS);
}

NVML_API nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, unsigned int sensor,
                                               unsigned int *celsius) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_TEMPERATURE, &gpu);
    if (result != NVML_SUCCESS) return result;
    if (sensor != 0) return device_leave(NVML_ERROR_INVALID_ARGUMENT);
    *celsius = (unsigned int)lround(gpu->temperature_c);
    return device_leave(NVML_SUCCESS);
}

NVML_API nvmlReturn_t nvmlDeviceGetTemperatureThreshold(nvmlDevice_t device, unsigned int threshold,
                                                        unsigned int *celsius) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_TEMPERATURE, &gpu);
    if (result != NVML_SUCCESS) return result;
    const Scenario *is = &gpu->scenario;
    const double values[] = {is->shutdown_c, is->slowdown_c, 0, is->slowdown_c - 5};
    if (threshold > NVML_THRESHOLD_GPU_MAX) return device_leave(NVML_ERROR_INVALID_ARGUMENT);
    if (threshold == NVML_THRESHOLD_MEMORY_MAX) return device_leave(NVML_ERROR_NOT_SUPPORTED);
    *celsius = (unsigned int)lround(values[threshold]);
    return device_leave(NVML_SUCCESS);
}

static nvmlReturn_t clock_mhz(const Gpu *gpu, unsigned int clock, int at_most, unsigned int *mhz) {
    const Scenario *is = &gpu->scenario;
    double sm_mhz = at_most ? is->max_sm_mhz : gpu->sm_mhz;
    double memory_mhz = at_most || gpu->load >= 0.01 ? is->max_memory_mhz : 405;
    const double values[] = {sm_mhz, sm_mhz, memory_mhz, 0.8 * sm_mhz};
    if (clock > NVML_CLOCK_VIDEO) return NVML_ERROR_INVALID_ARGUMENT;
    *mhz = (unsigned int)lround(values[clock]);
    return NVML_SUCCESS;
}

NVML_API nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, unsigned int clock,
                                             unsigned int *mhz) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_CLOCKS, &gpu);
    return result != NVML_SUCCESS ? result : device_leave(clock_mhz(gpu, clock, 0, mhz));
}

NVML_API nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, unsigned int clock,
                                                unsigned int *mhz) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_CLOCKS, &gpu);
    return result != NVML_SUCCESS ? result : device_leave(clock_mhz(gpu, clock, 1, mhz));
}

NVML_API nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_UTILIZATION, &gpu);
    if (result != NVML_SUCCESS) return result;
    if (gpu->scenario.mig) return device_leave(NVML_ERROR_NOT_SUPPORTED);
    rates->gpu = (unsigned int)lround(gpu->load * 100);
    rates->memory = (unsigned int)lround(gpu->load * 60);
    return device_leave(NVML_SUCCESS);
}

static nvmlReturn_t no_codec(nvmlDevice_t device, unsigned int *percent, unsigned int *period_us) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_UTILIZATION, &gpu);
    if (result != NVML_SUCCESS) return result;
    *percent = 0;
    *period_us = 167000;
    return device_leave(NVML_SUCCESS);
}

NVML_API nvmlReturn_t nvmlDeviceGetEncoderUtilization(nvmlDevice_t device, unsigned int *percent,
                                                      unsigned int *period_us) {
    return no_codec(device, percent, period_us);
}

NVML_API nvmlReturn_t nvmlDeviceGetDecoderUtilization(nvmlDevice_t device, unsigned int *percent,
                                                      unsigned int *period_us) {
    return no_codec(device, percent, period_us);
}

NVML_API nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_MEMORY, &gpu);
    if (result != NVML_SUCCESS) return result;
    if (gpu->scenario.mig) return device_leave(NVML_ERROR_NO_PERMISSION);
    memory->total = (unsigned long long)(gpu->scenario.memory_mib * 1048576);
    memory->used = (unsigned long long)(memory_used_mib(device_index(device)) * 1048576);
    memory->free = memory->total - memory->used;
    return device_leave(NVML_SUCCESS);
}

NVML_API nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current,
                                           unsigned int *pending) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_NONE, &gpu);
    if (result != NVML_SUCCESS) return result;
    if (!gpu->scenario.mig) return device_leave(NVML_ERROR_NOT_SUPPORTED); /* as GeForce cards */
    *current = *pending = 1;
    return device_leave(NVML_SUCCESS);
}

/* Traffic over PCIe: little, and counting it takes 20 ms, as on a real card. */
NVML_API nvmlReturn_t nvmlDeviceGetPcieThroughput(nvmlDevice_t device, unsigned int counter,
                                                  unsigned int *kib_per_s) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_PCIE, &gpu);
    if (result != NVML_SUCCESS) return result;
    if (counter > 1) return device_leave(NVML_ERROR_INVALID_ARGUMENT);
    double load = gpu->load;
    device_leave(NVML_SUCCESS);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    *kib_per_s = (unsigned int)(load * 50000);
    return NVML_SUCCESS;
}

NVML_API nvmlReturn_t nvmlDeviceGetViolationStatus(nvmlDevice_t device, unsigned int policy,
                                                   nvmlViolationTime_t *time) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_REASONS, &gpu);
    if (result != NVML_SUCCESS) return result;
    if (policy > 1) return device_leave(NVML_ERROR_NOT_SUPPORTED);
    time->reference_time = (unsigned long long)(shared->advanced_at_s * 1e6);
    time->violation_time = policy == 0 ? gpu->power_cap_ns : gpu->sw_thermal_ns;
    return device_leave(NVML_SUCCESS);
}

#ifndef LEGACY_DRIVER
NVML_API nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_MEMORY, &gpu);
    if (result != NVML_SUCCESS) return result;
    if (gpu->scenario.mig) return device_leave(NVML_ERROR_NO_PERMISSION);
    if (memory->version != NVML_MEMORY_VERSION_2)
        return device_leave(NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    memory->total = (unsigned long long)(gpu->scenario.memory_mib * 1048576);
    memory->reserved = 434ull * 1048576;
    memory->used = (unsigned long long)(memory_used_mib(device_index(device)) * 1048576);
    unsigned long long taken = memory->used + memory->reserved;
    memory->free = taken < memory->total ? memory->total - taken : 0;
    return device_leave(NVML_SUCCESS);
}

NVML_API nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_t *reading) {
    unsigned int celsius;
    if (reading->version != NVML_TEMPERATURE_VERSION_1) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    nvmlReturn_t result = nvmlDeviceGetTemperature(device, reading->sensor, &celsius);
    if (result == NVML_SUCCESS) reading->temperature = (int)celsius;
    return result;
}

NVML_API nvmlReturn_t nvmlDeviceGetMarginTemperature(nvmlDevice_t device,
                                                     nvmlMarginTemperature_t *reading) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_TEMPERATURE, &gpu);
    if (result != NVML_SUCCESS) return result;
    if (reading->version != NVML_MARGIN_VERSION_1)
        return device_leave(NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    if (gpu->scenario.architecture < NVML_ARCHITECTURE_ADA)
        return device_leave(NVML_ERROR_NOT_SUPPORTED);
    reading->margin = (int)lround(gpu->scenario.slowdown_c - gpu->temperature_c);
    return device_leave(NVML_SUCCESS);
}

NVML_API nvmlReturn_t nvmlDeviceGetFanSpeedRPM(nvmlDevice_t device, nvmlFanSpeedInfo_t *reading) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_FAN, &gpu);
    if (result != NVML_SUCCESS) return result;
    if (reading->version != NVML_FAN_SPEED_VERSION_1)
        return device_leave(NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    if (reading->fan >= (unsigned int)gpu->scenario.fans)
        return device_leave(NVML_ERROR_INVALID_ARGUMENT);
    reading->speed = (unsigned int)lround(32 * physics_fan_percent(gpu));
    return device_leave(NVML_SUCCESS);
}
#endif
