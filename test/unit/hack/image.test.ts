import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { imageCompileCache, imageConfiguration, imageFiles, imageProgram, imageSuite } from "../../../hack/image/contents.ts";
import { lastStage, parseDockerfile, type Stage } from "./support/dockerfile.ts";

const root = new URL("../../../", import.meta.url);
const text = (path: string) => readFileSync(new URL(path, root), "utf8");
const stages = parseDockerfile(text("Dockerfile"));
const stage = (name: string): Stage => stages.find((candidate) => candidate.name === name) as Stage;
const manifest = JSON.parse(text("package.json")) as { readonly optionalDependencies: Readonly<Record<string, string>> };

describe("the Dockerfile and the image without Docker", () => {
  it("take the same packages of the same suite, by the same script", () => {
    assert.equal(stage("system").from, `debian:${imageSuite}-slim`);
    assert.deepEqual(stage("system").instructions, [
      ["COPY", "hack/image/packages.txt hack/image/system.sh /image/"],
      ["RUN", "apt-get update && sh /image/system.sh /system"],
    ]);
    assert.deepEqual(copies("cold")[0], { from: "system", source: "/system", target: "/" });
  });

  it("take the Node that the lock file pins", () => {
    const versions = [...new Set(Object.values(manifest.optionalDependencies))];
    assert.deepEqual(
      versions.map((version) => `node:${version}-${imageSuite}-slim`),
      [stage("bundle").from],
    );
    assert.match(
      stage("bundle").instructions.at(-1)?.[1] ?? "",
      /^node hack\/bundle\.ts \/bundle image && mv node_modules\/node-linux-\*\/bin\/node \/bundle\/node$/,
    );
  });

  it("hold the same files at the same places", () => {
    const wanted = imageFiles.map(({ origin, source, target }) =>
      origin === "project" ? { source, target } : { from: "bundle", source: `/bundle/${source}`, target },
    );
    assert.deepEqual(copies("cold").slice(1), wanted);
  });

  it("fill the compile cache by the same script, and keep it where the environment says", () => {
    const [[instruction, how] = []] = stage("warm").instructions;
    assert.equal(instruction, "RUN");
    assert.match(how ?? "", /source=hack\/image\/warm-cache\.mjs,/);
    const command = JSON.parse((how ?? "").slice((how ?? "").indexOf("["))) as string[];
    assert.deepEqual(command.slice(2), [imageProgram, imageCompileCache]);
    assert.equal(lastStage(stages).from, "cold");
    assert.deepEqual(copiesOf(lastStage(stages)), [{ from: "warm", source: imageCompileCache, target: imageCompileCache }]);
  });

  it("run the same program as the same user in the same environment", () => {
    const { configuration } = lastStage(stages);
    assert.deepEqual(configuration, imageConfiguration);
  });

  it("fill the cache with the flags that the program is started with", () => {
    const [, flag] = imageConfiguration.Entrypoint;
    assert.match(text("hack/image/warm-cache.mjs"), new RegExp(`\\["${flag}", program,`));
  });

  it("the list of packages names each once, in order", () => {
    const lines = text("hack/image/packages.txt").split("\n");
    const names = lines.map((line) => line.replace(/#.*/, "").trim()).filter((name) => name !== "");
    assert.deepEqual(names, [...new Set(names)].sort());
  });
});

function copies(name: string): readonly object[] {
  return copiesOf(stage(name));
}

function copiesOf({ instructions }: Stage): readonly object[] {
  return instructions.flatMap(([instruction, rest]) => {
    if (instruction !== "COPY") return [];
    const [, from, source, target] = /^(?:--from=(\S+) )?(\S+) (\S+)$/.exec(rest) ?? [];
    return [{ ...(from !== undefined && { from }), source, target }];
  });
}
