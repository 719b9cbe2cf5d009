/*
 * The dashboard "Hashcenter": one page that builds itself from what the house has.
 *
 * Home Assistant calls `generate(config, hass)` and shows the returned views. Entities are found by
 * their translation key and device, never by entity id, so renaming breaks nothing. `config` may name
 * `rooms`: entity ids of thermostats or thermometers to show first; and `hours`: of the graphs.
 */

const PLATFORM = "hashcenter";

/** The house's and its rigs' entities, by device and key. */
class Inventory {
  constructor(hass) {
    this.hass = hass;
    this.byDevice = new Map();
    for (const entity of Object.values(hass.entities)) {
      if (entity.platform !== PLATFORM || entity.hidden || !entity.device_id) continue;
      if (!hass.states[entity.entity_id]) continue;
      const list = this.byDevice.get(entity.device_id) ?? [];
      list.push(entity);
      this.byDevice.set(entity.device_id, list);
    }
    this.devices = [...this.byDevice.keys()].map((id) => hass.devices[id]).filter(Boolean);
    this.house = this.devices.find((device) => this.entity(device, "why"));
  }

  /** Return the entity id of `key` on `device`, undefined without one. */
  entity(device, key, domain = "") {
    return (this.byDevice.get(device?.id) ?? []).find(
      (entity) => entity.translation_key === key && entity.entity_id.startsWith(domain),
    )?.entity_id;
  }

  /** Return all entity ids of `key` on `device`. */
  all(device, key) {
    return (this.byDevice.get(device.id) ?? [])
      .filter((entity) => entity.translation_key === key)
      .map((entity) => entity.entity_id);
  }

  name(device) {
    return device.name_by_user ?? device.name;
  }

  /** Return the rooms, each with its thermostat. */
  get rooms() {
    return this.devices.filter((device) => this.entity(device, "room", "climate."));
  }

  /** Return the circuits, in the order of their names. */
  get circuits() {
    return this.devices
      .filter((device) => this.entity(device, "load_percent"))
      .sort((one, other) => this.name(one).localeCompare(this.name(other), undefined, { numeric: true }));
  }

  get rigs() {
    return this.devices.filter(
      (device) => device !== this.house && !device.parent_device_id && this.entity(device, "activity"),
    );
  }

  children(rig) {
    return this.devices
      .filter((device) => device.parent_device_id === rig.id)
      .sort((one, other) => this.name(one).localeCompare(this.name(other), undefined, { numeric: true }));
  }
}

const heading = (text, icon, style = "title") => ({ type: "heading", heading: text, icon, heading_style: style });
const tile = (entity, options = {}) => entity && { type: "tile", entity, ...options };
const section = (...cards) => ({ type: "grid", cards: cards.filter(Boolean) });
const wide = { grid_options: { columns: "full" } };
/** One of three side by side, on a phone, too. */
const third = { vertical: true, grid_options: { columns: 4, rows: 2 } };

/** A room: its thermostat, and in a sentence what limits it. */
function room(found, device) {
  const limit = found.entity(device, "limit_sentence");
  return [
    tile(found.entity(device, "room", "climate."), {
      ...wide,
      name: found.name(device),
      state_content: ["hvac_action", "current_temperature"],
      features: [{ type: "target-temperature" }, { type: "climate-preset-modes", style: "icons" }],
    }),
    tile(found.entity(device, "demand_w"), { name: "Needs", icon: "mdi:thermometer-chevron-up" }),
    tile(found.entity(device, "delivered_w"), { name: "Gets", icon: "mdi:radiator" }),
    limit && { type: "markdown", ...wide, content: `{{ states('${limit}') }}`, text_only: true },
  ];
}

