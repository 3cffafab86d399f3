/** A file embedded into the executable: its path there. */
declare module "*.wasm" {
  const path: string;
  export default path;
}
