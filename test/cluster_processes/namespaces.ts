/**
 * Hosts of their own for nodes: network namespaces on one bridge, whose links can be cut, made one-way, or lossy. Needs
 * root and `ip`; lossy links need iptables or netem.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

function run(...command: readonly string[]): { readonly isDone: boolean; readonly text: string } {
  const [program = "", ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  return { isDone: status === 0, text: error === undefined ? `${stdout}${stderr}`.trim() : error.message };
}

function must(...command: readonly string[]): void {
  const { isDone, text } = run(...command);
  if (!isDone) throw new Error(`${command.join(" ")}: ${text}`);
}

export interface Host {
  readonly namespace: string;
  readonly address: string;
  readonly prefix: readonly string[];
}

export class Hosts {
  readonly hosts: readonly Host[];
  readonly #bridge: string;
  readonly #hasIptables: boolean;

  /** What is missing for namespaces here, or null. */
  static lacks(): string | null {
    if (process.platform !== "linux" || process.getuid?.() !== 0) return "network namespaces need root on Linux";
    const probe = `sgp${process.pid}`;
    const made = run("ip", "netns", "add", probe);
    if (made.isDone) run("ip", "netns", "del", probe);
    return made.isDone ? null : `this machine makes no network namespaces: ${made.text}`;
  }

  constructor(count: number) {
    sweep();
    const id = process.pid;
    const subnet = `10.${100 + (id % 100)}.${Math.floor(Math.random() * 250)}`;
    this.#bridge = `sgb${id}`;
    must("ip", "link", "add", this.#bridge, "type", "bridge");
    this.hosts = Array.from({ length: count }, (_, index) => {
      const namespace = `sgn${id}-${index}`;
      return { namespace, address: `${subnet}.${index + 1}`, prefix: ["ip", "netns", "exec", namespace] };
    });
    try {
      must("ip", "addr", "add", `${subnet}.254/24`, "dev", this.#bridge);
      must("ip", "link", "set", this.#bridge, "up");
      this.hosts.forEach((host, index) => this.#plug(host, index));
      this.#hasIptables = run(...(this.hosts[0] as Host).prefix, "iptables", "-L").isDone;
    } catch (error) {
      this.end();
      throw error;
    }
  }

  #plug({ namespace, address, prefix }: Host, index: number): void {
    const outer = `sgv${process.pid}.${index}`;
    must("ip", "netns", "add", namespace);
    must("ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", namespace);
    must("ip", "link", "set", outer, "master", this.#bridge, "up");
    must(...prefix, "ip", "addr", "add", `${address}/24`, "dev", "eth0");
    must(...prefix, "ip", "link", "set", "eth0", "up");
    must(...prefix, "ip", "link", "set", "lo", "up");
  }

  /** Nothing goes from one to the other any more; the other way is as it was. */
  cut(from: Host, to: Host): void {
    if (this.#hasIptables) must(...from.prefix, "iptables", "-A", "OUTPUT", "-d", to.address, "-j", "DROP");
    else must(...from.prefix, "ip", "route", "add", "blackhole", to.address);
  }

  /** Both ways, from all others. */
  isolate(host: Host): void {
    for (const other of this.hosts) {
      if (other === host) continue;
      this.cut(host, other);
      this.cut(other, host);
    }
  }

  /** Every host loses this share of what comes in. False: the machine cannot do that. */
  lose(probability: number): boolean {
    return this.hosts.every(({ prefix }) => {
      const random = ["-m", "statistic", "--mode", "random", "--probability", String(probability)];
      if (run(...prefix, "iptables", "-A", "INPUT", "-i", "eth0", ...random, "-j", "DROP").isDone) return true;
      const loss = `${probability * 100}%`;
      return run(...prefix, "tc", "qdisc", "add", "dev", "eth0", "root", "netem", "loss", loss).isDone;
    });
  }

  /** Every host sends no faster than this, such as 40mbit, until healed. False: the machine cannot do that. */
  limit(rate: string): boolean {
    const shape = ["root", "tbf", "rate", rate, "burst", "64k", "latency", "200ms"];
    return this.hosts.every(({ prefix }) => run(...prefix, "tc", "qdisc", "add", "dev", "eth0", ...shape).isDone);
  }

  heal(): void {
    for (const { prefix } of this.hosts) {
      if (this.#hasIptables) run(...prefix, "iptables", "-F");
      run(...prefix, "tc", "qdisc", "del", "dev", "eth0", "root");
      for (const { address } of this.hosts) run(...prefix, "ip", "route", "del", "blackhole", address);
    }
  }

  end(): void {
    for (const { namespace } of this.hosts) run("ip", "netns", "del", namespace);
    run("ip", "link", "del", this.#bridge);
  }
}

/** Takes away what a run left that was killed. */
function sweep(): void {
  for (const line of run("ip", "netns", "list").text.split("\n")) {
    const [, namespace = "", pid = ""] = /^(sgn(\d+)-\d+)\b/.exec(line) ?? [];
    if (pid === "" || existsSync(`/proc/${pid}`)) continue;
    run("ip", "netns", "del", namespace);
    run("ip", "link", "del", `sgb${pid}`);
  }
}
