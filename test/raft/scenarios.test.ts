import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Interpreter } from "./interpreter.ts";

const folder = Bun.fileURLToPath(new URL("scenarios/", import.meta.url));

/**
 * A scenario is comments (`#`), and commands (`> `) each followed by its output. With UPDATE=1 the outputs are rewritten:
 * read the difference before it is committed.
 */
function replay(text: string): string {
  const interpreter = new Interpreter();
  const lines: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("> ")) {
      lines.push(line);
      for (const output of interpreter.run(line.slice(2))) lines.push(`  ${output}`);
    } else if (line.startsWith("#") || line.trim() === "") {
      lines.push(line);
    } else if (!line.startsWith("  ")) {
      throw new Error(`Neither comment, command nor output: ${line}`);
    }
  }
  return lines.join("\n");
}

for (const file of readdirSync(folder).sort()) {
  test(file.replaceAll("_", " ").replace(".txt", ""), () => {
    const text = readFileSync(folder + file, "utf8");
    const replayed = replay(text);
    if (process.env["UPDATE"] === "1") writeFileSync(folder + file, replayed);
    else expect(replayed).toBe(text);
  });
}
