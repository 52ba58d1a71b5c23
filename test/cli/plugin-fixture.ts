import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { dump, load } from "js-yaml";
import { bundleCommand } from "../../hack/bundle/bundle-command.ts";
import { ensureBinaries } from "../../hack/control-plane/binaries.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { type Playground, startPlayground } from "../../src/simulator/harness/playground.ts";
import { skipUnless } from "../support/skip.ts";
import { createKubectl, type Kubectl, type Outcome } from "./kubectl.ts";

const root = join(import.meta.dirname, "../..");

/** `kubectl nuptse`, through the real kubectl, from the bundle, against a playground. */
export interface PluginFixture {
  readonly playground: Playground;
  readonly kubectl: Kubectl;
  /** Runs `kubectl nuptse <args>`, which are parted at blanks, whatever the exit code. */
  run(args: string, input?: string): Promise<Outcome>;
  /** Runs it and returns its standard output by {@link plain}. Throws when it fails. */
  ok(args: string, input?: string): Promise<readonly string[]>;
}

/** Call in a describe block: starts all of it before the block's tests and ends it after them. */
export function usePlugin(
  namespace: string,
  options: { readonly kubelet?: "process" | "stages"; readonly haproxy?: () => string } = {},
): () => PluginFixture {
  const binaries = skipUnless(() => ensureBinaries(["kubectl"]));
  let fixture: PluginFixture | undefined;
  before(async () => {
    const playground = await startPlayground({
      kubelet: options.kubelet ?? "stages",
      random: { next: () => Math.random() },
      clock: createSystemClock({ background: true }),
      ...(options.haproxy !== undefined && { haproxy: options.haproxy() }),
    });
    const config = load(await readFile(playground.kubeconfigPath, "utf8")) as { contexts: { context: { namespace?: string } }[] };
    for (const each of config.contexts) each.context.namespace = namespace;
    const kubectl = await createKubectl(binaries().kubectl, dump(config), namespace);
    const home = dirname(await kubectl.file("plugin/package.json", '{"type": "module"}'));
    await bundleCommand(root, { source: "src/cli/kubectl-plugin.ts", name: "kubectl-nuptse", inParts: true }, join(home, "dist"));
    await kubectl.link(join(root, "crds"), "plugin/crds");
    await kubectl.link(join(home, "dist/kubectl-nuptse.js"), "bin/kubectl-nuptse");
    await kubectl.link(join(home, "dist/kubectl-nuptse.js"), "bin/kubectl_complete-nuptse");
    await kubectl.link(process.execPath, "bin/node");
    // Plugins call it, too.
    await kubectl.link(binaries().kubectl, "bin/kubectl");
    await kubectl.ok(["create", "-f", "-"], dump({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }));
    const run = (args: string, input?: string) => kubectl.run(["nuptse", ...args.split(" ")], input);
    fixture = {
      playground,
      kubectl,
      run,
      async ok(args, input) {
        const { code, stdout, stderr } = await run(args, input);
        assert.equal(code, 0, `kubectl nuptse ${args}: ${stderr}${stdout}`);
        return plain(stdout);
      },
    };
  });
  after(async () => {
    await fixture?.kubectl.close();
    await fixture?.playground.close();
  });
  return () => fixture as PluginFixture;
}

/** What differs from run to run, replaced by words: run ids, names that the server makes, instants, spans and nodes. */
export function plain(text: string): readonly string[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) =>
      line
        .replaceAll(/\d{8}t\d{6}z(-[rb][0-9a-f]{8})?/g, (_, suffix?: string) => (suffix === undefined ? "RUN" : `RUN${suffix.slice(0, 2)}`))
        .replaceAll(/((?:run|retry|cancel|backfill|suspend|mark-succeeded)-)[bcdfghjklmnpqrstvwxz0-9]{5}\b/g, "$1NAME")
        .replaceAll(/(?:(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat) )?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| \+00:00)/g, "TIME")
        .replaceAll(/\b\d+ (?:min|s|h|d)\b(?: \d+ (?:min|s|h)\b)?(?: ago)?/g, "SPAN")
        .replaceAll(/\bnode-\d\b/g, "NODE")
        .replaceAll(/ {2,}/g, " | ")
        .trimEnd(),
    );
}
