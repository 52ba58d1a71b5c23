import { join } from "node:path";
import { image, type Stage } from "./stage.ts";

const chart = join(import.meta.dirname, "../../../charts/nuptse");
const release = "nuptse";
const patience = "--timeout=110s";

/** What a user of one small node sets. */
const values = [
  `image.repository=${image.repository}`,
  `image.tag=${image.tag}`,
  "image.pullPolicy=Never",
  // the limit of open files is that of this machine, and may be low
  "gateway.maxConnections=2000",
  // a node of a test has no volumes to give
  "trace.persistence.enabled=false",
];

/** The product in a cluster, by its chart and the real helm. */
export interface Installation {
  /** Resolves when all of it is available. */
  install(): Promise<void>;
  /** Asks the installation itself whether it works; returns what it says. */
  test(): Promise<string>;
  /** Changes something that makes new pods of the operator; resolves when they have taken over. */
  upgrade(): Promise<void>;
  uninstall(): Promise<void>;
}

/** The installation of a stage, which is not there yet. */
export function installationOn({ helm }: Stage): Installation {
  const settings = values.flatMap((value) => ["--set", value]);
  return {
    async install() {
      await helm.ok(["install", release, chart, "--create-namespace", ...settings, "--wait", patience]);
    },
    test: () => helm.ok(["test", release, "--logs", patience]),
    async upgrade() {
      await helm.ok(["upgrade", release, chart, ...settings, "--set", "operator.logLevel=debug", "--wait", patience]);
    },
    async uninstall() {
      await helm.ok(["uninstall", release, "--wait", patience]);
    },
  };
}
