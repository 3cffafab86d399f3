import packageData from "../../package.json" with { type: "json" };
import { ClientError, Cluster, type PreparedJob } from "../client/mod.ts";
import { type Credentials, decodeCredentials, encodeCredentials } from "../cluster/mod.ts";
import type { Address } from "../kernel/mod.ts";
import { userFunctionsOf } from "../plan/mod.ts";
import { type GivenParams, isDataflow } from "../stream/mod.ts";
import { absolutePath } from "./absolute_path.ts";
import { bundleJob } from "./bundle.ts";
import { openClient } from "./client_host.ts";
import { systemClock } from "./clock.ts";
import { isReadableByOthers, readCredentialsText, writeCredentialsText } from "./credentials_file.ts";
import { defaultCredentialsFile } from "./data_paths.ts";
import { JobError } from "./job_error.ts";
import { createKeys } from "./keys.ts";
import { systemRandom } from "./random.ts";

export interface ConnectOptions {
  /** Path of the file that `sage login` writes; default `$SAGE_CREDENTIALS`, or the one in the user's configuration. */
  readonly credentials?: string;
  /** Nodes to talk to instead of those in the credentials: `/ip4/10.0.0.5/tcp/7070/p2p/12D3…`. */
  readonly addresses?: readonly string[];
}

/**
 * A cluster, for programs. Nothing is connected before the first call.
 *
 * ```ts
 * await using cluster = await connect();
 * const job = await cluster.submit("job.ts", { params: { year: 2008 } });
 * for await (const row of job.result()) console.log(row);
 * ```
 *
 * @throws {ClientError} refused, when there are no credentials
 */
export async function connect(options: ConnectOptions = {}): Promise<Cluster> {
  const path = options.credentials ?? (process.env["SAGE_CREDENTIALS"] || defaultCredentialsFile());
  const text = readCredentialsText(path);
  if (text === null) {
    const advice = "Get them with: sage login --to ADDRESS --token TOKEN";
    throw new ClientError("refused", `There are no credentials at ${path}. ${advice}`);
  }
  if (isReadableByOthers(path)) {
    throw new ClientError(
      "refused",
      `${path} can be read by others, who could pass for you. If nobody has: chmod 600 ${path}`,
    );
  }
  const keys = createKeys();
  const { addresses } = options;
  const client = await openClient({
    credentials: decodeCredentials(keys, text),
    software: `sage ${packageData.version}`,
    // Checked where they are read.
    ...(addresses === undefined ? {} : { addresses: addresses as readonly Address[] }),
    changed: (credentials) => keep(path, credentials),
  });
  return new Cluster(client, { clock: systemClock, random: systemRandom, keys, prepare, absolutePath });
}

/** For the next program; a file that must not be written serves as long as its certificate and nodes do. */
function keep(path: string, credentials: Credentials): void {
  try {
    writeCredentialsText(path, encodeCredentials(credentials));
  } catch {
    // this program goes on with what it has
  }
}

async function prepare(path: string, params: GivenParams): Promise<PreparedJob> {
  const bundle = await bundleJob(path);
  try {
    const flow = await bundle.load();
    if (!isDataflow(flow)) throw new JobError("notADataflow", `The default export of ${path} is not a dataflow.`);
    const told = flow.with(params);
    const values = JSON.stringify(told.values);
    const plan = bundle.guard(() => told.plan);
    return { plan, bundle: userFunctionsOf(plan).size > 0 ? bundle.module() : null, params: values };
  } finally {
    bundle.dispose();
  }
}
