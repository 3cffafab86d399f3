/** Connections that say nothing, begin to greet, are encrypted and say nothing, or are guests that never ask. */
export const FLOODS = ["silent", "greeting", "encrypted", "guests"] as const;
export type FloodKind = (typeof FLOODS)[number];
