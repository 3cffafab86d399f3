import type { Address, Arena } from "../../arrow/mod.ts";
import {
  type Expr,
  type FunctionBuilder,
  i32,
  i64,
  type Local,
  type ModuleBuilder,
  memory,
  v128,
} from "../../wasm/mod.ts";
import { kernelsOnce } from "../kernel_module.ts";

/** Snappy's elements (google/snappy, format_description.txt) as WebAssembly over the arena. */
interface SnappyKernel {
  /** Fills [target, limit) exactly and gives 0; 1 when the input is damaged. */
  decode(source: Address, end: Address, target: Address, limit: Address): number;
}

const PARAMS = { source: "i32", end: "i32", target: "i32", limit: "i32" } as const;
const kernelFor = kernelsOnce<SnappyKernel>(build);

export interface SnappyBlock {
  readonly source: Address;
  readonly sourceBytes: number;
  readonly target: Address;
  readonly targetBytes: number;
}

/**
 * Decompresses a raw block within the arena; copies are made in whole
 * vectors, so both ranges have 32 bytes of slack after them. Throws RangeError on damaged input.
 */
export function snappyDecompressIn(arena: Arena, block: SnappyBlock): void {
  const { source, sourceBytes, target, targetBytes } = block;
  const end = source + sourceBytes;
  let [length, position] = [0, source];
  for (let shift = 0; ; shift += 7) {
    if (position >= end || shift > 28) throw new RangeError("snappy: bad length");
    const byte = arena.u8[position++] as number;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (length !== targetBytes) throw new RangeError(`snappy: ${length} bytes instead of ${targetBytes}`);
  if (kernelFor(arena).decode(position, end, target, target + targetBytes) !== 0)
    throw new RangeError("snappy: damaged data");
}

interface Decode {
  readonly f: FunctionBuilder<typeof PARAMS, readonly ["i32"]>;
  readonly source: Local<"i32">;
  readonly end: Local<"i32">;
  readonly target: Local<"i32">;
  readonly limit: Local<"i32">;
  readonly length: Local<"i32">;
  readonly from: Local<"i32">;
  readonly stop: Local<"i32">;
}

function build(module: ModuleBuilder): void {
  const f = module.function("decode", { params: PARAMS, results: ["i32"], export: true });
  const { source, end, target, limit } = f.params;
  const [base, tag, offset] = [f.local("i32", "base"), f.local("i32", "tag"), f.local("i32", "offset")];
  const [length, from, stop] = [f.local("i32", "length"), f.local("i32", "from"), f.local("i32", "stop")];
  const decode: Decode = { f, source, end, target, limit, length, from, stop };
  f.set(base, target);
  f.while(i32.lt_u(source, end), () => {
    f.set(tag, i32.load8_u(source));
    f.set(source, i32.add(source, 1));
    f.set(length, i32.shr_u(tag, 2));
    f.if(
      i32.eqz(i32.and(tag, 3)),
      () => literal(decode),
      () => {
        f.if(
          i32.eq(i32.and(tag, 3), 1),
          () => {
            f.set(length, i32.add(i32.and(length, 7), 4));
            f.set(offset, i32.or(i32.shl(i32.shr_u(tag, 5), 8), i32.load8_u(source)));
            f.set(source, i32.add(source, 1));
          },
          () => {
            f.set(length, i32.add(length, 1));
            f.if(
              i32.eq(i32.and(tag, 3), 2),
              () => {
                f.set(offset, i32.load16_u(source));
                f.set(source, i32.add(source, 2));
              },
              () => {
                f.set(offset, i32.load(source));
                f.set(source, i32.add(source, 4));
              },
            );
          },
        );
        f.if(i32.gt_u(source, end), () => f.return(1));
        // Offset 0 wraps around and is refused too.
        f.if(i32.ge_u(i32.sub(offset, 1), i32.sub(target, base)), () => f.return(1));
        f.if(i32.gt_u(length, i32.sub(limit, target)), () => f.return(1));
        copyBack(decode, offset);
      },
    );
  });
  f.return(i32.ne(target, limit));
}

function literal(decode: Decode): void {
  const { f, source, end, target, limit, length, from } = decode;
  f.if(i32.ge_u(length, 60), () => {
    // One to four bytes of length: as many low bytes of the next word.
    f.set(from, i32.sub(length, 59));
    f.set(length, i32.and(i32.load(source), i32.shr_u(-1, i32.shl(i32.sub(4, from), 3))));
    f.set(source, i32.add(source, from));
    f.if(i32.gt_u(source, end), () => f.return(1));
  });
  // 2^32 bytes would wrap around to 0.
  f.set(length, i32.add(length, 1));
  f.if(i32.ge_u(i32.sub(length, 1), i32.sub(end, source)), () => f.return(1));
  f.if(i32.ge_u(i32.sub(length, 1), i32.sub(limit, target)), () => f.return(1));
  f.if(
    i32.le_u(length, 16),
    () => f.emit(v128.store(target, v128.load(source))),
    () => f.emit(memory.copy(target, source, length)),
  );
  f.set(source, i32.add(source, length));
  f.set(target, i32.add(target, length));
}

/** From `offset` before the target: the ranges may overlap, which repeats a pattern. */
function copyBack(decode: Decode, offset: Local<"i32">): void {
  const { f, target, length, from, stop } = decode;
  f.set(from, i32.sub(target, offset));
  f.set(stop, i32.add(target, length));
  const copy = (width: number, step: () => Expr<"void">) =>
    f.while(i32.lt_u(target, stop), () => {
      f.emit(step());
      f.set(target, i32.add(target, width));
      f.set(from, i32.add(from, width));
    });
  f.if(
    i32.ge_u(offset, 16),
    () => copy(16, () => v128.store(target, v128.load(from))),
    () => {
      f.if(
        i32.ge_u(offset, 8),
        () => copy(8, () => i64.store(target, i64.load(from))),
        () => copy(1, () => i32.store8(target, i32.load8_u(from))),
      );
    },
  );
  f.set(target, stop);
}
