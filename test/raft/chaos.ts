import type { PeerId } from "../../src/kernel/mod.ts";
import type { MembershipChange, RaftRules } from "../../src/raft/mod.ts";
import { Judge } from "./judge.ts";
import { chanceOf, type Letter, type Node, World } from "./world.ts";

export type ChaosResult = Judge["counts"] & { readonly acknowledged: number; readonly applied: number };

/** One seed: a cluster under a random schedule of everything that can go wrong, then peace. Throws on any violation. */
export class Chaos {
  readonly #chance: () => number;
  readonly #judge = new Judge();
  readonly #world: World;
  readonly #cut = new Set<string>();
  /** Proposed, by node, index and term; settled when that node applies that index. */
  readonly #open = new Map<string, string>();
  readonly #forwarded = new Map<string, string>();
  readonly #lossShare: number;
  #acknowledged: { index: number; text: string }[] = [];
  #count = 0;

  constructor(seed: number, rules?: RaftRules) {
    this.#chance = chanceOf(seed);
    const { watch } = this.#judge;
    this.#world = new World({
      random: () => this.#chance(),
      ...(rules === undefined ? {} : { rules }),
      watch: {
        ...watch,
        ready: (node, ready) => {
          watch.ready?.(node, ready);
          for (const { proposal, outcome } of ready.outcomes) {
            const text = this.#forwarded.get(`${node.id} ${proposal}`);
            if (outcome.kind === "accepted" && text !== undefined) this.#accepted(node, outcome, text);
          }
        },
        applied: (node, entry) => {
          watch.applied?.(node, entry);
          const text = this.#open.get(`${node.id} ${entry.index} ${entry.term}`);
          if (text !== undefined) this.#acknowledged.push({ index: entry.index, text });
        },
      },
    });
    this.#lossShare = this.#chance() < 0.3 ? 0 : this.#chance() * 0.25;
    const count = 1 + Math.floor(this.#chance() * 5);
    const voters = Array.from({ length: count }, (_, at) => `n${at + 1}` as PeerId);
    for (const voter of voters) this.#skew(this.#world.add(voter, { voters, learners: [] }));
    for (let at = count + 1; at <= 6; at++) this.#skew(this.#world.add(`n${at}`, null));
  }

  #skew({ clock }: Node): void {
    clock.rate = 0.96 + this.#chance() * 0.08;
    clock.offsetMs = Math.floor(this.#chance() * 1e6);
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#chance() * items.length)];
  }

  run(steps: number): ChaosResult {
    for (let step = 0; step < steps; step++) {
      this.#step();
      if (step % 250 === 0) this.#judge.compare(this.#world);
    }
    this.#peace();
    for (const { index, text } of this.#acknowledged) this.#judge.kept(index, text);
    return { ...this.#judge.counts, acknowledged: this.#acknowledged.length, applied: this.#judge.appliedMax };
  }

  #step(): void {
    const dice = this.#chance();
    const world = this.#world;
    const node = this.#pick([...world.nodes.values()]);
    if (node === undefined) return;
    if (dice < 0.62) for (let burst = this.#chance() * 8; burst > 0; burst--) this.#deliverOne();
    else if (dice < 0.72) this.#pass(5 + this.#chance() * 50);
    else if (dice < 0.86) this.#propose(node);
    else if (dice < 0.93) this.#read(node);
    else if (dice < 0.95) this.#change(node);
    else if (dice < 0.956) node.raft?.transferLeader(this.#pick([...world.nodes.keys()]) ?? node.id, world.nowOf(node));
    else if (dice < 0.97) world.compact(node, Math.floor(this.#chance() * 20));
    else if (dice < 0.975) node.raft = null;
    else if (dice < 0.98) world.work(node, { isSaved: false });
    else if (dice < 0.99) this.#restartOne();
    else if (dice < 0.993) this.#cutSome();
    else if (dice < 0.996) this.#cut.clear();
    else if (dice < 0.997) this.#pass(600 + this.#chance() * 1500);
    if (this.#chance() < 0.9) world.settle(node);
  }

  #deliverOne(): void {
    const { wire } = this.#world;
    // Mostly in order, sometimes any.
    const at = this.#chance() < 0.7 ? 0 : Math.floor(this.#chance() * wire.length);
    const letter = wire[at];
    if (letter === undefined) return;
    const isDoubled = this.#chance() < 0.03;
    if (!isDoubled) wire.splice(at, 1);
    if (this.#chance() >= this.#lossShare && !this.#cut.has(`${letter.from} ${letter.to}`)) this.#arrive(letter);
    if (wire.length > 400) wire.splice(0, 100);
  }

  #arrive(letter: Letter): void {
    this.#world.deliver(letter);
    const node = this.#world.nodes.get(letter.to);
    if (node !== undefined && this.#chance() < 0.8) this.#world.settle(node);
  }

  #pass(ms: number): void {
    this.#world.nowMs += ms;
    for (const node of this.#world.nodes.values()) {
      // A node that is not ticked is one that the machine stopped for a while.
      if (this.#chance() < 0.05) continue;
      node.raft?.tick(this.#world.nowOf(node));
      this.#world.settle(node);
    }
  }

  #propose(node: Node): void {
    const text = `p${++this.#count}`;
    const result = node.raft?.propose(new TextEncoder().encode(text), this.#world.nowOf(node));
    if (result?.kind === "accepted") this.#accepted(node, result, text);
    if (result?.kind === "forwarded") this.#forwarded.set(`${node.id} ${result.proposal}`, text);
  }

  #accepted(node: Node, { term, index }: { term: number; index: number }, text: string): void {
    this.#open.set(`${node.id} ${index} ${term}`, text);
    // The place may be applied before its answer arrives.
    if (index <= node.machine.applied && node.raft?.termAt(index) === term) this.#acknowledged.push({ index, text });
  }

  #read(node: Node): void {
    if (node.raft === null) return;
    const read = ++this.#count;
    this.#judge.asked(node, read);
    node.raft.read(read, this.#world.nowOf(node));
  }

  #change(node: Node): void {
    const kind = this.#pick<MembershipChange["kind"]>(["addLearner", "promote", "promote", "demote", "remove"]);
    const peer = this.#pick([...this.#world.nodes.keys()]);
    if (kind !== undefined && peer !== undefined) node.raft?.proposeMembership({ kind, peer }, this.#world.nowOf(node));
  }

  #restartOne(): void {
    const down = this.#pick([...this.#world.nodes.values()].filter(({ raft }) => raft === null));
    if (down !== undefined) this.#world.start(down);
  }

  #cutSome(): void {
    const names = [...this.#world.nodes.keys()];
    const side = new Set(names.filter(() => this.#chance() < 0.5));
    const isOneWay = this.#chance() < 0.4;
    for (const one of names) {
      for (const two of names) {
        if (side.has(one) && !side.has(two)) {
          this.#cut.add(`${one} ${two}`);
          if (!isOneWay) this.#cut.add(`${two} ${one}`);
        }
      }
    }
  }

  /** Everything works again: the members must find a leader, take a proposal, and agree. */
  #peace(): void {
    const world = this.#world;
    this.#cut.clear();
    for (const node of world.nodes.values()) if (node.raft === null) world.start(node);
    for (let round = 0; round < 150; round++) {
      this.#calm(40);
      const leader = this.#leaderNow();
      if (leader !== null && round > 60) {
        this.#propose(leader);
        this.#calm(10);
        for (let beat = 0; beat < 30; beat++) this.#calm(40);
        return this.#agree(leader);
      }
    }
    const states = [...world.nodes.values()].map(({ raft }) => JSON.stringify(raft?.status(0)));
    throw new Error(`no leader after the network healed:\n${states.join("\n")}`);
  }

  #calm(ms: number): void {
    const world = this.#world;
    world.nowMs += ms;
    for (const node of world.nodes.values()) {
      node.raft?.tick(world.nowOf(node));
      world.settle(node);
    }
    for (let turn = 0; world.wire.length > 0 && turn < 50; turn++) {
      for (const letter of world.wire.splice(0)) {
        world.deliver(letter);
        const node = world.nodes.get(letter.to);
        if (node !== undefined) world.settle(node);
      }
    }
  }

  #leaderNow(): Node | null {
    const leaders = [...this.#world.nodes.values()].filter(({ raft }) => raft?.status(0).role === "leader");
    const [leader] = leaders.sort((one, two) => (two.raft?.status(0).term ?? 0) - (one.raft?.status(0).term ?? 0));
    return leader ?? null;
  }

  #agree(leader: Node): void {
    const status = leader.raft?.status(this.#world.nowOf(leader));
    if (status === undefined || status.commit !== status.lastIndex) throw new Error("the leader does not commit");
    for (const member of [...status.membership.voters, ...status.membership.learners]) {
      const { machine } = this.#world.nodes.get(member) ?? leader;
      if (machine.applied !== leader.machine.applied || machine.sum !== leader.machine.sum) {
        throw new Error(`${member} is at ${machine.applied}, the leader ${leader.id} at ${leader.machine.applied}`);
      }
    }
    this.#judge.compare(this.#world);
  }
}
