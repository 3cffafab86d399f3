import type { Address } from "../../arrow/mod.ts";
import { type Expr, i8x16, i32, type Local, ModuleBuilder, v128 } from "../../wasm/mod.ts";
import { CR, type Dialect, LF } from "./dialect.ts";

/**
 * Finds every byte that may end a field: delimiter, line breaks, quote, escape, 16 bytes at a time. What they mean is
 * decided in `rows.ts`.
 */
export interface Scanner {
  /** Offsets (from `source`) as int32 at `target`, in order; gives their number. Reads up to 15 bytes past the end. */
  scan(source: Address, length: number, target: Address): number;
}

const scanners = new WeakMap<WebAssembly.Memory, Map<string, Scanner>>();

export function scannerFor(memory: WebAssembly.Memory, dialect: Dialect): Scanner {
  const bytes = specialBytes(dialect);
  const key = bytes.join(",");
  let known = scanners.get(memory);
  if (known === undefined) {
    known = new Map();
    scanners.set(memory, known);
  }
  let scanner = known.get(key);
  if (scanner === undefined) {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(scanModule(bytes)), { env: { memory } });
    scanner = instance.exports as unknown as Scanner;
    known.set(key, scanner);
  }
  return scanner;
}

function specialBytes(dialect: Dialect): number[] {
  return [LF, CR, dialect.delimiter, dialect.quote, dialect.escape].filter((byte) => byte >= 0);
}

function scanModule(specials: readonly number[]): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder({ memory: { initialPages: 1, maximumPages: 65_536, shared: true }, names: false });
  const f = module.function("scan", {
    params: { source: "i32", length: "i32", target: "i32" },
    results: ["i32"],
    export: true,
  });
  const { source, length, target } = f.params;
  const [at, mask, out] = [f.local("i32", "at"), f.local("i32", "mask"), f.local("i32", "out")];
  const block = f.local("v128", "block");
  f.set(out, target);
  f.while(i32.lt_s(at, length), () => {
    f.set(block, v128.load(i32.add(source, at)));
    f.set(mask, i8x16.bitmask(anyOf(block, specials)));
    f.if(i32.gt_s(i32.add(at, 16), length), () => {
      f.set(mask, i32.and(mask, i32.sub(i32.shl(1, i32.sub(length, at)), 1)));
    });
    f.while(mask, () => {
      f.emit(i32.store(out, i32.add(at, i32.ctz(mask))));
      f.set(out, i32.add(out, 4));
      f.set(mask, i32.and(mask, i32.sub(mask, 1)));
    });
    f.set(at, i32.add(at, 16));
  });
  f.return(i32.shr_u(i32.sub(out, target), 2));
  return module.bytes();
}

function anyOf(block: Local<"v128">, bytes: readonly number[]): Expr<"v128"> {
  const tests = bytes.map((byte) => i8x16.eq(block, i8x16.splat(byte)));
  return tests.reduce((all, test) => v128.or(all, test));
}
