/** The visitor that turns a module into folded WebAssembly text: short expressions on one line, long ones indented. */
import { unreachable } from "../kernel/mod.ts";
import { groupedLocals, mayFallThrough } from "./body.ts";
import type { FunctionBuilder } from "./function.ts";
import type { LinkedCode } from "./link.ts";
import type { ModuleOptions } from "./module.ts";
import { functionNames } from "./sections.ts";
import type { CalleeInfo, ConstNode, GlobalInfo, HostInfo, Node, OpNode, Statement, Target, Type } from "./types.ts";

const LINE_MAX = 100;
const INDENT = "  ";

/** An S-expression: `head` without parentheses, then children. `flat` is its one-line form where that is short. */
type Sexp = { readonly head: string; readonly children: readonly Sexp[]; readonly flat: string | undefined };

function sexp(head: string, children: readonly Sexp[] = []): Sexp {
  let flat: string | undefined = `(${head}`;
  for (const child of children) {
    if (child.flat === undefined || flat.length + child.flat.length + 2 > LINE_MAX)
      return { head, children, flat: undefined };
    flat += ` ${child.flat}`;
  }
  return { head, children, flat: `${flat})` };
}

function float(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  return Object.is(value, -0) ? "-0" : String(value);
}

function constText(node: ConstNode): string {
  switch (node.type) {
    case "i32":
      return `i32.const ${node.value}`;
    case "i64":
      return `i64.const ${node.value}`;
    case "f32":
    case "f64":
      return `${node.type}.const ${float(node.value)}`;
    case "v128":
      return `v128.const i8x16 ${node.value.join(" ")}`;
    default:
      return unreachable(node);
  }
}

function quoted(name: string): string {
  const bytes = new TextEncoder().encode(name);
  const plain = (byte: number): boolean => byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
  const escape = (byte: number): string =>
    plain(byte) ? String.fromCharCode(byte) : `\\${byte.toString(16).padStart(2, "0")}`;
  return `"${Array.from(bytes, escape).join("")}"`;
}

function signature(params: readonly string[], result: Type): string {
  return `${params.map((param) => ` (param ${param})`).join("")}${result === "void" ? "" : ` (result ${result})`}`;
}

function opHead(node: OpNode): string {
  const { op, offset, lane } = node;
  const offsetText = offset === 0 ? "" : ` offset=${offset}`;
  switch (op.immediate) {
    case "none":
    case "zeros":
      return op.name;
    case "memory":
      return op.name + offsetText;
    case "lane":
      return `${op.name} ${lane}`;
    case "memoryLane":
      return `${op.name}${offsetText} ${lane}`;
    default:
      return unreachable(op.immediate);
  }
}

class FunctionText {
  readonly #lines: string[];
  readonly #nameOf: (callee: CalleeInfo) => string;

  constructor(lines: string[], nameOf: (callee: CalleeInfo) => string) {
    this.#lines = lines;
    this.#nameOf = nameOf;
  }

  write(fn: FunctionBuilder): void {
    const { info, locals, paramCount } = fn;
    const params = locals.slice(0, paramCount).map((param) => `$${param.name} ${param.type}`);
    const exported = fn.exported ? ` (export ${quoted(info.name)})` : "";
    this.#line(1, `(func $${this.#nameOf(info)}${exported}${signature(params, info.signature.result)}`);
    for (const local of groupedLocals(fn)) this.#line(2, `(local $${local.name} ${local.type})`);
    this.#statements(2, fn.statements);
    if (info.signature.result !== "void" && mayFallThrough(fn.statements)) this.#line(2, "(unreachable)");
    this.#line(1, ")");
  }

