import { type ChildProcess, spawn } from "node:child_process";

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
`;

/**
 * Ends process groups when this process ends, even by kill -9: a watchdog process of its own session holds the other end of a pipe. Not
 * covered are programs that leave their group (setsid) and a group whose start and the death of this process fall into one instant.
 */
export class ProcessGuard {
  #watchdog: ChildProcess | undefined;

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
    const watchdog = spawn("/bin/sh", ["-c", script], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
    // Without a watchdog the playground still works: only a kill -9 of it leaves processes behind.
    watchdog.on("error", () => undefined);
    watchdog.stdin?.on("error", () => undefined);
    watchdog.unref();
    (watchdog.stdin as unknown as { unref?: () => void }).unref?.();
    return watchdog;
  }
}
