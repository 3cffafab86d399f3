/**
 * Dictionaries on their way. Each batch may bring its own, and batches that are joined have all of their values: what a
 * narrow index type counted to in every file need not be enough. So indices travel with 32 bits, and have the type of the
 * exchange again on the other side.
 */
import { type Batch, type Column, type DataType, dictionary, type Field, type Schema } from "../arrow/mod.ts";

const WIDE = "int32";

/** The schema itself where it has no dictionaries with other indices. */
export function withWideIndices(of: Schema): Schema {
  const fields = of.fields.map(wideField);
  return fields.every((each, i) => each === of.fields[i]) ? of : { fields };
}

function wideField(field: Field): Field {
  const type = wideType(field.type);
  return type === field.type ? field : { ...field, type };
}

function wideType(type: DataType): DataType {
  switch (type.kind) {
    case "dictionary":
      return type.index === WIDE ? type : dictionary(type.value, WIDE, { ordered: type.ordered });
    case "list": {
      const item = wideField(type.item);
      return item === type.item ? type : { ...type, item };
    }
    case "struct": {
      const { fields } = withWideIndices(type);
      return fields === type.fields ? type : { ...type, fields };
    }
    default:
      return type;
  }
}

/** The batch with the types of `of`, which differ from its own only in their indices. */
export function retyped(batch: Batch, of: Schema): Batch {
  if (batch.schema === of) return batch;
  const columns = batch.columns.map((column, i) => retypedColumn(column, of.fields[i]?.type ?? column.type));
  return { ...batch, schema: of, columns };
}

function retypedColumn(column: Column, type: DataType): Column {
  if (column.type.kind !== type.kind) return column;
  switch (type.kind) {
    case "dictionary":
      return { ...column, type };
    case "list":
      return { ...column, type, children: column.children.map((child) => retypedColumn(child, type.item.type)) };
    case "struct": {
      const children = column.children.map((child, i) => retypedColumn(child, type.fields[i]?.type ?? child.type));
      return { ...column, type, children };
    }
    default:
      return column;
  }
}
