/** Makers of expression nodes. Operand types are checked here a second time, because generated code is built from data. */
import { InvariantError, invariant } from "../kernel/mod.ts";
import type { Opcode } from "./opcodes/table.ts";
import type { ConstNode, ConstValue, Expr, Node, Operand, Type, ValType } from "./types.ts";

const I32_MIN = -0x8000_0000;
const U32_MAX = 0xffff_ffff;
const I64_MIN = -(1n << 63n);
const U64_MAX = (1n << 64n) - 1n;

/** The data inside an expression. Every `Expr` is made in this folder, and every one is a `Node`. */
export function nodeOf(expr: Expr<Type>): Node {
  return expr as Node;
}

/** A node as an expression of the type it says it has. */
export function exprOf<T extends Type>(node: Node & { readonly type: Type }): Expr<T> {
  // The node's runtime type is the operation's declared result, from which `T` was derived.
  return node as unknown as Expr<T>;
}

function describeOperand(operand: unknown): string {
  if (typeof operand === "object" && operand !== null && "type" in operand) {
    return `an expression of ${String(operand.type as Type)}`;
  }
  return typeof operand === "object" ? "an object" : `${typeof operand} ${String(operand as number | bigint)}`;
}

function typeMismatch(where: string, wanted: Type, operand: unknown): never {
  throw new InvariantError(`Invariant broken: ${where} wants ${wanted} but got ${describeOperand(operand)}`);
}

/** A constant of `type`: integers may be given signed or unsigned, `v128` as 16 bytes. */
export function constant(type: ValType, value: unknown): ConstNode {
  switch (type) {
    case "i32": {
      const fits = Number.isInteger(value) && (value as number) >= I32_MIN && (value as number) <= U32_MAX;
      if (!fits) typeMismatch("i32.const", type, value);
      return Object.freeze({ kind: "const", type, value: (value as number) | 0 });
    }
    case "i64": {
      if (typeof value !== "bigint" || value < I64_MIN || value > U64_MAX) typeMismatch("i64.const", type, value);
      return Object.freeze({ kind: "const", type, value: BigInt.asIntN(64, value) });
    }
    case "f32":
    case "f64": {
      if (typeof value !== "number") typeMismatch(`${type}.const`, type, value);
      return Object.freeze({ kind: "const", type, value: type === "f32" ? Math.fround(value) : value });
    }
    case "v128":
      return Object.freeze({ kind: "const", type, value: byteList("v128.const", value as ArrayLike<number>, 0xff) });
  }
}

function byteList(where: string, values: ArrayLike<number>, max: number): readonly number[] {
  const bytes = Array.from(values);
  const valid = bytes.length === 16 && bytes.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= max);
  invariant(valid, `${where} wants 16 whole numbers from 0 to ${max} but got [${bytes.join(", ")}]`);
  return Object.freeze(bytes);
}

/** The node behind an operand that must have `type`; `where` names the instruction in the error. */
export function operandNode(type: Type, operand: Operand<Type> | undefined, where: string): Node {
  if (typeof operand === "object") {
    if (operand.type !== type) typeMismatch(where, type, operand);
    return operand as Node;
  }
  if (type === "void" || type === "v128" || operand === undefined) typeMismatch(where, type, operand);
  if ((typeof operand === "bigint") !== (type === "i64")) typeMismatch(where, type, operand);
  return constant(type, operand);
}

/** Applies `op` to exactly `op.in.length` operands; `operands` is taken over and frozen. */
export function opNode(op: Opcode, operands: (Operand<Type> | undefined)[], lane: number, offset: number): Node {
  const { in: wanted, name } = op;
  if (operands.length !== wanted.length) {
    invariant(false, `${name} wants ${wanted.length} operands but got ${operands.length}`);
  }
  for (let i = 0; i < wanted.length; i++)
    operands[i] = operandNode(wanted[i] as ValType, operands[i], name) as Expr<Type>;
  if (!(offset >= 0 && offset <= U32_MAX && Number.isInteger(offset))) {
    invariant(false, `${name} wants an offset from 0 to ${U32_MAX} but got ${offset}`);
  }
  // Every element was replaced by its node in the loop above.
  return Object.freeze({ kind: "op", type: op.out, op, operands: operands as unknown as Node[], offset, lane });
}

/** Picks 16 bytes out of the 32 of `a` and `b`: lanes 0–15 are of `a`, 16–31 of `b`. */
export function shuffle(lanes: ArrayLike<number>, a: Expr<"v128">, b: Expr<"v128">): Expr<"v128"> {
  const where = "i8x16.shuffle";
  return exprOf(
    Object.freeze({
      kind: "shuffle",
      type: "v128",
      lanes: byteList(where, lanes, 31),
      a: operandNode("v128", a, where),
      b: operandNode("v128", b, where),
    }),
  );
}

export function constOf<T extends ValType>(type: T): (value: ConstValue<T>) => Expr<T> {
  return (value) => exprOf(constant(type, value));
}

function choice(kind: "select" | "ifElse", condition: Operand<"i32">, a: Operand<ValType>, b: Operand<ValType>): Node {
  const typed = typeof a === "object" ? a : b;
  if (typeof typed !== "object") invariant(false, `${kind} wants an expression as one of its two values`);
  const type = (typed as Expr<ValType>).type;
  return Object.freeze({
    kind,
    type,
    condition: operandNode("i32", condition, kind),
    a: operandNode(type, a, kind),
    b: operandNode(type, b, kind),
  });
}

/** `a` when `condition` is not zero, else `b`; both are evaluated, without a branch. */
export function select<T extends ValType>(condition: Operand<"i32">, a: Expr<T>, b: Operand<NoInfer<T>>): Expr<T>;
export function select<T extends ValType>(condition: Operand<"i32">, a: Operand<NoInfer<T>>, b: Expr<T>): Expr<T>;
export function select(condition: Operand<"i32">, a: Operand<ValType>, b: Operand<ValType>): Expr<ValType> {
  return exprOf(choice("select", condition, a, b));
}

/** `a` when `condition` is not zero, else `b`; only the chosen one is evaluated. */
export function ifElse<T extends ValType>(condition: Operand<"i32">, a: Expr<T>, b: Operand<NoInfer<T>>): Expr<T>;
export function ifElse<T extends ValType>(condition: Operand<"i32">, a: Operand<NoInfer<T>>, b: Expr<T>): Expr<T>;
export function ifElse(condition: Operand<"i32">, a: Operand<ValType>, b: Operand<ValType>): Expr<ValType> {
  return exprOf(choice("ifElse", condition, a, b));
}
