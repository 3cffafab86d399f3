/** Items of several streams as they come; ends with the last of them. What one of them throws goes to `failed`. */
export async function* merged<T>(
  streams: readonly AsyncIterator<T>[],
  failed: (error: unknown) => void,
): AsyncGenerator<T, void> {
  type Next = { readonly at: number; readonly result: IteratorResult<T> | null };
  const next = (at: number): Promise<Next> =>
    (streams[at] as AsyncIterator<T>).next().then(
      (result) => ({ at, result }),
      (error: unknown) => {
        failed(error);
        return { at, result: null };
      },
    );
  const open = new Map(streams.map((_, at) => [at, next(at)]));
  try {
    while (open.size > 0) {
      const { at, result } = await Promise.race(open.values());
      if (result === null || result.done === true) {
        open.delete(at);
        continue;
      }
      open.set(at, next(at));
      yield result.value;
    }
  } finally {
    for (const at of open.keys()) void streams[at]?.return?.();
  }
}
