/** Writes `.oxlintrc.json` and the layer table of `docs/architecture.md` from the layer table. */
import { readFileSync, writeFileSync } from "node:fs";
import {
  allowedFolders,
  ENTRY_FOLDER,
  LAYERS,
  layersAsMarkdown,
  PLATFORM_FOLDER,
  PLATFORM_GLOBALS,
  PLATFORM_MODULES,
} from "./layers.ts";

type Pattern = { regex: string; message: string };

const RULES = {
  eqeqeq: "error",
  "no-var": "error",
  "prefer-const": "error",
  "no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
  "typescript/no-explicit-any": "error",
  "typescript/no-floating-promises": "error",
  "typescript/no-misused-promises": "error",
  "typescript/await-thenable": "error",
  "typescript/only-throw-error": "error",
  "typescript/no-unsafe-assignment": "error",
  "typescript/no-unsafe-call": "error",
  "typescript/no-unsafe-return": "error",
  "typescript/no-unsafe-argument": "error",
  "typescript/no-unsafe-member-access": "error",
  "typescript/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
  "unicorn/no-thenable": "off", // `when().then()` is the user's API
} as const;

const LOOSE_IN_TESTS = [
  "no-constant-binary-expression",
  "typescript/no-base-to-string",
  "typescript/restrict-template-expressions",
];

/** Anything but `mod.ts`: the linter's regular expressions know no look-ahead. */
const NOT_MOD = "([^m]|m[^o]|mo[^d]|mod[^.]|mod\\.[^t]|mod\\.t[^s]|mod\\.ts.|(m(o(d(\\.t?)?)?)?)?$)";

function patternsFor(folder: string): Pattern[] {
  const allowed = allowedFolders(folder);
  const known = LAYERS.map((layer) => layer.folder).filter((name) => name !== folder);
  const forbidden = known.filter((name) => !allowed.includes(name));
  const patterns: Pattern[] = [
    { regex: "^\\.\\.?/mod\\.ts$", message: "Inside a folder import the file itself, not its mod.ts." },
    { regex: "^(\\./|(\\.\\./)+)(src|test|bench|scripts|examples|docs)/", message: "src/ imports nothing outside it." },
    { regex: "^sage$", message: "src/ does not import the library's entry." },
  ];
  if (folder !== ENTRY_FOLDER) {
    patterns.push({ regex: "^(\\.\\./){2,}mod\\.ts$", message: "src/ does not import the library's entry." });
  }
  if (forbidden.length > 0) {
    patterns.push({
      regex: `^(\\.\\./)+(${forbidden.join("|")})/`,
      message: `${folder}/ imports only folders of rows below its own (scripts/layers.ts).`,
    });
  }
  if (allowed.length > 0) {
    patterns.push({
      regex: `^(\\.\\./)+(${allowed.join("|")})/${NOT_MOD}`,
      message: "Outside a folder import only its mod.ts.",
    });
  }
  if (folder !== PLATFORM_FOLDER) {
    patterns.push({ regex: PLATFORM_MODULES, message: `Only ${PLATFORM_FOLDER}/ names the runtime: use a port.` });
  }
  return patterns;
}

function platformRules() {
  const names = Object.entries(PLATFORM_GLOBALS);
  const globals = names.map(([name, use]) => ({ name, message: `Only ${PLATFORM_FOLDER}/ may: use ${use}.` }));
  const viaGlobalThis = names.map(([property, use]) => ({
    object: "globalThis",
    property,
    message: `Only ${PLATFORM_FOLDER}/ may: use ${use}.`,
  }));
  // A given instant may be taken apart with Date; the tidy test looks for `new Date()`, which a lint rule cannot tell.
  const now = { object: "Date", property: "now", message: "Use the Clock port." };
  const random = { object: "Math", property: "random", message: "Use the Random port." };
  return {
    "no-restricted-globals": ["error", ...globals],
    "no-restricted-properties": ["error", now, random, ...viaGlobalThis],
  };
}

/** The whole lint configuration as data. */
export function lintConfig() {
  const folders = LAYERS.map(({ folder }) => ({
    files: [`src/${folder}/**`],
    rules: {
      "no-restricted-imports": ["error", { patterns: patternsFor(folder) }],
      ...(folder === PLATFORM_FOLDER ? {} : platformRules()),
    },
  }));
  const tests = {
    files: ["test/**", "bench/**"],
    rules: Object.fromEntries(
      [...Object.keys(RULES).filter((name) => /no-(unsafe|explicit)/.test(name)), ...LOOSE_IN_TESTS].map((name) => [
        name,
        "off",
      ]),
    ),
  };
  return {
    $schema: "./node_modules/oxlint/configuration_schema.json",
    plugins: ["typescript", "unicorn", "oxc"],
    categories: { correctness: "error" },
    ignorePatterns: ["dist", "out", "test/data", "scripts/runtimes.mjs"],
    rules: RULES,
    overrides: [tests, ...folders],
  };
}

export const TABLE_START = "<!-- layers: written by npm run lint:rules -->";
export const TABLE_END = "<!-- /layers -->";

/** `text` with its layer table replaced by the current one. Throws when it has no place for it. */
export function withLayerTable(text: string): string {
  const start = text.indexOf(TABLE_START);
  const end = text.indexOf(TABLE_END);
  if (start < 0 || end < start) throw new Error(`No layer table: expected "${TABLE_START}" before "${TABLE_END}".`);
  return `${text.slice(0, start)}${TABLE_START}\n${layersAsMarkdown()}\n${text.slice(end)}`;
}

if (import.meta.main) {
  const root = new URL("../", import.meta.url);
  writeFileSync(new URL(".oxlintrc.json", root), `${JSON.stringify(lintConfig(), null, 2)}\n`);
  const page = new URL("docs/architecture.md", root);
  writeFileSync(page, withLayerTable(readFileSync(page, "utf8")));
}
