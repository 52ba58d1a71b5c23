/** What the caches know of the text under a key of a ConfigMap that a job refers to. */
export type ConfigMapText =
  /** Not read yet: nothing may be decided by that. */
  | { readonly kind: "loading" }
  | { readonly kind: "missing" }
  /** The API server does not let the operator read it; the message is its word. */
  | { readonly kind: "unreadable"; readonly message: string }
  /** `text` is undefined when the ConfigMap lacks the key. */
  | { readonly kind: "present"; readonly text: string | undefined };
