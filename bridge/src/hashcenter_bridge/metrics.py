"""The rig in Prometheus' text format, for `/metrics`: the same figures as on the wire."""

from .picture import device_states, rig_state
from .rig import Rig

_DEVICE = {
    "power_w": ("hashcenter_device_power_watts", "gauge"),
    "power_limit_w": ("hashcenter_device_power_limit_watts", "gauge"),
    "energy_kwh": ("hashcenter_device_energy_kilowatt_hours_total", "counter"),
    "temp_c": ("hashcenter_device_temperature_celsius", "gauge"),
    "utilization_percent": ("hashcenter_device_utilization_percent", "gauge"),
    "memory_used_mib": ("hashcenter_device_memory_used_mebibytes", "gauge"),
}


def exposition(rig: Rig) -> str:
    """Return all metrics. What is unknown is absent, never 0."""
    devices = device_states(rig)
    state = rig_state(rig, devices)
    lines: list[str] = []

    def add(name: str, kind: str, samples: list[tuple[str, float | None]]) -> None:
        known = [(labels, value) for labels, value in samples if value is not None]
        if known:
            lines.append(f"# TYPE {name} {kind}")
            lines.extend(f"{name}{labels} {value}" for labels, value in known)

    for field, (name, kind) in _DEVICE.items():
        add(
            name,
            kind,
            [(f'{{uid="{uid}"}}', getattr(device, field)) for uid, device in devices.items()],
        )
    add("hashcenter_rig_power_watts", "gauge", [("", state.power_w)])
    add("hashcenter_rig_energy_kilowatt_hours_total", "counter", [("", state.energy_kwh)])
    add("hashcenter_hash_rate_megahashes", "gauge", [("", state.hash_rate_mhs)])
    add("hashcenter_shares_accepted_total", "counter", [("", state.shares_accepted_total)])
    if state.inference is not None:
        inference = state.inference
        add("hashcenter_inference_available", "gauge", [("", float(inference.available))])
        add("hashcenter_first_token_seconds", "gauge", [("", inference.first_token_s)])
        add("hashcenter_answers_total", "counter", [("", float(inference.answers_total))])
        add("hashcenter_tokens_total", "counter", [("", float(inference.tokens_total))])
        add("hashcenter_preemptions_total", "counter", [("", float(inference.preemptions_total))])
    for field, value in state.health.model_dump().items():
        add(f"hashcenter_{field}", "counter", [("", float(value))])
    return "\n".join(lines) + "\n"
