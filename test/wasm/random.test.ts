/** Random typed expressions and programs: the compiled code must give what a JavaScript interpretation of it gives. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { type Expr, f64, i32, i64, ifElse, type Local, type ModuleBuilder, select } from "../../src/wasm/mod.ts";
import { instantiate, verified } from "./oracle.ts";

type Kind = "i32" | "i64" | "f64";
type Value = number | bigint;
/** An expression as data: its maker with the assembler, and its meaning. */
type Term = {
  readonly emit: (scope: Scope) => Expr<Kind>;
  readonly value: (state: State) => Value;
  readonly text: string;
};
type Locals = { readonly [K in Kind]: readonly Local<K>[] };
type Scope = { readonly locals: Locals; readonly tee: (local: Local<Kind>, value: Expr<Kind>) => Expr<Kind> };
type State = { readonly [K in Kind]: Value[] };

const LOCALS = 3;
const num = Number;
const u32 = (value: Value): number => num(value) >>> 0;
const big = (value: Value): bigint => BigInt(value);
const wrap = (value: bigint): bigint => BigInt.asIntN(64, value);
const unsigned = (value: Value): bigint => BigInt.asUintN(64, big(value));
const shift = (value: Value): bigint => big(value) & 63n;
function saturate(value: number, bits: bigint): bigint {
  const limit = 1n << (bits - 1n);
  if (Number.isNaN(value)) return 0n;
  if (value >= Number(limit)) return limit - 1n;
  return value < -Number(limit) ? -limit : BigInt(Math.trunc(value));
}

type Operation = {
  name: string;
  in: Kind[];
  out: Kind;
  make: (...args: never[]) => Expr<Kind>;
  run: (...args: Value[]) => Value;
};
const binary = (kind: Kind, out: Kind, table: Record<string, [unknown, (a: Value, b: Value) => Value]>): Operation[] =>
  Object.entries(table).map(([name, [make, run]]) => ({
    name: `${kind}.${name}`,
    in: [kind, kind],
    out,
    make: make as Operation["make"],
    run: run as Operation["run"],
  }));
const unary = (from: Kind, out: Kind, table: Record<string, [unknown, (a: Value) => Value]>): Operation[] =>
  Object.entries(table).map(([name, [make, run]]) => ({
    name: `${out}.${name}(${from})`,
    in: [from],
    out,
    make: make as Operation["make"],
    run: run as Operation["run"],
  }));

