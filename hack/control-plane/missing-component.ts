/** Something that this machine does not have and that cannot be made here; tests that need it are skipped, in CI they fail. */
export class MissingComponent extends Error {
  /** What is missing, such as "kube-apiserver". */
  readonly component: string;
  /** What a person can do about it, as a sentence. */
  readonly hint: string;

  constructor(component: string, hint: string, options?: ErrorOptions) {
    super(`${component} cannot be had on this machine: ${hint}`, options);
    this.name = "MissingComponent";
    this.component = component;
    this.hint = hint;
  }
}

/** This machine cannot have the thing, whatever is installed on it, such as where we are not root; tests that need it are skipped in CI too. */
export class UnsuitableMachine extends MissingComponent {
  constructor(component: string, reason: string) {
    super(component, reason);
    this.name = "UnsuitableMachine";
  }
}
