import { expect, it } from "vitest";
import { decodeOutline, encodeOutline, taskGraph } from "../../../src/jobs/mod.ts";
import { encodeValue } from "../../../src/protocol/mod.ts";
import { FLOW_NAMES, planOf } from "../machine/plans.ts";

it("the outline of a plan has the same tasks and regions as the plan", () => {
  for (const name of FLOW_NAMES) {
    for (const pipelines of [false, true]) {
      const plan = planOf(name, { parallelism: 3, pipelines });
      const outline = decodeOutline(encodeOutline(plan));
      expect(JSON.parse(JSON.stringify(taskGraph(outline)))).toEqual(JSON.parse(JSON.stringify(taskGraph(plan))));
      expect(outline.labels).toHaveLength(plan.fragments.length);
    }
  }
});

it("an outline says what a fragment does and which files are written", () => {
  const outline = decodeOutline(encodeOutline(planOf("sink", { parallelism: 2 })));
  expect(outline.sinkPaths).toEqual(["out.csv"]);
  expect(outline.labels[0]).toContain("memory");
  expect(outline.labels.at(-1)).toMatch(/→ csv$/);
});

it("what is no outline, or has too many tasks, is refused", () => {
  const outline = decodeOutline(encodeOutline(planOf("sink", { parallelism: 2 })));
  const bad = (change: object) => () => decodeOutline(encodeValue({ ...outline, ...change }));
  expect(bad({ fragments: [{ ...outline.fragments[0], id: 1 }] })).toThrow("do not fit together");
  const many = Array.from({ length: 6 }, (_, id) => ({
    id,
    parallelism: 4_000,
    inputs: [],
    output: { kind: "client", root: 0 },
    isRepeatable: true,
  }));
  expect(bad({ fragments: many, exchanges: [] })).toThrow("24000 tasks: there may be 20000");
  expect(bad({ rootCount: -1 })).toThrow("rootCount");
});