/** Rooms now and their targets, and why the house does what it does. */
function glance(found, { rooms = [], hours = 6 }) {
  const { house } = found;
  const own = new Set(found.rooms.map((device) => found.entity(device, "room", "climate.")));
  const shown = rooms
    .filter((id) => found.hass.states[id] && !own.has(id))
    .map((id) =>
      id.startsWith("climate.")
        ? { type: "thermostat", entity: id }
        : tile(id, { ...wide, features: [{ type: "trend-graph", hours_to_show: hours }] }),
    );
  const backup = found.entity(house, "needs_backup");
  const why = found.entity(house, "why");
  return section(
    heading("Rooms", "mdi:home-thermometer"),
    ...found.rooms.flatMap((device) => room(found, device)),
    ...shown,
    backup &&
      tile(backup, {
        ...wide,
        name: "Needs back-up heat",
        color: "red",
        visibility: [{ condition: "state", entity: backup, state: "on" }],
      }),
    why && {
      type: "markdown",
      ...wide,
      content: `## {{ states('${why}') }}`,
      text_only: true,
    },
    tile(found.entity(house, "favor"), {
      ...wide,
      name: "Favor",
      features: [{ type: "select-options" }],
    }),
    tile(found.entity(house, "stop_all"), {
      ...wide,
      color: "red",
      name: "Stop all",
      icon: "mdi:stop-circle",
      features: [{ type: "toggle" }],
    }),
  );
}

/** Watts by activity and today's energy. */
function watts(found, { hours = 3 }) {
  const { house } = found;
  const kinds = [
    ["hashing_w", "Hashing", "orange", "mdi:pickaxe"],
    ["answering_w", "Answering", "blue", "mdi:message-text"],
    ["idle_w", "Idle", "grey", "mdi:sleep"],
  ];
  return section(
    heading("Heat", "mdi:radiator"),
    tile(found.entity(house, "power_w"), { name: "Now", color: "red", icon: "mdi:fire" }),
    tile(found.entity(house, "energy_today_kwh"), { name: "Today", icon: "mdi:counter" }),
    ...kinds.map(([key, name, color, icon]) => tile(found.entity(house, key), { ...third, name, color, icon })),
    {
      type: "history-graph",
      ...wide,
      hours_to_show: hours,
      entities: kinds
        .map(([key, name, color]) => ({ entity: found.entity(house, key), name, color }))
        .filter(({ entity }) => entity),
    },
  );
}

/** What the heat costs, next to what it would cost otherwise. */
function money(found) {
  const { house } = found;
  const net = found.entity(house, "net_price_per_kwh");
  if (!net) return undefined;
  return section(
    heading("Money", "mdi:cash-multiple"),
    tile(net, { name: "Our heat", icon: "mdi:fire" }),
    tile(found.entity(house, "alternative_per_kwh"), { name: "Otherwise", icon: "mdi:heat-pump" }),
    tile(found.entity(house, "cheaper_than_alternative"), { ...wide, name: "Cheaper than otherwise" }),
    tile(found.entity(house, "cost_today"), { ...third, name: "Cost today", icon: "mdi:cash-minus" }),
    tile(found.entity(house, "earned_today"), { ...third, name: "Earned", icon: "mdi:cash-plus" }),
    tile(found.entity(house, "heat_today_kwh"), { ...third, name: "Heat today", icon: "mdi:radiator" }),
  );
}

/** Each breaker: how much of what it may carry for hours it carries now. */
function circuits(found) {
  if (!found.circuits.length) return undefined;
  return section(
    heading("Circuits", "mdi:electric-switch"),
    ...found.circuits.flatMap((device) => {
      const problem = found.entity(device, "circuit_problem");
      return [
        tile(found.entity(device, "load_percent"), {
          ...wide,
          name: found.name(device),
          icon: "mdi:fuse",
          features: [{ type: "bar-gauge", min: 0, max: 100 }],
        }),
        tile(found.entity(device, "load_w"), { name: "Carries", icon: "mdi:flash" }),
        tile(found.entity(device, "possible_w"), { name: "Might carry", icon: "mdi:flash-alert" }),
        problem &&
          tile(problem, {
            ...wide,
            name: "Problem",
            color: "red",
            visibility: [{ condition: "state", entity: problem, state: "on" }],
          }),
      ];
    }),
  );
}

