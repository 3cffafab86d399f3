import type { PeerId } from "../../src/kernel/mod.ts";
import { changeOf, type MembershipChange, type Ready } from "../../src/raft/mod.ts";
import { Judge } from "./judge.ts";
import { printEntry, printMessage, printStatus } from "./print.ts";
import { ELECTION_TIMEOUT_MS, type Letter, type Node, World } from "./world.ts";

/**
 * Replays the text scenarios in `scenarios/`. Nothing moves unless a command says so:
 *
 * - `nodes N [learners M] [blank K]`: voters 1..N, learners after them, then K nodes that know nothing
 * - `jitter NODE X`: its election timeout is 500 ms * (1 + X) from now on; without, (NODE-1)/10
 * - `tick NODE|all MS`: time passes, then that node is told · `wait MS`: time passes, nobody is told
 * - `work NODE|all`: does what its Ready asks for, and prints it · `work NODE one`: of one Ready only
 * - `deliver FROM->TO [KIND]`, `drop …`, `double …`: what is on the wire now; `*` is any node · `reverse`: the wire
 * - `run [quiet]`: works and delivers until nothing is left; quiet prints only roles, applied entries and answers
 * - `cut FROM->TO`: loses everything from now on · `heal`
 * - `elect NODE`: it campaigns once nobody is bound to a leader, then all runs quietly
 * - `propose NODE TEXT|C*COUNT`, `member NODE CHANGE PEER`, `transfer NODE TO`, `read NODE ID`, `compact NODE KEEP`
 * - `crash NODE [unsaved]`: unsaved also loses its Ready · `restart NODE`
 * - `state [NODE]`, `progress NODE`, `log NODE`, `wire`: prints
 */
export class Interpreter {
  readonly #judge = new Judge();
  readonly #world: World;
  readonly #jitter = new Map<string, number>();
  readonly #cut = new Set<string>();
  #out: string[] = [];
  #isQuiet = false;