  #line(depth: number, line: string): void {
    this.#lines.push(INDENT.repeat(depth) + line);
  }

  #print(depth: number, tree: Sexp): void {
    if (tree.flat !== undefined) return this.#line(depth, tree.flat);
    this.#line(depth, `(${tree.head}`);
    for (const child of tree.children) this.#print(depth + 1, child);
    this.#line(depth, ")");
  }

  #statements(depth: number, statements: readonly Statement[]): void {
    for (const statement of statements) this.#statement(depth, statement);
  }

  #statement(depth: number, statement: Statement): void {
    switch (statement.kind) {
      case "expr": {
        const tree = this.#tree(statement.expr);
        return this.#print(depth, statement.expr.type === "void" ? tree : sexp("drop", [tree]));
      }
      case "set":
        return this.#print(depth, sexp(`local.set $${statement.local.name}`, [this.#tree(statement.value)]));
      case "if":
        return this.#if(depth, statement);
      case "block":
      case "loop":
        this.#line(depth, `(${statement.kind} $${statement.label.name}`);
        this.#statements(depth + 1, statement.body);
        return this.#line(depth, ")");
      case "br":
        return this.#line(depth, `(br ${label(statement.target)})`);
      case "brIf":
        return this.#print(depth, sexp(`br_if ${label(statement.target)}`, [this.#tree(statement.condition)]));
      case "brTable": {
        const labels = [...statement.targets, statement.otherwise].map(label).join(" ");
        return this.#print(depth, sexp(`br_table ${labels}`, [this.#tree(statement.index)]));
      }
      case "return":
        return this.#print(depth, sexp("return", statement.value === undefined ? [] : [this.#tree(statement.value)]));
      case "unreachable":
        return this.#line(depth, "(unreachable)");
      case "comment":
        for (const line of statement.text.split(/\r?\n|\r/)) this.#line(depth, `;; ${line}`);
        return;
      default:
        return unreachable(statement);
    }
  }

  #if(depth: number, statement: Extract<Statement, { kind: "if" }>): void {
    this.#line(depth, "(if");
    this.#print(depth + 1, this.#tree(statement.condition));
    this.#line(depth + 1, "(then");
    this.#statements(depth + 2, statement.body);
    this.#line(depth + 1, ")");
    if (statement.otherwise.length > 0) {
      this.#line(depth + 1, "(else");
      this.#statements(depth + 2, statement.otherwise);
      this.#line(depth + 1, ")");
    }
    this.#line(depth, ")");
  }

  #trees(nodes: readonly Node[]): readonly Sexp[] {
    return nodes.map((node) => this.#tree(node));
  }

  #tree(node: Node): Sexp {
    switch (node.kind) {
      case "op":
        return sexp(opHead(node), this.#trees(node.operands));
      case "const":
        return sexp(constText(node));
      case "local":
        return sexp(`local.get $${node.name}`);
      case "tee":
        return sexp(`local.tee $${node.local.name}`, [this.#tree(node.value)]);
      case "global":
        return sexp(`global.get $${node.global.name}`);
      case "globalSet":
        return sexp(`global.set $${node.global.name}`, [this.#tree(node.value)]);
      case "call":
        return sexp(`call $${this.#nameOf(node.callee)}`, this.#trees(node.args));
      case "select":
        return sexp("select", this.#trees([node.a, node.b, node.condition]));
      case "ifElse": {
        const [condition, a, b] = [this.#tree(node.condition), this.#tree(node.a), this.#tree(node.b)];
        return sexp(`if (result ${node.type})`, [condition, sexp("then", [a]), sexp("else", [b])]);
      }
      case "shuffle":
        return sexp(`i8x16.shuffle ${node.lanes.join(" ")}`, this.#trees([node.a, node.b]));
      default:
        return unreachable(node);
    }
  }
}

function label(target: Target): string {
  return `$${target.label.name}`;
}

function importText(host: HostInfo, name: string): string {
  const types = signature(host.signature.params, host.signature.result);
  return `${INDENT}(import ${quoted(host.module)} ${quoted(host.name)} (func $${name}${types}))`;
}

function memoryText({ memory }: ModuleOptions): readonly string[] {
  if (memory === undefined) return [];
  const maximum = memory.maximumPages === undefined ? "" : ` ${memory.maximumPages}`;
  const limits = `${memory.initialPages}${maximum}${memory.shared ? " shared" : ""}`;
  return [`${INDENT}(import "env" "memory" (memory $memory ${limits}))`];
}

function globalText(global: GlobalInfo): string {
  const type = global.mutable ? `(mut ${global.type})` : global.type;
  return `${INDENT}(global $${global.name} ${type} (${constText(global.init)}))`;
}

export function moduleText(code: LinkedCode, globals: readonly GlobalInfo[], options: ModuleOptions): string {
  const names = functionNames(code);
  const nameOf = (callee: CalleeInfo): string => names[code.indexOf(callee)] as string;
  const lines = ["(module", ...memoryText(options)];
  code.imports.forEach((host, i) => {
    lines.push(importText(host, names[i] as string));
  });
  for (const global of globals) lines.push(globalText(global));
  for (const fn of code.functions) new FunctionText(lines, nameOf).write(fn);
  lines.push(")");
  return `${lines.join("\n")}\n`;
}
