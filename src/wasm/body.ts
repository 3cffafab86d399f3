/** The visitor that turns a function's statements into bytes. */
import { invariant, unreachable } from "../kernel/mod.ts";
import type { ByteWriter } from "./encode.ts";
import type { FunctionBuilder } from "./function.ts";
import type { CalleeInfo, ConstNode, LocalNode, Node, OpNode, Statement, Type, ValType } from "./types.ts";

const TYPE_BYTES = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b, void: 0x40 } as const;
const LOCAL_TYPES: readonly ValType[] = ["i32", "i64", "f32", "f64", "v128"];

const UNREACHABLE = 0x00;
const BLOCK = 0x02;
const LOOP = 0x03;
const IF = 0x04;
const ELSE = 0x05;
const END = 0x0b;
const BR = 0x0c;
const BR_IF = 0x0d;
const BR_TABLE = 0x0e;
const RETURN = 0x0f;
const CALL = 0x10;
const DROP = 0x1a;
const SELECT = 0x1b;
const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;
const LOCAL_TEE = 0x22;
const GLOBAL_GET = 0x23;
const GLOBAL_SET = 0x24;
const SIMD_PREFIX = 0xfd;
const V128_CONST = [SIMD_PREFIX, 0x0c];
const I8X16_SHUFFLE = [SIMD_PREFIX, 0x0d];
const CONST_OPCODE = { i32: 0x41, i64: 0x42, f32: 0x43, f64: 0x44 } as const;

export function typeByte(type: Type): number {
  return TYPE_BYTES[type];
}

/** Whether control can fall off the end of `statements`, as far as the last one tells. */
export function mayFallThrough(statements: readonly Statement[]): boolean {
  const last = statements.findLast((statement) => statement.kind !== "comment");
  return last?.kind !== "return" && last?.kind !== "unreachable" && last?.kind !== "br" && last?.kind !== "brTable";
}

/** Locals behind the parameters in the order they are encoded in: grouped by type, then as declared. */
export function groupedLocals(fn: FunctionBuilder): readonly LocalNode[] {
  const declared = fn.locals.slice(fn.paramCount);
  return LOCAL_TYPES.flatMap((type) => declared.filter((local) => local.type === type));
}

/** Told of everything that the code names, so that it gets linked. */
export type Links = {
  readonly callee: (callee: CalleeInfo) => void;
  readonly global: (global: { readonly owner: object; readonly name: string }) => void;
};

/**
 * An encoded body, `start` to `end` of the writer that it was encoded into. The indices of called functions are still
 * missing: they go in at `callAt[i]`.
 */
export type EncodedBody = {
  readonly start: number;
  readonly end: number;
  readonly callAt: readonly number[];
  readonly callees: readonly CalleeInfo[];
};

export function encodeConst(writer: ByteWriter, node: ConstNode): void {
  switch (node.type) {
    case "i32":
      writer.byte(CONST_OPCODE.i32);
      return writer.s32(node.value);
    case "i64":
      writer.byte(CONST_OPCODE.i64);
      return writer.s64(node.value);
    case "f32":
      writer.byte(CONST_OPCODE.f32);
      return writer.f32(node.value);
    case "f64":
      writer.byte(CONST_OPCODE.f64);
      return writer.f64(node.value);
    case "v128":
      writer.raw(V128_CONST);
      return writer.raw(node.value);
    default:
      return unreachable(node);
  }
}

/** Appends `fn` without its size to `writer`; `finishBody` adds that and the indices of called functions. */
export function encodeBody(writer: ByteWriter, fn: FunctionBuilder, links: Links): EncodedBody {
  return new BodyEncoder(writer, fn, links).encode();
}

/** Appends `body` of `code` with its size to `out`, now that every callee has its index. */
export function finishBody(
  out: ByteWriter,
  code: ByteWriter,
  body: EncodedBody,
  indexOf: (callee: CalleeInfo) => number,
): void {
  out.sized(() => {
    let from = body.start;
    body.callees.forEach((callee, i) => {
      const to = body.callAt[i] as number;
      out.append(code.view(from, to));
      out.u32(indexOf(callee));
      from = to;
    });
    out.append(code.view(from, body.end));
  });
}

class BodyEncoder {
  readonly #writer: ByteWriter;
  readonly #fn: FunctionBuilder;
  readonly #links: Links;
  readonly #localIndex: Uint32Array;
  readonly #callAt: number[] = [];
  readonly #callees: CalleeInfo[] = [];

  constructor(writer: ByteWriter, fn: FunctionBuilder, links: Links) {
    this.#writer = writer;
    this.#fn = fn;
    this.#links = links;
    this.#localIndex = new Uint32Array(fn.locals.length);
    for (let i = 0; i < fn.paramCount; i++) this.#localIndex[i] = i;
  }

