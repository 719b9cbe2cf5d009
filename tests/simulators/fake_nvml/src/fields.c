/* nvmlDeviceGetFieldValues: many readings in one call, each with its own result and value type.
 *
 * The unused bytes of each value are filled with junk, as on real drivers: who reads the wrong
 * member of the union gets nonsense. LEGACY_DRIVER knows only the fields of about 2021.
 */
#include <math.h>
#include <string.h>
#include <time.h>

#include "state.h"

static void put_uint(nvmlFieldValue_t *field, double value) {
    field->value_type = NVML_VALUE_UINT;
    field->value.uint = (unsigned int)lround(value);
}

static void put_ulonglong(nvmlFieldValue_t *field, unsigned long long value) {
    field->value_type = NVML_VALUE_ULONGLONG;
    field->value.ulonglong = value;
}

static nvmlReturn_t check(const Scenario *is, int metric) {
    if (is->failing & metric) return NVML_ERROR_UNKNOWN;
    return is->missing & metric ? NVML_ERROR_NOT_SUPPORTED : NVML_SUCCESS;
}

#ifndef LEGACY_DRIVER
static void put_sint(nvmlFieldValue_t *field, double value) {
    field->value_type = NVML_VALUE_SINT;
    field->value.sint = (int)lround(value);
}

static double noise_w(double amplitude_w) {
    uint32_t bits = shared->noise;
    bits ^= bits << 13;
    bits ^= bits >> 17;
    bits ^= bits << 5;
    shared->noise = bits;
    return amplitude_w * (bits / 2147483648.0 - 1);
}

static nvmlReturn_t read_power(const Gpu *gpu, nvmlFieldValue_t *field) {
    const Scenario *is = &gpu->scenario;
    if (field->field == NVML_FIELD_POWER_INSTANT) {
        put_uint(field, fmax(0, gpu->power_w + noise_w(is->instant_noise_w)) * 1000);
        return check(is, METRIC_POWER);
    }
    put_uint(field, gpu->average_power_w * 1000);
    if (is->architecture < NVML_ARCHITECTURE_AMPERE) return NVML_ERROR_NOT_SUPPORTED;
    return check(is, METRIC_POWER | METRIC_AVERAGE_POWER);
}

static nvmlReturn_t read_limit(const Gpu *gpu, nvmlFieldValue_t *field) {
    const Scenario *is = &gpu->scenario;
    switch (field->field) {
    case NVML_FIELD_POWER_MIN_LIMIT: put_uint(field, is->min_limit_w * 1000); break;
    case NVML_FIELD_POWER_MAX_LIMIT: put_uint(field, is->max_limit_w * 1000); break;
    case NVML_FIELD_POWER_DEFAULT_LIMIT: put_uint(field, is->default_limit_w * 1000); break;
    case NVML_FIELD_POWER_CURRENT_LIMIT: put_uint(field, gpu->shown_limit_w * 1000); break;
    default: put_uint(field, gpu->requested_limit_w * 1000);
    }
    return check(is, METRIC_LIMIT);
}

/* Thresholds as margins below the slowdown temperature: Ada and later. */
static nvmlReturn_t read_margin(const Gpu *gpu, nvmlFieldValue_t *field) {
    const Scenario *is = &gpu->scenario;
    if (is->architecture < NVML_ARCHITECTURE_ADA) return NVML_ERROR_NOT_SUPPORTED;
    switch (field->field) {
    case NVML_FIELD_SHUTDOWN_MARGIN: put_sint(field, is->slowdown_c - is->shutdown_c); break;
    case NVML_FIELD_SLOWDOWN_MARGIN: put_sint(field, 0); break;
    case NVML_FIELD_GPU_MAX_MARGIN: put_sint(field, 5); break;
    default: return NVML_ERROR_NOT_SUPPORTED;
    }
    return check(is, METRIC_TEMPERATURE);
}

