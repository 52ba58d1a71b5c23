/**
 * A real PostgreSQL for tests and benchmarks, on loopback, with a port and a data folder of its own. The machine's packages are used, and
 * installed with apt-get where they are absent and we may; it runs as an unprivileged user, and ends with `stop()`, or with this process
 * however that dies.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { accessSync, constants, existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, chown, mkdtemp, writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { Component } from "../control-plane/component.ts";
import { freePorts } from "../control-plane/free-ports.ts";
import { MissingComponent } from "../control-plane/missing-component.ts";
import { Watchdog } from "../control-plane/watchdog.ts";

const run = promisify(execFile);
const installWithinMs = 300_000;
const cure = "install it (apt-get install postgresql), or put initdb and postgres on the PATH";

/** A server that accepts connections. */
export interface Postgres {
  /** Of a superuser, without the password. */
  readonly url: string;
  readonly password: string;
  /** The same with the password in it. */
  readonly urlWithPassword: string;
  /** SIGSTOP and SIGCONT of the server and all its backends: connections stay, answers do not come. */
  pause(): void;
  resume(): void;
  /** SIGKILL of all of it. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data; resolves when it accepts connections. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a server; throws MissingComponent where PostgreSQL cannot be had. */
export async function startPostgres(options: { readonly args?: readonly string[] } = {}): Promise<Postgres> {
  const folder = await findBinaries();
  const user = await unprivilegedUser();
  const watchdog = new Watchdog();
  const root = await mkdtemp(join(tmpdir(), "nuptse-postgres-"));
  watchdog.removeAtEnd(root);
  const password = randomBytes(12).toString("hex");
  const passwordFile = join(root, "password");
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (user !== undefined) {
    await chmod(root, 0o700);
    for (const path of [root, passwordFile]) await chown(path, user.uid, user.gid);
  }
  const data = join(root, "data");
  const initdb = ["-D", data, "-U", "nuptse", "-A", "scram-sha-256", `--pwfile=${passwordFile}`, "-E", "UTF8", "--locale=C", "--no-sync"];
  await run(join(folder, "initdb"), initdb, { ...user, cwd: root });
  const [port = 0] = await freePorts(1);
  const server = [
    ...["-D", data, "-p", String(port), "-c", "listen_addresses=127.0.0.1", "-c", `unix_socket_directories=${root}`],
    // Tests look at rows, not at power failures.
    ...["-c", "fsync=off", "-c", "max_connections=40", ...(options.args ?? [])],
  ];
  const [command, args] = asUser(user, join(folder, "postgres"), server);
  const component = new Component({
    name: "postgres",
    binary: command,
    args,
    logPath: join(root, "log"),
    watchdog,
    isReady: () => accepts(port),
  });
  const start = async () => {
    component.launch();
    await component.ready();
  };
  const signalAll = (signal: NodeJS.Signals) => {
    const main = component.pid;
    if (main === undefined) return;
    for (const pid of [main, ...childrenOf(main)]) signalOne(pid, signal);
  };
  await start();
  const address = `127.0.0.1:${port}/postgres`;
  return {
    url: `postgres://nuptse@${address}`,
    password,
    urlWithPassword: `postgres://nuptse:${password}@${address}`,
    pause: () => signalAll("SIGSTOP"),
    resume: () => signalAll("SIGCONT"),
    async kill() {
      signalAll("SIGKILL");
      await component.end();
    },
    start,
    async stop() {
      signalAll("SIGCONT");
      // SIGINT: sessions are ended, not waited for.
      await component.kill("SIGINT");
      await watchdog.close();
    },
  };
}

/** The folder of initdb and postgres; installs the package where it is absent, we are root, and apt-get is there. */
async function findBinaries(): Promise<string> {
  const found = binariesFolder();
  if (found !== undefined) return found;
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) throw new MissingComponent("postgres", cure);
  console.error("installing PostgreSQL with apt-get (once) ...");
  try {
    const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const install = ["install", "-y", "--no-install-recommends", "postgresql"];
    await run("apt-get", install, { env: environment, timeout: installWithinMs, maxBuffer: 64 * 2 ** 20 });
  } catch (error) {
    throw new MissingComponent("postgres", `apt-get install postgresql failed; ${cure}`, { cause: error });
  }
  const installed = binariesFolder();
  if (installed === undefined) throw new MissingComponent("postgres", cure);
  return installed;
}

function binariesFolder(): string | undefined {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => join(debian, version, "bin")), ...(process.env.PATH ?? "").split(delimiter)];
  return folders.find((folder) => ["initdb", "postgres"].every((name) => isExecutable(join(folder, name))));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** PostgreSQL refuses to run as root; undefined = we are not. */
async function unprivilegedUser(): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ["postgres", "nobody"]) {
    try {
      const [uid, gid] = await Promise.all(["-u", "-g"].map(async (flag) => Number((await run("id", [flag, name])).stdout)));
      if (uid !== undefined && gid !== undefined) return { uid, gid };
    } catch {
      // the next one
    }
  }
  throw new MissingComponent("postgres", "there is no unprivileged user to run it as");
}

/** The component that is started must be the server itself, since it is stopped by its process id. */
function asUser(
  user: { readonly uid: number; readonly gid: number } | undefined,
  binary: string,
  args: readonly string[],
): readonly [string, readonly string[]] {
  if (user === undefined) return [binary, args];
  return ["setpriv", [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups", binary, ...args]];
}

/** Whether the server answers a request for TLS, which it does before it knows anybody. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = new Socket();
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1000, () => end(false));
    socket.once("error", () => end(false));
    socket.once("data", () => end(true));
    // SSLRequest of the protocol: length 8, code 80877103.
    socket.connect(port, "127.0.0.1", () => socket.write(Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])));
  });
}

function childrenOf(parent: number): readonly number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === parent ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

function signalOne(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended
  }
}
