import type { JobHandle } from "../../client/mod.ts";
import type { Terminal } from "../../platform/mod.ts";
import { EXIT } from "../error.ts";
import type { LiveLines } from "../live_lines.ts";

const CANCEL_MS = 5_000;

/** What a process ends with after Ctrl-C; after SIGTERM it is another one. */
const CTRL_C = 130;

/**
 * Ctrl-C while a job on the cluster is watched. A person is asked whether it shall be cancelled; a second Ctrl-C leaves it
 * running. Where nobody can answer, the job is cancelled, and so it is by SIGTERM, which is not sent to be asked back.
 */
export class Interrupts {
  readonly #on: Terminal;
  readonly #handle: JobHandle;
  readonly #live: LiveLines;
  readonly #end: () => void;
  #release: () => void;
  #asking: Promise<void> = Promise.resolve();
  #exitCode: number | null = null;

  constructor(on: Terminal, of: { readonly handle: JobHandle; readonly live: LiveLines; readonly end: () => void }) {
    this.#on = on;
    this.#handle = of.handle;
    this.#live = of.live;
    this.#end = of.end;
    this.#release = this.#listen();
  }

  /** What the process ends with because of Ctrl-C; null as long as it goes on. */
  get exitCode(): number | null {
    return this.#exitCode;
  }

  /** Nothing is printed between question and answer. */
  answered(): Promise<void> {
    return this.#asking;
  }

  close(): void {
    this.#release();
  }

  #listen(): () => void {
    return this.#on.onInterrupt((code) => {
      this.#asking = this.#on.isInteractive && code === CTRL_C ? this.#ask(code) : this.#cancel(code);
    });
  }

  async #ask(code: number): Promise<void> {
    const { number } = this.#handle;
    const isActive = this.#live.isActive;
    this.#live.stop();
    await this.#live.erase();
    const again = Promise.withResolvers<number>();
    this.#release();
    this.#release = this.#on.onInterrupt(again.resolve);
    await this.#on.err.write(
      `\nJob ${number} runs on the cluster. [c]ancel it, [d]etach and leave it running (or Ctrl-C again), or Enter to go on: `,
    );
    const answer = await Promise.race([this.#on.readLine(), again.promise]);
    if (typeof answer === "number") {
      await this.#on.err.write("\n");
      return answer === CTRL_C ? this.#leave(answer) : this.#cancel(answer);
    }
    const word = answer?.trim().toLowerCase() ?? "d";
    if (word === "c" || word === "cancel") return this.#cancel(code);
    if (word === "d" || word === "detach") return this.#leave(EXIT.ok);
    if (isActive) this.#live.resume();
    this.#release();
    this.#release = this.#listen();
  }

  async #cancel(code: number): Promise<void> {
    const { number } = this.#handle;
    this.#exitCode = code;
    await this.#live.erase();
    try {
      await this.#handle.cancel({ timeoutMs: CANCEL_MS });
      await this.#on.err.write(`Job ${number} is cancelled.\n`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      await this.#on.err.write(`Job ${number} could not be cancelled: ${reason}\n`);
    }
    this.#end();
  }

  async #leave(code: number): Promise<void> {
    const { number } = this.#handle;
    this.#exitCode = code;
    await this.#on.err.write(`Job ${number} goes on. See it with: sage jobs watch ${number}\n`);
    this.#end();
  }
}
