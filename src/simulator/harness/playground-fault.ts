/** What can be broken in a playground, by name, and what that is. */
export const playgroundFaults = {
  "kill-node": "kill a node with all that runs on it, and bring it back",
  "lose-watch": "let the operator hear nothing of what changes for a while",
  "crash-operator": "kill the operator in the middle of its work, and start another one",
} as const;

export type PlaygroundFault = keyof typeof playgroundFaults;