  encode(): EncodedBody {
    const start = this.#writer.length;
    this.#localDeclarations();
    const { statements, info } = this.#fn;
    this.#statements(statements);
    if (info.signature.result !== "void" && mayFallThrough(statements)) this.#writer.byte(UNREACHABLE);
    this.#writer.byte(END);
    return { start, end: this.#writer.length, callAt: this.#callAt, callees: this.#callees };
  }

  #localDeclarations(): void {
    const locals = groupedLocals(this.#fn);
    locals.forEach((local, i) => {
      this.#localIndex[local.index] = this.#fn.paramCount + i;
    });
    const groups = LOCAL_TYPES.map((type) => [type, locals.filter((local) => local.type === type).length] as const);
    const used = groups.filter(([, count]) => count > 0);
    this.#writer.u32(used.length);
    for (const [type, count] of used) {
      this.#writer.u32(count);
      this.#writer.byte(TYPE_BYTES[type]);
    }
  }

  #statements(statements: readonly Statement[]): void {
    for (let i = 0; i < statements.length; i++) this.#statement(statements[i] as Statement);
  }

  #statement(statement: Statement): void {
    const writer = this.#writer;
    switch (statement.kind) {
      case "expr":
        this.#node(statement.expr);
        if (statement.expr.type !== "void") writer.byte(DROP);
        return;
      case "set":
        this.#node(statement.value);
        return this.#local(LOCAL_SET, statement.local);
      case "if":
        return this.#if(statement);
      case "block":
      case "loop":
        writer.byte(statement.kind === "block" ? BLOCK : LOOP);
        writer.byte(TYPE_BYTES.void);
        this.#statements(statement.body);
        return writer.byte(END);
      case "br":
        writer.byte(BR);
        return writer.u32(statement.target.depth);
      case "brIf":
        this.#node(statement.condition);
        writer.byte(BR_IF);
        return writer.u32(statement.target.depth);
      case "brTable":
        this.#node(statement.index);
        writer.byte(BR_TABLE);
        writer.u32(statement.targets.length);
        for (const target of statement.targets) writer.u32(target.depth);
        return writer.u32(statement.otherwise.depth);
      case "return":
        if (statement.value !== undefined) this.#node(statement.value);
        return writer.byte(RETURN);
      case "unreachable":
        return writer.byte(UNREACHABLE);
      case "comment":
        return;
      default:
        return unreachable(statement);
    }
  }

  #if(statement: Extract<Statement, { kind: "if" }>): void {
    this.#node(statement.condition);
    this.#writer.byte(IF);
    this.#writer.byte(TYPE_BYTES.void);
    this.#statements(statement.body);
    if (statement.otherwise.length > 0) {
      this.#writer.byte(ELSE);
      this.#statements(statement.otherwise);
    }
    this.#writer.byte(END);
  }

  #node(node: Node): void {
    const writer = this.#writer;
    switch (node.kind) {
      case "op":
        return this.#op(node);
      case "const":
        return encodeConst(writer, node);
      case "local":
        return this.#local(LOCAL_GET, node);
      case "tee":
        this.#node(node.value);
        return this.#local(LOCAL_TEE, node.local);
      case "global":
        this.#links.global(node.global);
        writer.byte(GLOBAL_GET);
        return writer.u32(node.global.index);
      case "globalSet":
        this.#links.global(node.global);
        this.#node(node.value);
        writer.byte(GLOBAL_SET);
        return writer.u32(node.global.index);
      case "call":
        for (const arg of node.args) this.#node(arg);
        return this.#call(node.callee);
      case "select":
        this.#node(node.a);
        this.#node(node.b);
        this.#node(node.condition);
        return writer.byte(SELECT);
      case "ifElse":
        this.#node(node.condition);
        writer.byte(IF);
        writer.byte(TYPE_BYTES[node.type]);
        this.#node(node.a);
        writer.byte(ELSE);
        this.#node(node.b);
        return writer.byte(END);
      case "shuffle":
        this.#node(node.a);
        this.#node(node.b);
        writer.raw(I8X16_SHUFFLE);
        return writer.raw(node.lanes);
      default:
        return unreachable(node);
    }
  }

  #op(node: OpNode): void {
    const { op, operands } = node;
    for (let i = 0; i < operands.length; i++) this.#node(operands[i] as Node);
    const writer = this.#writer;
    for (let i = 0; i < op.bytes.length; i++) writer.byte(op.bytes[i] as number);
    switch (op.immediate) {
      case "none":
        return;
      case "memory":
        writer.byte(op.extra);
        return writer.u32(node.offset);
      case "lane":
        return writer.byte(node.lane);
      case "memoryLane":
        writer.byte(op.extra);
        writer.u32(node.offset);
        return writer.byte(node.lane);
      case "zeros":
        for (let i = 0; i < op.extra; i++) writer.byte(0);
        return;
      default:
        return unreachable(op.immediate);
    }
  }

  #local(opcode: number, local: LocalNode): void {
    if (local.owner !== this.#fn.info) {
      invariant(false, `${this.#fn.info.name} uses ${local.name}, which is a local of another function`);
    }
    this.#writer.byte(opcode);
    this.#writer.u32(this.#localIndex[local.index] as number);
  }

  #call(callee: CalleeInfo): void {
    this.#links.callee(callee);
    this.#writer.byte(CALL);
    this.#callAt.push(this.#writer.length);
    this.#callees.push(callee);
  }
}
