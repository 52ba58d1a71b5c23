import manifest from "../../package.json" with { type: "json" };

/** The version of this package, "0.1.0". */
export const packageVersion: string = manifest.version;
