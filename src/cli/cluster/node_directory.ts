/** Which directory a node uses: the named one, or the first free one of this user's. */
import { StoreError } from "../../kernel/mod.ts";
import { dataDirectoryChoices, type NodeHost } from "../../platform/mod.ts";

export interface OpenedDirectory {
  readonly host: NodeHost;
  readonly dataDir: string;
  /** 1 unless other nodes of this user run beside this one in directories of their own. */
  readonly number: number;
}

/**
 * Opens the directory of --data-dir. Without one, nodes on one machine do not get in each other's way: the next one takes
 * the next directory that a node has used before, or with --join a new one, since a new cluster is nothing to make by mistake.
 *
 * @throws {StoreError} as of `openNodeHost`
 */
export async function openFreeDirectory(
  options: { readonly dataDir: string | null; readonly join: readonly unknown[] },
  open: (path: string) => Promise<NodeHost>,
): Promise<OpenedDirectory> {
  const { dataDir, join } = options;
  const choices = dataDirectoryChoices();
  if (dataDir !== null) {
    const number = choices.find(({ path }) => path === dataDir)?.number ?? 1;
    return { host: await open(dataDir), dataDir, number };
  }
  let inUse: unknown;
  for (const { path, number, isNew } of choices) {
    if (isNew && number > 1 && join.length === 0) break;
    try {
      return { host: await open(path), dataDir: path, number };
    } catch (error) {
      if (!(error instanceof StoreError && error.code === "in-use")) throw error;
      inUse ??= error;
    }
  }
  throw inUse;
}
