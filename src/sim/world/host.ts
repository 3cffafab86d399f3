import type { Clock, Random } from "../../kernel/mod.ts";
import type { Seeded } from "./seeded.ts";
import type { World } from "./world.ts";

/** Thrown by ports of a host that dies in the middle of a turn: what the turn would have done next never happens. */
export class HostCrash extends Error {
  override readonly name = "HostCrash";
}

/**
 * A virtual machine with a clock that drifts and may jump, or a process on one. It lives, dies and lives again; what was scheduled in one
 * life does not happen in the next. While it is stopped or busy its events wait, and then happen in their order.
 */
export class Host implements Clock, Random {
  readonly name: string;
  readonly #world: World;
  readonly #random: Seeded;
  /** Speed of the monotonic clock against the world's. */
  readonly #rate: number;
  /** A process besides the one that the machine is named after reads the machine's clocks. */
  readonly #machine: Host | null;
  /** How far the wall clock is off; changing it is a jump. */
  wallOffsetMs = 0;
  #life = 0;
  #isUp = false;
  #busyUntilMs = 0;
  /** The host dies when this many more port calls were made; infinite unless a crash is planned. */
  #callsToLive = Number.POSITIVE_INFINITY;
  onCrash: () => void = () => undefined;

  /** `machine`: where it is a further process, which has its name, its links and its clocks. */
  constructor(world: World, name: string, machine: Host | null = null) {
    this.#world = world;
    this.name = name;
    this.#machine = machine;
    this.#random = world.random.fork();
    this.#rate = machine === null ? 1 + (this.#random.next() - 0.5) * 2e-4 : machine.#rate;
  }

  get life(): number {
    return this.#life;
  }
  get isUp(): boolean {
    return this.#isUp;
  }
  get busyUntilMs(): number {
    return this.#busyUntilMs;
  }

  boot(): void {
    this.#life++;
    this.#isUp = true;
    this.#busyUntilMs = 0;
    this.#callsToLive = Number.POSITIVE_INFINITY;
  }

  /** Ends this life. */
  die(): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    this.#life++;
    this.onCrash();
  }

  /** Stops all that happens here for a while: SIGSTOP, a slow disk, a long collection. */
  stall(forMs: number): void {
    this.#busyUntilMs = Math.max(this.#busyUntilMs, this.#world.nowMs + forMs);
  }

  /** Takes time: what else is due here waits, and what this turn sends leaves later. */
  work(forMs: number): void {
    this.#busyUntilMs = Math.max(this.#busyUntilMs, this.#world.nowMs) + forMs;
  }

  /** How long from now until what this turn does is done. */
  get lagMs(): number {
    return Math.max(0, this.#busyUntilMs - this.#world.nowMs);
  }

  /** Plans a death in the middle of a turn: at the n-th call from now that leaves a trace outside. */
  crashAfterCalls(count: number): void {
    this.#callsToLive = count;
  }

  /**
   * To be called by each port where a real process may be killed, with the life that it was made for: a process that is
   * dead already leaves no trace either. @throws {HostCrash}
   */
  mayCrash(life: number): void {
    if (this.#isUp && life === this.#life && --this.#callsToLive >= 0) return;
    if (life === this.#life) this.die();
    throw new HostCrash(`${this.name} was killed`);
  }

  nowMs(): number {
    return this.#world.nowMs * this.#rate;
  }

  wallMs(): number {
    return this.#world.wallMs + (this.#machine ?? this).wallOffsetMs;
  }

  wake(delayMs: number, run: () => void): () => void {
    return this.#world.schedule({ atMs: this.#world.nowMs + Math.max(delayMs / this.#rate, 0), run, host: this });
  }

  soon(run: () => void): void {
    this.#world.schedule({ atMs: this.#world.nowMs, run, host: this });
  }

  next(): number {
    return this.#random.next();
  }

  bytes(count: number): Uint8Array {
    return this.#random.bytes(count);
  }
}
