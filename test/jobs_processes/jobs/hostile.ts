/** A function that does what it is asked to, once it has seen some rows. */
import { dataflow, param, Stream } from "sage";

const HABITS = [
  "none",
  "loop",
  "memory",
  "exit",
  "throw text",
  "throw undefined",
  "reject",
  "throw later",
  "flood",
  "start processes",
  "kill itself",
] as const;
const params = { habit: param.oneOf(HABITS, { default: "none" }), lines: param.int({ default: 100_000 }) };
const AT_ROW = 3n;

function misbehave(habit: string, lines: number): void {
  switch (habit) {
    case "loop":
      for (;;);
    case "memory": {
      const all: Uint8Array[] = [];
      for (;;) all.push(new Uint8Array(16 << 20).fill(1));
    }
    case "exit":
      return process.exit(7);
    case "throw text":
      throw "only a text" as unknown as Error;
    case "throw undefined":
      throw undefined as unknown as Error;
    case "reject":
      void Promise.reject(new Error("nobody catches this"));
      return;
    case "throw later":
      setTimeout(() => {
        throw new Error("thrown later");
      });
      return;
    case "flood":
      for (let line = 0; line < lines; line++) console.log("x".repeat(1_000));
      return;
    case "kill itself":
      process.kill(process.pid, "SIGKILL");
      for (;;);
    case "start processes":
      for (let count = 0; count < 3; count++) Bun.spawn(["sleep", "300"]);
      return;
  }
}

export default dataflow("hostile", { params }, ({ habit, lines }) =>
  Stream.generate(10).map(
    (row) => {
      if (row.index === AT_ROW) misbehave(habit, lines);
      return { index: row.index };
    },
    { index: "int64" },
  ),
);
