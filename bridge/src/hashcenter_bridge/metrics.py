"""The rig in Prometheus' text format, for `/metrics`: the same figures as on the wire.

GPUs are shown twice: with our names, as all devices are, and with those of NVIDIA's DCGM exporter
and its labels, so that dashboards made for it work. Only what was read is shown under them: nothing
is guessed to fill a panel. docs/grafana/hashcenter.json is a dashboard of our own.
Source: Prometheus' exposition format 0.0.4; dcgm-exporter's etc/default-counters.csv.
"""

import socket
from collections.abc import Iterable, Mapping
from typing import Final

from .picture import device_states, inventory, rig_state
from .rig import Rig
from .wire.messages import Device, DeviceState, InferenceState, RigState
from .wire.values import DeviceKind

_J_PER_KWH: Final = 3_600_000

#: Field -> name, type, what it is.
_DEVICE: Final = {
    "power_w": ("hashcenter_device_power_watts", "gauge", "what it draws"),
    "power_limit_w": ("hashcenter_device_power_limit_watts", "gauge", "its enforced power limit"),
    "target_w": ("hashcenter_device_target_watts", "gauge", "what it should draw"),
    "energy_kwh": ("hashcenter_device_energy_kilowatt_hours_total", "counter", "what it drew"),
    "temp_c": ("hashcenter_device_temperature_celsius", "gauge", "its hottest board"),
    "memory_temp_c": ("hashcenter_device_memory_temperature_celsius", "gauge", "its memory"),
    "chip_temp_c": ("hashcenter_device_chip_temperature_celsius", "gauge", "its hottest chip"),
    "utilization_percent": ("hashcenter_device_utilization_percent", "gauge", "how busy it is"),
    "memory_used_mib": ("hashcenter_device_memory_used_mebibytes", "gauge", "memory in use"),
    "memory_total_mib": ("hashcenter_device_memory_total_mebibytes", "gauge", "memory it has"),
    "clock_mhz": ("hashcenter_device_clock_megahertz", "gauge", "its clock"),
    "fan_percent": ("hashcenter_device_fan_percent", "gauge", "its fan"),
    "hash_rate_mhs": ("hashcenter_device_hash_rate_megahashes", "gauge", "hashes per second"),
}
_RIG: Final = {
    "power_w": ("hashcenter_rig_power_watts", "gauge", "the whole machine, at the wall"),
    "hashing_w": ("hashcenter_rig_hashing_watts", "gauge", "of these, drawn for hashing"),
    "answering_w": ("hashcenter_rig_answering_watts", "gauge", "of these, drawn for answers"),
    "idle_w": ("hashcenter_rig_idle_watts", "gauge", "of these, drawn at rest"),
    "energy_kwh": ("hashcenter_rig_energy_kilowatt_hours_total", "counter", "drawn at the wall"),
    "hash_rate_mhs": ("hashcenter_hash_rate_megahashes", "gauge", "hashes per second"),
    "shares_accepted_total": ("hashcenter_shares_accepted_total", "counter", "taken by the pool"),
    "stopped": ("hashcenter_stopped", "gauge", "1 while Stop all is in force"),
}
_INFERENCE: Final = {
    "available": ("hashcenter_inference_available", "gauge", "1 when a question is answered now"),
    "first_token_s": ("hashcenter_first_token_seconds", "gauge", "predicted, for a question now"),
    "tokens_per_s": ("hashcenter_tokens_per_second", "gauge", "of recent answers"),
    "tokens_per_joule": ("hashcenter_tokens_per_joule", "gauge", "of recent answers"),
    "waiting": ("hashcenter_questions_waiting", "gauge", "questions that wait"),
    "answering": ("hashcenter_questions_answering", "gauge", "questions being answered"),
    "local": ("hashcenter_answers_local", "gauge", "1 when models have no way out"),
    "tasks_waiting": ("hashcenter_tasks_waiting", "gauge", "queued tasks"),
    "answers_total": ("hashcenter_answers_total", "counter", "answers"),
    "tokens_total": ("hashcenter_tokens_total", "counter", "tokens in answers"),
    "preemptions_total": ("hashcenter_preemptions_total", "counter", "hashing gave way so often"),
    "hashes_given_up_total": ("hashcenter_hashes_given_up_total", "counter", "for answers"),
}
#: Field -> DCGM's name and type, and what our unit has to be multiplied with.
_DCGM: Final = {
    "power_w": ("DCGM_FI_DEV_POWER_USAGE", "gauge", 1),
    "power_limit_w": ("DCGM_FI_DEV_POWER_MGMT_LIMIT", "gauge", 1),
    "energy_kwh": ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "counter", _J_PER_KWH * 1000),
    "temp_c": ("DCGM_FI_DEV_GPU_TEMP", "gauge", 1),
    "memory_temp_c": ("DCGM_FI_DEV_MEMORY_TEMP", "gauge", 1),
    "utilization_percent": ("DCGM_FI_DEV_GPU_UTIL", "gauge", 1),
    "memory_used_mib": ("DCGM_FI_DEV_FB_USED", "gauge", 1),
    "memory_clock_mhz": ("DCGM_FI_DEV_MEM_CLOCK", "gauge", 1),
}

