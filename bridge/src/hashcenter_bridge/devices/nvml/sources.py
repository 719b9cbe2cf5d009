"""Where each reading comes from: fields of one batched call, or functions, the best first.

Which of them a card and its driver have is found out once (`supported_fields`, `pick`): unsupported
is for ever, any other error is for now. Functions that this nvidia-ml-py does not have count as
missing in the driver. Everything here runs on the worker's thread.

Numbers and names: nvml.h.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from ...wire.values import Throttle
from .library import nvml

Value = float | Throttle
Read = Callable[[Any], Value]

LOST: Final = (nvml.NVML_ERROR_GPU_IS_LOST, nvml.NVML_ERROR_RESET_REQUIRED)
_UNSUPPORTED: Final = (
    nvml.NVML_ERROR_NOT_SUPPORTED,
    nvml.NVML_ERROR_FUNCTION_NOT_FOUND,
    nvml.NVML_ERROR_INVALID_ARGUMENT,  # a field number that an old driver does not know
    nvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,
)
_MEMBERS: Final = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")
#: Drivers have been seen to answer "success" and nonsense; no card draws this much.
_HIGHEST_POWER_W: Final = 2000.0


class Implausible(Exception):
    """The driver answered success with a number that cannot be."""


def code_of(err: Exception) -> int:
    """Return NVML's number for an error."""
    if isinstance(err, nvml.NVMLError):
        return int(err.value)
    if isinstance(err, AttributeError):
        return int(nvml.NVML_ERROR_FUNCTION_NOT_FOUND)
    return int(nvml.NVML_ERROR_UNKNOWN)


def is_unsupported(err: Exception) -> bool:
    """Whether asking again is useless."""
    return code_of(err) in _UNSUPPORTED


def plausible_w(power_w: float) -> float:
    """Return `power_w`. Raises Implausible."""
    if not 0 <= power_w <= _HIGHEST_POWER_W:
        raise Implausible(f"the driver says {power_w:.0f} W, which cannot be")
    return power_w


def throttle_of(reasons: int) -> Throttle:
    """Return the most serious of NVML's clocks event reasons (a bit mask)."""
    if reasons & nvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown:
        return Throttle.POWER_BRAKE
    if reasons & (
        nvml.nvmlClocksThrottleReasonHwThermalSlowdown
        | nvml.nvmlClocksThrottleReasonSwThermalSlowdown
    ):
        return Throttle.THERMAL
    if reasons & nvml.nvmlClocksThrottleReasonSwPowerCap:
        return Throttle.POWER_LIMIT
    if reasons & (nvml.nvmlClocksThrottleReasonHwSlowdown | nvml.nvmlClocksThrottleReasonSyncBoost):
        return Throttle.OTHER
    return Throttle.NONE


#: The batched call: field number -> reading, and the factor to its unit.
FIELDS: Final[Mapping[int, tuple[str, float]]] = {
    nvml.NVML_FI_DEV_POWER_INSTANT: ("power_w", 0.001),
    nvml.NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION: ("energy_counter_j", 0.001),
    nvml.NVML_FI_DEV_POWER_CURRENT_LIMIT: ("power_limit_w", 0.001),
    nvml.NVML_FI_DEV_MEMORY_TEMP: ("memory_temp_c", 1.0),
}

#: For readings whose field is not there.
INSTEAD: Final[Mapping[str, tuple[Read, ...]]] = {
    "power_w": (lambda gpu: plausible_w(nvml.nvmlDeviceGetPowerUsage(gpu) / 1000),),
    "energy_counter_j": (lambda gpu: float(nvml.nvmlDeviceGetTotalEnergyConsumption(gpu) / 1000),),
    "power_limit_w": (lambda gpu: float(nvml.nvmlDeviceGetEnforcedPowerLimit(gpu) / 1000),),
}
EACH_TIME: Final[Mapping[str, tuple[Read, ...]]] = {
    "temp_c": (
        lambda gpu: float(nvml.nvmlDeviceGetTemperatureV(gpu, nvml.NVML_TEMPERATURE_GPU)),
        lambda gpu: float(nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU)),
    ),
    "throttle": (
        lambda gpu: throttle_of(nvml.nvmlDeviceGetCurrentClocksEventReasons(gpu)),
        lambda gpu: throttle_of(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu)),
    ),
    "utilization_percent": (lambda gpu: float(nvml.nvmlDeviceGetUtilizationRates(gpu).gpu),),
}
RARELY: Final[Mapping[str, tuple[Read, ...]]] = {
    "memory_used_mib": (lambda gpu: float(nvml.nvmlDeviceGetMemoryInfo(gpu).used / 1048576),),
    "memory_total_mib": (lambda gpu: float(nvml.nvmlDeviceGetMemoryInfo(gpu).total / 1048576),),
    "clock_mhz": (lambda gpu: float(nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_GRAPHICS)),),
    "memory_clock_mhz": (lambda gpu: float(nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_MEM)),),
    "fan_percent": (lambda gpu: float(nvml.nvmlDeviceGetFanSpeed(gpu)),),
}
_LISTS: Final = (
    (
        nvml.nvmlDeviceGetComputeRunningProcesses_v3,
        nvml.nvmlDeviceGetComputeRunningProcesses_v2,
    ),
    (
        nvml.nvmlDeviceGetGraphicsRunningProcesses_v3,
        nvml.nvmlDeviceGetGraphicsRunningProcesses_v2,
    ),
)


def read_fields(gpu: Any, numbers: Iterable[int]) -> dict[int, float | Exception]:
    """Read fields in one call: a number each, or the error of that field alone.

    Raises NVMLError when the whole call fails.
    """
    answers: dict[int, float | Exception] = {}
    for value in nvml.nvmlDeviceGetFieldValues(gpu, list(numbers)):
        if value.nvmlReturn != nvml.NVML_SUCCESS:
            answers[value.fieldId] = nvml.NVMLError(value.nvmlReturn)
        elif value.valueType < len(_MEMBERS):
            answers[value.fieldId] = float(getattr(value.value, _MEMBERS[value.valueType]))
    return answers


def supported_fields(gpu: Any) -> dict[int, tuple[str, float]]:
    """Return those of FIELDS that this card and driver have."""
    try:
        answers = read_fields(gpu, FIELDS)
    except (nvml.NVMLError, AttributeError) as err:
        if code_of(err) in LOST:
            raise
        return {}
    found = {
        number: FIELDS[number]
        for number, answer in answers.items()
        if not (isinstance(answer, Exception) and is_unsupported(answer))
    }
    memory_temp_c = answers.get(nvml.NVML_FI_DEV_MEMORY_TEMP)
    if isinstance(memory_temp_c, float) and memory_temp_c == 0:  # "success", but there is no sensor
        del found[nvml.NVML_FI_DEV_MEMORY_TEMP]
    return found


def pick(gpu: Any, reads: Iterable[Callable[[Any], Any]]) -> Callable[[Any], Any] | None:
    """Return the first function that this card and driver have, None if there is none."""
    for read in reads:
        try:
            read(gpu)
        except (nvml.NVMLError, AttributeError) as err:
            if is_unsupported(err):
                continue
        except Implausible:
            pass
        return read
    return None


def process_lists(gpu: Any) -> list[Callable[[Any], Any]]:
    """Return the functions that list who computes and who draws on this card."""
    return [read for reads in _LISTS if (read := pick(gpu, reads)) is not None]