const OPERATIONS: readonly Operation[] = [
  ...binary("i32", "i32", {
    add: [i32.add, (a, b) => (num(a) + num(b)) | 0],
    sub: [i32.sub, (a, b) => (num(a) - num(b)) | 0],
    mul: [i32.mul, (a, b) => Math.imul(num(a), num(b))],
    and: [i32.and, (a, b) => num(a) & num(b)],
    or: [i32.or, (a, b) => num(a) | num(b)],
    xor: [i32.xor, (a, b) => num(a) ^ num(b)],
    shl: [i32.shl, (a, b) => num(a) << num(b)],
    shr_s: [i32.shr_s, (a, b) => num(a) >> num(b)],
    shr_u: [i32.shr_u, (a, b) => (num(a) >>> num(b)) | 0],
    lt_s: [i32.lt_s, (a, b) => num(num(a) < num(b))],
    ge_u: [i32.ge_u, (a, b) => num(u32(a) >= u32(b))],
    eq: [i32.eq, (a, b) => num(a === b)],
  }),
  ...binary("i64", "i64", {
    add: [i64.add, (a, b) => wrap(big(a) + big(b))],
    sub: [i64.sub, (a, b) => wrap(big(a) - big(b))],
    mul: [i64.mul, (a, b) => wrap(big(a) * big(b))],
    and: [i64.and, (a, b) => big(a) & big(b)],
    xor: [i64.xor, (a, b) => big(a) ^ big(b)],
    shl: [i64.shl, (a, b) => wrap(big(a) << shift(b))],
    shr_s: [i64.shr_s, (a, b) => big(a) >> shift(b)],
    shr_u: [i64.shr_u, (a, b) => wrap(unsigned(a) >> shift(b))],
  }),
  ...binary("i64", "i32", {
    lt_s: [i64.lt_s, (a, b) => num(a < b)],
    gt_u: [i64.gt_u, (a, b) => num(unsigned(a) > unsigned(b))],
    ne: [i64.ne, (a, b) => num(a !== b)],
  }),
  ...binary("f64", "f64", {
    add: [f64.add, (a, b) => num(a) + num(b)],
    sub: [f64.sub, (a, b) => num(a) - num(b)],
    mul: [f64.mul, (a, b) => num(a) * num(b)],
    div: [f64.div, (a, b) => num(a) / num(b)],
    min: [f64.min, (a, b) => Math.min(num(a), num(b))],
    max: [f64.max, (a, b) => Math.max(num(a), num(b))],
  }),
  ...binary("f64", "i32", {
    lt: [f64.lt, (a, b) => num(a < b)],
    ge: [f64.ge, (a, b) => num(a >= b)],
    ne: [f64.ne, (a, b) => num(a !== b)],
  }),
  ...unary("i32", "i32", { eqz: [i32.eqz, (a) => num(a === 0)], clz: [i32.clz, (a) => Math.clz32(num(a))] }),
  ...unary("i64", "i32", { wrap: [i32.wrap_i64, (a) => num(BigInt.asIntN(32, big(a)))] }),
  ...unary("i32", "i64", {
    extend_s: [i64.extend_i32_s, (a) => big(a)],
    extend_u: [i64.extend_i32_u, (a) => big(u32(a))],
  }),
  ...unary("f64", "i32", { trunc_sat: [i32.trunc_sat_f64_s, (a) => num(saturate(num(a), 32n))] }),
  ...unary("f64", "i64", { trunc_sat: [i64.trunc_sat_f64_s, (a) => saturate(num(a), 64n)] }),
  ...unary("i32", "f64", {
    convert_s: [f64.convert_i32_s, (a) => a],
    convert_u: [f64.convert_i32_u, (a) => u32(a)],
  }),
  ...unary("i64", "f64", { convert_s: [f64.convert_i64_s, (a) => num(a)] }),
  ...unary("f64", "f64", {
    neg: [f64.neg, (a) => -num(a)],
    abs: [f64.abs, (a) => Math.abs(num(a))],
    floor: [f64.floor, (a) => Math.floor(num(a))],
    ceil: [f64.ceil, (a) => Math.ceil(num(a))],
    sqrt: [f64.sqrt, (a) => Math.sqrt(num(a))],
  }),
];

const truthy = (value: Value): boolean => value !== 0;

function constants(kind: Kind): fc.Arbitrary<Term> {
  const term = (value: Value, make: () => Expr<Kind>): Term => ({
    emit: make,
    value: () => value,
    text: String(value),
  });
  const corners = { min: 1, arbitrary: fc.integer() };
  switch (kind) {
    case "i32":
      return fc
        .oneof(fc.integer({ min: -3, max: 70 }), corners.arbitrary)
        .map((value) => term(value, () => i32.const(value)));
    case "i64":
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => term(value, () => i64.const(value)));
    case "f64":
      return fc.double().map((value) => term(value, () => f64.const(value)));
  }
}

function localTerm(kind: Kind): fc.Arbitrary<Term> {
  return fc.nat({ max: LOCALS - 1 }).map((index) => ({
    emit: (scope) => scope.locals[kind][index] as Expr<Kind>,
    value: (state) => state[kind][index] as Value,
    text: `${kind}#${index}`,
  }));
}

function operationTerm(operation: Operation, args: readonly Term[]): Term {
  return {
    emit: (scope) => operation.make(...(args.map((arg) => arg.emit(scope)) as never[])),
    value: (state) => operation.run(...args.map((arg) => arg.value(state))),
    text: `${operation.name}(${args.map((arg) => arg.text).join(", ")})`,
  };
}

