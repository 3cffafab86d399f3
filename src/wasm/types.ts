/** Types of the assembler: value types, expressions as frozen data, and the signatures of callees. */
import type { Opcode } from "./opcodes/table.ts";

export type ValType = "i32" | "i64" | "f32" | "f64" | "v128";

/** What an expression leaves on the stack: one value, or nothing. */
export type Type = ValType | "void";

/** An expression that leaves a `T` on the stack. Using one twice emits (and runs) its instructions twice. */
export interface Expr<T extends Type> {
  readonly type: T;
  readonly kind: Node["kind"];
}

/** A parameter or local of one function; as an expression it reads the local. */
export interface Local<T extends ValType> extends Expr<T> {
  readonly kind: "local";
  /** Position in declaration order, parameters first. The encoded index may differ: locals are grouped by type. */
  readonly index: number;
  readonly name: string;
}

type Literal<T extends Type> = T extends "i64" ? bigint : T extends "i32" | "f32" | "f64" ? number : never;

/** An expression, or a plain number (`i32`, `f32`, `f64`) or bigint (`i64`) that stands for a constant. */
export type Operand<T extends Type> = Expr<T> | Literal<T>;

/** What `const` of a type takes: 16 bytes for `v128`. */
export type ConstValue<T extends ValType> = T extends "v128" ? ArrayLike<number> : Literal<T>;

export type OpNode = {
  readonly kind: "op";
  readonly type: Type;
  readonly op: Opcode;
  readonly operands: readonly Node[];
  /** Static byte offset of a memory access, else 0. */
  readonly offset: number;
  /** Lane of a lane access, else 0. */
  readonly lane: number;
};
export type ConstNode =
  | { readonly kind: "const"; readonly type: "i32" | "f32" | "f64"; readonly value: number }
  | { readonly kind: "const"; readonly type: "i64"; readonly value: bigint }
  | { readonly kind: "const"; readonly type: "v128"; readonly value: readonly number[] };
export type LocalNode = {
  readonly kind: "local";
  readonly type: ValType;
  readonly index: number;
  readonly name: string;
  /** The function it belongs to. */
  readonly owner: object;
};
export type TeeNode = {
  readonly kind: "tee";
  readonly type: ValType;
  readonly local: LocalNode;
  readonly value: Node;
};
export type GlobalNode = { readonly kind: "global"; readonly type: ValType; readonly global: GlobalInfo };
export type GlobalSetNode = {
  readonly kind: "globalSet";
  readonly type: "void";
  readonly global: GlobalInfo;
  readonly value: Node;
};
export type CallNode = {
  readonly kind: "call";
  readonly type: Type;
  readonly callee: CalleeInfo;
  readonly args: readonly Node[];
};
export type SelectNode = {
  readonly kind: "select";
  readonly type: ValType;
  readonly condition: Node;
  readonly a: Node;
  readonly b: Node;
};
export type IfElseNode = {
  readonly kind: "ifElse";
  readonly type: ValType;
  readonly condition: Node;
  readonly a: Node;
  readonly b: Node;
};
export type ShuffleNode = {
  readonly kind: "shuffle";
  readonly type: "v128";
  readonly lanes: readonly number[];
  readonly a: Node;
  readonly b: Node;
};

/** What an `Expr` is inside: the data that the two visitors read. */
export type Node =
  | OpNode
  | ConstNode
  | LocalNode
  | TeeNode
  | GlobalNode
  | GlobalSetNode
  | CallNode
  | SelectNode
  | IfElseNode
  | ShuffleNode;

export type GlobalInfo = {
  readonly name: string;
  readonly type: ValType;
  readonly mutable: boolean;
  readonly init: ConstNode;
  /** Position in its module. */
  readonly index: number;
  /** The module it belongs to. */
  readonly owner: object;
};

/** Anything that can be called; linked into a module when the module's code names it. */
export type CalleeInfo = HostInfo | KernelInfo | FunctionInfo;
export type HostInfo = {
  readonly kind: "host";
  readonly module: string;
  readonly name: string;
  readonly signature: FlatSignature;
};
export type KernelInfo = {
  readonly kind: "kernel";
  readonly name: string;
  readonly params: NamedParams;
  readonly signature: FlatSignature;
  /** Writes the body into a fresh function of the module that links the kernel. */
  readonly build: (builder: FunctionBuilderLike) => void;
};
export type FunctionInfo = {
  readonly kind: "function";
  readonly name: string;
  readonly signature: FlatSignature;
  /** The module it belongs to. */
  readonly owner: object;
};
/** The function builder as a kernel's erased body receives it. */
export type FunctionBuilderLike = { readonly info: FunctionInfo };

export type FlatSignature = { readonly params: readonly ValType[]; readonly result: Type };

/** Parameters by name, in call order. */
export type NamedParams = Readonly<Record<string, ValType>>;
/** No result, or one. */
export type Results = readonly [] | readonly [ValType];
export type ResultOf<R extends Results> = R extends readonly [infer T extends ValType] ? T : "void";

/** A branch target; valid only inside the block or loop that made it. */
export type Label = { readonly name: string; readonly depth: number; readonly owner: object };

export type Statement =
  | { readonly kind: "expr"; readonly expr: Node }
  | { readonly kind: "set"; readonly local: LocalNode; readonly value: Node }
  | {
      readonly kind: "if";
      readonly condition: Node;
      readonly body: readonly Statement[];
      readonly otherwise: readonly Statement[];
    }
  | { readonly kind: "block" | "loop"; readonly label: Label; readonly body: readonly Statement[] }
  | { readonly kind: "br"; readonly target: Target }
  | { readonly kind: "brIf"; readonly target: Target; readonly condition: Node }
  | {
      readonly kind: "brTable";
      readonly targets: readonly Target[];
      readonly otherwise: Target;
      readonly index: Node;
    }
  | { readonly kind: "return"; readonly value: Node | undefined }
  | { readonly kind: "unreachable" }
  | { readonly kind: "comment"; readonly text: string };

/** A label as seen from one branch: `depth` counts the enclosing blocks in between. */
export type Target = { readonly label: Label; readonly depth: number };
