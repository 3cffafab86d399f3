import {
  type DataType,
  isBinary,
  isInteger,
  isNested,
  isNumeric,
  isString,
  isTemporal,
  typeEquals,
  valueType,
} from "../../arrow/mod.ts";

/** Whether values of one type can be written as another at all; single values may still fail. */
export function canCast(from: DataType, to: DataType): boolean {
  const [a, b] = [valueType(from), valueType(to)];
  if (typeEquals(a, b) || a.kind === "null") return true;
  if (isNested(a) || isNested(b) || b.kind === "null") return false;
  if (isString(a)) return b.kind !== "duration";
  if (isString(b)) return a.kind !== "duration";
  if (isBinary(a) || isBinary(b)) return isBinary(a) && isBinary(b);
  const number = (t: DataType) => isNumeric(t) || t.kind === "bool";
  if (number(a) && number(b)) return true;
  if (a.kind === "duration" || b.kind === "duration") return a.kind === b.kind || isInteger(a) || isInteger(b);
  return isTemporal(a) && isTemporal(b) && canCastTemporal(a.kind, b.kind);
}

function canCastTemporal(from: string, to: string): boolean {
  if (from === to) return true;
  if (from === "date32") return to === "timestamp";
  return from === "timestamp" && (to === "date32" || to === "time");
}
