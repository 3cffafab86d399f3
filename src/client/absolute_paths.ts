import { type ConnectorSpec, inputsOf, type LogicalNode, type LogicalPlan, numberOperators } from "../plan/mod.ts";

const URL_LIKE = /^[a-z][a-z0-9+.-]+:\/\//i;

/**
 * The dataflow with the paths of its files made absolute: nodes run in directories of their own. Operators keep their ids.
 */
export function withAbsolutePaths(plan: LogicalPlan, absolute: (path: string) => string): LogicalPlan {
  const pathOf = (path: string) => (URL_LIKE.test(path) ? path : absolute(path));
  const specs = new Map<ConnectorSpec, ConnectorSpec>();
  const specOf = (spec: ConnectorSpec) => {
    const known = specs.get(spec) ?? withPaths(spec, pathOf);
    specs.set(spec, known);
    return known;
  };
  const done = new Map<LogicalNode, LogicalNode>();
  // Inputs come before those who read them.
  for (const node of numberOperators(plan).keys()) done.set(node, rewritten(node, done, specOf));
  return Object.freeze({ ...plan, roots: Object.freeze(plan.roots.map((root) => done.get(root) ?? root)) });
}

function rewritten(
  node: LogicalNode,
  done: ReadonlyMap<LogicalNode, LogicalNode>,
  specOf: (spec: ConnectorSpec) => ConnectorSpec,
): LogicalNode {
  const of = (input: LogicalNode) => done.get(input) ?? input;
  const hasChanged = inputsOf(node).some((input) => of(input) !== input);
  switch (node.kind) {
    case "scan": {
      const source = specOf(node.source);
      return source === node.source ? node : Object.freeze({ ...node, source });
    }
    case "sink":
      return Object.freeze({ ...node, input: of(node.input), sink: specOf(node.sink) });
    case "join":
      return hasChanged ? Object.freeze({ ...node, left: of(node.left), right: of(node.right) }) : node;
    case "union":
      return hasChanged ? Object.freeze({ ...node, inputs: Object.freeze(node.inputs.map(of)) }) : node;
    default:
      return hasChanged ? Object.freeze({ ...node, input: of(node.input) }) : node;
  }
}

function withPaths(spec: ConnectorSpec, pathOf: (path: string) => string): ConnectorSpec {
  const { paths, path, onBadRow } = spec.options;
  const changed: Record<string, unknown> = {};
  if (Array.isArray(paths)) {
    changed["paths"] = paths.map((each: unknown) => (typeof each === "string" ? pathOf(each) : each));
  }
  if (typeof path === "string") changed["path"] = pathOf(path);
  if (typeof onBadRow === "object" && onBadRow !== null && "path" in onBadRow && typeof onBadRow.path === "string") {
    changed["onBadRow"] = { ...onBadRow, path: pathOf(onBadRow.path) };
  }
  if (Object.keys(changed).length === 0) return spec;
  return Object.freeze({ ...spec, options: Object.freeze({ ...spec.options, ...changed }) });
}