/** Can it answer, and how soon. */
function answers(found) {
  const { house } = found;
  const available = found.entity(house, "inference_available");
  if (!available) return undefined;
  const [rig] = found.rigs.filter((one) => found.entity(one, "model"));
  return section(
    heading("Answers", "mdi:chat-processing"),
    tile(available, { name: "Can answer", ...wide }),
    tile(found.entity(house, "first_token_s"), { ...third, name: "First word in" }),
    tile(found.entity(house, "tokens_per_s"), { ...third, name: "Speed", icon: "mdi:speedometer" }),
    tile(found.entity(house, "tokens_per_joule"), { ...third, name: "Per joule", icon: "mdi:leaf" }),
    rig && tile(found.entity(rig, "model"), { name: "Model", ...wide }),
  );
}

/** What is wrong, since when. */
function problems(found) {
  const { house } = found;
  const problem = found.entity(house, "problem", "binary_sensor");
  const text = found.entity(house, "problems", "sensor");
  if (!problem) return undefined;
  return section(
    heading("Is anything wrong?", "mdi:stethoscope"),
    tile(problem, { name: "Problem", ...wide }),
    text && {
      type: "markdown",
      ...wide,
      visibility: [{ condition: "state", entity: problem, state: "on" }],
      content: `{{ states('${text}') }}`,
    },
  );
}

/** One rig: what it is asked for, what it does, its devices. */
function rig(found, device) {
  const children = found.children(device).flatMap((child) => [
    heading(found.name(child), child.name.startsWith("CPU") ? "mdi:chip" : "mdi:expansion-card", "subtitle"),
    tile(found.entity(child, "power_w"), { name: "Power" }),
    tile(found.entity(child, "temp_c"), { name: "Temperature" }),
    tile(found.entity(child, "activity"), { name: "Activity" }),
    tile(found.entity(child, "utilization_percent"), { name: "Load", icon: "mdi:gauge" }),
  ]);
  return section(
    heading(found.name(device), "mdi:server"),
    ...found
      .all(device, "heat_request")
      .map((id) => tile(id, { ...wide, name: "Heat request", features: [{ type: "numeric-input", style: "slider" }] })),
    ...found.all(device, "available_w").map((id) => tile(id, { name: "Available" })),
    tile(found.entity(device, "power_w"), { name: "Power" }),
    tile(found.entity(device, "activity"), { name: "Activity" }),
    tile(found.entity(device, "hash_rate_mhs"), { name: "Hash rate" }),
    ...found.all(device, "effect").map((id) => tile(id, { name: "Watts follow" })),
    ...found.all(device, "hands_off").map((id) => tile(id, { name: "Hands off" })),
    ...children,
  );
}

class HashcenterDashboardStrategy extends HTMLElement {
  static async generate(config, hass) {
    const found = new Inventory(hass);
    if (!found.house) {
      return {
        views: [
          {
            title: "Hashcenter",
            cards: [
              { type: "markdown", content: "Hashcenter is not set up yet: add it under Settings → Devices & services." },
            ],
          },
        ],
      };
    }
    const sections = [
      glance(found, config),
      watts(found, config),
      circuits(found),
      answers(found),
      money(found),
      problems(found),
      ...found.rigs.map((device) => rig(found, device)),
    ].filter(Boolean);
    return {
      title: "Hashcenter",
      views: [{ title: "Hashcenter", icon: "mdi:home-lightning-bolt", type: "sections", max_columns: 3, sections }],
    };
  }
}

customElements.define("ll-strategy-dashboard-hashcenter", HashcenterDashboardStrategy);

window.customStrategies = window.customStrategies || [];
window.customStrategies.push({
  type: "hashcenter",
  strategyType: "dashboard",
  name: "Hashcenter",
  description: "Rooms, heat, answers and rigs at a glance",
});
