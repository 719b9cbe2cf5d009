/* How a GPU draws power and warms up: exact first-order steps between two calls.
 *
 * Power follows its target (idle + load * (max - idle), held by the obeyed limit and by heat)
 * within POWER_LAG_S; temperature follows power through one thermal resistance and capacity; the
 * energy counter integrates exactly the power that is reported. Clocks fall when power is held.
 */
#include <math.h>

#include "state.h"

static const double POWER_LAG_S = 0.3;   /* a limit takes effect within about a second */
static const double AVERAGE_OVER_S = 1.0; /* what Ampere and later report as power usage */
static const double STEP_S = 0.5;
static const double LONGEST_S = 60; /* beyond it everything has settled; the rest is one step */

static double clamp(double value, double low, double high) {
    return value < low ? low : value > high ? high : value;
}

void physics_start(Gpu *gpu) {
    const Scenario *is = &gpu->scenario;
    gpu->power_w = gpu->average_power_w = is->idle_w;
    gpu->temperature_c = is->ambient_c + is->idle_w * is->thermal_resistance_c_per_w;
    gpu->sm_mhz = 210;
}

/* What the chip would draw, and what heat allows: software holds it near its target temperature,
 * above the slowdown temperature hardware cuts it to the bone. */
static double target_power_w(const Gpu *gpu, double idle_w, double wanted_w,
                             unsigned int *reasons) {
    const Scenario *is = &gpu->scenario;
    double power_w = wanted_w;
    *reasons = gpu->load < 0.01 ? NVML_REASON_IDLE : 0;
    if (power_w > gpu->obeyed_limit_w) {
        power_w = gpu->obeyed_limit_w;
        *reasons |= NVML_REASON_SW_POWER_CAP;
    }
    double steady_w = (is->target_c - is->ambient_c) / is->thermal_resistance_c_per_w;
    double allowed_w = steady_w + 25 * (is->target_c - gpu->temperature_c);
    if (gpu->temperature_c > is->target_c - 2 && power_w > allowed_w) {
        power_w = allowed_w;
        *reasons |= NVML_REASON_SW_THERMAL;
    }
    if (gpu->temperature_c >= is->slowdown_c && gpu->load >= 0.01) {
        power_w = fmin(power_w, idle_w + 0.2 * (is->max_w - idle_w));
        *reasons |= NVML_REASON_HW_SLOWDOWN | NVML_REASON_HW_THERMAL;
    }
    return fmax(power_w, fmin(idle_w, wanted_w));
}

static void step(Gpu *gpu, double idle_w, double dt_s) {
    const Scenario *is = &gpu->scenario;
    double wanted_w = idle_w + gpu->load * (is->max_w - idle_w);
    double target_w = target_power_w(gpu, idle_w, wanted_w, &gpu->reasons);
    double settled = -expm1(-dt_s / POWER_LAG_S);
    double energy_j = target_w * dt_s + (gpu->power_w - target_w) * POWER_LAG_S * settled;
    double mean_w = energy_j / dt_s;
    gpu->energy_j += energy_j;
    gpu->power_w += (target_w - gpu->power_w) * settled;
    gpu->average_power_w += (mean_w - gpu->average_power_w) * -expm1(-dt_s / AVERAGE_OVER_S);

    double warmed_c = is->ambient_c + mean_w * is->thermal_resistance_c_per_w;
    double time_constant_s = is->thermal_resistance_c_per_w * is->thermal_capacity_j_per_c;
    gpu->temperature_c += (warmed_c - gpu->temperature_c) * -expm1(-dt_s / time_constant_s);

    uint64_t dt_ns = (uint64_t)(dt_s * 1e9);
    if (gpu->reasons & NVML_REASON_SW_POWER_CAP) gpu->power_cap_ns += dt_ns;
    if (gpu->reasons & NVML_REASON_SW_THERMAL) gpu->sw_thermal_ns += dt_ns;
    if (gpu->reasons & NVML_REASON_HW_THERMAL) gpu->hw_thermal_ns += dt_ns;

    /* Dynamic power goes roughly with the cube of the clock (P ~ f * V^2). */
    double held = (target_w - idle_w) / fmax(wanted_w - idle_w, 1e-9);
    gpu->sm_mhz = gpu->load < 0.01 ? 210 : is->max_sm_mhz * cbrt(clamp(held, 0.02, 1));
}

static double load_of(int index) {
    const Scenario *is = &shared->gpus[index].scenario;
    if (is->load >= 0) return clamp(is->load, 0, 1);
    double cores = 0;
    for (int i = 0; i < shared->process_count; i++) {
        const Process *process = &shared->processes[i];
        if (process->gpus & (1u << index))
            cores += process->cores / __builtin_popcount(process->gpus);
    }
    return clamp(cores / is->full_load_cores, 0, 1);
}

void physics_advance(double now_s) {
    double passed_s = shared->advanced_at_s > 0 ? now_s - shared->advanced_at_s : 0;
    shared->advanced_at_s = now_s;
    for (int i = 0; i < shared->gpu_count; i++) {
        Gpu *gpu = &shared->gpus[i];
        if (gpu->scenario.lost) continue;
        gpu->load = load_of(i);
        double idle_w = gpu->scenario.idle_w;
        if (processes_memory_mib(i) > 0) idle_w = gpu->scenario.held_idle_w;
        double left_s = passed_s;
        while (left_s > 1e-9) {
            double dt_s = left_s > LONGEST_S ? left_s - LONGEST_S : fmin(left_s, STEP_S);
            step(gpu, idle_w, dt_s);
            left_s -= dt_s;
        }
    }
}

double physics_fan_percent(const Gpu *gpu) {
    double above_c = gpu->temperature_c - 50; /* below it consumer cards stop their fans */
    return above_c <= 0 ? 0 : clamp(30 + 2 * above_c, 30, 100);
}
