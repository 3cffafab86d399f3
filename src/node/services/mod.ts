import type { Served } from "../../protocol/mod.ts";
import { blobServices } from "./blobs.ts";
import { clusterServices } from "./cluster.ts";
import type { ServiceContext } from "./context.ts";
import { jobProgressServices } from "./job_progress.ts";
import { jobServices } from "./jobs.ts";
import { settingServices } from "./settings.ts";
import { statusServices } from "./status.ts";
import { tokenServices } from "./tokens.ts";

/** All methods of a node that members and clients may call. */
export function services(context: ServiceContext): Served[] {
  return [
    ...statusServices(context),
    ...clusterServices(context),
    ...tokenServices(context),
    ...settingServices(context),
    ...jobServices(context),
    ...jobProgressServices(context),
    ...blobServices(context),
  ];
}
