/**
 * Where tests get real executors of XXL-JOB from: the published jars, through Maven and kept in the cache. Maven takes them from wherever this
 * machine's settings say, and checks their sums.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, globSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "../../src/base/cache-folder.ts";
import { withBuildLock } from "../control-plane/build-lock.ts";
import { MissingComponent } from "../control-plane/missing-component.ts";

const run = promisify(execFile);
const fetchWithinMs = 300_000;
const copyJars = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/** The jars of com.xuxueli:xxl-job-core and of all that it needs, fetched once (seconds). Throws MissingComponent where they cannot be had. */
export async function ensureXxlJobCore(version: string): Promise<readonly string[]> {
  const folder = join(cacheFolder(), "xxl-job-core", version);
  if (!existsSync(folder)) {
    await withBuildLock(join(cacheFolder(), "xxl-job-core"), async () => {
      // another process may have fetched them while this one waited
      if (!existsSync(folder)) await fetchJars(version, folder);
    });
  }
  return globSync("*.jar", { cwd: folder })
    .sort()
    .map((name) => join(folder, name));
}

async function fetchJars(version: string, folder: string): Promise<void> {
  const staged = `${folder}.${randomBytes(4).toString("hex")}`;
  console.error(`fetching xxl-job-core ${version} with Maven (once) ...`);
  try {
    await mkdir(join(staged, "jars"), { recursive: true });
    await writeFile(join(staged, "pom.xml"), pom(version));
    const args = ["-B", "-q", "-C", "-f", join(staged, "pom.xml"), copyJars];
    await run("mvn", [...args, "-DincludeScope=runtime", `-DoutputDirectory=${join(staged, "jars")}`], {
      timeout: fetchWithinMs,
      maxBuffer: 64 * 2 ** 20,
    });
    await rename(join(staged, "jars"), folder);
  } catch (error) {
    const what = (error as NodeJS.ErrnoException).code === "ENOENT" ? "there is no mvn on the PATH" : `Maven failed: ${lastLine(error)}`;
    throw new MissingComponent(`xxl-job-core ${version}`, `${what}; install Maven, and let it reach a repository`, { cause: error });
  } finally {
    await rm(staged, { recursive: true, force: true });
  }
}

const pom = (version: string): string => `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>dev.nuptse.test</groupId>
  <artifactId>executor</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>com.xuxueli</groupId>
      <artifactId>xxl-job-core</artifactId>
      <version>${version}</version>
    </dependency>
  </dependencies>
</project>
`;

function lastLine(error: unknown): string {
  const { stdout = "", message } = error as { readonly stdout?: string; readonly message: string };
  return (
    stdout
      .trim()
      .split("\n")
      .find((line) => line.includes("ERROR")) ?? message
  );
}
