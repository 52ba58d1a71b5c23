import { type ChildProcess, spawn } from "node:child_process";
import { containerIdVariable } from "./process-strays.ts";

/**
 * Reads "add <group>" and "del <group>" lines. At the end of its input, which the kernel brings about however the parent dies, it kills
 * what is left. Plain sh, so that it costs no Node process.
 */
const script = `
groups=" "
while read -r verb group; do
  case $verb in
    add) groups="$groups$group " ;;
    del) case $groups in *" $group "*) groups="\${groups%%" $group "*} \${groups#*" $group "}" ;; esac ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
for file in $(grep -s -l -a "${containerIdVariable}=$1" /proc/[0-9]*/environ); do
  pid=\${file#/proc/}
  kill -s KILL "\${pid%/environ}" 2>/dev/null
done
`;

/**
 * Ends process groups when this process ends, even by kill -9: a watchdog process of its own session holds the other end of a pipe. Not
 * covered is a group whose start and the death of this process fall into one instant, and where there is no /proc, programs that leave their group.
 */
export class ProcessGuard {
  readonly #idPrefix: string;
  #watchdog: ChildProcess | undefined;

  /** @param idPrefix what the ids of all containers begin with; nobody else's may */
  constructor(idPrefix: string) {
    this.#idPrefix = idPrefix;
  }

  add(group: number): void {
    this.#watchdog ??= this.#start();
    this.#watchdog.stdin?.write(`add ${group}\n`);
  }

  remove(group: number): void {
    this.#watchdog?.stdin?.write(`del ${group}\n`);
  }

  /** Kills what is left and ends the watchdog. */
  close(): void {
    this.#watchdog?.stdin?.end();
    this.#watchdog = undefined;
  }

  #start(): ChildProcess {
    const watchdog = spawn("/bin/sh", ["-c", script, "sh", this.#idPrefix], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
    // Without a watchdog the playground still works: only a kill -9 of it leaves processes behind.
    watchdog.on("error", () => undefined);
    watchdog.stdin?.on("error", () => undefined);
    watchdog.unref();
    (watchdog.stdin as unknown as { unref?: () => void }).unref?.();
    return watchdog;
  }
}
