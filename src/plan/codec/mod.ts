export { connectorSpec as connectorShape, schemaShape } from "./common_shape.ts";
export { GRAPH_BYTES_MAX } from "./graph.ts";
export { decodeGraph } from "./graph_decoder.ts";
export { encodeGraph } from "./graph_encoder.ts";
export { boundPlanShape, decodeLogicalPlan, decodePlan, encodeLogicalPlan, encodePlan } from "./plans.ts";
export * as shape from "./shape.ts";
