import { parse as parseToml } from "smol-toml";
import { expect, test } from "vitest";
import { readNodeOptions } from "../../../src/cli/cluster/node_options.ts";
import { parse } from "../../../src/cli/parse.ts";

const ID = "12D3KooWEUE3x9dBZa24WTuNMJvajLTL2g1U9Us6W2nsjNuv1qQZ";
const NODE_ADDRESS = `/ip4/10.0.0.5/tcp/7070/p2p/${ID}`;

interface Given {
  readonly environment?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
}

async function read(args: readonly string[], { environment = {}, files = {} }: Given = {}) {
  const parsed = await parse(["node", ...args]);
  if (parsed.kind !== "command") throw new Error(`parsed as ${parsed.kind}`);
  return readNodeOptions({
    parsed: parsed.parsed,
    environment: (name) => environment[name],
    readText: (path) => {
      const text = files[path];
      if (text === undefined) throw new Error("there is no such file");
      return text;
    },
    parseToml,
  });
}

const message = (args: readonly string[], given?: Given) =>
  read(args, given).then(
    () => "accepted",
    (error: Error) => `${error.name}: ${error.message}`,
  );

test("a node without options founds a cluster on loopback, and leaves the rest to the machine", async () => {
  expect(await read([])).toEqual({
    join: [],
    token: null,
    dataDir: null,
    listen: ["/ip4/127.0.0.1/tcp/0"],
    announce: [],
    name: null,
    slots: null,
    memoryBytes: null,
    voter: "auto",
    hasMdns: false,
    logFormat: "text",
    logLevel: "info",
  });
});

test("the command line wins over SAGE_ variables, and these over the file", async () => {
  const files = { "sage.toml": 'name = "file"\nslots = 1\nmemory = "1GiB"\nlog-level = "warn"\n' };
  const environment = { SAGE_CONFIG: "sage.toml", SAGE_NAME: "environment", SAGE_SLOTS: "2", SAGE_LOG_LEVEL: "" };
  expect(await read(["--name", "flag"], { environment, files })).toMatchObject({
    name: "flag",
    slots: 2,
    memoryBytes: 2 ** 30,
    logLevel: "warn",
  });
});

test("how long a call of a job's function may take is told, or that it may take any time", async () => {
  expect(await read(["--user-call-timeout", "30s"])).toMatchObject({ userCallMsMax: 30_000 });
  expect(await read([], { environment: { SAGE_USER_CALL_TIMEOUT: "none" } })).toMatchObject({ userCallMsMax: null });
});

test("a list of a stronger source replaces the whole list of a weaker one", async () => {
  const files = { "a.json": '{"listen": ["127.0.0.1:1", "127.0.0.1:2"], "announce": "host:3"}' };
  const given = { files, environment: { SAGE_ANNOUNCE: "a:1,b:2" } };
  expect(await read(["--config", "a.json"], given)).toMatchObject({
    listen: ["/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2"],
    announce: ["/dns/a/tcp/1", "/dns/b/tcp/2"],
  });
  const args = ["--config", "a.json", "--listen", "[::1]:1,127.0.0.1:9", "--listen", "h:5"];
  expect(await read(args, given)).toMatchObject({
    listen: ["/ip6/::1/tcp/1", "/ip4/127.0.0.1/tcp/9", "/dns/h/tcp/5"],
  });
});

test("a file may write names as TOML and JSON do, and values in their types", async () => {
  const files = {
    "a.toml": `data_dir = "/var/lib/sage"\nmdns = true\nslots = 0\njoin = ["${NODE_ADDRESS}"]\ntoken = "t"\n`,
    "a.json": '{"dataDir": "/d", "logFormat": "json", "voter": "no", "mdns": false}',
  };
  expect(await read(["--config", "a.toml"], { files })).toMatchObject({
    dataDir: "/var/lib/sage",
    hasMdns: true,
    slots: 0,
    join: [NODE_ADDRESS],
    token: "t",
  });
  expect(await read(["--config", "a.json"], { files })).toMatchObject({
    dataDir: "/d",
    logFormat: "json",
    voter: "no",
    hasMdns: false,
  });
});

test.each([
  [["--slots", "-1"], "--slots -1 must be a whole number from 0 to 4096."],
  [["--slots", "4097"], "--slots 4097 must be a whole number from 0 to 4096."],
  [["--memory", "1MB"], "--memory 1MB is out of range: 16MiB at least."],
  [["--user-call-timeout", "soon"], "--user-call-timeout soon is not a time. Write one such as 500ms, 30s or 10m."],
  [["--voter", "maybe"], "--voter maybe is not one of auto, no, yes."],
  [["--log-level", "loud"], "--log-level loud is not one of debug, error, info, warn."],
  [["--log-format", "xml"], "--log-format xml is not one of json, text."],
  [["--name", "-x"], '--name -x must be 1 to 64 letters, digits or " ._@-", and start with a letter or digit.'],
  [["--name", "köln"], '--name köln must be 1 to 64 letters, digits or " ._@-", and start with a letter or digit.'],
  [["--token", "x"], "--token is for joining: add --join ADDRESS."],
  [["--join", "host:1", "--token", "x"], /^--join host:1 does not say which node is there\./],
  [["--listen", "7070"], /^--listen 7070 is not an address\./],
  [["--config", "no.toml"], "--config no.toml cannot be read: there is no such file"],
])("sage node %j is refused", async (args, expected) => {
  const text = (await message(args)).replace("UsageError: ", "");
  if (typeof expected === "string") expect(text).toBe(expected);
  else expect(text).toMatch(expected);
});

test.each([
  ["a.toml", "name = ", /^--config a\.toml is not TOML: /],
  ["a.json", "{name: 1}", /^--config a\.json is not JSON: /],
  ["a.json", "[]", /^--config a\.json must hold options by name, such as listen = "0\.0\.0\.0:7070"\./],
  [
    "a.toml",
    "port = 1",
    /^--config a\.toml has an option port, which sage node does not know\. Options: join, token, /,
  ],
  ["a.toml", 'config = "b.toml"', /^--config a\.toml has an option config, which/],
  [
    "a.toml",
    "[listen]\nhost = 1",
    /^--config a\.toml: listen must be a text, number, true or false, or a list of texts\./,
  ],
  ["a.toml", "mdns = 5", /--mdns 5 is not one of false, true\./],
  ["a.toml", 'name = ["a", "b"]', /^--config a\.toml: name takes one value, not a list\./],
])("the file %s with %j is refused", async (path, text, expected) => {
  const told = await message(["--config", path], { files: { [path]: text } });
  expect(told.replace("UsageError: ", "")).toMatch(expected);
});

test("--mdns of a stronger source can also say no", async () => {
  const files = { "a.toml": "mdns = true" };
  const given = { files, environment: { SAGE_CONFIG: "a.toml", SAGE_MDNS: "false" } };
  expect(await read([], given)).toMatchObject({ hasMdns: false });
  expect(await read(["--mdns"], given)).toMatchObject({ hasMdns: true });
});
