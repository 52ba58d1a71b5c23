/** One stage of a Dockerfile. */
export interface Stage {
  /** The image or the stage that it begins with. */
  readonly from: string;
  readonly name?: string;
  /** Instructions that put something into it, with what follows the word. */
  readonly instructions: readonly (readonly [instruction: string, rest: string])[];
  /** The other instructions, by the names of the OCI specification. */
  readonly configuration: object;
}

/** The stages of a Dockerfile that is written as ours is: no ARG, words in upper case, lists as JSON. */
export function parseDockerfile(text: string): readonly Stage[] {
  const lines = text
    .replaceAll(/^#.*\n/gm, "")
    .replaceAll(/\s*\\\n\s*/g, " ")
    .split("\n");
  const stages: { from: string; name?: string; instructions: [string, string][]; configuration: Record<string, unknown> }[] = [];
  for (const line of lines.filter((candidate) => candidate.trim() !== "")) {
    const [, instruction = "", rest = ""] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    const stage = stages.at(-1);
    if (instruction === "FROM") {
      const [from = "", , name] = rest.split(" ");
      stages.push({ from, ...(name !== undefined && { name }), instructions: [], configuration: {} });
    } else if (stage === undefined) throw new Error(`before the first stage: ${line}`);
    else if (instruction === "COPY" || instruction === "RUN") stage.instructions.push([instruction, rest]);
    else Object.assign(stage.configuration, configurationOf(instruction, rest));
  }
  return stages;
}

/** The stage that becomes the image. */
export function lastStage(stages: readonly Stage[]): Stage {
  const last = stages.at(-1);
  if (last === undefined) throw new Error("no stage");
  return last;
}

function configurationOf(instruction: string, rest: string): object {
  const pairs = () => rest.split(" ").map((pair) => pair.replaceAll('"', ""));
  switch (instruction) {
    case "ENTRYPOINT":
      return { Entrypoint: JSON.parse(rest) };
    case "ENV":
      return { Env: pairs() };
    case "LABEL":
      return { Labels: Object.fromEntries(pairs().map((pair) => pair.split("="))) };
    case "USER":
      return { User: rest };
    case "WORKDIR":
      return { WorkingDir: rest };
    default:
      throw new Error(`no image of ours says ${instruction}`);
  }
}
