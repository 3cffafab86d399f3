export * from "./state/mod.ts";