/** select evaluates a, b, condition; ifElse the condition, then one side: with tee inside, the order shows. */
function choiceTerm(lazy: boolean, condition: Term, a: Term, b: Term): Term {
  const emit = (scope: Scope): Expr<Kind> => {
    const test = condition.emit(scope) as Expr<"i32">;
    return (lazy ? ifElse : select)(test, a.emit(scope), b.emit(scope));
  };
  const value = (state: State): Value => {
    if (lazy) return truthy(condition.value(state)) ? a.value(state) : b.value(state);
    const [left, right] = [a.value(state), b.value(state)];
    return truthy(condition.value(state)) ? left : right;
  };
  return { emit, value, text: `${lazy ? "ifElse" : "select"}(${condition.text}, ${a.text}, ${b.text})` };
}

function teeTerm(kind: Kind, index: number, inner: Term): Term {
  return {
    emit: (scope) => scope.tee(scope.locals[kind][index] as Local<Kind>, inner.emit(scope)),
    value: (state) => {
      const value = inner.value(state);
      state[kind][index] = value;
      return value;
    },
    text: `tee(${kind}#${index}, ${inner.text})`,
  };
}

const terms = fc.letrec<Record<Kind, Term>>((tie) => {
  const kind = (out: Kind): fc.Arbitrary<Term> => {
    const operations = OPERATIONS.filter((operation) => operation.out === out).map((operation) =>
      fc.tuple(...operation.in.map((from) => tie(from))).map((args) => operationTerm(operation, args)),
    );
    const self = tie(out);
    const choice = fc
      .tuple(fc.boolean(), tie("i32"), self, self)
      .map(([lazy, condition, a, b]) => choiceTerm(lazy, condition, a, b));
    const tee = fc.tuple(fc.nat({ max: LOCALS - 1 }), self).map(([index, inner]) => teeTerm(out, index, inner));
    const options = { depthSize: "medium", withCrossShrink: true } as const;
    return fc.oneof(options, localTerm(out), constants(out), ...operations, choice, choice, tee, tee);
  };
  return { i32: kind("i32"), i64: kind("i64"), f64: kind("f64") };
});

type Step =
  | { readonly kind: "set"; readonly type: Kind; readonly index: number; readonly value: Term }
  | {
      readonly kind: "if";
      readonly condition: Term;
      readonly body: readonly Step[];
      readonly otherwise: readonly Step[];
    }
  | { readonly kind: "times"; readonly count: number; readonly body: readonly Step[] }
  | { readonly kind: "switch"; readonly index: Term; readonly cases: readonly (readonly Step[])[] }
  | {
      readonly kind: "leaveIf";
      readonly condition: Term;
      readonly body: readonly Step[];
      readonly rest: readonly Step[];
    };

const steps = fc.letrec<{ step: Step; list: readonly Step[] }>((tie) => {
  const setOf = (type: Kind): fc.Arbitrary<Step> =>
    fc.record({
      kind: fc.constant("set" as const),
      type: fc.constant(type),
      index: fc.nat(LOCALS - 1),
      value: terms[type],
    });
  const list = tie("list");
  const condition = terms.i32;
  return {
    list: fc.array(tie("step"), { maxLength: 4, depthIdentifier: "steps" }),
    step: fc.oneof(
      { depthIdentifier: "steps", maxDepth: 4, withCrossShrink: true },
      fc.oneof(setOf("i32"), setOf("i64"), setOf("f64")),
      fc.record({ kind: fc.constant("if" as const), condition, body: list, otherwise: list }),
      fc.record({ kind: fc.constant("times" as const), count: fc.nat(3), body: list }),
      fc.record({ kind: fc.constant("switch" as const), index: condition, cases: fc.array(list, { maxLength: 4 }) }),
      fc.record({ kind: fc.constant("leaveIf" as const), condition, body: list, rest: list }),
    ),
  };
});

