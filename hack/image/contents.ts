/** What is in the image, but for the packages of Debian (packages.txt). The Dockerfile says the same; a test compares the two. */

/** A file or folder of the image. */
export interface ImageFile {
  /** "project": from the project's root; "bundle": from the folder of the bundle; "node": of the package of the pinned Node. */
  readonly origin: "project" | "bundle" | "node";
  readonly source: string;
  /** The path in the image. */
  readonly target: string;
}

/** The suite of Debian that packages come from. */
export const imageSuite = "trixie";

/** The user and the group that everything runs as. */
export const imageUser = 65_532;

const library = "/usr/lib/nuptse";

/** The program of the entry point. */
export const imageProgram = `${library}/nuptse.js`;

/** The compile cache, filled when the image is made. */
export const imageCompileCache = "/var/cache/nuptse";

/** All that does not come out of packages or out of warm-cache.mjs. */
export const imageFiles: readonly ImageFile[] = [
  { origin: "node", source: "node", target: "/usr/bin/node" },
  { origin: "bundle", source: "nuptse.js", target: imageProgram },
  { origin: "bundle", source: "nuptse", target: `${library}/nuptse` },
  { origin: "bundle", source: "nuptse-trace-worker.js", target: `${library}/nuptse-trace-worker.js` },
  // says that the bundle is made of ES modules
  { origin: "project", source: "package.json", target: `${library}/package.json` },
];

/** The image's configuration, by the names of the OCI specification. */
export const imageConfiguration = {
  Entrypoint: ["/usr/bin/node", "--max-semi-space-size=16", imageProgram],
  Env: ["PATH=/usr/sbin:/usr/bin", `NODE_COMPILE_CACHE=${imageCompileCache}`, "NODE_COMPILE_CACHE_PORTABLE=1"],
  Labels: { "org.opencontainers.image.title": "nuptse", "org.opencontainers.image.licenses": "Apache-2.0" },
  User: `${imageUser}:${imageUser}`,
  WorkingDir: "/",
} as const;
