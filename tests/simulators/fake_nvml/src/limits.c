/* Power limits: what may be set, what was asked for, what the card shows and what it obeys. */
#include <math.h>
#include <stdlib.h>

#include "state.h"

#define LIMIT_GETTER(function, watts)                                          \
    NVML_API nvmlReturn_t function(nvmlDevice_t device, unsigned int *value) { \
        Gpu *gpu;                                                              \
        nvmlReturn_t result = device_enter(device, METRIC_LIMIT, &gpu);        \
        if (result != NVML_SUCCESS) return result;                             \
        *value = (unsigned int)lround((watts) * 1000);                         \
        return device_leave(NVML_SUCCESS);                                     \
    }

LIMIT_GETTER(nvmlDeviceGetPowerManagementLimit, gpu->requested_limit_w)
LIMIT_GETTER(nvmlDeviceGetEnforcedPowerLimit, gpu->shown_limit_w)
LIMIT_GETTER(nvmlDeviceGetPowerManagementDefaultLimit, gpu->scenario.default_limit_w)

NVML_API nvmlReturn_t nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device,
                                                                   unsigned int *low,
                                                                   unsigned int *high) {
    Gpu *gpu;
    nvmlReturn_t result = device_enter(device, METRIC_LIMIT, &gpu);
    if (result != NVML_SUCCESS) return result;
    *low = (unsigned int)lround(gpu->scenario.min_limit_w * 1000);
    *high = (unsigned int)lround(gpu->scenario.max_limit_w * 1000);
    return device_leave(NVML_SUCCESS);
}

NVML_API nvmlReturn_t nvmlDeviceSetPowerManagementLimit(nvmlDevice_t device,
                                                        unsigned int milliwatts) {
    Gpu *gpu;
    double watts = milliwatts / 1000.0;
    nvmlReturn_t result = device_enter(device, METRIC_LIMIT, &gpu);
    if (result != NVML_SUCCESS) return result;
    const Scenario *is = &gpu->scenario;
    /* A process of an ordinary user, as the real driver tells it apart. */
    if (is->limit_permission != 0 || getenv("FAKE_NVML_UNPRIVILEGED") != NULL) return device_leave(NVML_ERROR_NO_PERMISSION);
    if (watts < is->min_limit_w || watts > is->max_limit_w)
        return device_leave(NVML_ERROR_INVALID_ARGUMENT);
    if (is->limit_effect != LIMIT_DROPPED) gpu->requested_limit_w = gpu->shown_limit_w = watts;
    if (is->limit_effect == LIMIT_FOLLOWED) gpu->obeyed_limit_w = watts;
    return device_leave(NVML_SUCCESS);
}
