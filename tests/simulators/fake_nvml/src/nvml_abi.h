/* The binary interface of libnvidia-ml.so.1, as far as this library answers it.
 *
 * Only layouts, numbers and names that a caller can see: nothing of how a driver works. They follow
 * the structures that nvidia-ml-py (BSD-3-Clause) declares with ctypes, which is what loads us.
 */
#ifndef FAKE_NVML_ABI_H
#define FAKE_NVML_ABI_H

#include <stdint.h>

#define NVML_API __attribute__((visibility("default")))

typedef struct nvmlDevice_st *nvmlDevice_t;
typedef struct nvmlEventSet_st *nvmlEventSet_t;

typedef enum {
    NVML_SUCCESS = 0,
    NVML_ERROR_UNINITIALIZED = 1,
    NVML_ERROR_INVALID_ARGUMENT = 2,
    NVML_ERROR_NOT_SUPPORTED = 3,
    NVML_ERROR_NO_PERMISSION = 4,
    NVML_ERROR_NOT_FOUND = 6,
    NVML_ERROR_INSUFFICIENT_SIZE = 7,
    NVML_ERROR_DRIVER_NOT_LOADED = 9,
    NVML_ERROR_TIMEOUT = 10,
    NVML_ERROR_FUNCTION_NOT_FOUND = 13,
    NVML_ERROR_GPU_IS_LOST = 15,
    NVML_ERROR_RESET_REQUIRED = 16,
    NVML_ERROR_LIB_RM_VERSION_MISMATCH = 18,
    NVML_ERROR_ARGUMENT_VERSION_MISMATCH = 25,
    NVML_ERROR_NOT_READY = 27,
    NVML_ERROR_UNKNOWN = 999
} nvmlReturn_t;

enum { NVML_TEMPERATURE_VERSION_1 = 0x100000C, NVML_MEMORY_VERSION_2 = 0x2000028,
       NVML_FAN_SPEED_VERSION_1 = 0x100000C, NVML_MARGIN_VERSION_1 = 0x1000008 };
enum { NVML_CLOCK_GRAPHICS, NVML_CLOCK_SM, NVML_CLOCK_MEMORY, NVML_CLOCK_VIDEO };
enum { NVML_THRESHOLD_SHUTDOWN, NVML_THRESHOLD_SLOWDOWN, NVML_THRESHOLD_MEMORY_MAX,
       NVML_THRESHOLD_GPU_MAX };
enum { NVML_VALUE_DOUBLE, NVML_VALUE_UINT, NVML_VALUE_ULONG, NVML_VALUE_ULONGLONG,
       NVML_VALUE_SLONGLONG, NVML_VALUE_SINT };
enum { NVML_ARCHITECTURE_PASCAL = 4, NVML_ARCHITECTURE_VOLTA = 5, NVML_ARCHITECTURE_AMPERE = 7,
       NVML_ARCHITECTURE_ADA = 8 };
enum { NVML_EVENT_XID = 0x8 };

#define NVML_VALUE_NOT_AVAILABLE ((unsigned long long)-1)

/* Why clocks are held down ("clocks event reasons", once "throttle reasons"). */
enum { NVML_REASON_IDLE = 0x1, NVML_REASON_SW_POWER_CAP = 0x4, NVML_REASON_HW_SLOWDOWN = 0x8,
       NVML_REASON_SW_THERMAL = 0x20, NVML_REASON_HW_THERMAL = 0x40,
       NVML_REASON_HW_POWER_BRAKE = 0x80 };

/* Field identifiers of nvmlDeviceGetFieldValues. */
enum { NVML_FIELD_SW_POWER_CAP_NS = 74, NVML_FIELD_SW_THERMAL_POLICY_NS = 75,
       NVML_FIELD_MEMORY_TEMPERATURE = 82, NVML_FIELD_TOTAL_ENERGY = 83,
       NVML_FIELD_POWER_AVERAGE = 185, NVML_FIELD_POWER_INSTANT = 186,
       NVML_FIELD_POWER_MIN_LIMIT = 187, NVML_FIELD_POWER_MAX_LIMIT = 188,
       NVML_FIELD_POWER_DEFAULT_LIMIT = 189, NVML_FIELD_POWER_CURRENT_LIMIT = 190,
       NVML_FIELD_ENERGY = 191, NVML_FIELD_POWER_REQUESTED_LIMIT = 192,
       NVML_FIELD_SHUTDOWN_MARGIN = 193, NVML_FIELD_SLOWDOWN_MARGIN = 194,
       NVML_FIELD_MEMORY_MAX_MARGIN = 195, NVML_FIELD_GPU_MAX_MARGIN = 196,
       NVML_FIELD_RECOVERY_ACTION = 230, NVML_FIELD_SW_THERMAL_NS = 269,
       NVML_FIELD_HW_THERMAL_NS = 270, NVML_FIELD_HW_POWER_BRAKE_NS = 271 };

typedef struct { unsigned int gpu, memory; } nvmlUtilization_t;
typedef struct { unsigned long long total, free, used; } nvmlMemory_t;
typedef struct {
    unsigned int version;
    unsigned long long total, reserved, free, used;
} nvmlMemory_v2_t;
typedef struct { unsigned int version, sensor; int temperature; } nvmlTemperature_t;
typedef struct { unsigned int version; int margin; } nvmlMarginTemperature_t;
typedef struct { unsigned int version, fan, speed; } nvmlFanSpeedInfo_t;
typedef struct { unsigned long long reference_time, violation_time; } nvmlViolationTime_t;

typedef struct {
    char bus_id_legacy[16];
    unsigned int domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
} nvmlPciInfo_t;

typedef struct {
    unsigned int pid;
    unsigned long long used_memory;
    unsigned int gpu_instance, compute_instance;
} nvmlProcessInfo_t;

typedef struct {
    unsigned int pid;
    unsigned long long timestamp;
    unsigned int sm, memory, encoder, decoder;
} nvmlProcessUtilizationSample_t;

typedef struct {
    nvmlDevice_t device;
    unsigned long long type, data;
    unsigned int gpu_instance, compute_instance;
} nvmlEventData_t;

typedef union {
    double number;
    unsigned int uint;
    unsigned long long ulonglong;
    int sint;
} nvmlValue_t;

typedef struct {
    unsigned int field, scope;
    long long timestamp, latency_us;
    unsigned int value_type;
    nvmlReturn_t result;
    nvmlValue_t value;
} nvmlFieldValue_t;

#endif
