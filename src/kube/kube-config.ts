// By its one name, so that a bundle takes of client-node what this needs and no more. To be imported lazily: see credential-plugin.ts.
export { KubeConfig } from "@kubernetes/client-node";