function interpret(list: readonly Step[], state: State): void {
  for (const step of list) {
    switch (step.kind) {
      case "set":
        state[step.type][step.index] = step.value.value(state);
        break;
      case "if":
        interpret(truthy(step.condition.value(state)) ? step.body : step.otherwise, state);
        break;
      case "times":
        for (let i = 0; i < step.count; i++) interpret(step.body, state);
        break;
      case "switch":
        interpret(step.cases[u32(step.index.value(state))] ?? [], state);
        break;
      case "leaveIf":
        interpret(step.body, state);
        if (!truthy(step.condition.value(state))) interpret(step.rest, state);
        break;
    }
  }
}

type Fn = ReturnType<typeof makeFunction>;

function emitSwitch(f: Fn, step: Extract<Step, { kind: "switch" }>, scope: Scope): void {
  f.block((end) => {
    const nest = (at: number, labels: Parameters<typeof f.br>[0][]): void => {
      if (at < 0) return f.brTable(labels.reverse(), end, step.index.emit(scope) as Expr<"i32">);
      f.block((label) => nest(at - 1, [...labels, label]));
      emitSteps(f, step.cases[at] ?? [], scope);
      f.br(end);
    };
    nest(step.cases.length - 1, []);
  });
}

function emitSteps(f: Fn, list: readonly Step[], scope: Scope): void {
  for (const step of list) {
    switch (step.kind) {
      case "set":
        f.set(scope.locals[step.type][step.index] as Local<Kind>, step.value.emit(scope));
        break;
      case "if":
        f.if(
          step.condition.emit(scope) as Expr<"i32">,
          () => emitSteps(f, step.body, scope),
          () => emitSteps(f, step.otherwise, scope),
        );
        break;
      case "times": {
        const i = f.local("i32", "i");
        f.set(i, 0);
        f.while(i32.lt_s(i, step.count), () => {
          emitSteps(f, step.body, scope);
          f.set(i, i32.add(i, 1));
        });
        break;
      }
      case "switch":
        emitSwitch(f, step, scope);
        break;
      case "leaveIf":
        f.block((out) => {
          emitSteps(f, step.body, scope);
          f.brIf(out, step.condition.emit(scope) as Expr<"i32">);
          emitSteps(f, step.rest, scope);
        });
        break;
    }
  }
}

function makeFunction(m: ModuleBuilder) {
  return m.function("run", { params: {}, results: [], export: true });
}

/** Runs the steps and leaves all locals in memory, in the order i32s, i64s, f64s, eight bytes each. */
function program(m: ModuleBuilder, list: readonly Step[]): void {
  const f = makeFunction(m);
  const all = <K extends Kind>(kind: K) => Array.from({ length: LOCALS }, () => f.local(kind, kind));
  // Interleaved with loop counters and declared out of type order on purpose.
  const locals = { f64: all("f64"), i32: all("i32"), i64: all("i64") };
  emitSteps(f, list, { locals, tee: (local, value) => f.tee(local, value) });
  locals.i32.forEach((local, i) => f.emit(i32.store(0, local, i * 8)));
  locals.i64.forEach((local, i) => f.emit(i64.store(0, local, (LOCALS + i) * 8)));
  locals.f64.forEach((local, i) => f.emit(f64.store(0, local, (2 * LOCALS + i) * 8)));
}

it("random programs compute what their interpretation computes, and wabt encodes their text the same", () => {
  const seed = Number(process.env.SEED ?? (Math.random() * 2 ** 31) | 0);
  console.log(`random programs: SEED=${seed}`);
  const property = fc.property(fc.array(steps.step, { minLength: 1, maxLength: 6 }), (list) => {
    const state: State = { i32: [0, 0, 0], i64: [0n, 0n, 0n], f64: [0, 0, 0] };
    interpret(list, state);
    const { exports, memory } = instantiate(verified((m) => program(m, list)));
    exports.run();
    const view = new DataView(memory.buffer);
    for (let i = 0; i < LOCALS; i++) {
      expect(view.getInt32(i * 8, true)).toBe(state.i32[i]);
      expect(view.getBigInt64((LOCALS + i) * 8, true)).toBe(state.i64[i]);
      expect(view.getFloat64((2 * LOCALS + i) * 8, true)).toBe(state.f64[i]);
    }
  });
  fc.assert(property, { seed, numRuns: 150, endOnFailure: true });
});
