/** Refusals of the operating system in words, for messages that say what was tried. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EDQUOT: "the disk quota is used up",
  EEXIST: "a file is in the way",
  EISDIR: "it is a directory",
  ENAMETOOLONG: "the name is too long",
  ENOENT: "there is no such directory",
  ENOSPC: "no space left on the device",
  ENOTDIR: "part of the path is a file",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
};

export function systemReason(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  const known = typeof code === "string" ? REASONS[code] : undefined;
  return known ?? (error instanceof Error ? error.message : String(error));
}

/** True for errors that the operating system gave. */
export function isSystemError(error: unknown): boolean {
  return typeof (error as { code?: unknown } | null)?.code === "string" && "syscall" in (error as object);
}
