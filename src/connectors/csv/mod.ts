export { csvSource } from "./source.ts";
