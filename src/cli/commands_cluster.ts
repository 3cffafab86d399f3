/** The commands about clusters, as data. */
import type { CommandSpec, OptionSpec } from "./commands.ts";
import { FORCE, FORMAT, TEXT, TIMEOUT, TO } from "./common_options.ts";

export type ClusterCommandName =
  | "node"
  | "cluster status"
  | "cluster leave"
  | "cluster transfer-leader"
  | "cluster rotate-key"
  | "cluster recover"
  | "token create"
  | "token list"
  | "token revoke"
  | "login"
  | "audit";

export type ClusterOptionName =
  | "join"
  | "token"
  | "data-dir"
  | "listen"
  | "announce"
  | "name"
  | "slots"
  | "user-call-timeout"
  | "voter"
  | "mdns"
  | "config"
  | "log-format"
  | "log-level"
  | "to"
  | "watch"
  | "role"
  | "ttl"
  | "uses"
  | "limit"
  | "accept-data-loss"
  | "retire-old";

const DATA_DIR: OptionSpec = {
  name: "data-dir",
  value: "DIR",
  description: "Where the node keeps its key, log and data (default: ~/.local/share/sage/node)",
};
const CREDENTIALS_NOTE =
  "Uses the credentials file ~/.config/sage/credentials.json (or SAGE_CREDENTIALS), which the first node and sage login write.";

export const NODE: CommandSpec = {
  name: "node",
  summary: "Run a node: the first of a new cluster, or one more",
  positionals: [],
  options: [
    { name: "join", value: "ADDRESS", isList: true, description: "Join the cluster of the node at this address" },
    { name: "token", value: "TOKEN", description: "Token to join with, from sage token create --role node" },
    DATA_DIR,
    {
      name: "listen",
      value: "ADDRESS",
      isList: true,
      description: "host:port or multiaddr to listen on (default: 127.0.0.1:0, a free port)",
    },
    {
      name: "announce",
      value: "ADDRESS",
      isList: true,
      description: "Address at which others reach this node, where it differs",
    },
    { name: "name", value: "NAME", description: "Name in tables and logs (default: the one it had, or the host's)" },
    { name: "slots", value: "N", description: "Tasks that run at the same time (default: one per two cores)" },
    { name: "memory", value: "SIZE", description: "Memory for jobs (default: 60 % of RAM)" },
    {
      name: "user-call-timeout",
      value: "TIME",
      description: "Longest call of a job's function, such as 30s, or none (default: 5min)",
    },
    { name: "voter", value: "auto|yes|no", description: "Whether it may vote in elections (default: auto)" },
    {
      name: "mdns",
      value: null,
      description: "Members find each other again in the local network when addresses change",
    },
    { name: "config", value: "FILE", description: "Options from a TOML or JSON file" },
    { name: "log-format", value: "text|json", description: "Lines for people or for programs (default: text)" },
    { name: "log-level", value: "LEVEL", description: "debug, info (default), warn or error" },
  ],
  notes: [
    "Options on the command line win over SAGE_* variables (SAGE_DATA_DIR, SAGE_LISTEN, …), and these over --config.",
    "The first Ctrl-C or SIGTERM hands over and leaves in order, a second one ends at once.",
    "A node that starts again with its data directory is the same node: it needs no token.",
    "Without --data-dir, a node that joins beside another one on this machine takes a directory of its own: …/node-2.",
  ],
  examples: [
    { line: "sage node", meaning: "a cluster of one; prints the line for the next node" },
    { line: "sage node --join /ip4/10.0.0.5/tcp/7070/p2p/12D3… --token sage1.…", meaning: "one more node" },
    { line: "sage node --listen 0.0.0.0:7070 --data-dir /var/lib/sage", meaning: "reachable from other hosts" },
  ],
};

