/** LIKE with a literal pattern: `%` any text, `_` one code point, `\` takes the next character as it is. */
import { invariant } from "../../kernel/mod.ts";
import type { TypedCall } from "../../plan/mod.ts";
import { type Expr, i32, ifElse } from "../../wasm/mod.ts";
import { LIKE_STEP, likeMatch } from "../kernels/like.ts";
import { findText } from "../kernels/text.ts";
import type { RowScope } from "../scope.ts";
import type { Value } from "../value.ts";
import { literalBytes } from "./literals.ts";
import { bytesOf, guardedValue, keep, nullValue, strictOperands } from "./support.ts";
import { endsWithText, equalsText, literalText, startsWithText, type Text } from "./text_tests.ts";

type Token =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "one" }
  | { readonly kind: "anything" };

/** The pattern's tokens: neighbouring texts and neighbouring `%` are one. */
export function likeTokens(pattern: string): Token[] {
  const tokens: Token[] = [];
  let text = "";
  const endText = (): void => {
    if (text !== "") tokens.push({ kind: "text", text });
    text = "";
  };
  const characters = Array.from(pattern);
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i] as string;
    if (character === "\\" && i + 1 < characters.length) text += characters[++i];
    else if (character === "_") {
      endText();
      tokens.push({ kind: "one" });
    } else if (character === "%") {
      endText();
      if (tokens.at(-1)?.kind !== "anything") tokens.push({ kind: "anything" });
    } else text += character;
  }
  endText();
  return tokens;
}

export function compileLike(scope: RowScope, call: TypedCall): Value {
  const pattern = call.args[1];
  invariant(pattern?.kind === "literal", "the pattern of like is a literal");
  if (pattern.value === null) return nullValue(call.type);
  const tokens = likeTokens(String(pattern.value));
  const { args, isNull } = strictOperands(scope, { ...call, args: call.args.slice(0, 1) });
  return guardedValue(scope, call.type, isNull, () => {
    const text = bytesOf(args[0] as Value);
    return { repr: "i32", value: keep(scope, matches(scope, text, tokens), "like") };
  });
}

function matches(scope: RowScope, text: Text, tokens: readonly Token[]): Expr<"i32"> {
  if (tokens.some(({ kind }) => kind === "one")) return matchSteps(scope, text, tokens);
  const texts = tokens.flatMap((token) =>
    token.kind === "text" ? [literalText(scope, literalBytes(token.text))] : [],
  );
  if (tokens.length === 0) return i32.eqz(text.bytes);
  if (!tokens.some(({ kind }) => kind === "anything")) return equalsText(text, texts[0] as Text);
  return matchParts(scope, text, {
    prefix: tokens[0]?.kind === "text" ? (texts.shift() ?? null) : null,
    suffix: tokens.at(-1)?.kind === "text" ? (texts.pop() ?? null) : null,
    middle: texts,
  });
}

/** `prefix%middle%…%suffix`: the ends are fixed, each part between is found as early as possible. */
function matchParts(
  scope: RowScope,
  text: Text,
  parts: { prefix: Text | null; suffix: Text | null; middle: readonly Text[] },
): Expr<"i32"> {
  const { prefix, suffix, middle } = parts;
  if (middle.length === 0 && suffix === null) return prefix === null ? i32.const(1) : startsWithText(text, prefix);
  if (middle.length === 0 && prefix === null && suffix !== null) return endsWithText(text, suffix);
  const { f } = scope;
  const result = f.local("i32", "matches");
  const ends = [prefix, suffix].filter((end) => end !== null);
  const endBytes = ends.reduce<Expr<"i32">>((sum, end) => i32.add(sum, end.bytes), i32.const(0));
  f.set(result, i32.ge_u(text.bytes, endBytes));
  if (prefix !== null) f.set(result, ifElse(result, startsWithText(text, prefix), 0));
  if (suffix !== null) f.set(result, ifElse(result, endsWithText(text, suffix), 0));
  const at = f.local("i32", "at");
  const left = f.local("i32", "left");
  const found = f.local("i32", "found");
  f.set(at, prefix === null ? text.address : i32.add(text.address, prefix.bytes));
  f.set(left, i32.sub(text.bytes, endBytes));
  const from = (index: number): void => {
    const part = middle[index];
    if (part === undefined) return;
    scope.if(result, () => {
      f.set(found, findText.call(at, left, part.address, part.bytes));
      f.set(result, i32.ge_s(found, 0));
      f.set(found, i32.add(found, part.bytes));
      f.set(at, i32.add(at, found));
      f.set(left, i32.sub(left, found));
      from(index + 1);
    });
  };
  from(0);
  return result;
}

function matchSteps(scope: RowScope, text: Text, tokens: readonly Token[]): Expr<"i32"> {
  const steps = tokens.flatMap((token) => {
    if (token.kind === "one") return [LIKE_STEP.oneCodePoint, 0];
    if (token.kind === "anything") return [LIKE_STEP.anything, 0];
    return [...literalBytes(token.text)].flatMap((byte) => [LIKE_STEP.byte, byte]);
  });
  const pattern = literalText(scope, Uint8Array.from(steps));
  return likeMatch.call(text.address, text.bytes, pattern.address, i32.const(steps.length / 2));
}