Labels = Mapping[str, str]
Sample = tuple[Labels, float | None]


def exposition(rig: Rig) -> str:
    """Return all metrics. What is unknown is absent, never 0."""
    devices = device_states(rig)
    state = rig_state(rig, devices)
    known = {device.uid: device for device in inventory(rig).devices}
    page = _Page()
    _show_devices(page, known, devices)
    _show_gpus(page, known, devices)
    _show_rig(page, rig, state)
    if state.inference is not None:
        _show_inference(page, state.inference)
    return page.text()


class _Page:
    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, name: str, kind: str, about: str, samples: Iterable[Sample]) -> None:
        """Show those samples that are known."""
        known = [(labels, value) for labels, value in samples if value is not None]
        if known:
            self._lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
            self._lines += [f"{name}{_braces(labels)} {float(value)}" for labels, value in known]

    def text(self) -> str:
        return "\n".join(self._lines) + "\n"


def _braces(labels: Labels) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _show_devices(
    page: _Page, known: Mapping[str, Device], states: Mapping[str, DeviceState]
) -> None:
    about = [
        ({"uid": uid, "kind": str(one.kind), "name": one.name, "model": one.model or ""}, 1.0)
        for uid, one in known.items()
    ]
    page.add("hashcenter_device_info", "gauge", "its names", about)
    for field, (name, kind, text) in _DEVICE.items():
        samples = [({"uid": uid}, getattr(state, field)) for uid, state in states.items()]
        page.add(name, kind, text, samples)
    doing = [({"uid": uid, "activity": str(one.activity)}, 1.0) for uid, one in states.items()]
    page.add("hashcenter_device_activity", "gauge", "1 for what it does now", doing)


def _show_gpus(page: _Page, known: Mapping[str, Device], states: Mapping[str, DeviceState]) -> None:
    host = socket.gethostname()
    gpus = [one for one in known.values() if one.kind == DeviceKind.GPU and one.uid in states]
    labels = {
        one.uid: {
            "gpu": str(one.ordinal),
            "UUID": one.uid,
            "device": f"nvidia{one.ordinal}",
            "modelName": one.model or one.name,
            "Hostname": host,
        }
        for one in gpus
    }
    for field, (name, kind, factor) in _DCGM.items():
        values = {uid: getattr(states[uid], field) for uid in labels}
        samples = [
            (labels[uid], None if value is None else value * factor)
            for uid, value in values.items()
        ]
        page.add(name, kind, f"{field} as DCGM has it", samples)
    free = [
        (labels[one.uid], total - used)
        for one in gpus
        if (total := states[one.uid].memory_total_mib) is not None
        and (used := states[one.uid].memory_used_mib) is not None
    ]
    page.add("DCGM_FI_DEV_FB_FREE", "gauge", "memory as DCGM has it", free)


def _show_rig(page: _Page, rig: Rig, state: RigState) -> None:
    names = {"rig": rig.config.rig.id, "version": rig.version, "boot_id": rig.boot_id}
    page.add("hashcenter_rig_info", "gauge", "its names", [(names, 1.0)])
    for field, (name, kind, text) in _RIG.items():
        page.add(name, kind, text, [({}, getattr(state, field))])
    leases = [({"heater": one.id}, one.lease.power_w) for one in state.heaters if one.lease]
    page.add("hashcenter_lease_watts", "gauge", "what the house asked for", leases)
    could = [({"heater": one.id}, one.available_w) for one in state.heaters]
    page.add("hashcenter_available_watts", "gauge", "what could be asked for", could)
    codes = sorted({fault.code for fault in state.faults})
    counted = [
        ({"code": code}, float(sum(fault.code == code for fault in state.faults))) for code in codes
    ]
    page.add("hashcenter_faults", "gauge", "what is wrong now", counted)
    page.add("hashcenter_faults_now", "gauge", "all of them", [({}, float(len(state.faults)))])
    for field, value in state.health.model_dump().items():
        page.add(f"hashcenter_{field}", "counter", "since the bridge began", [({}, float(value))])


def _show_inference(page: _Page, state: InferenceState) -> None:
    for field, (name, kind, text) in _INFERENCE.items():
        page.add(name, kind, text, [({}, getattr(state, field))])