  constructor() {
    const { watch } = this.#judge;
    this.#world = new World({
      random: (peer) => this.#jitter.get(peer) ?? (Number(peer) - 1) / 10,
      watch: {
        ...watch,
        ready: (node, ready) => {
          watch.ready?.(node, ready);
          this.#printReady(node, ready);
        },
      },
    });
  }

  /** Output of one line of a scenario. */
  run(line: string): string[] {
    const [command = "", ...words] = line.trim().split(/\s+/);
    const act = this.#commands[command];
    if (act === undefined) throw new Error(`Unknown command: ${line}`);
    this.#out = [];
    act(words);
    this.#judge.compare(this.#world);
    return this.#out;
  }

  readonly #commands: Readonly<Record<string, (words: string[]) => void>> = {
    nodes: (words) => this.#nodes(words),
    jitter: ([node = "", share = "0"]) => this.#jitter.set(node, Number(share)),
    tick: ([who = "", ms = "0"]) => {
      this.#world.nowMs += Number(ms);
      for (const node of this.#which(who)) node.raft?.tick(this.#world.nowMs);
    },
    wait: ([ms = "0"]) => {
      this.#world.nowMs += Number(ms);
    },
    work: ([who = "", one]) => {
      for (const node of this.#which(who)) {
        if (one === "one") this.#world.work(node);
        else this.#world.settle(node);
      }
    },
    deliver: (words) => {
      for (const letter of this.#take(words)) this.#world.deliver(letter);
    },
    drop: (words) => this.#print(`lost ${this.#take(words).length}`),
    double: (words) => {
      const taken = this.#take(words);
      this.#world.wire.push(...taken, ...taken);
    },
    reverse: () => this.#world.wire.reverse(),
    run: ([quiet]) => this.#run(quiet === "quiet"),
    cut: ([path = ""]) => this.#cut.add(path),
    heal: () => this.#cut.clear(),
    elect: ([node = ""]) => this.#elect(node),
    propose: ([node = "", text = ""]) => this.#propose(this.#node(node), text),
    member: ([node = "", kind = "", peer = ""]) => {
      const change = { kind, peer } as MembershipChange;
      const result = this.#raft(node).proposeMembership(change, this.#world.nowMs);
      this.#print(
        result.kind === "accepted" ? `accepted ${result.index}/t${result.term}` : `refused: ${result.reason}`,
      );
    },
    transfer: ([node = "", to = ""]) => {
      const result = this.#raft(node).transferLeader(to as PeerId, this.#world.nowMs);
      this.#print(result.kind === "started" ? "started" : `refused: ${result.reason}`);
    },
    read: ([node = "", id = ""]) => {
      this.#judge.asked(this.#node(node), Number(id));
      this.#raft(node).read(Number(id), this.#world.nowMs);
    },
    compact: ([node = "", keep = "0"]) => this.#world.compact(this.#node(node), Number(keep)),
    crash: ([node = "", unsaved]) => {
      if (unsaved === "unsaved") this.#world.work(this.#node(node), { isSaved: false });
      this.#node(node).raft = null;
    },
    restart: ([node = ""]) => this.#world.start(this.#node(node)),
    state: ([who = "all"]) => {
      for (const node of this.#which(who)) {
        this.#print(node.raft === null ? `${node.id}: down` : printStatus(node.raft.status(this.#world.nowMs)));
      }
    },
    progress: ([node = ""]) => {
      for (const one of this.#raft(node).progress(this.#world.nowMs)) {
        const kind = one.isVoter ? "voter" : "learner";
        const flight = one.inflightCount > 0 ? ` in flight ${one.inflightCount}` : "";
        this.#print(`${one.peer}: ${kind} ${one.state} match ${one.match} next ${one.next}${flight}`);
      }
    },
    log: ([node = ""]) => {
      const { firstIndex, lastIndex } = this.#raft(node).status(0);
      const printed: string[] = [];
      for (let index = firstIndex; index <= lastIndex; index++) {
        printed.push(
          ...this.#raft(node)
            .entries(index, index + 1, 1)
            .map(printEntry),
        );
      }
      this.#print(printed.join(", "));
    },
    wire: () => {
      for (const letter of this.#world.wire) this.#print(printLetter(letter));
    },
  };

  #print(line: string): void {
    this.#out.push(line);
  }

  #node(name: string): Node {
    const node = this.#world.nodes.get(name as PeerId);
    if (node === undefined) throw new Error(`No node ${name}`);
    return node;
  }

  #raft(name: string): NonNullable<Node["raft"]> {
    const { raft } = this.#node(name);
    if (raft === null) throw new Error(`Node ${name} is down`);
    return raft;
  }

  #which(who: string): Node[] {
    return who === "all" ? [...this.#world.nodes.values()] : who.split(",").map((name) => this.#node(name));
  }

  #nodes([voters = "0", ...rest]: string[]): void {
    const option = (name: string): number => Number(rest[rest.indexOf(name) + 1] ?? 0) * (rest.includes(name) ? 1 : 0);
    const names = (count: number, from: number): PeerId[] =>
      Array.from({ length: count }, (_, at) => String(from + at) as PeerId);
    const membership = {
      voters: names(Number(voters), 1),
      learners: names(option("learners"), Number(voters) + 1),
    };
    const members = [...membership.voters, ...membership.learners];
    for (const name of members) this.#world.add(name, membership);
    for (const name of names(option("blank"), members.length + 1)) this.#world.add(name, null);
  }

  /** Takes the letters of `FROM->TO [KIND]` off the wire. */
  #take([path = "*->*", kind]: string[]): Letter[] {
    const [from, to] = path.split("->");
    const fits = (letter: Letter): boolean =>
      (from === "*" || letter.from === from) &&
      (to === "*" || letter.to === to) &&
      (kind === undefined || letter.message.kind === kind);
    const taken = this.#world.wire.filter(fits);
    this.#world.wire = this.#world.wire.filter((letter) => !fits(letter));
    return taken;
  }

  #isCut({ from, to }: Letter): boolean {
    return [`${from}->${to}`, `${from}->*`, `*->${to}`].some((path) => this.#cut.has(path));
  }

  #run(isQuiet: boolean): void {
    this.#isQuiet = isQuiet;
    const world = this.#world;
    for (let turn = 0; turn < 500; turn++) {
      for (const node of world.nodes.values()) world.settle(node);
      if (world.wire.length === 0) break;
      for (const letter of world.wire.splice(0)) if (!this.#isCut(letter)) world.deliver(letter);
    }
    if (world.wire.length > 0) throw new Error("the nodes never fall silent");
    this.#isQuiet = false;
  }

  #elect(name: string): void {
    this.#world.nowMs += 2 * ELECTION_TIMEOUT_MS;
    this.#raft(name).tick(this.#world.nowMs);
    this.#run(true);
  }

  #propose(node: Node, text: string): void {
    const [letter = "", count] = text.split("*");
    const data = new TextEncoder().encode(count === undefined ? text : letter.repeat(Number(count)));
    const result = this.#raft(node.id).propose(data, this.#world.nowMs);
    if (result.kind === "accepted") this.#print(`accepted ${result.index}/t${result.term}`);
    else this.#print(result.kind === "forwarded" ? "forwarded" : `dropped: ${result.reason}`);
  }

  #printReady({ id }: Node, ready: Ready): void {
    const { role, hardState } = ready;
    if (role !== null) this.#print(`${id} is ${role.role} t${role.term} leader ${role.leader ?? "none"}`);
    if (!this.#isQuiet) {
      if (changeOf(ready) !== null) {
        const hard =
          hardState === null ? [] : [`t${hardState.term} vote ${hardState.vote ?? "none"} commit ${hardState.commit}`];
        const snapshot = ready.snapshot === null ? [] : [`snapshot ${ready.snapshot.meta.index}`];
        this.#print(`${id} saves ${[...hard, ...snapshot, ...ready.entries.map(printEntry)].join(", ")}`);
      }
      for (const { to, message } of ready.messages) this.#print(printLetter({ from: id, to, message }));
    }
    if (ready.snapshot !== null) this.#print(`${id} restores ${ready.snapshot.meta.index}`);
    if (ready.committed.length > 0) this.#print(`${id} applies ${ready.committed.map(printEntry).join(", ")}`);
    for (const read of ready.reads)
      this.#print(`${id} read ${read.read} ${read.kind === "ready" ? "ready" : read.reason}`);
    for (const { outcome } of ready.outcomes) {
      const text =
        outcome.kind === "accepted" ? `accepted ${outcome.index}/t${outcome.term}` : `dropped: ${outcome.reason}`;
      this.#print(`${id} hears of its proposal: ${text}`);
    }
  }
}

function printLetter({ from, to, message }: Letter): string {
  return `${from}->${to} ${printMessage(message)}`;
}
