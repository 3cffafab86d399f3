import type { PeerId } from "../../src/kernel/mod.ts";
import type { Entry } from "../../src/raft/mod.ts";
import type { Node, Watch, World } from "./world.ts";

/**
 * What must always hold, whatever the network and the disks do (Ongaro 2014, figure 3.2, and linearizable reads).
 * Every violation throws.
 */
export class Judge {
  readonly #leaders = new Map<number, PeerId>();
  /** By index: term and content of what some node applied, and the sum of a state machine after it. */
  readonly #applied: { term: number; text: string; sum: number }[] = [];
  readonly #asked = new Map<string, number>();
  counts = { leaders: 0, reads: 0, snapshots: 0, failedReads: 0 };

  /** Highest index that some node has applied. */
  get appliedMax(): number {
    return this.#applied.length - 1;
  }

  readonly watch: Watch = {
    ready: (node, { role }) => {
      if (role?.role === "leader") this.#elected(node, role.term);
    },
    applied: (node, entry) => this.#record(node, entry),
    restored: (node, { meta }) => {
      this.counts.snapshots++;
      const known = this.#applied[meta.index];
      if (node.machine.applied !== meta.index || known?.sum !== node.machine.sum || known.term !== meta.term) {
        throw new Error(`state machine safety: ${node.id} restored another state at ${meta.index}`);
      }
    },
    read: (node, outcome) => {
      const key = `${node.id} ${outcome.read}`;
      const least = this.#asked.get(key);
      this.#asked.delete(key);
      if (outcome.kind === "failed") this.counts.failedReads++;
      else this.counts.reads++;
      if (outcome.kind === "ready" && least !== undefined && node.machine.applied < least) {
        throw new Error(`stale read: ${node.id} read at ${node.machine.applied}, ${least} was applied when it asked`);
      }
    },
  };

  asked(node: Node, read: number): void {
    this.#asked.set(`${node.id} ${read}`, this.appliedMax);
  }

  #elected({ id, raft }: Node, term: number): void {
    const other = this.#leaders.get(term);
    if (other !== undefined && other !== id) throw new Error(`election safety: ${other} and ${id} lead in ${term}`);
    if (other === undefined) this.counts.leaders++;
    this.#leaders.set(term, id);
    for (let index = this.appliedMax; index > Math.max(0, this.appliedMax - 50); index--) {
      const own = raft?.termAt(index);
      if (own === null && index <= (raft?.status(0).snapshotIndex ?? 0)) break;
      if (own !== this.#applied[index]?.term) throw new Error(`leader completeness: ${id} lacks entry ${index}`);
    }
  }

  #record({ id, machine }: Node, entry: Entry): void {
    const text = entry.kind === "data" ? new TextDecoder().decode(entry.data) : JSON.stringify(entry);
    const known = this.#applied[entry.index];
    if (known === undefined) {
      this.#applied[entry.index] = { term: entry.term, text, sum: machine.sum };
    } else if (known.term !== entry.term || known.text !== text || known.sum !== machine.sum) {
      throw new Error(`state machine safety: ${id} applied ${text} at ${entry.index}, another ${known.text}`);
    }
  }

  /** What a proposer was told to be committed is there, at that place. */
  kept(index: number, text: string): void {
    if (this.#applied[index]?.text !== text)
      throw new Error(`lost: ${text} at ${index} is ${this.#applied[index]?.text}`);
  }

  /** Log matching: two logs with an equal entry are equal up to there. */
  compare({ nodes }: World): void {
    const rafts = [...nodes.values()].flatMap(({ raft }) => (raft === null ? [] : [raft]));
    for (const [at, one] of rafts.entries()) {
      for (const two of rafts.slice(at + 1)) {
        const [first, second] = [one.status(0), two.status(0)];
        const from = Math.max(first.firstIndex, second.firstIndex);
        let index = Math.min(first.lastIndex, second.lastIndex);
        while (index >= from && one.termAt(index) !== two.termAt(index)) index--;
        while (--index >= from) {
          if (one.termAt(index) !== two.termAt(index))
            throw new Error(`log matching: ${first.id}, ${second.id} at ${index}`);
        }
      }
    }
  }
}
