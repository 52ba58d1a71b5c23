import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { packImage } from "../image/archive.ts";
import { archiveLayer } from "../image/layers.ts";
import { sandboxImage } from "./configuration.ts";

const run = promisify(execFile);

/** Makes an archive of an image that holds nothing but busybox, by all its names; it sleeps if nothing else is asked of it, as a sandbox does. */
export async function packBusybox(busybox: string, folder: string): Promise<string> {
  const tree = join(folder, "tree");
  for (const name of ["bin", "tmp"]) await mkdir(join(tree, name), { recursive: true });
  await chmod(join(tree, "tmp"), 0o1777);
  await copyFile(busybox, join(tree, "bin", "busybox"));
  const { stdout } = await run(busybox, ["--list"]);
  for (const name of stdout.trim().split("\n")) if (name !== "busybox") await symlink("busybox", join(tree, "bin", name));
  const layer = await archiveLayer(tree, join(folder, "layer.tar"));
  await rm(tree, { recursive: true });
  const archive = join(folder, "busybox.tar");
  const configuration = { Cmd: ["/bin/sleep", "2147483647"], Env: ["PATH=/bin"], WorkingDir: "/" };
  await packImage(archive, sandboxImage, [layer], configuration, join(folder, "archive"));
  return archive;
}