static nvmlReturn_t read_recent(const Gpu *gpu, nvmlFieldValue_t *field) {
    switch (field->field) {
    case NVML_FIELD_POWER_AVERAGE:
    case NVML_FIELD_POWER_INSTANT: return read_power(gpu, field);
    case NVML_FIELD_POWER_MIN_LIMIT:
    case NVML_FIELD_POWER_MAX_LIMIT:
    case NVML_FIELD_POWER_DEFAULT_LIMIT:
    case NVML_FIELD_POWER_CURRENT_LIMIT:
    case NVML_FIELD_POWER_REQUESTED_LIMIT: return read_limit(gpu, field);
    case NVML_FIELD_ENERGY:
        put_ulonglong(field, (unsigned long long)(gpu->energy_j * 1000));
        return check(&gpu->scenario, METRIC_ENERGY);
    case NVML_FIELD_SHUTDOWN_MARGIN:
    case NVML_FIELD_SLOWDOWN_MARGIN:
    case NVML_FIELD_MEMORY_MAX_MARGIN:
    case NVML_FIELD_GPU_MAX_MARGIN: return read_margin(gpu, field);
    case NVML_FIELD_RECOVERY_ACTION: put_uint(field, 0); return NVML_SUCCESS;
    case NVML_FIELD_SW_THERMAL_NS: put_ulonglong(field, gpu->sw_thermal_ns); break;
    case NVML_FIELD_HW_THERMAL_NS: put_ulonglong(field, gpu->hw_thermal_ns); break;
    case NVML_FIELD_HW_POWER_BRAKE_NS: put_ulonglong(field, 0); break;
    default: return NVML_ERROR_NOT_SUPPORTED;
    }
    return check(&gpu->scenario, METRIC_REASONS);
}
#else
static nvmlReturn_t read_recent(const Gpu *gpu, nvmlFieldValue_t *field) {
    (void)gpu;
    return field->field > 174 ? NVML_ERROR_INVALID_ARGUMENT : NVML_ERROR_NOT_SUPPORTED;
}
#endif

static nvmlReturn_t read_field(const Gpu *gpu, nvmlFieldValue_t *field) {
    if (field->scope != 0) return NVML_ERROR_NOT_SUPPORTED;
    switch (field->field) {
    case NVML_FIELD_SW_POWER_CAP_NS:
        put_ulonglong(field, gpu->power_cap_ns);
        return check(&gpu->scenario, METRIC_REASONS);
    case NVML_FIELD_SW_THERMAL_POLICY_NS:
        put_ulonglong(field, gpu->sw_thermal_ns);
        return check(&gpu->scenario, METRIC_REASONS);
    case NVML_FIELD_MEMORY_TEMPERATURE:
        put_uint(field, gpu->temperature_c + 8);
        return check(&gpu->scenario, METRIC_TEMPERATURE | METRIC_MEMORY_TEMPERATURE);
    case NVML_FIELD_TOTAL_ENERGY:
        put_ulonglong(field, (unsigned long long)(gpu->energy_j * 1000));
        return check(&gpu->scenario, METRIC_ENERGY);
    default: return read_recent(gpu, field);
    }
}

NVML_API nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count,
                                               nvmlFieldValue_t *fields) {
    Gpu *gpu;
    struct timespec now;
    if (count < 1 || fields == NULL) return NVML_ERROR_INVALID_ARGUMENT;
    nvmlReturn_t result = device_enter(device, METRIC_NONE, &gpu);
    if (result != NVML_SUCCESS) return result;
    clock_gettime(CLOCK_REALTIME, &now);
    for (int i = 0; i < count; i++) {
        memset(&fields[i].value, 0xA5, sizeof fields[i].value);
        fields[i].timestamp = now.tv_sec * 1000000LL + now.tv_nsec / 1000;
        fields[i].latency_us = 1;
        fields[i].result = read_field(gpu, &fields[i]);
        if (fields[i].result != NVML_SUCCESS)
            memset(&fields[i].value, 0xA5, sizeof fields[i].value);
    }
    return device_leave(NVML_SUCCESS);
}
