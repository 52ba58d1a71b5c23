/**
 * How `node` is to be started for the operator; benches start it so. Unlimited, the space for young objects grows to 128 MiB under load and stays
 * that large, though nearly nothing in it lives.
 */
export const operatorNodeOptions = ["--max-semi-space-size=16"] as const;
