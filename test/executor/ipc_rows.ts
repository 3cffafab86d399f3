import { Arena, readIpc, releaseBatch, rowsOf } from "../../src/arrow/mod.ts";
import type { Row } from "../jobs/physical/exchanges.ts";

const arena = Arena.create({ limitBytes: 1 << 28 });

/** Rows of an Arrow IPC stream. */
export function ipcRows(bytes: Uint8Array): Row[] {
  const rows: Row[] = [];
  const reader = readIpc(arena, bytes, { owner: 0 });
  for (let batch = reader.next(); batch !== null; batch = reader.next()) {
    rows.push(...rowsOf(arena, batch));
    releaseBatch(arena, batch);
  }
  reader.close();
  return rows;
}
