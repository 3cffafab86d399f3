export { type Address, Arena, OWNER_COUNT_MAX, type OwnerId } from "./arena.ts";
export * from "./column.ts";
export * from "./error.ts";
export * from "./typename.ts";
export * from "./types.ts";
