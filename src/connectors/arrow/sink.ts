import { IpcWriter } from "../../arrow/mod.ts";
import type { ArrowSinkOptions } from "../../stream/mod.ts";
import type { Sink } from "../contract.ts";
import { FileSinkWriter } from "../file_output.ts";

/** One Arrow IPC file or stream. */
export const arrowSink: Sink = {
  open(spec, schema, context) {
    const options = spec.options as unknown as ArrowSinkOptions; // written by `Stream.toArrow`
    return new FileSinkWriter(options.path, context, () => {
      const writer = new IpcWriter(context.arena, schema, options.format);
      return {
        write: (batch) => writer.write(batch),
        finish: () => writer.finish(),
        close: () => writer.close(),
      };
    });
  },
};
