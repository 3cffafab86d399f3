/**
 * Is a history of concurrent operations on one register equal to some order of the same operations, each between its
 * call and its return?
 *
 * Wing & Gong, "Testing and Verifying Concurrent Objects" (1993), with Lowe's memory of configurations seen. A history
 * over many keys is checked key by key, since linearizability is local. An operation without a return may have
 * happened at any time after its call, or not at all.
 */

export type Operation =
  | { readonly kind: "read"; readonly result: string | null }
  | { readonly kind: "write"; readonly value: string }
  /** Sets `value` when the register holds `expected`; `isDone` says whether it did, null when no answer came. */
  | {
      readonly kind: "compareAndSet";
      readonly expected: string | null;
      readonly value: string;
      readonly isDone: boolean | null;
    };

export interface HistoryEntry {
  readonly client: string;
  readonly key: string;
  readonly operation: Operation;
  readonly calledAtMs: number;
  /** Infinity when no answer came. A read without an answer says nothing and is left out. */
  readonly returnedAtMs: number;
}

export type LinearizabilityResult =
  | { readonly kind: "linearizable" }
  /** `longest` is the longest order that fits; `stuck` are the operations that none of which could come next. */
  | {
      readonly kind: "violation";
      readonly key: string;
      readonly longest: readonly HistoryEntry[];
      readonly stuck: readonly HistoryEntry[];
    }
  | { readonly kind: "too-hard"; readonly key: string; readonly configurationCount: number };

/** Configurations looked at for one key before giving up. */
const CONFIGURATIONS_MAX = 5_000_000;

export function checkLinearizable(history: readonly HistoryEntry[]): LinearizabilityResult {
  const byKey = new Map<string, HistoryEntry[]>();
  for (const entry of history) {
    if (entry.operation.kind === "read" && entry.returnedAtMs === Number.POSITIVE_INFINITY) continue;
    const entries = byKey.get(entry.key);
    if (entries === undefined) byKey.set(entry.key, [entry]);
    else entries.push(entry);
  }
  for (const [key, entries] of byKey) {
    const result = checkRegister(key, entries);
    if (result.kind !== "linearizable") return result;
  }
  return { kind: "linearizable" };
}

/** A doubly linked list of calls and returns in the order of time; taking an operation unlinks both. */
interface Node {
  readonly id: number;
  readonly isCall: boolean;
  /** Of a call: its return. */
  match: Node | null;
  previous: Node | null;
  next: Node | null;
}

/**
 * Operations that are taken, by their places in the order of calls. Nearly all before some place are, and only the few after
 * it make configurations differ: so a configuration's name stays short however long the history is.
 */
class Taken {
  /** All before this place are taken. */
  #prefix = 0;
  readonly #beyond = new Set<number>();

  add(id: number): void {
    this.#beyond.add(id);
    while (this.#beyond.delete(this.#prefix)) this.#prefix++;
  }

  delete(id: number): void {
    if (id >= this.#prefix) {
      this.#beyond.delete(id);
      return;
    }
    for (let other = id + 1; other < this.#prefix; other++) this.#beyond.add(other);
    this.#prefix = id;
  }

  get name(): string {
    return `${this.#prefix}:${[...this.#beyond].sort((a, b) => a - b).join()}`;
  }
}

function checkRegister(key: string, unsorted: readonly HistoryEntry[]): LinearizabilityResult {
  // Those without a return come last: they may never be taken.
  const entries = unsorted.toSorted(
    (a, b) => Number(a.returnedAtMs === Infinity) - Number(b.returnedAtMs === Infinity) || a.calledAtMs - b.calledAtMs,
  );
  const head = link(entries);
  const taken = new Taken();
  const order: { readonly call: Node; readonly before: string | null }[] = [];
  const seen = new Set<string>();
  let longest: readonly Node[] = [];
  let value: string | null = null;
  let left = entries.filter((entry) => entry.returnedAtMs !== Number.POSITIVE_INFINITY).length;
  let node = head.next;
  for (;;) {
    if (left === 0) return { kind: "linearizable" };
    if (node?.isCall) {
      const step: Step | null = apply(value, (entries[node.id] as HistoryEntry).operation);
      if (step !== null && isNew(seen, taken, { id: node.id, value: step.value })) {
        order.push({ call: node, before: value });
        value = step.value;
        unlink(node);
        if (node.match !== null) left--;
        node = head.next;
      } else node = node.next;
      if (seen.size > CONFIGURATIONS_MAX) return { kind: "too-hard", key, configurationCount: seen.size };
      continue;
    }
    // At a return (or the end): an operation that is not taken had to happen before it, so the last choice was wrong.
    if (order.length >= longest.length) longest = order.map(({ call }) => call);
    const last = order.pop();
    if (last === undefined) return violation(key, entries, longest);
    taken.delete(last.call.id);
    value = last.before;
    relink(last.call);
    if (last.call.match !== null) left++;
    node = last.call.next;
  }
}

type Step = { readonly value: string | null };

/** The register after the operation, or null when its result could not be this one. */
function apply(value: string | null, operation: Operation): Step | null {
  if (operation.kind === "read") return operation.result === value ? { value } : null;
  if (operation.kind === "write") return { value: operation.value };
  const isDone = value === operation.expected;
  if (operation.isDone !== null && operation.isDone !== isDone) return null;
  return { value: isDone ? operation.value : value };
}

/** Takes the operation if that leads to where the search has not been. */
function isNew(seen: Set<string>, taken: Taken, { id, value }: { id: number; value: string | null }): boolean {
  taken.add(id);
  const configuration = `${taken.name}|${value ?? "\u0000"}`;
  if (seen.has(configuration)) {
    taken.delete(id);
    return false;
  }
  seen.add(configuration);
  return true;
}

function link(entries: readonly HistoryEntry[]): Node {
  const moments: { readonly node: Node; readonly atMs: number }[] = [];
  entries.forEach((entry, id) => {
    const call: Node = { id, isCall: true, match: null, previous: null, next: null };
    moments.push({ node: call, atMs: entry.calledAtMs });
    if (entry.returnedAtMs === Number.POSITIVE_INFINITY) return;
    call.match = { id, isCall: false, match: null, previous: null, next: null };
    moments.push({ node: call.match, atMs: entry.returnedAtMs });
  });
  // At one moment calls come first: the checker may then order them freely, which is never too strict.
  moments.sort((a, b) => a.atMs - b.atMs || Number(b.node.isCall) - Number(a.node.isCall));
  const head: Node = { id: -1, isCall: false, match: null, previous: null, next: null };
  let last = head;
  for (const { node } of moments) {
    last.next = node;
    node.previous = last;
    last = node;
  }
  return head;
}

function unlink(call: Node): void {
  for (const node of [call, call.match]) {
    if (node === null) continue;
    if (node.previous !== null) node.previous.next = node.next;
    if (node.next !== null) node.next.previous = node.previous;
  }
}

function relink(call: Node): void {
  for (const node of [call.match, call]) {
    if (node === null) continue;
    if (node.previous !== null) node.previous.next = node;
    if (node.next !== null) node.next.previous = node;
  }
}

function violation(key: string, entries: readonly HistoryEntry[], longest: readonly Node[]): LinearizabilityResult {
  const placed = new Set(longest.map(({ id }) => id));
  const rest = entries.filter((_, id) => !placed.has(id));
  const firstReturnMs = Math.min(...rest.map((entry) => entry.returnedAtMs));
  return {
    kind: "violation",
    key,
    longest: longest.map(({ id }) => entries[id] as HistoryEntry),
    stuck: rest.filter((entry) => entry.calledAtMs <= firstReturnMs),
  };
}
