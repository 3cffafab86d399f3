export { parquetSource } from "./source.ts";