const CLUSTER: readonly CommandSpec[] = [
  {
    name: "cluster status",
    summary: "Show the nodes, their roles and health, and the leader",
    positionals: [],
    options: [
      FORMAT,
      { name: "watch", value: null, description: "Show it again whenever it changes, until Ctrl-C" },
      TO,
      TIMEOUT,
    ],
    notes: [CREDENTIALS_NOTE],
    examples: [{ line: "sage cluster status --format json", meaning: "for programs" }],
  },
  {
    name: "cluster leave",
    summary: "Take a node out of the cluster for good",
    positionals: [{ name: "node", isRequired: false, description: "Name or id (default: the node that answers)" }],
    options: [FORCE, TEXT, TO, TIMEOUT],
    notes: ["Its certificate is revoked. To come back it joins anew, with an empty data directory."],
    examples: [{ line: "sage cluster leave worker-3", meaning: "also when that node is dead" }],
  },
  {
    name: "cluster transfer-leader",
    summary: "Make another voter the leader",
    positionals: [{ name: "node", isRequired: false, description: "Name or id (default: the most up-to-date voter)" }],
    options: [TEXT, TO, TIMEOUT],
    notes: [],
    examples: [{ line: "sage cluster transfer-leader worker-2", meaning: "before maintenance of the leader's host" }],
  },
  {
    name: "cluster rotate-key",
    summary: "Replace the key that signs tokens and certificates",
    positionals: [],
    options: [
      { name: "retire-old", value: null, description: "End the old keys too, as soon as all nodes have renewed" },
      FORCE,
      TEXT,
      TO,
      TIMEOUT,
    ],
    notes: [
      "Nodes renew their certificates by themselves, clients when they run a command; the old key ends when nothing needs it",
      "any more. With --retire-old clients that have not renewed must log in again, and all older tokens end at once.",
    ],
    examples: [
      { line: "sage cluster rotate-key", meaning: "now and then" },
      { line: "sage cluster rotate-key --retire-old", meaning: "after a host was stolen, and was taken out" },
    ],
  },
  {
    name: "cluster recover",
    summary: "Make one node a cluster of its own after the majority is lost for ever",
    positionals: [],
    options: [
      DATA_DIR,
      { name: "accept-data-loss", value: null, description: "Confirm that what only the lost nodes knew is gone" },
      TEXT,
    ],
    notes: [
      "Run it on one stopped node, the one with the newest log. All other nodes of the old cluster must never run again",
      "with their old data: start them with empty directories and a new token.",
    ],
    examples: [{ line: "sage cluster recover --data-dir /var/lib/sage --accept-data-loss", meaning: "last resort" }],
  },
];

const TOKEN: readonly CommandSpec[] = [
  {
    name: "token create",
    summary: "Make a token that lets a node or a client in",
    positionals: [],
    options: [
      { name: "role", value: "ROLE", description: "node, admin, submit or read" },
      { name: "ttl", value: "TIME", description: "How long it can be used, such as 1h or 7d (default: 1h)" },
      { name: "uses", value: "N", description: "How often it can be used (default: as often as wanted)" },
      TEXT,
      TO,
      TIMEOUT,
    ],
    notes: [CREDENTIALS_NOTE],
    examples: [
      { line: "sage token create --role node", meaning: "for sage node --join … --token …" },
      { line: "sage token create --role submit --ttl 7d --uses 1", meaning: "for one colleague's sage login" },
    ],
  },
  {
    name: "token list",
    summary: "Show the tokens, their uses and when they end",
    positionals: [],
    options: [FORMAT, TO, TIMEOUT],
    notes: ["Shows ids, never the tokens themselves."],
    examples: [{ line: "sage token list", meaning: "id, role, uses, expiry" }],
  },
  {
    name: "token revoke",
    summary: "Make a token useless at once",
    positionals: [
      { name: "id", isRequired: true, description: "Id of the token, from sage token list; or of a client" },
    ],
    options: [TEXT, TO, TIMEOUT],
    notes: [
      "Who has used it already stays in: nodes leave by sage cluster leave, clients by their own id (12D3…), from sage audit.",
    ],
    examples: [{ line: "sage token revoke 3f9a0c1d2e4b5a69", meaning: "" }],
  },
];

const LOGIN: CommandSpec = {
  name: "login",
  summary: "Exchange a token for credentials to use a cluster from this machine",
  positionals: [],
  options: [
    { name: "to", value: "ADDRESS", isList: true, description: "Address of a node" },
    { name: "token", value: "TOKEN", description: "From sage token create --role admin|submit|read" },
    { name: "name", value: "NAME", description: "Name in the audit log (default: the user's name)" },
    TEXT,
  ],
  notes: ["Writes ~/.config/sage/credentials.json (or SAGE_CREDENTIALS), readable by you only."],
  examples: [{ line: "sage login --to /ip4/10.0.0.5/tcp/7070/p2p/12D3… --token sage1.…", meaning: "" }],
};

const AUDIT: CommandSpec = {
  name: "audit",
  summary: "Show who did what in the cluster",
  positionals: [],
  options: [{ name: "limit", value: "N", description: "The last N entries (default: 50)" }, FORMAT, TO, TIMEOUT],
  notes: ["The cluster keeps the last 10,000 entries."],
  examples: [{ line: "sage audit --limit 1000 --format json", meaning: "for programs" }],
};

export const CLUSTER_COMMANDS: readonly CommandSpec[] = [NODE, ...CLUSTER, ...TOKEN, LOGIN, AUDIT];
