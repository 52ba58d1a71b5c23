import type { Command, Option } from "commander";
import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import type { KubeObject } from "../../api/meta.ts";
import { elasticJobs, namespaces, nodes, type Resource, runnerApps } from "../../api/resource.ts";
import type { RunnerApp } from "../../api/runner-app.gen.ts";
import { appNameOf } from "./fleet/app-ref.ts";
import type { ClusterFlags, PluginContext } from "./plugin-context.ts";
import { jobNameOf } from "./read-picture.ts";
import { withCluster } from "./with-cluster.ts";

/** The last line of an answer: what the shell may add, in cobra's numbers. */
const noFiles = ":4";
const files = ":0";
/** So many names are enough to choose from. */
const mostNames = 500;

/** What has been typed before the word that is being completed. */
interface Typed {
  readonly command: Command;
  readonly positional: readonly string[];
  readonly flags: ClusterFlags;
  /** The option that the word is the value of. */
  readonly option?: Option;
}

/**
 * Candidates for the last of `words`, one a line with a description behind a tab, then a directive. Asks the cluster for names, and has none
 * when that fails: a completion never says what is wrong.
 */
export async function complete(
  context: Pick<PluginContext, "openCluster">,
  program: Command,
  words: readonly string[],
): Promise<readonly string[]> {
  const last = words.at(-1) ?? "";
  const typed = read(program, words.slice(0, -1));
  const answer = (candidates: readonly string[], directive = noFiles) => [
    ...candidates.filter((candidate) => candidate.startsWith(last)),
    directive,
  ];
  if (typed.option !== undefined) {
    const { option } = typed;
    if (option.argChoices !== undefined) return answer(option.argChoices);
    if (option.long === "--namespace") return answer(await names(context, typed.flags, namespaces));
    if (option.long === "--filename" || option.long === "--kubeconfig") return [files];
    if (option.long === "--run") return answer(await runNames(context, typed));
    return [noFiles];
  }
  if (last.startsWith("-")) {
    return answer(
      typed.command.options.filter((option) => !option.hidden).map((option) => `${option.long ?? option.short}\t${option.description}`),
    );
  }
  const children = typed.command.commands.filter((command) => !command.name().startsWith("_"));
  if (children.length > 0) return answer(children.map((command) => `${command.name()}\t${command.summary() || command.description()}`));
  const argument = typed.command.registeredArguments[typed.positional.length];
  if (argument?.argChoices !== undefined) return answer(argument.argChoices);
  const alternatives = argument?.name().split("|") ?? [];
  if (alternatives[0] === "job") {
    const jobs = await names(context, typed.flags, elasticJobs);
    const apps = alternatives.includes("ra/app") ? await names(context, typed.flags, runnerApps) : [];
    return answer([...jobs, ...apps.map((app) => `ra/${app}`)]);
  }
  if (argument?.name() === "app") return answer(await names(context, typed.flags, runnerApps));
  if (argument?.name() === "node") return answer(await names(context, typed.flags, nodes));
  if (argument?.name() === "container=image") return answer(await containers(context, typed));
  if (argument?.name() === "run") return answer(await runNames(context, typed));
  return [noFiles];
}

function read(program: Command, words: readonly string[]): Typed {
  let command = program;
  const positional: string[] = [];
  const flags: Record<string, string> = {};
  for (let index = 0; index < words.length; index++) {
    const word = words[index] as string;
    if (word.startsWith("-")) {
      const [name = "", inline] = word.split("=", 2);
      const option = command.options.find((each) => each.long === name || each.short === name);
      if (option === undefined || !(option.required || option.optional)) continue;
      const value = inline ?? words[++index];
      if (value === undefined) return { command, positional, flags, option };
      flags[option.attributeName()] = value;
      continue;
    }
    const child =
      positional.length === 0 ? command.commands.find((each) => each.name() === word || each.aliases().includes(word)) : undefined;
    if (child === undefined) positional.push(word);
    else command = child;
  }
  return { command, positional, flags };
}

async function names(context: Pick<PluginContext, "openCluster">, flags: ClusterFlags, resource: Resource): Promise<readonly string[]> {
  try {
    return await withCluster(context, flags, async ({ client, namespace }) => {
      const list = await client.list<KubeObject>(resource, { ...(resource.namespaced && { namespace }), limit: mostNames });
      return list.items.map((object) => object.metadata.name);
    });
  } catch {
    return [];
  }
}

async function runNames(context: Pick<PluginContext, "openCluster">, { positional, flags }: Typed): Promise<readonly string[]> {
  const [job] = positional;
  if (job === undefined) return [];
  try {
    const { status } = await withCluster(context, flags, ({ client, namespace }) =>
      client.get<ElasticJob>(elasticJobs, { namespace, name: jobNameOf(job) }),
    );
    return [...(status?.active ?? []), ...(status?.history ?? [])].map((entry) => `${entry.run}\t${entry.phase ?? ""}`);
  } catch {
    return [];
  }
}

/** "main=" and the image of now, to be changed. */
async function containers(context: Pick<PluginContext, "openCluster">, { positional, flags }: Typed): Promise<readonly string[]> {
  const [app] = positional;
  if (app === undefined) return [];
  try {
    const { spec } = await withCluster(context, flags, ({ client, namespace }) =>
      client.get<RunnerApp>(runnerApps, { namespace, name: appNameOf(app) }),
    );
    return (spec.template?.spec.containers ?? []).map(({ name, image }) => `${name}=${image ?? ""}`);
  } catch {
    return [];
  }
}
