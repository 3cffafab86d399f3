import { expect, test } from "vitest";
import { sage } from "./sage.ts";

test.each([
  [["rnu"], "sage has no command rnu. Did you mean: sage run", "sage help"],
  [["expl"], "sage has no command expl. Did you mean: sage explain", "sage help"],
  [["xyzzy"], "sage has no command xyzzy.", "sage help"],
  [["job.ts"], "sage has no command job.ts. To run a job: sage run job.ts", "sage help"],
  [["--foo"], "sage has no option --foo.", "sage help"],
  [["help", "inti"], "sage has no command inti. Did you mean: sage init", "sage help"],
  [["run"], "sage run needs <job>.", "sage help run"],
  [["run", "a.ts", "b.ts"], 'sage run does not take "b.ts".', "sage help run"],
  [["run", "a.ts", "--wrkers", "2"], "sage run has no option --wrkers. Did you mean --workers?", "sage help run"],
  [["run", "a.ts", "-x"], "sage run has no option -x.", "sage help run"],
  [["explain", "a.ts", "--workers", "2"], "sage explain has no option --workers.", "sage help explain"],
  [["run", "a.ts", "--workers"], "Option --workers needs a value: --workers N", "sage help run"],
  [["run", "a.ts", "--workers", "--quiet"], "Option --workers needs a value: --workers N", "sage help run"],
  [["run", "a.ts", "--quiet=yes"], "Option --quiet takes no value.", "sage help run"],
  [["run", "a.ts", "--format", "csv", "--format=json"], "Option --format is given twice.", "sage help run"],
  [["run", "a.ts", "--workers", "0"], "--workers 0 must be a whole number from 1 to 256.", "sage help run"],
  [["run", "a.ts", "--workers", "1.5"], "--workers 1.5 must be a whole number from 1 to 256.", "sage help run"],
  [
    ["run", "a.ts", "--memory", "lots"],
    "--memory lots is not a size. Write one such as 512MB or 2GiB.",
    "sage help run",
  ],
  [["run", "a.ts", "--memory", "1kB"], "--memory 1kB is out of range: from 16MiB to 4GiB.", "sage help run"],
  [["run", "a.ts", "--memory", "5GiB"], "--memory 5GiB is out of range: from 16MiB to 4GiB.", "sage help run"],
  [
    ["run", "a.ts", "--timeout", "soon"],
    "--timeout soon is not a time. Write one such as 500ms, 30s or 10m.",
    "sage help run",
  ],
  [["run", "a.ts", "--timeout", "0s"], "--timeout 0s is out of range: from 1ms to 24 days.", "sage help run"],
  [
    ["run", "a.ts", "--format", "yaml"],
    "--format yaml is not a format. Choose one of table, json, csv, arrow.",
    "sage help run",
  ],
  [
    ["run", "a.ts", "--output", "x.parquet"],
    "The ending of --output x.parquet names no format. Add --format table|json|csv|arrow. For Parquet end the dataflow with .toParquet(path).",
    "sage help run",
  ],
  [["clutser"], "sage has no command clutser. Did you mean: sage cluster", "sage help"],
  [["cluster", "stauts"], "sage has no command cluster stauts. Did you mean: sage cluster status", "sage help cluster"],
  [["cluster", "nonsense"], "sage has no command cluster nonsense.", "sage help cluster"],
  [["token", "--role", "node"], "sage token needs a command before --role.", "sage help token"],
  [["token", "revoke"], "sage token revoke needs <id>.", "sage help token revoke"],
  [["token", "create"], "Say what the token is for: --role node, admin, submit or read.", "sage help token create"],
  [
    ["token", "create", "--role", "root"],
    "--role root is not a role: --role node, admin, submit or read.",
    "sage help token create",
  ],
  [
    ["token", "create", "--role", "read", "--ttl", "60"],
    "--ttl 60 is not a time. Write one such as 30m, 1h or 7d.",
    "sage help token create",
  ],
  [
    ["token", "create", "--role", "read", "--ttl", "2000d"],
    "--ttl 2000d is out of range: from 1s to 366d.",
    "sage help token create",
  ],
  [
    ["token", "create", "--role", "read", "--uses", "0"],
    "--uses 0 must be a whole number from 1 to 10000.",
    "sage help token create",
  ],
  [["audit", "--limit", "x"], "--limit x must be a whole number from 1 to 10000.", "sage help audit"],
  [["audit", "--format", "xml"], "--format xml is not a format. Choose table or json.", "sage help audit"],
  [["login"], "sage login needs --to ADDRESS, and --token TOKEN or the variable SAGE_TOKEN.", "sage help login"],
  [["node", "--nam", "x"], "sage node has no option --nam. Did you mean --name?", "sage help node"],
])("sage %j is refused with exit code 2", async (args, message, hint) => {
  expect(await sage(args)).toEqual({ code: 2, stdout: "", stderr: `error: ${message}\nTry: ${hint}\n` });
});

test("a wrong command is refused in the same words on Deno", async () => {
  const ended = await sage(["rnu"], { runtime: "deno" });
  expect(ended).toEqual({
    code: 2,
    stdout: "",
    stderr: "error: sage has no command rnu. Did you mean: sage run\nTry: sage help\n",
  });
});
