/** The instruction namespaces (`i32.add`, `f64x2.mul`, …): made from the opcode tables, typed from the same tables. */
import { invariant } from "../kernel/mod.ts";
import { constOf, opNode, shuffle } from "./expr.ts";
import type { Shape } from "./opcodes/shapes.ts";
import { OPCODES, type Opcode, type OpcodeName, type Opcodes } from "./opcodes/table.ts";
import type { ConstValue, Expr, Node, Operand, Type, ValType } from "./types.ts";

type Operands<In extends readonly ValType[]> = { readonly [K in keyof In]: Operand<In[K]> };

type OpFunction<S extends Shape> = S extends { immediate: "none" | "zeros" }
  ? (...operands: Operands<S["in"]>) => Expr<S["out"]>
  : S extends { immediate: "memory" }
    ? (...operandsThenOffset: [...Operands<S["in"]>, offsetBytes?: number]) => Expr<S["out"]>
    : S extends { immediate: "memoryLane" }
      ? (address: Operand<"i32">, vector: Expr<"v128">, lane: number, offsetBytes?: number) => Expr<S["out"]>
      : S["in"] extends readonly ["v128", infer T extends ValType]
        ? (vector: Expr<"v128">, lane: number, value: Operand<T>) => Expr<S["out"]>
        : (vector: Expr<"v128">, lane: number) => Expr<S["out"]>;

type Underscored<S extends string> = S extends `${infer Head}.${infer Tail}` ? `${Head}_${Tail}` : S;

type Namespace<N extends string> = {
  readonly [K in OpcodeName as K extends `${N}.${infer Rest}` ? Underscored<Underscored<Rest>> : never]: OpFunction<
    Opcodes[K][1]
  >;
};

type WithConst<T extends ValType> = { readonly const: (value: ConstValue<T>) => Expr<T> };

/** An assembler function whose static type is not known here. */
type ErasedOp = (...args: never[]) => Node;
type ErasedArgs = (Operand<Type> | undefined)[];

function checkLane(op: Opcode, lane: unknown, laneCount: number): number {
  if (!Number.isInteger(lane) || (lane as number) < 0 || (lane as number) >= laneCount) {
    invariant(false, `${op.name} wants a lane from 0 to ${laneCount - 1} but got ${String(lane)}`);
  }
  return lane as number;
}

function makeOp(op: Opcode): ErasedOp {
  const count = op.in.length;
  switch (op.immediate) {
    case "none":
    case "zeros":
      return (...operands: ErasedArgs) => opNode(op, operands, 0, 0);
    case "memory":
      return (...args: ErasedArgs) => {
        const offset = args.length > count ? (args.pop() ?? 0) : 0;
        return opNode(op, args, 0, offset as number);
      };
    case "lane":
      return (vector: Expr<"v128">, lane: number, ...value: ErasedArgs) =>
        opNode(op, [vector, ...value], checkLane(op, lane, op.extra), 0);
    case "memoryLane":
      return (address: Operand<"i32">, vector: Expr<"v128">, lane: number, offset = 0) =>
        opNode(op, [address, vector], checkLane(op, lane, 16 >> op.extra), offset);
  }
}

function namespace<N extends string>(name: N): Namespace<N> {
  const prefix = `${name}.`;
  const members = OPCODES.filter((op) => op.name.startsWith(prefix));
  const functions = members.map((op) => [op.name.slice(prefix.length).replaceAll(".", "_"), makeOp(op)] as const);
  // `Namespace` is derived from the same table that `members` was filtered from.
  return Object.fromEntries(functions) as unknown as Namespace<N>;
}

export const i32: Namespace<"i32"> & WithConst<"i32"> = { ...namespace("i32"), const: constOf("i32") };
export const i64: Namespace<"i64"> & WithConst<"i64"> = { ...namespace("i64"), const: constOf("i64") };
export const f32: Namespace<"f32"> & WithConst<"f32"> = { ...namespace("f32"), const: constOf("f32") };
export const f64: Namespace<"f64"> & WithConst<"f64"> = { ...namespace("f64"), const: constOf("f64") };
export const v128: Namespace<"v128"> & WithConst<"v128"> = { ...namespace("v128"), const: constOf("v128") };
export const i8x16: Namespace<"i8x16"> & { readonly shuffle: typeof shuffle } = { ...namespace("i8x16"), shuffle };
export const i16x8: Namespace<"i16x8"> = namespace("i16x8");
export const i32x4: Namespace<"i32x4"> = namespace("i32x4");
export const i64x2: Namespace<"i64x2"> = namespace("i64x2");
export const f32x4: Namespace<"f32x4"> = namespace("f32x4");
export const f64x2: Namespace<"f64x2"> = namespace("f64x2");
export const memory: Namespace<"memory"> = namespace("memory");
/** Orders this thread's atomic and plain accesses before and after it. */
export const atomic_fence: () => Expr<"void"> = namespace("atomic").fence;
