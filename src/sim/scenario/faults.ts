/**
 * What goes wrong, when, from a seed. Each fault starts at a random moment and ends by itself; several may hold at the
 * same time. `calm` ends them all.
 */
import { unreachable } from "../../kernel/mod.ts";
import type { Links, Weather } from "../network/weather.ts";
import { FAIR_WEATHER } from "../network/weather.ts";
import type { Seeded } from "../world/seeded.ts";
import type { World } from "../world/world.ts";

export const FAULT_KINDS = [
  "crash",
  "crash-in-turn",
  "stop",
  "pause",
  "partition",
  "one-way",
  "isolate",
  "flap",
  "weather",
  "clock-jump",
  "slow-disk",
  "full-disk",
  "leave-and-join",
  "transfer",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface DiskState {
  readonly writeMs: number;
  readonly isFull: boolean;
}

/** The cluster as faults see it. */
export interface FaultTarget {
  readonly world: World;
  readonly links: Links;
  /** Names of all hosts; some may be down. */
  readonly hosts: () => readonly string[];
  readonly crash: (host: string) => void;
  /** The process dies within the turn in which it makes its n-th call from now to disk or network. */
  readonly crashAfterCalls: (host: string, count: number) => void;
  /** A stop in order, as after SIGTERM. */
  readonly stop: (host: string) => void;
  readonly restart: (host: string) => void;
  readonly pause: (host: string, forMs: number) => void;
  /** The wall clock jumps to so far from the right time. */
  readonly setClock: (host: string, offMs: number) => void;
  readonly setDisk: (host: string, disk: DiskState) => void;
  /** Takes a host out of the cluster for good, and brings it back as a new node. */
  readonly replace: (host: string) => void;
  readonly transferLeader: (host: string) => void;
  /** What happened, for the trace. */
  readonly note: (text: string) => void;
}

export interface FaultOptions {
  readonly kinds: readonly FaultKind[];
  /** Mean time from one fault to the next. */
  readonly everyMs: number;
  /** Mean time that one lasts. */
  readonly lastsMs: number;
}

export const GOOD_DISK = { writeMs: 0.2, isFull: false } as const;
/** Largest jump of the wall clock, both ways. */
const CLOCK_JUMP_MS = 600_000;
const CALLS_TO_CRASH_MAX = 40;
const FLAPS = 6;
const LOSS_MAX = 0.3;
const DUPLICATION_MAX = 0.4;

export class Faults {
  readonly #target: FaultTarget;
  readonly #options: FaultOptions;
  readonly #random: Seeded;
  /** The weather between storms. */
  readonly #usual: Weather;
  #isCalm = false;

  constructor(target: FaultTarget, options: FaultOptions) {
    this.#target = target;
    this.#options = options;
    this.#random = target.world.random.fork();
    this.#usual = this.#usualWeather();
    target.links.weather = this.#usual;
    this.#next();
  }

  /** No new faults; those that hold are taken back and every host runs. */
  calm(): void {
    const { links, note } = this.#target;
    this.#isCalm = true;
    links.heal();
    links.weather = FAIR_WEATHER;
    for (const host of this.#target.hosts()) {
      this.#target.setDisk(host, GOOD_DISK);
      this.#target.setClock(host, 0);
      this.#target.restart(host);
    }
    note("calm: all faults end");
  }

  #next(): void {
    this.#target.world.after(this.#random.exponential(this.#options.everyMs), () => {
      if (this.#isCalm) return;
      const kind = this.#random.pick(this.#options.kinds);
      if (kind !== undefined) this.#start(kind);
      this.#next();
    });
  }

  #later(run: () => void, meanMs = this.#options.lastsMs): void {
    this.#target.world.after(this.#random.exponential(meanMs), () => {
      if (!this.#isCalm) run();
    });
  }

  #start(kind: FaultKind): void {
    const host = this.#random.pick(this.#target.hosts());
    if (host === undefined) return;
    switch (kind) {
      case "crash":
        return this.#crash(host);
      case "crash-in-turn":
        this.#target.crashAfterCalls(host, this.#random.below(CALLS_TO_CRASH_MAX));
        return this.#later(() => this.#target.restart(host));
      case "stop":
        this.#target.stop(host);
        return this.#later(() => this.#target.restart(host));
      case "pause":
        return this.#target.pause(host, this.#random.exponential(this.#options.lastsMs));
      case "partition":
      case "one-way":
      case "isolate":
      case "flap":
        return this.#cut(kind, host);
      case "weather":
        return this.#storm();
      case "clock-jump":
        this.#target.setClock(host, this.#random.between(-CLOCK_JUMP_MS, CLOCK_JUMP_MS));
        return this.#later(() => this.#target.setClock(host, 0));
      case "slow-disk":
      case "full-disk":
        return this.#spoilDisk(kind, host);
      case "leave-and-join":
        return this.#target.replace(host);
      case "transfer":
        return this.#target.transferLeader(host);
      default:
        return unreachable(kind);
    }
  }

  #crash(host: string): void {
    this.#target.crash(host);
    this.#later(() => this.#target.restart(host));
  }

  #cut(kind: "partition" | "one-way" | "isolate" | "flap", host: string): void {
    const { links } = this.#target;
    const hosts = this.#target.hosts();
    const others = hosts.filter((other) => other !== host);
    const left = kind === "partition" ? hosts.filter(() => this.#random.chance(0.5)) : [host];
    const right = hosts.filter((other) => !left.includes(other));
    if (kind === "one-way") {
      const other = this.#random.pick(others);
      if (other !== undefined) links.cut(host, other);
    } else links.split(left, right);
    this.#target.note(`${kind}: ${left.join(" ")} | ${right.join(" ")}`);
    if (kind === "flap") return this.#flap(left, right, FLAPS);
    this.#later(() => {
      links.heal();
      this.#target.note("links heal");
    });
  }

  #flap(left: readonly string[], right: readonly string[], count: number): void {
    const { links } = this.#target;
    this.#later(() => {
      if (count % 2 === 0) links.heal();
      else links.split(left, right);
      if (count > 0) this.#flap(left, right, count - 1);
      else links.heal();
    }, this.#options.lastsMs / FLAPS);
  }

  /** Some runs have a network that now and then loses or doubles a post all the time. */
  #usualWeather(): Weather {
    const isBad = this.#random.chance(0.5);
    const loss = this.#random.between(0, 0.03);
    const duplication = this.#random.between(0, DUPLICATION_MAX);
    return isBad ? { ...FAIR_WEATHER, loss, duplication } : FAIR_WEATHER;
  }

  #storm(): void {
    const { links } = this.#target;
    links.weather = {
      delayMs: this.#random.between(0.1, 30),
      jitterMs: this.#random.between(0.1, 60),
      loss: this.#random.between(0, LOSS_MAX),
      duplication: this.#random.between(0, DUPLICATION_MAX),
    };
    this.#target.note(
      `weather: ${Math.round(links.weather.loss * 100)} % loss, ${Math.round(links.weather.delayMs)} ms`,
    );
    this.#later(() => {
      links.weather = this.#usual;
    });
  }

  #spoilDisk(kind: "slow-disk" | "full-disk", host: string): void {
    const isFull = kind === "full-disk";
    this.#target.setDisk(host, { writeMs: isFull ? GOOD_DISK.writeMs : this.#random.between(5, 200), isFull });
    this.#later(() => {
      this.#target.setDisk(host, GOOD_DISK);
      if (isFull) this.#target.restart(host);
    });
  }
}
